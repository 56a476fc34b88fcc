"""Dedicated nodes instead of spot nodes that a quota or a lack of capacity does not allow: ``--fallback-dedicated``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.scaling import attempt
from batchimg_magics.errors import BudgetError
from batchimg_magics.pool_spec.values import MIN_RESIZE_TIMEOUT_S

if TYPE_CHECKING:
    from batchimg_magics.core.batch.quotas import QuotaHeadroom
    from batchimg_magics.core.scaling.request import ResizeRequest
    from batchimg_magics.core.scaling.run import ResizeRun

#: The reason of the attempt, for the column ``action``.
REASON = "dedicated nodes instead of Spot"
#: Outcomes that may be those of spot nodes alone.
_KINDS = frozenset({OutcomeClass.QUOTA, OutcomeClass.PARTIAL, OutcomeClass.TRANSIENT})
#: Codes of attempts in which Azure did not begin a resize.
_NOT_BEGUN = frozenset({"NotTaken", attempt.NOT_EVALUATED})


def shortfall(request: ResizeRequest, headroom: QuotaHeadroom, goal: Counts) -> str:
    """Return what of a size the quotas do not allow; spot nodes do not count where dedicated ones may replace them."""
    return headroom.shortfall(Counts(goal.dedicated, 0) if request.policy.fallback_dedicated else goal)


async def goal_instead(run: ResizeRun, goal: Counts, spot: int) -> Counts | None:
    """Return the size with dedicated nodes instead of the spot nodes that are missing; None: none may be requested.

    As many as ``--fallback-dedicated``, the quotas and the limits of money allow.

    Parameters
    ----------
    run, goal
        The resize, and the size that cannot be reached.
    spot
        The spot nodes that can be had.
    """
    most, requested = run.request.policy.fallback_dedicated or 0, run.request.dedicated or 0
    used = max(0, min(goal.dedicated - requested, most))
    wanted = min(most - used, goal.spot - spot)
    if wanted <= 0 or run.context is None:
        return None
    fitting = run.context.headroom.fitting(Counts(goal.dedicated + wanted, 0)).dedicated - goal.dedicated
    low, high = 0, min(wanted, fitting)
    while low < high:  # the most that the limits allow
        middle = (low + high + 1) // 2
        if await _is_affordable(run, Counts(goal.dedicated + middle, spot)):
            low = middle
        else:
            high = middle - 1
    return Counts(goal.dedicated + low, spot) if low > 0 else None


async def _is_affordable(run: ResizeRun, goal: Counts) -> bool:
    if run.context is None:
        return False
    try:
        await run.budget.reserve(run.context, goal.maximum(run.live), run.timeout_s(goal) + attempt.BUDGET_DELAY_S)
    except BudgetError:
        return False
    return True


async def goal_after_failure(run: ResizeRun, goal: Counts) -> Counts | None:
    """Return the size to request after an attempt that lacks only spot nodes; None: nothing can be requested."""
    policy, attempts = run.request.policy, run.judged_attempts
    if not policy.fallback_dedicated or not attempts or len(run.attempts) >= policy.max_rounds:
        return None
    last, held = attempts[-1].outcome, run.held
    if last.kind not in _KINDS or last.code in _NOT_BEGUN:
        return None
    if run.has_too_many_bad or run.remaining_s() < MIN_RESIZE_TIMEOUT_S:
        return None
    if held.dedicated < goal.dedicated or held.spot >= goal.spot:
        return None
    return await goal_instead(run, goal, held.spot)
