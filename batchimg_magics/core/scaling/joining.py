"""What a resize finds in progress: a resize of this tool or of another client, or an unfinished repair."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.core.scaling import attempt, outcomes, readiness

if TYPE_CHECKING:
    from batchimg_magics.core.scaling.run import ResizeRun


def targets_before_repair(run: ResizeRun) -> Counts:
    """Return a pool's targets; those before an unfinished repair removed bad nodes, where this is a repair."""
    wanted = run.azure.ledger.wanted_size(run.pool) if run.request.policy.repair else None
    current = expiry.counts_in_force(run.state, run.azure.now())
    return current.maximum(Counts(*wanted)) if wanted else current


async def wait_for_running_resize(run: ResizeRun) -> None:
    """Wait for a resize that is in progress, and record it, whether this tool or another client started it."""
    state, start = run.state, run.start_round(reason="joined")
    asked = attempt.AskedSize(run.target, expiry.expires_at(state) if state.autoscale else None)
    is_own_target = state.target == run.target and asked.is_kept(state)
    run.set_state(await pools.wait_until_steady(run.azure, run.pool, limit_s=run.wait_limit_s()))
    run.census = await readiness.count_and_record(run.azure, run.pool)
    if is_own_target and run.state.target == run.target:
        run.attempts.append(run.record(start, outcomes.classify(run.state.errors)))
    elif not expiry.is_expiry_formula(state.formula):
        start = replace(start, target=state.target)
        run.record(start, attempt.external_change(state), "waited for it")
