"""What `create` would do, how long that takes and what it will cost: everything is looked at, nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import read_cache
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import Counts, current_or_target
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch.pools import PoolImage
from batchimg_magics.core.checks import preflight
from batchimg_magics.core.compute import lineage
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.operations import create

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.steps import Step
    from batchimg_magics.core.operations.create import Creation
    from batchimg_magics.pool_spec.pool import PoolSpec

__all__ = ["plan_table", "step_rows"]

#: What stands for disks of whose kind nothing is said, as in `pricing`: the dearest that Batch attaches.
_DISK_SKU = "Premium_LRS"


async def plan_table(azure: Azure, spec: PoolSpec, board: Board, *, replace: bool = False) -> Table:
    """Return what `create` would do, one step a row.

    Raises
    ------
    SpecError, NotFoundError, ConflictError
        `create` could not work.
    """
    with read_cache.share_reads():
        found = await create.read_creation(azure, spec, yes=True, replace=replace)
        steps = create.creation_steps(azure, found, board)
        planned, cost = await concurrency.gather(step_rows(steps), _nodes_usd_per_hour(azure, found))
    planned[-1]["usd_per_hour"] = cost
    minutes = _minutes(steps, {row["step"]: row["minutes"] or 0.0 for row in planned})
    todo = sum(row["action"] != "exists" for row in planned)
    price = "" if cost is None else f", then {cost:.2f} USD an hour"
    caption = f"pool {spec.name}: {todo} steps to do, about {minutes:.0f} min{price}; nothing was changed"
    return preflight.with_warnings(Table.from_rows("plan", planned, caption), found.findings)


async def step_rows(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return what is to be done of steps, one a row."""
    done = await concurrency.gather(*(_is_done(step) for step in steps))
    return [_step_row(step, done=one) for step, one in zip(steps, done, strict=True)]


async def _is_done(step: Step) -> bool:
    return step.is_done is not None and await step.is_done()


def _step_row(step: Step, *, done: bool) -> dict[str, Any]:
    return {
        "step": step.name,
        "resource": step.resource.name,
        "action": "exists" if done else step.planned_action,
        "why": step.why or None,
        "minutes": 0.0 if done else None if step.expected_s is None else round(step.expected_s / 60, 1),
        "id": str(step.resource),
    }


def _minutes(steps: Sequence[Step], own: Mapping[str, float]) -> float:
    """Return how long steps take together, each beginning when those that it waits for are over."""
    ends: dict[str, float] = {}
    for step in steps:  # a plan names what a step waits for before the step
        ends[step.name] = max((ends[before] for before in step.after), default=0.0) + own[step.name]
    return max(ends.values(), default=0.0)


async def _nodes_usd_per_hour(azure: Azure, found: Creation) -> float | None:
    """Return what the nodes that are wanted cost an hour with their disks; None where a price is not known."""
    spec, image = found.spec, found.build
    if image.version is not None or image.origin.pinned:
        rates = await prices.read_pool_rates(azure, found.body(PoolImage(image.known_id, image.hash)))
    else:
        rates = await prices.read_rates(azure, found.size, found.source.os_type, await _node_disks(azure, found))
    # A pool that is there keeps what it has: create never shrinks one.
    current = Counts() if found.kept_pool is None else current_or_target(found.kept_pool)
    goal = Counts(spec.nodes, spec.spot).maximum(current)
    return rates.cost(goal.dedicated, goal.spot)


async def _node_disks(azure: Azure, found: Creation) -> list[prices.NodeDisk] | None:
    """Return the disks that each node will have; None where nothing tells how large they are."""
    ids = [disk.id for disk in found.source.disks if disk.id.startswith("/")]
    if len(ids) < len(found.source.disks):
        return None  # of blobs, whose size no resource tells
    documents = await concurrency.gather(*(lineage.read_source_document(azure, key) for key in ids))
    sizes = [dig(one, "properties", "diskSizeGB") for one in documents]
    return [prices.NodeDisk(_DISK_SKU, size) for size in sizes] if sizes and None not in sizes else None
