"""From a VM that is not modified: a temporary copy of it is generalized.

The steps: snapshots of the disks, copies of the disks, a VM on the copies, generalize it inside the VM, deallocate it,
mark it generalized. Its disks are the disks of the image. Temporary resources are deleted when the image exists and
when a step fails.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.base.steps import Step, StepResult, step_result
from batchimg_magics.core.batch import vm_sizes
from batchimg_magics.core.compute import disks, network_interfaces, snapshots, virtual_machines
from batchimg_magics.core.compute.storage_profile import ImageDisk, StorageProfile
from batchimg_magics.core.images import temporary
from batchimg_magics.core.images.origins.generalized_vm import VmOrigin, is_stopped_for, restart_vm, snapshot_steps
from batchimg_magics.core.images.origins.origin import BuildContext, BuildPlan, ImageOrigin, snapshot_step
from batchimg_magics.core.images.origins.vm_in_place import generalize_steps
from batchimg_magics.core.images.temporary import TemporaryNames

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source, SourceDisk

__all__ = ["find"]


class _VmCopyOrigin(VmOrigin):
    def __init__(self, vm: Json, source: Source, subnet: str, *, stop: bool) -> None:
        super().__init__(vm, source)
        self.subnet = subnet
        self.stop = stop
        # Consistent disks make another image than disks of a running VM.
        self.kind = "copy of the stopped VM" if stop else "copy"

    def plan(self, context: BuildContext) -> BuildPlan:
        names = TemporaryNames(context.azure, context.pool, context.image)
        work = replace(context, tags=temporary.temporary_tags(context.tags))
        stopping = is_stopped_for(self.vm, context.pool) or (self.stop and virtual_machines.power(self.vm) == "running")
        stop = [self._stop_step(context, names)] if stopping else []
        taken = [
            snapshot_step(work, disk, names.snapshot(disk), self.source.region, after=_names(stop))
            for disk in self.source.disks
        ]
        start = [self._start_step(context, taken)] if stopping else []
        copies = [self._copy_step(work, names, disk) for disk in self.source.disks]
        machine = self._vm_step(work, names, copies)
        last = generalize_steps(context.azure, names.vm, self.source.os_type, context.image, after=(machine.name,))
        steps, ready = [*stop, *taken, *start, *copies, machine, *last], _names(last[-1:])
        copied = [replace(disk, id=str(names.disk(disk))) for disk in self.source.disks]
        profile = StorageProfile(tuple(ImageDisk(disk.lun, disk.caching, disk.id) for disk in copied))
        if context.keeps_disks:
            source = replace(self.source, disks=tuple(copied))
            kept, profile = snapshot_steps(context, source, after=ready, words="the temporary VM's ")
            steps, ready = [*steps, *kept], _names(kept)
        return BuildPlan(profile, tuple(steps), ready, has_temporary=True)

    def _stop_step(self, context: BuildContext, names: TemporaryNames) -> Step:
        async def run(_: Mapping[str, StepResult]) -> StepResult:
            for disk in self.source.disks:
                if await snapshots.read_snapshot(context.azure, names.snapshot(disk)) is None:
                    break
            else:
                return StepResult("found", detail="the snapshots exist")
            # The tag is set first: whatever happens after it, the same command starts the VM again.
            await virtual_machines.set_tags(context.azure, self.vm_id, {tags.STOPPED: context.pool})
            return step_result(
                await virtual_machines.deallocate(context.azure, self.vm_id),
                "until the snapshots exist",
                verb="changed",
            )

        why = "consistent snapshots"
        return Step(
            "stop VM",
            self.vm_id,
            run,
            (),
            virtual_machines.EXPECTED_S["deallocate"],
            why,
            planned_action="would change",
        )

    def _start_step(self, context: BuildContext, taken: Sequence[Step]) -> Step:
        async def run(_: Mapping[str, StepResult]) -> StepResult:
            return step_result(await restart_vm(context.azure, self.vm_id, context.pool), verb="changed")

        seconds, why = virtual_machines.EXPECTED_S["start"], "the VM is not modified"
        return Step("start VM again", self.vm_id, run, _names(taken), seconds, why, planned_action="would change")

    def _copy_step(self, temporary_context: BuildContext, names: TemporaryNames, disk: SourceDisk) -> Step:
        target, snapshot = names.disk(disk), names.snapshot(disk)

        async def run(_: Mapping[str, StepResult]) -> StepResult:
            new = await disks.create_disk(
                temporary_context.azure, target, snapshot, region=self.source.region, tags=dict(temporary_context.tags)
            )
            return step_result(new, f"of {snapshot.name}")

        async def exists() -> bool:
            return await disks.read_disk(temporary_context.azure, target) is not None

        before = (f"snapshot of {disk.description}",)
        why = "a disk of the temporary VM"
        return Step(f"copy of {disk.description}", target, run, before, disks.DISK_EXPECTED_S, why, is_done=exists)

    def _vm_step(self, temporary_context: BuildContext, names: TemporaryNames, copies: Sequence[Step]) -> Step:
        async def run(_: Mapping[str, StepResult]) -> StepResult:
            size = await vm_sizes.smallest_matching_size(temporary_context.azure, self.vm, self.source)
            body = temporary.vm_body(
                self.vm, self.source, names, size=size, subnet=self.subnet, resource_tags=dict(temporary_context.tags)
            )
            return step_result(
                await virtual_machines.create_vm(temporary_context.azure, names.vm, body), f"{size}, no public address"
            )

        async def exists() -> bool:
            return await virtual_machines.read(temporary_context.azure, names.vm) is not None

        why = f"it is generalized instead of {self.source.name}"
        return Step(
            "temporary VM", names.vm, run, _names(copies), virtual_machines.EXPECTED_S["make"], why, is_done=exists
        )


def _names(steps: Sequence[Step]) -> tuple[str, ...]:
    return tuple(step.name for step in steps)


async def find(azure: Azure, vm: Json, *, stop: bool) -> ImageOrigin:
    """Return the image source for a VM of which a copy is generalized."""
    return _VmCopyOrigin(
        vm, await virtual_machines.read_source(azure, vm), await network_interfaces.subnet_of(azure, vm), stop=stop
    )
