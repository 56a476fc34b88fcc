"""Why a resize goes no further: each as an error that says what there is, what is wrong, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.batch import expiry, nodes
from batchimg_magics.core.scaling import context
from batchimg_magics.core.scaling.outcomes import Verdict
from batchimg_magics.core.scaling.rounds import held, live
from batchimg_magics.errors import ConflictError, ResizeError
from batchimg_magics.pool_spec import MIN_RESIZE_TIMEOUT_S

if TYPE_CHECKING:
    import datetime as dt

    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.scaling.run import Control


def _by_kind(counts: Counts) -> dict[str, int]:
    return {"dedicated": counts.dedicated, "spot": counts.spot}


def _error(control: Control, message: str, hint: str, verdict: Verdict | None = None) -> ResizeError:
    return ResizeError(
        message,
        errors=[(verdict.code or "", verdict.message or "")] if verdict else (),
        target=_by_kind(control.target),
        current=_by_kind(live(control.census)),
        hint=hint,
    )


def autoscale(control: Control) -> ConflictError:
    """Return the error for a pool whose size a formula sets."""
    return ConflictError(
        f"a formula sets the size of pool {control.pool!r}",
        hint=f"turn it off first: `%batchimg autoscale {control.pool} --off`, or add --autoscale-off",
        status_code=409,
    )


def expired(control: Control, moment: dt.datetime) -> ConflictError:
    """Return the error for nodes that are wanted for a pool after its end."""
    return ConflictError(
        f"pool {control.pool!r} expired at {expiry.written(moment)}",
        hint=f"give it a new life: `%batchimg resize {control.pool} --nodes N --ttl 8h`",
        status_code=409,
    )


def image_gone(control: Control, image_id: str) -> ResizeError:
    """Return the error for a pool whose image is not there: Azure would find out after a while."""
    return _error(
        control,
        f"pool {control.pool!r} cannot grow: the image is gone ({image_id})",
        "make the pool anew from an image that is there; nothing was asked for",
    )


def over_quota(control: Control, said: str) -> ResizeError:
    """Return the error for a target that the quotas do not allow; Azure was not asked."""
    return _error(
        control,
        f"pool {control.pool!r} cannot have {control.target} nodes: {said}",
        "ask for more quota or for fewer nodes, or add --take-what-fits; nothing was asked for",
    )


def failed(control: Control, verdict: Verdict, more: str = "") -> ResizeError:
    """Return the error for a target that was not reached."""
    there, target = live(control.census), control.target
    why = f"{verdict.code}: {verdict.message}" if verdict.code else verdict.message or "no reason given"
    if verdict.kind == "quota" and control.around and (missing := control.around.room.missing(target)):
        why += f"; {missing}"
    again = f"`%batchimg resize {control.pool} --nodes {target.dedicated} --spot {target.spot}`"
    hints = {
        "quota": "ask for more quota or for fewer nodes, or add --take-what-fits",
        "stopped": f"somebody stopped it; go on with {again}",
        "foreign": f"nothing was done about it; when they are done, {again}",
        "fatal": f"{verdict.mend or 'mend the cause'}: the same request can only fail again",
    }
    hint = hints.get(verdict.kind, "run the same line again later: it goes on from what is there")
    return _error(control, f"pool {control.pool!r} has {there} of {target} nodes{more}: {why}", hint, verdict)


async def refuse_bad(control: Control) -> None:
    """Raise ResizeError when more nodes are of no use than may be.

    Raises
    ------
    ResizeError
        Its message has what a node said last, where that can be had.
    """
    census, total = control.census, control.target.total
    if census.bad > control.wish.policy.max_unusable * total:
        raise await bad(control, f"{census.bad} of {total} nodes are of no use ({census})")


async def bad(control: Control, what: str) -> ResizeError:
    """Return the error for nodes that are paid for and of no use, with what one of them said last."""
    unusable = control.census.count(frozenset({"unusable"}))
    said = await nodes.of_bad(control.azure, control.pool)
    hint = (
        f"they are billed until you `%batchimg resize {control.pool} --nodes 0 --spot 0`; where all come up like this, "
        "their system was not deprovisioned: make a new image; single ones `%batchimg repair` replaces"
        if unusable
        else f"their start task failed: `%batchimg nodes {control.pool}` shows its exit code"
    )
    return _error(control, f"pool {control.pool!r}: {what}{f'; {said}' if said else ''}", hint)


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
        raise failed(control, Verdict("short", None, f"{policy.max_minutes:g} minutes are over"))
    if not tries:
        return
    last = tries[-1].verdict
    if last.kind == "quota":
        control.around = await context.look(control.azure, control.pool)
    if last.kind in _OVER:
        raise failed(control, last)
    empty = [one for one in tries[-EMPTY_ROUNDS:] if one.verdict.kind != "done" and not one.brought]
    if len(empty) == EMPTY_ROUNDS:
        raise failed(control, last, f" after {len(tries)} rounds, the last two without a node more")
    if len(tries) >= policy.max_rounds:
        raise failed(control, last, f" after {policy.max_rounds} rounds, which is the limit")
    if not policy.repair:
        await refuse_bad(control)
