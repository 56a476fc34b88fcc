"""Marketplace images: what is listed, what a VM is made of, and the terms of purchase plans."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.furnish import SUBSCRIPTION
from tests.support.compute_emulator import ComputeEmulator

LOCATION = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/eastus"
UBUNTU = (
    f"{LOCATION}/publishers/Canonical/artifacttypes/vmimage/offers/0001-com-ubuntu-server-jammy/skus/22_04-lts-gen2"
)
ORDERING = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.MarketplaceOrdering"
ROCKY = {"publisher": "resf", "offer": "rockylinux-x86_64", "sku": "9-base"}
PLAN = {"publisher": "resf", "product": "rockylinux-x86_64", "name": "9-base"}


@pytest.fixture(scope="module")
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def names(compute: ComputeEmulator, path: str) -> list[str]:
    return [str(one["name"]) for one in compute.ask("GET", path).body]


def test_publishers_offers_skus_and_versions_are_listed(compute: ComputeEmulator) -> None:
    publishers = names(compute, f"{LOCATION}/publishers")
    assert {"Canonical", "MicrosoftWindowsServer", "Microsoft.Azure.Extensions"} <= set(publishers)
    top = f"{LOCATION}/publishers/canonical/artifacttypes/vmimage/offers"
    assert "ubuntu-24_04-lts" in names(compute, top)
    assert names(compute, f"{top}/ubuntu-24_04-lts/skus") == ["cvm", "minimal", "server", "server-arm64", "server-gen1"]
    oldest, newest = names(compute, f"{UBUNTU}/versions")
    assert names(compute, f"{UBUNTU}/versions?$top=1&$orderby=name%20desc") == [newest]
    assert oldest < newest
    (shown,) = compute.ask("GET", f"{UBUNTU}/versions?$expand=properties&$top=1&$orderby=name%20desc").body
    assert shown == compute.ask("GET", f"{UBUNTU}/versions/{newest}").body
    assert shown["id"].endswith(
        f"/ArtifactTypes/VMImage/Offers/0001-com-ubuntu-server-jammy/Skus/22_04-lts-gen2/Versions/{newest}"
    )
    facts = shown["properties"]
    assert (facts["hyperVGeneration"], facts["architecture"]) == ("V2", "x64")
    assert facts["osDiskImage"]["operatingSystem"] == "Linux"
    assert {"name": "SecurityType", "value": "TrustedLaunchSupported"} in facts["features"]


@pytest.mark.parametrize(
    "tail",
    [
        "publishers/nobody/artifacttypes/vmimage/offers",
        "publishers/Canonical/artifacttypes/vmimage/offers/none/skus",
        "publishers/Canonical/artifacttypes/vmimage/offers/ubuntu-24_04-lts/skus/server/versions/1.2.3",
        "publishers/nobody/artifacttypes/vmextension/types",
        "publishers/Microsoft.Compute/artifacttypes/vmextension/types/none/versions",
    ],
)
def test_names_that_the_marketplace_does_not_have_are_refused(compute: ComputeEmulator, tail: str) -> None:
    found = compute.ask("GET", f"{LOCATION}/{tail}")
    assert (found.status, found.code) == (404, "NotFound")


def machine(image: dict[str, Any], nic: str, **security: str) -> dict[str, Any]:
    return {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {"imageReference": image, "osDisk": {"createOption": "fromImage", "name": None}},
        "osProfile": {"computerName": "x", "adminUsername": "me", "adminPassword": "not-a-secret-1"},
        "networkProfile": {"networkInterfaces": [{"id": nic}]},
        **({"securityProfile": security} if security else {}),
    }


def test_a_vm_of_an_image_or_a_version_that_does_not_exist_is_refused(compute: ComputeEmulator) -> None:
    nic = compute.nic()
    image = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
    for wrong in (image | {"sku": "desktop"}, image | {"version": "1.2.3"}):
        status, code, message = compute.refused("virtualMachines/none", machine(wrong, nic))
        assert (status, code) == (404, "PlatformImageNotFound")
        assert f"Canonical:ubuntu-24_04-lts:{wrong['sku']}:{wrong.get('version', 'latest')}" in message


def test_a_password_beside_keys_is_not_looked_at(compute: ComputeEmulator) -> None:
    properties = machine({"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}, compute.nic())
    key = {"path": "/home/me/.ssh/authorized_keys", "keyData": "ssh-rsa AAAAB3NzaC1yc2E= me"}
    linux = {"disablePasswordAuthentication": True, "ssh": {"publicKeys": [key]}}
    properties["osProfile"] |= {"adminPassword": "x", "linuxConfiguration": linux}
    made = compute.ask("PUT", "virtualMachines/keys", {"location": "eastus", "properties": properties})
    assert made.status == 201, made.body
    shown = made.properties["osProfile"]
    assert "adminPassword" not in shown
    assert shown["linuxConfiguration"]["disablePasswordAuthentication"] is True


def test_trusted_launch_needs_an_image_that_supports_it(compute: ComputeEmulator) -> None:
    image = {"publisher": "Debian", "offer": "debian-12", "sku": "12"}
    body = machine(image, compute.nic(), securityType="TrustedLaunch") | {
        "hardwareProfile": {"vmSize": "Standard_D2s_v3"}
    }
    assert "TrustedLaunch setting is not supported" in compute.refused("virtualMachines/none", body)[2]


def test_a_plan_has_to_be_named_and_its_terms_accepted() -> None:
    compute = ComputeEmulator()
    body = machine(ROCKY, compute.nic())
    assert compute.refused("virtualMachines/rocky", body)[:2] == (400, "VMMarketplaceInvalidInput")
    other = compute.refused("virtualMachines/rocky", body, plan=PLAN | {"name": "9-lvm"})
    assert "is not as expected" in other[2]
    early = compute.refused("virtualMachines/rocky", body, plan=PLAN)
    assert early[:2] == (400, "MarketplacePurchaseEligibilityFailed")
    terms = (
        f"{ORDERING}/offerTypes/virtualmachine/publishers/resf/offers/rockylinux-x86_64/plans/9-base/agreements/current"
    )
    read = compute.ask("GET", terms, version="2021-01-01")
    assert read.properties["accepted"] is False
    forged = read.body | {"properties": read.properties | {"accepted": True, "signature": "none"}}
    assert compute.ask("PUT", terms, forged, "2021-01-01").status == 400
    accepted = compute.ask("PUT", terms, {"properties": read.properties | {"accepted": True}}, "2021-01-01")
    assert accepted.properties["accepted"] is True
    assert [one["name"] for one in compute.ask("GET", f"{ORDERING}/agreements", version="2021-01-01").body] == [
        "9-base"
    ]
    made = compute.make("virtualMachines/rocky", body, plan=PLAN)
    assert made.body["plan"] == PLAN
    agreement = f"{ORDERING}/agreements/resf/offers/rockylinux-x86_64/plans/9-base"
    assert compute.ask("POST", f"{agreement}/cancel", version="2021-01-01").properties["accepted"] is False
    assert compute.refused("virtualMachines/other", machine(ROCKY, compute.nic("n2")), plan=PLAN)[0] == 400
    assert compute.ask("POST", f"{agreement}/sign", version="2021-01-01").properties["accepted"] is True
    none = f"{ORDERING}/agreements/Canonical/offers/ubuntu-24_04-lts/plans/server"
    assert compute.ask("GET", none, version="2021-01-01").status == 400
