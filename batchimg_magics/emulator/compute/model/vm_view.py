"""The state of a VM at a time: its power state, document, and instance view, and the state of its disks."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.compute.guest.queries import AGENT_VERSION
from batchimg_magics.emulator.compute.guest.system import guest_state
from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.world.chance import NEVER

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item, Store

_ZONE = "+00:00"
#: The status of an agent that does not report. Source: Microsoft's "Troubleshoot the Azure VM agent".
_NOT_READY = {
    "code": "ProvisioningState/Unavailable",
    "level": "Warning",
    "displayStatus": "Not Ready",
    "message": "VM status blob is found but not yet populated.",
}
_GENERALIZED = {"code": "OSState/generalized", "level": "Info", "displayStatus": "VM generalized"}


def power_state(vm: Item, now: float) -> str:
    """Return the power state of a VM at a time, e.g. ``running``, ``deallocating`` or ``deallocated``."""
    change = vm.hidden.get("change")
    if change is None:
        state = str(vm.hidden.get("power", "running"))
    else:
        state = str(change["during"] if now < change["end"] else change["after"])
    return "stopped" if state == "running" and now >= vm.hidden.get("stops_at", NEVER) else state


def started_at(vm: Item) -> float:
    """Return when the operating system of a running VM started."""
    return float(vm.hidden.get("booted", vm.hidden.get("since", 0.0)))


def disks_of(vm: Item) -> list[dict[str, Any]]:
    """Return the disks in the document of a VM, the OS disk first."""
    storage = vm.doc["properties"].get("storageProfile") or {}
    return [one for one in (storage.get("osDisk"), *(storage.get("dataDisks") or [])) if one]


def disk_key(disk: dict[str, Any]) -> str:
    """Return the id of the managed disk of one of a VM's disks, empty without one."""
    return str((disk.get("managedDisk") or {}).get("id", ""))


def vm_document(vm: Item, now: float) -> dict[str, Any]:
    """Return the document of a VM at a time; a deallocated one has no sizes of its managed disks (recorded)."""
    document = copy.deepcopy(resources.document_at(vm, now) or vm.doc)
    if power_state(vm, now) == "deallocated":
        storage = document["properties"].get("storageProfile") or {}
        for disk in (storage.get("osDisk") or {}, *(storage.get("dataDisks") or [])):
            if "managedDisk" in disk:
                disk.pop("diskSizeGB", None)
                disk["managedDisk"] = {"id": disk["managedDisk"].get("id")}
    return document | {"etag": etag(vm)}


def etag(vm: Item) -> str:
    """Return the ETag: Azure counts the revisions of a VM."""
    return f'"{vm.hidden.get("revision", 1)}"'


def instance_view(store: Store, vm: Item, now: float) -> dict[str, Any]:
    """Return the instance view of a VM at a time; only a running VM reports its operating system."""
    imported = vm.hidden.get("instance_view")
    if imported and "change" not in vm.hidden and now < vm.hidden.get("stops_at", NEVER):
        return _with_generalized_status(imported, generalized=bool(vm.hidden.get("generalized")))
    state = power_state(vm, now)
    done = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "time": timestamp(_changed_at(vm, now), zone=_ZONE),
    }
    power_status = {"code": f"PowerState/{state}", "level": "Info", "displayStatus": f"VM {state}"}
    mark = [_GENERALIZED] if vm.hidden.get("generalized") else []
    view: dict[str, Any] = _guest_agent_view(store, vm, now) if state == "running" else {}
    view["disks"] = [{"name": disk.get("name", ""), "statuses": [done]} for disk in disks_of(vm)]
    view["hyperVGeneration"] = (imported or {}).get("hyperVGeneration") or _generation(store, vm)
    return view | {"statuses": [done, *mark, power_status]}


def _changed_at(vm: Item, now: float) -> float:
    """Return the time of the last change of a VM's power state."""
    since, stopped = float(vm.hidden.get("since", now)), float(vm.hidden.get("stops_at", NEVER))
    return max(since, stopped) if stopped <= now else since


def _guest_agent_view(store: Store, vm: Item, now: float) -> dict[str, Any]:
    """Return what the guest agent of a running VM reports, or that it does not."""
    disk = store.get(disk_key(disks_of(vm)[0])) if disks_of(vm) else None
    if not guest_state(store, disk, now).agent:
        status = _NOT_READY | {"time": timestamp(now, 0, zone=_ZONE)}
        return {"vmAgent": {"vmAgentVersion": "Unknown", "statuses": [status]}}
    name, version = vm.hidden.get("system") or ("ubuntu", "22.04")
    ready = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Ready",
        "message": "Guest Agent is running",
        "time": timestamp(now, 0, zone=_ZONE),
    }
    computer = (vm.doc["properties"].get("osProfile") or {}).get("computerName", vm.doc["name"])
    agent = {"vmAgentVersion": AGENT_VERSION, "statuses": [ready], "extensionHandlers": []}
    return {"computerName": computer, "osName": name, "osVersion": version, "vmAgent": agent}


def _with_generalized_status(view: dict[str, Any], *, generalized: bool) -> dict[str, Any]:
    """Return the imported instance view of a VM, with the generalized status if it was marked later."""
    statuses = view.get("statuses") or []
    marked = any(one.get("code") == _GENERALIZED["code"] for one in statuses)
    return view | {"statuses": [*statuses, _GENERALIZED]} if generalized and not marked else view


def _generation(store: Store, vm: Item) -> str:
    """Return the generation of a VM, which is that of its OS disk."""
    disk = store.get(disk_key(disks_of(vm)[0])) if disks_of(vm) else None
    return "V1" if disk is None else str(disk.doc["properties"].get("hyperVGeneration", "V1"))


def owner_of(store: Store, disk: Item, now: float) -> Item | None:
    """Return the VM to which a disk is attached at a time, or None; disks of a deleted VM are detached."""
    owner = disk.doc.get("managedBy")
    return None if owner is None else resources.find(store, now, str(owner))


def disk_document(store: Store, disk: Item, now: float) -> dict[str, Any]:
    """Return the document of a disk at a time; its VM determines whether it is attached."""
    document = resources.document_at(disk, now) or disk.doc
    if "managedBy" not in disk.doc:
        return document
    owner = store.get(str(disk.doc["managedBy"]))
    if owner is None:  # imported without its VM: only its document is known
        return document
    if resources.document_at(owner, now) is None:
        free = {name: part for name, part in document.items() if name != "managedBy"}
        return free | {"properties": document["properties"] | {"diskState": "Unattached"}}
    state = "Reserved" if power_state(owner, now) == "deallocated" else "Attached"
    # For an imported VM, the document of the disk decides.
    past = [moment for moment in owner.hidden.get("held", []) if moment <= now]
    changed = {"LastOwnershipUpdateTime": timestamp(max(past), zone=_ZONE)} if past else {}
    return document | {"properties": document["properties"] | {"diskState": state} | changed}
