"""From a VM that is not modified: a temporary copy of it is generalized.

The steps: snapshots of the disks, copies of the disks, a VM on the copies behind a security group, generalize it inside
the VM, deallocate it, mark it generalized. Its disks are the disks of the image. Temporary resources are deleted when
the image exists and when a step fails.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base.steps import Step, StepResult, step_result
from batchimg_magics.core.compute import disks, network_interfaces, security_groups, snapshots, virtual_machines
from batchimg_magics.core.compute.storage_profile import ImageDisk, StorageProfile
from batchimg_magics.core.images import copy_size, deprovision, temporary, temporary_vm
from batchimg_magics.core.images.deprovision import Deprovisioning
from batchimg_magics.core.images.origins.generalized_vm import VmOrigin, snapshot_steps
from batchimg_magics.core.images.origins.origin import BuildContext, BuildPlan, ImageOrigin, snapshot_step
from batchimg_magics.core.images.origins.vm_in_place import generalize_steps
from batchimg_magics.core.images.stopped_vms import is_stopped_for, restart_vm
from batchimg_magics.core.images.temporary import TemporaryNames
from batchimg_magics.pool_spec.line import magic_word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source, SourceDisk
    from batchimg_magics.pool_spec.pool import PoolSpec

__all__ = ["VmCopyOrigin", "find"]

#: The name of the step that creates the VM.
COPY_STEP = "temporary VM"
_STOP_STEP = "stop VM"


class VmCopyOrigin(VmOrigin):
    """A VM of which a temporary copy is generalized.

    Parameters
    ----------
    vm, source
        The VM's document, and the properties of the source.
    subnet
        The id of the subnet of the copy.
    spec
        The requested pool, with the options of the copy.
    """

    def __init__(self, vm: Json, source: Source, subnet: str, spec: PoolSpec) -> None:
        super().__init__(vm, source)
        self.subnet = subnet
        self.stop = spec.stop
        self.asked_size = spec.copy_size
        # Sysprep leaves accounts in any case.
        self.keep_users = spec.keep_users and source.os_type == "Linux"
        # Consistent disks make another image than disks of a running VM, and so do accounts that are kept.
        self.kind = ("copy of the stopped VM" if spec.stop else "copy") + (", users kept" if self.keep_users else "")

    def plan(self, context: BuildContext) -> BuildPlan:
        """Return the steps that produce the disks of the image."""
        names = TemporaryNames(context.azure, context.pool, context.image, self.vm_id)
        work = replace(context, tags=temporary.temporary_tags(context.tags))
        # A mark of an earlier stop never stops a VM that runs.
        was_stopped = is_stopped_for(self.vm, context.pool)
        stopping = self.stop and (was_stopped or virtual_machines.power(self.vm) == "running")
        stop = [self._stop_step(context, names)] if stopping else []
        taken = [
            snapshot_step(work, disk, names.snapshot(disk), self.source.region, after=_names(stop))
            for disk in self.source.disks
        ]
        start = [self._start_step(context, taken)] if stopping or was_stopped else []
        copies = [self._copy_step(work, names, disk) for disk in self.source.disks]
        fence = self._fence_step(work, names)
        machine = self._vm_step(work, names, [*copies, fence])
        wanted = Deprovisioning(names.vm, self.source.os_type, context.image, self.keep_users)
        last = generalize_steps(context.azure, wanted, after=(machine.name,))
        steps, ready = [*stop, *taken, *start, *copies, fence, machine, *last], _names(last[-1:])
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
                return StepResult("exists", detail="the snapshots exist")
            # The tag is set first: whatever happens after it, the same command starts the VM again.
            await virtual_machines.set_tags(context.azure, self.vm_id, {tags.STOPPED: context.pool})
            return step_result(
                await virtual_machines.deallocate(context.azure, self.vm_id),
                "until the snapshots exist",
                verb="changed",
            )

        why = "consistent snapshots"
        return Step(
            _STOP_STEP,
            self.vm_id,
            run,
            (),
            virtual_machines.EXPECTED_S["deallocate"],
            why,
            planned_action="would change",
            leaves=f"VM {self.vm_id.name} is stopped: the same command starts it again, and so does "
            f"`%batchimg cleanup --delete --pool {magic_word(context.pool)} --older-than 0h`",
        )

    def _start_step(self, context: BuildContext, taken: Sequence[Step]) -> Step:
        async def run(_: Mapping[str, StepResult]) -> StepResult:
            return step_result(await restart_vm(context.azure, self.vm_id, context.pool), verb="changed")

        seconds, why = virtual_machines.EXPECTED_S["start"], "the VM is not modified"
        return Step("start VM again", self.vm_id, run, _names(taken), seconds, why, "would change", undoes=_STOP_STEP)

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

    def _fence_step(self, temporary_context: BuildContext, names: TemporaryNames) -> Step:
        body = security_groups.fence_body(self.source.region, dict(temporary_context.tags))
        why = "the copy is a clone: it reaches Azure only, so that it does nothing twice"
        return temporary_vm.fence_step(temporary_context.azure, names.fence, body, why)

    def _vm_step(self, temporary_context: BuildContext, names: TemporaryNames, before: Sequence[Step]) -> Step:
        return temporary_vm.vm_step(
            temporary_context.azure,
            names.vm,
            _names(before),
            f"it is generalized instead of {self.source.name}",
            is_usable=lambda found: self._is_usable(found, temporary_context.image),
            discard=partial(self._recreate_disks, temporary_context, names),
            create=partial(self._create_vm, temporary_context, names),
        )

    def _is_usable(self, found: Json, image: str) -> bool:
        """Tell whether the copy of an interrupted run can be used: it was created, and its disks are known.

        It has the tag of a scheduled command from the beginning: while it is created, none was sent.
        """
        if str(dig(found, "properties", "provisioningState")).lower() == "creating":
            return True
        is_lost = deprovision.is_unproven(found, image) or deprovision.is_unlisted(found, image)
        return not temporary_vm.has_failed(found) and not is_lost

    async def _recreate_disks(self, temporary_context: BuildContext, names: TemporaryNames) -> None:
        """Delete the copy, and create its disks again: the copy may have changed them."""
        azure, copy_tags = temporary_context.azure, dict(temporary_context.tags)
        await virtual_machines.delete(azure, names.vm)
        for disk in self.source.disks:
            await disks.create_disk(
                azure, names.disk(disk), names.snapshot(disk), region=self.source.region, tags=copy_tags
            )

    async def _create_vm(self, temporary_context: BuildContext, names: TemporaryNames) -> str:
        """Create the copy in a size that Azure has, and return the size.

        It has the tag of a scheduled command from the beginning: nobody else stops it.
        """
        azure = temporary_context.azure
        sizes = await copy_size.read_copy_sizes(azure, self.vm, self.source, self.asked_size)
        copy_size.raise_if_unusable(sizes, self.vm_id)
        copy_tags = {**temporary_context.tags, tags.DEPROVISIONING: temporary_context.image}

        def body(size: str) -> Json:
            return temporary.vm_body(
                self.vm, self.source, names, size=size, subnet=self.subnet, resource_tags=copy_tags
            )

        return await temporary_vm.create_in_some_size(azure, names.vm, sizes, body)


def _names(steps: Sequence[Step]) -> tuple[str, ...]:
    return tuple(step.name for step in steps)


async def find(azure: Azure, vm: Json, spec: PoolSpec) -> ImageOrigin:
    """Return the image source for a VM of which a copy is generalized."""
    source = await virtual_machines.read_source(azure, vm)
    return VmCopyOrigin(vm, source, spec.copy_subnet or await network_interfaces.subnet_of(azure, vm), spec)
