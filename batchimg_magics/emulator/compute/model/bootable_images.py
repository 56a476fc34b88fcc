"""The image that an image id of a pool refers to at a time, or the reason why no VM can be created from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.compute.guest.system import CONTENT
from batchimg_magics.emulator.compute.model import replication
from batchimg_magics.emulator.compute.model.galleries import VERSIONS, security_type
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item, Store


evidence = Evidence("Images of pools")
evidence.rule(
    "All nodes of an image with Azure extensions, or with an encrypted OS disk, become unusable.",
    "Microsoft says that Batch may fail to deploy them",
)
evidence.rule(
    "An imported image is generalized if its document says so.",
    "no document shows the contents of a disk",
)


class BootableImage(msgspec.Struct, frozen=True):
    """An image that VMs can be created from.

    Parameters
    ----------
    os_type, generation, architecture, security_type
        In Azure's words.
    deprovisioned
        Whether its operating system is generalized.
    usable_by_batch
        Whether its nodes become idle: it is generalized, has no Azure extensions, and is not encrypted.
    replicas
        In the region; None: it is a managed image.
    source_keys
        Keys of the image and of its sources: images with a common one count as the same image.
    exact_version
        Name of the gallery image version.
    os_disk_gib
        Size of the OS disk, 0 if it is not known.
    data_disks
        LUN and size in GiB of the data disks of every VM.
    controllers
        Supported disk controllers: only SCSI, unless the image definition has others.
    homes
        The accounts that have a home directory in the image; None: they are not known.
    specialized
        Whether its operating system is not provisioned again.
    content
        What is on its OS disk: packages, and files by their digests.
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
    homes: frozenset[str] | None = None
    specialized: bool = False
    content: dict[str, Any] = {}


class ImageProblem(msgspec.Struct, frozen=True):
    """Why no VM can be created from it, in the words of Compute."""

    code: str
    message: str


#: For an image whose source has a purchase plan, without a plan of its own. Source: Compute's own text.
_PLAN_MISSING = ImageProblem(
    "VMMarketplaceInvalidInput",
    "Creating a virtual machine from Marketplace image or a custom image sourced from a Marketplace image requires "
    "Plan information in the request.",
)


def resolve_image(store: Store, now: float, image_id: str, region: str) -> BootableImage | ImageProblem:
    """Find the image of an image id.

    Parameters
    ----------
    store, now
        The emulator state, and the simulated time.
    image_id
        Of a gallery image version, of a definition (its latest version), or of a managed image.
    region
        The region of the pool.
    """
    if "/galleries/" not in image_id.lower():
        return _managed(store, now, image_id, region)
    found = resolve_version(store, now, image_id, region)
    if isinstance(found, BootableImage) and found.specialized:
        return ImageProblem("InvalidParameter", "Parameter 'osProfile' is not allowed: the image is specialized.")
    return found


def resolve_version(store: Store, now: float, image_id: str, region: str) -> BootableImage | ImageProblem:
    """Find the image of a gallery image version or definition, also a specialized one, as a source of disks."""
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
    """Return the highest version with a replica in the region that is not excluded from latest."""
    usable = [
        item
        for item in store.items(VERSIONS, definition_id)
        if resources.document_at(item, now) is not None
        and not _is_excluded_from_latest(item, region)
        and replication.usable_replicas(item, region, now)
    ]
    return max(usable, key=lambda item: [int(part) for part in item.doc["name"].split(".")], default=None)


def _is_excluded_from_latest(version: Item, region: str) -> bool:
    """Tell whether a version is excluded from latest, in general or in the region."""
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
        _homes(version),
        specialized=kind.get("osState") == "Specialized",
        content=_content(version),
    )


def _homes(image: Item) -> frozenset[str] | None:
    """Return the accounts with a home directory in an image, None if they are not known."""
    found = (image.hidden.get("guest") or {}).get("homes")
    return None if found is None else frozenset(found)


def _content(image: Item) -> dict[str, Any]:
    """Return what is on the OS disk of an image, as far as it is known."""
    known = image.hidden.get("guest") or {}
    return {name: known[name] for name in CONTENT if name in known}


def _controllers(kind: dict[str, Any]) -> frozenset[str]:
    """Return the disk controllers in the features of a definition, in lower case."""
    values = [str(one.get("value")) for one in kind.get("features") or [] if one.get("name") == "DiskControllerTypes"]
    return frozenset(word.strip().lower() for one in values for word in one.split(",")) or frozenset({"scsi"})


def _supported_by_batch(image: Item) -> bool:
    return not (image.hidden.get("extensions") or image.hidden.get("encrypted"))


def _first_missing_source(store: Store, now: float, roots: list[str]) -> str:
    """Return the first source of an image that is deleted, empty if all exist."""
    return next((root for root in roots if resources.find(store, now, root) is None), "")


def _generalized(version: Item, definition: dict[str, Any]) -> bool:
    """Tell whether the operating system of a version is generalized; for an imported one its definition decides."""
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
    # For an imported image its owner's statement decides.
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
        homes=_homes(image),
        content=_content(image),
    )
