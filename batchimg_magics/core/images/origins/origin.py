"""The base class of image sources, and what they share."""

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
    """The image that is built from an image source.

    Parameters
    ----------
    azure, pool
        The connection, and the name of the pool.
    image
        The hash of the image.
    tags
        The ownership tags of its resources.
    keeps_disks
        Whether the disks must be kept after the build: a managed image needs them as long as it exists.
    """

    azure: Azure
    pool: str
    image: str
    tags: Mapping[str, str]
    keeps_disks: bool = False


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """The steps that produce the disks of an image.

    Parameters
    ----------
    storage_profile
        The disks of the image after the steps.
    steps
        In the order of the table.
    ready_after
        Names of the steps after which the disks exist.
    has_temporary
        Whether the steps create temporary resources, which `ImageOrigin.clean_up` deletes.
    """

    storage_profile: StorageProfile
    steps: tuple[Step, ...] = ()
    ready_after: tuple[str, ...] = ()
    has_temporary: bool = False


class ImageOrigin(ABC):
    """An image source, with the steps that build an image from it.

    Parameters
    ----------
    source
        The properties of the source.

    Attributes
    ----------
    kind
        A word that is part of the image's hash. Changing it makes existing images unknown.
    pinned
        Id of an existing image that is used as it is; empty where an image is built.
    warning
        A text about a possible failure; empty for none.
    vm_id
        The VM that it is; None if it is no VM.
    extra_tags
        Further tags of the image and of its other resources.
    packages
        The value of the tag ``batchimg-packages`` of the image, where it is known before; otherwise empty.
    """

    kind: str = ""
    pinned: str = ""
    warning: str = ""
    vm_id: ResourceId | None = None
    packages: str = ""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.extra_tags: Mapping[str, str] = {}

    @abstractmethod
    def plan(self, context: BuildContext) -> BuildPlan:
        """Return the steps that produce the disks of the image."""

    async def changed_since(self, azure: Azure, moment: float) -> bool:  # noqa: ARG002 - sources that can change use it
        """Tell whether the source may have changed since a time (seconds since 1970)."""
        return False

    async def has_leftovers(self, azure: Azure, pool: str) -> bool:  # noqa: ARG002 - as above
        """Tell whether temporary resources of an earlier run exist, which `clean_up` would delete."""
        return False

    async def clean_up(self, azure: Azure, pool: str) -> tuple[list[ResourceId], list[FailedDeletion]]:
        """Delete temporary resources; return the deleted ones and those that could not be deleted."""
        return await temporary.delete_temporary(azure, pool, self.vm_id)

    async def restart(self, azure: Azure, pool: str) -> list[FailedDeletion]:  # noqa: ARG002 - as above
        """Start a VM again that was stopped for the image; return it with the reason where that fails."""
        return []


def snapshot_step(
    context: BuildContext,
    disk: SourceDisk,
    snapshot: ResourceId,
    region: str,
    *,
    after: tuple[str, ...] = (),
    words: str = "",
) -> Step:
    """Return the step that creates a snapshot of a disk."""

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
        why="a read-only copy, the source of the image",
        is_done=exists,
    )
