"""From a VM that is generalized itself. It cannot be used any more after that, so the user has to confirm it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.base.steps import Step, StepResult, step_result
from batchimg_magics.core.compute import virtual_machines
from batchimg_magics.core.images import deprovision, deprovision_scripts
from batchimg_magics.core.images.deprovision import Deprovisioned, Deprovisioning
from batchimg_magics.core.images.origins.generalized_vm import VmOrigin, deallocate_step, snapshot_steps
from batchimg_magics.core.images.origins.origin import BuildContext, BuildPlan, ImageOrigin
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.line import shell_word
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.pool_spec.pool import PoolSpec
    from batchimg_magics.resource_ids import ResourceId

__all__ = ["find", "generalize_steps"]


class _VmInPlaceOrigin(VmOrigin):
    def __init__(self, vm: Json, source: Source, spec: PoolSpec) -> None:
        super().__init__(vm, source)
        self.spec = spec
        # Sysprep leaves accounts in any case.
        self.keep_users = spec.keep_users and source.os_type == "Linux"
        self.kind = self.kind + (", users kept" if self.keep_users else "")

    def plan(self, context: BuildContext) -> BuildPlan:
        wanted = Deprovisioning(
            self.vm_id, self.source.os_type, context.image, self.keep_users, _next_lines(self.vm_id, self.spec)
        )
        left = f"VM {self.vm_id.name} is perhaps generalized, and runs until it stops by itself: {wanted.hint}"
        steps = generalize_steps(context.azure, wanted, leaves=left)
        taken, profile = snapshot_steps(context, self.source, after=(steps[-1].name,))
        return BuildPlan(profile, (*steps, *taken), tuple(step.name for step in taken))


def _next_lines(vm: ResourceId, spec: PoolSpec) -> str:
    """Return how to go on after an interruption."""
    line = spec.create_line(generalized=True, capture=None, keep_users=None, yes=None)
    return (
        f"run the same command again; or, if the VM has stopped by itself, go on with "
        f"`az vm deallocate --ids {shell_word(vm)}` and {line}"
    )


async def find(azure: Azure, vm: Json, spec: PoolSpec, *, yes: bool) -> ImageOrigin:
    """Return the image source for a VM that is generalized itself.

    Raises
    ------
    SpecError
        The user has not confirmed it.
    """
    if not yes:
        raise SpecError(
            f"--capture in-place generalizes VM {vm['name']!r} itself: accounts and keys on it are lost, and it "
            "cannot be started again",
            hint="add --yes to confirm; or leave out --capture: a temporary copy is generalized instead",
        )
    return _VmInPlaceOrigin(vm, await virtual_machines.read_source(azure, vm), spec)


def generalize_steps(
    azure: Azure, wanted: Deprovisioning, after: tuple[str, ...] = (), leaves: str = ""
) -> tuple[Step, ...]:
    """Return the steps that generalize a VM and mark it generalized in Azure.

    Parameters
    ----------
    azure, wanted
        The connection, and what is done to which VM.
    after
        Names of the steps that must finish first.
    leaves
        What a user is told who interrupts the work.
    """
    vm = wanted.vm

    async def take_out(_: Mapping[str, StepResult]) -> StepResult:
        done = await deprovision.deprovision(azure, wanted)
        told, note = _packages_text(done)
        return StepResult(
            "changed" if done.new else "exists",
            detail=f"{wanted.words}; the VM stopped by itself; {told}",
            image_tags={tags.PACKAGES: done.packages} if done.packages else {},
            note=note,
        )

    async def mark(_: Mapping[str, StepResult]) -> StepResult:
        return step_result(await virtual_machines.generalize(azure, vm), verb="changed")

    ends = f"the VM must stop by itself within {wanted.deadline_s / 60:.0f} min"
    why = f"the list of its packages is written; {wanted.words}; {ends}"
    seconds = deprovision_scripts.EXPECTED_S[wanted.os_type]
    return (
        Step("generalize OS", vm, take_out, after, seconds, why, planned_action="would change", leaves=leaves),
        deallocate_step(azure, vm, "a disk in use cannot be captured consistently", ("generalize OS",)),
        Step(
            "mark as generalized",
            vm,
            mark,
            ("deallocate",),
            virtual_machines.EXPECTED_S["generalize"],
            "tells Azure that the VM is generalized",
            planned_action="would change",
        ),
    )


def _packages_text(done: Deprovisioned) -> tuple[str, str]:
    """Return what is known of the packages, for the table; and for the caption what is not, empty for nothing."""
    if not done.packages:
        lost = "the list of packages was not written, or the run-command did not return what it printed about it"
        return lost, f"its packages are not known: {lost}"
    count, _, sha256 = done.packages.partition(":")
    told = f"{count_text(int(count), 'package')}, sha256 {sha256[:12]}"
    note = f"of its packages, not read: {', '.join(done.not_read)}" if done.not_read else ""
    return "; ".join(filter(None, [told, note])), note
