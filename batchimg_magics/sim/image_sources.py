"""What an image id of a pool leads to at a moment: the system on it, or why no VM can be made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.sim import arm, compute

if TYPE_CHECKING:
    from batchimg_magics.sim.world import Item, World


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image that VMs can be made of.

    Parameters
    ----------
    os_type, generation, architecture, security_type
        In Azure's words.
    deprovisioned
        Whether its system was.
    replicas
        In the region; None: it is a managed image.
    roots
        Keys of the image and of what it was made from: what counts as the same image.
    """

    os_type: str
    generation: str
    architecture: str
    security_type: str
    deprovisioned: bool
    replicas: int | None
    roots: frozenset[str]


@dataclass(frozen=True, slots=True)
class ImageProblem:
    """Why no VM can be made of it, as Compute says it."""

    code: str
    message: str


def resolve(world: World, now: float, image_id: str, region: str) -> ImageSource | ImageProblem:
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
        return _managed(world, now, image_id)
    if "/versions/" in image_id.lower():
        version = arm.find(world, now, image_id)
    else:
        version = _latest(world, now, image_id, region)
    if version is None:
        return _missing(image_id)
    definition = arm.find(world, now, version.key.partition("/versions/")[0])
    if definition is None:
        return _missing(image_id)
    return _of_gallery(version, definition, now, region)


def _missing(image_id: str) -> ImageProblem:
    return ImageProblem("NotFound", f"The gallery image {image_id} is not available in the region, or was deleted.")


def _latest(world: World, now: float, definition_id: str, region: str) -> Item | None:
    kind = "microsoft.compute/galleries/images/versions"
    usable = [
        item
        for item in world.items(kind, definition_id)
        if arm.shown(item, now) is not None
        and not item.doc["properties"]["publishingProfile"].get("excludeFromLatest")
        and arm.at_work(item, now) != "Creating"
        and _replicas(item.doc, region)
    ]
    return max(usable, key=lambda item: [int(part) for part in item.doc["name"].split(".")], default=None)


def _replicas(version: dict[str, Any], region: str) -> int:
    targets = version["properties"]["publishingProfile"].get("targetRegions") or []
    here = (one for one in targets if compute.region(one["name"]) == compute.region(region))
    return next((int(one.get("regionalReplicaCount") or 1) for one in here), 0)


def _of_gallery(version: Item, definition: Item, now: float, region: str) -> ImageSource | ImageProblem:
    replicas = _replicas(version.doc, region)
    if not replicas or arm.at_work(version, now) == "Creating":
        return ImageProblem(
            "GalleryImageNotFound", f"The gallery image {version.doc['id']} is not available in {region} region."
        )
    kind = definition.doc["properties"]
    features = kind.get("features") or []
    security = next((one["value"] for one in features if one["name"] == "SecurityType"), "Standard")
    return ImageSource(
        kind["osType"],
        kind.get("hyperVGeneration", "V1"),
        kind.get("architecture", "x64"),
        security,
        _generalized(version, kind),
        replicas,
        frozenset({version.key, *version.hidden.get("roots", [])}),
    )


def _generalized(version: Item, definition: dict[str, Any]) -> bool:
    """Tell whether a version's system was deprovisioned; of one from outside, its definition's word is all there is."""
    known = version.hidden.get("deprovisioned")
    return definition.get("osState") == "Generalized" if known is None and not version.hidden else bool(known)


def _managed(world: World, now: float, image_id: str) -> ImageSource | ImageProblem:
    image = arm.find(world, now, image_id)
    if image is None:
        return ImageProblem("NotFound", f"The image {image_id} was not found.")
    roots = image.hidden.get("roots", [])
    for root in roots:
        if arm.find(world, now, root) is None:
            return ImageProblem("NotFound", f"The source of the image was deleted: {root}.")
    properties = image.doc["properties"]
    os_type = (properties.get("storageProfile") or {}).get("osDisk", {}).get("osType", "Linux")
    known = image.hidden.get("deprovisioned")
    deprovisioned = bool(known) if image.hidden else True
    return ImageSource(
        os_type,
        properties.get("hyperVGeneration") or "V1",
        "x64",
        "Standard",
        deprovisioned,
        None,
        frozenset({image.key, *roots}),
    )
