"""VMs that do not fit into the quotas of the subscription, or whose size it may not use."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.furnish import SUBSCRIPTION
from batchimg_magics.emulator.http.scenarios import set_scenario
from tests.support.compute_emulator import SUBNET, ComputeEmulator, EmulatorResponse, resource

GPU, FAMILY = "Standard_NC24ads_A100_v4", "StandardNCADSA100v4Family"
OTHER = "00000000-1111-4222-8333-444444444444"
IMAGE = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts-gen2"}
NIC = {"ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": SUBNET}}}]}


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def put(compute: ComputeEmulator, name: str, size: str = GPU, **beside: Any) -> EmulatorResponse:
    properties = {
        "hardwareProfile": {"vmSize": size},
        "storageProfile": {"imageReference": IMAGE, "osDisk": {"createOption": "FromImage"}},
        "osProfile": {"adminUsername": "me", "adminPassword": "not-a-secret-1"},
        "networkProfile": {
            "networkApiVersion": "2022-11-01",
            "networkInterfaceConfigurations": [{"name": "nic", "properties": NIC}],
        },
        **beside.pop("properties", {}),
    }
    body = {"location": "eastus", "properties": properties, **beside}
    response = compute.ask("PUT", f"virtualMachines/{name}", body)
    compute.clock.advance(600)
    return response


def quotas(compute: ComputeEmulator, **limits: int) -> None:
    body = {"limits": limits, "location": "eastus"}
    assert compute.ask("POST", "https://management.azure.com/_sim/quotas", body).status == 200


def usage(compute: ComputeEmulator, name: str, subscription: str = SUBSCRIPTION) -> tuple[int, int]:
    path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/locations/eastus/usages"
    rows = compute.ask("GET", path).body["value"]
    return next((row["currentValue"], row["limit"]) for row in rows if row["name"]["value"] == name)


def test_the_quota_of_one_gpu_vm_is_used_up_by_it(compute: ComputeEmulator) -> None:
    set_scenario(compute.store, "gpu-quota")
    assert usage(compute, FAMILY) == (0, 24)
    assert put(compute, "first").status == 201
    assert usage(compute, FAMILY) == (24, 24)
    refused = put(compute, "second")
    assert (refused.status, refused.code) == (409, "OperationNotAllowed")
    assert refused.message.startswith(
        f"Operation could not be completed as it results in exceeding approved {FAMILY} Cores quota. Additional "
        "details - Deployment Model: Resource Manager, Location: eastus, Current Limit: 24, Current Usage: 24, "
        "Additional Required: 24, (Minimum) New Limit Required: 48."
    )
    assert put(compute, "small", "Standard_D2s_v5").status == 201


def test_a_deallocated_vm_keeps_its_cores_and_starts_again(compute: ComputeEmulator) -> None:
    set_scenario(compute.store, "gpu-quota")
    put(compute, "first")
    for verb in ("deallocate", "start", "deallocate"):
        assert compute.ask("POST", f"virtualMachines/first/{verb}").status == 202
        compute.clock.advance(600)
        assert put(compute, "second").code == "OperationNotAllowed"
    quotas(compute, **{FAMILY: 12})
    refused = compute.ask("POST", "virtualMachines/first/start")
    assert (refused.status, refused.code) == (409, "OperationNotAllowed")
    compute.ask("DELETE", "virtualMachines/first")
    compute.clock.advance(600)
    assert usage(compute, FAMILY) == (0, 12)


def test_an_imported_gpu_vm_uses_up_the_quota(compute: ComputeEmulator) -> None:
    set_scenario(compute.store, "gpu-quota")
    put(compute, "first")
    document = compute.ask("GET", "virtualMachines/first").body
    other = ComputeEmulator()
    set_scenario(other.store, "gpu-quota")
    document = {**document, "id": document["id"].replace(SUBSCRIPTION, OTHER)}
    other.ask("POST", "https://management.azure.com/_sim/import", {"resources": [document]})
    assert usage(other, FAMILY, OTHER) == (24, 24)
    assert usage(other, FAMILY) == (0, 24)


@pytest.mark.parametrize(
    ("limits", "size", "beside", "said"),
    [
        ({"cores": 13}, "Standard_D2s_v3", {}, "Total Regional Cores"),
        ({"lowPriorityCores": 1}, "Standard_D2s_v3", {"priority": "Spot"}, "LowPriorityCores"),
        ({"standardDSv3Family": 5}, "Standard_D2s_v3", {}, "standardDSv3Family Cores"),
    ],
)
def test_each_quota_refuses(
    compute: ComputeEmulator, limits: dict[str, int], size: str, beside: dict[str, str], said: str
) -> None:
    quotas(compute, **limits)
    refused = put(compute, "vm", size, properties=beside)
    assert (refused.status, refused.code) == (409, "OperationNotAllowed")
    assert f"exceeding approved {said} quota" in refused.message
    quotas(compute, **dict.fromkeys(limits, 100))
    assert put(compute, "vm", size, properties=beside).status == 201


def test_a_larger_size_needs_quota_too(compute: ComputeEmulator) -> None:
    quotas(compute, standardDSv5Family=8)
    larger = {"properties": {"hardwareProfile": {"vmSize": "Standard_D8s_v5"}}}
    assert compute.ask("PATCH", "virtualMachines/desk-vm", larger).code == "OperationNotAllowed"
    larger["properties"]["hardwareProfile"]["vmSize"] = "Standard_D4s_v5"
    assert compute.ask("PATCH", "virtualMachines/desk-vm", larger).status == 200


def test_a_restricted_size_is_refused(compute: ComputeEmulator) -> None:
    compute.ask("PATCH", "virtualMachines/desk-vm", {"tags": {}})
    for location, size, zones, status in (
        ("eastus", "Standard_D2s_v3", ["3"], 409),
        ("eastus", "Standard_D2s_v3", ["1"], 201),
        ("eastus", "Standard_D2s_v3", None, 201),
        ("northeurope", "Standard_HB120rs_v3", None, 409),
        ("uksouth", GPU, None, 409),
    ):
        beside = {"zones": zones} if zones else {}
        response = put(compute, f"vm{status}{location}{zones}"[:12].replace("[", ""), size, location=location, **beside)
        assert response.status == status, response.body
        if status == 409:
            assert response.code == "SkuNotAvailable"
            assert f"is currently not available in location '{location}'" in response.message


def test_quotas_are_numbers(compute: ComputeEmulator) -> None:
    url = "https://management.azure.com/_sim/quotas"
    assert compute.ask("POST", url, {"limits": {"cores": "many"}}).status == 400


def test_a_deallocated_vm_shows_the_sizes_of_its_disks_on_blobs_only(compute: ComputeEmulator) -> None:
    vm = compute.store.get(resource("virtualMachines/prep-vm"))
    assert vm is not None
    blob = {"lun": 5, "name": "b", "vhd": {"uri": "https://a.blob.core.windows.net/v/b.vhd"}, "diskSizeGB": 7}
    vm.doc["properties"]["storageProfile"]["dataDisks"].append(blob)
    compute.store.put(vm)
    storage = compute.ask("GET", "virtualMachines/prep-vm").properties["storageProfile"]
    assert [disk.get("diskSizeGB") for disk in (storage["osDisk"], *storage["dataDisks"])] == [None, None, 7]
