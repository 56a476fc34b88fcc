"""The sources of a disk, a snapshot or an image, back to the Marketplace image, which decides the node agent."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import resources, tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

#: Sources that are followed at most.
MAX_CHAIN_LENGTH = 10
#: Types of resources that an image can come from.
_SOURCE_TYPES = frozenset(
    f"microsoft.compute/{kind}"
    for kind in ("disks", "snapshots", "images", "virtualmachines", "galleries/images/versions")
)
#: Paths of the source in a document by resource type; the first that exists counts.
_PARENT_PATHS: dict[str, tuple[tuple[str, ...], ...]] = {
    "disks": (("creationData", "sourceResourceId"), ("creationData", "galleryImageReference", "id")),
    "snapshots": (("creationData", "sourceResourceId"),),
    "images": (
        ("sourceVirtualMachine", "id"),
        ("storageProfile", "osDisk", "snapshot", "id"),
        ("storageProfile", "osDisk", "managedDisk", "id"),
    ),
    "virtualmachines": (
        ("storageProfile", "imageReference", "id"),
        ("storageProfile", "osDisk", "managedDisk", "id"),
    ),
    "galleries/images/versions": (
        ("storageProfile", "source", "id"),
        ("storageProfile", "source", "virtualMachineId"),
        ("storageProfile", "osDiskImage", "source", "id"),
    ),
}


async def find_marketplace_image(azure: Azure, key: str) -> tuple[str, str, str] | None:
    """Return (publisher, offer, sku) of the Marketplace image that a resource is based on.

    Parameters
    ----------
    azure
        The connection.
    key
        Resource id of a disk, snapshot, managed image, gallery image version or VM.

    Returns
    -------
    tuple or None
        None where a source in between was deleted.
    """
    for _ in range(MAX_CHAIN_LENGTH):
        known = await read_source_document(azure, key)
        if known is None:
            return None
        if (image := marketplace_image_of(known)) is not None:
            return image
        kind = ResourceId.parse(key).type.partition("/")[2].lower()
        key = next((str(one) for path in _PARENT_PATHS[kind] if (one := dig(known, "properties", *path))), "")
        if not key:
            return None
    return None


async def read_source_document(azure: Azure, key: str) -> Json | None:
    """Return the document of a disk, snapshot, managed image, image version or VM; None where it does not exist."""
    target = ResourceId.parse(key)
    return await resources.read_or_none(azure, target) if target.type.lower() in _SOURCE_TYPES else None


def marketplace_image_of(found: Json) -> tuple[str, str, str] | None:
    """Return the Marketplace image in a document's tags or in a VM's or a disk's properties; None for none."""
    if (base := str(dig(found, "tags", tags.BASE_IMAGE) or "")).count(":") == 2:
        publisher, offer, sku = base.split(":")
        return publisher, offer, sku
    image = dig(found, "properties", "storageProfile", "imageReference") or {}
    if not isinstance(image, dict):
        return None
    parts = tuple(str(image.get(name) or "") for name in ("publisher", "offer", "sku"))
    if not all(parts):
        # A disk has it as an id: .../Publishers/P/ArtifactTypes/VMImage/Offers/O/Skus/S/Versions/V
        words = str(dig(found, "properties", "creationData", "imageReference", "id") or "").split("/")
        named = {word.lower(): name for word, name in itertools.pairwise(words)}
        parts = tuple(named.get(word, "") for word in ("publishers", "offers", "skus"))
    return (parts[0], parts[1], parts[2]) if all(parts) else None


def source_ids(document: Json) -> list[str]:
    """Return the ids of the sources of an image version, a managed image, a snapshot or a disk.

    The image that a VM's disk was created from is left out: the disk does not depend on it any more.
    """
    props = document["properties"]
    storage = props.get("storageProfile") or {}
    if "/versions/" in document["id"].lower():
        disks = [storage.get("osDiskImage"), *(storage.get("dataDiskImages") or [])]
        found = [dig(disk, "source", "id") for disk in disks]
        found += [dig(storage, "source", "id"), dig(storage, "source", "virtualMachineId")]
    elif storage:
        disks = [storage.get("osDisk"), *(storage.get("dataDisks") or [])]
        found = [dig(disk, kind, "id") for disk in disks for kind in ("snapshot", "managedDisk")]
        found.append(dig(props, "sourceVirtualMachine", "id"))
    else:
        found = [dig(props, "creationData", "sourceResourceId")]
    return list(dict.fromkeys(str(one) for one in found if one))
