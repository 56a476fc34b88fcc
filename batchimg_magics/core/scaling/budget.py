"""Budgets: what the account may cost per hour, and what one resize may cost.

A request that could exceed a limit is not sent. Where a price is not known, it counts as exceeding the limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.base.node_counts import Counts, allocated_counts
from batchimg_magics.core.estimates import prices
from batchimg_magics.errors import BudgetError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.estimates.prices import Rates
    from batchimg_magics.core.scaling.context import PoolContext


class ResizeBudget:
    """The cost of one resize, of one pool or of several pools.

    Parameters
    ----------
    azure
        The connection.
    max_usd
        What all its attempts may cost together; None: no limit.
    """

    def __init__(self, azure: Azure, max_usd: float | None) -> None:
        self._azure = azure
        self._max_usd = max_usd
        self.spent_usd = 0.0
        self._reserved: dict[str, float] = {}

    async def reserve(self, context: PoolContext, goal: Counts, allowed_s: float) -> None:
        """Raise BudgetError unless an attempt to reach `goal` stays within the limits.

        Its maximum cost is reserved until `charge` replaces it with the cost of what happened.
        """
        name = str(context.pool["name"])
        if self._azure.spending_limit.usd_per_hour is not None:
            await check_spending_limit(self._azure, context, {name: goal})
        if self._max_usd is None:
            return
        rate = context.rates.cost(goal.dedicated, goal.spot)
        worst = prices.usd_for(rate, allowed_s)
        if worst is None:
            raise BudgetError(
                f"--max-cost is given, and the price of {goal.text} is not known",
                hint=f"the price list has no price for {_unpriced(context.rates)}: omit --max-cost",
            )
        spent = self.spent_usd + sum(usd for pool, usd in self._reserved.items() if pool != name)
        if spent + worst > self._max_usd:
            raise BudgetError(
                f"{goal.text} cost ${rate:,.2f} per hour: up to ${worst:,.2f} in the {allowed_s / 60:.0f} min of an "
                f"attempt{f', after ${spent:,.2f}' if spent else ''}; --max-cost is ${self._max_usd:,.2f}",
                hint="request fewer nodes or a shorter --timeout, or increase --max-cost",
            )
        self._reserved[name] = worst

    def charge(self, pool: str, rates: Rates | None, counts: Counts, seconds: float) -> float | None:
        """Add the cost of nodes for a time, and return it; None where prices were not read or are not known."""
        if rates is None:
            return None
        self._reserved.pop(pool, None)
        usd = prices.usd_for(rates.cost(counts.dedicated, counts.spot), seconds)
        self.spent_usd += usd or 0.0
        return usd


async def check_spending_limit(azure: Azure, context: PoolContext, goals: dict[str, Counts]) -> None:
    """Raise BudgetError where the account would exceed its limit per hour with its pools at `goals`.

    Parameters
    ----------
    azure
        The connection.
    context
        The pools of the account, and the price of a node of one of them.
    goals
        Pool to its counts. Other pools count with their current or planned nodes, whichever are more.
    """
    limit, total = azure.spending_limit.usd_per_hour, 0.0
    if limit is None:
        return
    by_name = {name.lower(): goal for name, goal in goals.items()}
    for pool in (context.pool, *context.other_pools):
        name = str(pool["name"])
        counts = by_name.get(name.lower()) or _planned_maximum(azure, name, allocated_counts(pool))
        rates = (
            context.rates
            if pool is context.pool
            else await prices.read_pool_rates(azure, pool)
            if counts.total
            else None
        )
        cost = rates.cost(counts.dedicated, counts.spot) if rates else 0.0
        if cost is None:
            raise BudgetError(
                f"the account has a limit of ${limit:,.2f} per hour, and the price of pool {name!r} is not known",
                hint=f"the price list has no price for {_unpriced(rates)}; to remove the limit: "
                "`%batchimg connect` without --max-cost-per-hour",
            )
        total += cost
    if total > limit:
        text = ", ".join(f"{name} with {goal}" for name, goal in goals.items())
        raise BudgetError(
            f"the account would cost ${total:,.2f} per hour ({text}, and all other pools); "
            f"--max-cost-per-hour is ${limit:,.2f}",
            hint="request fewer nodes, shrink another pool, or connect with a higher --max-cost-per-hour; it counts "
            f"{prices.INCLUDED}",
        )


def _unpriced(rates: Rates | None) -> str:
    """Return what of a pool may have no price, as text."""
    return (rates.not_in_cost if rates else "") or "its VM size, OS or disks"


def _planned_maximum(azure: Azure, name: str, current: Counts) -> Counts:
    planned = azure.spending_limit.planned.get(name.lower())
    return current if planned is None else current.maximum(planned)
