"""What an image id of a pool leads to at a moment: the system on it, or why no VM can be made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.compute.model import replication
from batchimg_magics.emulator.compute.model.galleries import VERSIONS, security_type
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item, Store


evidence = Evidence("Images of pools")
evidence.rule(
    "All nodes of a system with Azure extensions, or on an encrypted OS disk, become unusable.",
    "Microsoft says that Batch may fail to deploy them",
)
evidence.rule(
    "An image from outside, imported as a document, was deprovisioned if its document says Generalized.",
    "no document says what is really on a disk",
)


@dataclass(frozen=True, slots=True)
class BootableImage:
    """An image that VMs can be made of.

    Parameters
    ----------
    os_type, generation, architecture, security_type
        In Azure's words.
    deprovisioned
        Whether its system was.
    reports
        Whether nodes of it come up: its system was deprovisioned, has no Azure extensions, and is not encrypted.
    replicas
        In the region; None: it is a managed image.
    roots
        Keys of the image and of what it was made from: what counts as the same image.
    exact
        Of a gallery image, the version's name.
    os_disk_gib
        Size of the OS disk, 0 when nothing says.
    data_disks
        LUN and size in GiB of the data disks that every VM of it gets.
    controllers
        Disk controllers that its system boots from: SCSI alone, unless the definition says more.
    """

    os_type: str
    generation: str
    architecture: str
    security_type: str
    deprovisioned: bool
    usable_by_batch: bool
    replicas: int | None
    source_keys: frozenset[str]
    exact_version: str = ""
    os_disk_gib: int = 0
    data_disks: tuple[tuple[int, int], ...] = ()
    controllers: frozenset[str] = frozenset({"scsi"})


@dataclass(frozen=True, slots=True)
class ImageProblem:
    """Why no VM can be made of it, as Compute says it."""

    code: str
    message: str


#: Of an image that comes from one with a purchase plan and carries none. Source: Compute's own wording.
_PLAN_MISSING = ImageProblem(
    "VMMarketplaceInvalidInput",
    "Creating a virtual machine from Marketplace image or a custom image sourced from a Marketplace image requires "
    "Plan information in the request.",
)


def resolve_image(store: Store, now: float, image_id: str, region: str) -> BootableImage | ImageProblem:
    """Find out what an image id leads to.

    Parameters
    ----------
    world, now
        Where and when.
    image_id
        Of a gallery image version, of a definition (its latest version), or of a managed image.
    region
        The pool's.
    """
    if "/galleries/" not in image_id.lower():
        return _managed(store, now, image_id, region)
    definition_id, _, number = image_id.partition("/versions/")
    newest = number in ("", "latest")
    version = _latest(store, now, definition_id, region) if newest else resources.find(store, now, image_id)
    if version is None:
        return _missing(image_id)
    definition = resources.find(store, now, version.key.partition("/versions/")[0])
    if definition is None:
        return _missing(image_id)
    return _of_gallery(store, version, definition, now, region)


def _missing(image_id: str) -> ImageProblem:
    return ImageProblem("NotFound", f"The gallery image {image_id} is not available in the region, or was deleted.")


def _latest(store: Store, now: float, definition_id: str, region: str) -> Item | None:
    """Return the highest version that has a copy in the region and is not excluded from being the latest."""
    usable = [
        item
        for item in store.items(VERSIONS, definition_id)
        if resources.document_at(item, now) is not None
        and not _is_excluded_from_latest(item, region)
        and replication.usable_replicas(item, region, now)
    ]
    return max(usable, key=lambda item: [int(part) for part in item.doc["name"].split(".")], default=None)


def _is_excluded_from_latest(version: Item, region: str) -> bool:
    """Tell whether a version is excluded from being the latest: everywhere, or in the region."""
    profile = version.doc["properties"]["publishingProfile"]
    in_region = (
        one
        for one in profile.get("targetRegions") or []
        if regions.region_name(one["name"]) == regions.region_name(region)
    )
    return any(one.get("excludeFromLatest") for one in (profile, *in_region))


def _of_gallery(store: Store, version: Item, definition: Item, now: float, region: str) -> BootableImage | ImageProblem:
    replicas = replication.usable_replicas(version, region, now)
    if not replicas:
        message = f"The gallery image {version.doc['id']} is not available in {region} region."
        return ImageProblem("GalleryImageNotFound", message)
    roots = version.hidden.get("roots", [])
    if version.hidden.get("shallow") and (lost := _first_missing_source(store, now, roots)):
        return ImageProblem("NotFound", f"The source of the shallow gallery image version was deleted: {lost}.")
    kind = definition.doc["properties"]
    if kind.get("osState") == "Specialized":
        return ImageProblem("InvalidParameter", "Parameter 'osProfile' is not allowed: the image is specialized.")
    if version.hidden.get("plan") and not kind.get("purchasePlan"):
        return _PLAN_MISSING
    storage = version.doc["properties"].get("storageProfile") or {}
    return BootableImage(
        kind["osType"],
        kind.get("hyperVGeneration", "V1"),
        kind.get("architecture", "x64"),
        security_type(kind),
        deprovisioned := _generalized(version, kind),
        deprovisioned and _supported_by_batch(version),
        replicas,
        frozenset({version.key, *roots}),
        version.doc["name"],
        int((storage.get("osDiskImage") or {}).get("sizeInGB") or 0),
        tuple((int(one["lun"]), int(one.get("sizeInGB") or 0)) for one in storage.get("dataDiskImages") or []),
        _controllers(kind),
    )


def _controllers(kind: dict[str, Any]) -> frozenset[str]:
    """Return the disk controllers that a definition's features name, in lower case."""
    values = [str(one.get("value")) for one in kind.get("features") or [] if one.get("name") == "DiskControllerTypes"]
    return frozenset(word.strip().lower() for one in values for word in one.split(",")) or frozenset({"scsi"})


def _supported_by_batch(image: Item) -> bool:
    return not (image.hidden.get("extensions") or image.hidden.get("encrypted"))


def _first_missing_source(store: Store, now: float, roots: list[str]) -> str:
    """Return the first of an image's sources that is gone, empty when all are there."""
    return next((root for root in roots if resources.find(store, now, root) is None), "")


def _generalized(version: Item, definition: dict[str, Any]) -> bool:
    """Tell whether a version's system was deprovisioned; of one from outside, its definition's word is all there is."""
    known = version.hidden.get("deprovisioned")
    return definition.get("osState") == "Generalized" if known is None and not version.hidden else bool(known)


def _managed(store: Store, now: float, image_id: str, region: str) -> BootableImage | ImageProblem:
    image = resources.find(store, now, image_id)
    if image is None:
        return ImageProblem("NotFound", f"The image {image_id} was not found.")
    where = image.doc.get("location", region)
    if regions.region_name(where) != regions.region_name(region):
        return ImageProblem("InvalidParameter", f"The image {image_id} is in {where}, not in {region}.")
    roots = image.hidden.get("roots", [])
    if lost := _first_missing_source(store, now, roots):
        return ImageProblem("NotFound", f"The source of the image was deleted: {lost}.")
    properties = image.doc["properties"]
    storage = properties.get("storageProfile") or {}
    os_disk = storage.get("osDisk") or {}
    if image.hidden.get("plan"):
        return _PLAN_MISSING
    # Of an image from outside its owner's word is taken.
    deprovisioned = bool(image.hidden.get("deprovisioned", not image.hidden))
    return BootableImage(
        os_disk.get("osType", "Linux"),
        properties.get("hyperVGeneration") or "V1",
        "x64",
        "Standard",
        deprovisioned,
        deprovisioned and _supported_by_batch(image),
        None,
        frozenset({image.key, *roots}),
        os_disk_gib=int(os_disk.get("diskSizeGB") or 0),
        data_disks=tuple((int(one["lun"]), int(one.get("diskSizeGB") or 0)) for one in storage.get("dataDisks") or []),
    )
