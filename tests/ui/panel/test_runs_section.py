"""The runs of the panel: the rows of a run, those that failed first, and the output of one row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from batchimg_magics.core.runs.row_states import ROW_STATES
from tests.support.connections import emulator_of
from tests.support.faults import set_faults
from tests.support.panels import HTML_INJECTION, BrowserView, advance_time, open_panel, send, wait_for_verb

if TYPE_CHECKING:
    from batchimg_magics.ui.panel.panel import Panel

COMMAND = "echo hello {sample}\nsleep {wait}\nexit {code}"


def frame(rows: int = 12) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample": [f"s{number}" for number in range(rows)],
            "wait": [20] * rows,
            "code": [3 * (number in (4, 9)) for number in range(rows)],
        }
    )


def poll(panel: Panel) -> None:
    """Let the panel look again, when it reads the list of runs."""
    advance_time(panel.session, 61)
    panel.refresh()
    advance_time(panel.session, 6)


@pytest.fixture
def ran() -> Any:
    """Return the panel after a run of twelve rows, two of which failed."""
    with open_panel() as panel:
        view = BrowserView(panel, "page")
        view.send_state("visible", new=True)
        panel.session.run("genomics", over=frame(), command=COMMAND)
        poll(panel)
        yield panel


def sent_map(panel: Panel, messages: list[Any]) -> tuple[list[str], list[int]]:
    """Return the states and the rows of the last map that was sent."""
    send(panel, section="runs", kind="request all")
    codes, rows = messages[-1]
    return [ROW_STATES[code] for code in np.frombuffer(codes, np.uint8)], np.frombuffer(rows, np.uint32).tolist()


@pytest.fixture
def messages(ran: Panel, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []

    def keep(content: dict[str, Any], buffers: list[bytes]) -> None:
        if content.get("section") == "runs":
            found.append(buffers)

    monkeypatch.setattr(ran, "send", keep)
    return found


def test_a_pool_without_runs_shows_none() -> None:
    with open_panel() as panel:
        assert panel.runs["run"] == ""
        assert panel.runs_section.static_html() == ""


def test_failed_rows_come_first(ran: Panel, messages: list[Any]) -> None:
    states, rows = sent_map(ran, messages)
    assert states == ["failed"] * 2 + ["succeeded"] * 10
    assert rows == [4, 9, *(row for row in range(12) if row not in (4, 9))]
    assert ran.runs["summary"] == f"{ran.runs['run']}, 12 rows: 2 failed, 10 succeeded"
    assert ran.runs["command"] == COMMAND


def test_a_selected_row_shows_its_values_and_its_output(ran: Panel) -> None:
    send(ran, section="runs", kind="select", place=1)
    advance_time(ran.session, 1)
    card = ran.runs["card"]
    assert (card["row"], card["state"], card["loading"]) == (9, "failed", False)
    assert ["sample", "s9"] in card["values"]
    assert "exit code 3" in card["facts"]
    assert any("hello s9" in file["text"] for file in card["files"])
    assert card["line"] == f"%batchimg logs --run {ran.runs['run']} --row 9"
    assert ran.runs["selected"] == [1]
    send(ran, section="runs", kind="select", place=1)
    assert ran.runs["card"] == {}


def test_rows_are_followed_while_they_run_and_an_older_run_can_be_chosen(ran: Panel) -> None:
    first = ran.runs["run"]
    verb = ran.session.begin("run", name="genomics", over=frame(40), command="sleep 600")
    poll(ran)
    newest = ran.runs["run"]
    assert newest != first
    assert ran.runs["counts"]["running"] == 4
    assert ran.runs["counts"]["waiting"] == 36
    verb.wait(60)
    poll(ran)
    assert ran.runs["counts"] == {"succeeded": 40}
    send(ran, section="runs", kind="choose", run=first)
    advance_time(ran.session, 1)
    assert (ran.runs["run"], ran.runs["counts"]) == (first, {"failed": 2, "succeeded": 10})
    assert ran.runs["runs"] == [newest, first]


def test_a_part_of_the_table_has_missing_rows(ran: Panel) -> None:
    ran.session.run("genomics", over=frame(30), command="sleep 5", limit=3)
    poll(ran)
    assert ran.runs["counts"] == {"missing": 27, "succeeded": 3}
    send(ran, section="runs", kind="select", place=0)
    assert "no task yet" in ran.runs["card"]["reason"]


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "select", "place": 10**9},
        {"kind": "select", "place": -1},
        {"kind": "select", "place": "0"},
        {"kind": "choose", "run": "../jobs"},
        {"kind": "choose", "run": None},
        {"kind": "nonsense"},
        {},
    ],
)
def test_what_a_page_should_not_send_is_ignored(ran: Panel, content: dict[str, Any]) -> None:
    before = dict(ran.runs)
    send(ran, section="runs", **content)
    assert ran.runs == before


def test_a_refused_read_is_told_and_the_rows_stay(ran: Panel) -> None:
    set_faults(ran.session, status=403, path="/jobs", times=None)
    poll(ran)
    assert ran.runs["problem"]
    assert ran.runs["counts"] == {"failed": 2, "succeeded": 10}
    set_faults(ran.session)
    poll(ran)
    assert ran.runs["problem"] == ""


def test_a_deleted_run_is_not_shown_any_more(ran: Panel) -> None:
    run = ran.runs["run"]
    ran.session.call(lambda azure: azure.send("DELETE", f"/jobs/{run}?api-version=2025-06-01", plane="batch"))
    advance_time(ran.session, 600)
    poll(ran)
    assert ran.runs["run"] == ""


def test_the_static_form_has_the_failed_rows_and_escapes_what_the_service_says(ran: Panel) -> None:
    ran.session.run("genomics", over=frame(2), command=f"# {HTML_INJECTION}\nexit 1")
    poll(ran)
    found = ran.runs_section.static_html()
    assert "row 1: FailureExitCode" in found
    assert "Row map: 2 failed" in found
    assert HTML_INJECTION in ran.runs["command"]
    assert HTML_INJECTION not in found


def test_the_rows_are_read_only_after_the_counts_changed(ran: Panel) -> None:
    asked: list[str] = []
    app = emulator_of(ran.session).app
    answer = app.answer

    def keep(method: str, url: str, *others: Any) -> Any:
        asked.append(url)
        return answer(method, url, *others)

    app.answer = keep  # type: ignore[method-assign] # what it is asked is noted
    for _ in range(3):
        poll(ran)
    wait_for_verb(ran.session)
    assert any("/taskcounts" in url for url in asked)
    assert not any("/tasks?" in url for url in asked)
