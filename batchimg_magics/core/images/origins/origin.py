"""What all roads have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.base.steps import Step, step_result
from batchimg_magics.core.compute import snapshots
from batchimg_magics.core.images import temporary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.steps import StepResult
    from batchimg_magics.core.compute.image_source import Source, SourceDisk
    from batchimg_magics.core.compute.storage_profile import StorageProfile
    from batchimg_magics.core.images.temporary import FailedDeletion
    from batchimg_magics.resource_ids import ResourceId

__all__ = ["BuildContext", "BuildPlan", "ImageOrigin", "snapshot_step"]


@dataclass(frozen=True, slots=True)
class BuildContext:
    """One use of a road: for which image of which pool.

    Parameters
    ----------
    azure, pool
        Where, and whose image.
    image
        Its hash.
    tags
        The marks that what is made for it bears.
    lasting
        Whether the parts have to outlive the making of the image: a managed image leans on them as long as it lives.
    """

    azure: Azure
    pool: str
    image: str
    tags: Mapping[str, str]
    keeps_disks: bool = False


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """How the parts of an image come about.

    Parameters
    ----------
    parts
        What the image is made of, once the steps are done.
    steps
        In the order of the table.
    ready
        Names of the steps after which the parts are there.
    temporary
        Whether there are things that are there only for the time being: `Road.tidy` puts them away.
    """

    storage_profile: StorageProfile
    steps: tuple[Step, ...] = ()
    ready_after: tuple[str, ...] = ()
    has_temporary: bool = False


class ImageOrigin(ABC):
    """A road from a source that was found.

    Parameters
    ----------
    source
        What the image is made from.

    Attributes
    ----------
    route
        A word for it, part of the image's hash: it has to stay the same while the road changes its source.
    pinned
        Id of an image that is there already and needs no making; empty where one is made.
    warning
        What may go wrong and does not have to.
    """

    kind: str = ""
    pinned: str = ""
    warning: str = ""

    def __init__(self, source: Source) -> None:
        self.source = source

    @abstractmethod
    def plan(self, context: BuildContext) -> BuildPlan:
        """Return how the parts of the image come about."""

    async def changed_since(self, azure: Azure, moment: float) -> bool:  # noqa: ARG002 - what can change looks
        """Tell whether the source may have changed since a moment: seconds since 1970."""
        return False

    async def has_leftovers(self, azure: Azure, pool: str) -> bool:  # noqa: ARG002 - as above
        """Tell whether something is left of a run that died, which `tidy` would put away."""
        return False

    async def clean_up(self, azure: Azure, pool: str) -> tuple[list[ResourceId], list[FailedDeletion]]:
        """Put away what was there only for the time being; return what went and what did not."""
        return await temporary.delete_temporary(azure, pool)


def snapshot_step(
    context: BuildContext,
    disk: SourceDisk,
    snapshot: ResourceId,
    region: str,
    *,
    after: tuple[str, ...] = (),
    words: str = "",
) -> Step:
    """Return the step that takes a snapshot of a disk."""

    async def take(_: Mapping[str, StepResult]) -> StepResult:
        new = await snapshots.create_snapshot(context.azure, snapshot, disk, region=region, tags=dict(context.tags))
        return step_result(new, f"of {disk.id.rpartition('/')[2]}")

    async def exists() -> bool:
        return await snapshots.read_snapshot(context.azure, snapshot) is not None

    return Step(
        name=f"snapshot of {words}{disk.description}",
        resource=snapshot,
        run=take,
        after=after,
        expected_s=snapshots.SNAPSHOT_EXPECTED_S,
        why="a read-only copy, which the image is made from",
        is_done=exists,
    )
