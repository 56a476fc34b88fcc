"""Managed images of the emulator: from a generalized VM, and from single disks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.emulator.compute.model import bootable_images
from batchimg_magics.emulator.compute.model.bootable_images import BootableImage, ImageProblem
from tests.support.compute_emulator import LONG_S, ComputeEmulator, body, resource, through_sdk

if TYPE_CHECKING:
    from azure.mgmt.compute.aio import ComputeManagementClient


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def of_vm(name: str, generation: str = "V2") -> dict[str, Any]:
    return {"sourceVirtualMachine": {"id": resource(f"virtualMachines/{name}")}, "hyperVGeneration": generation}


def of_disks(*disks: str, **os_disk: Any) -> dict[str, Any]:
    kinds = {"snapshots": "snapshot", "disks": "managedDisk"}
    sources = [{kinds[path.split("/")[0]]: {"id": resource(path)}} for path in disks]
    system = {"osType": "Linux", "osState": "Generalized", **sources[0], **os_disk}
    data = [{"lun": lun, **one} for lun, one in enumerate(sources[1:])]
    return {"hyperVGeneration": "V2", "storageProfile": {"osDisk": system, "dataDisks": data}}


def what_it_is(compute: ComputeEmulator, path: str, region: str = "eastus") -> BootableImage | ImageProblem:
    return bootable_images.resolve_image(compute.store, compute.clock.now(), resource(path), region)


def test_an_image_of_a_vm_through_the_sdk() -> None:
    async def work(client: ComputeManagementClient) -> Any:
        poller = await client.images.begin_create_or_update("research", "win", body(of_vm("win-vm")))
        made = await poller.result()
        assert [one.name async for one in client.images.list()] == ["win"]
        await (await client.images.begin_delete("research", "win")).result()
        assert [one.name async for one in client.images.list_by_resource_group("research")] == []
        return made

    made = through_sdk(work)
    assert made.provisioning_state == "Succeeded"
    disk = made.storage_profile.os_disk
    assert (disk.os_type, disk.os_state, disk.disk_size_gb) == ("Windows", "Generalized", 127)


def test_sizes_are_shown_when_the_image_is_done(compute: ComputeEmulator) -> None:
    response = compute.ask("PUT", "images/i", {"location": "eastus", "properties": of_vm("gen1-vm", "V1")})
    assert response.properties["provisioningState"] == "Creating"
    assert "diskSizeGB" not in response.properties["storageProfile"]["osDisk"]
    compute.clock.advance(LONG_S)
    assert compute.ask("GET", "images/i").properties["storageProfile"]["osDisk"]["diskSizeGB"] == 30


def test_a_vm_that_is_not_generalized_gives_no_image(compute: ComputeEmulator) -> None:
    status, code, message = compute.refused("images/i", of_vm("desk-vm"))
    assert (status, code) == (409, "OperationNotAllowed")
    assert "to be Generalized" in message


def test_what_is_trusted_gives_no_managed_image(compute: ComputeEmulator) -> None:
    status, code, message = compute.refused("images/i", of_vm("prep-vm"))
    assert (status, code) == (409, "OperationNotAllowed")
    assert "TrustedLaunch" in message
    compute.snapshot("os", "prep-vm_OsDisk_1")
    assert compute.refused("images/i", of_disks("snapshots/os"))[0] == 409


def test_an_image_of_disks_has_their_sizes_and_what_is_hidden_of_the_first(compute: ComputeEmulator) -> None:
    compute.snapshot("os", "desk-vm_OsDisk_1")
    compute.snapshot("data", "desk-vm_DataDisk_0")
    made = compute.make("images/i", of_disks("snapshots/os", "snapshots/data"))
    storage = made.properties["storageProfile"]
    assert (storage["osDisk"]["diskSizeGB"], storage["dataDisks"][0]["diskSizeGB"]) == (30, 128)
    assert storage["osDisk"]["caching"] == "None"
    source = what_it_is(compute, "images/i")
    assert isinstance(source, BootableImage)
    assert source.deprovisioned is False
    assert source.replicas is None
    assert resource("snapshots/os").lower() in source.source_keys


def test_the_id_of_a_source_may_lack_its_first_slash(compute: ComputeEmulator) -> None:
    properties = of_disks("disks/gen1-vm_OsDisk_1", managedDisk={"id": resource("disks/gen1-vm_OsDisk_1")[1:]})
    properties["hyperVGeneration"] = "V1"
    made = compute.ask("PUT", "images/i", {"location": "eastus", "properties": properties})
    assert made.properties["provisioningState"] == "Creating"
    other = of_disks("disks/none", managedDisk={"id": resource("disks/none")[1:]})
    assert compute.ask("PUT", "images/n", {"location": "eastus", "properties": other}).code == "NotFound"


def test_an_image_does_not_need_its_vm_but_needs_its_disks(compute: ComputeEmulator) -> None:
    compute.make("images/i", of_vm("gen1-vm", "V1"))
    assert isinstance(what_it_is(compute, "images/i"), BootableImage)
    compute.ask("DELETE", "virtualMachines/gen1-vm")
    compute.clock.advance(LONG_S)
    assert isinstance(what_it_is(compute, "images/i"), BootableImage)
    assert compute.ask("DELETE", "disks/gen1-vm_OsDisk_1").status == 202
    compute.clock.advance(LONG_S)
    found = what_it_is(compute, "images/i")
    assert isinstance(found, ImageProblem)
    assert "gen1-vm_osdisk_1" in found.message.lower()


def test_an_image_is_of_use_in_its_own_region_only(compute: ComputeEmulator) -> None:
    compute.make("images/i", of_vm("gen1-vm", "V1"))
    assert isinstance(what_it_is(compute, "images/i", "East US"), BootableImage)
    assert isinstance(what_it_is(compute, "images/i", "westus"), ImageProblem)


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({}, "InvalidParameter"),
        (of_disks("disks/none"), "NotFound"),
        (
            {
                "hyperVGeneration": "V2",
                "storageProfile": of_disks("disks/win-vm_OsDisk_1")["storageProfile"]
                | {"dataDisks": [{"lun": 1, "managedDisk": {"id": resource("disks/desk-vm_DataDisk_0")}}] * 2},
            },
            "InvalidParameter",
        ),
        (of_disks("disks/desk-vm_OsDisk_1", osState="Odd"), "InvalidParameter"),
        ({**of_disks("disks/win-vm_OsDisk_1"), "hyperVGeneration": "V3"}, "InvalidParameter"),
    ],
)
def test_refusals(compute: ComputeEmulator, properties: dict[str, Any], code: str) -> None:
    assert compute.refused("images/i", properties)[1] == code


def test_a_blob_does_not_have_a_generation(compute: ComputeEmulator) -> None:
    blob = {"osType": "Linux", "osState": "Generalized", "blobUri": "https://a.blob.core.windows.net/v/os.vhd"}
    properties = {"storageProfile": {"osDisk": blob}}
    status, code, message = compute.refused("images/i", properties)
    assert (status, code) == (400, "InvalidParameter")
    assert message == "Required parameter 'hyperVGeneration' is missing (null)."
    old = compute.make("images/i", properties, version="2018-10-01")
    assert old.properties["hyperVGeneration"] == "V1"


def test_what_an_image_is_made_of_stays(compute: ComputeEmulator) -> None:
    compute.make("images/i", of_vm("gen1-vm", "V1"))
    status, code, _ = compute.refused("images/i", of_vm("win-vm"))
    assert (status, code) == (409, "PropertyChangeNotAllowed")
    again = compute.ask("PUT", "images/i", {"location": "eastus", "properties": of_vm("gen1-vm", "V1")})
    assert again.status == 200
    compute.clock.advance(LONG_S)
    tagged = compute.ask("PATCH", "images/i", {"tags": {"a": "b"}})
    assert tagged.status in (200, 202)
    assert tagged.body["tags"] == {"a": "b"}


def test_sources_are_done_and_in_the_images_region(compute: ComputeEmulator) -> None:
    source = {"createOption": "Copy", "sourceResourceId": resource("disks/desk-vm_OsDisk_1")}
    compute.ask("PUT", "snapshots/s", {"location": "eastus", "properties": {"creationData": source}})
    assert compute.refused("images/i", of_disks("snapshots/s"))[:2] == (409, "OperationNotAllowed")
    compute.clock.advance(10)
    assert compute.refused("images/i", of_disks("snapshots/s"), location="westus")[:2] == (400, "InvalidParameter")
    assert compute.make("images/i", of_disks("snapshots/s")).status == 200
