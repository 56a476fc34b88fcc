"""The table of `estimate`: for each VM size and node kind, how many nodes, how long they take, and what they cost."""

from __future__ import annotations

import fnmatch
import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import pools, quotas, vm_sizes
from batchimg_magics.core.estimates import image_needs, network_prices, prices, workload
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.line import magic_word
from batchimg_magics.pool_spec.values import suggest_name
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.quotas import Quota, QuotaUsage
    from batchimg_magics.core.batch.vm_sizes import ImageNeeds
    from batchimg_magics.core.estimates.prices import Rates
    from batchimg_magics.core.estimates.workload import Estimate, Workload

_NOT_ENOUGH = "no number of nodes is enough"
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
        The pool in the commands; if it exists, its image decides which sizes fit, and its disks are part of the cost.
    from_vm
        The VM in the commands; its image decides which sizes fit.
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
    from_vm: str | None = None
    windows: bool = False
    rows: int = 12

    def workload(self, slots: int, *, dedicated: bool) -> Workload:
        """Return the workload for nodes of a kind."""
        rate = 0.0 if dedicated else self.evictions_per_hour
        return workload.Workload(self.tasks, self.minutes * 60, slots, rate)

    def best_estimate(
        self, work: Workload, rate: float | None, quota_nodes: int | None, network: Callable[[int], float]
    ) -> Estimate | None:
        """Return the best number of nodes; None where no number is enough, or a needed price is not known.

        With a budget, the number is limited by the quotas; where that is too few, it is computed without them.
        """
        if self.budget_usd is not None:
            if rate is None:
                return None
            buy = partial(
                workload.nodes_for_budget,
                work,
                self.budget_usd,
                rate,
                deadline_s=self.deadline_s or math.inf,
                network=network,
            )
            return (buy(most=quota_nodes) if quota_nodes else None) or buy()
        return workload.nodes_for_deadline(work, self.deadline_s or 0.0, rate, network)


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
            f"a deadline of {_duration(query.deadline_s)} is shorter than a node takes to start: "
            f"about {workload.start_s(1) / 60:.0f} min",
            hint="give a later --deadline",
        )
    found, left, pool = await concurrency.gather(
        vm_sizes.read_sizes(azure),
        quotas.read_usage(azure, but_for=query.name),
        _read_pool(azure, query),
    )
    needs = await _read_needs(azure, query, pool)
    wanted, dropped = _matching_sizes(found, query, needs)
    priced = await _rates(azure, wanted, query, pool, needs)
    _raise_if_no_price(query, priced)
    rows = [
        _row(size, rates, kind, query, left, pool)
        for size, rates in zip(wanted, priced, strict=True)
        for kind in query.kinds
    ]
    _raise_if_too_short(query, rows)
    own = str(dig(pool, "properties", "vmSize") or "").lower()
    rows.sort(
        key=lambda row: (
            row["vm_size"].lower() != own,
            not row["fits"],
            row["usd"] is None,
            row["usd"] or 0.0,
            row["makespan_minutes"] or 0.0,
        )
    )
    fitting = sum(1 for row in rows if row["fits"])
    aim = " and ".join(_aim_words(query))
    shown = _shown_rows(rows, query, own)
    fit = f"{fitting} of {count_text(len(rows), 'option')} fit"
    caption = f"{count_text(query.tasks, 'task')} of {query.minutes:g} min {aim}: {fit}"
    if len(shown) < len(rows):
        caption += f", {len(shown)} are shown (--rows)"
    caption += f"; usd: {prices.included_text(priced)}"
    if dropped:
        caption += f"; left out: {', '.join(f'{count} ({why})' for why, count in dropped.items())}"
    return Table.from_rows(
        "estimate",
        shown,
        caption,
        evictions_per_hour=query.evictions_per_hour,
        options=len(rows),
        left_out=dropped,
    )


async def _read_pool(azure: Azure, query: SizingQuery) -> Json | None:
    return await pools.read(azure, query.name) if query.name else None


async def _read_needs(azure: Azure, query: SizingQuery, pool: Json | None) -> ImageNeeds | None:
    """Return what the image of the VM or the pool needs; None where no image is named, or it cannot be read."""
    if query.from_vm is not None:
        return await image_needs.read_vm_needs(azure, query.from_vm)
    return None if pool is None else await image_needs.read_pool_needs(azure, pool)


def _shown_rows(rows: list[dict[str, Any]], query: SizingQuery, own: str) -> list[dict[str, Any]]:
    """Return so many rows that differ: the pool's own size, the best of each kind and series, and what else fits."""
    named = [{**row, "series": _series(row["vm_size"]), "own": row["vm_size"].lower() == own} for row in rows]
    chosen: dict[int, None] = dict.fromkeys(index for index, row in enumerate(named) if row["own"])
    _add_first_of_each(chosen, named, ("own", "kind"))
    _add_first_of_each(chosen, named, ("own", "kind", "series"))
    for index in (index for index, row in enumerate(named) if row["fits"]):
        chosen.setdefault(index)
    _add_first_of_each(chosen, named, ("kind", "series", "vcpus"))
    _add_first_of_each(chosen, named, ("kind", "vm_size"))
    return [rows[index] for index in sorted(list(chosen)[: query.rows])]


def _add_first_of_each(chosen: dict[int, None], rows: list[dict[str, Any]], alike: tuple[str, ...]) -> None:
    """Choose the first of all rows that have the same values."""
    seen = set()
    for index, row in enumerate(rows):
        if (group := tuple(row[name] for name in alike)) not in seen:
            seen.add(group)
            chosen.setdefault(index)


def _series(vm_size: str) -> str:
    """Return what a VM size is made for, as its name begins: D general purpose, E memory, F compute."""
    return vm_size.removeprefix("Standard_")[:1]


def _raise_if_too_short(query: SizingQuery, rows: list[dict[str, Any]]) -> None:
    """Say once that one task takes too long, where that is so on nodes of all kinds."""
    if query.deadline_s is None or any(row.get("nodes") for row in rows):
        return
    limits = {row["limit"] for row in rows}
    shortest_s = min(
        workload.start_s(1) + query.workload(1, dedicated=kind == "dedicated").effective_task_s for kind in query.kinds
    )
    if shortest_s > query.deadline_s and all(limit.startswith(_NOT_ENOUGH) for limit in limits):
        raise SpecError(
            f"a deadline of {_duration(query.deadline_s)} is too short: one task and the start of its node take "
            f"{shortest_s / 60:,.0f} min",
            hint="give a later --deadline, or split the tasks into shorter ones",
        )


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.4g} h" if seconds >= 3600 else f"{seconds / 60:.3g} min"


def _aim_words(query: SizingQuery) -> list[str]:
    deadline = [] if query.deadline_s is None else [f"within {_duration(query.deadline_s)}"]
    return deadline + ([] if query.budget_usd is None else [f"for ${query.budget_usd:,.2f}"])


def _matching_sizes(
    found: list[Json], query: SizingQuery, needs: ImageNeeds | None
) -> tuple[list[Json], dict[str, int]]:
    """Return the VM sizes that a pattern matches, else the suitable ones; and how many were left out, by the reason.

    Sizes that the image does not boot on are left out, and without a pattern those that Azure retires.
    """
    if query.vm_size is not None:
        pattern = query.vm_size.lower()
        matched = [size for size in found if fnmatch.fnmatchcase(str(size["name"]).lower(), pattern)]
        if not matched:
            raise SpecError(
                f"Batch offers no VM size {query.vm_size!r} in the account's region",
                hint=suggest_name(query.vm_size, [str(size["name"]) for size in found]),
            )
    else:
        matched = [size for size in found if _is_suitable(size, query)]
    reasons = [_misfit(size, query, needs, matched) for size in matched]
    fitting = [size for size, reason in zip(matched, reasons, strict=True) if not reason]
    if not fitting:
        raise SpecError(
            f"no VM size fits: {'; '.join(sorted(set(reasons)))}",
            hint="omit --vm-size: then the sizes that the image boots on are shown",
        )
    return fitting, dict(Counter(reason for reason in reasons if reason))


def _is_suitable(size: Json, query: SizingQuery) -> bool:
    """Return whether a size is shown without a pattern: one for general purposes."""
    family = str(size.get("familyName") or "").lower().removeprefix("standard").strip()
    return vm_sizes.vcpus(size) >= max(2, query.slots or 1) and family[:2] not in _SPECIAL


def _misfit(size: Json, query: SizingQuery, needs: ImageNeeds | None, matched: list[Json]) -> str:
    """Return why a size is left out; empty if it is shown."""
    can = vm_sizes.capabilities(size)
    if needs is not None:
        if reason := needs.misfit(can):
            return reason
        if query.vm_size is None and needs.lacks_temporary_disk(can):
            return "no temporary disk, and the OS disk is small"
    # Without an image, most are for x64: Arm64 sizes are shown only if the pattern means no others.
    elif vm_sizes.architecture(size) != "x64" and any(vm_sizes.architecture(one) == "x64" for one in matched):
        return "Arm64: name a pool or --from-vm"
    return "Azure retires them" if query.vm_size is None and vm_sizes.end_of_size(size) else ""


async def _rates(
    azure: Azure, sizes: list[Json], query: SizingQuery, pool: Json | None, needs: ImageNeeds | None
) -> list[Rates]:
    machine = dig(pool, "properties", "deploymentConfiguration", "virtualMachineConfiguration")
    disks = await prices.read_node_disks(azure, machine) if machine else ()
    os_type = "Windows" if query.windows else needs.os_type if needs else "Linux"
    calls = (prices.read_rates(azure, str(size["name"]), os_type, disks) for size in sizes)
    found = await concurrency.gather(*calls, limit=AT_ONCE)
    network = await network_prices.read_network_rates(azure, dig(pool, "properties", "networkConfiguration"))
    return [replace(one, network=network) for one in found]


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
    most = None if tightest is None else tightest.free // max(1, vcpus)
    best = query.best_estimate(load, rate, most, partial(_network_cost, rates))
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
        return {**row, "limit": _no_number_text(load, rate, query)}
    cores, ends = best.nodes * vcpus, vm_sizes.end_of_size(size)
    fits = tightest is None or cores <= tightest.free
    limits = [] if fits or tightest is None else [_shortfall_text(tightest, load, vcpus, best)]
    limits += [f"Azure retires the size on {ends}"] if ends else []
    return {
        **row,
        "nodes": best.nodes,
        "cores": cores,
        "start_minutes": round(best.start_s / 60, 1),
        "makespan_minutes": round(best.makespan_s / 60, 1),
        "usd": best.usd,
        "fits": fits,
        "limit": "; ".join(limits) or None,
        "command": _create_command(query, name, best.nodes, pool, dedicated=dedicated),
    }


def _network_cost(rates: Rates, nodes: int) -> float:
    """Return the cost of the load balancers and addresses of a pool per hour; where it is not known, 0."""
    return (rates.network.cost(nodes, 0) if rates.network else 0.0) or 0.0


def _no_number_text(load: Workload, rate: float | None, query: SizingQuery) -> str:
    """Return why no number of nodes is enough."""
    if rate is None and query.budget_usd is not None:
        return "no price available"
    shortest_s = workload.start_s(1) + load.effective_task_s
    if query.deadline_s is not None and shortest_s > query.deadline_s:
        return f"{_NOT_ENOUGH}: one task and the start of its node take {shortest_s / 60:,.0f} min"
    return _NOT_ENOUGH


def _shortfall_text(quota: Quota, work: Workload, vcpus: int, best: Estimate) -> str:
    """Return how much of the quota the option needs, as text."""
    text = f"{quota.name}: {best.nodes * vcpus:,} needed, {quota.free:,} of {quota.limit:,} free"
    nodes = quota.free // vcpus
    if not nodes:
        return text
    return (
        f"{text}; {count_text(nodes, 'node')} would take {workload.estimate(work, nodes, None).makespan_s / 3600:.1f} h"
    )


def _create_command(query: SizingQuery, size: str, nodes: int, pool: Json | None, *, dedicated: bool) -> str:
    counts = f"--nodes {nodes}" if dedicated else f"--spot {nodes}"
    if pool is None or query.from_vm is not None:
        name = query.name if pool is None and query.name else "NAME"
        origin = f"--from-vm {magic_word(query.from_vm or 'VM')}"
        return f"%batchimg create {magic_word(name)} {origin} --vm-size {magic_word(size)} {counts}"
    if str(dig(pool, "properties", "vmSize")).lower() == size.lower():
        return f"%batchimg resize {magic_word(query.name)} {counts}"
    # A pool's size cannot change: another pool from the same image.
    image = pools.image_of(pool)
    origin = f"--from-version {magic_word(image)}" if image and "/versions/" in image.lower() else "--from-vm VM"
    return f"%batchimg create NEW_POOL {origin} --vm-size {magic_word(size)} {counts}"
