"""Which sizes a VM can be resized to.

Source: Microsoft's "Change the size of a virtual machine" and its page on sizes without a local temporary disk; the
texts of the refusals as Azure's users quote them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.catalog.vm_sizes import find_size
from batchimg_magics.emulator.compute.model.vm_view import disk_key, disks_of, power_state
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.catalog.vm_sizes import VmSize
    from batchimg_magics.emulator.world.store import Item, Store

evidence = Evidence("Resizing of VMs")
evidence.rule(
    "A VM that is not deallocated is on hardware that has the sizes of its own family only.",
    "Azure's clusters have several families, but no document says which; a deallocated VM can get every size",
)


def refuse(store: Store, vm: Item, size: VmSize, now: float) -> None:
    """Refuse to resize a VM to a size that does not fit it, or that its hardware does not have."""
    if (refusal := problem(store, vm, size, now)) is not None:
        raise refusal


def problem(store: Store, vm: Item, size: VmSize, now: float) -> Refusal | None:
    """Return why a VM cannot be resized to a size, None if it can.

    Parameters
    ----------
    store, now
        The emulator state, and the simulated time.
    vm, size
        The VM and its new size.
    """
    name = vm.doc["name"]
    before = find_size(str(vm.doc["properties"].get("hardwareProfile", {}).get("vmSize", "")))
    if before is None or before.name == size.name:
        return None
    if (found := _misfit(store, vm, size)) is not None:
        return found
    if bool(before.temp_gib) != bool(size.temp_gib):
        message = (
            f"Unable to resize the VM '{name}' because changing from resource disk to non-resource disk VM size and "
            "vice-versa is not allowed. Please refer to https://aka.ms/AAah4sj for more details."
        )
        return Refusal(409, "OperationNotAllowed", message)
    if before.family != size.family and power_state(vm, now) != "deallocated":
        message = (
            f"Unable to resize the VM '{name}' since the requested size {size.name} is not available in the current "
            f"hardware cluster. The available sizes in this cluster are those of {before.family}. Find out more on the "
            "available VM sizes at https://aka.ms/azure-resizevm."
        )
        return Refusal(409, "OperationNotAllowed", message)
    return None


def _misfit(store: Store, vm: Item, size: VmSize) -> Refusal | None:
    """Return why a size cannot run the disks and network interfaces of a VM."""
    properties = vm.doc["properties"]
    disk = store.get(disk_key(disks_of(vm)[0])) if disks_of(vm) else None
    facts = disk.doc["properties"] if disk is not None else {}
    generation = str(facts.get("hyperVGeneration") or "V1")
    if disk is not None and generation not in size.generations:
        message = f"The selected VM size '{size.name}' cannot boot Hypervisor Generation '{generation[1:]}'."
        return Refusal(400, "BadRequest", message)
    architecture = str((facts.get("supportedCapabilities") or {}).get("architecture", "x64"))
    if architecture.lower() != size.architecture.lower():
        message = (
            f"Cannot resize the VM '{vm.doc['name']}' to size '{size.name}' because this VM size only supports a CPU "
            f"Architecture of '{size.architecture}', but the OS disk has the CPU Architecture '{architecture}'."
        )
        return Refusal(400, "BadRequest", message)
    controller = str((properties.get("storageProfile") or {}).get("diskControllerType") or "SCSI")
    if controller not in size.controllers:
        message = (
            f"The VM size '{size.name}' cannot boot with OS image or disk. Please check that disk controller types "
            f"supported by the OS image or disk is one of the supported disk controller types for the VM size: the VM "
            f"has '{controller}'."
        )
        return Refusal(400, "InvalidParameter", message)
    interfaces = len((properties.get("networkProfile") or {}).get("networkInterfaces") or [])
    if interfaces > size.max_nics:
        message = (
            f"The number of network interfaces for virtual machine {vm.doc['name']} exceeds the maximum allowed for "
            f"the virtual machine size {size.name}. The number of network interfaces is {interfaces} and the maximum "
            f"allowed is {size.max_nics}."
        )
        return Refusal(400, "NetworkInterfaceCountExceeded", message)
    data = len((properties.get("storageProfile") or {}).get("dataDisks") or [])
    if data > size.max_data_disks:
        message = (
            f"The maximum number of data disks allowed to be attached to a VM of size {size.name} is "
            f"{size.max_data_disks}."
        )
        return Refusal(409, "OperationNotAllowed", message)
    return None
