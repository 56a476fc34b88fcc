"""From an existing gallery image version: the pool uses it as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.compute import galleries, image_versions, lineage
from batchimg_magics.core.compute.image_source import Source
from batchimg_magics.core.compute.storage_profile import StorageProfile
from batchimg_magics.core.images.origins.origin import BuildContext, BuildPlan, ImageOrigin
from batchimg_magics.errors import NotFoundError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.pool_spec.pool import PoolSpec

__all__ = ["find", "source_of"]


class _ImageVersionOrigin(ImageOrigin):
    kind = "version"

    def plan(self, context: BuildContext) -> BuildPlan:  # noqa: ARG002 - no steps are needed
        return BuildPlan(StorageProfile())


async def find(azure: Azure, spec: PoolSpec) -> ImageOrigin:
    """Return the image source for a gallery image version, which may be in another subscription of the tenant.

    Raises
    ------
    NotFoundError
        The version does not exist.
    """
    target = ResourceId.parse(str(spec.from_version))
    parent = ResourceId(target.subscription, target.resource_group, target.provider, target.path[:-1])
    version = await image_versions.read_version(azure, target)
    definition = await galleries.read_definition(azure, parent)
    if version is None or definition is None:
        raise NotFoundError(
            f"there is no image version {target.name!r} of {parent.name!r} in gallery {target.path[0][1]!r}",
            hint="`%batchimg images` lists the images of this subscription",
            status_code=404,
        )
    origin = _ImageVersionOrigin(await source_of(azure, version, definition))
    origin.pinned = origin.source.id
    if target.subscription.lower() != azure.scope.subscription.lower():
        # Source: the gallery documents allow it after registration, the SDK's text does not.
        origin.warning = (
            "it is in another subscription, where Microsoft.Batch must be registered: see the rule `registration`"
        )
    return origin


async def source_of(azure: Azure, version: Json, definition: Json) -> Source:
    """Return the properties of an image version, from its document, its definition's and those of its sources."""
    props = definition["properties"]
    return Source(
        id=version["id"],
        unique_id=str(dig(version, "properties", "publishingProfile", "publishedDate") or ""),
        region=region_key(version["location"]),
        os_type=str(props["osType"]),
        generation=str(props.get("hyperVGeneration") or "V1"),
        architecture=str(props.get("architecture") or "x64"),
        security_type=galleries.security_of(definition),
        uefi=None,
        marketplace=await lineage.find_marketplace_image(azure, version["id"]),
        generalized=props.get("osState") == "Generalized",
        disks=(),
        unmanaged=(),
    )
