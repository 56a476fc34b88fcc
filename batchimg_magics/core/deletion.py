"""What `delete` takes away: a pool and, where asked, all that was made for its image, each after what needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from batchimg_magics.core import capture, galleries, managed_images, marks, pools, throwaways, waiting
from batchimg_magics.core.steps import Outcome, Step
from batchimg_magics.errors import NotFoundError
from batchimg_magics.resource_ids import ResourceId, same
from batchimg_magics.spec import closest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from batchimg_magics.core.azure import Azure, Json


@dataclass(frozen=True, slots=True)
class Deletion:
    """What `delete` found.

    Parameters
    ----------
    name
        The pool's.
    pool
        Its document, where it is there.
    chains
        Its image definitions, each with its versions, as far as they bear our marks for this pool.
    gallery
        The account's own gallery, where it is ours and one of the definitions is in it.
    images, throwaways, snapshots
        Managed images, what a capture that died left, and snapshots with our marks for this pool.
    """

    name: str
    pool: Json | None
    chains: list[tuple[Json, list[Json]]] = field(default_factory=list)
    gallery: Json | None = None
    images: list[Json] = field(default_factory=list)
    throwaways: list[ResourceId] = field(default_factory=list)
    snapshots: list[Json] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to delete."""
        return self.pool is None and not (self.chains or self.images or self.throwaways or self.snapshots)


async def look(azure: Azure, name: str, *, image: bool) -> Deletion:
    """Read what there is of a pool and, where asked, of its image.

    Raises
    ------
    NotFoundError
        There is neither.
    """
    pool = await pools.read(azure, name)
    found = await _with_image(azure, name, pool) if image else Deletion(name, pool)
    if found.nothing:
        known = [one["name"] for one in await pools.listed(azure)]
        what = "nor anything of its image" if image else "so there is nothing to delete"
        raise NotFoundError(
            f"there is no pool {name!r}, {what}",
            hint=closest(name, known) or "`%batchimg pools` lists what there is",
            status_code=404,
            code="PoolNotFound",
        )
    return found


async def _with_image(azure: Azure, name: str, pool: Json | None) -> Deletion:
    gallery_id = galleries.gallery_id(azure)
    definitions, gallery, images, remains, snapshots = await waiting.together(
        galleries.owned(azure, name),
        galleries.read_gallery(azure, gallery_id),
        managed_images.owned(azure, name),
        throwaways.owned(azure, name),
        capture.owned(azure, name),
    )
    versions = await waiting.together(*(galleries.versions(azure, ResourceId.parse(one["id"])) for one in definitions))
    chains = [
        (definition, [one for one in found if marks.is_for(one, name)])
        for definition, found in zip(definitions, versions, strict=True)
    ]
    own = any(same(str(galleries.gallery_of(one)), str(gallery_id)) for one, _ in chains)
    going = {str(one).lower() for one in remains}
    return Deletion(
        name=name,
        pool=pool,
        chains=chains,
        # A gallery that was there before is never ours to delete; ours goes when nothing else is in it.
        gallery=gallery if galleries.is_ours(gallery, azure.scope.account) and (own or not chains) else None,
        images=images,
        throwaways=remains,
        snapshots=[one for one in snapshots if str(one["id"]).lower() not in going],
    )


def steps(azure: Azure, found: Deletion) -> list[Step]:
    """Return the steps that take a pool and its image away: each after what needs it.

    Snapshots come last: as long as one is there, running the same line again finds that there is work left.
    """
    chain: list[Step] = []

    def then(batch: Sequence[tuple[str, ResourceId, Callable[[ResourceId], Awaitable[bool | None]]]]) -> None:
        """Add what goes at once, when all before it is gone."""
        after = tuple(step.name for step in chain)
        chain.extend(_deletion(name, resource, after, delete) for name, resource, delete in batch)

    if found.pool is not None:
        then([("pool", azure.scope.pool_id(found.name), lambda _: pools.delete(azure, found.name))])
    several = len(found.chains) > 1
    for definition, versions in found.chains:
        of = f" of {galleries.gallery_of(definition).name}" if several else ""
        delete_version = partial(galleries.delete_version, azure)
        then([(f"image version {one['name']}{of}", ResourceId.parse(one["id"]), delete_version) for one in versions])
        delete_definition = partial(galleries.delete_definition, azure)
        then([(f"image definition{of}", ResourceId.parse(definition["id"]), delete_definition)])
    if found.gallery is not None:
        then([("gallery", ResourceId.parse(found.gallery["id"]), partial(galleries.delete_empty, azure))])
    delete_image = partial(managed_images.delete, azure)
    then([(f"managed image {one['name']}", ResourceId.parse(one["id"]), delete_image) for one in found.images])
    for kinds in throwaways.ORDER:
        batch = [one for one in found.throwaways if throwaways.kind_of(one) in kinds]
        then([(f"throwaway {throwaways.words(one)}", one, partial(throwaways.delete, azure)) for one in batch])
    delete_snapshot = partial(capture.delete, azure)
    then([(f"snapshot {one['name']}", ResourceId.parse(one["id"]), delete_snapshot) for one in found.snapshots])
    return chain


def _deletion(
    name: str, resource: ResourceId, after: tuple[str, ...], delete: Callable[[ResourceId], Awaitable[bool | None]]
) -> Step:
    async def run(_: Mapping[str, Outcome]) -> Outcome:
        if await delete(resource) is False:
            return Outcome("kept", "in use", "holds other images")
        return Outcome("deleted", "gone")

    return Step(name, resource, run, after, galleries.EXPECTED_S["delete version"] if "version" in name else None)
