"""What a new VM may be, beside its OS profile: its image, disks, network interfaces, placement and price.

Source: the texts of azure-mgmt-compute, Microsoft's pages on the features, and refusals that issue threads quote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies, resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.catalog.disk_skus import ADJUSTABLE_SPEEDS
from batchimg_magics.emulator.compute.model import references, vm_accounts
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.catalog.vm_sizes import VmSize
    from batchimg_magics.emulator.http.messages import Call

evidence = Evidence("Bodies of VMs")
evidence.rule(
    "Availability sets, placement groups, hosts, reservations and scale sets that a VM names do not exist.",
    "the emulator does not have these types; Azure refuses a reference to a missing one",
)
evidence.rule(
    "An eviction policy or a price of a VM that is not a spot VM is refused with 400 InvalidParameter.",
    "the SDK's text says for which VMs they are; no recording shows the refusal",
)
_PLACES = {
    "availabilitySet": "Microsoft.Compute/availabilitySets",
    "proximityPlacementGroup": "Microsoft.Compute/proximityPlacementGroups",
    "host": "Microsoft.Compute/hostGroups/hosts",
    "hostGroup": "Microsoft.Compute/hostGroups",
    "virtualMachineScaleSet": "Microsoft.Compute/virtualMachineScaleSets",
}
_LICENCES = {"Windows": ("Windows_Client", "Windows_Server"), "Linux": ("RHEL_", "SLES_", "UBUNTU")}


def check_new(call: Call, asked: dict[str, Any], size: VmSize | None) -> None:
    """Refuse the body of a new VM, before its operating system is known."""
    _check_places(call, asked)
    _check_price(asked)
    _check_image_reference(call, bodies.part(asked.get("storageProfile"), "storageProfile"))
    _check_disks(call, asked, size)
    _check_confidential(asked, size)
    _check_interfaces(asked, size)
    if user_data := asked.get("userData"):
        vm_accounts.check_encoded(user_data, "userData", "User data")
    identity = call.body.get("identity") or {}
    if "UserAssigned" in str(identity.get("type")) and not identity.get("userAssignedIdentities"):
        message = "The identity type 'UserAssigned' needs the ids of user assigned identities."
        raise bodies.invalid("identity.userAssignedIdentities", message)


def check_licence(asked: dict[str, Any], os_type: str) -> None:
    """Refuse a licence type that the operating system does not have."""
    licence = str(asked.get("licenseType") or "None")
    if licence != "None" and not licence.upper().startswith(tuple(word.upper() for word in _LICENCES[os_type])):
        message = f"The value '{licence}' of parameter 'licenseType' is invalid for {os_type}."
        raise bodies.invalid("licenseType", message)


# -- placement and price -----------------------------------------------------------------------------------------


def _check_places(call: Call, asked: dict[str, Any]) -> None:
    if asked.get("availabilitySet") and call.body.get("zones"):
        message = "A VM is either in an availability set, or in an availability zone."
        raise bodies.invalid("availabilitySet", message)
    for name, kind in _PLACES.items():
        if key := bodies.part(asked.get(name), name).get("id"):
            references.need(call, key, f"{name}.id", kind)
    reservation = bodies.part(asked.get("capacityReservation"), "capacityReservation")
    if key := bodies.part(reservation.get("capacityReservationGroup"), "capacityReservationGroup").get("id"):
        references.need(call, key, "capacityReservationGroup.id", "Microsoft.Compute/capacityReservationGroups")


def _check_price(asked: dict[str, Any]) -> None:
    regular = str(asked.get("priority") or "Regular") == "Regular"
    price = bodies.part(asked.get("billingProfile"), "billingProfile").get("maxPrice")
    for name, value in (("evictionPolicy", asked.get("evictionPolicy")), ("billingProfile.maxPrice", price)):
        if regular and value not in (None, -1):
            raise bodies.invalid(name, f"The parameter '{name}' is supported only for Azure Spot virtual machines.")
    if price is not None and price <= 0 and price != -1:
        raise bodies.invalid("billingProfile.maxPrice", "The maximum price has to be -1, or more than 0.")


# -- image and disks ---------------------------------------------------------------------------------------------


def _check_image_reference(call: Call, storage: dict[str, Any]) -> None:
    reference = bodies.part(storage.get("imageReference"), "imageReference")
    named = [word for word in ("publisher", "offer", "sku") if reference.get(word)]
    key = reference.get("id")
    if key and named:
        message = "The imageReference has either an id, or publisher, offer, sku and version."
        raise bodies.invalid("imageReference", message)
    if key:
        references.need_linked_subscription(call, key)
        try:
            kind = resources.type_of(str(key)).lower()
        except ValueError:
            kind = ""
        if not kind.startswith(("microsoft.compute/images", "microsoft.compute/galleries/images")):
            raise bodies.invalid(
                "imageReference.id", f"The value '{key}' of imageReference.id is not that of an image."
            )


def _check_disks(call: Call, asked: dict[str, Any], size: VmSize | None) -> None:
    storage = bodies.part(asked.get("storageProfile"), "storageProfile")
    controller = storage.get("diskControllerType")
    if size is not None and controller and controller not in size.controllers:
        message = f"The VM size '{size.name}' does not support the disk controller type '{controller}'."
        raise bodies.invalid("storageProfile.diskControllerType", message)
    system = bodies.part(storage.get("osDisk"), "osDisk")
    if _sku(system) in ADJUSTABLE_SPEEDS:
        raise bodies.invalid("osDisk.managedDisk.storageAccountType", "The OS disk of a VM cannot be of this type.")
    if system.get("createOption") == "Attach" and not system.get("osType"):
        raise bodies.missing("osDisk.osType")
    _check_ephemeral(system, size)
    references.need_linked_subscription(call, bodies.part(system.get("managedDisk"), "managedDisk").get("id"))
    check_data_disks(call, asked)


def check_data_disks(call: Call, asked: dict[str, Any]) -> None:
    """Refuse data disks that a VM cannot have, by their SKU, region or zone."""
    storage = bodies.part(asked.get("storageProfile"), "storageProfile")
    ultra = bodies.part(asked.get("additionalCapabilities"), "additionalCapabilities").get("ultraSSDEnabled")
    for disk in bodies.parts(storage.get("dataDisks"), "dataDisks"):
        if _sku(disk) == "UltraSSD_LRS" and not ultra:
            message = (
                "StorageAccountType 'UltraSSD_LRS' can be used only when additionalCapabilities.ultraSSDEnabled is set."
            )
            raise bodies.invalid("dataDisk.managedDisk.storageAccountType", message)
        _check_place(call, disk)


def _sku(disk: dict[str, Any]) -> str:
    return str((disk.get("managedDisk") or {}).get("storageAccountType") or "")


def _check_place(call: Call, disk: dict[str, Any]) -> None:
    """Refuse a data disk that is in another region or zone than its VM."""
    references.need_linked_subscription(call, (disk.get("managedDisk") or {}).get("id"))
    item = call.store.get(str((disk.get("managedDisk") or {}).get("id") or ""))
    if item is None or is_open(call.store):
        return
    here, there = regions.region_name(call.body["location"]), regions.region_name(item.doc["location"])
    if here != there:
        message = f"Disk '{item.doc['name']}' is in {there}, and cannot be attached to a VM in {here}."
        raise bodies.invalid("dataDisk.managedDisk.id", message)
    zone = item.doc.get("zones") or []
    if zone and zone != (call.body.get("zones") or []):
        message = (
            f"Disk '{item.doc['name']}' cannot be attached to the VM because it is in zone '{zone[0]}', and the VM is "
            "not in the same zone."
        )
        raise Refusal(400, "BadRequest", message)


def _check_ephemeral(system: dict[str, Any], size: VmSize | None) -> None:
    if not system.get("diffDiskSettings"):
        return
    if system.get("caching") != "ReadOnly":
        message = "The caching of an ephemeral OS disk has to be 'ReadOnly'."
        raise bodies.invalid("osDisk.caching", message)
    if system.get("createOption") != "FromImage" or system.get("deleteOption") == "Detach":
        message = "An ephemeral OS disk is made of an image, and is deleted with its VM."
        raise bodies.invalid("osDisk.diffDiskSettings", message)
    if size is not None and not (size.temp_gib or size.cache_gib):
        message = f"OS disk of Ephemeral VM is not supported for VM size {size.name}."
        raise Refusal(409, "NotSupported", message)


# -- security ----------------------------------------------------------------------------------------------------


def _check_confidential(asked: dict[str, Any], size: VmSize | None) -> None:
    storage = bodies.part(asked.get("storageProfile"), "storageProfile")
    security = bodies.part(asked.get("securityProfile"), "securityProfile")
    system = bodies.part(storage.get("osDisk"), "osDisk")
    managed = bodies.part(system.get("managedDisk"), "managedDisk")
    encryption = bodies.part(managed.get("securityProfile"), "managedDisk.securityProfile").get(
        "securityEncryptionType"
    )
    if security.get("securityType") != "ConfidentialVM":
        if encryption:
            message = "The parameter 'securityEncryptionType' is supported only for confidential VMs."
            raise bodies.invalid("osDisk.managedDisk.securityProfile.securityEncryptionType", message)
        return
    if size is not None and not size.confidential:
        message = f"The VM size '{size.name}' is not supported for creation of VMs with 'ConfidentialVM' security type."
        raise Refusal(400, "BadRequest", message)
    if not encryption:
        raise bodies.missing("osDisk.managedDisk.securityProfile.securityEncryptionType")
    if not bodies.part(security.get("uefiSettings"), "uefiSettings").get("vTpmEnabled"):
        message = "The property 'vTpmEnabled' of the uefiSettings has to be true for confidential VMs."
        raise bodies.invalid("securityProfile.uefiSettings.vTpmEnabled", message)


# -- network -----------------------------------------------------------------------------------------------------


def _check_interfaces(asked: dict[str, Any], size: VmSize | None) -> None:
    profile = bodies.part(asked.get("networkProfile"), "networkProfile")
    given = bodies.parts(profile.get("networkInterfaces"), "networkInterfaces")
    made = bodies.parts(profile.get("networkInterfaceConfigurations"), "networkInterfaceConfigurations")
    if given and made:
        message = "A VM has either networkInterfaces, or networkInterfaceConfigurations."
        raise bodies.invalid("networkProfile", message)
    if made and not profile.get("networkApiVersion"):
        raise bodies.missing("networkProfile.networkApiVersion")
    found = given or made
    primary = [one for one in found if bodies.part(one.get("properties"), "properties").get("primary")]
    if len(found) > 1 and len(primary) != 1:
        message = "A VM with several network interfaces must have one network interface set as the primary."
        raise bodies.invalid("networkProfile.networkInterfaces", message)
    if size is not None and len(found) > size.max_nics:
        message = (
            f"The number of network interfaces for the virtual machine exceeds the maximum allowed for the virtual "
            f"machine size {size.name}: {size.max_nics}."
        )
        raise Refusal(400, "NetworkInterfaceCountExceeded", message)
