"""Snapshots of managed disks: read, created, deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling, read_cache, resources, tags
from batchimg_magics.core.azure.documents import dig, wire
from batchimg_magics.core.compute.disks import CLOSED_TO_EXPORT
from batchimg_magics.errors import ConflictError
from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import SourceDisk

#: Median seconds to create a snapshot. Source: recordings.
SNAPSHOT_EXPECTED_S = 0.7
#: Greatest age in seconds of the list of snapshots while several are created at the same time.
_SNAPSHOT_POLL_S = 1.0


def snapshot_id(azure: Azure, pool: str, image: str, disk: SourceDisk) -> ResourceId:
    """Return the id of the snapshot of a disk for a pool's image."""
    return azure.scope.compute_id(("snapshots", tags.snapshot_name(pool, image, disk.lun)))


async def read_snapshot(azure: Azure, snapshot: ResourceId) -> Json | None:
    """Return a snapshot's document; None where it does not exist."""
    return await resources.read_or_none(azure, snapshot)


async def list_snapshots(azure: Azure) -> list[Json]:
    """Return the snapshots of the connection's resource group from the cache or from Azure."""
    return await read_cache.get_or_read(azure, azure.scope.compute_list("snapshots"), lambda: _read_snapshots(azure))


async def _read_snapshots(azure: Azure) -> list[Json]:
    return await resources.read_list(azure, azure.scope.compute_list("snapshots"))


async def read_snapshot_cached(
    azure: Azure, snapshot: ResourceId, holds_s: float = read_cache.MAX_AGE_S
) -> Json | None:
    """Return a snapshot from the cache, for the connection's resource group, or from Azure; None if there is none."""
    if not azure.scope.contains(snapshot):
        return await read_snapshot(azure, snapshot)
    return await read_cache.get_from_list(
        azure, snapshot, lambda: _read_snapshots(azure), lambda: read_snapshot(azure, snapshot), holds_s=holds_s
    )


async def create_snapshot(
    azure: Azure, snapshot: ResourceId, disk: SourceDisk, *, region: str, tags: dict[str, str]
) -> bool:
    """Create a full snapshot of a disk unless it exists, and wait for it.

    Returns
    -------
    bool
        Whether it was created.

    Raises
    ------
    ConflictError
        A snapshot with this name exists and is of another disk.
    ProvisioningError
        Azure accepted the request and the creation failed.
    """

    async def poll() -> Json:
        return await resources.read(azure, snapshot)

    what = f"snapshot {snapshot.name}"
    found = await read_snapshot_cached(azure, snapshot)
    if found is not None:
        if not is_same_resource(str(dig(found, "properties", "creationData", "sourceResourceId")), disk.id):
            raise ConflictError(
                f"{what} already exists and is not of disk {ResourceId.parse(disk.id).name}",
                hint="choose another name for the pool, or delete that snapshot",
                status_code=409,
            )
        await polling.wait_until_provisioned(azure, poll, what=what)
        return False
    body = {
        "location": region,
        "tags": tags,
        # A full copy on Standard HDD: the image version is copied from it once.
        "sku": {"name": "Standard_LRS"},
        "properties": {
            "creationData": {"createOption": "Copy", "sourceResourceId": disk.id},
            "incremental": False,
            **CLOSED_TO_EXPORT,
        },
    }
    begin = azure.compute_for(snapshot).snapshots.begin_create_or_update(
        snapshot.resource_group, snapshot.name, wire(body), **polling.NO_POLLING
    )
    try:
        operation = await polling.begin_operation(azure, begin)
    except ConflictError as error:
        await polling.wait_for_earlier_creation(azure, error, what=what, resource_id=str(snapshot))
        return True
    # One list shows all snapshots that are created at the same time, and mostly that they are complete.
    await azure.sleep(polling.FIRST_POLL_S if operation.retry_after_s is None else operation.retry_after_s)
    if not _is_complete(await read_snapshot_cached(azure, snapshot, holds_s=_SNAPSHOT_POLL_S)):
        operation = replace(operation, retry_after_s=0.0)
        await polling.wait_for_operation(azure, operation, what=what, resource_id=str(snapshot))
    return True


def _is_complete(found: Json | None) -> bool:
    return str(dig(found, "properties", "provisioningState")).lower() == "succeeded"


async def delete_snapshot(azure: Azure, snapshot: ResourceId) -> None:
    """Delete a snapshot and wait until it is deleted."""
    begin = azure.compute_for(snapshot).snapshots.begin_delete(
        snapshot.resource_group, snapshot.name, **polling.NO_POLLING
    )
    await polling.delete_and_wait(azure, begin, what=f"snapshot {snapshot.name}", resource_id=str(snapshot))
