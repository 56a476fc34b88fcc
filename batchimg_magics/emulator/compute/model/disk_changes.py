"""Changes of disks and snapshots: which properties may change, and when.

Source: the properties in the SDK's models of updates; azure-docs #34967, azure-cli #22166 (another source), Microsoft's
pages on changing the type of a disk, on expanding disks, and kubernetes #96706 (a disk of a running VM).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.compute.model.vm_view import owner_of, power_state
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

evidence = Evidence("Changes of disks and snapshots")
evidence.rule(
    "The operating system, generation, security type and zone of a disk or a snapshot cannot change, nor whether a "
    "snapshot is incremental; 400 with the text for another source.",
    "the models of updates do not have these properties, except for the operating system; only the refusal of another "
    "source is known",
)
evidence.rule(
    "The SKU of a disk cannot change to or from Ultra disks and Premium SSD v2, nor between LRS and ZRS.",
    "Microsoft's page says that such a change needs a snapshot; previews that allow it are left out",
)
evidence.rule(
    "The OS disk, and any disk of more than 4,095 GiB, of a running VM cannot be expanded; other data disks can.",
    "Microsoft's page on expanding without downtime; the exceptions for single VM sizes are left out",
)
_FIXED = ("osType", "hyperVGeneration")
_ONLINE_GIB = 4095


def check_change(call: Call, old: Item, asked: dict[str, Any], sku: str) -> None:
    """Refuse a change that is not allowed.

    Parameters
    ----------
    call, old
        The request, and the disk or snapshot.
    asked
        The properties in the body, without those of the service.
    sku
        The SKU that was asked for.
    """
    before = old.doc["properties"]
    for name in _FIXED:
        if name in asked and name in before and str(asked[name]).lower() != str(before[name]).lower():
            raise changed(old, name)
    security = (asked.get("securityProfile") or {}).get("securityType")
    if security and security != (before.get("securityProfile") or {}).get("securityType"):
        raise changed(old, "securityProfile.securityType")
    if "incremental" in asked and asked["incremental"] != bool(before.get("incremental")):
        raise changed(old, "incremental")
    zones = call.body.get("zones")
    if zones is not None and zones != (old.doc.get("zones") or []):
        raise changed(old, "zones")
    _check_sku(call, old, sku)
    _check_growth(call, old, asked)


def changed(old: Item, name: str) -> Refusal:
    """Return the refusal to change a property."""
    message = f"Changing property '{name}' is not allowed for existing disk '{old.doc['name']}'."
    return Refusal(400, "BadRequest", message, target=name)


def _check_sku(call: Call, old: Item, sku: str) -> None:
    was = str((old.doc.get("sku") or {}).get("name") or sku)
    if was == sku:
        return
    kinds, redundancy = {_kind(was), _kind(sku)}, {was.rpartition("_")[2], sku.rpartition("_")[2]}
    if len(kinds | {"usual"}) > 1 or len(redundancy) > 1:
        message = (
            f"Changing the SKU of '{old.doc['name']}' from '{was}' to '{sku}' is not supported. Make a snapshot, and a "
            "new disk of it."
        )
        raise Refusal(400, "BadRequest", message, target="sku")
    if owner := _running_owner(call, old):
        message = (
            f"Cannot change the SKU of disk {old.doc['name']} while it is attached to running VM {owner}. Please stop "
            "and deallocate your VM and retry the operation."
        )
        raise Refusal(409, "OperationNotAllowed", message)


def _kind(sku: str) -> str:
    return sku if sku.startswith(("UltraSSD", "PremiumV2")) else "usual"


def _check_growth(call: Call, old: Item, asked: dict[str, Any]) -> None:
    before, wanted = int(old.doc["properties"].get("diskSizeGB") or 0), int(asked.get("diskSizeGB") or 0)
    offline = bool(old.doc["properties"].get("osType")) or wanted > _ONLINE_GIB
    if wanted > before and offline and (owner := _running_owner(call, old)):
        message = (
            f"Cannot resize disk {old.doc['name']} while it is attached to running VM {owner}. Resizing a disk of an "
            "Azure Virtual Machine requires the virtual machine to be deallocated. Please stop your VM and retry the "
            "operation."
        )
        raise Refusal(409, "OperationNotAllowed", message)


def _running_owner(call: Call, disk: Item) -> str:
    """Return the id of the VM that holds a disk, unless it is deallocated."""
    owner = owner_of(call.store, disk, call.now)
    return "" if owner is None or power_state(owner, call.now) == "deallocated" else str(owner.doc["id"])
