"""The expiry of a pool while it is resized: its formula is on all the time, and a resize changes the number in it.

Azure evaluates a formula when it is set. An evaluation whose target is not new requests nothing, so that a pool that is
short is requested again in two steps: a formula for the nodes that the pool has, then the one for the target. Where
Azure does not evaluate a formula any more, nothing ends the pool at its expiry anyway; only then, and to remove single
nodes, which Azure refuses under a formula, autoscale is turned off for a moment.

Another program, ga4gh-tes (BatchPool.cs), turns autoscale off and on for both.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling, tags
from batchimg_magics.core.azure.conflicts import was_faster
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.core.scaling.attempt import MAX_UNCHANGED_S, AskedSize
from batchimg_magics.errors import BatchImgError, ConflictError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.batch.pools import PoolState

#: How often a formula is sent that Azure does not accept, because an evaluation began a resize in between.
MAX_TRIES = 5
#: The longest time in seconds that an interruption waits to turn a formula on again: for a resize, and for the least
#: time between two formulas.
_INTERRUPTED_S = 45.0
#: Seconds after which the wait for an evaluation ends: the former formula may have begun a resize.
MAX_EVALUATION_S = 3600.0


@dataclass(slots=True)
class Expiry:
    """The expiry of one pool during a resize.

    Parameters
    ----------
    azure, pool, board
        The connection, the name of the pool, and the progress, which shows that the formula is off.
    drain
        The node deallocation option of the formula; None: Azure's default.
    expires
        The time of expiry; None: never, and the pool has a fixed size.
    is_tagged
        Whether the tag of the pool has this time.
    is_stuck
        Whether Azure did not evaluate the last formula.
    sent_at
        When a formula was last sent, in seconds of the service's time.
    is_off
        Whether the formula was turned off here, and not set again.
    then_zero
        Whether the nodes also leave while no task is left.
    """

    azure: Azure
    pool: str
    board: Board
    drain: str | None = None
    expires: dt.datetime | None = None
    is_tagged: bool = True
    is_stuck: bool = False
    sent_at: float = float("-inf")
    is_off: bool = False
    then_zero: bool = False

    async def begin(self, state: PoolState, ttl_s: float | None, *, keep: bool, then_zero: bool = False) -> PoolState:
        """Read when a pool expires, or set a new time; return the pool, whose nodes are under the formula then.

        Parameters
        ----------
        state
            The pool, steady.
        ttl_s
            Seconds from now until it expires; None: leave its expiry as it is.
        keep
            Whether an expiry in the future is kept instead of a new one.
        then_zero
            Whether the nodes are also to leave while no task is left; where they do, that stays.
        """
        found = expiry.parse_formula(state.formula)
        self.then_zero = then_zero or (found is not None and found.idle_from is not None)
        now, current = self.azure.now(), expiry.expires_at(state)
        renews = ttl_s is not None and not (keep and current is not None and current.timestamp() > now)
        self.expires = expiry.expires_after(self.azure, ttl_s) if renews and ttl_s is not None else current
        self.is_tagged = self.expires == expiry.parse_tag_time(state.tags.get(tags.EXPIRES))
        if self.expires is None or self.is_over or not (state.current.total or state.target.total):
            return state
        return await self.ensure(state, expiry.counts_in_force(state, now))

    @property
    def is_over(self) -> bool:
        """Whether the pool has expired."""
        return self.expires is not None and self.expires.timestamp() <= self.azure.now()

    def asked(self, goal: Counts | None) -> AskedSize:
        """Return how a size of the pool is requested."""
        return AskedSize(goal, self.expires)

    # -- with the formula on ---------------------------------------------------------------------------------------

    async def send(self, counts: Counts) -> None:
        """Set the formula with these counts; Azure evaluates it at once."""
        if self.expires is None:
            raise ValueError("the pool has no expiry")
        await self._wait_for_interval()
        self.sent_at = self.azure.now()
        idle_from = expiry.expires_after(self.azure, expiry.FIRST_TASK_S) if self.then_zero else None
        text = expiry.formula(self.expires, counts, self.drain, idle_from)
        await expiry.enable_autoscale(self.azure, self.pool, text, expiry.INTERVAL_S)
        self.is_off = False
        self.board.cleanup_done(self._key)

    async def _wait_for_interval(self) -> None:
        """Wait until Azure accepts another formula after the last one."""
        await self.azure.sleep(max(0.0, self.sent_at + expiry.MIN_ENABLE_INTERVAL_S - self.azure.now()))

    async def set(self, state: PoolState, counts: Counts) -> PoolState:
        """Set the formula with these counts and wait until Azure has evaluated it; `is_stuck` tells if it did not."""
        for _ in range(MAX_TRIES):
            try:
                await self.send(counts)
                break
            except ConflictError as error:
                if not was_faster(error):
                    raise
                # An evaluation of the former formula began a resize.
                state = await pools.wait_until_steady(self.azure, self.pool)
        else:
            await self.send(counts)
        return await self._wait_until_evaluated(state, counts)

    async def _wait_until_evaluated(self, before: PoolState, counts: Counts) -> PoolState:
        began = self.azure.now()

        async def poll() -> polling.PollResult[PoolState]:
            state = await pools.read_state(self.azure, self.pool)
            pools.raise_if_deleting(state)
            at_target = state.target == expiry.counts_in_force(state, self.azure.now())
            self.is_stuck = not (at_target and (state.evaluated != before.evaluated or state.target != before.target))
            over = not self.is_stuck or self.azure.now() - began > MAX_UNCHANGED_S
            external = self.asked(counts).is_changed(before, state)
            return polling.PollResult(external or (over and state.allocation == "steady"), state)

        what = f"evaluation of the formula of pool {self.pool}"
        return await polling.poll_until(
            self.azure,
            poll,
            what=what,
            first_s=pools.FIRST_POLL_S,
            timeout_s=MAX_EVALUATION_S,
            pace=pools.RESIZE_POLL_PACE,
        )

    async def ensure(self, state: PoolState, counts: Counts) -> PoolState:
        """Let the formula have this time and these counts, and Azure evaluate it; return the pool."""
        now, found = self.azure.now(), expiry.parse_formula(state.formula)
        is_set = found is not None and (found.expires, found.counts) == (self.expires, counts)
        if found is not None and is_set and self.then_zero:
            # What is left of the time for the first task has to be worth the name once the nodes are there.
            is_set = found.idle_from is not None and found.idle_from.timestamp() > now + expiry.FIRST_TASK_S / 2
        if is_set and not self.is_stuck and not expiry.is_overdue(state.evaluated, state.interval_s, now):
            return state
        state = await self.set(state, counts)
        if self.is_stuck:
            state = await self.set(await self.turn_off(state), counts)
        return state

    async def step_back(self, state: PoolState, goal: Counts, held: Counts) -> PoolState:
        """Let the formula have the nodes that the pool has, where the target is not new; return the pool."""
        counts = held.minimum(goal)
        if self.is_stuck or not state.autoscale or state.target != goal or counts == goal:
            return state
        return await self.set(state, counts)

    # -- with the formula off --------------------------------------------------------------------------------------

    async def turn_off(self, state: PoolState) -> PoolState:
        """Turn the formula off, where it is on, and return the pool once it is steady."""
        if self.expires is None or not state.autoscale:
            return state
        await self._wait_for_interval()
        await self.disable()
        self.is_stuck = False
        return await pools.wait_until_steady(self.azure, self.pool)

    async def disable(self) -> None:
        """Turn the formula off; an interruption reports it."""
        time = "" if self.expires is None else f" at {expiry.format_tag_time(self.expires)}"
        self.board.add_cleanup(self._key, f"expiry of pool {self.pool}{time} is disabled")
        self.is_off = True
        await expiry.disable_autoscale(self.azure, self.pool)

    @property
    def _key(self) -> str:
        return f"expiry of {self.pool}"

    @contextlib.asynccontextmanager
    async def enforced(self) -> AsyncIterator[None]:
        """Let the formula be on after the work within, whatever ends it: also an error of this program, or Ctrl-C."""
        try:
            yield
        except (Exception, asyncio.CancelledError, KeyboardInterrupt, SystemExit) as error:
            await self.enforce_after(error)
            raise

    async def enforce_after(self, error: BaseException) -> None:
        """Set the formula again if it is off: it keeps the nodes that the pool has, as after a stopped resize.

        An error of this is not raised: `error` is the one to report, and then the progress says that the expiry is off.
        """
        if not self.is_off or self.expires is None or self.is_over:
            return
        with contextlib.suppress(BatchImgError, TimeoutError):
            async with asyncio.timeout(MAX_EVALUATION_S if isinstance(error, Exception) else _INTERRUPTED_S):
                # Azure takes no formula while the pool is resized.
                state = await pools.wait_until_steady(self.azure, self.pool)
                await self.send(state.current.minimum(state.target))

    # -- at the end ------------------------------------------------------------------------------------------------

    async def finish(self, state: PoolState, counts: Counts) -> None:
        """Let the formula and the tag be those of the reached size."""
        if self.expires is None or self.is_over:
            return
        if counts.total or state.autoscale:
            await self.ensure(state, counts)
        if not self.is_tagged:
            await expiry.set_expires_tag(self.azure, self.pool, self.expires)
            self.is_tagged = True

    async def finish_unless_changed(self, last: PoolState, held: Counts) -> None:
        """Let the formula request no more than the pool has after a failure, unless another client changed the pool.

        An error of this is not raised: the first failure is the one to report.
        """
        if self.expires is None:
            return
        with contextlib.suppress(BatchImgError):
            state = await pools.read_state(self.azure, self.pool)
            counts = expiry.counts_in_force(last, self.azure.now())
            same = self.asked(counts).is_kept(state) if last.autoscale else state.target == last.target
            if state.allocation == "steady" and same:
                await self.finish(state, held.minimum(counts))


async def stop_resize(azure: Azure, name: str, board: Board) -> bool:
    """Request that a pool's resize stops; return whether the pool was resizing.

    Azure stops the resize of a formula only when autoscale is turned off, and takes a formula while the pool is
    stopping: the expiry is off between these two requests.
    """
    state = await pools.read_state(azure, name)
    found = expiry.parse_formula(state.formula)
    if found is None or state.allocation != "resizing":
        return await pools.stop_resize(azure, name)
    keeper = Expiry(azure, state.name, board, expires=found.expires, then_zero=found.idle_from is not None)
    async with keeper.enforced():
        await keeper.disable()
        await keeper.send(state.current.minimum(found.counts))
    return True


async def enforce(azure: Azure, state: PoolState, current: Counts, board: Board) -> str:
    """Let Azure enforce the expiry of a steady pool again, where it does not; return a text about it, or an empty one.

    An interrupted repair leaves a pool without the formula, and Azure may stop to evaluate one. A resize that runs in
    this session sets it itself. Where the formula is missing, it keeps the current nodes: after a stopped resize the
    pool's target is not the wanted size.
    """
    expires = expiry.expires_at(state)
    if expires is None or state.name.lower() in azure.spending_limit.planned:
        return ""
    time, keeper = expiry.format_tag_time(expires), Expiry(azure, state.name, board, expires=expires)
    found = expiry.parse_formula(state.formula)
    overdue = expiry.is_overdue(state.evaluated, state.interval_s, azure.now())
    if (state.autoscale and (found is None or not overdue)) or not (current.total or state.target.total):
        return ""
    keeper.then_zero = found is not None and found.idle_from is not None
    if keeper.is_over:
        return f"it expired at {time}: `%batchimg cleanup --delete` deletes it"
    counts = found.counts if found else current.minimum(state.target)
    if not counts.total and not state.autoscale:
        return ""
    try:
        async with keeper.enforced():
            await keeper.ensure(state, counts)
    except ConflictError:
        return f"its expiry at {time} is disabled: another client changes the pool; wait for it again"
    return f"its expiry at {time} is enabled again"
