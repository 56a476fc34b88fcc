"""Facts that no document shows, from a disk to everything that is created from it.

Batch needs an operating system that is generalized, without Azure extensions, on a disk that is not encrypted, and
without a purchase plan unless the image definition has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.compute.guest.system import CONTENT, facts_at, guest_state
from batchimg_magics.emulator.compute.model.guest_contents import list_of_disk
from batchimg_magics.emulator.compute.model.vm_extensions import extensions_of
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item, Store

evidence = Evidence("Encrypted VMs")
evidence.rule(
    "A VM with an encrypted disk is refused as the source of an image with 409, in the emulator's own words.",
    "Microsoft documents that it is no source; no recording shows the refusal",
)
VIRTUAL_MACHINES = "microsoft.compute/virtualmachines"
#: The hidden facts of a resource that its copies have as well.
_INHERITED = ("deprovisioned", "guest", "extensions", "encrypted", "plan")


def system_facts(store: Store, now: float, origin: Item) -> dict[str, Any]:
    """Return the facts about the operating system on a disk, a snapshot, an image, a version or a VM, for its copies.

    ``deprovisioned`` and ``guest`` are present if they are known; ``extensions``, ``encrypted`` and ``plan`` if they
    are true.
    """
    if origin.kind == VIRTUAL_MACHINES:
        return _of_machine(store, now, origin)
    hidden = facts_at(origin, now)
    passed = {name: hidden[name] for name in _INHERITED if hidden.get(name) is not None}
    if "deprovisioned" in passed and (state := guest_state(store, origin, now)).homes is not None:
        known = passed.get("guest") or {}
        content = {name: known[name] for name in CONTENT if name in known}
        passed["guest"] = {"admin": state.admin, "homes": list(state.homes), "agent": state.agent, **content}
    properties = origin.doc["properties"]
    if "packages" not in (guest := passed.get("guest") or {}) and properties.get("osType"):
        passed["guest"] = guest | {"packages": {"base": list_of_disk(properties)}}
    if (properties.get("encryptionSettingsCollection") or {}).get("enabled"):
        passed["encrypted"] = True
    if properties.get("purchasePlan"):
        passed["plan"] = True
    owner = resources.find(store, now, str(origin.doc["managedBy"])) if origin.doc.get("managedBy") else None
    return passed | (_document_facts(store, now, owner) if owner is not None and properties.get("osType") else {})


def _of_machine(store: Store, now: float, machine: Item) -> dict[str, Any]:
    os_disk = (machine.doc["properties"].get("storageProfile") or {}).get("osDisk") or {}
    disk = store.get(str((os_disk.get("managedDisk") or {}).get("id", "")))
    if disk is None:  # on a blob, or imported without its disks: only Azure's state of the VM is known
        return {"deprovisioned": bool(machine.hidden.get("generalized"))} | _document_facts(store, now, machine)
    return system_facts(store, now, disk) | _document_facts(store, now, machine)


def _document_facts(store: Store, now: float, machine: Item) -> dict[str, Any]:
    """Return the facts in the document of a VM, and in its extensions, about its operating system."""
    kinds = [str(one.get("type", "")).lower() for one in machine.doc.get("resources") or []]
    extended = any(kind.endswith("/extensions") for kind in kinds) or bool(extensions_of(store, machine, now))
    return ({"extensions": True} if extended else {}) | ({"plan": True} if machine.doc.get("plan") else {})


def required_security_type(origin: Item) -> str:
    """Return the security type that a disk, a snapshot or a VM requires of its images, empty for none."""
    profile = origin.doc["properties"].get("securityProfile") or {}
    named = str(profile.get("securityType") or "")
    if named.startswith("ConfidentialVM"):  # the security type of disks has a suffix
        return "ConfidentialVM"
    return named if named != "Standard" else ""


def refuse_encrypted(store: Store, machine: Item) -> None:
    """Refuse to capture a VM with Azure Disk Encryption on any disk, or with a confidential disk that is encrypted.

    Source: Microsoft's pages on Azure Disk Encryption, on confidential VMs, and on sources of images.
    """
    storage = machine.doc["properties"].get("storageProfile") or {}
    disks = [one for one in (storage.get("osDisk"), *(storage.get("dataDisks") or [])) if one]
    for disk in disks:
        item = store.get(str((disk.get("managedDisk") or {}).get("id", "")))
        properties = item.doc["properties"] if item is not None else {}
        settings = properties.get("encryptionSettingsCollection") or disk.get("encryptionSettings") or {}
        security = str((properties.get("securityProfile") or {}).get("securityType") or "")
        if settings.get("enabled") or security.startswith("ConfidentialVM_DiskEncrypted"):
            message = (
                f"The operation 'Create Image' is not supported on the Virtual Machine '{machine.doc['name']}' because "
                f"its disk '{disk.get('name', '')}' is encrypted."
            )
            raise Refusal(409, "OperationNotAllowed", message)
