"""Steady is not ready: waiting until nodes take work, or will not do so by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import expiry, nodes, pools
from batchimg_magics.core.scaling.rounds import live_counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.batch.nodes import Census

#: How long nodes may take from the pool being steady until the last one is ready or bad, in seconds.
SETTLE_TIMEOUT_S = 3600.0
#: Looks at nodes of which none got further since the look before: they take minutes. Source: FACTS 6.
BOOT_POLL_PACE = polling.PollPace(1 / 6, 10.0, 15.0)


async def count_and_record(azure: Azure, pool: str) -> Census:
    """Count a pool's nodes, and keep in the ledger what was seen."""
    census = await nodes.count_nodes(azure, pool)
    azure.ledger.add_sample(pool, azure.now(), census.states())
    return census


async def recount_if_old(azure: Azure, pool: str, seen: Census) -> Census:
    """Count a pool's nodes as `census` does, unless that was done this very second."""
    return seen if azure.now() - seen.at < 1 else await count_and_record(azure, pool)


async def wait_until_settled(
    azure: Azure,
    pool: str,
    board: Board,
    *,
    expected: int,
    before: Census | None = None,
    limit_s: float | None = None,
    until: Callable[[Census], bool] = lambda seen: seen.transitional == 0,
) -> Census:
    """Wait until every node is ready, or is in a state that it will not leave by itself.

    Parameters
    ----------
    azure, pool, board
        Whose, which, and who is told how it goes.
    expected
        How many nodes there are to be.
    before
        Its nodes when they were last counted, where nothing was asked for since.
    limit_s
        How long to wait; None: as long as nodes ever take.
    until
        What ends the wait, where it is something else.

    Raises
    ------
    WaitTimeoutError
        Some take longer.
    """
    step = f"nodes of {pool}"
    board.begin(step, expected_s=pools.EXPECTED_S["ready"], total=expected)

    async def poll() -> polling.PollResult[Census]:
        seen = await (recount_if_old(azure, pool, before) if before else count_and_record(azure, pool))
        board.update(step, done=seen.ready, detail=str(seen))
        return polling.PollResult(until(seen), seen, remaining=seen.transitional)

    try:
        limit_s = SETTLE_TIMEOUT_S if limit_s is None else limit_s
        return await polling.poll_until(
            azure, poll, what=f"nodes of pool {pool}", timeout_s=limit_s, pace=BOOT_POLL_PACE
        )
    finally:
        board.end(step)


async def wait_for_pool(
    azure: Azure, pool: str, board: Board, *, until: str, limit_s: float | None = None, verb: str = "wait"
) -> Table:
    """Wait until a pool is steady, or its nodes are ready, and return how it stands then.

    Where it has an expiry that nothing sees to, since a resize was broken off, Azure is asked to see to it again.

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
        counted = await wait_until_settled(azure, pool, board, expected=state.target.total, limit_s=left_s)
        state = await pools.read_state(azure, pool)
    else:
        counted = await count_and_record(azure, pool)
    current = live_counts(counted)
    expires = await expiry.enforce(azure, state, current)
    row = {
        "pool": state.name,
        "allocation": state.allocation,
        "dedicated": current.dedicated,
        "dedicated_target": state.target.dedicated,
        "spot": current.spot,
        "spot_target": state.target.spot,
        "ready": counted.ready,
        "bad": counted.bad,
        "seconds": round(azure.now() - began, 1),
    }
    return Table.from_rows(verb, [row], f"pool {pool}: {counted}{f'; {expires}' if expires else ''}")
