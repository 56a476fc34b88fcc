"""What `size` answers: for each VM size and kind of node that could do the work, how many, until when, for how much."""

from __future__ import annotations

import asyncio
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
from batchimg_magics.pool_spec import closest

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.quotas import Quota, Standing
    from batchimg_magics.core.estimates.prices import Rates
    from batchimg_magics.core.estimates.workload import Estimate, Load

#: How many sizes are priced at once.
AT_ONCE = 8
#: Vendors' words in a family's name for processors that only some software uses: shown when they are asked for.
_SPECIAL = ("nc", "nd", "ng", "nv", "np", "hb", "hc", "hx")


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be done, and within what.

    Parameters
    ----------
    tasks, minutes
        How many tasks, and how long one takes.
    slots
        How many run on a node at once; None: one a vCPU.
    deadline_s, budget_usd
        What binds; one at least is given.
    vm_size
        Pattern of VM sizes, e.g. ``Standard_D*s_v5``; None: all of general use.
    kinds
        ``dedicated``, ``spot`` or both.
    evictions_per_hour
        How often a spot node is taken away.
    name
        The pool that the lines name; where it is there, its image's disks are counted.
    windows
        Whether the nodes run Windows.
    rows
        How many options to show.
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

    def load(self, slots: int, *, dedicated: bool) -> Load:
        """Return the work as nodes of a kind see it."""
        rate = 0.0 if dedicated else self.evictions_per_hour
        return workload.Load(self.tasks, self.minutes * 60, slots, rate)

    def best(self, load: Load, rate: float | None, room: int | None) -> Estimate | None:
        """Return the number of nodes that answers the question; None where none does, or no price is known.

        A budget buys as many nodes as the quotas have room for; where that is too few, what it would buy without them.
        """
        if self.budget_usd is not None:
            if rate is None:
                return None
            buy = partial(workload.for_budget, load, self.budget_usd, rate, deadline_s=self.deadline_s or math.inf)
            return (buy(most=room) if room else None) or buy()
        return workload.for_deadline(load, self.deadline_s or 0.0, rate)


async def table(azure: Azure, question: Question) -> Table:
    """Return the options, the cheapest that fits first.

    Raises
    ------
    SpecError
        No number of nodes could do it: the deadline is shorter than a node's start, the budget below a node-hour.
    """
    if question.deadline_s is not None and question.deadline_s <= workload.start_s(1):
        raise SpecError(
            f"a deadline of {question.deadline_s / 60:.1f} min is shorter than a node takes to start: "
            f"about {workload.start_s(1) / 60:.0f} min",
            hint="give a later --deadline",
        )
    found, left, pool = await concurrency.together(
        vm_sizes.sizes(azure),
        quotas.standing(azure, but_for=question.name),
        pools.read(azure, question.name) if question.name else _nothing(),
    )
    wanted = _fitting(found, question)
    priced = await _rates(azure, wanted, question, pool)
    _refuse_budget(question, priced)
    rows = [
        _row(size, rates, kind, question, left, pool)
        for size, rates in zip(wanted, priced, strict=True)
        for kind in question.kinds
    ]
    rows.sort(key=lambda row: (not row["fits"], row["usd"] is None, row["usd"] or 0.0, row["makespan_minutes"] or 0.0))
    fitting = sum(1 for row in rows if row["fits"])
    aim = " and ".join(_aims(question))
    return Table.of(
        "size",
        rows[: question.rows],
        f"{question.tasks:,} tasks of {question.minutes:g} min {aim}: {fitting} of {len(rows)} options fit",
        evictions_per_hour=question.evictions_per_hour,
        options=len(rows),
    )


async def _nothing() -> None:
    return None


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.4g} h" if seconds >= 3600 else f"{seconds / 60:.3g} min"


def _aims(question: Question) -> list[str]:
    deadline = [] if question.deadline_s is None else [f"within {_duration(question.deadline_s)}"]
    return deadline + ([] if question.budget_usd is None else [f"for ${question.budget_usd:,.2f}"])


def _fitting(found: list[Json], question: Question) -> list[Json]:
    """Return the sizes that could do the work; all that a pattern names."""
    if question.vm_size is not None:
        pattern = question.vm_size.lower()
        named = [size for size in found if fnmatch.fnmatchcase(str(size["name"]).lower(), pattern)]
        if not named:
            raise SpecError(
                f"Batch offers no VM size {question.vm_size!r} in the account's region",
                hint=closest(question.vm_size, [str(size["name"]) for size in found]),
            )
        return named
    return [
        size
        for size in found
        if vm_sizes.vcpus(size) >= max(2, question.slots or 1)
        and not size.get("batchSupportEndOfLife")
        and str(size.get("familyName") or "").lower().removeprefix("standard").strip()[:2] not in _SPECIAL
        and vm_sizes.architecture(size) == "x64"
    ]


async def _rates(azure: Azure, sizes: list[Json], question: Question, pool: Json | None) -> list[Rates]:
    machine = dig(pool, "properties", "deploymentConfiguration", "virtualMachineConfiguration")
    disks = await prices.disks_of(azure, machine) if machine else ()
    os_type = "Windows" if question.windows else "Linux"
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(size: Json) -> Rates:
        async with gate:
            return await prices.rates(azure, str(size["name"]), os_type, disks)

    return list(await concurrency.together(*(one(size) for size in sizes)))


def _refuse_budget(question: Question, priced: list[Rates]) -> None:
    known = [
        rate
        for rates in priced
        for kind in question.kinds
        if (rate := rates.node(dedicated=kind == "dedicated")) is not None
    ]
    if question.budget_usd is not None and known and question.budget_usd < min(known):
        raise SpecError(
            f"a budget of ${question.budget_usd:,.2f} does not pay one node for an hour: "
            f"the cheapest costs ${min(known):,.3f}",
            hint="give a larger --budget, or smaller nodes with --vm-size",
        )


def _row(size: Json, rates: Rates, kind: str, question: Question, left: Standing, pool: Json | None) -> dict[str, Any]:
    dedicated = kind == "dedicated"
    name, vcpus = str(size["name"]), vm_sizes.vcpus(size)
    slots = question.slots or max(1, vcpus)
    load, rate = question.load(slots, dedicated=dedicated), rates.node(dedicated=dedicated)
    tightest = next(iter(left.room(size).binding(dedicated=dedicated)), None)
    best = question.best(load, rate, None if tightest is None else tightest.free // max(1, vcpus))
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
        why = "no price is known" if rate is None and question.budget_usd is not None else "no number of nodes does it"
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
        "limit": None if fits or tightest is None else _short(tightest, load, vcpus, best),
        "line": _line(question, name, best.nodes, pool, dedicated=dedicated),
    }


def _short(left: Quota, load: Load, vcpus: int, best: Estimate) -> str:
    """Return in words what the quota leaves of the plan."""
    said = f"{left.name}: {best.nodes * vcpus} wanted, {left.free} of {left.limit} free"
    nodes = left.free // vcpus
    if not nodes:
        return said
    return f"{said}; {nodes} nodes would take {workload.estimate(load, nodes, None).makespan_s / 3600:.1f} h"


def _line(question: Question, size: str, nodes: int, pool: Json | None, *, dedicated: bool) -> str:
    counts = f"--nodes {nodes}" if dedicated else f"--spot {nodes}"
    if pool is not None and str(dig(pool, "properties", "vmSize")).lower() == size.lower():
        return f"%batchimg resize {question.name} {counts}"
    return f"%batchimg create {question.name or 'NAME'} --from-vm VM --vm-size {size} {counts}"
