"""`plan`: what `create` would do, how long it takes and what it costs. Everything is read, nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import read_cache
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import Counts, current_or_target
from batchimg_magics.core.base.progress import PlannedStep, total_s
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import machine_request, pool_request
from batchimg_magics.core.batch.pools import PoolImage
from batchimg_magics.core.checks import preflight
from batchimg_magics.core.compute import lineage
from batchimg_magics.core.estimates import prices, storage_prices, workload
from batchimg_magics.core.operations import copies, create
from batchimg_magics.core.operations.runner import known_id, step_rows
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.steps import Step
    from batchimg_magics.core.operations.creation import Creation
    from batchimg_magics.core.operations.plan_file import SavedPlan
    from batchimg_magics.pool_spec.pool import PoolSpec

__all__ = ["plan_table"]


async def plan_table(
    azure: Azure,
    spec: PoolSpec,
    board: Board,
    *,
    replace: bool = False,
    saved: SavedPlan | None = None,
    save: Callable[[Table, Creation], None] | None = None,
) -> Table:
    """Return what `create` would do, one step per row.

    Parameters
    ----------
    azure, spec, board
        The connection, the requested pool, and the progress display.
    replace
        Whether an existing pool that differs would be deleted and created again.
    saved
        The plan that would be carried out; None: there is none.
    save
        Writes the plan to a file; None: it is only shown.

    Raises
    ------
    SpecError, NotFoundError, ConflictError
        `create` could not succeed.
    """
    with read_cache.share_reads():
        found = await create.read_creation(azure, spec, yes=True, replace=replace, saved=saved)
        steps = create.creation_steps(azure, found, board)
        planned, sizes = await concurrency.gather(step_rows(steps), _image_sizes(azure, found))
        if saved is not None:
            saved.refuse_other_steps(planned)
        rates, stored = await concurrency.gather(
            _node_rates(azure, found, sizes), _add_monthly_costs(azure, found, planned, sizes)
        )
    cost = _nodes_usd_per_hour(found, rates)
    planned[-1]["usd_per_hour"] = cost
    if found.first_node:
        _add_first_node(planned[-1], found.spec, found.source.os_type, rates)
    for row in planned:
        row["id"] = known_id(row["id"])
    copies.add_copy_cost(planned, found.copy_cost)
    whole_s = _total_s(steps, {row["step"] for row in planned if row["action"] == "exists"})
    todo = sum(row["action"] != "exists" for row in planned)
    price = f", then {_monthly_text(stored)}{_hourly_text(rates, cost)}"
    steps_text = f"{count_text(todo, 'step')}, about {whole_s / 60:.0f} min"
    caption = f"plan of pool {spec.name}: {steps_text}{price} (dry run){create.timeout_hint(spec)}"
    table = Table.from_rows("plan", planned, caption)
    if save is not None:
        save(table, found)
    return preflight.with_warnings(table, found.findings)


def _total_s(steps: Sequence[Step], done: Collection[str]) -> float:
    """Return the duration of the steps that are not done, in seconds."""
    planned = [PlannedStep(step.name, step.expected_s, tuple(step.after)) for step in steps]
    return total_s(planned, {step.name: 0.0 if step.name in done else step.expected_s or 0.0 for step in steps})


async def _node_rates(azure: Azure, found: Creation, sizes: list[int] | None) -> prices.Rates:
    """Return the cost of a node with its disks, and of the pool's load balancers and addresses."""
    image = found.build
    if image.version is not None or image.origin.pinned:
        return await prices.read_pool_rates(azure, found.body(PoolImage(image.known_id, image.hash)))
    disks = None if sizes is None else prices.node_disks(machine_request.disks_of(found.spec), sizes)
    rates = await prices.read_rates(azure, found.size, found.source.os_type, disks)
    return await prices.with_network(azure, rates, pool_request.network_of(found.spec))


def _nodes_usd_per_hour(found: Creation, rates: prices.Rates) -> float | None:
    """Return the cost of the requested nodes per hour; None if a price is unknown."""
    # `create` never shrinks an existing pool.
    current = Counts() if found.kept_pool is None else current_or_target(found.kept_pool)
    counts = found.counts.maximum(current)
    return rates.known_cost(counts.dedicated, counts.spot)


def _hourly_text(rates: prices.Rates, cost: float | None) -> str:
    """Return what the cost per hour contains, and the cost."""
    if cost is None:
        unknown = "their disks is" if rates.dedicated_usd_per_hour is not None else "the nodes is"
        return f"an unknown cost per hour: the size or price of {unknown} not known"
    return f"{prices.included_text([rates])}: ${cost:,.2f}/h"


def _monthly_text(usd: float | None) -> str:
    """Return the cost of what `create` stores, before the cost per hour; empty if it stores nothing."""
    if usd is None:
        return "an unknown cost of the stored image; "
    return f"stored snapshots and image replicas: at most ${usd:,.2f} a month; " if usd else ""


async def _add_monthly_costs(
    azure: Azure, found: Creation, planned: list[dict[str, Any]], sizes: list[int] | None
) -> float | None:
    """Add to the rows what the kept snapshots and the version cost per month; return the sum, None if it is unknown."""
    gib = None if sizes is None else sum(sizes)
    snapshots = [row for row in planned if "/snapshots/" in row["id"]]
    # The snapshots of the VM itself are temporary where a temporary copy is captured.
    kept = [row for row in snapshots if "temporary" in str(row["why"])] or snapshots
    if kept and gib is not None:
        usd = await storage_prices.version_usd_per_month(azure, gib, {found.source.region: (1, "Standard_LRS")})
        kept[0]["usd_per_month"] = usd
    version = next((row for row in planned if "/versions/" in row["id"]), None)
    if version is not None and not found.build.origin.pinned:
        regions = {region: (count, "Standard_LRS") for region, count in found.build.regions.items()}
        version["usd_per_month"] = await storage_prices.version_usd_per_month(azure, gib, regions)
    costed = [row for row in (*kept[:1], version) if row is not None]
    return prices.sum_or_none(row.get("usd_per_month") for row in costed)


def _add_first_node(row: dict[str, Any], spec: PoolSpec, os_type: str, rates: prices.Rates) -> None:
    """Tell the time and the cost of the first node, in the reason to the row of the nodes, unless they exist."""
    if row["action"] == "exists":
        return
    took_s = workload.start_s(1, os_type)
    usd = prices.usd_for(rates.cost(1, 0) if spec.nodes else rates.cost(0, 1), took_s)
    row["why"] = (
        f"{row['why']}; one node first, about {took_s / 60:.0f} min{'' if usd is None else f' and ${usd:,.2f}'}"
    )


async def _image_sizes(azure: Azure, found: Creation) -> list[int] | None:
    """Return the sizes of the image's disks in GiB, the OS disk first; None if one is unknown."""
    ids = [disk.id for disk in found.source.disks if disk.id.startswith("/")]
    if len(ids) < len(found.source.disks):
        return None  # blobs, whose sizes no resource has
    documents = await concurrency.gather(*(lineage.read_source_document(azure, key) for key in ids))
    sizes = [dig(one, "properties", "diskSizeGB") for one in documents]
    return [int(size) for size in sizes] if sizes and None not in sizes else None
