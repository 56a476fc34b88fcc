"""Replication of an image version: the regions that have it, and how to complete or repair them.

A version whose copy failed in one region is usable in the others. Azure does not retry the copy: the region has to be
removed from the version and added again, which changes no other region. The version's own region cannot be removed.
Source: gallery documents; the message of a failed copy, "Please delete this region from the image version and
add it again".
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import polling, read_cache, resources, tags
from batchimg_magics.core.azure.documents import dig, region_key, wire
from batchimg_magics.errors import ProvisioningError
from batchimg_magics.pool_spec.line import magic_word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.resource_ids import ResourceId

_PARTS = {"galleries": "gallery_name", "images": "gallery_image_name", "versions": "gallery_image_version_name"}
_REPLICATING_STATES = ("creating", "updating", "migrating")
#: Seconds between polls of a version that is being created. Source: Retry-After of its operations.
POLL_S = 60.0
#: Shortest recorded duration of a creation in seconds. Source: recordings.
MIN_POLL_S = 150.0
#: Longest wait for a version in seconds. Source: the slowest recorded creation took 781 s; users report replications
#: that failed after hours, and others that did not end.
WAIT_LIMIT_S = 6 * 3600.0
#: Properties that only Azure sets.
_READ_ONLY = frozenset({"provisioningState", "replicationStatus"})


def sdk_arguments(inner: ResourceId) -> dict[str, Any]:
    """Return the parts of an id as arguments of the SDK's calls for galleries."""
    return {"resource_group_name": inner.resource_group, **{_PARTS[kind]: name for kind, name in inner.path}}


async def read(azure: Azure, version: ResourceId) -> Json:
    """Return a version's document with its replication status."""
    return await resources.read(azure, version, **{"$expand": "ReplicationStatus"})


def is_available_in(found: Json, region: str) -> bool:
    """Tell whether a version can be used in a region: regions complete one by one."""
    return _copy_state(found, region) == "completed"


def _copy_state(found: Json, region: str) -> str:
    """Return the replication state of a region in lower case; empty where the region is not in the status."""
    summary = dig(found, "properties", "replicationStatus", "summary") or []
    return next((str(one.get("state")).lower() for one in summary if region_key(one["region"]) == region), "")


def _is_replicating(found: Json) -> bool:
    return str(dig(found, "properties", "provisioningState")).lower() in _REPLICATING_STATES


def _remaining_percent(found: Json, region: str) -> int | None:
    """Return the remaining percentage of the copy to a region; None if the status does not have it."""
    summary = dig(found, "properties", "replicationStatus", "summary") or []
    done = next((one.get("progress") for one in summary if region_key(one["region"]) == region), None)
    return None if done is None else max(1, 100 - int(done))


async def wait_until_usable(azure: Azure, version: ResourceId, region: str, first_s: float | None = None) -> Json:
    """Wait until a version is usable in a region or its copy there ended otherwise, and return its document.

    Parameters
    ----------
    azure, version
        The connection, and the id of the version.
    region
        The programmatic name of the region. Other regions can take as long again.
    first_s
        Azure's Retry-After in seconds to the request; None: poll at once.

    Raises
    ------
    WaitTimeoutError
        It takes longer than `WAIT_LIMIT_S`.
    """

    async def poll() -> polling.PollResult[Json]:
        found = await read(azure, version)
        done = not _is_replicating(found) or _copy_state(found, region) in ("completed", "failed")
        return polling.PollResult(done, found, POLL_S, remaining=_remaining_percent(found, region))

    # No creation was ever recorded to end before MIN_POLL_S: earlier polls are left out.
    first_s = first_s and first_s * max(1.0, MIN_POLL_S // first_s)
    what = f"image version {version.name} in {region}"
    found = await polling.poll_until(azure, poll, what=what, first_s=first_s, timeout_s=WAIT_LIMIT_S)
    read_cache.store(azure, str(version), found)
    return found


def failed_in(found: Json) -> set[str]:
    """Return the regions in which a version's copy failed."""
    summary = dig(found, "properties", "replicationStatus", "summary") or []
    return {region_key(one["region"]) for one in summary if str(one.get("state")).lower() == "failed"}


async def wait_until_idle(azure: Azure, version: ResourceId, found: Json | None = None) -> Json:
    """Wait until no operation runs on a version, and return its document, with or without failed copies.

    Parameters
    ----------
    azure, version
        The connection, and the id of the version.
    found
        The version's document, if it was read just now.

    Raises
    ------
    ProvisioningError
        The version failed in its own region, which the others are copied from.
    WaitTimeoutError
        It takes longer than `WAIT_LIMIT_S`.
    """

    async def poll() -> polling.PollResult[Json]:
        document = await read(azure, version)
        return polling.PollResult(not _is_replicating(document), document, POLL_S)

    if found is None or _is_replicating(found):
        found = await polling.poll_until(azure, poll, what=f"image version {version.name}", timeout_s=WAIT_LIMIT_S)
    state = str(dig(found, "properties", "provisioningState"))
    failed = failed_in(found)
    if state.lower() != "succeeded" and (not failed or region_key(found["location"]) in failed):
        raise ProvisioningError(
            f"image version {version.name} ended as {state} in its own region, {found['location']}",
            resource_id=str(version),
            state=state,
            hint=f"`%batchimg delete {magic_word(version)}`, then run the same command again: it creates it again",
        )
    return found


def _wanted_regions(found: Json, regions: Mapping[str, int]) -> dict[str, Json]:
    """Return the target regions that a version must have: its own ones, each with at least the requested replicas."""
    targets = dig(found, "properties", "publishingProfile", "targetRegions") or []
    wanted = {region_key(one["name"]): dict(one) for one in targets}
    for region, count in regions.items():
        existing = wanted.setdefault(region_key(region), {"name": region})
        existing["regionalReplicaCount"] = max(count, existing.get("regionalReplicaCount") or 0)
    return wanted


def missing_regions(found: Json, regions: Mapping[str, int]) -> dict[str, str]:
    """Return the regions to add or repair, each with a text; empty where replication is complete."""
    targets = dig(found, "properties", "publishingProfile", "targetRegions") or []
    existing = {region_key(one["name"]): int(one.get("regionalReplicaCount") or 1) for one in targets}
    missing = {
        region: f"{region}={one['regionalReplicaCount']}"
        for region, one in _wanted_regions(found, regions).items()
        if existing.get(region) != one.get("regionalReplicaCount", existing.get(region))
    }
    return missing | {region: f"{region} repaired" for region in failed_in(found)}


async def complete_replication(
    azure: Azure, version: ResourceId, regions: Mapping[str, int], found: Json | None = None
) -> str:
    """Complete the replication of a version: add missing regions and replicas, repair failed copies, remove nothing.

    Parameters
    ----------
    azure, version
        The connection, and the id of the version.
    regions
        Region to the least number of replicas.
    found
        The version's document, if it was read just now.

    Returns
    -------
    str
        The regions that were changed, as text; empty where replication was complete.

    Raises
    ------
    ProvisioningError
        A copy failed again, or the version failed in its own region.
    """
    found = await wait_until_idle(azure, version, found)
    missing = missing_regions(found, regions)
    if not missing:
        return ""
    wanted = _wanted_regions(found, regions)
    if failed := failed_in(found):
        good = {region: one for region, one in wanted.items() if region not in failed}
        await _put(azure, version, _changed(azure, found, good, removing=True))
    await _put(azure, version, _changed(azure, found, wanted, removing=False))
    if failed := failed_in(await wait_until_idle(azure, version)):
        raise ProvisioningError(
            f"image version {version.name} could not be copied to {', '.join(sorted(failed))}",
            resource_id=str(version),
            state="Failed",
            hint="run the same command again: it copies to these regions only; the other regions have the version",
        )
    return ", ".join(missing[region] for region in sorted(missing))


def _changed(azure: Azure, found: Json, targets: Mapping[str, Json], *, removing: bool) -> Json:
    """Return the body of a version with other target regions; removing a region has to be allowed in the body."""
    props = {name: copy.deepcopy(value) for name, value in found["properties"].items() if name not in _READ_ONLY}
    props["publishingProfile"] |= {"targetRegions": list(targets.values())}
    props["publishingProfile"].pop("publishedDate", None)
    safety = props.get("safetyProfile") or {}
    safety.pop("reportedForPolicyViolation", None)
    props["safetyProfile"] = safety | {"allowDeletionOfReplicatedLocations": removing}
    # A policy may demand tags that older versions do not have.
    return {
        "location": found["location"],
        "tags": tags.combined(azure.resource_tags, found.get("tags") or {}),
        "properties": props,
    }


async def _put(azure: Azure, version: ResourceId, body: Json) -> None:
    begin = azure.compute_for(version).gallery_image_versions.begin_create_or_update(
        **sdk_arguments(version), gallery_image_version=wire(body), **polling.NO_POLLING
    )
    await apply_and_wait(azure, begin, version)


async def apply_and_wait(azure: Azure, begin: Any, version: ResourceId) -> None:  # noqa: ANN401 - an SDK's awaitable
    """Send a request that changes a version, and wait; failed copies are left to `complete_replication`."""
    try:
        await polling.create_and_wait(azure, begin, what=f"image version {version.name}", resource_id=str(version))
    except ProvisioningError:
        await wait_until_idle(azure, version)


#: Source: gallery documents: one replica of a gallery image version for each 300 nodes.
NODES_PER_REPLICA = 300


def replicas_needed(nodes: int) -> int:
    """Return the number of replicas of the image version that a number of nodes needs in its region."""
    return max(1, math.ceil(nodes / NODES_PER_REPLICA))
