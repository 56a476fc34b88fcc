"""From an existing managed image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.compute import lineage, managed_images
from batchimg_magics.core.compute.image_source import STANDARD, Source, SourceDisk
from batchimg_magics.core.compute.storage_profile import StorageProfile
from batchimg_magics.core.images.origins.origin import BuildContext, BuildPlan, ImageOrigin
from batchimg_magics.errors import NotFoundError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.pool_spec.pool import PoolSpec

__all__ = ["find", "source_of"]


class _ManagedImageOrigin(ImageOrigin):
    kind = "managed image"

    def plan(self, context: BuildContext) -> BuildPlan:  # noqa: ARG002 - no steps are needed
        return BuildPlan(StorageProfile(image_id=self.source.id))


async def find(azure: Azure, spec: PoolSpec) -> ImageOrigin:
    """Return the image source for a managed image.

    Raises
    ------
    NotFoundError
        The image does not exist.
    """
    target = ResourceId.parse(str(spec.from_image))
    found = await managed_images.read(azure, target)
    if found is None:
        raise NotFoundError(
            f"there is no managed image {target.name!r} in resource group {target.resource_group!r}",
            hint="`az image list --query [].id` lists them",
            status_code=404,
        )
    origin = _ManagedImageOrigin(await source_of(azure, found))
    origin.pinned = origin.source.id if spec.direct else ""
    return origin


async def source_of(azure: Azure, found: Json) -> Source:
    """Return the properties of a managed image, from its document and those of its sources."""
    os_disk = dig(found, "properties", "storageProfile", "osDisk") or {}
    data = dig(found, "properties", "storageProfile", "dataDisks") or []
    return Source(
        id=found["id"],
        unique_id="",
        region=region_key(found["location"]),
        os_type=str(os_disk.get("osType")),
        generation=str(dig(found, "properties", "hyperVGeneration") or "V1"),
        # A managed image supports nothing else.
        architecture="x64",
        security_type=STANDARD,
        uefi=None,
        marketplace=await lineage.find_marketplace_image(azure, found["id"]),
        generalized=os_disk.get("osState") == "Generalized",
        disks=(_disk(os_disk), *(_disk(disk) for disk in data)),
        unmanaged=(),
    )


def _disk(disk: Json) -> SourceDisk:
    source = dig(disk, "snapshot", "id") or dig(disk, "managedDisk", "id") or disk.get("blobUri")
    lun = disk.get("lun")
    return SourceDisk(
        str(source).partition("?")[0], None if lun is None else int(lun), str(disk.get("caching") or "None")
    )
