"""From a VM that is generalized itself. It cannot be used any more after that, so the user has to confirm it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.base.steps import Step, StepResult, step_result
from batchimg_magics.core.compute import virtual_machines
from batchimg_magics.core.images import deprovision
from batchimg_magics.core.images.origins.generalized_vm import VmOrigin, deallocate_step, snapshot_steps
from batchimg_magics.core.images.origins.origin import BuildContext, BuildPlan, ImageOrigin
from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.resource_ids import ResourceId

__all__ = ["find", "generalize_steps"]


class _VmInPlaceOrigin(VmOrigin):
    def plan(self, context: BuildContext) -> BuildPlan:
        steps = generalize_steps(context.azure, self.vm_id, self.source.os_type, context.image)
        taken, profile = snapshot_steps(context, self.source, after=(steps[-1].name,))
        return BuildPlan(profile, (*steps, *taken), tuple(step.name for step in taken))


async def find(azure: Azure, vm: Json, *, yes: bool) -> ImageOrigin:
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
    return _VmInPlaceOrigin(vm, await virtual_machines.read_source(azure, vm))


def generalize_steps(
    azure: Azure, vm: ResourceId, os_type: str, image: str, after: tuple[str, ...] = ()
) -> tuple[Step, ...]:
    """Return the steps that generalize a VM and mark it generalized in Azure."""

    async def take_out(_: Mapping[str, StepResult]) -> StepResult:
        new = await deprovision.deprovision(azure, vm, os_type, image)
        return step_result(
            new, "waagent -deprovision+user" if os_type == "Linux" else "sysprep /generalize", verb="changed"
        )

    async def mark(_: Mapping[str, StepResult]) -> StepResult:
        return step_result(await virtual_machines.generalize(azure, vm), verb="changed")

    why = "nodes of an image that is not generalized are unusable"
    return (
        Step("deprovision", vm, take_out, after, deprovision.EXPECTED_S[os_type], why, planned_action="would change"),
        deallocate_step(azure, vm, "a disk in use cannot be captured consistently", ("deprovision",)),
        Step(
            "generalize",
            vm,
            mark,
            ("deallocate",),
            virtual_machines.EXPECTED_S["generalize"],
            "marks the VM generalized in Azure",
            planned_action="would change",
        ),
    )
