"""The resize controller: rounds until a pool's target is really there, or there is a reason why it will not be.

A round is one resize of Azure's: ask, wait until the pool is steady, read the nodes that there are and the errors of
**this** resize, tell what kind of outcome it is, go on or stop. Azure ends a resize quietly at its timeout, with what
came by then; above 300 nodes several rounds are normal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.core.batch.expiry import Expiry
from batchimg_magics.core.scaling import attempt, context, failures, node_health, outcomes, readiness, rounds
from batchimg_magics.core.scaling.budget import ResizeBudget
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.core.scaling.rounds import Round, held_counts, live_counts
from batchimg_magics.errors import BatchImgError, NotFoundError
from batchimg_magics.pool_spec.values import MIN_RESIZE_TIMEOUT_S

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.batch.nodes import Census
    from batchimg_magics.core.batch.pools import PoolState
    from batchimg_magics.core.scaling.context import PoolContext
    from batchimg_magics.core.scaling.request import ResizeRequest

#: Seconds before the next round after a fault on Azure's side, doubled each time, and the longest such pause.
TRANSIENT_PAUSE_S, LONGEST_PAUSE_S = 30.0, 480.0
#: How often a target that was there may go again, through no fault of ours, before that is told.
MAX_READY_TRIES = 3
#: Seconds by which Azure may end a resize later than its timeout.
LATE_S = 300.0
#: Seconds by which a round may be seen to end later than its timeout: they are paid for too.
BUDGET_LATE_S = 60.0
_ACTIONS = {"done": "done", "short": "next round", "passing": "wait, then next round"}


class ResizeController:
    """Brings one pool to its target.

    Parameters
    ----------
    azure, pool
        Which.
    wish
        What is wanted.
    board
        Told how it goes.
    verb
        Whose table the rounds make.
    resize_budget
        What it spends, where several pools spend together.

    Attributes
    ----------
    rounds, tries
        What was done so far; of that, what was asked of Azure for the target.
    target
        What it is to reach: what is wanted, less what a quota does not let in where that is fine.
    census
        The pool's nodes when they were last seen.
    """

    census: Census

    def __init__(
        self,
        azure: Azure,
        pool: str,
        request: ResizeRequest,
        board: Board,
        verb: str = "resize",
        resize_budget: ResizeBudget | None = None,
    ) -> None:
        self.azure = azure
        self.pool = pool
        self.request = request
        self.board = board
        self.verb = verb
        self.rounds: list[Round] = []
        self.target = Counts()
        self.context: PoolContext | None = None
        self.attempts: list[Round] = []
        self.quota_shortfall = ""
        self._budget = resize_budget or ResizeBudget(azure, request.policy.max_cost)
        self._expiry = Expiry(azure, pool, board)
        self._began = self._state_read_at = azure.now()

    async def run(self) -> Table:
        """Go on until the target is there.

        Returns
        -------
        Table
            One row a round; no row where the pool was at its target already.

        Raises
        ------
        ResizeError
            It will not be there; the error's table has the rounds.
        BudgetError
            The next round would cost more than it may. It was not asked for.
        ConflictError
            A formula sets the pool's targets, or the pool is being deleted.
        """
        step = f"{self.verb} {self.pool}"
        # From here on a wait beside this leaves the expiry to it.
        self.azure.spending_limit.planned[self.pool.lower()] = Counts()
        self.board.begin(step, expected_s=pools.EXPECTED_S["steady"])
        try:
            try:
                await self._read_pool()
                await self._to_target(step)
            finally:
                self.board.end(step)
            if self.request.policy.until == "ready" and self.target.total:
                await self._wait_until_ready()
            await self._expiry.restore(self.target)
        except BatchImgError as error:
            if self.rounds:
                self._record_drift(self.azure.now(), live_counts(self.census))
            error.table = error.table or (self.table() if self.rounds else None)
            if not isinstance(error, NotFoundError) and hasattr(self, "_state"):
                await self._expiry.restore_unless_changed(self.state, held_counts(self.census))
            raise
        finally:
            self.azure.spending_limit.planned.pop(self.pool.lower(), None)
        self.azure.ledger.clear_wanted_size(self.pool)
        return self.table()

    @property
    def state(self) -> PoolState:
        """The pool when it was last seen."""
        return self._state

    @state.setter
    def state(self, seen: PoolState) -> None:
        self._state, self._state_read_at = seen, self.azure.now()

    # -- before anything is asked for ----------------------------------------------------------------------------

    async def _read_pool(self) -> None:
        """See how the pool stands, and wait for what goes on with it."""
        state = await pools.read_state_cached(self.azure, self.pool)
        pools.raise_if_deleting(state)
        self.pool = self._expiry.pool = state.name
        if state.autoscale and not expiry.is_expiry_formula(state.formula):
            if not self.request.autoscale_off:
                raise failures.autoscale_error(self)
            await expiry.disable_autoscale(self.azure, self.pool)
            state = await pools.wait_until_steady(self.azure, self.pool)
        if state.allocation != "steady":
            state = await self._wait_for_running_resize(state)
        self.state, self.census = state, await readiness.count_and_record(self.azure, self.pool)
        self.target = self.request.target(self._targets(state))
        expires = await self._expiry.begin(state, self.request.policy.ttl, keep=self.request.grow_only)
        if (
            expires is not None
            and expires.timestamp() <= self.azure.now()
            and not held_counts(self.census).covers(self.target)
        ):
            raise failures.expired_error(self, expires)

    def _targets(self, state: PoolState) -> Counts:
        """Return a pool's targets; those that it had before bad nodes were taken out, where that was not finished."""
        wanted = self.azure.ledger.wanted_size(self.pool) if self.request.policy.repair else None
        return state.target.maximum(Counts(*wanted)) if wanted else state.target

    async def _wait_for_running_resize(self, state: PoolState) -> PoolState:
        """Wait for a resize that goes on, and note it: ours of before, which is joined, or somebody else's."""
        census, started = await readiness.count_and_record(self.azure, self.pool), self.azure.now()
        self.target = self.request.target(state.target)
        ours = state.target == self.target and not state.autoscale
        after = await pools.wait_until_steady(self.azure, self.pool, limit_s=self.wait_limit_s())
        self.state, before = after, live_counts(census)
        self.census = census = await readiness.count_and_record(self.azure, self.pool)
        if ours and after.target == self.target:
            self.record_round(started, before, self.target, outcomes.classify(after.errors), why="joined")
            self.attempts.append(self.rounds[-1])
        elif not expiry.is_expiry_formula(state.formula):
            self.record_round(started, before, state.target, attempt.external_change(state), action="waited for it")
        return after

    # -- rounds --------------------------------------------------------------------------------------------------

    async def _to_target(self, step: str) -> None:
        self.azure.spending_limit.planned[self.pool.lower()] = self.target
        if not held_counts(self.census).covers(self.target):
            await self._prepare()
            await node_health.try_first_node(self)
        await self.resize_to(self.target, step)

    async def _prepare(self) -> None:
        """Read what growth depends on, and refuse what cannot work."""
        self.context = await context.read_context(self.azure, self.pool)
        if self.context.image.gone:
            raise failures.image_missing_error(self, str(self.context.image.id))
        if text := self.context.headroom.shortfall(self.target):
            fitting = self.context.headroom.fitting(self.target).maximum(held_counts(self.census).minimum(self.target))
            if not self.request.policy.take_what_fits:
                raise failures.quota_error(self, text)
            self.target, self.quota_shortfall = fitting, text
        # All of it: a first node that is tried in vain costs, too.
        await self._budget.reserve(
            self.context, self.target.maximum(live_counts(self.census)), self._allowed_s(self.target)
        )

    async def resize_to(self, goal: Counts, step: str = "", why: str = "") -> None:
        """Go from round to round until these nodes are there.

        Parameters
        ----------
        goal
            How many.
        step
            Of the board, where there is one.
        why
            What the table calls these rounds, where they are no plain ones.
        """
        while not self._is_at_target(goal):
            if failures.accept_quota_limit(self, goal):
                return
            await failures.raise_if_final(self)
            if step:
                self.board.update(step, done=min(live_counts(self.census).total, goal.total), total=goal.total)
            await self._round(goal, step, why)

    def _is_at_target(self, goal: Counts) -> bool:
        return self.state.target == goal and held_counts(self.census).covers(goal)

    def remaining_s(self) -> float:
        """Return how many seconds are left of what it may take."""
        minutes = self.request.policy.max_minutes
        return float("inf") if minutes is None else self._began + minutes * 60 - self.azure.now()

    def wait_limit_s(self) -> float | None:
        """Return how long a resize may be waited for: Azure may end it somewhat late. None: as long as it takes."""
        left_s = self.remaining_s()
        return None if left_s == float("inf") else max(left_s, MIN_RESIZE_TIMEOUT_S) + LATE_S

    async def _round(self, goal: Counts, step: str, why: str) -> None:
        """Ask once, wait until the pool is steady, and note what came of it."""
        await self._pause()
        await self._raise_if_changed_externally()
        allowed_s = self._allowed_s(goal)
        if self.context is not None and not live_counts(self.census).covers(goal):
            await self._budget.reserve(self.context, goal.maximum(live_counts(self.census)), allowed_s + BUDGET_LATE_S)
        before = await self.suspend_expiry()
        current, started = live_counts(self.census), self.azure.now()
        outcome = await attempt.request_resize(
            self.azure,
            before,
            lambda: pools.resize(self.azure, self.pool, goal, allowed_s, self.request.drain),
            goal,
        )
        if outcome is None:
            await self._wait_for_end(goal, step)
            outcome = attempt.resize_outcome(before, self.state, goal, held_counts(self.census))
        else:
            self.state = await pools.read_state(self.azure, self.pool)
            self.census = await readiness.count_and_record(self.azure, self.pool)
        self.record_round(started, current, goal, outcome, why=why, timeout_s=allowed_s)
        self.attempts.append(self.rounds[-1])

    async def _raise_if_changed_externally(self) -> None:
        """Stop when somebody else has changed the pool since it was last seen: theirs is not undone."""
        if self.azure.now() - self._state_read_at >= 1:
            state = await pools.read_state(self.azure, self.pool)
            pools.raise_if_deleting(state)
            self.census = await readiness.recount_if_old(self.azure, self.pool, self.census)
            if expiry.is_expiry_formula(state.formula) and not self.state.autoscale:
                # A wait in another process let Azure see to the expiry between two rounds: that is lifted again.
                self.state = await pools.wait_until_steady(self.azure, self.pool)
                return
            theirs = state.autoscale and not self.state.autoscale
            if state.target != self.state.target or state.allocation != "steady" or theirs:
                raise failures.target_error(self, attempt.external_change(state))
            self.state = state

    async def _pause(self) -> None:
        """Give Azure time after a fault on its side, longer each time; nodes may come and go meanwhile."""
        if not self.attempts or self.attempts[-1].outcome.kind != "passing":
            return
        passed = sum(one.outcome.kind == "passing" for one in self.attempts)
        await self.azure.sleep(min(TRANSIENT_PAUSE_S * 2 ** (passed - 1), LONGEST_PAUSE_S))

    def _allowed_s(self, goal: Counts) -> float:
        """Return the timeout of a round."""
        wanted_s = self.request.policy.timeout or pools.resize_timeout_s(goal.total)
        return min(wanted_s, max(MIN_RESIZE_TIMEOUT_S, self.remaining_s()))

    async def suspend_expiry(self) -> PoolState:
        """Turn our expiry's formula off, where it is on, and return the pool as it is before something is asked."""
        self.state = await self._expiry.suspend(self.state)
        return self.state

    async def _wait_for_end(self, goal: Counts, step: str) -> None:
        """Wait until the resize that was asked for is over, and read what there is then."""

        def tell(state: PoolState) -> None:
            if step:
                self.board.update(step, done=min(state.current.total, goal.total), total=goal.total)

        self.state = await attempt.wait_for_end(self.azure, self.state, goal, limit_s=self.wait_limit_s(), tell=tell)
        self.census = await readiness.count_and_record(self.azure, self.pool)

    def record_round(
        self,
        started: float,
        before: Counts,
        target: Counts,
        outcome: ResizeOutcome,
        *,
        why: str = "",
        action: str = "",
        timeout_s: float | None = None,
    ) -> None:
        """Put a round that is over into the table and into the ledger."""
        self._record_drift(started, before)
        text = action or ": ".join(part for part in (why, _ACTIONS.get(outcome.kind, "stop")) if part)
        now, after = self.azure.now(), live_counts(self.census)
        usd = self._budget.charge(self.context, before.maximum(after), now - started)
        number = len(self.rounds) + 1
        self._record(Round(self.pool, number, started, now, before, after, target, outcome, text, timeout_s, usd))

    def _record_drift(self, now: float, current: Counts) -> None:
        """Note nodes that came or went since the last round: rows add up to what there is."""
        if self.rounds and (before := self.rounds[-1]).after != current:
            usd = self._budget.charge(self.context, before.after.maximum(current), now - before.ended)
            number, text = len(self.rounds) + 1, "while nothing was asked for"
            drift = ResizeOutcome("changed")
            self._record(
                Round(self.pool, number, before.ended, now, before.after, current, self.target, drift, text, None, usd)
            )

    def _record(self, made: Round) -> None:
        self.rounds.append(made)
        # What nodes say may have anything in it: it is shown, and not kept.
        kept = {"message": None} if made.outcome.kind == "repair" else {}
        self.azure.ledger.add_round(self.pool, made.started, made.row() | kept)

    # -- until the nodes take work -------------------------------------------------------------------------------

    async def _wait_until_ready(self) -> None:
        """Wait until the nodes are ready, replace bad ones where that is wanted, and make sure that all are there."""
        for _ in range(MAX_READY_TRIES):
            await self.wait_until_settled(self.census)
            if self.request.policy.repair:
                await node_health.repair_nodes(self)
            if held_counts(self.census).covers(self.target):
                break
            state = await pools.wait_until_steady(self.azure, self.pool)
            self.census = await readiness.count_and_record(self.azure, self.pool)
            if state.target != self.target or state.autoscale:
                raise failures.target_error(self, attempt.external_change(state))
            self.state = state
            await self.resize_to(self.target, why="nodes had gone")
        self._record_drift(self.azure.now(), live_counts(self.census))
        if not held_counts(self.census).covers(self.target):
            raise failures.target_error(self, ResizeOutcome("short", None, "nodes keep going away"))
        await failures.raise_if_too_many_bad(self)

    async def wait_until_settled(self, before: Census | None = None) -> None:
        """Wait until no node is on its way any more.

        Parameters
        ----------
        before
            The nodes when they were last counted, where nothing was asked for since.
        """
        limit_s = min(readiness.SETTLE_TIMEOUT_S, self.remaining_s())
        self.census = await readiness.wait_until_settled(
            self.azure,
            self.pool,
            self.board,
            expected=self.target.total,
            before=before,
            limit_s=limit_s,
        )
        self.record_working_image()

    def record_working_image(self) -> None:
        """Remember that this image's nodes come up, when one has."""
        if self.census.ready and self.context is not None and (key := self.context.image.key):
            self.azure.ledger.add_working_image(key, self.azure.now())

    # -- at the end ---------------------------------------------------------------------------------------------

    def table(self) -> Table:
        """Return the rounds so far, with what nodes there are in caption and attrs."""
        cut = f"; {self.quota_shortfall}" if self.quota_shortfall else ""
        return rounds.rounds_table(self.verb, self.rounds, f"pool {self.pool}: {self.nodes}{cut}", self.nodes)

    @property
    def nodes(self) -> str:
        """What nodes there are, in words."""
        return str(self.census) if hasattr(self, "census") else "not looked at"
