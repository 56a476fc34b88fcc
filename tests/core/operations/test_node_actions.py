"""`repair --node`: reboot, reimage and remove single nodes, and set whether they take tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import ConflictError, NotFoundError, SpecError
from tests.support.concurrent_client import ConcurrentClient, ObservedTransport
from tests.support.connections import connection_of, emulator_of, wrapped_session
from tests.support.faults import set_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.session.session import Session

LINE = {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5", "canary": False}


class Scene:
    """A session whose requests are watched, another client of the account, and the ids of the nodes of pool ``p``."""

    def __init__(self, session: Session, line: ObservedTransport) -> None:
        self.session, self.line = session, line
        self.somebody = ConcurrentClient(emulator_of(session))

    @property
    def ids(self) -> list[str]:
        return [node["id"] for node in self.somebody.nodes("p")]

    def bodies(self, path: str) -> list[Any]:
        return [body for method, url, body, _ in self.line.log if method == "POST" and path in url]

    def start_task_on_each_node(self) -> None:
        self.somebody.ask("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}})
        for number in range(len(self.ids)):
            self.somebody.ask("POST", "/jobs/j/tasks", {"id": f"t{number}", "commandLine": "sleep 9000"})


@pytest.fixture
def scene() -> Iterator[Scene]:
    with wrapped_session(ObservedTransport) as (session, line):
        yield Scene(session, line)


def rows(table: Any) -> list[tuple[Any, ...]]:
    """Return action, outcome and state, None where a node left the pool."""
    return [
        tuple(None if value != value else str(value) for value in row)  # noqa: PLR0124 - a missing value is not itself
        for row in table[["action", "outcome", "state"]].itertuples(index=False)
    ]


def test_nodes_are_rebooted_reimaged_and_closed_to_tasks(scene: Scene) -> None:
    scene.session.create("p", nodes=3, **LINE)
    first, second, third = scene.ids
    table = scene.session.repair("p", node=[first, f"{second[:11]}…{second[-5:]}"], reboot=True)
    assert rows(table) == [("reboot", "done", "idle")] * 2
    assert list(table.node_id) == [first, second]
    assert table.seconds.min() > 30
    assert table.attrs["caption"] == "LOCAL · 2 nodes of pool p rebooted"
    assert scene.bodies("/reboot") == [{"nodeRebootOption": "requeue"}] * 2
    assert rows(scene.session.repair("p", node=third, reimage=True, drain="terminate")) == [("reimage", "done", "idle")]
    assert scene.bodies("/reimage") == [{"nodeReimageOption": "terminate"}]
    closed = scene.session.repair("p", node=third[-12:], disable_scheduling=True)
    assert rows(closed) == [("disable-scheduling", "done", "offline")]
    assert rows(scene.session.repair("p", node=third, disable_scheduling=True)) == [
        ("disable-scheduling", "unchanged", "offline")
    ]
    assert rows(scene.session.repair("p", node=third, enable_scheduling=True)) == [
        ("enable-scheduling", "done", "idle")
    ]


def test_nodes_are_removed_once_and_the_history_has_it(scene: Scene) -> None:
    scene.session.create("p", nodes=3, spot=1, **LINE)
    first, second, *_ = scene.ids
    table = scene.session.repair("p", node=(first, second), remove=True, drain="taskcompletion")
    assert rows(table) == [("remove", "done", None)] * 2
    assert scene.bodies("/removenodes") == [{"nodeList": [first, second], "nodeDeallocationOption": "taskcompletion"}]
    assert len(scene.ids) == 2
    assert scene.session.pools()[["dedicated_target", "spot_target"]].values.sum() == 2
    again = scene.session.repair("p", node=first, remove=True)
    assert rows(again) == [("remove", "unchanged", None)]
    assert len(scene.bodies("/removenodes")) == 1
    last = scene.session.history("p").iloc[-1]
    assert (last.action, last["class"]) == ("removed 2 nodes", "changed")
    assert last.usd > 0
    assert last.pool_created < last.started


def test_a_pool_with_an_expiry_keeps_it_when_a_node_is_removed(scene: Scene) -> None:
    scene.session.create("p", nodes=3, ttl="8h", **LINE)
    scene.session.repair("p", node=scene.ids[0], remove=True)
    pool = scene.somebody.ask("GET", "/pools/p")[1]
    assert pool["enableAutoScale"]
    assert "lives ? 2" in pool["autoScaleFormula"]
    scene.somebody.local.clock.advance(9 * 3600.0)
    assert scene.somebody.count_nodes("p") == (0, 0)


def test_a_removal_whose_answer_is_lost_or_that_is_repeated_removes_once(scene: Scene) -> None:
    scene.session.create("p", nodes=3, **LINE)
    set_faults(scene.session, method="POST", path="/removenodes", lost="answer", times=1)
    assert rows(scene.session.repair("p", node=scene.ids[0], remove=True)) == [("remove", "done", None)]
    set_faults(scene.session, method="POST", path="/removenodes", status=503, code="ServerBusy", times=4)
    assert rows(scene.session.repair("p", node=scene.ids[0], remove=True)) == [("remove", "done", None)]
    assert len(scene.ids) == 1


def test_a_node_that_leaves_by_itself_does_not_keep_others(scene: Scene) -> None:
    scene.session.create("p", nodes=3, **LINE)
    first, second, _ = scene.ids
    scene.line.before_request("/removenodes", 1, lambda: scene.somebody.act("p", "remove"))
    assert rows(scene.session.repair("p", node=(first, second), remove=True)) == [("remove", "done", None)] * 2
    assert len(scene.ids) == 1


def test_what_azure_refuses_is_an_error_with_all_rows(scene: Scene) -> None:
    scene.session.create("p", nodes=2, **LINE)
    emulator_of(scene.session).store.set_meta("allocation", {"unusable": 1.0})
    scene.session.resize("p", nodes=3, until="steady")
    scene.session.wait("p")
    bad = scene.session.nodes("p", state="unusable").node_id[0]
    good = next(one for one in scene.ids if one != bad)
    with pytest.raises(ConflictError, match=r"1 of 2 nodes was not rebooted: .*unusable") as caught:
        scene.session.repair("p", node=[good, bad], reboot=True)
    assert caught.value.hint == f"remove it: `%batchimg repair p --node {bad} --remove`"
    assert caught.value.table.columns["outcome"] == ["done", "refused"]
    assert rows(scene.session.repair("p", node=bad, remove=True)) == [("remove", "done", None)]


def test_a_formula_forbids_removals_and_the_resize_of_another_client_ends_first(scene: Scene) -> None:
    scene.session.create("p", nodes=2, **LINE)
    scene.somebody.act("p", "autoscale")
    with pytest.raises(ConflictError, match="an autoscale formula sets the size") as caught:
        scene.session.repair("p", node=scene.ids[0], remove=True)
    assert "autoscale p --off" in caught.value.hint
    scene.session.autoscale("p", off=True)
    scene.line.before_request("/removenodes", 1, lambda: scene.somebody.act("p", "resize"))
    assert rows(scene.session.repair("p", node=scene.ids[0], remove=True)) == [("remove", "done", None)]
    assert scene.somebody.count_nodes("p") == (2, 1)


def test_a_start_task_that_fails_again_is_told() -> None:
    with wrapped_session(ObservedTransport, scenario="bad-start-task", state=":memory:", speed="max") as (session, _):
        session.create("p", nodes=2, start_task="/bin/false", until="steady", **LINE)
        session.wait("p")
        node = session.nodes("p").node_id[0]
        table = session.repair("p", node=node, reboot=True)
        assert rows(table) == [("reboot", "done", "starttaskfailed")]
        assert table.exit_code[0] != 0


def test_on_a_real_connection_removals_and_what_ends_tasks_need_yes(scene: Scene) -> None:
    scene.session.create("p", nodes=2, **LINE)
    scene.start_task_on_each_node()
    first, second = scene.ids
    connection = connection_of(scene.session)
    local, connection.emulator = connection.emulator, None  # as far as the verbs can tell, it is real
    try:
        for options in ({"reboot": True}, {"remove": True}, {"remove": True, "drain": "taskcompletion"}):
            shown = scene.session.repair("p", node=first, **options)
            assert list(shown.outcome) == ["planned"]
            assert "--yes" in shown.attrs["caption"]
            assert ("1 running task would end" in shown.attrs["caption"]) is ("drain" not in options)
        gentle = scene.session.repair("p", node=first, disable_scheduling=True, drain="taskcompletion")
        assert list(gentle.outcome) == ["requested"]
        assert not scene.bodies("/reboot")
        assert not scene.bodies("/removenodes")
        assert list(scene.session.repair("p", node=second, remove=True, yes=True).outcome) == ["done"]
    finally:
        connection.emulator = local
    assert scene.ids == [first]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"node": "nope", "reboot": True}, (NotFoundError, "there is no node 'nope' in pool 'p'")),
        ({"node": "tvmps", "reboot": True}, (SpecError, "2 nodes of pool 'p' have such an id")),
        ({"node": "…", "reboot": True}, (SpecError, "--node is")),
        ({"node": "tvmps"}, (SpecError, "takes one action")),
        ({"node": "tvmps", "reboot": True, "remove": True}, (SpecError, "not --reboot and --remove")),
        ({"reboot": True}, (SpecError, "--reboot needs --node")),
        ({"node": "tvmps", "reboot": True, "max_rounds": 3}, (SpecError, "--max-rounds does not apply")),
        ({"drain": "requeue"}, (SpecError, "--drain needs --node")),
        ({"node": "t", "enable_scheduling": True, "drain": "requeue"}, (SpecError, "does not apply to --enable")),
        ({"node": "t", "disable_scheduling": True, "drain": "retaineddata"}, (SpecError, "does not apply to --dis")),
    ],
)
def test_what_does_not_fit_is_refused(idle_pool: Session, options: dict[str, Any], error: Any) -> None:
    kind, text = error
    with pytest.raises(kind, match=text):
        idle_pool.repair("p", **options)


@pytest.fixture(scope="module")
def idle_pool() -> Iterator[Session]:
    with wrapped_session(ObservedTransport, state=":memory:", speed="max") as (session, _):
        session.create("p", nodes=2, **LINE)
        yield session
