"""Resize several pools at once: those that a pattern matches, a few at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.base.node_counts import allocated_counts, target_counts
from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.batch import pools
from batchimg_magics.core.scaling import budget, context, readiness, rounds
from batchimg_magics.core.scaling.controller import ResizeController
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.core.scaling.rounds import Round
from batchimg_magics.errors import BatchImgError, NotFoundError, ResizeError
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.scaling.context import PoolContext
    from batchimg_magics.core.scaling.request import ResizeRequest

#: Pools that are resized at the same time: Batch throttles more.
MAX_CONCURRENT_POOLS = 4


async def match_pools(azure: Azure, pattern: str) -> list[str]:
    """Return the names of the pools of this tool that a pattern matches, in any case.

    Raises
    ------
    NotFoundError
        It matches no pool.
    """
    listed = await pools.read_all(azure)
    found = sorted(
        str(pool["name"])
        for pool in listed
        if fnmatchcase(str(pool["name"]).lower(), pattern.lower()) and pools.tag_of(pool, tags.POOL) is not None
    )
    if not found:
        names = [str(pool["name"]) for pool in listed]
        raise NotFoundError(
            f"no pool that this tool created matches {pattern!r}",
            hint=suggest_name(pattern, names) or "`%batchimg pools` lists all pools",
            status_code=404,
            code="PoolNotFound",
        )
    return found


async def _read_targets(
    azure: Azure, names: Sequence[str], request: ResizeRequest
) -> AsyncIterator[tuple[PoolContext, Counts, str]]:
    """Yield each pool's context, its requested nodes, and what of them the quotas do not allow.

    The nodes of earlier pools are subtracted from what the quotas leave to later ones.
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
    """Return what a resize would do to pools, one row each; nothing is requested."""
    now = azure.now()
    made: list[Round] = []
    async for pool_context, goal, text in _read_targets(azure, names, request):
        current = allocated_counts(pool_context.pool)
        cost = pool_context.rates.cost(goal.dedicated, goal.spot)
        price = "price not known" if cost is None else f"${cost:.2f} per hour"
        outcome = ResizeOutcome(OutcomeClass.PLANNED, None, f"{price}; over quota: {text}" if text else price)
        made.append(Round(names[len(made)], len(made) + 1, now, now, current, current, goal, outcome, "would resize"))
    return rounds.rounds_table(
        "resize", made, f"Dry run: {len(made)} pools would be resized{why}", "nothing was changed"
    )


async def ends_tasks(azure: Azure, name: str, request: ResizeRequest) -> bool:
    """Return whether a resize could remove nodes that run tasks, and end those tasks."""
    if request.drain in ("taskcompletion", "retaineddata"):
        return False
    state = await pools.read_state(azure, name)
    census = await readiness.count_and_record(azure, name)
    return census.count(frozenset({"running"})) > 0 and not request.target(state.target).covers(
        rounds.live_counts(census)
    )


async def resize_pools(azure: Azure, names: Sequence[str], request: ResizeRequest, board: Board) -> Table:
    """Resize several pools to the same counts, a few at a time; a pool that fails does not stop the others.

    Raises
    ------
    BudgetError
        All of them together would exceed the account's limit per hour. Nothing was requested.
    ResizeError
        The quotas do not allow all of it, and nothing was requested; or some pools failed, and the error's table has
        the rows of all.
    """
    if not request.policy.take_what_fits:
        over = [f"{one.pool['name']}: {text}" async for one, _, text in _read_targets(azure, names, request) if text]
        if over:
            raise ResizeError(
                f"the quotas do not allow so many nodes in all these pools: {'; '.join(over)}",
                hint=f"{OutcomeClass.QUOTA.hint}; nothing was requested",
            )
    if azure.spending_limit.usd_per_hour is not None:
        pool_context = await context.read_context(azure, names[0])
        goals = {
            str(pool["name"]): request.target(target_counts(pool))
            for pool in (pool_context.pool, *pool_context.other_pools)
        }
        await budget.check_spending_limit(azure, pool_context, {name: goals[name] for name in names})
    resize_budget = budget.ResizeBudget(azure, request.policy.max_cost)
    controllers = [ResizeController(azure, name, request, board, resize_budget=resize_budget) for name in names]
    gate = asyncio.Semaphore(MAX_CONCURRENT_POOLS)
    failures: list[tuple[str, BatchImgError]] = []

    async def one(run: ResizeController) -> None:
        async with gate:
            try:
                await run.run()
            except BatchImgError as error:
                failures.append((run.pool, error))

    async with asyncio.TaskGroup() as group:
        for run in controllers:
            group.create_task(one(run))
    made = [each for run in controllers for each in run.rounds]
    table = rounds.rounds_table(
        "resize", made, f"{len(names) - len(failures)} of {len(names)} pools reached their target", ""
    )
    table = replace(table, attrs={"nodes": {run.pool: run.nodes for run in controllers}})
    if failures:
        text = "; ".join(error.message for _, error in failures)
        hint = next((error.hint for _, error in failures if error.hint), "")
        raised = ResizeError(f"{len(failures)} of {len(names)} pools did not reach their target: {text}", hint=hint)
        raised.table = table
        raise raised
    return table
