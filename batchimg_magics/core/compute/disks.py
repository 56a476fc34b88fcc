"""Managed disks: read, created from snapshots, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling, read_cache, resources
from batchimg_magics.core.azure.documents import wire

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.resource_ids import ResourceId

#: Median seconds to create a disk from a snapshot. Source: as for snapshots.
DISK_EXPECTED_S = 0.7
#: Nobody can export the contents of a disk or snapshot that this tool creates. Azure itself copies them into an image.
#: Source: Microsoft.Compute, NetworkAccessPolicy and PublicNetworkAccess of disks.
CLOSED_TO_EXPORT = {"networkAccessPolicy": "DenyAll", "publicNetworkAccess": "Disabled"}


async def read_disk(azure: Azure, disk: ResourceId) -> Json | None:
    """Return a disk's document; None where it does not exist."""
    return await resources.read_or_none(azure, disk)


async def list_disks(azure: Azure) -> list[Json]:
    """Return the disks of the connection's resource group from the cache or from Azure."""
    return await read_cache.get_or_read(azure, azure.scope.compute_list("disks"), lambda: _read_disks(azure))


async def _read_disks(azure: Azure) -> list[Json]:
    return await resources.read_list(azure, azure.scope.compute_list("disks"))


async def read_disk_cached(azure: Azure, disk: ResourceId) -> Json | None:
    """Return a disk's document from the cache or from Azure; None where it does not exist."""
    if not azure.scope.contains(disk):
        return await read_disk(azure, disk)
    return await read_cache.get_from_list(azure, disk, lambda: _read_disks(azure), lambda: read_disk(azure, disk))


async def create_disk(
    azure: Azure, disk: ResourceId, snapshot: ResourceId, *, region: str, tags: dict[str, str]
) -> bool:
    """Create a disk from a snapshot unless it exists and is attached; return whether it was created.

    A disk that exists and is not attached is created again: a VM may have changed it before.
    """
    what = f"disk {disk.name}"
    found = await read_disk(azure, disk)
    if found is not None and found.get("managedBy"):
        return False
    if found is not None:
        await delete_disk(azure, disk)
    body = {
        "location": region,
        "tags": tags,
        # It exists for minutes only: the temporary VM is started from it once.
        "sku": {"name": "StandardSSD_LRS"},
        "properties": {
            "creationData": {"createOption": "Copy", "sourceResourceId": str(snapshot)},
            **CLOSED_TO_EXPORT,
        },
    }
    begin = azure.compute_for(disk).disks.begin_create_or_update(
        disk.resource_group, disk.name, wire(body), **polling.NO_POLLING
    )
    await polling.create_and_wait(azure, begin, what=what, resource_id=str(disk))
    return True


async def delete_disk(azure: Azure, disk: ResourceId) -> None:
    """Delete a disk and wait until it is deleted."""
    begin = azure.compute_for(disk).disks.begin_delete(disk.resource_group, disk.name, **polling.NO_POLLING)
    await polling.delete_and_wait(azure, begin, what=f"disk {disk.name}", resource_id=str(disk))
