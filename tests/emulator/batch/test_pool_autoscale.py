"""Autoscale of pools: enabled, evaluated when due, disabled."""

from __future__ import annotations

import pytest

from tests.support.batch_emulator import BatchEmulator, arm_pool_body, lift_quotas


@pytest.fixture
def azure() -> BatchEmulator:
    return BatchEmulator()


def test_enabling_autoscale_resizes_at_once_and_blocks_other_resizes(azure: BatchEmulator) -> None:
    azure.create_pool()
    azure.wait_until_steady()
    enable = {"autoScaleFormula": "$TargetDedicatedNodes = 2", "autoScaleEvaluationInterval": "PT06M00S"}
    assert azure.batch("POST", "/pools/p/enableautoscale", enable).status == 200
    pool = azure.pool()
    assert (pool["allocationState"], pool["targetDedicatedNodes"]) == ("resizing", 2)
    assert pool["autoScaleEvaluationInterval"] == "PT6M"
    assert pool["autoScaleRun"]["results"].startswith("$TargetDedicatedNodes=2;$TargetLowPriorityNodes=0;")
    assert azure.wait_until_steady()["currentDedicatedNodes"] == 2
    for verb in ("resize", "stopresize"):
        refused = azure.batch("POST", f"/pools/p/{verb}", {"targetDedicatedNodes": 1} if verb == "resize" else None)
        assert refused.code == "OperationInvalidForCurrentState"
    azure.clock.advance(60)
    assert azure.batch("POST", "/pools/p/disableautoscale").status == 200
    azure.clock.advance(1)
    assert azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 1}).status == 202


def test_a_formula_is_evaluated_when_it_is_due(azure: BatchEmulator) -> None:
    azure.create_pool()
    azure.wait_until_steady()
    formula = "hour = time().minute; $TargetDedicatedNodes = hour >= 30 ? 3 : 1;"
    azure.batch(
        "POST", "/pools/p/enableautoscale", {"autoScaleFormula": formula, "autoScaleEvaluationInterval": "PT5M"}
    )
    assert azure.pool()["targetDedicatedNodes"] == 1
    azure.clock.advance(1850)
    assert azure.pool()["targetDedicatedNodes"] == 3
    azure.clock.advance(1950)
    pool = azure.pool()
    assert (pool["targetDedicatedNodes"], pool["currentDedicatedNodes"]) == (1, 1)


def test_evaluating_needs_autoscale_and_answers_a_bad_formula_with_its_error(azure: BatchEmulator) -> None:
    azure.create_pool()
    azure.wait_until_steady()
    wrong = {"autoScaleFormula": "$something_useless"}
    assert azure.batch("POST", "/pools/p/evaluateautoscale", wrong).status == 409
    azure.batch("POST", "/pools/p/enableautoscale", {"autoScaleFormula": "$TargetDedicatedNodes=2"})
    run = azure.batch("POST", "/pools/p/evaluateautoscale", wrong)
    assert run.status == 200
    assert run.body["results"] == "$TargetDedicatedNodes=2;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"
    assert run.body["error"]["code"] == "AutoScalingFormulaEvaluationError"
    assert run.body["error"]["values"] == [
        {"name": "Message", "value": "Line 1, Col 1: Undefined symbol: $something_useless"}
    ]


def test_samples_are_kept_for_a_while_and_asking_for_more_is_no_more_work(azure: BatchEmulator) -> None:
    azure.create_pool()
    azure.wait_until_steady()
    azure.batch("POST", "/pools/p/enableautoscale", {"autoScaleFormula": "$TargetDedicatedNodes=0"})
    azure.clock.advance(30 * 86_400)
    formula = "$n = len($PendingTasks.GetSample(TimeInterval_Year)); $all = $PendingTasks.Count();"
    formula += "$last = len($PendingTasks.GetSample(100000000)); $since = $PendingTasks.HistoryBeginTime();"
    run = azure.batch("POST", "/pools/p/evaluateautoscale", {"autoScaleFormula": formula}).body
    kept = dict(part.split("=") for part in run["results"].split(";"))
    assert kept["$n"] == kept["$all"] == kept["$last"] == "2879"  # the newest is not available yet
    assert kept["$since"].startswith("2026-07-30T09:00:")


def test_autoscale_can_be_enabled_twice_only_after_a_pause(azure: BatchEmulator) -> None:
    azure.create_pool()
    azure.wait_until_steady()
    enable = {"autoScaleFormula": "$TargetDedicatedNodes=0"}
    assert azure.batch("POST", "/pools/p/enableautoscale", enable).status == 200
    assert azure.batch("POST", "/pools/p/enableautoscale", enable).code == "TooManyEnableAutoScaleRequests"
    azure.clock.advance(31)
    assert azure.batch("POST", "/pools/p/enableautoscale", enable).status == 200
    assert azure.batch("POST", "/pools/p/disableautoscale").status == 200
    azure.clock.advance(5)
    assert azure.batch("POST", "/pools/p/enableautoscale", enable).code == "TooManyEnableAutoScaleRequests"
    azure.create_pool("made", targetDedicatedNodes=None, targetLowPriorityNodes=None, enableAutoScale=True, **enable)
    azure.clock.advance(5)
    assert azure.batch("POST", "/pools/made/enableautoscale", enable).status == 200


def test_a_formula_that_cannot_be_read_or_is_too_long_is_refused(azure: BatchEmulator) -> None:
    azure.create_pool()
    azure.wait_until_steady()
    for formula, code in (("$a = ;", "AutoScalingFormulaSyntaxError"), ("1;" * 5000, "AutoScalingFormulaTooLong")):
        assert azure.batch("POST", "/pools/p/enableautoscale", {"autoScaleFormula": formula}).code == code


def test_disabling_in_the_middle_of_a_resize_stops_it(azure: BatchEmulator) -> None:
    azure.create_pool()
    azure.wait_until_steady()
    azure.batch("POST", "/pools/p/enableautoscale", {"autoScaleFormula": "$TargetDedicatedNodes=3"})
    tag = azure.pool()["eTag"]
    azure.clock.advance(5)
    azure.batch("POST", "/pools/p/disableautoscale")
    pool = azure.pool()
    assert (pool["allocationState"], pool["eTag"], pool["enableAutoScale"]) == ("stopping", tag, False)
    assert azure.wait_until_steady()["resizeErrors"][0]["code"] == "ResizeStopped"


def test_fixed_targets_on_arm_take_the_place_of_what_a_formula_asked_for(azure: BatchEmulator) -> None:
    azure.create_pool()
    azure.wait_until_steady()
    azure.batch("POST", "/pools/p/enableautoscale", {"autoScaleFormula": "$TargetDedicatedNodes=400"})
    fixed = {"fixedScale": {"targetDedicatedNodes": 3, "targetLowPriorityNodes": 0}}
    answer = azure.arm("PATCH", "/pools/p", {"properties": {"scaleSettings": fixed}})
    assert (answer.status, answer.body["properties"]["scaleSettings"]["fixedScale"]["targetDedicatedNodes"]) == (200, 3)
    azure.wait_until_steady()
    azure.clock.advance(3600)
    assert azure.pool()["currentDedicatedNodes"] == 3


def test_switching_autoscale_off_on_a_steady_pool_is_a_moments_resize_that_keeps_the_errors(
    azure: BatchEmulator,
) -> None:
    azure.create_pool(dedicated=1)
    azure.batch("POST", "/pools/p/stopresize")
    errors = azure.wait_until_steady()["resizeErrors"]
    azure.batch("POST", "/pools/p/enableautoscale", {"autoScaleFormula": "$TargetDedicatedNodes=0"})
    azure.wait_until_steady()
    azure.clock.advance(5)
    azure.batch("POST", "/pools/p/disableautoscale")
    assert azure.pool()["allocationState"] == "resizing"
    azure.clock.advance(1)
    assert azure.pool()["allocationState"] == "steady"
    assert errors[0]["code"] == "ResizeStopped"


def test_enabling_while_a_resize_is_being_stopped_leaves_the_etag(azure: BatchEmulator) -> None:
    azure.create_pool()
    azure.wait_until_steady()
    azure.batch("POST", "/pools/p/resize", {"targetLowPriorityNodes": 5})
    azure.batch("POST", "/pools/p/stopresize")
    azure.clock.advance(1)
    tag = azure.pool()["eTag"]
    enabled = azure.batch("POST", "/pools/p/enableautoscale", {"autoScaleFormula": "$TargetLowPriorityNodes=3"})
    assert (enabled.status, enabled.headers["ETag"]) == (200, tag)
    pool = azure.pool()
    assert (pool["enableAutoScale"], pool["allocationState"], pool["targetLowPriorityNodes"]) == (True, "stopping", 5)


FIVE = {"autoScaleEvaluationInterval": "PT5M"}


def allocate_slowly(azure: BatchEmulator) -> None:
    lift_quotas(azure.store)
    azure.store.set_meta("allocation", {"slowed": 1000.0})


def enable(azure: BatchEmulator, formula: str) -> str:
    """Set a formula once that is allowed again; return the error code, if any."""
    azure.clock.advance(31)
    answer = azure.batch("POST", "/pools/p/enableautoscale", {"autoScaleFormula": formula, **FIVE})
    return "" if answer.status == 200 else answer.code


def run_of(azure: BatchEmulator) -> str:
    return str(azure.pool()["autoScaleRun"]["timestamp"])


def test_nodes_under_a_formula_do_not_depend_on_who_looks() -> None:
    formula = 'lives = time() < time("2026-07-01T12:00:00Z"); $TargetDedicatedNodes = lives ? 3 : 0;'
    watched, alone = BatchEmulator(), BatchEmulator()
    for azure in (watched, alone):
        azure.create_pool()
        azure.wait_until_steady()
        assert enable(azure, formula) == ""
    for _ in range(100):
        watched.clock.advance(200)
        watched.pool()
    alone.clock.advance(20_000)
    assert alone.batch("GET", "/nodecounts").body["value"][0]["dedicated"]["total"] == 0, "no pool was read"
    assert watched.pool() == alone.pool()
    assert alone.pool()["allocationStateTransitionTime"] < "2026-07-01T12:07"


def test_an_evaluation_with_the_same_target_does_not_ask_for_missing_nodes(azure: BatchEmulator) -> None:
    azure.create_pool(resizeTimeout="PT30M")
    azure.wait_until_steady()
    allocate_slowly(azure)
    assert enable(azure, "$TargetDedicatedNodes = 300") == ""
    azure.clock.advance(60)
    assert enable(azure, "$TargetDedicatedNodes = 400") == "PoolBeingResized", "a formula is on, and it resizes"
    azure.clock.advance(870)
    pool = azure.pool()
    assert pool["allocationState"] == "steady", "the timeout of the pool has no effect under a formula"
    assert pool["resizeErrors"][0]["code"] == "AllocationTimedout"
    short, since = pool["currentDedicatedNodes"], pool["allocationStateTransitionTime"]
    azure.store.set_meta("allocation", {})
    before = run_of(azure)
    azure.clock.advance(3600)
    assert run_of(azure) > before
    assert azure.pool()["allocationStateTransitionTime"] == since
    assert enable(azure, "$TargetDedicatedNodes = 300;") == "", "another text with the same target"
    azure.clock.advance(60)
    assert azure.wait_until_steady()["currentDedicatedNodes"] == short
    assert enable(azure, "$TargetDedicatedNodes = 20") == ""
    azure.clock.advance(600)
    assert azure.wait_until_steady()["currentDedicatedNodes"] == 20


def test_turning_autoscale_off_and_on_asks_for_missing_nodes(azure: BatchEmulator) -> None:
    azure.create_pool()
    azure.wait_until_steady()
    allocate_slowly(azure)
    enable(azure, "$TargetDedicatedNodes = 300")
    azure.clock.advance(1000)
    azure.store.set_meta("allocation", {})
    assert azure.batch("POST", "/pools/p/disableautoscale").status == 200
    assert enable(azure, "$TargetDedicatedNodes = 300") == ""
    azure.clock.advance(60)
    assert azure.wait_until_steady()["currentDedicatedNodes"] == 300


def test_a_stuck_formula_is_evaluated_again_only_after_it_was_off(azure: BatchEmulator) -> None:
    azure.store.set_meta("scenario", "stuck-autoscale")
    azure.create_pool()
    azure.wait_until_steady()
    enable(azure, "$TargetDedicatedNodes = time().hour < 20 ? 3 : 0")
    azure.clock.advance(400)
    assert azure.pool()["currentDedicatedNodes"] == 3, "without an error nothing sticks"
    allocate_slowly(azure)
    enable(azure, "$TargetDedicatedNodes = time().hour < 20 ? 300 : 0")
    azure.clock.advance(1000)
    last = run_of(azure)
    azure.clock.advance(12 * 3600)
    assert run_of(azure) == last
    assert azure.pool()["targetDedicatedNodes"] == 300
    assert enable(azure, "$TargetDedicatedNodes = 0") == "", "it is taken, and not evaluated"
    assert (run_of(azure), azure.pool()["targetDedicatedNodes"]) == (last, 300)
    azure.store.set_meta("scenario", "calm")
    azure.clock.advance(3600)
    assert run_of(azure) == last
    azure.batch("POST", "/pools/p/disableautoscale")
    assert enable(azure, "$TargetDedicatedNodes = 0") == ""
    azure.clock.advance(600)
    assert azure.pool()["currentDedicatedNodes"] == 0


def test_single_nodes_of_a_pool_with_a_formula_cannot_be_removed(azure: BatchEmulator) -> None:
    azure.create_pool(dedicated=2)
    azure.wait_until_steady()
    enable(azure, "$TargetDedicatedNodes = 2")
    azure.clock.advance(60)
    refused = azure.batch("POST", "/pools/p/removenodes", {"nodeList": [azure.nodes()[0]["id"]]})
    assert (refused.status, refused.code) == (409, "OperationInvalidForCurrentState")


@pytest.mark.parametrize("plane", ["arm", "batch"])
def test_a_pool_is_created_with_a_formula(azure: BatchEmulator, plane: str) -> None:
    formula = "$TargetDedicatedNodes = 1; $TargetLowPriorityNodes = 2;"
    if plane == "arm":
        scale = {"autoScale": {"formula": formula, "evaluationInterval": "PT5M"}}
        body = arm_pool_body()
        body["properties"]["scaleSettings"] = scale
        assert azure.arm("PUT", "/pools/p", body).body["properties"]["scaleSettings"] == scale
    else:
        fixed = dict.fromkeys(("targetDedicatedNodes", "targetLowPriorityNodes"))
        azure.create_pool(enableAutoScale=True, autoScaleFormula=formula, **FIVE, **fixed)
    pool = azure.pool()
    assert (pool["targetDedicatedNodes"], pool["targetLowPriorityNodes"]) == (1, 2)
    assert pool["autoScaleRun"]["timestamp"][:19] == pool["creationTime"][:19]
    assert azure.wait_until_steady()["currentLowPriorityNodes"] == 2
