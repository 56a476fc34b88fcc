"""Autoscale of a pool: the evaluations of its formula, and the resizes that they begin.

A formula is evaluated when it is set, and then once in each interval, whether a request reads the pool or not. Nothing
runs in the background: evaluations that are due are done at the next request, in order of time over all pools of the
account, each with the state at its time. So the nodes of a pool are a function of the time.

Source: recorded enableautoscale, disableautoscale and evaluateautoscale on both planes; the autoscale document for
intervals, limits and the age of samples; OpenAPI, PoolEnableAutoScaleParameter, for the begin of the intervals.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.batch.autoscale import formulas
from batchimg_magics.emulator.batch.autoscale.values import EVALUATION_ERROR, INSUFFICIENT_DATA
from batchimg_magics.emulator.batch.fleet import nodes, resizing
from batchimg_magics.emulator.batch.fleet.nodes import Problem
from batchimg_magics.emulator.batch.model import (
    pool_rules,
    pools,
    resize_terms,
    scenarios,
    task_scheduling,
)
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
    3000,
    "evaluations",
    "of a pool that one request catches up on (ten days of the shortest interval); after a longer pause the last ones",
    "the results are the same unless the formula reads the time",
)
TIMEOUT_S = evidence.assumed(
    900.0,
    "s",
    "after which a resize that a formula began ends; the resizeTimeout of the pool has no effect on it",
    "OpenAPI: resizeTimeout applies to manual scaling only; the default timeout is used instead",
)
#: The errors of evaluations. Source: a recorded result; Microsoft's pool autoscale event for missing samples.
_PROBLEMS = {
    EVALUATION_ERROR: "The specified auto-scaling formula has evaluation error",
    INSUFFICIENT_DATA: "Autoscale evaluation failed due to insufficient sample data",
}
evidence.rule(
    "An evaluation that finds the targets of the pool unchanged begins no resize, even if nodes are missing. That is "
    "also so for the evaluation when a formula replaces another one.",
    "reports of pools that stayed short under a formula after a resize with errors (ga4gh-tes #313, #409, #483)",
)
evidence.rule(
    "No formula is accepted while the pool is resizing, also if the pool has one already.",
    "OpenAPI refuses it for a pool without a formula, and does not say whether a new formula is an exception",
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
    if allocation == "resizing":
        raise refusal("PoolBeingResized")
    interval = duration(duration_s(body.get("autoScaleEvaluationInterval") or _interval(before)) or 900.0)
    state.enabled_at = now
    if before is None:
        state.auto = AutoScale(formula, interval, now, now)
    else:
        stuck = before.stuck or _is_stuck(call, pool, now)
        state.auto = msgspec.structs.replace(before, formula=formula, interval=interval, stuck=stuck)
    if not state.auto.stuck:
        _evaluate(call, account, pool, now, first=before is None)
    if not caller_saves:
        pools.save(call, pool, new_etag=allocation == "steady")


def _interval(auto: AutoScale | None) -> str:
    return auto.interval if auto else DEFAULT_INTERVAL


def _is_stuck(call: Call, pool: Pool, now: float) -> bool:
    """Tell whether Batch has stopped to evaluate the formula of a pool: in a scenario, after a resize with errors."""
    resize, auto = pool.state.fleet.resize, pool.state.auto
    if resize is None or auto is None or resize.began < auto.enabled or not nodes.resize_errors(pool.state.fleet, now):
        return False
    return scenarios.node_effects(call.store).autoscale_sticks


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


def run_due_evaluations(call: Call, account: Item, pool: Pool | None = None) -> None:
    """Do the evaluations of the pools of an account that have become due, in order of time.

    Parameters
    ----------
    call, account
        The request and its account.
    pool
        The pool of the request, which is changed in place.
    """
    changed: dict[str, Pool] = {}
    queue: list[tuple[float, str]] = []
    for item in call.store.items(pools.KIND, account.key, autoscaled=True):
        auto = item.hidden.get("auto")
        if auto is None or auto.get("stuck") or item.hidden.get("deleted") is not None:
            continue
        every = duration_s(auto["interval"]) or 900.0
        due = int((call.now - auto["evaluated"]) // every)
        if due > 0:
            changed[item.key] = pool if pool is not None and pool.key == item.key else pools.load(item)
            heapq.heappush(queue, (auto["evaluated"] + max(1, due - MAX_EVALUATIONS + 1) * every, item.key))
    while queue and queue[0][0] <= call.now:
        moment, key = heapq.heappop(queue)
        if every := _evaluate_when_due(call, account, changed[key], moment):
            heapq.heappush(queue, (moment + every, key))
    for one in changed.values():
        pools.save(call, one, new_etag=False)


def _evaluate_when_due(call: Call, account: Item, pool: Pool, moment: float) -> float:
    """Do an evaluation that is due at a time, and return the seconds until the next one; 0: there is none."""
    auto = pool.state.auto
    if auto is None:
        return 0.0
    if _is_stuck(call, pool, moment):
        pool.state.auto = msgspec.structs.replace(auto, stuck=True)
        return 0.0
    task_scheduling.schedule_due_tasks(call.store, pool, moment)
    _evaluate(call, account, pool, moment)
    return duration_s(auto.interval) or 900.0


def _evaluate(call: Call, account: Item, pool: Pool, now: float, *, first: bool = False) -> None:
    """Evaluate the formula of the pool at a time, and begin the resize that it requests.

    `first`: autoscale was off before; missing nodes are requested then, though the targets are the same.
    """
    state = pool.state
    if state.auto is None:
        return
    found = _run(call, pool, state.auto.formula, now)
    problem = _problem(found) if found.error else None
    state.auto = msgspec.structs.replace(state.auto, evaluated=now, results=found.results, error=problem)
    if found.error or nodes.allocation_state(state.fleet, now)[0] != "steady":
        return
    wanted = {"dedicated": found.dedicated, "spot": found.spot}
    if state.fleet.resize is not None and wanted == pool.targets and not (first and _is_short(pool, now)):
        if now == state.enabled_at:
            resizing.show_resizing(state.fleet, now, RESIZING_S["enable"])
        return
    targets = {"targetDedicatedNodes": found.dedicated, "targetLowPriorityNodes": found.spot}
    body = targets | {"nodeDeallocationOption": found.option}
    resize_terms.begin_pool_resize(call, account, pool, body, now=now, timeout_s=TIMEOUT_S)


def _is_short(pool: Pool, now: float) -> bool:
    """Tell whether a pool has other numbers of nodes than its targets."""
    present = {kind: nodes.current_nodes(pool.state.fleet, now, kind, leaving=False) for kind in nodes.KINDS}
    return present != pool.targets


def _run(call: Call, pool: Pool, formula: str, now: float) -> formulas.Evaluation:
    from batchimg_magics.emulator.batch.model import autoscale_metrics  # numpy

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
    problem = _problem(found) if found.error else None
    return run_view(AutoScale(formula, "", call.now, call.now, found.results, problem))


def _problem(found: formulas.Evaluation) -> Problem:
    return Problem(found.code, _PROBLEMS[found.code], (("Message", found.error),))


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
