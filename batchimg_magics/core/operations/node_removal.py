"""Remove single nodes of a pool, so that a pool with an expiry keeps it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.batch import expiry, nodes, pools
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.scaling import attempt, context, readiness, rounds
from batchimg_magics.core.scaling.attempt import AskedSize
from batchimg_magics.core.scaling.expiry_run import Expiry
from batchimg_magics.core.scaling.node_health import MAX_REMOVED_AT_ONCE
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.core.scaling.rounds import Round
from batchimg_magics.errors import BatchImgError, ConflictError, NotFoundError
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.batch.pools import PoolState

__all__ = ["remove_nodes"]

#: Requests for the same nodes, where Azure has a temporary fault or a node leaves by itself, and the pause after one.
MAX_TRIES, PAUSE_S = 6, 30.0
#: A removal sets no size: any is what was asked for.
_ASKED = AskedSize()


async def remove_nodes(azure: Azure, state: PoolState, node_ids: Sequence[str], drain: str | None, board: Board) -> str:
    """Remove nodes, 100 at a time, and wait until the pool is steady; return Azure's error, or an empty text.

    Without nodes, only the expiry is enforced again, where an interrupted removal left it off.

    The targets of the pool become the numbers of the nodes that remain. The formula of an expiry is off meanwhile,
    since Azure removes single nodes of a pool of fixed size only; it then requests the nodes that remain.

    Raises
    ------
    ConflictError
        Another formula sets the pool's size, or another client changes the pool.
    """
    pool = state.name
    if state.autoscale and not expiry.is_expiry_formula(state.formula):
        raise ConflictError(
            f"an autoscale formula sets the size of pool {pool!r}; Azure removes nodes of pools of fixed size only",
            hint=f"turn it off first: `%batchimg autoscale {pool} --off`",
            status_code=409,
        )
    planned, key = azure.spending_limit.planned, pool.lower()
    planned[key] = state.target  # while this entry exists, `wait` leaves the pool's expiry to this removal
    keeper = Expiry(azure, pool, board, drain)
    try:
        state = await pools.wait_until_steady(azure, pool)
        state = await keeper.begin(state, None, keep=True)
        if not node_ids:  # all left: an interrupted removal may have left the expiry off
            return ""
        state = await keeper.turn_off(state)
        error = ""
        for first in range(0, len(node_ids), MAX_REMOVED_AT_ONCE):
            state = await _remove_some(azure, state, node_ids[first : first + MAX_REMOVED_AT_ONCE], drain)
            error = error or "; ".join(f"{code}: {text}" for code, text, _ in state.errors)
        await keeper.finish(state, state.target)
    except BatchImgError as error:
        await keeper.finish_unless_changed(state, state.current)
        await keeper.enforce_after(error)
        raise
    except (Exception, asyncio.CancelledError, KeyboardInterrupt, SystemExit) as error:
        await keeper.enforce_after(error)
        raise
    finally:
        planned.pop(key, None)
    return error


async def _remove_some(azure: Azure, state: PoolState, node_ids: Sequence[str], drain: str | None) -> PoolState:
    """Remove some nodes of a steady pool; return the pool, steady again.

    A node may leave by itself, and Azure refuses the request while another client resizes the pool: then the nodes
    that are left are requested once more.
    """
    for tried in range(MAX_TRIES):
        present = {node.id for node in await nodes.read_nodes(azure, state.name, states_only=True)}
        leaving = [one for one in node_ids if one in present]
        if not leaving:
            break
        before, start = state, await _start(azure, state.name)
        try:
            failure = await attempt.request_resize(azure, before, _request(azure, before.name, leaving, drain), _ASKED)
        except NotFoundError:
            if tried == MAX_TRIES - 1:
                raise
            continue
        if failure is not None:
            if failure.kind is not OutcomeClass.TRANSIENT or tried == MAX_TRIES - 1:
                raise _conflict(state.name, failure)
            await azure.sleep(PAUSE_S * 2**tried)
            continue
        state = await attempt.wait_for_end(azure, before, _ASKED)
        await _record(azure, state, start)
        if state.errors:
            break
    return state


def _request(azure: Azure, pool: str, node_ids: Sequence[str], drain: str | None) -> Callable[[], Awaitable[None]]:
    return lambda: pools.remove_nodes(azure, pool, node_ids, drain)


def _conflict(pool: str, failure: ResizeOutcome) -> ConflictError:
    return ConflictError(
        f"pool {pool!r}: {failure.message or failure.code}", hint="run the same command again", status_code=409
    )


async def _start(azure: Azure, pool: str) -> tuple[float, Counts]:
    return azure.now(), rounds.live_counts(await readiness.count_and_record(azure, pool))


async def _record(azure: Azure, state: PoolState, start: tuple[float, Counts]) -> None:
    """Add a removal to the history of the pool."""
    (started, before), after = start, rounds.live_counts(await readiness.count_and_record(azure, state.name))
    count = before.total - after.total
    text = f"removed {count_text(count, 'node')}"
    ended, rates = azure.now(), await context.read_rates(azure, state.name)
    cost = None if rates is None else rates.cost(before.dedicated, before.spot)
    row = Round(
        state.name,
        1,
        started,
        ended,
        before,
        after,
        state.target,
        ResizeOutcome(OutcomeClass.CHANGED),
        text,
        usd=prices.usd_for(cost, ended - started),
        pool_created=state.created,
    )
    azure.ledger.add_round(state.name, row.started, row.row())
