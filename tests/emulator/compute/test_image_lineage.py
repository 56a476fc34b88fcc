"""What all copies of a disk have and no document shows: whether its operating system boots on the nodes of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.emulator.compute.guest.system import guest_state
from batchimg_magics.emulator.compute.model import bootable_images
from batchimg_magics.emulator.compute.model.bootable_images import BootableImage, ImageProblem
from tests.support.compute_emulator import LONG_S, ComputeEmulator, copy_of, definition, resource, version

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = "galleries/lab/images/first/versions/1.0.0"


@pytest.fixture
def compute() -> ComputeEmulator:
    made = ComputeEmulator()
    made.make("galleries/lab", {})
    made.make("galleries/lab/images/first", definition("first", generation="V1"))
    return made


def extend(compute: ComputeEmulator) -> None:
    """Let gen1-vm have an extension."""
    vm = compute.ask("GET", "virtualMachines/gen1-vm").body
    extension = {"type": "Microsoft.Compute/virtualMachines/extensions", "name": "custom-script"}
    change(compute, vm["id"], resources=[extension])


def encrypt(compute: ComputeEmulator) -> None:
    change(compute, resource("disks/gen1-vm_OsDisk_1"), properties={"encryptionSettingsCollection": {"enabled": True}})


def buy(compute: ComputeEmulator) -> None:
    change(compute, resource("virtualMachines/gen1-vm"), plan={"name": "n", "product": "p", "publisher": "p"})


def change(compute: ComputeEmulator, key: str, properties: dict[str, Any] | None = None, **beside: Any) -> None:
    item = compute.store.get(key)
    assert item is not None
    item.doc |= beside
    item.doc["properties"] |= properties or {}
    compute.store.put(item)


def by_snapshot(compute: ComputeEmulator) -> str:
    compute.snapshot("os", "gen1-vm_OsDisk_1")
    compute.make(PATH, version())
    return PATH


def by_copy_of_a_copy(compute: ComputeEmulator) -> str:
    compute.snapshot("s", "gen1-vm_OsDisk_1")
    compute.make("disks/d", {"creationData": copy_of("snapshots/s")})
    compute.snapshot("os", "d")
    compute.make(PATH, version())
    return PATH


def by_image(compute: ComputeEmulator) -> str:
    source = {"sourceVirtualMachine": {"id": resource("virtualMachines/gen1-vm")}, "hyperVGeneration": "V1"}
    compute.make("images/i", source)
    compute.make(PATH, version("images/i"))
    return PATH


def by_vm(compute: ComputeEmulator) -> str:
    compute.make(PATH, version("virtualMachines/gen1-vm"))
    return PATH


def by_managed_image_alone(compute: ComputeEmulator) -> str:
    by_image(compute)
    return "images/i"


def buy_disk(compute: ComputeEmulator) -> None:
    plan = {"name": "n", "product": "p", "publisher": "p"}
    change(compute, resource("disks/gen1-vm_OsDisk_1"), properties={"purchasePlan": plan})


ROUTES = [by_snapshot, by_copy_of_a_copy, by_image, by_vm, by_managed_image_alone]


def what_it_is(compute: ComputeEmulator, path: str) -> BootableImage | ImageProblem:
    return bootable_images.resolve_image(compute.store, compute.clock.now(), resource(path), "eastus")


@pytest.mark.parametrize("route", ROUTES)
def test_a_prepared_system_reports(compute: ComputeEmulator, route: Callable[[ComputeEmulator], str]) -> None:
    found = what_it_is(compute, route(compute))
    assert isinstance(found, BootableImage)
    assert (found.deprovisioned, found.usable_by_batch) == (True, True)


@pytest.mark.parametrize(
    ("route", "spoil"), [*((route, extend) for route in ROUTES), *((route, encrypt) for route in ROUTES[:2])]
)
def test_extensions_and_encryption_keep_it_from_reporting(
    compute: ComputeEmulator, route: Callable[[ComputeEmulator], str], spoil: Callable[[ComputeEmulator], None]
) -> None:
    spoil(compute)
    found = what_it_is(compute, route(compute))
    assert isinstance(found, BootableImage)
    assert (found.deprovisioned, found.usable_by_batch) == (True, False)


@pytest.mark.parametrize("disk", ["gen1-vm_OsDisk_1", "data"])
def test_a_vm_with_an_encrypted_disk_is_no_source(compute: ComputeEmulator, disk: str) -> None:
    compute.make("disks/data", {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4})
    entry = {"lun": 0, "name": "data", "createOption": "Attach", "managedDisk": {"id": resource("disks/data")}}
    vm = compute.store.get(resource("virtualMachines/gen1-vm"))
    assert vm is not None
    vm.doc["properties"]["storageProfile"]["dataDisks"] = [entry]
    compute.store.put(vm)
    change(compute, resource(f"disks/{disk}"), properties={"encryptionSettingsCollection": {"enabled": True}})
    source = {"sourceVirtualMachine": {"id": resource("virtualMachines/gen1-vm")}, "hyperVGeneration": "V1"}
    for path, asked in (("images/i", source), (PATH, version("virtualMachines/gen1-vm"))):
        status, code, message = compute.refused(path, asked)
        assert (status, code) == (409, "OperationNotAllowed")
        assert f"disk '{disk}' is encrypted" in message


def test_a_confidential_disk_that_is_encrypted_is_no_source(compute: ComputeEmulator) -> None:
    security = {"securityType": "ConfidentialVM_DiskEncryptedWithPlatformKey"}
    change(compute, resource("disks/gen1-vm_OsDisk_1"), properties={"securityProfile": security})
    assert compute.refused(PATH, version("virtualMachines/gen1-vm"))[:2] == (409, "OperationNotAllowed")


@pytest.mark.parametrize("sell", [buy, buy_disk])
@pytest.mark.parametrize("route", ROUTES)
def test_a_purchase_plan_must_be_given_again(
    compute: ComputeEmulator, route: Callable[[ComputeEmulator], str], sell: Callable[[ComputeEmulator], None]
) -> None:
    sell(compute)
    path = route(compute)
    found = what_it_is(compute, path)
    assert isinstance(found, ImageProblem)
    assert found.code == "VMMarketplaceInvalidInput"


def test_a_definition_carries_a_purchase_plan(compute: ComputeEmulator) -> None:
    buy(compute)
    plan = {"purchasePlan": {"name": "n", "product": "p", "publisher": "p"}}
    compute.make("galleries/lab/images/bought", definition("bought", generation="V1") | plan)
    compute.snapshot("os", "gen1-vm_OsDisk_1")
    compute.version(of="bought")
    assert isinstance(what_it_is(compute, PATH.replace("first", "bought")), BootableImage)


def test_data_disks_have_no_operating_system(compute: ComputeEmulator) -> None:
    compute.make("disks/data", {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4})
    compute.snapshot("os", "gen1-vm_OsDisk_1")
    compute.snapshot("data", "data")
    compute.make(PATH, version(data={0: "snapshots/data"}))
    found = what_it_is(compute, PATH)
    assert isinstance(found, BootableImage)
    assert (found.usable_by_batch, found.data_disks) == (True, ((0, 4),))


def test_a_confidential_disk_has_its_kind_and_needs_a_confidential_definition(
    compute: ComputeEmulator,
) -> None:
    security = {"securityType": "ConfidentialVM_DiskEncryptedWithPlatformKey"}
    change(compute, resource("disks/win-vm_OsDisk_1"), properties={"securityProfile": security})
    compute.snapshot("os", "win-vm_OsDisk_1")
    for name, response in (("TrustedLaunch", 400), ("ConfidentialVM", 201)):
        kind = definition(name, security=name) | {"osType": "Windows"}
        compute.make(f"galleries/lab/images/{name}", kind)
        asked = {"location": "eastus", "properties": version()}
        assert compute.ask("PUT", f"galleries/lab/images/{name}/versions/1.0.0", asked).status == response


def test_a_system_that_restarts_has_to_be_deprovisioned_again(compute: ComputeEmulator) -> None:
    vm = "virtualMachines/desk-vm"
    script = {"commandId": "RunShellScript", "script": ["waagent -deprovision+user -force"]}
    disk = resource("disks/desk-vm_OsDisk_1")
    for verb, body, deprovisioned in (("runCommand", script, True), ("restart", None, False)):
        assert compute.ask("POST", f"{vm}/{verb}", body).status == 202
        compute.clock.advance(LONG_S)
        state = guest_state(compute.store, compute.store.get(disk), compute.clock.now())
        assert state.deprovisioned is deprovisioned


@pytest.mark.parametrize("verb", ["restart", "runCommand"])
def test_what_does_not_run_cannot_be_worked_in(compute: ComputeEmulator, verb: str) -> None:
    body = {"commandId": "RunShellScript", "script": ["true"]} if verb == "runCommand" else None
    response = compute.ask("POST", f"virtualMachines/gen1-vm/{verb}", body)
    assert (response.status, response.code) == (409, "OperationNotAllowed")
    assert response.message == "The operation requires the VM to be running (or set to run)."
