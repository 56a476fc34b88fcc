"""Autoscale of pools: enabled, evaluated when due, disabled."""

from __future__ import annotations

import pytest

from tests.support.batch_emulator import BatchEmulator


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
    assert kept["$n"] == kept["$all"] == kept["$last"] == "2880"
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
