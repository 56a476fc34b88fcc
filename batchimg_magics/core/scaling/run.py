"""One resize of one pool: its goal, the state of the pool, and its attempts so far.

Only the loop in `controller` changes a `ResizeRun`. The other modules read it and return what they found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.core.scaling import context, rounds
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.core.scaling.rounds import Round, held_counts, live_counts
from batchimg_magics.pool_spec.values import MIN_RESIZE_TIMEOUT_S

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.batch.nodes import Census
    from batchimg_magics.core.batch.pools import PoolState
    from batchimg_magics.core.estimates.prices import Rates
    from batchimg_magics.core.scaling.budget import ResizeBudget
    from batchimg_magics.core.scaling.context import PoolContext
    from batchimg_magics.core.scaling.expiry_run import Expiry
    from batchimg_magics.core.scaling.request import ResizeRequest

#: Seconds after its timeout by which Azure may end a resize.
MAX_DELAY_S = 300.0


@dataclass(frozen=True, slots=True)
class RoundStart:
    """The beginning of a row of the table of rounds.

    Parameters
    ----------
    at
        When, in seconds of the service's time.
    before
        The pool's nodes then.
    target
        The nodes that are requested.
    reason
        Why, for the column ``action``; empty for a plain resize attempt.
    timeout_s
        The resize timeout that Azure gets; None where nothing is resized.
    """

    at: float
    before: Counts
    target: Counts
    reason: str = ""
    timeout_s: float | None = None


@dataclass(slots=True)
class ResizeRun:
    """The state of one resize.

    Parameters
    ----------
    azure, pool, board
        The connection, the pool's name, and the board that shows progress.
    request
        The requested counts and the policy.
    budget, expiry
        What the resize may cost, and the pool's expiry, whose formula requests the nodes.
    state, census
        The pool and its nodes when they were last read.
    target
        The counts to reach: those requested, or those that the quotas allow.
    started_at, state_read_at
        When the resize began, and when `state` was read, in seconds of the service's time.
    context
        What growth depends on: image, quotas, prices; None: not read.
    rates
        The price of a node, where only that was read; None: not read.
    rounds
        The rows of the table: resize attempts, repairs, changes between them.
    attempts
        Those of the rows that are resize attempts for the target.
    judged_from
        The number of attempts before dedicated nodes were requested instead of spot nodes: those are not judged again.
    quota_shortfall
        What a quota does not allow, as text, if fewer nodes are accepted; otherwise empty.
    """

    azure: Azure
    pool: str
    board: Board
    request: ResizeRequest
    budget: ResizeBudget
    expiry: Expiry
    state: PoolState
    census: Census
    target: Counts
    started_at: float
    state_read_at: float
    context: PoolContext | None = None
    rates: Rates | None = None
    rounds: list[Round] = field(default_factory=list)
    attempts: list[Round] = field(default_factory=list)
    judged_from: int = 0
    quota_shortfall: str = ""

    # -- what is known -------------------------------------------------------------------------------------------

    @property
    def live(self) -> Counts:
        """The nodes that are not leaving."""
        return live_counts(self.census)

    @property
    def held(self) -> Counts:
        """The nodes that count towards the target: live ones, and preempted ones, which Azure brings back."""
        return held_counts(self.census)

    @property
    def os_type(self) -> str:
        """The operating system of the nodes; Linux before the context is read."""
        agent = "" if self.context is None else pools.agent_of(self.context.pool)
        return "Windows" if "windows" in agent.lower() else "Linux"

    @property
    def judged_attempts(self) -> list[Round]:
        """The attempts that decide whether another one makes sense."""
        return self.attempts[self.judged_from :]

    @property
    def has_too_many_bad(self) -> bool:
        """Whether more nodes are bad than ``--max-unusable`` allows."""
        return self.census.bad > self.request.policy.max_unusable * self.target.total

    def is_at(self, goal: Counts) -> bool:
        """Return whether the pool has these targets, and the nodes for them."""
        kept = self.expiry.asked(goal).is_kept(self.state)
        return kept and self.state.target == goal and self.held.covers(goal)

    def remaining_s(self) -> float:
        """Return the seconds that are left of ``--max-minutes``."""
        minutes = self.request.policy.max_minutes
        return float("inf") if minutes is None else self.started_at + minutes * 60 - self.azure.now()

    def wait_limit_s(self) -> float | None:
        """Return the seconds that a resize may be waited for: Azure may end it late. None: no limit."""
        remaining_s = self.remaining_s()
        return None if remaining_s == float("inf") else max(remaining_s, MIN_RESIZE_TIMEOUT_S) + MAX_DELAY_S

    def timeout_s(self, goal: Counts) -> float:
        """Return the resize timeout of an attempt; a formula cannot set it."""
        if self.expiry.expires is not None:
            return expiry.RESIZE_TIMEOUT_S
        wanted_s = self.request.policy.timeout or pools.resize_timeout_s(goal.total)
        return min(wanted_s, max(MIN_RESIZE_TIMEOUT_S, self.remaining_s()))

    # -- what the loop records -----------------------------------------------------------------------------------

    def set_state(self, state: PoolState) -> None:
        """Keep the pool as it was just read."""
        self.state, self.state_read_at = state, self.azure.now()

    async def read_rates(self) -> None:
        """Read the price of a node where growth did not: a pool that shrinks is not delayed by it."""
        if self.context is None and self.rates is None:
            self.rates = await context.read_rates(self.azure, self.pool)

    def start_round(self, target: Counts | None = None, reason: str = "", timeout_s: float | None = None) -> RoundStart:
        """Return the beginning of a row: now, with the nodes that were last counted."""
        return RoundStart(self.azure.now(), self.live, target or self.target, reason, timeout_s)

    def record(self, start: RoundStart, outcome: ResizeOutcome, action: str = "") -> Round:
        """Add a row to the table and to the local history, and return it.

        Parameters
        ----------
        start
            Its beginning.
        outcome
            How it ended.
        action
            For the column ``action``; empty: the start's reason and what the outcome's class leads to.
        """
        self.record_drift(start.at, start.before)
        text = action or ": ".join(part for part in (start.reason, outcome.kind.action) if part)
        return self._add(start, self.azure.now(), self.live, outcome, text)

    def record_drift(self, now: float, current: Counts) -> None:
        """Add a row for nodes that came or went since the last one, so that the rows add up to the pool's nodes."""
        if self.rounds and (last := self.rounds[-1]).after != current:
            start = RoundStart(last.ended, last.after, self.target)
            self._add(start, now, current, ResizeOutcome(OutcomeClass.CHANGED), "nodes changed without a resize")

    def _add(self, start: RoundStart, ended: float, after: Counts, outcome: ResizeOutcome, action: str) -> Round:
        rates = self.rates if self.context is None else self.context.rates
        usd = self.budget.charge(self.pool, rates, start.before.maximum(after), ended - start.at)
        number = len(self.rounds) + 1
        made = Round(
            self.pool,
            number,
            start.at,
            ended,
            start.before,
            after,
            start.target,
            outcome,
            action,
            start.timeout_s,
            usd,
            self.state.created,
        )
        self.rounds.append(made)
        # A node's log may contain anything, secrets too: it is shown and not kept.
        kept = {"message": None} if outcome.kind is OutcomeClass.REPAIR else {}
        self.azure.ledger.add_round(self.pool, made.started, made.row() | kept)
        return made

    def record_working_image(self) -> None:
        """Keep in the local history that nodes with this image and start task start, once one has."""
        if self.census.ready and self.context is not None and (key := self.context.start_key):
            self.azure.ledger.add_working_image(key, self.azure.now())

    def table(self, verb: str) -> Table:
        """Return the rows so far, with the pool's nodes in the caption and in attrs."""
        cut = f"; {self.quota_shortfall}" if self.quota_shortfall else ""
        if self.request.policy.timeout is not None and self.expiry.expires is not None:
            cut += f"; {expiry.TIMEOUT_TEXT}"
        nodes = str(self.census)
        return rounds.rounds_table(verb, self.rounds, f"pool {self.pool}: {nodes}{cut}", nodes)
