"""When a resize is given up: the rounds so far do not give hope, or are enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.scaling import context, failures
from batchimg_magics.core.scaling.outcomes import Verdict
from batchimg_magics.core.scaling.rounds import held
from batchimg_magics.spec import MIN_RESIZE_TIMEOUT_S

if TYPE_CHECKING:
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.scaling.run import Control

#: Rounds in a row that may bring no node before it is given up.
EMPTY_ROUNDS = 2
#: Outcomes after which nothing is asked for again.
_OVER = frozenset({"fatal", "quota", "stopped", "foreign"})


def takes_what_fits(control: Control, goal: Counts) -> bool:
    """Be content with what came, where a quota is in the way and that is fine; tell whether it is."""
    if not (control.wish.policy.take_what_fits and control.tries and control.tries[-1].verdict.kind == "quota"):
        return False
    control.target = held(control.census).least(goal)
    control.cut = control.tries[-1].verdict.message or ""
    return True


async def refuse_more(control: Control) -> None:
    """Stop with a reason unless another round makes sense.

    Raises
    ------
    ResizeError
        The last outcome is one that ends it; two rounds in a row brought no node; the rounds or the minutes are used
        up; or more nodes are of no use than may be, and nobody replaces them.
    """
    policy, tries = control.wish.policy, control.tries
    if control.left_s() < MIN_RESIZE_TIMEOUT_S:
        raise failures.failed(control, Verdict("short", None, f"{policy.max_minutes:g} minutes are over"))
    if not tries:
        return
    last = tries[-1].verdict
    if last.kind == "quota":
        control.around = await context.look(control.azure, control.pool)
    if last.kind in _OVER:
        raise failures.failed(control, last)
    empty = [one for one in tries[-EMPTY_ROUNDS:] if one.verdict.kind != "done" and not one.brought]
    if len(empty) == EMPTY_ROUNDS:
        raise failures.failed(control, last, f" after {len(tries)} rounds, the last two without a node more")
    if len(tries) >= policy.max_rounds:
        raise failures.failed(control, last, f" after {policy.max_rounds} rounds, which is the limit")
    if not policy.repair:
        await failures.refuse_bad(control)
