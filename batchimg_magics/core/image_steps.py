"""The steps to an image, and what is put away when they are done or one of them failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.base.steps import Outcome, Step, made
from batchimg_magics.core.compute import galleries, image_versions, managed_images, replication
from batchimg_magics.core.compute.storage_profile import Parts
from batchimg_magics.core.images import temporary
from batchimg_magics.core.images.build import MANAGED, VERSION
from batchimg_magics.core.images.temporary import Left
from batchimg_magics.errors import BatchImgError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.images.build import Imaging


#: The name of the step that sees the image complete in all of several regions: the pool waits for its own alone.
REPLICAS = "replicas"
#: What an image version lies in.
GALLERY, DEFINITION = "gallery", "image definition"


def steps(imaging: Imaging) -> list[Step]:
    """Return the steps to an image; the last but what is put away is named `Imaging.step`."""
    if imaging.road.pinned:
        return [_pinned_step(imaging)]
    way = imaging.way
    chain = [*way.steps]
    parts, ready = way.parts, way.ready
    if imaging.spec.direct or (imaging.spec.via == "managed-image" and imaging.version is None):
        step, parts = _managed_step(imaging, parts, ready)
        chain, ready = [*chain, step], (step.name,)
    if not imaging.spec.direct:
        chain += _gallery_steps(imaging, parts, ready)
    # What the home region was copied from is put away only when every region has its copies.
    after = tuple(step.name for step in chain if step.name in (imaging.step, REPLICAS))
    return [*chain, *([_tidy_step(imaging, after)] if way.temporary else [])]


def _pinned_step(imaging: Imaging) -> Step:
    async def run(_: Mapping[str, Outcome]) -> Outcome:
        return Outcome("found", detail=imaging.road.warning, id=imaging.road.pinned)

    async def there() -> bool:
        return True

    return Step(imaging.step, ResourceId.parse(imaging.road.pinned), run, why="as you name it", there=there)


def _managed_step(imaging: Imaging, parts: Parts, after: tuple[str, ...]) -> tuple[Step, Parts]:
    azure, image = imaging.azure, imaging.managed_id

    async def run(_: Mapping[str, Outcome]) -> Outcome:
        if imaging.version is not None:
            return Outcome("found", id=str(image))
        new = await managed_images.make(azure, image, managed_images.body(imaging.road.source, parts, imaging.tags))
        count = len(parts.disks) - 1
        return made(new, f"with {count} data disk{'' if count == 1 else 's'}", str(image))

    async def there() -> bool:
        return await managed_images.read(azure, image) is not None

    why = "the pool is made from it" if imaging.spec.direct else "the image version is made from it"
    step = Step(MANAGED, image, run, after, managed_images.EXPECTED_S, why, there=there)
    return step, Parts(whole=str(image))


def _gallery_steps(imaging: Imaging, parts: Parts, ready: tuple[str, ...]) -> list[Step]:
    azure, spec, source = imaging.azure, imaging.spec, imaging.road.source
    gallery, definition = galleries.gallery_id(azure, spec.gallery), imaging.definition

    async def make_gallery(_: Mapping[str, Outcome]) -> Outcome:
        return made(await galleries.make_gallery(azure, gallery, source.region, adopted=spec.gallery is not None))

    async def make_definition(done: Mapping[str, Outcome]) -> Outcome:
        body = galleries.definition_body(spec.name, source, imaging.tags)
        new = await galleries.make_definition(azure, definition, body, first=done[GALLERY].action == "made")
        return made(new, f"{source.os_type} {source.generation} {source.architecture} {source.security_type}")

    async def gallery_there() -> bool:
        return await galleries.read_gallery(azure, gallery) is not None

    async def definition_there() -> bool:
        return await galleries.read_definition(azure, definition) is not None

    seconds = galleries.EXPECTED_S
    holds, says = "holds the account's images", "says what kind of system it is"
    return [
        Step(GALLERY, gallery, make_gallery, (), seconds["gallery"], holds, there=gallery_there),
        Step(DEFINITION, definition, make_definition, (GALLERY,), seconds["definition"], says, there=definition_there),
        _version_step(imaging, parts, (DEFINITION, *ready)),
        *([_replicas_step(imaging)] if len(imaging.regions) > 1 else []),
    ]


def _version_step(imaging: Imaging, parts: Parts, after: tuple[str, ...]) -> Step:
    azure, known = imaging.azure, imaging.version
    replicas = f"replicas {', '.join(f'{region}={count}' for region, count in imaging.regions.items())}"

    async def run(done: Mapping[str, Outcome]) -> Outcome:
        region = region_key(str((await azure.account())["location"]))
        if known is not None:
            found, new = await replication.usable(azure, ResourceId.parse(known["id"]), region), False
        else:
            body = image_versions.version_body(imaging.road.source, parts, imaging.regions, imaging.tags)
            # A throwaway copy takes minutes, in which somebody else may have made a version.
            first = done[DEFINITION].action == "made" and not imaging.way.temporary
            found, new = await image_versions.make_version(azure, imaging.definition, body, region, first=first)
        version, changed = ResourceId.parse(found["id"]), ""
        if len(imaging.regions) == 1 or not replication.is_in(found, region):
            changed = await replication.complete(azure, version, imaging.regions, found)
        action = "made" if new else "changed" if changed else "found"
        return Outcome(action, detail=changed or replicas, id=str(version))

    async def there() -> bool:
        if known is None:
            return False
        found = await replication.read(azure, ResourceId.parse(known["id"]))
        if len(imaging.regions) > 1:
            return replication.is_in(found, region_key(str((await azure.account())["location"])))
        return not replication.lacking(found, imaging.regions)

    target = imaging.definition.child("versions", "new") if known is None else ResourceId.parse(known["id"])
    why = f"what the nodes are made from, {replicas}"
    return Step(VERSION, target, run, after, galleries.EXPECTED_S["version"], why, there=there)


def _replicas_step(imaging: Imaging) -> Step:
    """Return the step that sees the version complete in every region: the pool does not wait for it."""
    azure, known = imaging.azure, imaging.version

    async def run(done: Mapping[str, Outcome]) -> Outcome:
        before = done[VERSION]
        changed = await replication.complete(azure, ResourceId.parse(before.id), imaging.regions)
        return Outcome("changed" if changed else before.action, detail=changed, id=before.id)

    async def there() -> bool:
        if known is None:
            return False
        return not replication.lacking(await replication.read(azure, ResourceId.parse(known["id"])), imaging.regions)

    target = imaging.definition.child("versions", "new") if known is None else ResourceId.parse(known["id"])
    why = "in every region that it should be in"
    return Step(REPLICAS, target, run, (VERSION,), galleries.EXPECTED_S["version"], why, there=there)


# -- what is there only for the time being -------------------------------------------------------------------------


def _tidy_step(imaging: Imaging, after: tuple[str, ...]) -> Step:
    names = temporary.Names(imaging.azure, imaging.spec.name, imaging.hash)

    async def run(_: Mapping[str, Outcome]) -> Outcome:
        gone, left = await imaging.road.tidy(imaging.azure, imaging.spec.name)
        if left:
            said = "; ".join(f"{one.resource.name}: {one.why}" for one in left)
            return Outcome("kept", "left behind", f"the same line tries again: {said}")
        return Outcome("deleted", "gone", temporary.in_words(gone))

    return Step("throwaways", names.vm, run, after, 60.0, "they cost money and have done their work", "would delete")


async def tidy_after_failure(imaging: Imaging) -> list[dict[str, Any]]:
    """Put away what is there only for the time being, once a step failed; return rows of what became of it.

    What a version that is still in the making needs stays: the same line goes on with it.
    """
    azure, pool = imaging.azure, imaging.spec.name
    gone: list[ResourceId] = []
    try:
        if await _in_the_making(imaging):
            kept = await temporary.owned(azure, pool)
            gone, left = (
                [],
                [Left(one, "the image version in the making needs it; the same line goes on") for one in kept],
            )
        else:
            gone, left = await imaging.road.tidy(azure, pool)
    except BatchImgError as error:
        left = [Left(temporary.Names(azure, pool, imaging.hash).vm, error.message)]
    rows: list[dict[str, Any]] = []
    if gone:
        rows.append({"step": "throwaways", "action": "deleted", "state": "gone", "detail": temporary.in_words(gone)})
    rows += [
        {"step": "left behind", "resource": one.resource.name, "action": "kept", "state": "there", "detail": one.why}
        | {"id": str(one.resource)}
        for one in left
    ]
    return rows


async def _in_the_making(imaging: Imaging) -> bool:
    if imaging.spec.direct:
        return False
    version = image_versions.version_for(await image_versions.versions(imaging.azure, imaging.definition), imaging.hash)
    return str(dig(version, "properties", "provisioningState")) in ("Creating", "Updating")
