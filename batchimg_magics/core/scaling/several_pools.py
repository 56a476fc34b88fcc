"""Resize several pools at once: those that a pattern matches, a few at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.base.concurrency import gather
from batchimg_magics.core.base.node_counts import allocated_counts, target_counts
from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.core.scaling import budget, context, fallback, readiness, rounds
from batchimg_magics.core.scaling.controller import ResizeController
from batchimg_magics.core.scaling.failures import QUOTA_HINT
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.core.scaling.rounds import Round
from batchimg_magics.errors import BatchImgError, ResizeError
from batchimg_magics.pool_spec.words import count_text

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
    found = [one for one in pools.find_matches(listed, pattern) if pools.tag_of(one, tags.POOL) is not None]
    if not found:
        raise pools.not_found_error(azure, pattern, listed, f"no pool that this tool created matches {pattern!r}")
    return [str(one["name"]) for one in found]


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
            ""
            if allocated_counts(pool_context.pool).covers(goal)
            else fallback.shortfall(request, pool_context.headroom, goal),
        )


async def preview(azure: Azure, names: Sequence[str], request: ResizeRequest, why: str) -> Table:
    """Return what a resize would do to pools, one row each; nothing is requested."""
    now = azure.now()
    made: list[Round] = []
    async for pool_context, goal, text in _read_targets(azure, names, request):
        current = allocated_counts(pool_context.pool)
        cost = pool_context.rates.known_cost(goal.dedicated, goal.spot)
        price = "price not known" if cost is None else f"${cost:,.2f} per hour"
        outcome = ResizeOutcome(OutcomeClass.PLANNED, None, f"{price}; over quota: {text}" if text else price)
        made.append(Round(names[len(made)], len(made) + 1, now, now, current, current, goal, outcome, "would resize"))
    return rounds.rounds_table(
        "resize", made, f"Dry run: {count_text(len(made), 'pool')} would be resized{why}", "nothing was changed"
    )


async def read_loss(azure: Azure, name: str, request: ResizeRequest) -> str:
    """Return what a pool would lose by a resize, as text; empty where it loses no node."""
    state = await pools.read_state(azure, name)
    goal = request.target(expiry.counts_in_force(state, azure.now()))
    # A resize that is going on comes to its end first.
    now = state.current if state.allocation == "steady" else state.current.maximum(state.target)
    lost = now.total - now.minimum(goal).total
    if not lost:
        return ""
    text = f"it would lose {lost:,} of {count_text(now.total, 'node')}"
    if request.drain in ("taskcompletion", "retaineddata"):
        return f"{text}, each after its tasks"
    census = await readiness.count_and_record(azure, name)
    busy = census.count(frozenset({"running"}))
    return f"{text}; nodes that run tasks: {busy:,}; tasks on removed nodes end" if busy else text


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
    await _check_limits(azure, names, request)
    resize_budget = budget.ResizeBudget(azure, request.policy.max_cost)
    controllers = [ResizeController(azure, name, request, board, resize_budget=resize_budget) for name in names]
    failures: list[tuple[str, BatchImgError]] = []

    async def one(controller: ResizeController) -> None:
        try:
            await controller.run()
        except BatchImgError as error:
            failures.append((controller.pool, error))

    await gather(*(one(controller) for controller in controllers), limit=MAX_CONCURRENT_POOLS)
    made = [each for controller in controllers for each in controller.rounds]
    caption = f"{len(names) - len(failures)} of {count_text(len(names), 'pool')} reached the target"
    table = rounds.rounds_table("resize", made, caption, "")
    table = replace(table, attrs={"nodes": {controller.pool: controller.nodes for controller in controllers}})
    if failures:
        text = "; ".join(error.message for _, error in failures)
        hint = next((error.hint for _, error in failures if error.hint), "")
        raised = ResizeError(
            f"{len(failures)} of {count_text(len(names), 'pool')} did not reach the target: {text}", hint=hint
        )
        raised.table = table
        raise raised
    return table


async def _check_limits(azure: Azure, names: Sequence[str], request: ResizeRequest) -> None:
    """Fail where the quotas or the limit per hour do not allow all pools together, before any is resized."""
    if not request.policy.take_what_fits:
        over = [f"{one.pool['name']}: {text}" async for one, _, text in _read_targets(azure, names, request) if text]
        if over:
            raise ResizeError(
                f"the quotas do not allow so many nodes in all these pools: {'; '.join(over)}",
                hint=f"{QUOTA_HINT}; nothing was requested",
            )
    if azure.spending_limit.usd_per_hour is not None:
        found = await context.read_context(azure, names[0])
        goals = {str(pool["name"]): request.target(target_counts(pool)) for pool in (found.pool, *found.other_pools)}
        await budget.check_spending_limit(azure, found, {name: goals[name] for name in names})
