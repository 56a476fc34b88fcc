"""Autoscale of a pool: the evaluations of its formula, and the resizes that they begin.

Nothing runs in the background: evaluations that are due are done when a request next reads the pool, each with the
state of the pool at its time.

Source: recorded enableautoscale, disableautoscale and evaluateautoscale on both planes; the autoscale document for
intervals, limits and the age of samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.batch.autoscale import formulas
from batchimg_magics.emulator.batch.fleet import nodes, resizing
from batchimg_magics.emulator.batch.fleet.nodes import Problem
from batchimg_magics.emulator.batch.model import autoscale_metrics, pool_rules, pools, resize_terms, task_scheduling
from batchimg_magics.emulator.batch.model.pools import AutoScale
from batchimg_magics.emulator.batch.rest.errors import missing_property, refusal
from batchimg_magics.emulator.http.dates import batch_timestamp, duration, duration_s
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

DEFAULT_INTERVAL = "PT15M"
evidence = Evidence("Autoscale")
ENABLE_EVERY_S = evidence.documented(30.0, "s", "in which enabling autoscale is accepted once", "the REST reference")
RESIZING_S = evidence.recorded(
    {"enable": 0.17, "disable": 0.02},
    "s",
    "that a pool is in the state resizing although nothing changes",
    "recorded pools",
)
MAX_EVALUATIONS = evidence.assumed(
    300,
    "evaluations",
    "that one read of a pool catches up on; after a longer pause only the last ones are done",
    "the results are the same unless the formula reads the time",
)


def apply_scale_settings(call: Call, account: Item, pool: Pool, body: dict[str, Any]) -> None:
    """Apply the scale settings of a request on either plane."""
    if body.get("enableAutoScale"):
        enable(call, account, pool, body, caller_saves=True)
        return
    if pool.state.auto is not None:
        # The targets of the formula are replaced by those of the new resize.
        pool.state.auto = None
    elif nodes.allocation_state(pool.state.fleet, call.now)[0] != "steady":
        raise refusal("PoolBeingResized")
    resize_terms.begin_pool_resize(call, account, pool, body)


def enable(call: Call, account: Item, pool: Pool, body: dict[str, Any], *, caller_saves: bool = False) -> None:
    """Enable autoscale, or change its formula or interval.

    Parameters
    ----------
    call, account, pool
        The request, its account and its pool.
    body
        autoScaleFormula, autoScaleEvaluationInterval.
    caller_saves
        Whether the caller saves the pool.
    """
    pool_rules.check_scale(body)
    state, now = pool.state, call.now
    before = state.auto
    formula = body.get("autoScaleFormula") or (before.formula if before else None)
    if formula is None:
        raise missing_property("autoScaleFormula")
    if wrong := formulas.check(formula):
        raise refusal("AutoScalingFormulaSyntaxError", ("Reason", wrong))
    if not caller_saves:
        _refuse_too_soon(call, pool)
    allocation = nodes.allocation_state(state.fleet, now)[0]
    if before is None and allocation == "resizing":
        raise refusal("PoolBeingResized")
    interval = body.get("autoScaleEvaluationInterval") or (before.interval if before else DEFAULT_INTERVAL)
    state.auto = AutoScale(formula, duration(duration_s(interval) or 900.0), now, now)
    state.enabled_at = now
    _evaluate(call, account, pool, now)
    if not caller_saves:
        pools.save(call, pool, new_etag=allocation == "steady")


def _refuse_too_soon(call: Call, pool: Pool) -> None:
    """Refuse a call soon after the previous one; in open mode time stands still between calls, so none is refused."""
    state, now = pool.state, call.now
    if state.asked_at is not None and now < state.asked_at + ENABLE_EVERY_S and not is_open(call.store):
        raise refusal("TooManyEnableAutoScaleRequests")
    state.asked_at = now


def disable(call: Call, pool: Pool) -> None:
    """Disable autoscale; a resize that the formula began is stopped."""
    state, now = pool.state, call.now
    steady = nodes.allocation_state(state.fleet, now)[0] == "steady"
    if state.auto is not None:
        state.auto = None
        if steady:
            resizing.show_resizing(state.fleet, now, RESIZING_S["disable"])
        else:
            resizing.stop_resize(state.fleet, now)
    pools.save(call, pool, new_etag=steady)


def run_due_evaluations(call: Call, account: Item, pool: Pool) -> None:
    """Do the evaluations that have become due since the last read."""
    auto = pool.state.auto
    if auto is None or pool.state.deleted is not None:
        return
    every = duration_s(auto.interval) or 900.0
    due = int((call.now - auto.evaluated) // every)
    if due <= 0:
        return
    first = auto.evaluated + max(1, due - MAX_EVALUATIONS + 1) * every
    for number in range(min(due, MAX_EVALUATIONS)):
        task_scheduling.schedule_due_tasks(call.store, pool, first + number * every)
        _evaluate(call, account, pool, first + number * every)
    pools.save(call, pool, new_etag=False)


def _evaluate(call: Call, account: Item, pool: Pool, now: float) -> None:
    """Evaluate the formula of the pool at a time, and begin the resize that it requests."""
    state = pool.state
    if state.auto is None:
        return
    found = _run(call, pool, state.auto.formula, now)
    problem = _problem(found.error) if found.error else None
    state.auto = msgspec.structs.replace(state.auto, evaluated=now, results=found.results, error=problem)
    if found.error or nodes.allocation_state(state.fleet, now)[0] != "steady":
        return
    present = {kind: nodes.current_nodes(state.fleet, now, kind, leaving=False) for kind in nodes.KINDS}
    wanted = {"dedicated": found.dedicated, "spot": found.spot}
    if state.fleet.resize is not None and present == wanted == pool.targets:
        if now == state.enabled_at:
            resizing.show_resizing(state.fleet, now, RESIZING_S["enable"])
        return
    targets = {"targetDedicatedNodes": found.dedicated, "targetLowPriorityNodes": found.spot}
    resize_terms.begin_pool_resize(call, account, pool, targets | {"nodeDeallocationOption": found.option}, now=now)


def _run(call: Call, pool: Pool, formula: str, now: float) -> formulas.Evaluation:
    metrics = autoscale_metrics.PoolMetrics(call.store, pool, now)
    return formulas.evaluate(formula, metrics, pool.targets["dedicated"], pool.targets["spot"])


def evaluate_once(call: Call, pool: Pool, body: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a formula now; the pool must have autoscale enabled, and does not change."""
    formula = body.get("autoScaleFormula")
    if formula is None:
        raise missing_property("autoScaleFormula")
    pool_rules.check_formula_length(formula)
    if pool.state.auto is None:
        reason = "AutoScale is not enabled on the specified pool"
        raise refusal("OperationInvalidForCurrentState", ("Reason", reason))
    found = _run(call, pool, formula, call.now)
    problem = _problem(found.error) if found.error else None
    return run_view(AutoScale(formula, "", call.now, call.now, found.results, problem))


def _problem(message: str) -> Problem:
    text = "The specified auto-scaling formula has evaluation error"
    return Problem("AutoScalingFormulaEvaluationError", text, (("Message", message),))


def run_view(auto: AutoScale, *, arm: bool = False) -> dict[str, Any]:
    """Return an evaluation in the format of a plane."""
    run: dict[str, Any] = {
        "evaluationTime" if arm else "timestamp": batch_timestamp(auto.evaluated),
        "results": auto.results,
    }
    if auto.error is not None:
        run["error"] = {"code": auto.error.code, "message": auto.error.message}
        if arm:
            run["error"]["details"] = [{"code": name, "message": value} for name, value in auto.error.values]
        else:
            run["error"]["values"] = [{"name": name, "value": value} for name, value in auto.error.values]
    return run
