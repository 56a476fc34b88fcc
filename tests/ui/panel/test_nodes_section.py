"""The nodes of the panel: selection, the card with its actions, gaps, and nodes that need attention."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.concurrent_client import ConcurrentClient
from tests.support.connections import connection_of, emulator_of
from tests.support.panels import advance_time, open_panel, send, shown, wait_for_verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.ui.panel.panel import Panel


@pytest.fixture
def panel() -> Iterator[Panel]:
    with open_panel() as opened:
        yield opened


def tell(panel: Panel, kind: str, **content: Any) -> None:
    """Send a message of the section, and wait until what it reads is shown."""
    send(panel, section="nodes", kind=kind, **content)
    for _ in range(20):
        advance_time(panel.session, 0.0)


def card(panel: Panel) -> dict[str, Any]:
    found: dict[str, Any] = panel.nodes["card"]
    return found


def ids(panel: Panel) -> list[str]:
    return panel.nodes_section.squares.ids


def poll(panel: Panel) -> None:
    panel.refresh()
    advance_time(panel.session, 6.0)


def test_a_selected_node_shows_what_it_is_and_a_second_press_closes_the_card(panel: Panel) -> None:
    tell(panel, "select", place=1)
    (node,) = card(panel)["nodes"]
    assert node["id"] == ids(panel)[1]
    assert (node["state"], node["bad"], node["left"], node["errors"]) == ("idle", False, False, [])
    assert node["facts"][0] == "dedicated"
    assert node["facts"][1].startswith("10.0.")
    assert panel.nodes["selected"] == [1]
    poll(panel)
    assert panel.nodes["selected"] == [1]
    assert card(panel)["nodes"] == [node]
    tell(panel, "select", place=1)
    assert (panel.nodes["selected"], card(panel)) == ([], {})


def test_two_nodes_are_removed_after_a_question_and_the_gaps_are_closed(panel: Panel) -> None:
    first, second = ids(panel)[:2]
    tell(panel, "select", place=0)
    tell(panel, "select", place=1, add=True)
    assert [node["id"] for node in card(panel)["nodes"]] == [first, second]
    tell(panel, "open", what="logs")  # is for one node
    assert card(panel)["opened"] == {}
    tell(panel, "act", action="remove")
    asks = card(panel)["asks"]
    assert asks["line"] == f"%batchimg repair genomics --node {first} --node {second} --remove"
    assert asks["text"] == "Remove these 2 nodes? The pool gets smaller."
    assert panel.session.find_running("genomics") is None
    tell(panel, "cancel")
    assert card(panel)["asks"] == {}
    tell(panel, "act", action="remove")
    send(panel, section="nodes", kind="confirm")
    assert "available when `repair genomics`" in card(panel)["reasons"]["reboot"]
    wait_for_verb(panel.session)
    poll(panel)
    assert panel.nodes_section.squares.counts() == {"idle": (1, 1)}
    assert len(ids(panel)) == 4
    assert [node["left"] for node in card(panel)["nodes"]] == [True, True]
    assert card(panel)["reasons"]["remove"]
    assert "removed 2 nodes" in shown(panel, "attempts")
    tell(panel, "close gaps")
    assert len(ids(panel)) == 2
    assert "" not in ids(panel)


def test_a_reboot_begins_at_once_unless_tasks_run_on_the_node(panel: Panel) -> None:
    tell(panel, "select", place=0)
    send(panel, section="nodes", kind="act", action="reboot")
    verb_run = panel.session.find_running("genomics")
    assert verb_run is not None
    assert verb_run.resume_line == f"%batchimg repair genomics --node {ids(panel)[0]} --reboot --yes"
    tell(panel, "act", action="remove")  # the button is disabled meanwhile
    assert card(panel)["asks"] == {}
    wait_for_verb(panel.session)
    assert "1 node of pool genomics rebooted" in shown(panel, "activity")
    somebody = ConcurrentClient(emulator_of(panel.session))
    somebody.ask("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "genomics"}})
    for number in range(4):
        somebody.ask("POST", "/jobs/j/tasks", {"id": f"t{number}", "commandLine": "sleep 90000"})
    poll(panel)
    assert "1 running task" in card(panel)["nodes"][0]["facts"]
    tell(panel, "act", action="reboot")
    assert card(panel)["asks"]["text"] == "Reboot this node? 1 running task is requeued."


def test_nodes_that_need_attention_are_listed_with_their_errors_and_logs() -> None:
    with open_panel(scenario="calm") as panel:
        store = emulator_of(panel.session).store
        with store.transaction(write=True):  # the panel reads at the same time, on another thread
            store.set_meta("allocation", {"unusable": 1.0})
        panel.session.resize("genomics", nodes=5, until="steady")
        panel.session.wait("genomics")
        poll(panel)
        listed = panel.nodes["attention"]
        assert [one["state"] for one in listed] == ["unusable"] * 2
        assert panel.nodes["bad"] == 2
        tell(panel, "select", id=listed[0]["id"])
        (node,) = card(panel)["nodes"]
        assert node["bad"]
        assert node["errors"][0]["title"]
        assert "unusable node; remove it" in card(panel)["reasons"]["reboot"]
        assert card(panel)["reasons"]["remove"] == ""
        tell(panel, "open", what="logs")
        opened = card(panel)["opened"]
        assert opened["line"] == f"%batchimg logs genomics {node['id']}"
        assert not opened["loading"]
        assert opened["files"][0]["note"]
        tell(panel, "open", what="logs")
        assert card(panel)["opened"] == {}
        assert listed[0]["id"] in panel.nodes_section.static_html()


def test_the_login_line_and_reasons_of_a_pool_with_a_formula(panel: Panel) -> None:
    panel.session.autoscale("genomics", formula="$TargetDedicatedNodes = 3; $TargetLowPriorityNodes = 1;")
    poll(panel)
    assert panel.head["state"].endswith("autoscale")
    assert "turn it off first" in panel.actions["reasons"]["resize"]
    tell(panel, "select", place=0)
    assert card(panel)["reasons"]["remove"] == "an autoscale formula sets the size of the pool"
    tell(panel, "act", action="remove")
    assert card(panel)["asks"] == {}
    tell(panel, "open", what="login")
    assert "has no endpoint for remote login" in card(panel)["opened"]["problem"]


def test_a_pool_with_login_ports_tells_how_to_log_in_to_a_node(panel: Panel) -> None:
    panel.session.create(
        "other", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=1, canary=False, login_ports=(22,)
    )
    other = panel.session.panel("other")
    tell(other, "select", place=0)
    tell(other, "open", what="login")
    opened = card(other)["opened"]
    assert re.fullmatch(r"ssh -p \d+ USER@[\d.]+", opened["login"])
    assert "account of the pool" in opened["note"]
    assert opened["line"] == f"%batchimg nodes other --login {ids(other)[0]}"
    other.close()


def test_on_a_closed_connection_nothing_is_read_or_done(panel: Panel) -> None:
    panel.session.connect(state=":memory:", speed="max")
    assert connection_of(panel.session) is not None
    tell(panel, "select", place=0)
    assert card(panel)["nodes"][0]["loading"]
    tell(panel, "act", action="reboot")
    assert "the connection of this panel is closed" in shown(panel, "activity")


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "select", "place": -1},
        {"kind": "select", "place": 10**6},
        {"kind": "select", "place": "0"},
        {"kind": "select", "id": "nobody"},
        {"kind": "act", "action": "delete"},
        {"kind": "act", "action": "remove"},
        {"kind": "confirm"},
        {"kind": "open", "what": "logs"},
        {"kind": "open", "what": ["logs"]},
        {"kind": "node", "place": 77},
        {"kind": 7},
        {},
    ],
)
def test_messages_that_do_not_fit_are_ignored(quiet: Panel, content: dict[str, Any]) -> None:
    before = quiet.nodes
    send(quiet, section="nodes", **content)
    assert quiet.nodes == before
    assert quiet.session.find_running("genomics") is None


@pytest.fixture(scope="module")
def quiet() -> Iterator[Panel]:
    with open_panel() as opened:
        yield opened
