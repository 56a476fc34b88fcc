"""Money: what a connection's account may cost an hour, and what one resize may cost.

A limit is kept before the request that would break it. A price that is not known cannot be shown to be within a
limit, so it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.base.node_counts import Counts, allocated_counts
from batchimg_magics.core.estimates import prices
from batchimg_magics.errors import BudgetError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.scaling.context import PoolContext


class ResizeBudget:
    """What one resize spends, of one pool or of several at once.

    Parameters
    ----------
    azure
        Whose.
    max_usd
        What its rounds may cost together; None: no limit.
    """

    def __init__(self, azure: Azure, max_usd: float | None) -> None:
        self._azure = azure
        self._max_usd = max_usd
        self.spent_usd = 0.0
        self._reserved: dict[str, float] = {}

    async def reserve(self, context: PoolContext, goal: Counts, allowed_s: float) -> None:
        """Raise BudgetError unless a round that brings a pool to `goal` stays within the limits.

        What it may cost at most is held back until it is paid for.
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
                f"--max-cost is given, and what {goal} nodes cost is not known",
                hint="the price list has no price for this size, system or disk in this region: leave --max-cost out",
            )
        before = self.spent_usd + sum(usd for pool, usd in self._reserved.items() if pool != name)
        if before + worst > self._max_usd:
            raise BudgetError(
                f"{goal} nodes cost ${rate:.2f} an hour: up to ${worst:.2f} in the {allowed_s / 60:.0f} min that a "
                f"round may take{f', after ${before:.2f}' if before else ''}; --max-cost is ${self._max_usd:.2f}",
                hint="ask for fewer nodes, a shorter --timeout, or allow more",
            )
        self._reserved[name] = worst

    def charge(self, context: PoolContext | None, counts: Counts, seconds: float) -> float | None:
        """Note what nodes cost for a while; None where nobody looked or the price is not known."""
        if context is None:
            return None
        self._reserved.pop(str(context.pool["name"]), None)
        usd = prices.usd_for(context.rates.cost(counts.dedicated, counts.spot), seconds)
        self.spent_usd += usd or 0.0
        return usd


async def check_spending_limit(azure: Azure, context: PoolContext, goals: dict[str, Counts]) -> None:
    """Raise BudgetError when an account with pools brought to `goals` would cost more an hour than it may.

    Parameters
    ----------
    azure
        Whose.
    around
        What there is.
    goals
        Pool to its counts; pools that are not named count as they are, or as they are planned to be.
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
                f"the account may cost ${limit:.2f} an hour, and what pool {name!r} costs is not known",
                hint="the price list has no price for its size, system or disks; `%batchimg connect` without "
                "--max-cost-per-hour lifts the limit",
            )
        total += cost
    if total > limit:
        text = ", ".join(f"{name} with {goal}" for name, goal in goals.items())
        raise BudgetError(
            f"the account would cost ${total:.2f} an hour ({text}, and all other pools); "
            f"--max-cost-per-hour is ${limit:.2f}",
            hint="ask for fewer nodes, shrink another pool, or connect with a higher --max-cost-per-hour",
        )


def _planned_maximum(azure: Azure, name: str, current: Counts) -> Counts:
    planned = azure.spending_limit.planned.get(name.lower())
    return current if planned is None else current.maximum(planned)
