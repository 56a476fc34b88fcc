"""The options of `estimate`: number of nodes, time and cost for each VM size and node type."""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import pools, quotas, vm_sizes
from batchimg_magics.core.estimates import prices, workload
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.quotas import Quota, QuotaUsage
    from batchimg_magics.core.estimates.prices import Rates
    from batchimg_magics.core.estimates.workload import Estimate, Workload

#: VM sizes whose prices are read at the same time.
AT_ONCE = 8
#: Prefixes of VM families for special hardware (GPU, HPC): shown only if the pattern names them.
_SPECIAL = ("nc", "nd", "ng", "nv", "np", "hb", "hc", "hx")


@dataclass(frozen=True, slots=True)
class SizingQuery:
    """The workload, and the limits of the estimate.

    Parameters
    ----------
    tasks, minutes
        Number of tasks, and minutes per task.
    slots
        Tasks that run on a node at the same time; None: one per vCPU.
    deadline_s, budget_usd
        The limits in seconds and US dollars; at least one is given.
    vm_size
        A pattern of VM sizes, e.g. ``Standard_D*s_v5``; None: all general-purpose sizes.
    kinds
        ``dedicated``, ``spot`` or both.
    evictions_per_hour
        Evictions of a spot node per hour.
    name
        The pool in the commands; if it exists, the disks of its image are part of the cost.
    windows
        Whether the nodes run Windows.
    rows
        Number of options to show.
    """

    tasks: int
    minutes: float
    slots: int | None = None
    deadline_s: float | None = None
    budget_usd: float | None = None
    vm_size: str | None = None
    kinds: tuple[str, ...] = ("dedicated", "spot")
    evictions_per_hour: float = workload.EVICTIONS_PER_HOUR
    name: str | None = None
    windows: bool = False
    rows: int = 12

    def workload(self, slots: int, *, dedicated: bool) -> Workload:
        """Return the workload for nodes of a kind."""
        rate = 0.0 if dedicated else self.evictions_per_hour
        return workload.Workload(self.tasks, self.minutes * 60, slots, rate)

    def best_estimate(self, work: Workload, rate: float | None, quota_nodes: int | None) -> Estimate | None:
        """Return the best number of nodes; None where no number is enough, or a needed price is not known.

        With a budget, the number is limited by the quotas; where that is too few, it is computed without them.
        """
        if self.budget_usd is not None:
            if rate is None:
                return None
            buy = partial(
                workload.nodes_for_budget, work, self.budget_usd, rate, deadline_s=self.deadline_s or math.inf
            )
            return (buy(most=quota_nodes) if quota_nodes else None) or buy()
        return workload.nodes_for_deadline(work, self.deadline_s or 0.0, rate)


async def list_options(azure: Azure, query: SizingQuery) -> Table:
    """Return the options, the cheapest that fits first.

    Raises
    ------
    SpecError
        No number of nodes is enough: the deadline is shorter than the start of a node, or the budget is below the cost
        of one node for an hour.
    """
    if query.deadline_s is not None and query.deadline_s <= workload.start_s(1):
        raise SpecError(
            f"a deadline of {query.deadline_s / 60:.1f} min is shorter than a node takes to start: "
            f"about {workload.start_s(1) / 60:.0f} min",
            hint="give a later --deadline",
        )
    found, left, pool = await concurrency.gather(
        vm_sizes.read_sizes(azure),
        quotas.read_usage(azure, but_for=query.name),
        pools.read(azure, query.name) if query.name else _no_value(),
    )
    wanted = _matching_sizes(found, query)
    priced = await _rates(azure, wanted, query, pool)
    _raise_if_no_price(query, priced)
    rows = [
        _row(size, rates, kind, query, left, pool)
        for size, rates in zip(wanted, priced, strict=True)
        for kind in query.kinds
    ]
    rows.sort(key=lambda row: (not row["fits"], row["usd"] is None, row["usd"] or 0.0, row["makespan_minutes"] or 0.0))
    fitting = sum(1 for row in rows if row["fits"])
    aim = " and ".join(_aim_words(query))
    return Table.from_rows(
        "size",
        rows[: query.rows],
        f"{query.tasks:,} tasks of {query.minutes:g} min {aim}: {fitting} of {len(rows)} options fit",
        evictions_per_hour=query.evictions_per_hour,
        options=len(rows),
    )


async def _no_value() -> None:
    return None


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.4g} h" if seconds >= 3600 else f"{seconds / 60:.3g} min"


def _aim_words(query: SizingQuery) -> list[str]:
    deadline = [] if query.deadline_s is None else [f"within {_duration(query.deadline_s)}"]
    return deadline + ([] if query.budget_usd is None else [f"for ${query.budget_usd:,.2f}"])


def _matching_sizes(found: list[Json], query: SizingQuery) -> list[Json]:
    """Return the VM sizes that a pattern matches; without a pattern, the suitable ones."""
    if query.vm_size is not None:
        pattern = query.vm_size.lower()
        named = [size for size in found if fnmatch.fnmatchcase(str(size["name"]).lower(), pattern)]
        if not named:
            raise SpecError(
                f"Batch offers no VM size {query.vm_size!r} in the account's region",
                hint=suggest_name(query.vm_size, [str(size["name"]) for size in found]),
            )
        return named
    return [
        size
        for size in found
        if vm_sizes.vcpus(size) >= max(2, query.slots or 1)
        and not size.get("batchSupportEndOfLife")
        and str(size.get("familyName") or "").lower().removeprefix("standard").strip()[:2] not in _SPECIAL
        and vm_sizes.architecture(size) == "x64"
    ]


async def _rates(azure: Azure, sizes: list[Json], query: SizingQuery, pool: Json | None) -> list[Rates]:
    machine = dig(pool, "properties", "deploymentConfiguration", "virtualMachineConfiguration")
    disks = await prices.read_node_disks(azure, machine) if machine else ()
    os_type = "Windows" if query.windows else "Linux"
    calls = (prices.read_rates(azure, str(size["name"]), os_type, disks) for size in sizes)
    return list(await concurrency.gather(*calls, limit=AT_ONCE))


def _raise_if_no_price(query: SizingQuery, priced: list[Rates]) -> None:
    known = [
        rate
        for rates in priced
        for kind in query.kinds
        if (rate := rates.node_usd_per_hour(dedicated=kind == "dedicated")) is not None
    ]
    if query.budget_usd is not None and known and query.budget_usd < min(known):
        raise SpecError(
            f"a budget of ${query.budget_usd:,.2f} is less than the cost of one node for an hour: "
            f"the cheapest costs ${min(known):,.3f}",
            hint="give a larger --budget, or smaller nodes with --vm-size",
        )


def _row(
    size: Json, rates: Rates, kind: str, query: SizingQuery, usage: QuotaUsage, pool: Json | None
) -> dict[str, Any]:
    dedicated = kind == "dedicated"
    name, vcpus = str(size["name"]), vm_sizes.vcpus(size)
    slots = query.slots or max(1, vcpus)
    load, rate = query.workload(slots, dedicated=dedicated), rates.node_usd_per_hour(dedicated=dedicated)
    tightest = next(iter(usage.headroom(size).binding(dedicated=dedicated)), None)
    best = query.best_estimate(load, rate, None if tightest is None else tightest.free // max(1, vcpus))
    row: dict[str, Any] = {
        "vm_size": name,
        "kind": kind,
        "vcpus": vcpus,
        "memory_gib": vm_sizes.memory_gib(size),
        "slots": slots,
        "cores_free": None if tightest is None else tightest.free,
        "usd_per_node_hour": rate,
        "fits": False,
        "makespan_minutes": None,
        "usd": None,
    }
    if best is None:
        why = "no price available" if rate is None and query.budget_usd is not None else "no number of nodes is enough"
        return {**row, "limit": why}
    cores = best.nodes * vcpus
    fits = tightest is None or cores <= tightest.free
    return {
        **row,
        "nodes": best.nodes,
        "cores": cores,
        "start_minutes": round(best.start_s / 60, 1),
        "makespan_minutes": round(best.makespan_s / 60, 1),
        "usd": best.usd,
        "fits": fits,
        "limit": None if fits or tightest is None else _shortfall_text(tightest, load, vcpus, best),
        "line": _create_command(query, name, best.nodes, pool, dedicated=dedicated),
    }


def _shortfall_text(quota: Quota, work: Workload, vcpus: int, best: Estimate) -> str:
    """Return how much of the quota the option needs, as text."""
    text = f"{quota.name}: {best.nodes * vcpus} needed, {quota.free} of {quota.limit} available"
    nodes = quota.free // vcpus
    if not nodes:
        return text
    return f"{text}; {nodes} nodes would take {workload.estimate(work, nodes, None).makespan_s / 3600:.1f} h"


def _create_command(query: SizingQuery, size: str, nodes: int, pool: Json | None, *, dedicated: bool) -> str:
    counts = f"--nodes {nodes}" if dedicated else f"--spot {nodes}"
    if pool is not None and str(dig(pool, "properties", "vmSize")).lower() == size.lower():
        return f"%batchimg resize {query.name} {counts}"
    return f"%batchimg create {query.name or 'NAME'} --from-vm VM --vm-size {size} {counts}"
