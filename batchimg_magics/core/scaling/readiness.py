"""Wait until nodes are ready for tasks, or are bad. A steady pool may still have nodes that are starting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling
from batchimg_magics.core.base.progress import PlannedStep
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import nodes, pools
from batchimg_magics.core.estimates import spending, workload
from batchimg_magics.core.scaling import expiry_run, planned_steps
from batchimg_magics.core.scaling.rounds import live_counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.batch.nodes import Census

#: Seconds that nodes may take, once the pool is steady, until the last one is ready or bad.
SETTLE_TIMEOUT_S = 3600.0
#: How often nodes are counted while they start, which takes minutes. Source: recordings.
BOOT_POLL_PACE = polling.PollPace(1 / 6, 10.0, 15.0)


async def count_and_record(azure: Azure, pool: str) -> Census:
    """Count a pool's nodes, and add the counts to the local history file."""
    census = await nodes.count_nodes(azure, pool)
    azure.ledger.add_sample(pool, azure.now(), census.states())
    azure.account_cost.note_counts(pool, live_counts(census))
    spending.note_counts(azure, pool, live_counts(census))
    return census


async def recount_if_old(azure: Azure, pool: str, before: Census) -> Census:
    """Count a pool's nodes again, unless `before` is less than a second old."""
    return before if azure.now() - before.at < 1 else await count_and_record(azure, pool)


async def wait_until_settled(
    azure: Azure,
    pool: str,
    board: Board,
    *,
    expected: int,
    before: Census | None = None,
    limit_s: float | None = None,
    until: Callable[[Census], bool] = lambda census: census.transitional == 0,
    shown: PlannedStep | None = None,
) -> Census:
    """Wait until no node is in a transitional state: each is ready or bad.

    Parameters
    ----------
    azure, pool, board
        The connection, the pool's name, and the board that shows progress.
    expected
        How many nodes the pool is to have.
    before
        Its nodes when they were last counted, where nothing was requested since.
    limit_s
        How long to wait, in seconds; None: as long as nodes ever take.
    until
        Another condition that ends the wait.
    shown
        The step that shows progress, with its usual duration; None: that of all nodes.

    Raises
    ------
    WaitTimeoutError
        Some nodes take longer.
    """
    shown = shown or PlannedStep(planned_steps.settle_step(pool), workload.boot_s(expected))
    step = shown.name
    board.begin(step, expected_s=shown.expected_s, total=expected)

    async def poll() -> polling.PollResult[Census]:
        census = await (recount_if_old(azure, pool, before) if before else count_and_record(azure, pool))
        board.update(step, done=census.ready, detail=str(census))
        return polling.PollResult(until(census), census, remaining=census.transitional)

    try:
        limit_s = SETTLE_TIMEOUT_S if limit_s is None else limit_s
        return await polling.poll_until(
            azure, poll, what=f"nodes of pool {pool}", timeout_s=limit_s, pace=BOOT_POLL_PACE
        )
    finally:
        board.end(step)


async def wait_for_pool(
    azure: Azure,
    pool: str,
    board: Board,
    *,
    until: str,
    limit_s: float | None = None,
    verb: str = "wait",
    is_whole: bool = True,
) -> Table:
    """Wait until a pool is steady, or its nodes are ready, and return its state.

    Where Azure does not enforce the pool's expiry any more, after an interrupted repair for example, it does so again.

    Parameters
    ----------
    azure, pool, board
        The connection, the pool's name, and the board that shows progress.
    until
        ``steady`` or ``ready``.
    limit_s
        How long to wait, in seconds; None: no limit.
    verb
        The verb whose table is returned.
    is_whole
        Whether the verb ends with this wait: its duration is then the one of the verb.

    Raises
    ------
    WaitTimeoutError
        It took longer than `limit_s`.
    """
    began = azure.now()
    board.begin(f"pool {pool}", expected_s=pools.EXPECTED_S["steady"])
    state = await pools.wait_until_steady(azure, pool, limit_s=limit_s)
    took_s = board.end(f"pool {pool}")
    if until == "ready":
        left_s = None if limit_s is None else max(0.0, limit_s - took_s)
        census = await wait_until_settled(azure, pool, board, expected=state.target.total, limit_s=left_s)
        state = await pools.read_state(azure, pool)
    else:
        census = await count_and_record(azure, pool)
    current = live_counts(census)
    expires = await expiry_run.enforce(azure, state, current, board)
    row = {
        "pool": state.name,
        "allocation": state.allocation,
        "dedicated": current.dedicated,
        "dedicated_target": state.target.dedicated,
        "spot": current.spot,
        "spot_target": state.target.spot,
        "ready": census.ready,
        "bad": census.bad,
        "seconds": board.finish() if is_whole else round(azure.now() - began, 1),
    }
    return Table.from_rows(verb, [row], f"pool {pool}: {census}{f'; {expires}' if expires else ''}")
