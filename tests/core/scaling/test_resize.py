"""Resize: attempts, the canary, quotas, costs, and other clients of the pool."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.connection import profiles
from batchimg_magics.core.azure.outages import MAX_RECONNECTS
from batchimg_magics.core.scaling.rounds import last_rounds
from batchimg_magics.emulator.http import faults
from batchimg_magics.emulator.http.scenarios import Fault
from batchimg_magics.errors import BatchImgError, BudgetError, ConflictError, NotFoundError, ResizeError, SpecError
from batchimg_magics.pool_spec.package_task import user_command
from batchimg_magics.session.session import Session
from tests.support.concurrent_client import ConcurrentClient, ObservedTransport
from tests.support.connections import connection_of, emulator_of, wrapped_session

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5"}


class Scene:
    """A session whose requests are watched, and somebody else on the same account."""

    def __init__(self, session: Session, line: ObservedTransport) -> None:
        self.session, self.line = session, line
        local = emulator_of(session)
        self.world, self.somebody = local.store, ConcurrentClient(local)

    def happens(self, **allocation: Any) -> None:
        """Let nodes come otherwise than well."""
        self.world.set_meta("allocation", allocation)

    def fails(self, **fault: Any) -> None:
        faults.set_pending_faults(self.world, [Fault(**fault)])

    def meanwhile(self, requests: int, deed: str, pool: str = "p") -> None:
        """Let somebody act right before the n-th request from now."""
        self.line.actions[len(self.line.log) + requests] = partial(self.somebody.act, pool, deed)

    def on(self, path: str, deed: str, nth: int = 1) -> None:
        """Call a function right before the n-th request from now whose URL contains a text."""
        self.line.before_request(path, nth, partial(self.somebody.act, "p", deed))


@pytest.fixture
def scene() -> Iterator[Scene]:
    with wrapped_session(ObservedTransport) as (session, line):
        yield Scene(session, line)


def classes(rows: Any) -> list[str]:
    return [str(one) for one in (rows["class"] if hasattr(rows, "dtypes") else rows.columns["class"])]


# -- one node first ----------------------------------------------------------------------------------------------


def test_an_image_that_was_never_tried_gets_one_node_first(scene: Scene) -> None:
    scene.session.create("p", nodes=20, spot=5, **LINE)
    counts = [(one["targetDedicatedNodes"], one["targetLowPriorityNodes"]) for one in scene.line.resizes()]
    assert counts == [(1, 0), (20, 5)]
    scene.session.resize("p", nodes=0, spot=0)
    again = scene.session.resize("p", nodes=10)
    assert again.dedicated_after.tolist() == [10], "it has had an idle node by now"


def test_a_known_image_needs_no_try_in_another_session(tmp_path: Any) -> None:
    world = str(tmp_path / "world.db")
    for name, rounds in (("first", 2), ("second", 1)):
        with Session() as session:
            session.connect(state=world, speed="max")
            session.create("p", **LINE)
            session.resize("p", nodes=0)
            session.resize("p", nodes=3)
            assert len(session.history("p").query("dedicated_target > 0")) == {"first": 2, "second": 3}[name], rounds


def test_a_try_can_be_asked_for_and_left_out(scene: Scene) -> None:
    scene.session.create("p", nodes=3, canary=False, **LINE)
    assert len(scene.line.resizes()) == 1
    scene.session.resize("p", nodes=0)
    rounds = scene.session.resize("p", nodes=5, canary=True)
    assert list(rounds.action.fillna("")) == ["one node first", ""]


def test_a_first_node_of_no_use_is_the_only_one_that_is_paid_for(scene: Scene) -> None:
    with pytest.raises(ResizeError, match="the first node is not usable") as caught:
        scene.session.create("p", nodes=20, check_command="false", **LINE)
    assert "1 starttaskfailed" in caught.value.message
    assert scene.somebody.count_nodes("p") == (1, 0)


def test_the_command_that_proves_the_software_is_part_of_the_start_task(scene: Scene) -> None:
    scene.session.create("p", nodes=1, start_task="true", check_command="samtools --version", **LINE)
    _, pool = scene.somebody.ask("GET", "/pools/p")
    assert user_command(pool["startTask"]["commandLine"]) == "/bin/bash -c 'true && samtools --version'"
    assert pool["startTask"]["waitForSuccess"]
    scene.session.create("w", from_vm="win-vm", vm_size="Standard_D2s_v5", nodes=1, check_command="tool /v")
    _, pool = scene.somebody.ask("GET", "/pools/w")
    assert user_command(pool["startTask"]["commandLine"]) == 'cmd /c "tool /v"'


# -- rounds ------------------------------------------------------------------------------------------------------


def test_two_rounds_without_a_node_end_it_with_the_cause(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.fails(method="POST", path="/resize", status=503, times=None)
    with pytest.raises(
        ResizeError, match="has 1 dedicated of 250 dedicated nodes after 2 resize attempts, the last two"
    ) as caught:
        scene.session.resize("p", nodes=250, timeout="5m")
    assert classes(caught.value.table) == ["transient", "transient"]
    assert caught.value.errors[0][0] == "ServerBusy"


def test_limits_of_rounds_and_minutes(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.happens(slowed=8)
    with pytest.raises(ResizeError, match="after 1 resize attempt, the limit"):
        scene.session.resize("p", nodes=300, timeout="5m", max_rounds=1)
    began = len(scene.line.resizes())
    with pytest.raises(ResizeError, match="the limit of --max-minutes, 12 min, is over"):
        scene.session.resize("p", nodes=490, timeout="5m", max_minutes=12)
    assert [one["resizeTimeout"] for one in scene.line.resizes()[began:]] == ["PT5M", "PT5M"]


def test_a_busy_service_is_given_time(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.fails(method="POST", path="/resize", lost="request", times=MAX_RECONNECTS + 1)
    rounds = scene.session.resize("p", nodes=3)
    assert classes(rounds) == ["transient", "done"]
    assert rounds.code[0] == "NoAnswer"


def test_a_lost_answer_is_no_second_resize(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.fails(method="POST", path="/resize", lost="answer", times=1)
    rounds = scene.session.resize("p", nodes=3)
    assert classes(rounds) == ["done"]
    assert len([one for one in scene.line.log if "/resize?" in one[1]]) == 2, "one node, and three"


@pytest.mark.parametrize(
    ("drain", "ends"), [("taskcompletion", "running"), ("requeue", "active"), ("terminate", "completed")]
)
def test_tasks_on_nodes_that_leave(scene: Scene, drain: str, ends: str) -> None:
    scene.session.create("p", nodes=3, **LINE)
    scene.somebody.ask("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}})
    scene.somebody.ask("POST", "/jobs/j/tasks", {"id": "t", "commandLine": "sleep 7200"})
    rounds = scene.session.resize("p", nodes=0, drain=drain, timeout="10m")
    assert scene.line.resizes()[-1]["nodeDeallocationOption"] == drain
    assert scene.somebody.ask("GET", "/jobs/j/tasks/t")[1]["state"] == ends
    # A node that stays for its task is no node of the target's any more, and is told.
    assert classes(rounds) == ["done"]
    assert rounds.attrs["nodes"] == ("1 leavingpool" if drain == "taskcompletion" else "no nodes")


# -- quotas ------------------------------------------------------------------------------------------------------


def test_take_what_fits(scene: Scene) -> None:
    scene.session.create("p", nodes=1, canary=False, **LINE)
    rounds = scene.session.resize("p", nodes=900, take_what_fits=True, until="steady")
    assert rounds.dedicated_after.tolist() == [500]
    assert "500 dedicated would fit" in rounds.attrs["caption"]


def test_what_another_pool_was_promised_and_did_not_get_is_free(scene: Scene) -> None:
    scene.session.create("a", nodes=1, **LINE)
    scene.session.create("b", nodes=1, **LINE)
    scene.happens(slowed=100)
    with pytest.raises(ResizeError, match="has 101 dedicated of 490"):
        scene.session.resize("a", nodes=490, timeout="5m", max_rounds=1)
    scene.happens()
    assert scene.session.resize("b", nodes=390, until="steady").dedicated_after.tolist() == [390]
    with pytest.raises(ResizeError, match="399 dedicated would fit"):
        scene.session.resize("b", nodes=400)


def test_what_another_pool_is_being_given_is_taken(scene: Scene) -> None:
    scene.session.create("a", nodes=1, **LINE)
    scene.session.create("b", nodes=1, **LINE)
    scene.somebody.ask("POST", "/pools/a/resize", {"targetDedicatedNodes": 490, "targetLowPriorityNodes": 0})
    with pytest.raises(ResizeError, match="10 dedicated would fit"):
        scene.session.resize("b", nodes=30)


def test_quota_that_azure_finds_itself(scene: Scene) -> None:
    """Where the account's numbers do not tell: the class, and what came by then, are the same."""
    scene.session.create("p", nodes=1, canary=False, **LINE)
    scene.line.hide_properties("dedicatedCoreQuota", "dedicatedCoreQuotaPerVMFamily")
    with pytest.raises(ResizeError, match="AccountVMSeriesCoreQuotaReached") as caught:
        scene.session.resize("p", nodes=600)
    assert classes(caught.value.table) == ["quota"]
    assert caught.value.current["dedicated"] == 500
    rounds = scene.session.resize("p", nodes=700, take_what_fits=True, until="steady")
    assert classes(rounds) == ["quota"]
    assert rounds.dedicated_after.tolist() == [500]


def test_a_missing_image_is_found_before_it_costs_money(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.fails(path="/versions/", status=404, code="NotFound", times=None)
    with pytest.raises(ResizeError, match="its image does not exist"):
        scene.session.resize("p", nodes=5)
    assert len(scene.line.resizes()) == 1


# -- somebody else -----------------------------------------------------------------------------------------------


def test_the_resize_of_another_client_is_waited_for(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.somebody.act("p", "resize")
    rounds = scene.session.resize("p", nodes=6)
    assert classes(rounds) == ["external", "done"]
    assert rounds.action[0] == "waited for it"
    assert (rounds.dedicated_target[0], rounds.spot_target[0]) == (3, 1)
    assert scene.somebody.count_nodes("p") == (6, 1), "a kind that is not named stays as they made it"


def test_our_own_resize_of_before_is_joined(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.somebody.ask("POST", "/pools/p/resize", {"targetDedicatedNodes": 4, "targetLowPriorityNodes": 0})
    rounds = scene.session.resize("p", nodes=4)
    assert rounds.action.tolist() == ["joined"]


@pytest.mark.parametrize(
    ("deed", "kind", "said"),
    [
        ("resize", "external", "its targets are 3 dedicated"),
        ("autoscale", "external", "a formula sets the size"),
        ("stop", "stopped", "stop resize operation"),
    ],
)
def test_changes_by_other_clients_are_reported_and_kept(scene: Scene, deed: str, kind: str, said: str) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.happens(slowed=50)
    # A steady pool is what a resize of theirs needs: ours has timed out, and nothing was asked for again.
    scene.on("/nodes?" if kind == "external" else "/pools/p?", deed, 2 if kind == "external" else 5)
    with pytest.raises(ResizeError, match=said):
        scene.session.resize("p", nodes=300, timeout="5m")
    asked = [one for one in scene.line.resizes() if one["targetDedicatedNodes"] == 300]
    assert len(asked) == 1


def test_the_resize_of_another_client_is_reported_before_it_ends(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.happens(slowed=50)
    scene.on("/pools/p?", "stop", 35)
    scene.on("/pools/p?", "resize", 36)
    with pytest.raises(ResizeError, match="somebody else is resizing it"):
        scene.session.resize("p", nodes=300)
    assert scene.somebody.ask("GET", "/pools/p")[1]["allocationState"] == "resizing"


def test_the_resize_of_another_client_during_the_canary_is_kept(scene: Scene) -> None:
    scene.session.create("p", nodes=0, **LINE)
    scene.on("/nodes?", "resize", 5)
    with pytest.raises(ResizeError, match="somebody else"):
        scene.session.resize("p", nodes=20)
    assert [one["targetDedicatedNodes"] for one in scene.line.resizes()] == [1]


def test_a_pool_that_is_deleted_meanwhile(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.on("/pools/p?", "delete", 3)
    with pytest.raises((ConflictError, NotFoundError), match=r"being deleted|no pool"):
        scene.session.resize("p", nodes=30)


def test_a_pool_under_autoscale(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.somebody.act("p", "autoscale")
    with pytest.raises(ConflictError, match="an autoscale formula sets") as caught:
        scene.session.resize("p", nodes=3)
    assert "`%batchimg autoscale p --off`" in caught.value.hint
    rounds = scene.session.resize("p", nodes=3, autoscale_off=True)
    assert rounds.dedicated_after.tolist() == [3]
    assert not scene.session.autoscale("p").autoscale[0]


# -- bad nodes ---------------------------------------------------------------------------------------------------


def test_start_tasks_get_one_reboot_then_another_node(scene: Scene) -> None:
    scene.session.create("p", nodes=0, start_task="/bin/true", **LINE)
    scene.happens(start_tasks_fail=True)
    with pytest.raises(ResizeError, match="unusable nodes: 3 of 3") as caught:
        scene.session.resize("p", nodes=3, repair=True, canary=False)
    actions = caught.value.table.columns["action"]
    rung = ["rebooted 3 nodes with a failed start task", "removed 3 bad nodes", "replaced bad nodes"]
    assert actions == [None, *rung, *rung, "stop"]
    assert "stdout" in caught.value.table.columns["message"][1]
    assert not scene.session.history("p").message.str.contains("stdout").any(), "what nodes say is shown, and not kept"
    scene.happens()
    repaired = scene.session.repair("p")
    assert [str(one) for one in repaired["class"]] == ["repair", "repair", "done"]
    assert scene.somebody.count_nodes("p") == (3, 0)


def test_one_reboot_it_is(scene: Scene) -> None:
    scene.session.create("p", nodes=0, start_task="/bin/true", **LINE)
    scene.happens(start_tasks_fail=True)
    scene.fails(path="/removenodes", lost="request", times=MAX_RECONNECTS + 1)
    with pytest.raises(ResizeError, match="unusable nodes"):
        scene.session.resize("p", nodes=3, repair=True, canary=False)
    reboots = [url for _, url, _, _ in scene.line.log if "/reboot?" in url]
    assert len(reboots) == len(set(reboots)) == 3


def test_unusable_nodes_get_time_to_recover(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.happens(unusable=1.0, recovering=1.0)
    rounds = scene.session.resize("p", nodes=5, repair=True)
    assert list(rounds.action.fillna("")) == ["", "waited for 4 unusable nodes: 4 recovered"]


def test_many_bad_nodes_leave_a_hundred_at_a_time(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.happens(unusable=1.0)
    with pytest.raises(ResizeError, match="unusable nodes"):
        scene.session.resize("p", nodes=151, max_unusable="50%")
    scene.happens()
    repaired = scene.session.repair("p")
    assert "removed 100 bad nodes" in repaired.action.tolist()
    assert "removed 50 bad nodes" in repaired.action.tolist()
    assert scene.somebody.count_nodes("p") == (151, 0)
    assert set(scene.session.nodes("p").state) == {"idle"}


def test_an_interrupted_repair_restores_the_target_of_the_pool(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    scene.happens(unusable=1.0)
    with pytest.raises(ResizeError):
        scene.session.resize("p", nodes=6)
    scene.happens()
    scene.fails(method="POST", path="/resize", status=403, code="AuthorizationFailed", times=1)
    with pytest.raises(BatchImgError):
        scene.session.repair("p")
    assert scene.somebody.count_nodes("p") == (1, 0)
    scene.session.repair("p")
    assert scene.somebody.count_nodes("p") == (6, 0)


def test_a_share_of_bad_nodes_may_be(scene: Scene) -> None:
    scene.session.create("p", nodes=0, start_task="/bin/true", **LINE)
    scene.happens(start_tasks_fail=True)
    rounds = scene.session.resize("p", nodes=3, canary=False, max_unusable="100%")
    assert rounds.attrs["nodes"] == "3 starttaskfailed"


# -- money -------------------------------------------------------------------------------------------------------


def test_a_round_that_may_cost_too_much_is_not_asked_for(scene: Scene) -> None:
    scene.session.create("p", nodes=1, **LINE)
    with pytest.raises(BudgetError, match=r"100 dedicated nodes cost \$16.24 per hour") as caught:
        scene.session.resize("p", nodes=100, max_cost=5)
    assert "--timeout" in caught.value.hint
    assert len(scene.line.resizes()) == 1
    rounds = scene.session.resize("p", nodes=100, max_cost=6)
    assert 0 < rounds.usd.sum() < 6


def test_no_limit_without_a_known_price(scene: Scene) -> None:
    scene.fails(path="prices.azure.com", status=503, times=None)
    with pytest.raises(BudgetError, match="is not known"):
        scene.session.create("p", nodes=3, max_cost=100, **LINE)
    assert not scene.line.resizes()


def test_what_the_account_costs_an_hour_binds_every_pool(scene: Scene) -> None:
    scene.session.create("one", nodes=10, **LINE)
    scene.session.create("two", nodes=0, **LINE)
    connection_of(scene.session).azure.spending_limit.usd_per_hour = 3.0
    with pytest.raises(BudgetError, match=r"would cost \$3.30 per hour \(two with 10 dedicated, and all other pools\)"):
        scene.session.resize("two", nodes=10)
    with pytest.raises(BudgetError, match="max-cost-per-hour"):
        scene.session.create("three", nodes=10, **LINE)
    with pytest.raises(BudgetError, match="the cost of a formula cannot be known"):
        scene.session.autoscale("two", formula="$TargetDedicatedNodes = 1;")
    with pytest.raises(BudgetError, match="max-cost-per-hour"):
        scene.session.autoscale("two", preset="pending-tasks", nodes=50)
    scene.session.resize("two", nodes=7)
    scene.session.resize("one", nodes=0)


def test_the_limit_is_part_of_the_connection(session: Session) -> None:
    assert session.connect(max_cost_per_hour=12.5).max_usd_per_hour.tolist() == [12.5]
    with pytest.raises(BudgetError):
        session.create("p", nodes=300, **LINE)
    with pytest.raises(SpecError, match="max-cost-per-hour"):
        session.connect(max_cost_per_hour=-1)


def test_a_saved_connection_keeps_its_limit() -> None:
    profiles.save_profile("lab", profiles.Profile("s", "g", "a", 12.5))
    profiles.save_profile("old", profiles.Profile("s", "g", "a"))
    assert profiles.read_profile("lab").max_cost_per_hour == 12.5
    assert profiles.read_profile("old").max_cost_per_hour is None


# -- several pools -----------------------------------------------------------------------------------------------


def test_a_pattern_names_several_pools(scene: Scene) -> None:
    for name in ("sim-a", "sim-b", "other"):
        scene.session.create(name, nodes=1, **LINE)
    shown = scene.session.resize("sim-*", nodes=4, dry_run=True)
    assert shown.pool.tolist() == ["sim-a", "sim-b"]
    assert set(shown["class"]) == {"planned"}
    assert shown.message[0] == "$0.68 per hour"
    both = scene.session.resize("sim-*", nodes=300, dry_run=True)
    assert "over quota" not in both.message[0]
    assert "over quota" in both.message[1], "the first of them takes more than half of what there is"
    assert "199 dedicated would fit" in both.message[1]
    asked = len(scene.line.resizes())
    with pytest.raises(
        ResizeError, match="the quotas do not allow so many nodes in all these pools: sim-b: dedicated cores"
    ):
        scene.session.resize("sim-*", nodes=300)
    assert len(scene.line.resizes()) == asked
    rounds = scene.session.resize("sim-*", nodes=4)
    assert rounds.dedicated_after.tolist() == [4, 4]
    assert scene.somebody.count_nodes("other") == (1, 0)
    assert scene.session.stop_resize("sim-*").pool.tolist() == ["sim-a", "sim-b"]
    with pytest.raises(NotFoundError, match="no pool that this tool created matches"):
        scene.session.resize("x-*", nodes=4)


def test_a_pool_that_fails_does_not_end_the_others(scene: Scene) -> None:
    scene.session.create("sim-a", nodes=1, **LINE)
    scene.session.create("sim-b", nodes=1, **LINE)
    scene.somebody.act("sim-a", "autoscale")
    with pytest.raises(ResizeError, match="1 of 2 pools did not reach the target: an autoscale formula sets") as caught:
        scene.session.resize("sim-*", nodes=3)
    assert caught.value.table.columns["pool"] == ["sim-b"]
    assert scene.somebody.count_nodes("sim-b") == (3, 0)


def test_a_pattern_keeps_to_the_account_limit_as_a_whole(scene: Scene) -> None:
    scene.session.create("sim-a", nodes=1, **LINE)
    scene.session.create("sim-b", nodes=1, **LINE)
    connection_of(scene.session).azure.spending_limit.usd_per_hour = 3.0
    asked = len(scene.line.resizes())
    with pytest.raises(BudgetError, match="sim-a with 10 dedicated, sim-b with 10 dedicated"):
        scene.session.resize("sim-*", nodes=10)
    assert len(scene.line.resizes()) == asked


def test_on_a_real_connection_patterns_and_ending_tasks_need_yes(scene: Scene) -> None:
    scene.session.create("p", nodes=2, **LINE)
    scene.somebody.ask("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}})
    scene.somebody.ask("POST", "/jobs/j/tasks", {"id": "t", "commandLine": "sleep 9000"})
    connection = connection_of(scene.session)
    local, connection.emulator = connection.emulator, None  # as far as the verbs can tell, it is real
    try:
        shown = scene.session.resize("p", nodes=0)
        assert set(shown["class"]) == {"planned"}
        assert "--yes" in shown.attrs["caption"]
        assert "--yes" in scene.session.resize("*", nodes=3).attrs["caption"]
        assert scene.somebody.count_nodes("p") == (2, 0)
        scene.session.resize("p", nodes=1, drain="taskcompletion")
        scene.session.resize("p", nodes=0, yes=True)
    finally:
        connection.emulator = local
    assert scene.somebody.count_nodes("p") == (0, 0)


def test_history_tells_pools_of_one_name_apart_and_what_shrinking_costs(scene: Scene) -> None:
    session = scene.session
    session.create("p", nodes=2, **LINE)
    session.resize("p", nodes=0)
    session.delete("p")
    first = session.history("p")
    assert first.pool_created.nunique() == 1
    assert "pools named" not in first.attrs["caption"]
    assert first.usd.notna().all()
    assert first.usd.iloc[-1] > 0
    session.create("P", nodes=1, **LINE)
    both = session.history("p")
    assert both.pool_created.nunique() == 2
    assert list(both.pool_created) == sorted(both.pool_created)
    assert "; 2 pools named p (pool_created); cost so far" in both.attrs["caption"]
    azure = connection_of(session).azure
    assert len(last_rounds(azure, "p", 10).rows()) == len(both) - len(first)


def test_a_first_node_that_cannot_run_tasks_is_no_success(scene: Scene) -> None:
    scene.session.create("p", nodes=0, start_task="/bin/true", **LINE)
    scene.happens(start_tasks_fail=True)
    with pytest.raises(ResizeError, match="the first node is not usable") as caught:
        scene.session.resize("p", nodes=3)
    said = scene.session.history("p").iloc[-1]
    assert (said["class"], said.action) == ("unusable", "stop")
    assert said.message == "the first node is not usable (1 starttaskfailed); no more nodes were requested"
    assert "batchimg logs p" in said.hint
    assert classes(caught.value.table) == ["done", "unusable"]
    assert said.seconds > 0
    assert said.started == scene.session.history("p").iloc[-2].ended


# -- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": "4m"}, "a resize timeout of 4m"),
        ({"max_minutes": 1}, "max_minutes is 1"),
        ({"max_rounds": 0}, "max_rounds is 0"),
        ({"max_cost": 0}, "max_cost is 0"),
        ({"max_unusable": "150%"}, "'150%' is not a share"),
        ({"max_unusable": "few"}, "'few' is not a share"),
        ({"drain": "now"}, "--drain is 'now'"),
        ({"spot": 2.5}, "--spot is 2.5"),
        ({"ttl": "5s"}, "a --ttl of 5s"),
        ({"ttl": "soon"}, "'soon' is not a duration"),
        ({"repair": True, "until": "steady"}, "--repair cannot be used with --until steady"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything(
    session: Session, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(SpecError, match=said):
        session.resize("p", nodes=1, **options)
