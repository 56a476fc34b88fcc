"""The effects of a pool's custom image on its nodes, for all properties that Compute returns."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from batchimg_magics.emulator.compute.model import bootable_images
from batchimg_magics.emulator.world.store import Item
from tests.support.batch_emulator import ACCOUNT_ID, IMAGES, BatchEmulator

VERSION = f"{IMAGES}/galleries/g/images/i/versions/1.0.0"
GOOD = {
    "os_type": "Linux",
    "generation": "V2",
    "architecture": "x64",
    "security_type": "Standard",
    "os_disk_gib": 30,
    "data_disks": (),
    "usable_by_batch": True,
    "replicas": 3,
    "source_keys": frozenset(),
    "controllers": frozenset({"scsi"}),
}


class ComputeImages:
    """The properties of images that Compute returns; the test sets them by image id."""

    def __init__(self) -> None:
        self.by_id: dict[str, Any] = {}

    def resolve(self, _store: Any, _now: float, image_id: str, _region: str) -> Any:
        return self.by_id[image_id.lower()]

    def set(self, image_id: str = VERSION, **changes: Any) -> None:
        self.by_id[image_id.lower()] = SimpleNamespace(**(GOOD | changes))


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> ComputeImages:
    made = ComputeImages()
    made.set()
    monkeypatch.setattr(bootable_images, "resolve_image", made.resolve)
    return made


@pytest.fixture
def azure(images: ComputeImages) -> BatchEmulator:
    made = BatchEmulator()
    assert images
    made.store.put(Item(VERSION.lower(), "microsoft.compute/galleries/images/versions", {"properties": {}}))
    account = made.store.get(ACCOUNT_ID)
    assert account is not None
    account.doc["properties"] |= {"dedicatedCoreQuota": 10**6, "dedicatedCoreQuotaPerVMFamilyEnforced": False}
    made.store.put(account)
    return made


def machine(image_id: str = VERSION, **more: Any) -> dict[str, Any]:
    return {"imageReference": {"virtualMachineImageId": image_id}, "nodeAgentSKUId": "batch.node.ubuntu 22.04"} | more


def cause(azure: BatchEmulator, name: str = "p") -> str:
    """Return what the provider said of the pool's failed allocation."""
    pool = azure.wait_until_steady(name)
    (error,) = pool["resizeErrors"]
    assert (error["code"], pool["currentDedicatedNodes"]) == ("AllocationFailed", 0)
    assert error["message"] == "Desired number of dedicated nodes could not be allocated"
    ((name, value),) = [(pair["name"], pair["value"]) for pair in error["values"]]
    assert name == "Provider Error Json"
    return str(json.loads(value)["error"]["message"])


def test_a_good_image_makes_idle_nodes_in_a_few_minutes(azure: BatchEmulator) -> None:
    azure.create_pool(dedicated=20, spot=5, virtualMachineConfiguration=machine())
    assert "resizeErrors" not in azure.wait_until_steady()
    azure.clock.advance(330)
    assert azure.states() == {"idle": 25}
    assert "exactVersion" not in azure.nodes()[0]["virtualMachineInfo"]["imageReference"]


def test_a_system_that_was_never_deprovisioned_makes_unusable_nodes(
    azure: BatchEmulator, images: ComputeImages
) -> None:
    images.set(usable_by_batch=False)
    azure.create_pool(dedicated=3, virtualMachineConfiguration=machine())
    assert "resizeErrors" not in azure.wait_until_steady()
    azure.clock.advance(3600)
    assert azure.states() == {"unusable": 3}
    assert "generalized" in azure.nodes()[0]["errors"][0]["errorDetails"][0]["value"]


@pytest.mark.parametrize(
    ("image", "profile", "size", "said"),
    [
        ({"generation": "V1"}, None, "Standard_D4ps_v5", "cannot boot Hypervisor Generation '1'"),
        ({"architecture": "Arm64"}, None, "Standard_D2s_v5", "CPU Architecture 'Arm64'"),
        ({"security_type": "TrustedLaunch"}, None, "Standard_D2s_v5", "only supports creation of VMs"),
        ({}, "trustedLaunch", "Standard_D2s_v5", "trustedlaunch setting is not supported"),
        ({}, None, "Standard_D4s_v6", "Please check that disk controller types supported by the OS image"),
    ],
)
def test_an_image_that_does_not_fit_fails_the_allocation(
    azure: BatchEmulator, images: ComputeImages, image: dict[str, Any], profile: str | None, size: str, said: str
) -> None:
    images.set(**image)
    security = {"securityProfile": {"securityType": profile}} if profile else {}
    azure.create_pool(dedicated=1, vmSize=size, virtualMachineConfiguration=machine(**security))
    assert said in cause(azure)


@pytest.mark.parametrize("security_type", ["TrustedLaunch", "TrustedLaunchSupported"])
def test_a_pool_with_the_images_security_gets_its_nodes(
    azure: BatchEmulator, images: ComputeImages, security_type: str
) -> None:
    images.set(security_type=security_type)
    profile = {"securityType": "trustedLaunch", "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True}}
    azure.create_pool(
        dedicated=1, vmSize="Standard_D2s_v5", virtualMachineConfiguration=machine(securityProfile=profile)
    )
    assert azure.wait_until_steady()["currentDedicatedNodes"] == 1


def test_a_deleted_image_fails_the_next_allocation_and_keeps_the_nodes(
    azure: BatchEmulator, images: ComputeImages
) -> None:
    azure.create_pool(dedicated=2, virtualMachineConfiguration=machine())
    azure.wait_until_steady()
    images.by_id[VERSION.lower()] = bootable_images.ImageProblem("NotFound", "The image is gone.")
    azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 5, "targetLowPriorityNodes": 1})
    pool = azure.wait_until_steady()
    assert pool["currentDedicatedNodes"] == 2
    assert [error["message"] for error in pool["resizeErrors"]] == [
        f"Desired number of {kind} nodes could not be allocated" for kind in ("dedicated", "low priority")
    ]
    azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 1})
    assert "resizeErrors" not in azure.wait_until_steady()


def test_the_scenario_takes_custom_systems_for_ones_never_deprovisioned(azure: BatchEmulator) -> None:
    azure.store.set_meta("scenario", "not-generalized")
    azure.create_pool(dedicated=1, virtualMachineConfiguration=machine())
    azure.create_pool("market", 1)
    azure.wait_until_steady()
    azure.clock.advance(3600)
    assert (azure.states(), azure.states("market")) == ({"unusable": 1}, {"idle": 1})


def test_one_replica_is_slow_for_many_nodes(azure: BatchEmulator, images: ComputeImages) -> None:
    spent = []
    for name, replicas in (("few", 1), ("many", 10)):
        images.set(replicas=replicas)
        azure.create_pool(name, 900, virtualMachineConfiguration=machine(), resizeTimeout="PT2H")
        began = azure.clock.now()
        azure.wait_until_steady(name)
        spent.append(azure.clock.now() - began)
    assert spent[0] > 2 * spent[1]


def test_pools_of_managed_images_share_a_limit_with_those_of_the_same_snapshot(images: ComputeImages) -> None:
    azure = BatchEmulator(start=1_700_000_000.0)
    account = azure.store.get(ACCOUNT_ID)
    assert account is not None
    account.doc["properties"] |= {
        "dedicatedCoreQuota": 10**6,
        "lowPriorityCoreQuota": 10**6,
        "dedicatedCoreQuotaPerVMFamilyEnforced": False,
    }
    azure.store.put(account)
    for name in ("one", "two", "other"):
        key = f"{IMAGES}/images/{name}"
        azure.store.put(Item(key.lower(), "microsoft.compute/images", {"properties": {}}))
        roots = frozenset({"snapshot" if name != "other" else "another", name})
        images.set(key, replicas=None, source_keys=roots)
        body = {"id": name, "vmSize": "Standard_D2s_v3", "virtualMachineConfiguration": machine(key)}
        body |= {"targetDedicatedNodes": 2000, "targetLowPriorityNodes": 800, "resizeTimeout": "PT10H"}
        assert azure.batch("POST", "/pools", body, version="2019-08-01.10.0").status == 201
    counts = {}
    for name in ("one", "two", "other"):
        pool = azure.wait_until_steady(name)
        counts[name] = (pool["currentDedicatedNodes"], pool["currentLowPriorityNodes"])
    assert counts == {"one": (2000, 800), "two": (500, 200), "other": (2000, 800)}
    errors = azure.pool("two")["resizeErrors"]
    assert [error["code"] for error in errors] == ["AllocationFailed", "AllocationFailed"]
    assert "limit of nodes" in errors[0]["values"][0]["value"]
