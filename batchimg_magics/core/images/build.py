"""From a road to the image that a pool's nodes are made from: a gallery version, or a managed image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.azure.tags import digest
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.batch.pools import Image
from batchimg_magics.core.compute import galleries, image_versions, managed_images
from batchimg_magics.core.compute.storage_profile import Parts
from batchimg_magics.core.images.origins import Trip, Way
from batchimg_magics.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.steps import Outcome
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.core.images.origins import Road
    from batchimg_magics.resource_ids import ResourceId
    from batchimg_magics.spec import PoolSpec

#: The step that ends in an image, by what it is.
VERSION, MANAGED = "image version", "managed image"


@dataclass(frozen=True)
class Imaging:
    """An image that is wanted, and what there is of it.

    Parameters
    ----------
    azure, spec, road
        Where, what is wanted, by which road.
    revision
        How often it was made anew.
    version
        The image version, where there is one; for a pool straight from a managed image, that one.
    regions
        Region to number of its replicas.
    remains
        Whether something of a run that died is to be put away.
    """

    azure: Azure
    spec: PoolSpec
    road: Road
    revision: int
    version: Json | None
    regions: Mapping[str, int]
    remains: bool = False

    @property
    def hash(self) -> str:
        """What stands for the image."""
        return image_hash(self.road.source, self.road.route, self.revision)

    @cached_property
    def tags(self) -> dict[str, str]:
        """The marks of what is made for it."""
        base = self.road.source.marketplace
        known = {tags.BASE: ":".join(base)} if base else {}
        return {**tags.of_image(self.azure.scope.account, self.spec.name, self.hash, self.revision), **known}

    @property
    def known_id(self) -> str:
        """The image's id, empty where nobody can know it yet."""
        if self.road.pinned:
            return self.road.pinned
        if self.spec.direct:
            return str(self.managed_id)
        return str(self.version["id"]) if self.version else ""

    @property
    def managed_id(self) -> ResourceId:
        """The managed image's id."""
        return managed_images.image_id(self.azure, self.spec.name, self.hash)

    @property
    def step(self) -> str:
        """The name of the step that the image is there after."""
        managed = self.spec.direct or "/images/" in self.road.pinned.lower().partition("/galleries/")[0]
        return MANAGED if managed else VERSION

    @property
    def definition(self) -> ResourceId:
        """The image definition's id."""
        return galleries.definition_id(self.azure, self.spec.name, self.spec.gallery)

    def image(self, done: Mapping[str, Outcome]) -> Image:
        """Return the image, once its step is done."""
        return Image(done[self.step].id or self.known_id, self.hash)

    @cached_property
    def way(self) -> Way:
        """How its parts come about; nothing has to, where the image is there."""
        if self.version is not None or self.road.pinned:
            return Way(Parts(), temporary=self.remains)
        lasting = self.spec.direct or self.spec.via == "managed-image"
        return self.road.way(Trip(self.azure, self.spec.name, self.hash, self.tags, lasting))


async def find(azure: Azure, spec: PoolSpec, road: Road, regions: Mapping[str, int], pinned: str | None) -> Imaging:
    """Read what there is of an image, and refuse what cannot become one. Nothing is changed.

    Parameters
    ----------
    azure, spec, road
        Where, what is wanted, by which road.
    regions
        Region to number of replicas.
    pinned
        Id of the image of the pool that is there, which is preferred; None: there is none.

    Raises
    ------
    SpecError, NotFoundError, ConflictError
        It cannot be made so; nothing was changed.
    """
    if road.pinned:
        return Imaging(azure, spec, road, 0, None, {})
    remains = await road.remains(azure, spec.name)
    first = Imaging(azure, spec, road, 0, None, regions, remains)
    if spec.direct:
        there = await managed_images.read(azure, first.managed_id)
        whole = str(dig(there, "properties", "provisioningState")) == "Succeeded"
        return replace(first, version=there if whole else None)
    there, versions = await concurrency.together(
        galleries.seen_definition(azure, first.definition), image_versions.seen_versions(azure, first.definition)
    )
    if there is not None:
        _refuse_other_definition(azure, first, there)
    revision, version = await _revision(azure, spec, road, versions, pinned)
    return Imaging(azure, spec, road, revision, version, regions, remains)


def _refuse_other_definition(azure: Azure, imaging: Imaging, there: Json) -> None:
    if not tags.is_for(there, imaging.spec.name, azure.scope.account):
        raise ConflictError(
            f"there is an image definition {imaging.spec.name!r} already, and this tool did not make it for this pool",
            hint="choose another name for the pool",
            status_code=409,
        )
    wanted = galleries.definition_body(imaging.spec.name, imaging.road.source, {})
    galleries.refuse_other_kind(imaging.definition, there, wanted)


async def _revision(
    azure: Azure, spec: PoolSpec, road: Road, versions: list[Json], pinned: str | None
) -> tuple[int, Json | None]:
    """Return which making of the image is wanted, and its version where there is one."""
    made = made_before(road, versions)
    if not made:
        return 0, None
    newest = max(made)
    if not spec.new_image:
        used = [number for number, one in made.items() if str(one["id"]).lower() == str(pinned).lower()]
        number = used[0] if used else newest
        return number, made[number]
    moment = image_versions.published(made[newest])
    if moment is not None and await road.changed_since(azure, moment.timestamp()):
        return newest + 1, None
    return newest, made[newest]


def made_before(road: Road, versions: list[Json]) -> dict[int, Json]:
    """Return the versions that were made by a road from its source, by which making of the image they are."""
    return {
        tags.revision_of(one): one
        for one in versions
        if dig(one, "tags", tags.IMAGE) == image_hash(road.source, road.route, tags.revision_of(one))
    }


def image_hash(source: Source, route: str, revision: int = 0) -> str:
    """Return what stands for an image: which VM and disks, by which route, of which kind, made for which time."""
    facts: dict[str, Any] = {
        "vm": [source.id.lower(), source.unique_id],
        "disks": [[disk.lun, disk.id.lower()] for disk in source.disks],
        "route": route,
        "kind": [source.os_type, source.generation, source.architecture, source.security_type],
    }
    return digest(facts | ({"revision": revision} if revision else {}))
