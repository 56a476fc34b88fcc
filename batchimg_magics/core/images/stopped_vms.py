"""VMs that were stopped for a copy and are not started again: the run that stopped them was interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.compute import virtual_machines
from batchimg_magics.pool_spec.line import magic_word
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

__all__ = ["StoppedVm", "find_stopped", "is_left_stopped", "is_stopped_for", "restart_vm", "stopped_text"]

#: Concurrent reads of VMs.
_MAX_CONCURRENT = 8


@dataclass(frozen=True, slots=True)
class StoppedVm:
    """A VM that this tool stopped.

    Parameters
    ----------
    id, pool
        The VM, and the pool for whose image it was stopped.
    changed_at
        When it was last started or stopped, in seconds since 1970; None: not known.
    region
        Its region.
    """

    id: ResourceId
    pool: str
    changed_at: float | None
    region: str


def is_stopped_for(vm: Json, pool: str) -> bool:
    """Tell whether a VM has the mark of a stop for a pool, and is stopped; a mark on a VM that runs is out of date."""
    return is_left_stopped(vm) and _marked_for(vm, pool)


def is_left_stopped(vm: Json) -> bool:
    """Tell whether a VM's document with its instance view shows a stop by this tool, for whichever pool."""
    power = virtual_machines.power(vm)
    return bool(virtual_machines.tag(vm, tags.STOPPED)) and power not in ("", "running", "starting")


def _marked_for(vm: Json, pool: str) -> bool:
    return str(virtual_machines.tag(vm, tags.STOPPED) or "").lower() == pool.lower()


def stopped_text(vm: Json) -> str:
    """Return that a VM was stopped and how it is started again, as text; empty where it was not."""
    if not is_left_stopped(vm):
        return ""
    pool = virtual_machines.tag(vm, tags.STOPPED)
    return (
        f"VM {vm['name']} was stopped for a copy for pool {pool} and is not started again: repeat that `create`, or "
        f"`%batchimg cleanup --delete --pool {magic_word(pool)} --older-than 0h` starts it"
    )


async def find_stopped(azure: Azure, machines: Iterable[Json], pool: str | None = None) -> list[StoppedVm]:
    """Return those of the VMs that this tool stopped and nobody started since; for one pool, or for all.

    Parameters
    ----------
    azure, machines
        The connection, and the documents of VMs; only those with the mark are read again, for their power state.
    pool
        The pool; None: any.
    """
    marked = [vm for vm in machines if virtual_machines.tag(vm, tags.STOPPED) and (not pool or _marked_for(vm, pool))]
    reads = (virtual_machines.read(azure, ResourceId.parse(vm["id"])) for vm in marked)
    found = await concurrency.gather(*reads, limit=_MAX_CONCURRENT)
    return [
        StoppedVm(
            ResourceId.parse(vm["id"]),
            str(virtual_machines.tag(vm, tags.STOPPED)),
            virtual_machines.changed_at(vm),
            str(vm["location"]),
        )
        for vm in found
        if vm is not None and is_left_stopped(vm)
    ]


async def restart_vm(azure: Azure, vm: ResourceId, pool: str) -> bool:
    """Start a VM that is stopped for a copy for a pool, and remove the mark; return whether it was started."""
    found = await virtual_machines.wait_until_idle(azure, vm)
    if not _marked_for(found, pool):
        return False
    started = is_left_stopped(found) and await virtual_machines.start(azure, vm)
    await virtual_machines.set_tags(azure, vm, {tags.STOPPED: None})
    return started
