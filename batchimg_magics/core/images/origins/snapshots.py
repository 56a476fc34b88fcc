"""From existing snapshots: of the OS disk, and of data disks with their LUNs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import resources
from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.compute import lineage
from batchimg_magics.core.compute.image_source import (
    STANDARD,
    Source,
    SourceDisk,
    controllers_of,
    encryption_of,
    plan_of,
)
from batchimg_magics.core.compute.storage_profile import ImageDisk, StorageProfile
from batchimg_magics.core.images.origins.origin import BuildContext, BuildPlan, ImageOrigin
from batchimg_magics.errors import NotFoundError, SpecError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.pool_spec.pool import PoolSpec

__all__ = ["find"]


class _SnapshotsOrigin(ImageOrigin):
    kind = "given snapshots"

    def plan(self, context: BuildContext) -> BuildPlan:  # noqa: ARG002 - no steps are needed
        return BuildPlan(
            StorageProfile(tuple(ImageDisk(disk.lun, disk.caching, disk.id) for disk in self.source.disks))
        )


async def find(azure: Azure, spec: PoolSpec) -> ImageOrigin:
    """Return the image source for snapshots.

    Raises
    ------
    NotFoundError, SpecError
        A snapshot does not exist; they are in several regions; or the operating system is not known.
    """
    disks = [SourceDisk(str(spec.from_snapshot), None, "ReadWrite")]
    disks += [SourceDisk(key, lun, "None") for lun, key in sorted(spec.data_snapshots.items())]
    found = await concurrency.gather(*(_read(azure, disk.id) for disk in disks))
    regions = sorted({region_key(one["location"]) for one in found})
    if len(regions) > 1:
        raise SpecError(
            f"the snapshots are in several regions: {', '.join(regions)}",
            hint="copy them to one region (az snapshot create --copy-start)",
        )
    props = found[0]["properties"]
    os_type = props.get("osType") or spec.os_type
    if not os_type:
        raise SpecError(
            f"the operating system of snapshot {found[0]['name']!r} is not known",
            hint="give --os-type Linux or --os-type Windows",
        )
    security = str(dig(props, "securityProfile", "securityType") or spec.security_type or STANDARD)
    return _SnapshotsOrigin(
        Source(
            id=disks[0].id,
            unique_id=str(props.get("uniqueId") or ""),
            region=regions[0],
            os_type=str(os_type),
            generation=str(props.get("hyperVGeneration") or spec.generation or "V1"),
            architecture=str(dig(props, "supportedCapabilities", "architecture") or spec.architecture or "x64"),
            security_type="ConfidentialVM" if security.lower().startswith("confidentialvm") else security,
            uefi=None,
            marketplace=await lineage.find_marketplace_image(azure, disks[0].id),
            generalized=spec.generalized,
            disks=tuple(disks),
            unmanaged=(),
            plan=plan_of({}, found[0]),
            controllers=controllers_of(found[0]),
            encryption=encryption_of({}, found[0]),
        )
    )


async def _read(azure: Azure, key: str) -> Json:
    target = ResourceId.parse(key)
    found = await resources.read_or_none(azure, target)
    if found is None:
        raise NotFoundError(
            f"there is no snapshot {target.name!r} in resource group {target.resource_group!r}",
            hint="`az snapshot list --query [].id` lists them",
            status_code=404,
        )
    return found
