"""Gallery image versions: create, number, read, delete."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import polling, read_cache, resources, tags
from batchimg_magics.core.azure.conflicts import was_faster
from batchimg_magics.core.azure.documents import dig, parse_time, region_key, wire
from batchimg_magics.core.compute import replication
from batchimg_magics.core.compute.galleries import read_definition_cached
from batchimg_magics.core.compute.replication import sdk_arguments
from batchimg_magics.errors import AuthenticationError, ConflictError, NotFoundError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.core.compute.storage_profile import StorageProfile
    from batchimg_magics.pool_spec.pool import PoolSpec


#: Attempts to find a free version number while others create versions too.
MAX_NUMBER_TRIES = 5
_NUMBER = re.compile(r"1\.0\.(\d+)")


async def read_versions(azure: Azure, definition: ResourceId) -> list[Json]:
    """Return the versions of an image definition; none where it does not exist."""
    return await resources.read_list(azure, f"{definition}/versions")


async def read_versions_cached(azure: Azure, definition: ResourceId) -> list[Json]:
    """Return the versions of an image definition from the cache or from Azure; none where it does not exist."""
    if await read_definition_cached(azure, definition) is None:
        return []
    return await read_cache.get_or_read(azure, f"{definition}/versions", lambda: read_versions(azure, definition))


async def read_version(azure: Azure, version: ResourceId) -> Json | None:
    """Return an image version's document; None where it does not exist."""
    return await resources.read_or_none(azure, version)


def version_with_hash(found: list[Json], image: str) -> Json | None:
    """Return the version with an image's hash in its tags, or None."""
    return next((one for one in found if dig(one, "tags", tags.IMAGE) == image), None)


def replicas_for(spec: PoolSpec, source: Source, region: str) -> dict[str, int]:
    """Return the number of replicas of a version by region.

    Parameters
    ----------
    spec
        The spec of the pool: its number of nodes decides, unless it gives the replicas.
    source
        The image source, whose region always gets one replica.
    region
        The region of the pool.
    """
    needed = {source.region: 1, region: replication.replicas_needed(spec.nodes + spec.spot)}
    return {**needed, **spec.replicas}


def version_body(source: Source, profile: StorageProfile, regions: Mapping[str, int], tags: Mapping[str, str]) -> Json:
    """Return the body of an image version with a storage profile, each data disk with its LUN."""
    targets = [{"name": name, "regionalReplicaCount": count} for name, count in regions.items()]
    return {
        "location": source.region,
        "tags": dict(tags),
        "properties": {
            # Pools pin their version: a request for the latest version must not get this one.
            "publishingProfile": {"targetRegions": targets, "excludeFromLatest": True},
            "storageProfile": profile.version_body(),
        },
    }


async def make_version(
    azure: Azure, definition: ResourceId, body: Json, region: str, *, first: bool = False
) -> tuple[Json, bool]:
    """Create an image version unless one with the body's hash exists, and wait until it is usable in a region.

    Its other regions are left to `replication`.

    Parameters
    ----------
    azure, definition
        The connection, and the id of the image definition.
    body
        The body of the version; its tags have the image's hash.
    region
        The region in which it must be usable.
    first
        Whether the definition was created just now and has no versions.

    Returns
    -------
    tuple
        The version's document, and whether it was created.

    Raises
    ------
    ConflictError
        Others took each number that was tried, or the version with this number has another body.
    ProvisioningError
        Azure accepted the request and the creation failed.
    """
    image, last = body["tags"][tags.IMAGE], ""
    for number in range(MAX_NUMBER_TRIES):
        existing = [] if first and number == 0 else await read_versions(azure, definition)
        if (found := version_with_hash(existing, image)) is not None:
            known = definition.child("versions", found["name"])
            return _raise_if_other_body(await replication.wait_until_usable(azure, known, region), body), False
        version = definition.child("versions", f"1.0.{_highest_number(existing) + 1}")
        begin = azure.compute_for(version).gallery_image_versions.begin_create_or_update(
            **sdk_arguments(version), gallery_image_version=wire(body), **polling.NO_POLLING
        )
        try:
            taken = await polling.begin_operation(azure, begin)
        except ConflictError as error:
            if not was_faster(error):
                raise
            last = error.message
            continue  # another client took this number: read the versions again
        return _raise_if_other_body(
            await replication.wait_until_usable(azure, version, region, taken.retry_after_s), body
        ), True
    raise ConflictError(
        f"other clients keep creating versions of image {definition.name!r} (the last answer of Azure: {last})",
        hint="wait, then run the same command again",
    )


def _raise_if_other_body(found: Json, body: Json) -> Json:
    """Return a version; raise ConflictError where it is not the one that was sent."""
    if dig(found, "tags", tags.IMAGE) != body["tags"][tags.IMAGE] or _sources(found) != _sources(body):
        (_, definition), (_, number) = ResourceId.parse(found["id"]).path[1:]
        raise ConflictError(
            f"another client created image version {number} of {definition!r} at the same time",
            hint="run the same command again: it creates the next version",
            status_code=409,
        )
    return found


def _sources(version: Json) -> list[tuple[Any, str]]:
    """Return (LUN, source) of a version's disks, with None for the OS disk; or the source of the whole version."""
    profile = version["properties"]["storageProfile"]
    whole = dig(profile, "source", "id") or dig(profile, "source", "virtualMachineId")
    if whole:
        return [(None, str(whole).lower())]
    disks = [(None, profile["osDiskImage"]), *((one["lun"], one) for one in profile.get("dataDiskImages") or [])]
    return [(lun, _source(dig(disk, "source") or {})) for lun, disk in disks]


def _source(source: Json) -> str:
    # The URL of a blob can have a SAS token.
    return str(source.get("id") or source.get("uri") or "").partition("?")[0].lower()


def _highest_number(found: list[Json]) -> int:
    return max((int(match[1]) for one in found if (match := _NUMBER.fullmatch(one["name"]))), default=-1)


def published_at(version: Json) -> dt.datetime | None:
    """Return when a version was published; None where its document does not have the date."""
    text: str | None = dig(version, "properties", "publishingProfile", "publishedDate")
    return parse_time(text)


def end_of_life(version: Json) -> dt.datetime | None:
    """Return the end-of-life date of a version; None where it has none. Source: Compute, ``endOfLifeDate``."""
    text: str | None = dig(version, "properties", "publishingProfile", "endOfLifeDate")
    return parse_time(text)


async def set_end_of_life(azure: Azure, found: Json, date: dt.datetime) -> None:
    """Set the end-of-life date of a version, given its document. It is information only: Azure deletes nothing."""
    version = ResourceId.parse(found["id"])
    body = {
        "properties": {"publishingProfile": {"endOfLifeDate": f"{date:%Y-%m-%dT%H:%M:%SZ}"}},
        # A policy may demand tags that older versions do not have.
        "tags": tags.combined(azure.resource_tags, found.get("tags") or {}),
    }
    begin = azure.compute_for(version).gallery_image_versions.begin_update(
        **sdk_arguments(version), gallery_image_version=wire(body), **polling.NO_POLLING
    )
    await replication.apply_and_wait(azure, begin, version)


async def delete_version(azure: Azure, version: ResourceId) -> None:
    """Delete an image version and wait until it is deleted."""
    begin = azure.compute_for(version).gallery_image_versions.begin_delete(
        **sdk_arguments(version), **polling.NO_POLLING
    )
    await polling.delete_and_wait(azure, begin, what=f"image version {version.name}", resource_id=str(version))


class ImageState(StrEnum):
    """Whether nodes can be made from an image."""

    AVAILABLE = "available"
    MISSING = "missing"
    #: A disk or snapshot of a managed image does not exist.
    SOURCE_MISSING = "source missing"
    NOT_IN_REGION = "not in region"
    UNREADABLE = "unreadable"


def image_state(found: Json | None, region: str = "") -> ImageState:
    """Return the state of an image.

    Parameters
    ----------
    found
        The document of an image version, image definition or managed image; None: Azure does not find it.
    region
        Where nodes are to be made, as a region key; empty: the region is not checked.
    """
    if found is None or dig(found, "properties", "provisioningState") == "Deleting":
        return ImageState.MISSING
    targets = dig(found, "properties", "publishingProfile", "targetRegions")
    # An image definition has no target regions.
    if region and targets is not None and region not in {region_key(one["name"]) for one in targets}:
        return ImageState.NOT_IN_REGION
    return ImageState.AVAILABLE


@dataclass(frozen=True, slots=True)
class ImageVersion:
    """The image version that a pool's nodes are made from.

    Parameters
    ----------
    id
        The version's id; None for an image that is not a gallery image version.
    document
        None where it could not be read.
    state
        Whether nodes can be made from it, without regard to the region.
    """

    id: str | None = None
    document: Json | None = None
    state: ImageState = ImageState.UNREADABLE

    @property
    def key(self) -> str | None:
        """A key that differs for a version that is created later with the same id."""
        if self.document is None:
            return None
        return f"{self.id} {dig(self.document, 'properties', 'publishingProfile', 'publishedDate')}".lower()


async def read_image_version(azure: Azure, image_id: str | None) -> ImageVersion:
    """Read an image version; permission errors and missing versions are part of the result."""
    if not image_id or "/versions/" not in image_id.lower():
        return ImageVersion()
    try:
        found = await read_cache.get_or_read(azure, image_id, lambda: _read_document(azure, image_id))
    except NotFoundError:
        return ImageVersion(image_id, state=ImageState.MISSING)
    except AuthenticationError:
        return ImageVersion(image_id)  # Batch may have a permission that the caller does not have
    sizes = _disk_sizes_of(found)
    if None not in sizes:  # a version that is being created does not have them yet
        azure.memo[_disk_sizes_key(image_id)] = sizes
    return ImageVersion(image_id, found, image_state(found))


async def _read_document(azure: Azure, image_id: str) -> Json:
    return await resources.read(azure, image_id)


async def read_disk_sizes(azure: Azure, image_id: str | None) -> list[int | None]:
    """Return the sizes of an image version's disks in GiB, the OS disk first; an empty list where they cannot be read.

    Every node gets the data disks of its image. The disks of a version do not change, so they are read once.
    """
    if not image_id:
        return []
    if _disk_sizes_key(image_id) not in azure.memo:
        await read_image_version(azure, image_id)
    found: list[int | None] = azure.memo.get(_disk_sizes_key(image_id), [])
    return found


def data_disk_sizes(found: Json) -> list[int | None]:
    """Return the sizes in GiB of the data disks of an image version's document; a managed image has its own."""
    managed = dig(found, "properties", "storageProfile", "dataDisks") or []
    return [*_disk_sizes_of(found)[1:], *(one.get("diskSizeGB") for one in managed)]


def _disk_sizes_key(image_id: str) -> str:
    return f"disk sizes of {image_id.lower()}"


def _disk_sizes_of(found: Json) -> list[int | None]:
    storage = dig(found, "properties", "storageProfile")
    data = dig(storage, "dataDiskImages") or []
    return [dig(storage, "osDiskImage", "sizeInGB"), *(one.get("sizeInGB") for one in data)]
