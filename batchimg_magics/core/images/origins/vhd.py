"""From a VHD in a storage account. Azure does not show its properties, so options give them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchimg_magics.core.compute.image_source import STANDARD, Source
from batchimg_magics.core.compute.storage_profile import ImageDisk, StorageProfile
from batchimg_magics.core.images.origins.origin import BuildContext, BuildPlan, ImageOrigin
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.pool_spec.pool import PoolSpec

__all__ = ["find"]

#: Seconds for which the same command uses the image that it created: Azure does not show whether the blob changed.
FRESH_S = 3600.0


class _VhdOrigin(ImageOrigin):
    kind = "vhd"

    def __init__(self, source: Source, account: str) -> None:
        super().__init__(source)
        self.account = account

    def plan(self, context: BuildContext) -> BuildPlan:  # noqa: ARG002 - no steps are needed
        return BuildPlan(StorageProfile((ImageDisk(None, "ReadWrite", blob=self.source.id, account=self.account),)))

    async def changed_since(self, azure: Azure, moment: float) -> bool:
        return azure.now() - moment > FRESH_S


async def find(azure: Azure, spec: PoolSpec) -> ImageOrigin:
    """Return the image source for a VHD. It must be in the account's region; otherwise Azure refuses it."""
    url = str(spec.from_vhd)
    name = str(urlsplit(url).hostname).partition(".")[0]
    scope = azure.scope
    own = ResourceId(scope.subscription, scope.resource_group, "Microsoft.Storage", (("storageAccounts", name),))
    source = Source(
        id=url,
        unique_id="",
        region=await azure.region(),
        os_type=str(spec.os_type),
        generation=str(spec.generation),
        architecture=spec.architecture or "x64",
        security_type=spec.security_type or STANDARD,
        uefi=None,
        marketplace=None,
        generalized=spec.generalized,
        disks=(),
        unmanaged=(),
    )
    return _VhdOrigin(source, spec.storage_account or str(own))
