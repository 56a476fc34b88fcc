"""Why a resize ends without its target: each reason is an error with the pool's nodes, the cause, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.batch import expiry, nodes, pools
from batchimg_magics.core.scaling import attempt, readiness
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.core.scaling.run import RoundStart
from batchimg_magics.errors import ConflictError, ResizeError
from batchimg_magics.pool_spec.values import MIN_RESIZE_TIMEOUT_S
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.scaling.run import ResizeRun

#: Attempts in a row without a new node after which a resize fails.
MAX_EMPTY_ATTEMPTS = 2
#: What to do where Azure tells no cause, by class.
DEFAULT_FIXES = {
    OutcomeClass.QUOTA: "request more quota or fewer nodes",
    OutcomeClass.TRANSIENT: "run the same command again later",
    OutcomeClass.PARTIAL: "run the same command again later, or allow more time with --timeout",
}
#: The hint of a size that the quotas do not allow.
QUOTA_HINT = OutcomeClass.QUOTA.hint.format(fix=DEFAULT_FIXES[OutcomeClass.QUOTA])


def _by_kind(counts: Counts) -> dict[str, int]:
    return {"dedicated": counts.dedicated, "spot": counts.spot}


def _error(run: ResizeRun, message: str, hint: str, outcome: ResizeOutcome | None = None) -> ResizeError:
    return ResizeError(
        message,
        errors=[(outcome.code or "", outcome.message or "")] if outcome else (),
        target=_by_kind(run.target),
        current=_by_kind(run.live),
        hint=hint,
    )


def autoscale_error(pool: str) -> ConflictError:
    """Return the error for a pool whose size is set by a formula."""
    return ConflictError(
        f"an autoscale formula sets the size of pool {pool!r}",
        hint=f"turn it off first: `%batchimg autoscale {pool} --off`, or add --autoscale-off",
        status_code=409,
    )


def expired_error(run: ResizeRun) -> ConflictError:
    """Return the error for nodes that are requested for an expired pool."""
    expires = run.expiry.expires
    return ConflictError(
        f"pool {run.pool!r} expired{f' at {expiry.format_tag_time(expires)}' if expires else ''}",
        hint=f"set a new expiry: `%batchimg resize {run.pool} --nodes N --ttl 8h`",
        status_code=409,
    )


def image_missing_error(run: ResizeRun, image_id: str) -> ResizeError:
    """Return the error for a pool whose image does not exist. Azure itself would report it only after a while."""
    return _error(
        run,
        f"pool {run.pool!r} cannot grow: its image does not exist ({image_id})",
        "create the pool again from an existing image; nothing was requested",
    )


def quota_error(run: ResizeRun, text: str, *, requested: bool = False) -> ResizeError:
    """Return the error for a target that the quotas do not allow; unless `requested`, Azure was not asked."""
    return _error(
        run,
        f"pool {run.pool!r} cannot have {run.target.text}: {text}",
        f"{QUOTA_HINT}{'' if requested else '; nothing was requested'}",
    )


def target_error(run: ResizeRun, outcome: ResizeOutcome, more: str = "") -> ResizeError:
    """Return the error for a target that was not reached.

    Parameters
    ----------
    run
        The resize.
    outcome
        The outcome that ends it.
    more
        What else the message says after the counts.
    """
    target = run.target
    why = f"{outcome.code}: {outcome.message}" if outcome.code else outcome.message or "Azure gives no reason"
    if outcome.kind is OutcomeClass.QUOTA and run.context and (missing := run.context.headroom.shortfall(target)):
        why += f"; {missing}"
    again = f"`%batchimg resize {run.pool} --nodes {target.dedicated} --spot {target.spot}`"
    hint = outcome.kind.hint.format(again=again, fix=outcome.fix or DEFAULT_FIXES.get(outcome.kind, "fix the cause"))
    return _error(run, f"pool {run.pool!r} has {run.live} of {target.text}{more}: {why}", hint, outcome)


async def raise_if_too_many_bad(run: ResizeRun, *, records: bool = True) -> None:
    """Raise ResizeError where more nodes are bad than ``--max-unusable`` allows.

    Raises
    ------
    ResizeError
        Its message has the end of a node's log, where it can be read.
    """
    census, total = run.census, run.target.total
    if run.has_too_many_bad:
        raise await bad_nodes_error(run, f"unusable nodes: {census.bad} of {total} ({census})", records=records)


async def bad_nodes_error(run: ResizeRun, what: str, *, records: bool = True) -> ResizeError:
    """Return the error for nodes that are billed and run no tasks, with the end of the log of one of them.

    The attempts that allocated these nodes are done: what came of them is a row of its own, if `records` is true.
    """
    unusable = run.census.count(frozenset({"unusable"}))
    log = await nodes.read_failed_node_log(run.azure, run.pool)
    hint = (
        f"these nodes are billed; to remove them: `%batchimg resize {run.pool} --nodes 0 --spot 0`; if all nodes fail, "
        f"the VM was not generalized: create the image again; if only some fail: `%batchimg repair {run.pool}`"
        if unusable
        else f"their start task failed: `%batchimg logs {run.pool}` shows its output; after a passing failure: "
        f"`%batchimg repair {run.pool}`; otherwise run `create` with another --start-task and --replace"
    )
    if records:
        start = RoundStart(run.rounds[-1].ended if run.rounds else run.started_at, run.live, run.target)
        run.record(start, ResizeOutcome(OutcomeClass.UNUSABLE, None, what, hint))
    return _error(run, f"pool {run.pool!r}: {what}{f'; {log}' if log else ''}", hint)


def is_quota_accepted(run: ResizeRun) -> bool:
    """Return whether a quota ended the last attempt, and ``--take-what-fits`` accepts that."""
    last = run.judged_attempts[-1] if run.judged_attempts else None
    return run.request.policy.take_what_fits and last is not None and last.outcome.kind is OutcomeClass.QUOTA


async def raise_if_changed_externally(run: ResizeRun, goal: Counts) -> None:
    """Fail where somebody else has changed the pool since it was last read: their change is not undone.

    A resize to our own goal is no such change: it is waited for.
    """
    # Azure refuses to resize a pool that somebody else resizes; a formula would replace theirs.
    if run.expiry.expires is None and run.azure.now() - run.state_read_at < 1:
        return
    state = await pools.read_state(run.azure, run.pool)
    pools.raise_if_deleting(state)
    run.census = await readiness.recount_if_old(run.azure, run.pool, run.census)
    found, last = expiry.parse_formula(state.formula), expiry.parse_formula(run.state.formula)
    known = last is None or (found is not None and found.counts in (last.counts, run.target))
    if found is not None and known and run.expiry.expires is not None:
        # An evaluation of the formula resizes the pool, or a `wait` in another process turned the formula on.
        if state.allocation != "steady":
            state = await pools.wait_until_steady(run.azure, run.pool)
            run.census = await readiness.count_and_record(run.azure, run.pool)
        run.set_state(state)
        return
    if not state.autoscale and state.target in (goal, run.target) and state.formula == run.state.formula:
        if state.allocation == "resizing":
            state = await pools.wait_until_steady(run.azure, run.pool, limit_s=run.wait_limit_s())
            run.census = await readiness.count_and_record(run.azure, run.pool)
        if state.target in (goal, run.target):
            run.set_state(state)
            return
    changed = state.target != run.state.target or state.allocation != "steady"
    if changed or state.formula != run.state.formula:
        raise target_error(run, attempt.external_change(state))
    run.set_state(state)


async def raise_if_final(run: ResizeRun, *, records: bool = True) -> None:
    """Fail with the reason, unless another attempt makes sense.

    Raises
    ------
    ResizeError
        The last outcome is final; two attempts in a row brought no node; the attempts or the minutes are used up; or
        more nodes are bad than the policy allows, and it does not replace them.
    """
    policy, attempts = run.request.policy, run.judged_attempts
    if run.remaining_s() < MIN_RESIZE_TIMEOUT_S:
        text = f"the limit of --max-minutes, {policy.max_minutes:g} min, is over"
        raise target_error(run, ResizeOutcome(OutcomeClass.PARTIAL, None, text))
    if not attempts:
        return
    last = attempts[-1].outcome
    if last.kind.is_final:
        raise target_error(run, last)
    recent = attempts[-MAX_EMPTY_ATTEMPTS:]
    if len(recent) == MAX_EMPTY_ATTEMPTS and not any(
        one.outcome.kind is OutcomeClass.DONE or one.gained_nodes for one in recent
    ):
        raise target_error(run, last, f" after {len(attempts)} resize attempts, the last two without a new node")
    if len(run.attempts) >= policy.max_rounds:
        attempted = count_text(policy.max_rounds, "resize attempt")
        raise target_error(run, last, f" after {attempted}, the limit of --max-rounds")
    if not policy.repair:
        await raise_if_too_many_bad(run, records=records)


async def is_final(run: ResizeRun) -> bool:
    """Return whether another attempt makes no sense."""
    try:
        await raise_if_final(run, records=False)
    except ResizeError:
        return True
    return False
