"""From a generalized VM: deallocate it and create snapshots of its disks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.base.steps import Step, StepResult, step_result
from batchimg_magics.core.compute import snapshots, virtual_machines
from batchimg_magics.core.compute.storage_profile import ImageDisk, StorageProfile
from batchimg_magics.core.images import temporary
from batchimg_magics.core.images.origins.origin import BuildContext, BuildPlan, ImageOrigin, snapshot_step
from batchimg_magics.core.images.stopped_vms import restart_vm
from batchimg_magics.core.images.temporary import FailedDeletion
from batchimg_magics.errors import BatchImgError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source

__all__ = ["VmOrigin", "deallocate_step", "find", "snapshot_steps"]

#: Seconds for which the same command uses the image that it created: a running VM can change at any time, and Azure
#: does not show it.
FRESH_S = 3600.0


class VmOrigin(ImageOrigin):
    """The base class of image sources that are VMs.

    Parameters
    ----------
    vm, source
        The VM's document, and the properties of the source.
    """

    kind = "snapshots"

    def __init__(self, vm: Json, source: Source) -> None:
        super().__init__(source)
        self.vm = vm
        self.vm_id: ResourceId = ResourceId.parse(vm["id"])

    async def changed_since(self, azure: Azure, moment: float) -> bool:
        """Tell whether the VM was started or stopped since, or has been running for long."""
        changed = virtual_machines.changed_at(self.vm)
        if changed is not None and changed > moment:
            return True
        return virtual_machines.power(self.vm) == "running" and azure.now() - moment > FRESH_S

    async def has_leftovers(self, azure: Azure, pool: str) -> bool:
        """Tell whether temporary resources exist, or the VM is still stopped for a copy."""
        # Also a mark that is out of date is removed.
        return bool(virtual_machines.tag(self.vm, tags.STOPPED)) or await temporary.has_temporary(
            azure, pool, self.vm_id
        )

    async def clean_up(self, azure: Azure, pool: str) -> tuple[list[ResourceId], list[FailedDeletion]]:
        """Start the VM again where it was stopped for a copy, and delete temporary resources."""
        stopped = await self.restart(azure, pool)  # first: the other work may fail
        deleted, failed = await super().clean_up(azure, pool)
        return deleted, [*failed, *stopped]

    async def restart(self, azure: Azure, pool: str) -> list[FailedDeletion]:
        """Start the VM again where it was stopped for a copy."""
        try:
            await restart_vm(azure, self.vm_id, pool)
        except BatchImgError as error:
            return [FailedDeletion(self.vm_id, f"it was stopped and cannot be started again: {error.message}")]
        return []


class _GeneralizedVmOrigin(VmOrigin):
    def plan(self, context: BuildContext) -> BuildPlan:
        steps = []
        if virtual_machines.power(self.vm) != "deallocated":
            steps.append(deallocate_step(context.azure, self.vm_id, "a disk in use cannot be captured consistently"))
        taken, profile = snapshot_steps(context, self.source, after=tuple(step.name for step in steps))
        return BuildPlan(profile, (*steps, *taken), tuple(step.name for step in taken))


async def find(azure: Azure, vm: Json) -> ImageOrigin:
    """Return the image source for a VM that Azure marks generalized or that the user declares generalized."""
    origin = _GeneralizedVmOrigin(vm, await virtual_machines.read_source(azure, vm))
    packages = virtual_machines.tag(vm, tags.PACKAGES)
    # An earlier run generalized it, and wrote the list: since then it cannot be started any more.
    if packages and virtual_machines.tag(vm, tags.DEPROVISIONED) and virtual_machines.is_generalized(vm):
        origin.packages = packages
    return origin


def deallocate_step(azure: Azure, vm: ResourceId, why: str, after: tuple[str, ...] = ()) -> Step:
    """Return the step that deallocates a VM."""

    async def run(_: Mapping[str, StepResult]) -> StepResult:
        new = await virtual_machines.deallocate(azure, vm)
        return step_result(new, "it was running" if new else "", verb="changed")

    return Step(
        "deallocate", vm, run, after, virtual_machines.EXPECTED_S["deallocate"], why, planned_action="would change"
    )


def snapshot_steps(
    context: BuildContext, source: Source, after: tuple[str, ...] = (), words: str = ""
) -> tuple[list[Step], StorageProfile]:
    """Return the steps that create snapshots of a source's disks, and the storage profile of the snapshots."""
    ids = {disk: snapshots.snapshot_id(context.azure, context.pool, context.image, disk) for disk in source.disks}
    step = partial(snapshot_step, context, region=source.region, after=after, words=words)
    profile = StorageProfile(tuple(ImageDisk(disk.lun, disk.caching, str(key)) for disk, key in ids.items()))
    return [step(disk, key) for disk, key in ids.items()], profile
