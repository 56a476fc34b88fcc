"""One resize of Azure Batch: request it, wait for its end, and classify the outcome of **this** resize.

A pool of fixed size is resized by a request. A pool with an expiry is resized by a new number in its formula, which
Azure evaluates at once.

A request may have been accepted although no answer arrived, and an error may be about a change that somebody else makes
to the pool at the same time. The pool's own state decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling
from batchimg_magics.core.azure.conflicts import was_faster
from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.core.scaling import outcomes
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.errors import ConflictError, ServiceError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.batch.pools import PoolState

#: Seconds for which a pool may be shown unchanged after it accepted a request: several servers answer.
MAX_UNCHANGED_S = 60.0
#: Seconds after its timeout by which an attempt may end: they are billed too.
BUDGET_DELAY_S = 60.0
#: The code of an attempt whose formula Azure accepted and did not evaluate.
NOT_EVALUATED = "NotEvaluated"
#: Statuses after which the same request may succeed; 0: no answer.
_RETRYABLE_STATUSES = frozenset({0, 408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class AskedSize:
    """A size that is requested, and how.

    Parameters
    ----------
    goal
        The counts; None: any.
    expires
        The time of expiry of a pool whose formula requests them; None: a pool of fixed size.
    """

    goal: Counts | None = None
    expires: dt.datetime | None = None

    def is_kept(self, state: PoolState) -> bool:
        """Return whether the pool is asked for this size, and by nobody for another one."""
        if self.expires is None:
            return not state.autoscale and self.goal in (None, state.target)
        found = expiry.parse_formula(state.formula)
        # The time is not compared: of two clients that set it, the last one decides.
        return found is not None and self.goal in (None, found.counts)

    def is_changed(self, before: PoolState, state: PoolState) -> bool:
        """Return whether somebody else asked for another size, and not only an older state is shown."""
        newer = state.state_since != before.state_since if self.expires is None else state.formula != before.formula
        return newer and not self.is_kept(state)

    def is_stopped(self, state: PoolState) -> bool:
        """Return whether somebody stopped the resize of a formula: its time stays, and it keeps the nodes there are."""
        if self.expires is None or self.goal is None:
            return False
        found = expiry.parse_formula(state.formula)
        if found is None:  # between the requests of a stop, the formula is off, and the targets stay
            return not state.autoscale and state.target == self.goal
        return found.expires == self.expires and found.counts == state.current.minimum(self.goal)

    def has_ended(self, before: PoolState, state: PoolState) -> bool:
        """Return whether the resize that followed `before` has ended."""
        changed = state.state_since != before.state_since and state.allocation == "steady"
        return changed and (self.expires is None or self.goal in (None, state.target))


async def request_resize(
    azure: Azure, before: PoolState, request: Callable[[], Awaitable[None]], asked: AskedSize
) -> ResizeOutcome | None:
    """Send a request that starts a resize.

    Parameters
    ----------
    azure
        The connection.
    before
        The pool when it was steady.
    request
        Sends the request.
    asked
        The size that it asks for.

    Returns
    -------
    ResizeOutcome or None
        None: the pool accepted the request. TRANSIENT: it did not, for now. EXTERNAL: somebody else changes the pool.

    Raises
    ------
    ServiceError
        Azure rejects the request, and would do so again.
    """
    try:
        await request()
    except ServiceError as error:
        conflict = isinstance(error, ConflictError)
        if not conflict and error.status_code not in _RETRYABLE_STATUSES:
            raise
        state = await pools.read_state(azure, before.name)
        if asked.is_kept(state) and (asked.expires is not None or state.state_since != before.state_since):
            return None
        fixed_changed = asked.expires is None and (
            (conflict and was_faster(error)) or state.target != before.target or state.autoscale
        )
        if fixed_changed or asked.is_changed(before, state):
            return external_change(state)
        if conflict and not was_faster(error):
            raise
        code = error.code or (str(error.status_code) if error.status_code else "NoAnswer")
        return ResizeOutcome(OutcomeClass.TRANSIENT, code, str(error))
    return None


def external_change(state: PoolState) -> ResizeOutcome:
    """Return the outcome for a pool that somebody else changes."""
    found = expiry.parse_formula(state.formula)
    if found is not None:
        text = (
            f"somebody else set its formula: it requests {found.counts} until {expiry.format_tag_time(found.expires)}"
        )
    elif state.autoscale:
        text = "somebody turned autoscale on: a formula sets the size of the pool now"
    else:
        doing = {"resizing": "is resizing it", "stopping": "is stopping its resize"}
        text = f"somebody else {doing.get(state.allocation, 'resized it')}: its targets are {state.target}"
    return ResizeOutcome(OutcomeClass.EXTERNAL, None, text)


async def wait_for_end(
    azure: Azure,
    before: PoolState,
    asked: AskedSize,
    *,
    limit_s: float | None = None,
    on_poll: Callable[[PoolState], None] = lambda _: None,
) -> PoolState:
    """Wait for the end of the resize that followed `before`, and return the pool.

    It has ended when the pool is steady since another moment than before, or when somebody else asked for another size.
    When the pool has not changed at all for a while, the resize never started.

    Parameters
    ----------
    azure
        The connection.
    before
        The pool when it was steady.
    asked
        The requested size.
    limit_s
        How long to wait, in seconds.
    on_poll
        Called with the pool each time that it is read.

    Raises
    ------
    ConflictError
        The pool is being deleted.
    WaitTimeoutError
        It took longer than `limit_s`.
    """
    began = azure.now()

    async def poll() -> polling.PollResult[PoolState]:
        state = await pools.read_state(azure, before.name)
        pools.raise_if_deleting(state)
        on_poll(state)
        ended, waited_s = asked.has_ended(before, state), azure.now() - began
        never_started = not ended and state.allocation == "steady" and waited_s > MAX_UNCHANGED_S
        over = ended or never_started or asked.is_changed(before, state)
        return polling.PollResult(over, state, remaining=state.remaining)

    what = f"pool {before.name} to be steady"
    return await polling.poll_until(
        azure, poll, what=what, first_s=pools.FIRST_POLL_S, timeout_s=limit_s, pace=pools.RESIZE_POLL_PACE
    )


def resize_outcome(before: PoolState, after: PoolState, asked: AskedSize, held: Counts) -> ResizeOutcome:
    """Return the outcome of a resize.

    A pool keeps its resize errors until its next resize. They are errors of this resize only when the pool's state has
    changed since the request, and the pool still has the requested targets.
    """
    if asked.expires is None and after.state_since == before.state_since:
        text = "Azure accepted the request, and the pool did not change"
        return ResizeOutcome(OutcomeClass.TRANSIENT, "NotTaken", text)
    if not asked.is_kept(after):
        stopped = ResizeOutcome(OutcomeClass.STOPPED, None, OutcomeClass.STOPPED.text)
        return stopped if asked.is_stopped(after) else external_change(after)
    if not asked.has_ended(before, after):
        error = f": {after.evaluation_error}" if after.evaluation_error else ""
        return ResizeOutcome(OutcomeClass.TRANSIENT, NOT_EVALUATED, f"Azure does not evaluate the formula{error}")
    found = outcomes.classify(after.errors)
    covers = asked.goal is None or held.covers(asked.goal)
    if found.kind is OutcomeClass.DONE and not covers:
        return ResizeOutcome(OutcomeClass.PARTIAL, None, f"{OutcomeClass.PARTIAL.text}, and Azure gives no reason")
    if found.kind in (OutcomeClass.PARTIAL, OutcomeClass.TRANSIENT) and held == asked.goal:
        # The nodes arrived after the timeout; or nodes are still leaving, since their tasks have to end first.
        return replace(found, kind=OutcomeClass.DONE)
    return found
