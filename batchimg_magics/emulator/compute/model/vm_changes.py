"""Changes of a VM: which properties cannot change.

Source: "Changing property '...' is not allowed" in issue threads: azure-powershell #7621, azure-sdk-for-net #37285
(osDisk.createOption), azure-docs #20344 (osDisk.osType), terraform-provider-azurerm #16323 (osDisk.name) and #3277
(zones), azure-sdk-for-node #2297 (customData), azure-sdk-for-net #3433 (computerName).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.compute.model import vm_rules
from batchimg_magics.emulator.compute.model.changes import first_difference, not_allowed, refuse_changes
from batchimg_magics.emulator.compute.model.vm_view import power_state
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

evidence = Evidence("Changes of VMs")
evidence.rule(
    "Of a generalized VM only the tags can change.",
    "a generalized VM cannot be started or changed; that tags can is assumed",
)
evidence.rule(
    "A deallocated VM of generation 2 can become a TrustedLaunch VM; no other change of the security type is allowed.",
    "Microsoft documents this change; previews of others are left out",
)
_OS_DISK = ("name", "createOption", "osType", "vhd", "image", "diffDiskSettings", "encryptionSettings")
_OS_PROFILE = ("computerName", "adminUsername")
_FIXED = ("availabilitySet", "virtualMachineScaleSet", "priority", "evictionPolicy", "plan")
_IMAGE = ("id", "publisher", "offer", "sku", "version", "sharedGalleryImageId", "communityGalleryImageId")


def check_change(call: Call, old: Item) -> None:
    """Refuse a change that is not allowed; the body is whole."""
    asked, before = call.body["properties"], old.doc["properties"]
    refuse_changes(asked, before, _FIXED)
    refuse_changes({"zones": call.body.get("zones")}, {"zones": old.doc.get("zones")}, ("zones",))
    storage, known = asked.get("storageProfile") or {}, before.get("storageProfile") or {}
    refuse_changes(storage.get("imageReference") or {}, known.get("imageReference") or {}, _IMAGE, "imageReference.")
    _check_os_disk(storage.get("osDisk") or {}, known.get("osDisk") or {})
    if first_difference(storage.get("dataDisks"), known.get("dataDisks")) is not None:
        vm_rules.check_data_disks(call, asked)
    profile = asked.get("osProfile") or {}
    refuse_changes(profile, before.get("osProfile") or {}, _OS_PROFILE)
    if "customData" in profile and profile["customData"] != old.hidden.get("custom_data"):
        raise not_allowed("customData")
    _check_security(call, old, asked)
    if old.hidden.get("generalized") and _is_changed(asked, before):
        message = f"Operation 'Update VM' is not allowed on VM '{old.doc['name']}' since the VM is generalized."
        raise Refusal(409, "OperationNotAllowed", message)


def _is_changed(asked: dict[str, Any], before: dict[str, Any]) -> bool:
    secrets = {"osProfile", "instanceView", "provisioningState"}
    return first_difference({name: one for name, one in asked.items() if name not in secrets}, before) is not None


def _check_os_disk(asked: dict[str, Any], before: dict[str, Any]) -> None:
    refuse_changes(asked, before, _OS_DISK, "osDisk.")
    managed, known = asked.get("managedDisk") or {}, before.get("managedDisk") or {}
    if "storageAccountType" in known:
        refuse_changes(managed, known, ("storageAccountType",), "osDisk.managedDisk.")
    if managed.get("id") and str(managed["id"]).lower() != str(known.get("id", "")).lower():
        raise Refusal(501, "NotImplemented", "The emulator does not swap the OS disk of a VM.")


def _check_security(call: Call, old: Item, asked: dict[str, Any]) -> None:
    was = str((old.doc["properties"].get("securityProfile") or {}).get("securityType") or "Standard")
    wanted = str((asked.get("securityProfile") or {}).get("securityType") or was)
    if wanted == was:
        return
    if (was, wanted) != ("Standard", "TrustedLaunch"):
        raise not_allowed("securityProfile.securityType")
    if power_state(old, call.now) != "deallocated":
        message = f"The security type of VM '{old.doc['name']}' can be changed only when the VM is deallocated."
        raise Refusal(409, "OperationNotAllowed", message)
