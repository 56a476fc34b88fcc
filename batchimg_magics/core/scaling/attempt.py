"""One resize of Azure's: asked for, waited for, and judged by what came of **this** one.

A request may have been taken although no answer came, and an answer may be about what somebody else does to the pool
at the same time. What the pool says of itself decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling
from batchimg_magics.core.batch import pools
from batchimg_magics.core.scaling import outcomes
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.errors import ConflictError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.batch.pools import PoolState

#: Seconds for which a pool may look as before after it took a request: answers come from more than one server.
MAX_UNCHANGED_S = 60.0
#: Statuses of a request that may be taken the next time: none came, or the service is busy or failed.
_RETRYABLE_STATUSES = frozenset({0, 408, 429, 500, 502, 503, 504})


async def request_resize(
    azure: Azure, before: PoolState, request: Callable[[], Awaitable[None]], goal: Counts | None = None
) -> ResizeOutcome | None:
    """Send a request that begins a resize.

    Parameters
    ----------
    azure
        Whose.
    before
        The pool when it was steady.
    request
        Sends it.
    goal
        The targets that the pool has once it was taken; None: whatever they are.

    Returns
    -------
    Verdict or None
        None: the pool took it. ``passing``: it did not, for now. ``foreign``: somebody else is at the pool.

    Raises
    ------
    ServiceError
        Azure refuses it for good.
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
        if conflict or state.target != before.target:
            return external_change(state)
        return ResizeOutcome(
            "passing", error.code or (str(error.status_code) if error.status_code else "NoAnswer"), str(error)
        )
    return None


def external_change(state: PoolState) -> ResizeOutcome:
    """Return the verdict on a pool that somebody else changes."""
    if state.autoscale:
        return ResizeOutcome("foreign", None, "somebody turned autoscale on: a formula sets the size of the pool now")
    doing = {"resizing": "resizes it", "stopping": "stops its resize"}.get(state.allocation, "resized it")
    return ResizeOutcome("foreign", None, f"somebody else {doing}: its targets are {state.target}")


async def wait_for_end(
    azure: Azure,
    before: PoolState,
    goal: Counts | None = None,
    *,
    limit_s: float | None = None,
    tell: Callable[[PoolState], None] = lambda _: None,
) -> PoolState:
    """Wait until the resize is over that followed `before`, and return the pool.

    It is over when the pool is steady since another moment than before; when its targets are not ours any more; or
    when it has not changed at all for a while: then it never began.

    Parameters
    ----------
    azure
        Whose.
    before
        The pool when it was steady.
    goal
        The targets that were asked for; None: whatever they are.
    limit_s
        How long to wait.
    tell
        Told of each look.

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
        tell(state)
        changed = state.state_since != before.state_since
        lost = not changed and state.allocation == "steady" and azure.now() - began > MAX_UNCHANGED_S
        theirs = changed and (goal not in (None, state.target) or state.autoscale)
        over = (changed and state.allocation == "steady") or lost or theirs
        return polling.PollResult(over, state, remaining=state.remaining)

    what = f"pool {before.name} to be steady"
    return await polling.poll_until(
        azure, poll, what=what, first_s=pools.FIRST_POLL_S, timeout_s=limit_s, pace=pools.RESIZE_POLL_PACE
    )


def resize_outcome(before: PoolState, after: PoolState, goal: Counts, held: Counts) -> ResizeOutcome:
    """Return what came of a resize.

    Errors stay on a pool until its next resize: these are of this one only when the pool's state changed since it was
    asked for, and its targets are still those.
    """
    if after.state_since == before.state_since:
        return ResizeOutcome("passing", "NotTaken", "Azure took the request, and the pool did not change")
    if after.target != goal or after.autoscale:
        return external_change(after)
    found = outcomes.classify(after.errors)
    if found.kind == "done" and not held.covers(goal):
        return ResizeOutcome("short", None, "fewer nodes came than were asked for, and Azure gives no reason")
    if found.kind in ("short", "passing") and held == goal:
        # Too late for Azure, and there all the same; or nodes that leave when their tasks are done.
        return replace(found, kind="done")
    return found
