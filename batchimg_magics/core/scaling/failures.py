"""Why a resize goes no further: each as an error that says what there is, what is wrong, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.batch import expiry, nodes
from batchimg_magics.core.scaling import context
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.core.scaling.rounds import held_counts, live_counts
from batchimg_magics.errors import ConflictError, ResizeError
from batchimg_magics.pool_spec.values import MIN_RESIZE_TIMEOUT_S

if TYPE_CHECKING:
    import datetime as dt

    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.scaling.run import ResizeRun


def _by_kind(counts: Counts) -> dict[str, int]:
    return {"dedicated": counts.dedicated, "spot": counts.spot}


def _error(run: ResizeRun, message: str, hint: str, outcome: ResizeOutcome | None = None) -> ResizeError:
    return ResizeError(
        message,
        errors=[(outcome.code or "", outcome.message or "")] if outcome else (),
        target=_by_kind(run.target),
        current=_by_kind(live_counts(run.census)),
        hint=hint,
    )


def autoscale_error(run: ResizeRun) -> ConflictError:
    """Return the error for a pool whose size a formula sets."""
    return ConflictError(
        f"a formula sets the size of pool {run.pool!r}",
        hint=f"turn it off first: `%batchimg autoscale {run.pool} --off`, or add --autoscale-off",
        status_code=409,
    )


def expired_error(run: ResizeRun, moment: dt.datetime) -> ConflictError:
    """Return the error for nodes that are wanted for a pool after its end."""
    return ConflictError(
        f"pool {run.pool!r} expired at {expiry.format_tag_time(moment)}",
        hint=f"give it a new life: `%batchimg resize {run.pool} --nodes N --ttl 8h`",
        status_code=409,
    )


def image_missing_error(run: ResizeRun, image_id: str) -> ResizeError:
    """Return the error for a pool whose image is not there: Azure would find out after a while."""
    return _error(
        run,
        f"pool {run.pool!r} cannot grow: the image is gone ({image_id})",
        "make the pool anew from an image that is there; nothing was asked for",
    )


def quota_error(run: ResizeRun, text: str) -> ResizeError:
    """Return the error for a target that the quotas do not allow; Azure was not asked."""
    return _error(
        run,
        f"pool {run.pool!r} cannot have {run.target} nodes: {text}",
        "ask for more quota or for fewer nodes, or add --take-what-fits; nothing was asked for",
    )


def target_error(run: ResizeRun, outcome: ResizeOutcome, more: str = "") -> ResizeError:
    """Return the error for a target that was not reached."""
    current, target = live_counts(run.census), run.target
    why = f"{outcome.code}: {outcome.message}" if outcome.code else outcome.message or "no reason given"
    if outcome.kind == "quota" and run.context and (missing := run.context.headroom.shortfall(target)):
        why += f"; {missing}"
    again = f"`%batchimg resize {run.pool} --nodes {target.dedicated} --spot {target.spot}`"
    hints = {
        "quota": "ask for more quota or for fewer nodes, or add --take-what-fits",
        "stopped": f"somebody stopped it; go on with {again}",
        "foreign": f"nothing was done about it; when they are done, {again}",
        "fatal": f"{outcome.fix or 'mend the cause'}: the same request can only fail again",
    }
    hint = hints.get(outcome.kind, "run the same line again later: it goes on from what is there")
    return _error(run, f"pool {run.pool!r} has {current} of {target} nodes{more}: {why}", hint, outcome)


async def raise_if_too_many_bad(run: ResizeRun) -> None:
    """Raise ResizeError when more nodes are of no use than may be.

    Raises
    ------
    ResizeError
        Its message has what a node said last, where that can be had.
    """
    census, total = run.census, run.target.total
    if census.bad > run.request.policy.max_unusable * total:
        raise await bad_nodes_error(run, f"{census.bad} of {total} nodes are of no use ({census})")


async def bad_nodes_error(run: ResizeRun, what: str) -> ResizeError:
    """Return the error for nodes that are paid for and of no use, with what one of them said last."""
    unusable = run.census.count(frozenset({"unusable"}))
    text = await nodes.read_failed_node_log(run.azure, run.pool)
    hint = (
        f"they are billed until you `%batchimg resize {run.pool} --nodes 0 --spot 0`; where all come up like this, "
        "their system was not deprovisioned: make a new image; single ones `%batchimg repair` replaces"
        if unusable
        else f"their start task failed: `%batchimg nodes {run.pool}` shows its exit code"
    )
    return _error(run, f"pool {run.pool!r}: {what}{f'; {text}' if text else ''}", hint)


#: Rounds in a row that may bring no node before it is given up.
MAX_EMPTY_ROUNDS = 2


#: Outcomes after which nothing is asked for again.
_FINAL_OUTCOMES = frozenset({"fatal", "quota", "stopped", "foreign"})


def accept_quota_limit(run: ResizeRun, goal: Counts) -> bool:
    """Be content with what came, where a quota is in the way and that is fine; tell whether it is."""
    if not (run.request.policy.take_what_fits and run.attempts and run.attempts[-1].outcome.kind == "quota"):
        return False
    run.target = held_counts(run.census).minimum(goal)
    run.quota_shortfall = run.attempts[-1].outcome.message or ""
    return True


async def raise_if_final(run: ResizeRun) -> None:
    """Stop with a reason unless another round makes sense.

    Raises
    ------
    ResizeError
        The last outcome is one that ends it; two rounds in a row brought no node; the rounds or the minutes are used
        up; or more nodes are of no use than may be, and nobody replaces them.
    """
    policy, attempts = run.request.policy, run.attempts
    if run.remaining_s() < MIN_RESIZE_TIMEOUT_S:
        raise target_error(run, ResizeOutcome("short", None, f"{policy.max_minutes:g} minutes are over"))
    if not attempts:
        return
    last = attempts[-1].outcome
    if last.kind == "quota":
        run.context = await context.read_context(run.azure, run.pool)
    if last.kind in _FINAL_OUTCOMES:
        raise target_error(run, last)
    empty = [one for one in attempts[-MAX_EMPTY_ROUNDS:] if one.outcome.kind != "done" and not one.gained_nodes]
    if len(empty) == MAX_EMPTY_ROUNDS:
        raise target_error(run, last, f" after {len(attempts)} rounds, the last two without a node more")
    if len(attempts) >= policy.max_rounds:
        raise target_error(run, last, f" after {policy.max_rounds} rounds, which is the limit")
    if not policy.repair:
        await raise_if_too_many_bad(run)
