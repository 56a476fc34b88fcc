"""One resize of Azure Batch: request it, wait for its end, and classify the outcome of **this** resize.

A request may have been accepted although no answer arrived, and an error may be about a change that somebody else makes
to the pool at the same time. The pool's own state decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling
from batchimg_magics.core.azure.conflicts import was_faster
from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.batch import pools
from batchimg_magics.core.scaling import outcomes
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.errors import ConflictError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.batch.pools import PoolState

#: Seconds for which a pool may be shown unchanged after it accepted a request: several servers answer.
MAX_UNCHANGED_S = 60.0
#: Statuses after which the same request may succeed; 0: no answer.
_RETRYABLE_STATUSES = frozenset({0, 408, 429, 500, 502, 503, 504})


async def request_resize(
    azure: Azure, before: PoolState, request: Callable[[], Awaitable[None]], goal: Counts | None = None
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
    goal
        The targets that the pool has once it accepts the request; None: any.

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
        if goal in (None, state.target) and state.state_since != before.state_since and not state.autoscale:
            return None
        if (conflict and was_faster(error)) or state.target != before.target or state.autoscale:
            return external_change(state)
        if conflict:
            raise
        code = error.code or (str(error.status_code) if error.status_code else "NoAnswer")
        return ResizeOutcome(OutcomeClass.TRANSIENT, code, str(error))
    return None


def external_change(state: PoolState) -> ResizeOutcome:
    """Return the outcome for a pool that somebody else changes."""
    if state.autoscale:
        text = "somebody turned autoscale on: a formula sets the size of the pool now"
    else:
        doing = {"resizing": "is resizing it", "stopping": "is stopping its resize"}
        text = f"somebody else {doing.get(state.allocation, 'resized it')}: its targets are {state.target}"
    return ResizeOutcome(OutcomeClass.EXTERNAL, None, text)


async def wait_for_end(
    azure: Azure,
    before: PoolState,
    goal: Counts | None = None,
    *,
    limit_s: float | None = None,
    on_poll: Callable[[PoolState], None] = lambda _: None,
) -> PoolState:
    """Wait for the end of the resize that followed `before`, and return the pool.

    It has ended when the pool is steady since another moment than before, or when the pool has other targets than the
    requested ones. When the pool has not changed at all for a while, the resize never started.

    Parameters
    ----------
    azure
        The connection.
    before
        The pool when it was steady.
    goal
        The requested targets; None: any.
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
        changed, steady = state.state_since != before.state_since, state.allocation == "steady"
        never_started = not changed and steady and azure.now() - began > MAX_UNCHANGED_S
        external = changed and (goal not in (None, state.target) or state.autoscale)
        return polling.PollResult((changed and steady) or never_started or external, state, remaining=state.remaining)

    what = f"pool {before.name} to be steady"
    return await polling.poll_until(
        azure, poll, what=what, first_s=pools.FIRST_POLL_S, timeout_s=limit_s, pace=pools.RESIZE_POLL_PACE
    )


def resize_outcome(before: PoolState, after: PoolState, goal: Counts, held: Counts) -> ResizeOutcome:
    """Return the outcome of a resize.

    A pool keeps its resize errors until its next resize. They are errors of this resize only when the pool's state has
    changed since the request, and the pool still has the requested targets.
    """
    if after.state_since == before.state_since:
        text = "Azure accepted the request, and the pool did not change"
        return ResizeOutcome(OutcomeClass.TRANSIENT, "NotTaken", text)
    if after.target != goal or after.autoscale:
        return external_change(after)
    found = outcomes.classify(after.errors)
    if found.kind is OutcomeClass.DONE and not held.covers(goal):
        return ResizeOutcome(OutcomeClass.PARTIAL, None, f"{OutcomeClass.PARTIAL.text}, and Azure gives no reason")
    if found.kind in (OutcomeClass.PARTIAL, OutcomeClass.TRANSIENT) and held == goal:
        # The nodes arrived after the timeout; or nodes are still leaving, since their tasks have to end first.
        return replace(found, kind=OutcomeClass.DONE)
    return found
