"""The disks of a new VM: the operating system of its image or disk, and the managed disks that are created."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm import resource_types, resources
from batchimg_magics.emulator.arm.bodies import invalid, missing, part, parts, text, whole
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.catalog.disk_skus import DISK_SKUS, OS_DISK_GIB, disk_properties, sku_document
from batchimg_magics.emulator.catalog.package_lists import list_of_image
from batchimg_magics.emulator.catalog.platform_images import find_image, publisher_id, version_id
from batchimg_magics.emulator.compute.guest.system import DEPROVISIONED, provisioned, start_system
from batchimg_magics.emulator.compute.model import bootable_images, marketplace_terms
from batchimg_magics.emulator.http.messages import Call, Refusal
from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.catalog.vm_sizes import VmSize

DISKS = "Microsoft.Compute/disks"
_IMAGE_NAMES = ("publisher", "offer", "sku")


class OperatingSystem(msgspec.Struct, frozen=True):
    """The operating system of a VM.

    Parameters
    ----------
    os_type, generation, security, architecture
        In Azure's words.
    generalized
        Whether it has to be provisioned, so that the VM needs an OS profile.
    name
        Name and version, as the guest agent reports them.
    exact_version
        The version of the image that the requested one refers to; empty for none.
    os_disk_gib
        Size of the OS disk in the image.
    data_disks
        LUN and size of the data disks of the image.
    made_from
        The members of the OS disk's ``creationData`` that refer to the image.
    facts
        The hidden facts of the image.
    trusted_launch
        Whether its VMs can have the security type TrustedLaunch.
    """

    os_type: str
    generation: str
    security: str = "Standard"
    architecture: str = "x64"
    generalized: bool = True
    name: tuple[str, str] = ("ubuntu", "22.04")
    exact_version: str = ""
    os_disk_gib: int = 30
    data_disks: tuple[tuple[int, int], ...] = ()
    made_from: dict[str, Any] = msgspec.field(default_factory=dict)
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
    trusted_launch: bool = True
    disk_facts: dict[str, Any] = msgspec.field(default_factory=dict)


def storage_profile(
    call: Call, old: Item | None, asked: dict[str, Any], size: VmSize | None
) -> tuple[dict[str, Any], OperatingSystem]:
    """Return the storage profile of a VM, whose disks are created, and its operating system."""
    storage = part(asked.get("storageProfile"), "storageProfile")
    if old is not None:
        return _changed(call, old, storage, size)
    os_disk = part(storage.get("osDisk"), "storageProfile.osDisk")
    reference = part(storage.get("imageReference"), "storageProfile.imageReference")
    attached = str(os_disk.get("createOption") or "FromImage").lower() == "attach"
    system = _system_of_disk(call, os_disk) if attached else _system_of_image(call, reference)
    _refuse_incompatible(system, size, asked)
    profile: dict[str, Any] = {}
    if reference and not attached:
        profile["imageReference"] = reference | ({"exactVersion": system.exact_version} if system.exact_version else {})
    profile["osDisk"] = {"osType": system.os_type} | (
        _attach_os_disk(call, os_disk) if attached else _create_disk(call, os_disk, "OsDisk_1", system)
    )
    data = parts(storage.get("dataDisks"), "storageProfile.dataDisks")
    data += [{"lun": lun, "createOption": "FromImage", "diskSizeGB": gib} for lun, gib in _missing_luns(data, system)]
    profile["dataDisks"] = [_data_disk(call, disk, number) for number, disk in enumerate(data, 2)]
    _check_luns(profile["dataDisks"], size)
    return profile | {"diskControllerType": storage.get("diskControllerType") or _controller(size)}, system


def _changed(
    call: Call, old: Item, storage: dict[str, Any], size: VmSize | None
) -> tuple[dict[str, Any], OperatingSystem]:
    """Attach and detach data disks of a VM; its OS disk cannot change."""
    before = old.doc["properties"]["storageProfile"]
    data = parts(storage.get("dataDisks", before.get("dataDisks")), "storageProfile.dataDisks")
    known = {(one.get("managedDisk") or {}).get("id", "").lower() for one in before.get("dataDisks") or []}
    stay = [one for one in data if not one.get("toBeDetached")]
    ids = {str((one.get("managedDisk") or {}).get("id", "")).lower() for one in stay}
    for key in known - ids:
        _detach_disk(call, key)
    profile = before | {
        "dataDisks": [
            one if str((one.get("managedDisk") or {}).get("id", "")).lower() in known else _data_disk(call, one, number)
            for number, one in enumerate(stay, 2)
        ]
    }
    _check_luns(profile["dataDisks"], size)
    os_type = str(before.get("osDisk", {}).get("osType", "Linux"))
    return profile, OperatingSystem(os_type, "V1", generalized=False)


# -- the operating system ----------------------------------------------------------------------------------------


def _system_of_disk(call: Call, os_disk: dict[str, Any]) -> OperatingSystem:
    key = part(os_disk.get("managedDisk"), "osDisk.managedDisk").get("id")
    if not key:
        raise missing("osDisk.managedDisk.id")
    disk = resource_types.need_source(call, key, "osDisk.managedDisk.id")
    facts = disk.doc["properties"]
    os_type = os_disk.get("osType") or facts.get("osType")
    if not os_type:
        raise missing("osDisk.osType")
    security = str((facts.get("securityProfile") or {}).get("securityType", "Standard"))
    architecture = (facts.get("supportedCapabilities") or {}).get("architecture", "x64")
    generation = facts.get("hyperVGeneration", "V1")
    return OperatingSystem(str(os_type), generation, security, architecture, generalized=False)


def _system_of_image(call: Call, reference: dict[str, Any]) -> OperatingSystem:
    if image_id := reference.get("id"):
        return _system_of_custom_image(call, str(image_id))
    for word in _IMAGE_NAMES:
        text(reference.get(word), f"imageReference.{word}")
    version = str(reference.get("version") or "latest")
    image = find_image(*(str(reference[word]) for word in _IMAGE_NAMES))
    if image is None or (version != "latest" and version not in image.versions):
        if not is_open(call.store):
            raise _not_available(reference)
        return _assumed_system(call, reference, version)
    marketplace_terms.refuse_purchase(call, image)
    exact = image.latest if version == "latest" else version
    name = ("Windows Server", image.sku) if image.os == "Windows" else (image.offer.lower(), image.sku.lower())
    key = version_id(call.params["subscription"], regions.region_name(call.body["location"]), image, exact)
    return OperatingSystem(
        image.os,
        image.generation,
        "ConfidentialVM" if image.security == "ConfidentialVmSupported" else "Standard",
        image.architecture,
        name=name,
        exact_version=exact,
        os_disk_gib=image.disk_gib,
        facts=_listed(image.offer, image.sku, image.os),
        made_from={"imageReference": {"id": key}},
        trusted_launch="TrustedLaunch" in image.security,
        disk_facts=image.disk_facts(),
    )


def _listed(offer: str, sku: str, os_type: str) -> dict[str, Any]:
    """Return the hidden facts of a Marketplace image: its list of packages."""
    return {"guest": {"packages": {"base": list_of_image(offer, sku, os_type)}}}


def _not_available(reference: dict[str, Any]) -> Refusal:
    """Return Compute's own refusal of a Marketplace image that does not exist."""
    words = [str(reference.get(word) or "") for word in (*_IMAGE_NAMES, "version")]
    message = (
        f"The platform image '{':'.join(words[:3])}:{words[3] or 'latest'}' is not available. Verify that all fields "
        "in the storage profile are correct. For more details about storage profile information, please refer to "
        "https://aka.ms/storageprofile"
    )
    return Refusal(404, "PlatformImageNotFound", message, target="imageReference")


def _assumed_system(call: Call, reference: dict[str, Any], version: str) -> OperatingSystem:
    """Return the operating system of an image that the emulator does not know, in open mode."""
    windows = "windows" in str(reference["publisher"]).lower()
    os_type = "Windows" if windows else "Linux"
    sku = str(reference["sku"]).lower()
    generation = "V2" if "gen2" in sku or sku.endswith("-g2") else "V1"
    exact = "1.0.0" if version == "latest" else version
    name = ("Windows Server", sku) if windows else (str(reference["offer"]).lower(), sku)
    top = publisher_id(
        call.params["subscription"], regions.region_name(call.body["location"]), str(reference["publisher"])
    )
    key = f"{top}/ArtifactTypes/VMImage/Offers/{reference['offer']}/Skus/{reference['sku']}/Versions/{exact}"
    made_from = {"imageReference": {"id": key}}
    return OperatingSystem(
        os_type,
        generation,
        name=name,
        exact_version=exact,
        os_disk_gib=OS_DISK_GIB[os_type],
        facts=_listed(str(reference["offer"]), sku, os_type),
        made_from=made_from,
    )


def _system_of_custom_image(call: Call, image_id: str) -> OperatingSystem:
    location = call.body["location"]
    find = bootable_images.resolve_version if "/galleries/" in image_id.lower() else bootable_images.resolve_image
    source = find(call.store, call.now, image_id, location)
    if isinstance(source, bootable_images.ImageProblem):
        raise Refusal(404 if source.code in ("NotFound", "GalleryImageNotFound") else 400, source.code, source.message)
    return OperatingSystem(
        source.os_type,
        source.generation,
        source.security_type,
        source.architecture,
        generalized=not source.specialized,
        exact_version=source.exact_version,
        os_disk_gib=source.os_disk_gib or OS_DISK_GIB[source.os_type],
        data_disks=source.data_disks,
        facts={"guest": ({} if source.homes is None else {"homes": sorted(source.homes)}) | source.content},
        made_from={"galleryImageReference" if source.exact_version else "imageReference": {"id": image_id}},
    )


def _refuse_incompatible(system: OperatingSystem, size: VmSize | None, asked: dict[str, Any]) -> None:
    """Refuse a VM whose size or security type does not match its operating system."""
    security = str((asked.get("securityProfile") or {}).get("securityType", "Standard"))
    if system.security in ("TrustedLaunch", "ConfidentialVM") and security != system.security:
        message = f"The provided image only supports creation of VMs with '{system.security}' security type."
        raise Refusal(400, "BadRequest", message)
    if security == "TrustedLaunch" and not (system.trusted_launch and system.generation == "V2"):
        message = (
            "Use of TrustedLaunch setting is not supported for the provided image. Please select Trusted Launch "
            "Supported Gen2 OS Image. For more information, see https://aka.ms/TrustedLaunch-FAQ."
        )
        raise Refusal(400, "BadRequest", message)
    if size is None:
        return
    if system.generation not in size.generations:
        message = f"The selected VM size '{size.name}' cannot boot Hypervisor Generation '{system.generation[1:]}'."
        raise Refusal(400, "BadRequest", message)
    if system.architecture.lower() != size.architecture.lower():
        message = (
            f"Cannot create a VM of size '{size.name}' because this VM size only supports a CPU Architecture of "
            f"'{size.architecture}', but an image or disk with CPU Architecture '{system.architecture}' was given."
        )
        raise Refusal(400, "BadRequest", message)


# -- disks -------------------------------------------------------------------------------------------------------


def _missing_luns(data: list[dict[str, Any]], system: OperatingSystem) -> list[tuple[int, int]]:
    named = {int(one.get("lun", -1)) for one in data if str(one.get("lun", "")).isdigit()}
    return [(lun, gib) for lun, gib in system.data_disks if lun not in named]


def _check_luns(data: list[dict[str, Any]], size: VmSize | None) -> None:
    luns = [whole(one.get("lun"), "dataDisk.lun") for one in data]
    if len(set(luns)) < len(luns):
        raise invalid("dataDisk.lun", "Every data disk of a VM has to have its own LUN.")
    if size is not None and len(luns) > size.max_data_disks:
        message = (
            f"The maximum number of data disks allowed to be attached to a VM of size {size.name} is "
            f"{size.max_data_disks}."
        )
        raise Refusal(409, "OperationNotAllowed", message)


def _controller(size: VmSize | None) -> str:
    return "SCSI" if size is None or "SCSI" in size.controllers else size.controllers[0]


def _data_disk(call: Call, disk: dict[str, Any], number: int) -> dict[str, Any]:
    lun = {"lun": whole(disk.get("lun"), "dataDisk.lun")}
    attached = str(disk.get("createOption", "")).lower() == "attach" or (disk.get("managedDisk") or {}).get("id")
    shown = _attach_disk(call, disk) if attached else _create_disk(call, disk, f"disk{number}", None)
    return {**lun, **shown, "toBeDetached": False}


def _attach_disk(call: Call, disk: dict[str, Any]) -> dict[str, Any]:
    """Attach an existing disk."""
    key = part(disk.get("managedDisk"), "managedDisk").get("id")
    if not key:
        raise missing("managedDisk.id")
    item = resource_types.need_source(call, key, "managedDisk.id")
    vm = _vm_id(call)
    owner = item.doc.get("managedBy")
    if owner and owner.lower() != vm.lower() and resources.find(call.store, call.now, owner) is not None:
        message = f"Disk '{item.doc['id']}' cannot be attached as the disk is already owned by VM '{owner}'."
        raise Refusal(409, "ConflictingUserInput", message)
    item.doc["managedBy"] = vm
    call.store.put(item)
    return _disk_entry(disk, item, "Attach")


def _attach_os_disk(call: Call, disk: dict[str, Any]) -> dict[str, Any]:
    """Attach the OS disk; the operating system is provisioned at the start, and is no longer generalized."""
    row = _attach_disk(call, disk)
    item = call.store.get(row["managedDisk"]["id"])
    if item is not None and DEPROVISIONED in item.hidden:
        start_system(call.store, item, call.now)
    return row


def _create_disk(call: Call, disk: dict[str, Any], suffix: str, system: OperatingSystem | None) -> dict[str, Any]:
    """Create a managed disk for a VM; an operating system on it is provisioned at the start."""
    sku = part(disk.get("managedDisk"), "managedDisk").get("storageAccountType") or "Premium_LRS"
    if sku not in DISK_SKUS:
        raise invalid("managedDisk.storageAccountType", f"The value '{sku}' is not a disk SKU.")
    default = system.os_disk_gib if system else None
    gib = whole(disk.get("diskSizeGB") or default, "diskSizeGB", least=1)
    if system and gib < system.os_disk_gib:
        message = f"The specified disk size {gib} GB is smaller than the size of the disk in the image, {default} GB."
        raise invalid("osDisk.diskSizeGB", message)
    option = str(disk.get("createOption") or "FromImage")
    name = str(disk.get("name") or f"{call.params['name1']}_{suffix}_{call.store.new_token('disk')[:32]}")
    item = _disk_item(call, name, sku, gib, option, system)
    call.store.put(item)
    return _disk_entry(disk | {"name": name}, item, option)


def _disk_item(call: Call, name: str, sku: str, gib: int, option: str, system: OperatingSystem | None) -> Item:
    key = f"{_vm_id(call).partition('/providers/')[0]}/providers/{DISKS}/{name}"
    known: dict[str, Any] = {}
    if system is not None:
        known = {
            "osType": system.os_type,
            "hyperVGeneration": system.generation,
            "supportedCapabilities": {"acceleratedNetwork": True, "architecture": system.architecture},
            **system.disk_facts,
        }
        security = part(call.body["properties"].get("securityProfile"), "securityProfile").get("securityType")
        known |= {"securityProfile": {"securityType": security}} if security not in (None, "Standard") else {}
    properties = known | {
        "creationData": {"createOption": option, **(system.made_from if system is not None else {})},
        "diskSizeGB": gib,
        **disk_properties(sku, gib),
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "timeCreated": timestamp(call.now, zone="+00:00"),
        "provisioningState": "Succeeded",
        "diskState": "Attached",
        "uniqueId": call.store.new_guid("disk"),
    }
    document = {
        "name": name,
        "id": key,
        "type": DISKS,
        "location": call.body["location"],
        "managedBy": _vm_id(call),
        # Later changes of the tags of the VM do not reach them. Source: terraform-provider-azurerm #8162 and #2568.
        **({"tags": call.body["tags"]} if call.body.get("tags") else {}),
        "sku": sku_document(sku),
        "properties": properties,
    }
    profile = part(call.body["properties"].get("osProfile"), "osProfile")
    account = str(profile.get("adminUsername") or "")
    return Item(key.lower(), DISKS.lower(), document, provisioned(system.facts, account) if system else {})


def _disk_entry(disk: dict[str, Any], item: Item, option: str) -> dict[str, Any]:
    """Return how the document of a VM shows one of its disks."""
    managed = {"storageAccountType": item.doc["sku"]["name"]} if "sku" in item.doc else {}
    return {
        "name": item.doc["name"],
        "createOption": option,
        "caching": disk.get("caching", "ReadWrite" if "lun" not in disk else "None"),
        "managedDisk": part(disk.get("managedDisk"), "managedDisk") | managed | {"id": item.doc["id"]},
        "deleteOption": disk.get("deleteOption", "Detach"),
        "diskSizeGB": item.doc["properties"].get("diskSizeGB"),
    }


def _detach_disk(call: Call, key: str) -> None:
    item = call.store.get(key)
    if item is not None:
        item.doc.pop("managedBy", None)
        item.doc["properties"]["diskState"] = "Unattached"
        call.store.put(item)


def _vm_id(call: Call) -> str:
    return resources.resource_id(call, "Microsoft.Compute/virtualMachines")
