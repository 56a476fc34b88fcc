"""The source of a new disk or snapshot: none, another one, an image, or a blob."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm import bodies, resource_types
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.arm.permissions import require_linked
from batchimg_magics.emulator.catalog import platform_images, regions
from batchimg_magics.emulator.catalog.disk_skus import ADJUSTABLE_SPEEDS, OS_DISK_GIB
from batchimg_magics.emulator.compute.model import bootable_images, disk_changes, lineage, references
from batchimg_magics.emulator.compute.model.bootable_images import ImageProblem
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

_SNAPSHOTS = "microsoft.compute/snapshots"
_DISKS = frozenset({"microsoft.compute/disks", _SNAPSHOTS})
#: The properties that a copy has from its source.
_INHERITED = (
    "osType",
    "hyperVGeneration",
    "supportsHibernation",
    "supportedCapabilities",
    "securityProfile",
    "purchasePlan",
    "encryptionSettingsCollection",
    "diskSizeGB",
)
evidence = Evidence("Copies of disks and snapshots")
_COPY_S_PER_GIB = evidence.assumed(
    1.0,
    "s",
    "for each GiB of a snapshot that is copied to another region, or in the background",
    "no recording shows such a copy",
)
evidence.rule(
    "The operating system in a blob is generalized, as its owner states.",
    "the emulator does not have the contents of blobs",
)


class DiskSource(msgspec.Struct):
    """The properties of a new disk that follow from its source.

    Parameters
    ----------
    properties
        Including its ``creationData``, with the members that Azure adds.
    hidden
        Facts that no document shows.
    state
        Its first disk state.
    """

    properties: dict[str, Any]
    hidden: dict[str, Any] = msgspec.field(default_factory=dict)
    state: str = "Unattached"


def find_disk_source(call: Call, creation: dict[str, Any], kind: str) -> DiskSource:
    """Return the source of a new disk, or refuse.

    Parameters
    ----------
    call, creation
        The request, and its ``creationData``.
    kind
        ``disk`` or ``snapshot``.
    """
    named = bodies.text(creation.get("createOption"), f"{kind}.creationData")
    option = next((one for one in _OPTIONS if one.lower() == named.lower()), None)
    if option is None:
        message = f"The value '{named}' of parameter 'creationData.createOption' is out of range."
        raise bodies.invalid("creationData.createOption", message)
    return _OPTIONS[option](call, creation | {"createOption": option})


def refuse_other_source(old: Item, creation: dict[str, Any]) -> None:
    """Refuse to change the source of a disk or a snapshot. Source: azure-docs #34967 quotes the text."""
    known = old.doc["properties"].get("creationData") or {}
    asked = dict(creation)
    if "/providers/" in str(asked.get("sourceUri") or "").lower() and "sourceUri" not in known:
        asked["sourceResourceId"] = asked.pop("sourceUri")
    for name in ("createOption", "sourceResourceId", "sourceUri", "storageAccountId"):
        if name in asked and str(asked[name]).lower() != str(known.get(name, "")).lower():
            raise disk_changes.changed(old, name)


def copy_percent(item: Item, now: float) -> float:
    """Return the completion percentage of a snapshot that is copied from another region, 100 if it is complete."""
    since, until = item.hidden.get("copied", (now, now))
    return 100.0 if now >= until else round(100 * (now - since) / (until - since), 1)


def _without_source(_: Call, creation: dict[str, Any]) -> DiskSource:
    return DiskSource({"creationData": creation})


def _uploaded(_: Call, creation: dict[str, Any]) -> DiskSource:
    size = bodies.whole(creation.get("uploadSizeBytes"), "creationData.uploadSizeBytes", least=1)
    # A VHD ends with a footer of 512 bytes that is not part of the disk.
    return DiskSource({"creationData": creation, "diskSizeGB": max(1, (size - 512) // 1024**3)}, state="ReadyToUpload")


def _imported(_: Call, creation: dict[str, Any]) -> DiskSource:
    address = bodies.text(creation.get("sourceUri"), "creationData.sourceUri")
    bodies.text(creation.get("storageAccountId"), "creationData.storageAccountId")
    if not address.lower().startswith(("https://", "http://")):
        raise bodies.invalid("creationData.sourceUri", f"The value '{address}' is not the address of a blob.")
    return DiskSource({"creationData": creation, "diskSizeGB": OS_DISK_GIB["Linux"]}, {"deprovisioned": True})


def _copied(call: Call, creation: dict[str, Any]) -> DiskSource:
    source = _source(call, creation)
    if regions.region_name(source.doc["location"]) != regions.region_name(call.body["location"]):
        # A region has its own disks only; CopyStart can read those of another one.
        raise Refusal(404, "NotFound", f"Resource {source.doc['name']} is not found.")
    origin = _of_disk(call, creation, source)
    sku = str((source.doc.get("sku") or {}).get("name"))
    if sku in ADJUSTABLE_SPEEDS:
        _copied_in_background(call, origin, source, sku)
    return origin


def _copied_in_background(call: Call, origin: DiskSource, source: Item, sku: str) -> None:
    """Check a snapshot of a disk that is copied in the background, and begin the copy.

    Source: "Create an incremental snapshot for managed disks"; the text of the refusal is assumed.
    """
    if not call.body["properties"].get("incremental"):
        message = f"Only incremental snapshots can be made of the disk '{source.doc['name']}', whose SKU is '{sku}'."
        raise Refusal(400, "BadRequest", message)
    sector = (source.doc["properties"].get("creationData") or {}).get("logicalSectorSize", 4096)
    origin.properties["creationData"]["logicalSectorSize"] = sector
    origin.hidden["copied"] = [call.now, call.now + _COPY_S_PER_GIB * int(source.doc["properties"]["diskSizeGB"])]


def _copy_started(call: Call, creation: dict[str, Any]) -> DiskSource:
    source = _source(call, creation)
    if source.kind != _SNAPSHOTS:
        # Recorded: nothing else is checked.
        raise Refusal(404, "NotFound", f"Resource {source.doc['name']} is not found.")
    if not (source.doc["properties"].get("incremental") and call.body["properties"].get("incremental")):
        message = "CopyStart is supported only from an incremental snapshot to an incremental snapshot."
        raise bodies.invalid("creationData.createOption", message)
    origin = _of_disk(call, creation, source)
    if regions.region_name(source.doc["location"]) != regions.region_name(call.body["location"]):
        seconds = _COPY_S_PER_GIB * float(source.doc["properties"].get("diskSizeGB") or 0)
    else:
        seconds = 0.0
    origin.hidden["copied"] = [call.now, call.now + seconds]
    return origin


def _source(call: Call, creation: dict[str, Any]) -> Item:
    uri = str(creation.get("sourceUri") or "")
    if "sourceResourceId" not in creation and "/providers/" in uri.lower():
        # Recorded: the finished resource has sourceResourceId in its place.
        creation["sourceResourceId"] = creation.pop("sourceUri")
    key = bodies.text(creation.get("sourceResourceId"), "creationData.sourceResourceId")
    references.need_linked_subscription(call, key)
    source = resource_types.need_source(call, key, "creationData.sourceResourceId")
    if source.kind not in _DISKS:
        message = f"The source '{key}' has to be a disk or a snapshot."
        raise bodies.invalid("creationData.sourceResourceId", message)
    require_linked(call, (str(source.doc["id"]), f"{source.doc['type']}/beginGetAccess/action"))
    resource_types.refuse_during_operation(call, source)
    return source


def _of_disk(call: Call, creation: dict[str, Any], source: Item) -> DiskSource:
    known = source.doc["properties"]
    properties = {name: known[name] for name in _INHERITED if name in known}
    if "uniqueId" in known:
        creation["sourceUniqueId"] = known["uniqueId"]
    return DiskSource(properties | {"creationData": creation}, lineage.system_facts(call.store, call.now, source))


def _of_image(call: Call, creation: dict[str, Any]) -> DiskSource:
    own = bodies.part(creation.get("galleryImageReference"), "creationData.galleryImageReference")
    reference = own or bodies.part(creation.get("imageReference"), "creationData.imageReference")
    key = bodies.text(reference.get("id"), "creationData.imageReference.id")
    lun = reference.get("lun")
    if "/galleries/" in key.lower():
        return _of_gallery(call, creation, key, lun)
    named = _marketplace(key)
    if not named["publisher"]:
        raise bodies.invalid("creationData.imageReference.id", f"The value '{key}' is not the id of a platform image.")
    image = platform_images.find_image(named["publisher"], named["offer"], named["sku"])
    if image is not None and (named["version"] in image.versions or is_open(call.store)):
        known, gib = image.disk_facts(), image.disk_gib
    elif is_open(call.store):
        os_type = "Windows" if "windows" in named["publisher"].lower() else "Linux"
        known, gib = {"osType": os_type, "hyperVGeneration": "V1"}, OS_DISK_GIB[os_type]
    else:
        message = f"The platform image '{key}' is not available."
        raise Refusal(404, "PlatformImageNotFound", message, target="imageReference")
    return DiskSource(known | {"creationData": creation, "diskSizeGB": gib}, {"deprovisioned": True})


def _of_gallery(call: Call, creation: dict[str, Any], key: str, lun: object) -> DiskSource:
    image = bootable_images.resolve_version(call.store, call.now, key, str(call.body["location"]))
    if isinstance(image, ImageProblem):
        raise Refusal(404, image.code, image.message)
    if lun is not None:
        sizes = dict(image.data_disks)
        number = bodies.whole(lun, "galleryImageReference.lun")
        if number not in sizes:
            raise bodies.invalid("galleryImageReference.lun", f"The image has no data disk at LUN {number}.")
        return DiskSource({"creationData": creation, "diskSizeGB": sizes[number] or 1})
    capabilities = {"supportedCapabilities": {"architecture": image.architecture}}
    properties = {"osType": image.os_type, "hyperVGeneration": image.generation} | capabilities
    if image.security_type == "TrustedLaunch":
        properties["securityProfile"] = {"securityType": "TrustedLaunch"}
    size = image.os_disk_gib or OS_DISK_GIB[image.os_type]
    homes = {} if image.homes is None else {"homes": sorted(image.homes)}
    known = {"guest": homes | image.content} if homes or image.content else {}
    return DiskSource(
        properties | {"creationData": creation, "diskSizeGB": size}, {"deprovisioned": image.deprovisioned} | known
    )


def _marketplace(key: str) -> dict[str, str]:
    """Return publisher, offer, SKU and version from the id of a Marketplace image."""
    parts = key.strip("/").split("/")
    named = {word.lower(): name for word, name in itertools.pairwise(parts)}
    words = {"publisher": "publishers", "offer": "offers", "sku": "skus", "version": "versions"}
    return {name: named.get(word, "") for name, word in words.items()}


_OPTIONS: dict[str, Callable[[Call, dict[str, Any]], DiskSource]] = {
    "Attach": _without_source,
    "Copy": _copied,
    "CopyStart": _copy_started,
    "Empty": _without_source,
    "FromImage": _of_image,
    "Import": _imported,
    "ImportSecure": _imported,
    "Restore": _without_source,
    "Upload": _uploaded,
    "UploadPreparedSecure": _uploaded,
}
