"""From a VM whose system was deprovisioned: deallocate it, take snapshots of its disks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.base.steps import Outcome, Step, made
from batchimg_magics.core.compute import snapshots, virtual_machines
from batchimg_magics.core.compute.storage_profile import Part, Parts
from batchimg_magics.core.images import temporary
from batchimg_magics.core.images.origins.origin import Road, Trip, Way, snapshot_step
from batchimg_magics.core.images.temporary import Left
from batchimg_magics.errors import BatchImgError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source

__all__ = ["OfVm", "deallocate_step", "find", "snapshots_of", "start_again", "stopped_for"]

#: How long, in seconds, a line that is run again goes on with the image that it made: a VM that runs may change at any
#: moment, and nothing tells whether it did.
FRESH_S = 3600.0


class OfVm(Road):
    """What the roads from a VM have in common.

    Parameters
    ----------
    vm, source
        The VM's document, and what an image of it will be.
    """

    route = "snapshots"

    def __init__(self, vm: Json, source: Source) -> None:
        super().__init__(source)
        self.vm = vm
        self.vm_id = ResourceId.parse(vm["id"])

    async def changed_since(self, azure: Azure, moment: float) -> bool:
        """Tell whether the VM was started or stopped since, or has been running for long."""
        changed = virtual_machines.changed_at(self.vm)
        if changed is not None and changed > moment:
            return True
        return virtual_machines.power(self.vm) == "running" and azure.now() - moment > FRESH_S

    async def has_leftovers(self, azure: Azure, pool: str) -> bool:
        """Tell whether throwaways of a copy are left, or the VM still stands still for one."""
        return stopped_for(self.vm, pool) or bool(await temporary.owned(azure, pool))

    async def clean_up(self, azure: Azure, pool: str) -> tuple[list[ResourceId], list[Left]]:
        """Start the VM again where it was stopped for a copy, and delete the throwaways."""
        gone, left = await super().clean_up(azure, pool)
        try:
            await start_again(azure, self.vm_id, pool)
        except BatchImgError as error:
            left = [*left, Left(self.vm_id, f"it was stopped and could not be started again: {error.message}")]
        return gone, left


class _Prepared(OfVm):
    def plan(self, context: Trip) -> Way:
        steps = []
        if virtual_machines.power(self.vm) != "deallocated":
            steps.append(deallocate_step(context.azure, self.vm_id, "a disk that is written to is no good source"))
        taken, profile = snapshots_of(context, self.source, after=tuple(step.name for step in steps))
        return Way(profile, (*steps, *taken), tuple(step.name for step in taken))


async def find(azure: Azure, vm: Json) -> Road:
    """Return the road from a VM that Azure marks generalized, or of which the researcher says that it is."""
    return _Prepared(vm, await virtual_machines.source(azure, vm))


def stopped_for(vm: Json, pool: str) -> bool:
    """Tell whether a VM was stopped for a copy for a pool, and not started again yet."""
    return virtual_machines.tag(vm, tags.STOPPED) == pool


async def start_again(azure: Azure, vm: ResourceId, pool: str) -> bool:
    """Start a VM that was stopped for a copy; tell whether there was anything to do."""
    if not stopped_for(await virtual_machines.settled(azure, vm), pool):
        return False
    await virtual_machines.start(azure, vm)
    await virtual_machines.mark(azure, vm, {tags.STOPPED: None})
    return True


def deallocate_step(azure: Azure, vm: ResourceId, why: str, after: tuple[str, ...] = ()) -> Step:
    """Return the step that deallocates a VM."""

    async def run(_: Mapping[str, Outcome]) -> Outcome:
        new = await virtual_machines.deallocate(azure, vm)
        return made(new, "it was running" if new else "", verb="changed")

    return Step(
        "deallocate", vm, run, after, virtual_machines.EXPECTED_S["deallocate"], why, planned_action="would change"
    )


def snapshots_of(
    context: Trip, source: Source, after: tuple[str, ...] = (), words: str = ""
) -> tuple[list[Step], Parts]:
    """Return the steps that take lasting snapshots of a source's disks, and the parts that they are."""
    ids = {disk: snapshots.snapshot_id(context.azure, context.pool, context.image, disk) for disk in source.disks}
    step = partial(snapshot_step, context, region=source.region, after=after, words=words)
    profile = Parts(tuple(Part(disk.lun, disk.caching, str(key)) for disk, key in ids.items()))
    return [step(disk, key) for disk, key in ids.items()], profile
