"""Where an image version is, and seeing to it that it is everywhere it should be.

A version that failed in one region is good in the others. Azure does not copy it there again by itself: the region has
to be taken out of the version and put into it again, which touches nothing elsewhere. Only the version's own region
cannot be taken out. Source: gallery documents, FACTS 2; the words of a failed copy, "Please delete this region from the
image version and add it again".
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import polling, read_cache
from batchimg_magics.core.azure.documents import dig, document, region_key, wire
from batchimg_magics.errors import ProvisioningError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.resource_ids import ResourceId

_PARTS = {"galleries": "gallery_name", "images": "gallery_image_name", "versions": "gallery_image_version_name"}
_REPLICATING_STATES = ("creating", "updating", "migrating")
#: Seconds between two looks at a version in the making. Source: Retry-After of its operations, FACTS 6.
POLL_S = 60.0
#: Seconds that the fastest version took. Source: recordings, FACTS 6.
MIN_POLL_S = 150.0
#: What Azure sets in a version, and nobody sends.
_READ_ONLY = frozenset({"provisioningState", "replicationStatus"})


def sdk_arguments(inner: ResourceId) -> dict[str, Any]:
    """Return an id's parts under the names that the SDK's calls of galleries have for them."""
    return {"resource_group_name": inner.resource_group, **{_PARTS[kind]: name for kind, name in inner.path}}


async def read(azure: Azure, version: ResourceId) -> Json:
    """Return a version's document, with how far its copies are."""
    call = azure.compute_for(version).gallery_image_versions.get(**sdk_arguments(version), expand="ReplicationStatus")
    return document(await azure.call(call))


def is_available_in(found: Json, region: str) -> bool:
    """Tell whether a version can be used in a region: each is done for itself."""
    return _copy_state(found, region) == "completed"


def _copy_state(found: Json, region: str) -> str:
    """Return how a version's copy into a region stands, in lower case; empty where none is made."""
    summary = dig(found, "properties", "replicationStatus", "summary") or []
    return next((str(one.get("state")).lower() for one in summary if region_key(one["region"]) == region), "")


def _is_replicating(found: Json) -> bool:
    return str(dig(found, "properties", "provisioningState")).lower() in _REPLICATING_STATES


def _remaining_percent(found: Json, region: str) -> int | None:
    """Return how many percent of a version's copy into a region are still to do; None where Azure does not say."""
    summary = dig(found, "properties", "replicationStatus", "summary") or []
    done = next((one.get("progress") for one in summary if region_key(one["region"]) == region), None)
    return None if done is None else max(1, 100 - int(done))


async def wait_until_usable(azure: Azure, version: ResourceId, region: str, first_s: float | None = None) -> Json:
    """Wait until a version can be used in a region, or nothing goes on with it there, and return it.

    Parameters
    ----------
    azure, version
        Where, and which.
    region
        By its programmatic name. The others may take as long again.
    first_s
        When to look for the first time, as Azure told; None: at once.
    """

    async def poll() -> polling.PollResult[Json]:
        found = await read(azure, version)
        over = not _is_replicating(found) or _copy_state(found, region) in ("completed", "failed")
        return polling.PollResult(over, found, POLL_S, remaining=_remaining_percent(found, region))

    # Of one that was begun just now, the first looks are left out at which no version was ever seen to be there.
    first_s = first_s and first_s * max(1.0, MIN_POLL_S // first_s)
    found = await polling.poll_until(azure, poll, what=f"image version {version.name}", first_s=first_s)
    read_cache.store(azure, str(version), found)
    return found


def failed_in(found: Json) -> set[str]:
    """Return the regions into which a version's copy failed."""
    summary = dig(found, "properties", "replicationStatus", "summary") or []
    return {region_key(one["region"]) for one in summary if str(one.get("state")).lower() == "failed"}


async def wait_until_idle(azure: Azure, version: ResourceId, found: Json | None = None) -> Json:
    """Wait until nothing goes on with a version, and return it, whether all of its copies are good or not.

    Parameters
    ----------
    azure, version
        Where, and which.
    found
        The version as it was seen just now; None: it was not.

    Raises
    ------
    ProvisioningError
        It failed in its own region, so there is nothing to copy from.
    """

    async def poll() -> polling.PollResult[Json]:
        seen = await read(azure, version)
        return polling.PollResult(not _is_replicating(seen), seen, POLL_S)

    if found is None or _is_replicating(found):
        found = await polling.poll_until(azure, poll, what=f"image version {version.name}")
    state = str(dig(found, "properties", "provisioningState"))
    failed = failed_in(found)
    if state.lower() != "succeeded" and (not failed or region_key(found["location"]) in failed):
        raise ProvisioningError(
            f"image version {version.name} ended as {state}: it is not even in its own region, {found['location']}",
            resource_id=str(version),
            state=state,
            hint=f"`%batchimg delete {version}`, then run the same line again: it is made anew",
        )
    return found


def _wanted_regions(found: Json, regions: Mapping[str, int]) -> dict[str, Json]:
    """Return the target regions that a version should have: those there are, none smaller than what is asked for."""
    targets = dig(found, "properties", "publishingProfile", "targetRegions") or []
    wanted = {region_key(one["name"]): dict(one) for one in targets}
    for region, count in regions.items():
        existing = wanted.setdefault(region_key(region), {"name": region})
        existing["regionalReplicaCount"] = max(count, existing.get("regionalReplicaCount") or 0)
    return wanted


def missing_regions(found: Json, regions: Mapping[str, int]) -> dict[str, str]:
    """Return what a version lacks, region to words; nothing where it is everywhere it should be."""
    targets = dig(found, "properties", "publishingProfile", "targetRegions") or []
    existing = {region_key(one["name"]): int(one.get("regionalReplicaCount") or 1) for one in targets}
    said = {
        region: f"{region}={one['regionalReplicaCount']}"
        for region, one in _wanted_regions(found, regions).items()
        if existing.get(region) != one.get("regionalReplicaCount", existing.get(region))
    }
    return said | {region: f"{region} repaired" for region in failed_in(found)}


async def complete_replication(
    azure: Azure, version: ResourceId, regions: Mapping[str, int], found: Json | None = None
) -> str:
    """See to it that a version is in all regions that it should be in; nothing is taken away for good.

    Parameters
    ----------
    azure, version
        Where, and which.
    regions
        Region to the least number of replicas.
    found
        The version as it was seen just now; None: it was not.

    Returns
    -------
    str
        What was changed, in words; empty: nothing was to be.

    Raises
    ------
    ProvisioningError
        A copy failed again, or the version is not even in its own region.
    """
    found = await wait_until_idle(azure, version, found)
    said = missing_regions(found, regions)
    if not said:
        return ""
    wanted = _wanted_regions(found, regions)
    if failed := failed_in(found):
        good = {region: one for region, one in wanted.items() if region not in failed}
        await _put(azure, version, _changed(found, good, removing=True))
    await _put(azure, version, _changed(found, wanted, removing=False))
    if again := failed_in(await wait_until_idle(azure, version)):
        raise ProvisioningError(
            f"image version {version.name} could not be copied to {', '.join(sorted(again))}",
            resource_id=str(version),
            state="Failed",
            hint="run the same line again: it copies to these regions alone; the other regions have it",
        )
    return ", ".join(said[region] for region in sorted(said))


def _changed(found: Json, targets: Mapping[str, Json], *, removing: bool) -> Json:
    """Return a version with other target regions. A removal has to be allowed for as long as it takes."""
    props = {name: copy.deepcopy(value) for name, value in found["properties"].items() if name not in _READ_ONLY}
    props["publishingProfile"] |= {"targetRegions": list(targets.values())}
    props["publishingProfile"].pop("publishedDate", None)
    safety = props.get("safetyProfile") or {}
    safety.pop("reportedForPolicyViolation", None)
    props["safetyProfile"] = safety | {"allowDeletionOfReplicatedLocations": removing}
    return {"location": found["location"], "tags": found.get("tags") or {}, "properties": props}


async def _put(azure: Azure, version: ResourceId, body: Json) -> None:
    begin = azure.compute_for(version).gallery_image_versions.begin_create_or_update(
        **sdk_arguments(version), gallery_image_version=wire(body), **polling.NO_POLLING
    )
    await apply_and_wait(azure, begin, version)


async def apply_and_wait(azure: Azure, begin: Any, version: ResourceId) -> None:  # noqa: ANN401 - an SDK's awaitable
    """Send a request that makes or changes a version and wait; copies that failed are left to `complete` to judge."""
    try:
        await polling.create_and_wait(azure, begin, what=f"image version {version.name}", resource_id=str(version))
    except ProvisioningError:
        await wait_until_idle(azure, version)


#: Source: FACTS 1.6: a gallery image version wants a replica for each 300 nodes.
NODES_PER_REPLICA = 300


def replicas_needed(nodes: int) -> int:
    """Return how many replicas of the image version so many nodes want in their region."""
    return max(1, math.ceil(nodes / NODES_PER_REPLICA))
