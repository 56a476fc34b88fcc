"""Build the image of a pool from an image source: a gallery image version, or a managed image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.azure.tags import digest
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.steps import Step, StepResult, step_result
from batchimg_magics.core.batch.pools import PoolImage
from batchimg_magics.core.compute import galleries, image_versions, managed_images, replication
from batchimg_magics.core.compute.storage_profile import StorageProfile
from batchimg_magics.core.images import temporary
from batchimg_magics.core.images.origins.origin import BuildContext, BuildPlan
from batchimg_magics.errors import ConflictError
from batchimg_magics.pool_spec.tags import MAX_VALUE_LENGTH
from batchimg_magics.resource_ids import NEW_VERSION, ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.core.images.origins.origin import ImageOrigin
    from batchimg_magics.pool_spec.pool import PoolSpec

#: The name of the step that creates the image, by its type.
VERSION, MANAGED = "image version", "managed image"


@dataclass(frozen=True)
class ImageBuild:
    """The build of an image: what is requested, and what exists of it.

    Parameters
    ----------
    azure, spec, origin
        The connection, the spec of the pool, and the image source.
    revision
        How often the image was created again.
    version
        The existing image version, or the existing managed image for ``--direct``; None: there is none.
    regions
        Region to number of replicas.
    has_leftovers
        Whether temporary resources of an earlier run must be deleted.
    """

    azure: Azure
    spec: PoolSpec
    origin: ImageOrigin
    revision: int
    version: Json | None
    regions: Mapping[str, int]
    has_leftovers: bool = False

    @property
    def hash(self) -> str:
        """The hash of the facts that the image is created from."""
        return image_hash(self.origin.source, self.origin.kind, self.revision)

    @cached_property
    def tags(self) -> dict[str, str]:
        """The tags of its resources: those of the connection, those of the spec, and the ownership tags."""
        base = self.origin.source.marketplace
        known = {tags.BASE_IMAGE: ":".join(base)} if base else {}
        if self.origin.vm_id is not None and len(str(self.origin.vm_id)) <= MAX_VALUE_LENGTH:
            known[tags.SOURCE_VM] = str(self.origin.vm_id)
        own = tags.image_tags(self.azure.scope.account, self.spec.name, self.hash, self.revision)
        return tags.combined(self.azure.resource_tags, self.spec.tags, own, known, self.origin.extra_tags)

    @property
    def known_id(self) -> str:
        """The id of the image; empty where it is not known yet."""
        if self.origin.pinned:
            return self.origin.pinned
        if self.spec.direct:
            return str(self.managed_id)
        return str(self.version["id"]) if self.version else ""

    @property
    def managed_id(self) -> ResourceId:
        """The id of the managed image."""
        return managed_images.image_id(self.azure, self.spec.name, self.hash)

    @property
    def temporary_names(self) -> temporary.TemporaryNames:
        """The ids of its temporary resources."""
        return temporary.TemporaryNames(self.azure, self.spec.name, self.hash, self.origin.vm_id)

    @property
    def final_step(self) -> str:
        """The name of the step that ends with the image."""
        managed = self.spec.direct or "/images/" in self.origin.pinned.lower().partition("/galleries/")[0]
        return MANAGED if managed else VERSION

    @property
    def definition(self) -> ResourceId:
        """The id of the image definition."""
        return galleries.definition_id(self.azure, self.spec.name, self.spec.gallery)

    def image(self, done: Mapping[str, StepResult]) -> PoolImage:
        """Return the image, given the results of the steps."""
        return PoolImage(done[self.final_step].id or self.known_id, self.hash)

    @cached_property
    def plan(self) -> BuildPlan:
        """The plan for its disks; empty where the image exists."""
        if self.version is not None or self.origin.pinned:
            return BuildPlan(StorageProfile(), has_temporary=self.has_leftovers)
        keeps_disks = self.spec.direct or self.spec.via == "managed-image"
        return self.origin.plan(BuildContext(self.azure, self.spec.name, self.hash, self.tags, keeps_disks))


async def read_build(
    azure: Azure, spec: PoolSpec, origin: ImageOrigin, regions: Mapping[str, int], pinned: str | None
) -> ImageBuild:
    """Read what exists of an image, and check that it can be built. Nothing is changed.

    Parameters
    ----------
    azure, spec, origin
        The connection, the spec of the pool, and the image source.
    regions
        Region to number of replicas.
    pinned
        Id of the image of the existing pool, which is preferred; None: there is no pool.

    Raises
    ------
    SpecError, NotFoundError, ConflictError
        The image cannot be built like this.
    """
    if origin.pinned:
        return ImageBuild(azure, spec, origin, 0, None, {})
    has_leftovers = await origin.has_leftovers(azure, spec.name)
    first = ImageBuild(azure, spec, origin, 0, None, regions, has_leftovers)
    if spec.direct:
        existing = await managed_images.read(azure, first.managed_id)
        succeeded = str(dig(existing, "properties", "provisioningState")) == "Succeeded"
        return replace(first, version=existing if succeeded else None)
    existing, versions = await concurrency.gather(
        galleries.read_definition_cached(azure, first.definition),
        image_versions.read_versions_cached(azure, first.definition),
    )
    if existing is not None:
        _refuse_other_definition(azure, first, existing)
    revision, version = await _revision(azure, spec, origin, versions, pinned)
    return ImageBuild(azure, spec, origin, revision, version, regions, has_leftovers)


def _refuse_other_definition(azure: Azure, image_build: ImageBuild, existing: Json) -> None:
    name = image_build.spec.name
    if not tags.is_tagged_for(existing, name, azure.scope.account):
        raise ConflictError(
            f"image definition {name!r} already exists, and this tool did not create it for this pool",
            hint="choose another name for the pool",
            status_code=409,
        )
    wanted = galleries.definition_body(name, image_build.origin.source, {})
    galleries.raise_if_other_kind(image_build.definition, existing, wanted)


async def _revision(
    azure: Azure, spec: PoolSpec, origin: ImageOrigin, versions: list[Json], pinned: str | None
) -> tuple[int, Json | None]:
    """Return the requested revision of the image, and its version where it exists."""
    existing = versions_by_revision(origin, versions)
    if not existing:
        return 0, None
    newest = max(existing)
    if not spec.new_image:
        updated = next((one for one in versions if str(one["id"]).lower() == str(pinned).lower()), None)
        for number, one in existing.items():
            # The pool was moved to an update of this image: it keeps it.
            if updated is not None and dig(updated, "tags", tags.ROOT_IMAGE) == dig(one, "tags", tags.IMAGE):
                return number, updated
        used = [number for number, one in existing.items() if str(one["id"]).lower() == str(pinned).lower()]
        number = used[0] if used else newest
        return number, existing[number]
    published = image_versions.published_at(existing[newest])
    if published is not None and await origin.changed_since(azure, published.timestamp()):
        return newest + 1, None
    return newest, existing[newest]


def versions_by_revision(origin: ImageOrigin, versions: list[Json]) -> dict[int, Json]:
    """Return the versions that were built from an image source, by revision."""
    return {
        tags.revision_of(one): one
        for one in versions
        if dig(one, "tags", tags.IMAGE) == image_hash(origin.source, origin.kind, tags.revision_of(one))
    }


def image_hash(source: Source, kind: str, revision: int = 0) -> str:
    """Return the hash of an image: of its source and disks, how it is built, its type, and its revision."""
    facts: dict[str, Any] = {
        "vm": [source.id.lower(), source.unique_id],
        "disks": [[disk.lun, disk.id.lower()] for disk in source.disks],
        "route": kind,
        "kind": [source.os_type, source.generation, source.architecture, source.security_type],
    }
    return digest(facts | ({"revision": revision} if revision else {}))


#: The name of the step that completes the replication to other regions; the pool waits for its own region only.
REPLICAS = "replicas"


#: The name of the step that deletes temporary resources.
TEMPORARY_RESOURCES = "temporary resources"
#: The names of the steps before the image version.
GALLERY, DEFINITION = "gallery", "image definition"


def build_steps(image_build: ImageBuild) -> list[Step]:
    """Return the steps that build an image. `ImageBuild.final_step` names the one that ends with the image."""
    if image_build.origin.pinned:
        return [_existing_image_step(image_build)]
    plan = image_build.plan
    chain = [*plan.steps]
    profile, ready_after = plan.storage_profile, plan.ready_after
    if image_build.spec.direct or (image_build.spec.via == "managed-image" and image_build.version is None):
        step, profile = _managed_step(image_build, profile, ready_after)
        chain, ready_after = [*chain, step], (step.name,)
    if not image_build.spec.direct:
        chain += _gallery_steps(image_build, profile, ready_after)
    # Temporary resources are deleted when every region has its replicas.
    after = tuple(step.name for step in chain if step.name in (image_build.final_step, REPLICAS))
    return [*chain, *([_cleanup_step(image_build, after)] if plan.has_temporary else [])]


def _existing_image_step(image_build: ImageBuild) -> Step:
    async def run(_: Mapping[str, StepResult]) -> StepResult:
        return StepResult("exists", detail=image_build.origin.warning, id=image_build.origin.pinned)

    async def exists() -> bool:
        return True

    return Step(
        image_build.final_step, ResourceId.parse(image_build.origin.pinned), run, why="given by its id", is_done=exists
    )


def _managed_step(
    image_build: ImageBuild, profile: StorageProfile, after: tuple[str, ...]
) -> tuple[Step, StorageProfile]:
    azure, image = image_build.azure, image_build.managed_id

    async def run(done: Mapping[str, StepResult]) -> StepResult:
        if image_build.version is not None:
            return StepResult("exists", id=str(image))
        body = managed_images.image_body(image_build.origin.source, profile, tags_after(image_build, done))
        new = await managed_images.create_image(azure, image, body)
        count = len(profile.disks) - 1
        return step_result(new, f"with {count} data disk{'' if count == 1 else 's'}", str(image))

    async def exists() -> bool:
        return await managed_images.read(azure, image) is not None

    why = "the image of the pool" if image_build.spec.direct else "the source of the image version"
    step = Step(MANAGED, image, run, after, managed_images.EXPECTED_S, why, is_done=exists)
    return step, StorageProfile(image_id=str(image))


def tags_after(image_build: ImageBuild, done: Mapping[str, StepResult]) -> dict[str, str]:
    """Return the tags of an image, with those that the steps before it found out."""
    known = {tags.PACKAGES: image_build.origin.packages} if image_build.origin.packages else {}
    found = {name: value for one in done.values() for name, value in one.image_tags.items()}
    return {**image_build.tags, **known, **found}


def _gallery_steps(image_build: ImageBuild, profile: StorageProfile, ready: tuple[str, ...]) -> list[Step]:
    azure, spec, source = image_build.azure, image_build.spec, image_build.origin.source
    gallery, definition = galleries.gallery_id(azure, spec.gallery), image_build.definition

    async def make_gallery(_: Mapping[str, StepResult]) -> StepResult:
        return step_result(
            await galleries.make_gallery(
                azure, gallery, source.region, adopted=spec.gallery is not None, extra_tags=spec.tags
            )
        )

    async def make_definition(done: Mapping[str, StepResult]) -> StepResult:
        body = galleries.definition_body(spec.name, source, image_build.tags)
        new = await galleries.make_definition(azure, definition, body, first=done[GALLERY].action == "created")
        return step_result(new, f"{source.os_type} {source.generation} {source.architecture} {source.security_type}")

    async def gallery_exists() -> bool:
        return await galleries.read_gallery_cached(azure, gallery) is not None

    async def definition_exists() -> bool:
        return await galleries.read_definition_cached(azure, definition) is not None

    seconds = galleries.EXPECTED_S
    holds, says = "contains the images of the account", "describes the operating system of the image"
    return [
        Step(GALLERY, gallery, make_gallery, (), seconds["gallery"], holds, is_done=gallery_exists),
        Step(
            DEFINITION, definition, make_definition, (GALLERY,), seconds["definition"], says, is_done=definition_exists
        ),
        _version_step(image_build, profile, (DEFINITION, *ready)),
        *([_replicas_step(image_build)] if len(image_build.regions) > 1 else []),
    ]


def _version_step(image_build: ImageBuild, profile: StorageProfile, after: tuple[str, ...]) -> Step:
    azure, known = image_build.azure, image_build.version
    replicas = f"replicas {', '.join(f'{region}={count}' for region, count in image_build.regions.items())}"

    async def run(done: Mapping[str, StepResult]) -> StepResult:
        region = await azure.region()
        if known is not None:
            found, new = await replication.wait_until_usable(azure, ResourceId.parse(known["id"]), region), False
        else:
            all_tags = tags_after(image_build, done)
            body = image_versions.version_body(image_build.origin.source, profile, image_build.regions, all_tags)
            # A temporary copy takes minutes, in which another client can create a version.
            first = done[DEFINITION].action == "created" and not image_build.plan.has_temporary
            found, new = await image_versions.make_version(azure, image_build.definition, body, region, first=first)
        version, changed = ResourceId.parse(found["id"]), ""
        if len(image_build.regions) == 1 or not replication.is_available_in(found, region):
            changed = await replication.complete_replication(azure, version, image_build.regions, found)
        action = "created" if new else "changed" if changed else "exists"
        return StepResult(action, detail=changed or replicas, id=str(version))

    async def exists() -> bool:
        if known is None:
            return False
        found = await replication.read(azure, ResourceId.parse(known["id"]))
        if len(image_build.regions) > 1:
            return replication.is_available_in(found, await azure.region())
        return not replication.missing_regions(found, image_build.regions)

    target = image_build.definition.child("versions", NEW_VERSION) if known is None else ResourceId.parse(known["id"])
    why = f"the image of the nodes, {replicas}"
    return Step(VERSION, target, run, after, galleries.EXPECTED_S["version"], why, is_done=exists)


def _replicas_step(image_build: ImageBuild) -> Step:
    """Return the step that completes the replication to every region; the pool does not wait for it."""
    azure, known = image_build.azure, image_build.version

    async def run(done: Mapping[str, StepResult]) -> StepResult:
        before = done[VERSION]
        changed = await replication.complete_replication(azure, ResourceId.parse(before.id), image_build.regions)
        return StepResult("changed" if changed else before.action, detail=changed, id=before.id)

    async def exists() -> bool:
        if known is None:
            return False
        return not replication.missing_regions(
            await replication.read(azure, ResourceId.parse(known["id"])), image_build.regions
        )

    target = image_build.definition.child("versions", NEW_VERSION) if known is None else ResourceId.parse(known["id"])
    why = "replication to the other regions"
    return Step(REPLICAS, target, run, (VERSION,), galleries.EXPECTED_S["version"], why, is_done=exists)


def _cleanup_step(image_build: ImageBuild, after: tuple[str, ...]) -> Step:
    names = image_build.temporary_names

    async def run(_: Mapping[str, StepResult]) -> StepResult:
        deleted, left = await image_build.origin.clean_up(image_build.azure, image_build.spec.name)
        if left:
            text = "; ".join(f"{one.resource.name}: {one.reason}" for one in left)
            return StepResult("kept", "not deleted", f"run the same command again: {text}")
        return StepResult("deleted", "gone", temporary.resources_text(deleted))

    why = "they cost money and are not needed any more"
    return Step(TEMPORARY_RESOURCES, names.vm, run, after, 60.0, why, "would delete")
