"""The resize attempts of the panel: the chart of nodes over time, and what each attempt brought."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.ui.panel import attempts_section
from tests.support.panels import BrowserView, advance_time, open_panel

if TYPE_CHECKING:
    from batchimg_magics.ui.panel.panel import Panel


def rows(panel: Panel) -> list[list[str]]:
    return [row for group in panel.attempts["groups"] for row in group["rows"]]


def poll(panel: Panel) -> None:
    panel.refresh()
    advance_time(panel.session, 6.0)


def test_the_newest_attempt_comes_first_and_the_chart_has_steps() -> None:
    with open_panel() as panel:
        panel.session.resize("genomics", nodes=6)
        poll(panel)
        (group,) = panel.attempts["groups"]
        newest, *_ = group["rows"]
        names = [head["text"] for head in panel.attempts["heads"]]
        first = dict(zip(names, newest, strict=True))
        assert (first["Outcome"], first["Dedicated"], first["Spot"]) == ("complete", "3 → 6", "1")
        assert len(first["Started"]) == len("09:10:11")
        assert "one node first" in {row[2] for row in group["rows"]}
        (part,) = panel.attempts["chart"]["parts"]
        assert part["live"][-1][1] == part["ready"][-1][1] == part["target"][-1][1] == 7
        assert part["live"][0][1] == 0
        assert panel.attempts["chart"]["text"].endswith("7 nodes now, 7 ready, target 7")
        view = BrowserView(panel, "page")
        view.send_state("closed")  # nobody looks for a day
        advance_time(panel.session, 86_400)
        view.send_state("visible", new=True)
        poll(panel)
        assert rows(panel)[0][0].startswith("2026-07-01 ")
        assert "<td" in panel.attempts_section.static_html()


def test_a_pool_that_never_had_nodes_has_no_chart() -> None:
    with open_panel() as panel:
        panel.session.create("empty", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=0)
        assert panel.session.panel("empty").attempts["chart"] == {}
        panel.session.resize("empty", nodes=1)
        assert panel.session.panel("empty").attempts["chart"]["scale"] == "up to 1 node"


def test_attempts_of_an_earlier_pool_of_the_name_stand_apart() -> None:
    with open_panel() as panel:
        session = panel.session
        session.delete("genomics")
        advance_time(session, 3600)
        session.create("genomics", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=2, canary=False)
        again = session.panel("genomics")
        new, old = again.attempts["groups"]
        assert (new["title"], len(new["rows"])) == ("", 1)
        assert old["title"] == "An earlier pool of this name"
        assert len(again.attempts["chart"]["parts"]) == 2
        assert again.attempts_section.static_html().count("An earlier pool") == 1
        again.close()


def test_a_resize_that_is_going_on_is_the_first_row() -> None:
    with open_panel() as panel:
        session = panel.session
        run = session.begin("resize", name="genomics", nodes=9, spot=1)
        for _ in range(40):
            advance_time(session, 2.0)
            if "running" in {row[1] for row in rows(panel)}:
                break
            panel.refresh()
        row = rows(panel)[0]
        assert (row[1], row[2]) == ("running", "9 dedicated + 1 spot requested")
        assert row[3].startswith("3")
        assert panel.attempts["chart"]["parts"][-1]["target"][-1][1] == 10
        run.wait(60)


def test_the_chart_keeps_what_the_panel_saw_and_no_attempt_recorded() -> None:
    with open_panel() as panel:
        seen = panel.snapshot
        assert seen is not None
        for later_s in (60.0, 120.0, 180.0):
            panel.attempts_section.show(replace(seen, at=seen.at + later_s, nodes=seen.nodes[:2]))
        (part,) = panel.attempts["chart"]["parts"]
        assert part["live"][-2:] == [[seen.at + 60.0, 2], [seen.at + 180.0, 2]]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"class": "done", "action": "done"}, ""),
        ({"class": "done", "action": "one node first: done"}, "one node first"),
        (
            {"class": "partial", "message": "AllocationTimedout: the timeout", "action": "retry"},
            "fewer nodes were allocated than requested; AllocationTimedout: the timeout",
        ),
        ({"class": "changed", "action": "removed 2 nodes"}, "removed 2 nodes"),
        ({"class": "of another version", "action": "x"}, "x"),
    ],
)
def test_what_happened_in_words(row: dict[str, Any], text: str) -> None:
    assert attempts_section.outcome_text(row) == text


def test_times_have_a_date_when_they_are_not_of_today() -> None:
    now = dt.datetime(2026, 7, 2, 9, 0, tzinfo=dt.UTC).timestamp()
    assert attempts_section.time_text(now - 60, now) == "08:59:00"
    assert attempts_section.time_text(now - 86_400, now) == "2026-07-01 09:00"
