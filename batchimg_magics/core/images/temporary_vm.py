"""The steps of a temporary VM, whatever it is made from: its security group, and the VM in a size that Azure has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base.steps import Step, StepResult, step_result
from batchimg_magics.core.compute import security_groups, virtual_machines
from batchimg_magics.core.images import copy_size
from batchimg_magics.errors import BatchImgError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.images.copy_size import CopySizes
    from batchimg_magics.resource_ids import ResourceId

__all__ = ["VM_STEP", "create_in_some_size", "fence_step", "has_failed", "vm_step"]

#: The name of the step that creates the VM.
VM_STEP = "temporary VM"


def fence_step(azure: Azure, fence: ResourceId, body: Json, why: str) -> Step:
    """Return the step that creates the security group of the VM."""

    async def run(_: Mapping[str, StepResult]) -> StepResult:
        return step_result(await security_groups.create_security_group(azure, fence, body))

    return Step("security group", fence, run, (), security_groups.EXPECTED_S, why)


def vm_step(
    azure: Azure,
    vm: ResourceId,
    before: Sequence[str],
    why: str,
    *,
    is_usable: Callable[[Json], bool],
    discard: Callable[[], Awaitable[None]],
    create: Callable[[], Awaitable[str]],
) -> Step:
    """Return the step that creates the VM, or goes on with the one of an interrupted run.

    Parameters
    ----------
    azure, vm, before, why
        The connection, the id of the VM, the names of the steps before it, and why it is made.
    is_usable
        Tells from the document of a VM that exists whether it can be used.
    discard
        Takes away a VM that cannot be used, and what it may have changed.
    create
        Creates the VM, and returns its size.
    """

    async def run(_: Mapping[str, StepResult]) -> StepResult:
        found = await virtual_machines.read(azure, vm)
        if found is not None and is_usable(found):
            await virtual_machines.wait_until_created(azure, vm)
            return step_result(new=False)
        if found is not None:
            await discard()
        return step_result(new=True, detail=f"{await create()}, no public address")

    async def exists() -> bool:
        return await virtual_machines.read(azure, vm) is not None

    return Step(VM_STEP, vm, run, tuple(before), virtual_machines.EXPECTED_S["make"], why, is_done=exists)


async def create_in_some_size(azure: Azure, vm: ResourceId, sizes: CopySizes, body_of: Callable[[str], Json]) -> str:
    """Create the VM, with another size if Azure has no capacity or quota for one; return the size.

    Parameters
    ----------
    azure, vm
        The connection, and the id of the VM.
    sizes
        The sizes to try.
    body_of
        Returns the body of the request for a size.
    """
    *others, last = sizes.names[: copy_size.MAX_TRIES]
    for size in (*others, last):
        try:
            await virtual_machines.create_vm(azure, vm, body_of(size))
        except BatchImgError as error:
            if size == last or not copy_size.is_size_unavailable(error):
                raise
            # What Azure began to create has the name of the next one.
            await virtual_machines.delete(azure, vm)
        else:
            break
    return size


def has_failed(found: Json) -> bool:
    """Tell whether the creation of a VM failed, or its deletion has begun."""
    return str(dig(found, "properties", "provisioningState")).lower() in ("failed", "canceled", "deleting")
