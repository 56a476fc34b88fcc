"""Why a resize goes no further: each as an error that says what there is, what is wrong, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core import node_logs
from batchimg_magics.core.batch import expiry
from batchimg_magics.core.scaling.rounds import live
from batchimg_magics.errors import ConflictError, ResizeError

if TYPE_CHECKING:
    import datetime as dt

    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.scaling.outcomes import Verdict
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
    said = await node_logs.of_bad(control.azure, control.pool)
    hint = (
        f"they are billed until you `%batchimg resize {control.pool} --nodes 0 --spot 0`; where all come up like this, "
        "their system was not deprovisioned: make a new image; single ones `%batchimg repair` replaces"
        if unusable
        else f"their start task failed: `%batchimg nodes {control.pool}` shows its exit code"
    )
    return _error(control, f"pool {control.pool!r}: {what}{f'; {said}' if said else ''}", hint)
