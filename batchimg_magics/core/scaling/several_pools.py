"""Several pools at once: which a pattern names, what a resize of them would do, and doing it within throttling."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.base.concurrency import gather
from batchimg_magics.core.base.node_counts import allocated_counts, target_counts
from batchimg_magics.core.batch import pools
from batchimg_magics.core.scaling import budget, context, readiness, rounds
from batchimg_magics.core.scaling.controller import ResizeController
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.core.scaling.rounds import Round
from batchimg_magics.errors import BatchImgError, ResizeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.scaling.context import PoolContext
    from batchimg_magics.core.scaling.request import ResizeRequest

#: Pools that are resized at once: Batch asks who asks for more to wait.
AT_ONCE = 4


async def match_pools(azure: Azure, pattern: str) -> list[str]:
    """Return the names of our pools that a pattern matches, in any case.

    Raises
    ------
    NotFoundError
        It matches none.
    """
    listed = await pools.read_all(azure)
    found = [one for one in pools.find_matches(listed, pattern) if pools.tag_of(one, tags.POOL) is not None]
    if not found:
        raise pools.not_found_error(azure, pattern, listed, f"no pool that this tool made matches {pattern!r}")
    return [str(one["name"]) for one in found]


async def _read_targets(
    azure: Azure, names: Sequence[str], request: ResizeRequest
) -> AsyncIterator[tuple[PoolContext, Counts, str]]:
    """Yield what is around each pool, how many nodes it is to have, and what of that the quotas do not allow.

    What a quota leaves to a pool is what those before it leave.
    """
    promises: dict[str, Counts] = {}
    for name in names:
        pool_context = await context.read_context(azure, name, promises)
        goal = promises[pool_context.pool["name"]] = request.target(target_counts(pool_context.pool))
        yield (
            pool_context,
            goal,
            "" if allocated_counts(pool_context.pool).covers(goal) else pool_context.headroom.shortfall(goal),
        )


async def preview(azure: Azure, names: Sequence[str], request: ResizeRequest, why: str) -> Table:
    """Return what a resize would do to pools, one row each; nothing is asked for."""
    now = azure.now()
    made: list[Round] = []
    async for pool_context, goal, text in _read_targets(azure, names, request):
        current = allocated_counts(pool_context.pool)
        cost = pool_context.rates.cost(goal.dedicated, goal.spot)
        price = "what it costs is not known" if cost is None else f"${cost:.2f} an hour"
        outcome = ResizeOutcome("planned", None, f"{price}; over quota: {text}" if text else price)
        made.append(Round(names[len(made)], len(made) + 1, now, now, current, current, goal, outcome, "would resize"))
    return rounds.rounds_table("resize", made, f"would resize {len(made)} pools{why}", "nothing was changed")


async def ends_tasks(azure: Azure, name: str, request: ResizeRequest) -> bool:
    """Tell whether a resize may take nodes away that run tasks, and end those."""
    if request.drain in ("taskcompletion", "retaineddata"):
        return False
    state = await pools.read_state(azure, name)
    census = await readiness.count_and_record(azure, name)
    return census.count(frozenset({"running"})) > 0 and not request.target(state.target).covers(
        rounds.live_counts(census)
    )


async def resize_pools(azure: Azure, names: Sequence[str], request: ResizeRequest, board: Board) -> Table:
    """Bring several pools to the same size, a few at a time; one pool that fails does not end the others.

    Raises
    ------
    BudgetError
        All of them together would cost more an hour than the account may. Nothing was asked for.
    ResizeError
        The quotas do not allow all of it, and nothing was asked for; or some did not get there, and the table has the
        rounds of all.
    """
    if not request.policy.take_what_fits:
        over = [f"{one.pool['name']}: {text}" async for one, _, text in _read_targets(azure, names, request) if text]
        if over:
            raise ResizeError(
                f"together these pools cannot have so many nodes: {'; '.join(over)}",
                hint="ask for more quota or for fewer nodes, or add --take-what-fits; nothing was asked for",
            )
    if azure.spending_limit.usd_per_hour is not None:
        pool_context = await context.read_context(azure, names[0])
        goals = {
            str(pool["name"]): request.target(target_counts(pool))
            for pool in (pool_context.pool, *pool_context.other_pools)
        }
        await budget.check_spending_limit(azure, pool_context, {name: goals[name] for name in names})
    resize_budget = budget.ResizeBudget(azure, request.policy.max_cost)
    controls = [ResizeController(azure, name, request, board, resize_budget=resize_budget) for name in names]
    failures: list[tuple[str, BatchImgError]] = []

    async def one(run: ResizeController) -> None:
        try:
            await run.run()
        except BatchImgError as error:
            failures.append((run.pool, error))

    await gather(*(one(run) for run in controls), limit=AT_ONCE)
    made = [each for run in controls for each in run.rounds]
    table = rounds.rounds_table("resize", made, f"{len(names) - len(failures)} of {len(names)} pools are there", "")
    table = replace(table, attrs={"nodes": {run.pool: run.nodes for run in controls}})
    if failures:
        text = "; ".join(error.message for _, error in failures)
        hint = next((error.hint for _, error in failures if error.hint), "")
        raised = ResizeError(f"{len(failures)} of {len(names)} pools did not get there: {text}", hint=hint)
        raised.table = table
        raise raised
    return table
