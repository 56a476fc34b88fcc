"""Resizes of pools that expire: the formula is on all the time, and Azure's evaluations are the attempts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import BudgetError, ConflictError, ResizeError, SpecError
from batchimg_magics.session.session import Session
from tests.support.concurrent_client import ConcurrentClient, ObservedTransport
from tests.support.connections import emulator_of, wrapped_session

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5", "ttl": "8h"}
HOUR = 3600.0


class Scene:
    """A session whose requests are watched, and somebody else on the same account."""

    def __init__(self, session: Session, line: ObservedTransport) -> None:
        self.session, self.line = session, line
        self.local = emulator_of(session)
        self.somebody = ConcurrentClient(self.local)

    def happens(self, scenario: str = "calm", **allocation: Any) -> None:
        """Let nodes come otherwise than well."""
        self.local.store.set_meta("scenario", scenario)
        self.local.store.set_meta("allocation", allocation)

    def on(self, path: str, action: Any, nth: int = 1) -> None:
        self.line.before_request(path, nth, action)

    def sent(self, path: str) -> list[Any]:
        return [body for _, url, body, _ in self.line.log if path in url]

    def formula(self) -> str:
        return str(self.somebody.ask("GET", "/pools/p")[1].get("autoScaleFormula", ""))

    def set_formula(self, text: str) -> None:
        status, _ = self.somebody.ask("POST", "/pools/p/enableautoscale", {"autoScaleFormula": text})
        assert status == 200

    def creates_pool_without_evaluations(self) -> None:
        """Create a pool whose formula asks for many more nodes, and is not evaluated any more."""
        self.session.create("p", nodes=2, **LINE)
        self.happens("stuck-autoscale", slowed=1000)
        self.local.clock.advance(60)
        self.set_formula(self.formula().replace("lives ? 2", "lives ? 300"))

    def nodes_after_expiry(self) -> tuple[int, int]:
        """Return the nodes once the expiry is over, if nobody does anything until then."""
        self.local.clock.advance(8 * HOUR + 600)
        return self.somebody.count_nodes("p")


@pytest.fixture
def scene() -> Iterator[Scene]:
    with wrapped_session(ObservedTransport) as (session, line):
        yield Scene(session, line)


def classes(rows: Any) -> list[str]:
    return [str(one) for one in (rows["class"] if hasattr(rows, "dtypes") else rows.columns["class"])]


def test_the_first_request_of_a_pool_has_its_expiry(scene: Scene) -> None:
    steps = scene.session.create("p", nodes=3, spot=1, **LINE)
    assert "3 dedicated" not in scene.formula(), "the caption has it; the formula has Azure's names"
    put = next(body for method, url, body, _ in scene.line.log if method == "PUT" and "/pools/p?" in url)
    scale = put["properties"]["scaleSettings"]["autoScale"]
    assert "$TargetDedicatedNodes = lives ? 0 : 0;" in scale["formula"]
    assert scale["evaluationInterval"] == "PT5M"
    assert any(one["name"] == "batchimg-expires" for one in put["properties"]["metadata"])
    assert not scene.sent("/resize?")
    assert not scene.sent("/disableautoscale")
    assert steps.action.tolist()[-1] == "created"
    assert list(scene.session.history("p").action.fillna("")) == ["one node first", ""]
    assert scene.nodes_after_expiry() == (0, 0)


def test_a_pool_that_stays_short_is_requested_again_and_never_without_its_expiry(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.happens(slowed=20)
    scene.on("/enableautoscale", scene.happens, nth=3)
    rounds = scene.session.resize("p", nodes=300)
    assert classes(rounds) == ["partial", "done"]
    assert rounds.code[0] == "AllocationTimedout"
    assert rounds.timeout_minutes.tolist() == [15.0, 15.0]
    assert not scene.sent("/disableautoscale")
    assert scene.somebody.count_nodes("p") == (300, 0)
    assert scene.nodes_after_expiry() == (0, 0)


def test_a_formula_that_azure_does_not_evaluate_any_more_is_turned_off_and_on(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.happens("stuck-autoscale", slowed=20)
    scene.on("/enableautoscale", partial(scene.happens, "stuck-autoscale"), nth=2)
    rounds = scene.session.resize("p", nodes=300)
    assert classes(rounds) == ["partial", "done"]
    assert "turned autoscale off and on" in rounds.action[1]
    assert len(scene.sent("/disableautoscale")) == 1
    assert scene.nodes_after_expiry() == (0, 0)


def test_a_failure_leaves_a_formula_that_requests_no_more(scene: Scene) -> None:
    scene.session.create("p", nodes=1, canary=False, **LINE)
    scene.line.hide_properties("dedicatedCoreQuota", "dedicatedCoreQuotaPerVMFamily")
    scene.happens("stuck-autoscale")
    with pytest.raises(ResizeError, match="AccountVMSeriesCoreQuotaReached") as caught:
        scene.session.resize("p", nodes=600)
    assert classes(caught.value.table) == ["quota"]
    assert "lives ? 500 : 0" in scene.formula()
    scene.happens("stuck-autoscale", unusable=1.0)
    assert scene.session.pools().evaluation_overdue.tolist() == [False]
    assert scene.nodes_after_expiry() == (0, 0), "Azure evaluates it, although the resize ended with an error"


def test_limits_hold_under_a_formula(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.happens(slowed=20)
    with pytest.raises(ResizeError, match="the limit of --max-rounds"):
        scene.session.resize("p", nodes=300, max_rounds=1)
    assert "lives ? 300 : 0" not in scene.formula()
    with pytest.raises(BudgetError, match="--max-cost is"):
        scene.session.resize("p", nodes=300, max_cost=0.5)
    with pytest.raises(ResizeError, match="the limit of --max-minutes"):
        scene.session.resize("p", nodes=300, max_minutes=12)
    assert scene.nodes_after_expiry() == (0, 0)


def test_another_clients_formula_is_kept(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.happens(slowed=20)
    theirs = "$TargetDedicatedNodes = 2;"
    scene.on("/nodes?", partial(scene.set_formula, theirs), nth=2)
    with pytest.raises(ResizeError, match="a formula sets the size"):
        scene.session.resize("p", nodes=300)
    assert scene.formula() == theirs
    with pytest.raises(ConflictError, match="an autoscale formula sets"):
        scene.session.resize("p", nodes=3, ttl="8h")
    assert scene.formula() == theirs
    scene.happens()
    scene.session.resize("p", nodes=3, ttl="8h", autoscale_off=True)
    assert not scene.sent("/disableautoscale"), "the expiry takes the place of the other formula at once"
    assert scene.nodes_after_expiry() == (0, 0)


def test_two_runs_with_the_same_target_do_not_fight(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    with Session() as other:
        other.connect()
        formula = scene.formula().replace("lives ? 1", "lives ? 40")
        scene.on("/nodes?", partial(scene.set_formula, formula), nth=1)
        scene.local.clock.advance(60)
        rounds = scene.session.resize("p", nodes=40)
    assert classes(rounds)[-1] == "done"
    assert scene.formula() == formula
    assert scene.somebody.count_nodes("p") == (40, 0)


def test_repair_turns_the_formula_off_only_to_remove_nodes(scene: Scene) -> None:
    scene.session.create("p", nodes=2, **LINE)
    scene.happens(unusable=1.0)
    with pytest.raises(ResizeError, match="unusable nodes"):
        scene.session.resize("p", nodes=5)
    scene.happens()
    repaired = scene.session.repair("p")
    assert "removed 3 bad nodes" in repaired.action.tolist()
    assert len(scene.sent("/disableautoscale")) == 1
    assert scene.somebody.count_nodes("p") == (5, 0)
    assert scene.nodes_after_expiry() == (0, 0)


def test_an_expiry_that_nothing_enforces_is_reported_and_enforced_again(scene: Scene) -> None:
    scene.session.create("p", nodes=2, **LINE)
    scene.local.clock.advance(60)
    scene.somebody.ask("POST", "/pools/p/disableautoscale")
    shown = scene.session.pools()
    assert shown.expiry_enforced.tolist() == [False]
    assert "is enabled again" in scene.session.wait("p").attrs["caption"]
    scene.session.resize("p", nodes=3)
    assert scene.nodes_after_expiry() == (0, 0)


def test_an_overdue_evaluation_is_reported_and_ended(scene: Scene) -> None:
    scene.creates_pool_without_evaluations()
    scene.local.clock.advance(2 * HOUR)
    shown = scene.session.pools()
    assert shown.evaluation_overdue.tolist() == [True]
    assert shown.expiry_enforced.tolist() == [False]
    assert "not evaluated since" in shown.attrs["caption"]
    assert shown.evaluated[0] < shown.expires[0]
    scene.happens("stuck-autoscale")
    assert "is enabled again" in scene.session.wait("p").attrs["caption"]
    assert scene.session.pools().evaluation_overdue.tolist() == [False]
    assert scene.nodes_after_expiry() == (0, 0)


def test_cleanup_takes_what_the_formula_should_have_taken(scene: Scene) -> None:
    scene.creates_pool_without_evaluations()
    left = sum(scene.nodes_after_expiry())
    assert left > 2, "what Azure does not evaluate ends nothing"
    listed = scene.session.cleanup()
    assert listed.nodes.tolist() == [left]
    assert "has not evaluated its formula since" in listed.why[0]
    assert scene.session.cleanup(delete=True).action.tolist() == ["deleted"]
    assert len(scene.session.pools()) == 0


def test_a_formula_with_an_error_is_shown(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.local.clock.advance(60)
    scene.set_formula("$TargetDedicatedNodes = 1 / 0;")
    assert "AutoScalingFormulaEvaluationError" in scene.session.pools().errors[0]


def test_a_ttl_for_a_pool_of_fixed_size_comes_before_new_nodes(scene: Scene) -> None:
    scene.session.create("p", nodes=2, **{**LINE, "ttl": None})
    scene.session.resize("p", nodes=4, ttl="8h", drain="taskcompletion")
    sent = [body["autoScaleFormula"] for body in scene.sent("/enableautoscale")]
    assert ["lives ? 2 : 0" in sent[0], "lives ? 4 : 0" in sent[-1]] == [True, True]
    assert not [one for one in scene.sent("/resize?") if one["targetDedicatedNodes"] == 4]
    assert "$NodeDeallocationOption = lives ? taskcompletion : requeue;" in sent[-1]
    assert scene.nodes_after_expiry() == (0, 0)


def test_a_timeout_beside_a_ttl_is_said_to_have_no_effect(scene: Scene) -> None:
    planned = scene.session.plan("p", nodes=3, timeout="30m", **LINE)
    assert "--timeout has no effect with an expiry" in planned.attrs["caption"]
    made = scene.session.create("p", nodes=1, timeout="30m", **LINE)
    assert "--timeout has no effect with an expiry" in made.attrs["caption"]
    rounds = scene.session.resize("p", nodes=2, timeout="30m")
    assert "--timeout has no effect with an expiry" in rounds.attrs["caption"]


def test_a_resize_that_is_stopped_says_so(scene: Scene) -> None:
    scene.session.create("p", nodes=2, **LINE)
    scene.happens(slowed=50)
    run = scene.session.begin("resize", name="p", nodes=40)
    while scene.somebody.ask("GET", "/pools/p")[1]["allocationState"] != "resizing":
        scene.session.call(lambda azure: azure.sleep(5))
    scene.session.stop_resize("p")
    with pytest.raises(ResizeError, match="somebody stopped the resize"):
        run.result()
    assert classes(scene.session.history("p"))[-1] == "stopped"
    assert scene.nodes_after_expiry() == (0, 0)


# -- nodes that leave without tasks ----------------------------------------------------------------------------------

WITHOUT_TASKS = {**LINE, "ttl": None, "then_zero": True}


def add_task(scene: Scene, seconds: int) -> None:
    """Let somebody add a task of some seconds to the pool's only job."""
    scene.somebody.ask("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}})
    task = {"id": f"t{scene.local.clock.now():.0f}", "commandLine": f"sleep {seconds}"}
    assert scene.somebody.ask("POST", "/jobs/j/tasks", task)[0] == 201


def test_nodes_leave_when_no_task_is_left_and_come_again_with_the_next(scene: Scene) -> None:
    made = scene.session.create("p", nodes=3, **WITHOUT_TASKS)
    assert "3 idle" in made.attrs["caption"]
    assert not scene.sent("/resize?"), "the formula alone requests the nodes"
    add_task(scene, 3 * 3600)
    scene.local.clock.advance(2 * HOUR)
    assert scene.somebody.count_nodes("p") == (3, 0), "the task still runs"
    scene.local.clock.advance(2 * HOUR)
    assert scene.somebody.count_nodes("p") == (0, 0)
    add_task(scene, 3600)
    scene.local.clock.advance(600)
    assert scene.somebody.count_nodes("p") == (3, 0)
    scene.local.clock.advance(2 * HOUR)
    assert scene.somebody.count_nodes("p") == (0, 0)


def test_nodes_wait_an_hour_for_the_first_task_and_not_longer(scene: Scene) -> None:
    scene.session.create("p", nodes=2, **WITHOUT_TASKS)
    scene.local.clock.advance(0.9 * HOUR)
    assert scene.somebody.count_nodes("p") == (2, 0)
    scene.local.clock.advance(0.5 * HOUR)
    assert scene.somebody.count_nodes("p") == (0, 0)
    assert scene.session.pools().expires[0].timestamp() - scene.local.clock.now() > 6 * 24 * HOUR


def test_a_resize_keeps_it_and_begins_the_hour_again(scene: Scene) -> None:
    scene.session.create("p", nodes=2, **WITHOUT_TASKS)
    shown = scene.session.show("p").set_index("property").value
    assert shown["leaves_without_tasks"] == "yes"
    scene.local.clock.advance(2 * HOUR)
    assert scene.session.resize("p", nodes=4).attrs["nodes"] == "4 idle"
    scene.local.clock.advance(0.9 * HOUR)
    assert scene.session.resize("p", nodes=3).attrs["nodes"] == "3 idle"
    scene.local.clock.advance(0.9 * HOUR)
    assert scene.somebody.count_nodes("p") == (3, 0)
    scene.local.clock.advance(0.5 * HOUR)
    assert scene.somebody.count_nodes("p") == (0, 0)


def test_the_pool_of_a_resize_keeps_its_own_expiry(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    before = scene.session.pools().expires[0]
    scene.session.resize("p", nodes=2, then_zero=True)
    assert scene.session.pools().expires[0] == before
    add_task(scene, 30 * 3600)
    scene.local.clock.advance(2 * HOUR)
    assert scene.somebody.count_nodes("p") == (2, 0)
    assert scene.nodes_after_expiry() == (0, 0), "a task does not keep nodes after the expiry"


def test_a_formula_of_ones_own_has_no_second_one(scene: Scene) -> None:
    line = {**WITHOUT_TASKS, "formula": "$TargetDedicatedNodes = 1;"}
    with pytest.raises(SpecError, match="--then-zero cannot be used with --formula") as caught:
        scene.session.create("p", **line)
    assert "$PendingTasks" in caught.value.hint
    assert len(scene.session.pools()) == 0
