"""Azure Compute Gallery: the gallery, its image definitions, their versions."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import polling, read_cache, tags
from batchimg_magics.core.azure.client import dig, document, wire
from batchimg_magics.core.compute import replication
from batchimg_magics.core.compute.replication import names
from batchimg_magics.core.estimates import workload
from batchimg_magics.errors import ConflictError, NotFoundError, ServiceError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure, Json
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.core.compute.storage_profile import Parts
    from batchimg_magics.spec import PoolSpec

#: Median seconds. Source: recordings, FACTS 6; a gallery and a definition took well under a second.
EXPECTED_S = {"gallery": 1.0, "definition": 1.0, "version": 438.0, "delete version": 90.0}
#: How often a version's number is tried again when somebody else takes it first.
NUMBER_TRIES = 5
_NUMBER = re.compile(r"1\.0\.(\d+)")


def gallery_id(azure: Azure, adopted: str | None = None) -> ResourceId:
    """Return the id of the gallery for this account's images, or of the one that the researcher has for them."""
    if adopted is not None:
        return ResourceId.parse(adopted)
    return azure.scope.compute_id(("galleries", tags.gallery_name(azure.scope.account)))


def definition_id(azure: Azure, pool: str, adopted: str | None = None) -> ResourceId:
    """Return the id of the image definition for a pool's image."""
    return gallery_id(azure, adopted).child("images", pool)


# -- gallery -----------------------------------------------------------------------------------------------------


async def read_gallery(azure: Azure, gallery: ResourceId) -> Json | None:
    """Return a gallery's document, or None."""
    found = await azure.find(azure.compute_of(gallery).galleries.get(gallery.resource_group, gallery.name))
    return None if found is None else document(found)


async def seen_gallery(azure: Azure, gallery: ResourceId) -> Json | None:
    """Return a gallery's document as it was a moment ago, or None."""
    return await read_cache.once(azure, str(gallery), lambda: read_gallery(azure, gallery))


async def make_gallery(azure: Azure, gallery: ResourceId, region: str, *, adopted: bool = False) -> bool:
    """See to it that the gallery is there; tell whether it was made, and not found.

    Raises
    ------
    NotFoundError
        One that the researcher named is not there: only our own is made.
    """
    what = f"gallery {gallery.name}"
    if await seen_gallery(azure, gallery) is not None:

        async def look() -> Json:
            found = await azure.ask(azure.compute_of(gallery).galleries.get(gallery.resource_group, gallery.name))
            return document(found)

        await polling.provisioned(azure, look, what=what)
        return False
    if adopted:
        raise not_there(gallery)
    body = {
        "location": region,
        "tags": {tags.ACCOUNT: azure.scope.account, **tags.made_by()},
        "properties": {"description": f"Images of Batch account {azure.scope.account}"},
    }
    begin = azure.compute.galleries.begin_create_or_update(
        gallery.resource_group, gallery.name, wire(body), **polling.FIRST_ANSWER
    )
    await polling.made(azure, begin, what=what, resource_id=str(gallery))
    return True


def not_there(gallery: ResourceId) -> NotFoundError:
    """Return the error for a gallery that the researcher named and that is not there."""
    return NotFoundError(
        f"there is no gallery {gallery.name!r} in resource group {gallery.resource_group!r}",
        hint="leave out --gallery: the account's own one is made where it is needed",
        status_code=404,
    )


# -- definition --------------------------------------------------------------------------------------------------


async def read_definition(azure: Azure, definition: ResourceId) -> Json | None:
    """Return an image definition's document, or None."""
    found = await azure.find(azure.compute_of(definition).gallery_images.get(**names(definition)))
    return None if found is None else document(found)


async def seen_definition(azure: Azure, definition: ResourceId) -> Json | None:
    """Return an image definition's document as it was a moment ago, or None."""
    return await read_cache.once(azure, str(definition), lambda: read_definition(azure, definition))


def definition_body(pool: str, source: Source, tags: Mapping[str, str]) -> Json:
    """Return the definition for images of a VM of this kind.

    Generation, architecture and security type are always said: what Azure takes where they are not depends on the
    api-version (from galleries 2025-03-03 on it is V2 and TrustedLaunchSupported). A purchase plan is carried on, and
    sizes that have NVMe alone take no image that does not say that it boots from it. Source: FACTS 2.
    """
    features = [{"name": "SecurityType", "value": source.security_type}]
    if "nvme" in source.controllers.lower():
        features.append({"name": "DiskControllerTypes", "value": source.controllers})
    return {
        "location": source.region,
        "tags": dict(tags),
        "properties": {
            "osType": source.os_type,
            "osState": "Generalized",
            "hyperVGeneration": source.generation,
            "architecture": source.architecture,
            "identifier": {"publisher": "batchimg", "offer": source.os_type.lower(), "sku": pool},
            "features": features,
            **({"purchasePlan": source.plan} if source.plan else {}),
        },
    }


#: What of a definition cannot be changed once it is there: the words for it, and the path.
_FIXED = {
    "operating system": ("osType",),
    "generation": ("hyperVGeneration",),
    "architecture": ("architecture",),
}


def definition_differences(found: Json, wanted: Json) -> list[str]:
    """Return in words how a definition that is there differs from the wanted one where it matters."""
    said = [
        f"{words} is {dig(found, 'properties', *path)}, wanted {dig(wanted, 'properties', *path)}"
        for words, path in _FIXED.items()
        if str(dig(found, "properties", *path)).lower() != str(dig(wanted, "properties", *path)).lower()
    ]
    if (there := security_of(found)) != (here := security_of(wanted)):
        said.append(f"security type is {there}, wanted {here}")
    carried, asked = (plan_words(dig(one, "properties", "purchasePlan")) for one in (found, wanted))
    if carried.lower() != asked.lower():
        said.append(f"purchase plan is {carried or 'none'}, wanted {asked or 'none'}")
    return said


def plan_words(plan: Json | None) -> str:
    """Return a purchase plan as publisher:product:name; empty for none."""
    return ":".join(str(plan.get(part)) for part in ("publisher", "product", "name")) if plan else ""


def security_of(definition: Json) -> str:
    """Return a definition's security type; Standard where it says nothing."""
    features = dig(definition, "properties", "features") or []
    found = [str(one.get("value")) for one in features if one.get("name") == "SecurityType"]
    return found[0] if found else "Standard"


async def make_definition(azure: Azure, definition: ResourceId, body: Json, *, first: bool = False) -> bool:
    """See to it that the image definition is there; tell whether it was made, and not found.

    Parameters
    ----------
    azure, definition, body
        Where, which, and what it says.
    first
        Whether its gallery was made just now, so that nothing can be in it.

    Raises
    ------
    ConflictError
        One of that name is there and is of another kind.
    """
    what = f"image definition {definition.name}"
    found = None if first else await read_definition(azure, definition)
    if found is not None:
        refuse_other_kind(definition, found, body)

        async def look() -> Json:
            return document(await azure.ask(azure.compute_of(definition).gallery_images.get(**names(definition))))

        await polling.provisioned(azure, look, what=what)
        return False
    begin = azure.compute_of(definition).gallery_images.begin_create_or_update(
        **names(definition), gallery_image=wire(body), **polling.FIRST_ANSWER
    )
    await polling.made(azure, begin, what=what, resource_id=str(definition))
    return True


def refuse_other_kind(definition: ResourceId, found: Json, wanted: Json) -> None:
    """Raise ConflictError when the definition that is there is of another kind than the wanted one."""
    if said := definition_differences(found, wanted):
        raise ConflictError(
            f"image definition {definition.name!r} is there already and differs: {'; '.join(said)}",
            hint="Azure cannot change these: choose another name for the pool, or delete that definition",
            status_code=409,
        )


# -- version -----------------------------------------------------------------------------------------------------


async def versions(azure: Azure, definition: ResourceId) -> list[Json]:
    """Return the versions of an image definition; none where it is not there."""
    pages = azure.compute_of(definition).gallery_image_versions.list_by_gallery_image(**names(definition))
    return await azure.listed(pages)


async def seen_versions(azure: Azure, definition: ResourceId) -> list[Json]:
    """Return the versions of an image definition as they were a moment ago; none where it is not there."""
    if await seen_definition(azure, definition) is None:
        return []
    return await read_cache.once(azure, f"{definition}/versions", lambda: versions(azure, definition))


async def read_version(azure: Azure, version: ResourceId) -> Json | None:
    """Return an image version's document, or None."""
    found = await azure.find(azure.compute_of(version).gallery_image_versions.get(**names(version)))
    return None if found is None else document(found)


def version_for(found: list[Json], image: str) -> Json | None:
    """Return the version that bears an image's hash, or None."""
    return next((one for one in found if dig(one, "tags", tags.IMAGE) == image), None)


def replicas_for(spec: PoolSpec, source: Source, region: str) -> dict[str, int]:
    """Return how many replicas of a version each region gets.

    Parameters
    ----------
    spec
        How many nodes will be made of it, and what the researcher wants, which wins.
    source
        Its disks, whose region always gets one.
    region
        The pool's.
    """
    needed = {source.region: 1, region: workload.replicas(spec.nodes + spec.spot)}
    return {**needed, **spec.replicas}


def version_body(source: Source, parts: Parts, regions: Mapping[str, int], tags: Mapping[str, str]) -> Json:
    """Return an image version made of parts, each data disk with its LUN."""
    targets = [{"name": name, "regionalReplicaCount": count} for name, count in regions.items()]
    return {
        "location": source.region,
        "tags": dict(tags),
        "properties": {
            # Pools pin their version, so nobody should come upon this one as "the latest".
            "publishingProfile": {"targetRegions": targets, "excludeFromLatest": True},
            "storageProfile": parts.in_version(),
        },
    }


async def make_version(
    azure: Azure, definition: ResourceId, body: Json, region: str, *, first: bool = False
) -> tuple[Json, bool]:
    """See to it that an image version with the body's hash is there, and that nothing goes on with it in a region.

    Where its copies are is `replication`'s business.

    Parameters
    ----------
    azure, definition
        Where.
    body
        The version; its tags bear the image's hash.
    region
        Where it is waited for.
    first
        Whether its definition was made just now, so that it can have none yet.

    Returns
    -------
    tuple
        The version's document, and whether it was made, and not found.

    Raises
    ------
    ConflictError
        Others took one number after the other, or what is there under ours is not what we sent.
    ProvisioningError
        Azure failed at it.
    """
    image = body["tags"][tags.IMAGE]
    for number in range(NUMBER_TRIES):
        there = [] if first and number == 0 else await versions(azure, definition)
        if (found := version_for(there, image)) is not None:
            known = definition.child("versions", found["name"])
            return _ours(await replication.usable(azure, known, region), body), False
        version = definition.child("versions", f"1.0.{_highest(there) + 1}")
        begin = azure.compute_of(version).gallery_image_versions.begin_create_or_update(
            **names(version), gallery_image_version=wire(body), **polling.FIRST_ANSWER
        )
        try:
            taken = await polling.begun(azure, begin)
        except ConflictError:
            continue  # somebody else was faster with this number: look again what there is
        return _ours(await replication.usable(azure, version, region, taken.retry_after_s), body), True
    raise ConflictError(
        f"others keep making versions of image {definition.name!r}", hint="wait and run the same line again"
    )


def _ours(found: Json, body: Json) -> Json:
    """Return a version when it is what we sent."""
    if dig(found, "tags", tags.IMAGE) != body["tags"][tags.IMAGE] or _sources(found) != _sources(body):
        (_, definition), (_, number) = ResourceId.parse(found["id"]).path[1:]
        raise ConflictError(
            f"image version {number} of {definition!r} was made by somebody else meanwhile",
            hint="run the same line again: it makes the next version",
            status_code=409,
        )
    return found


def _sources(version: Json) -> list[tuple[Any, str]]:
    """Return (LUN, what it was made from) of a version's disks, the OS disk's LUN being None; or the whole's."""
    profile = version["properties"]["storageProfile"]
    whole = dig(profile, "source", "id") or dig(profile, "source", "virtualMachineId")
    if whole:
        return [(None, str(whole).lower())]
    disks = [(None, profile["osDiskImage"]), *((one["lun"], one) for one in profile.get("dataDiskImages") or [])]
    return [(lun, _source(dig(disk, "source") or {})) for lun, disk in disks]


def _source(source: Json) -> str:
    # A blob's address may be of somebody's who put a token into it.
    return str(source.get("id") or source.get("uri") or "").partition("?")[0].lower()


def _highest(found: list[Json]) -> int:
    return max((int(match[1]) for one in found if (match := _NUMBER.fullmatch(one["name"]))), default=-1)


def published(version: Json) -> dt.datetime | None:
    """Return when a version was published."""
    text = dig(version, "properties", "publishingProfile", "publishedDate")
    return dt.datetime.fromisoformat(text) if text else None


# -- deletion ----------------------------------------------------------------------------------------------------


async def delete_version(azure: Azure, version: ResourceId) -> None:
    """Delete an image version and wait until it is gone."""
    begin = azure.compute_of(version).gallery_image_versions.begin_delete(**names(version), **polling.FIRST_ANSWER)
    await polling.deleted(azure, begin, what=f"image version {version.name}", resource_id=str(version))


async def delete_definition(azure: Azure, definition: ResourceId) -> None:
    """Delete an image definition and wait until it is gone."""
    begin = azure.compute_of(definition).gallery_images.begin_delete(**names(definition), **polling.FIRST_ANSWER)
    await polling.deleted(azure, begin, what=f"image definition {definition.name}", resource_id=str(definition))


async def delete_empty(azure: Azure, gallery: ResourceId) -> bool:
    """Delete a gallery of ours that holds nothing any more; tell whether it was deleted."""
    if await azure.listed(
        azure.compute_of(gallery).gallery_images.list_by_gallery(gallery.resource_group, gallery.name)
    ):
        return False
    begin = azure.compute_of(gallery).galleries.begin_delete(
        gallery.resource_group, gallery.name, **polling.FIRST_ANSWER
    )
    try:
        await polling.deleted(azure, begin, what=f"gallery {gallery.name}", resource_id=str(gallery))
    except ServiceError as error:
        if error.status_code != 409:
            raise
        return False  # somebody put an image into it while we looked: it is in use
    return True


def is_ours(gallery: Json | None, account: str) -> bool:
    """Tell whether a gallery was made by this tool for this account."""
    return str(dig(gallery, "tags", tags.ACCOUNT) or "").lower() == account.lower()
