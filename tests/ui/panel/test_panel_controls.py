"""The parts of the panel, without a browser: what each control does, what cannot be sent, what is shown."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import NotFoundError, Session
from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.batch.quotas import Quota, QuotaHeadroom
from batchimg_magics.core.estimates.forecast import ForecastInputs, forecast
from batchimg_magics.core.estimates.prices import Rates
from batchimg_magics.ui.panel.chooser import PoolChooser
from batchimg_magics.ui.panel.form import slider_max
from batchimg_magics.ui.panel.panel import Panel
from tests.support.connections import connection_of
from tests.support.panels import (
    forecast_rows,
    open_panel,
    press,
    reason,
    run_estimate,
    send,
    set_values,
    shown,
    wait_for_verb,
)
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

FAMILY = "Dedicated cores, DSv5 family"


@pytest.fixture
def panel() -> Iterator[Panel]:
    with open_panel() as found:
        yield found


@pytest.fixture
def session(panel: Panel) -> Session:
    return panel.session


# -- what it shows -----------------------------------------------------------------------------------------------


def test_head_and_tiles_show_the_pool_and_that_it_is_on_the_emulator(panel: Panel) -> None:
    head = panel.head
    assert (head["name"], head["state"], head["real"]) == ("genomics", "steady", False)
    assert head["connection"] == "LOCAL \N{MIDDLE DOT} emulator, instant time"
    assert [fact["unit"] for fact in head["facts"]] == ["an hour", "so far"]
    tiles = [(one["value"], one["of"], one["label"]) for one in head["tiles"]]
    assert tiles[:4] == [
        ("3", "of 3", "dedicated nodes"), ("1", "of 1", "spot nodes"), ("4", "", "ready for work"),
        ("0", "", "need attention"),
    ]  # fmt: skip
    assert tiles[4][:1] == ("1.0.0",)
    assert tiles[4][2].startswith("image genomics \N{MIDDLE DOT} created today")


def test_the_size_begins_at_the_pool_s_target(panel: Panel) -> None:
    assert panel.form.target == Counts(3, 1)
    assert panel.actions["line"] == "%batchimg resize genomics --nodes 3 --spot 1"
    assert panel.actions["resize"] == "Resize to 3 + 1"
    assert panel.size["vm_facts"].startswith("4 vCPUs \N{MIDDLE DOT} 16 GiB \N{MIDDLE DOT} $0.192 an hour")
    assert [(one["key"], one["now"], one["quota"], one["max"]) for one in panel.size["kinds"]] == [
        ("nodes", 3, 250, 250),
        ("spot", 1, 250, 250),
    ]


def test_each_disabled_button_tells_its_reason(panel: Panel) -> None:
    assert panel.actions["reasons"] == {
        "resize": "the pool has this size", "stop": "no resize is running", "repair": "no node needs attention",
        "delete": "",
    }  # fmt: skip
    set_values(panel, nodes=4)
    assert reason(panel, "resize") == ""


@pytest.mark.parametrize(
    ("now", "target", "quota", "most"),
    [(3, 3, 250, 250), (3, 3, 25_000, 200), (125, 125, 250, 250), (600, 600, 250, 600), (0, 0, None, 100)],
)
def test_a_slider_ends_at_the_quota_unless_it_would_be_too_coarse(
    now: int, target: int, quota: int | None, most: int
) -> None:
    assert slider_max(now, target, quota) == most


# -- controls ----------------------------------------------------------------------------------------------------


def test_moving_a_control_changes_forecast_and_line_and_sends_nothing(panel: Panel, session: Session) -> None:
    before = panel.forecast
    set_values(panel, nodes=50)
    assert panel.forecast != before
    # The 12 cores that the pool has are part of the 200, and are not counted twice.
    assert forecast_rows(panel)[FAMILY] == "200 of 1,000 \N{MIDDLE DOT} 800 free"
    (bar,) = (one for one in panel.forecast["bars"] if one["label"] == FAMILY)
    assert [(part["kind"], part["amount"]) for part in bar["parts"]] == [("now", 12), ("more", 188)]
    assert panel.actions["line"] == "%batchimg resize genomics --nodes 50 --spot 1"
    assert session.pools().set_index("pool").loc["genomics", "dedicated_target"] == 3


def test_the_answer_to_a_view_names_the_change_that_it_answers(panel: Panel) -> None:
    send(panel, kind="set", values={"nodes": 7}, view="a", number=12)
    assert (panel.size["by"], panel.size["form"]["nodes"]) == (["a", 12], 7)


def test_the_line_has_the_value_of_every_control(panel: Panel) -> None:
    set_values(panel, nodes=2, timeout=45, repair=True, canary=True, drain="taskcompletion")
    line = panel.actions["line"]
    assert line.startswith("%batchimg resize genomics --nodes 2 --spot 1 --timeout 45m")
    for option in ("--repair", "--canary", "--drain taskcompletion"):
        assert option in line
    assert panel.size["summary"] == "timeout 45 min, canary on, repair on, deallocation taskcompletion"


def test_zero_is_part_of_the_line(panel: Panel) -> None:
    set_values(panel, nodes=0, spot=0)
    assert panel.actions["line"] == "%batchimg resize genomics --nodes 0 --spot 0"


@pytest.mark.parametrize(
    "content",
    [{}, {"kind": "set", "values": {"nodes": "9", "spot": True, "drain": "odd", "timeout": 1.5, "name": "x", "now": 1},
          "view": "a", "number": 1},
     {"kind": "set", "values": [], "view": "a", "number": 1}, {"kind": "press", "button": "reap"},
     {"kind": "apply", "index": "0"}, {"kind": "apply", "index": 99}, {"kind": ["set"]},
     {"section": "nodes", "kind": "node", "place": -1}, {"section": "head", "kind": "odd"},
     {"kind": "view", "view": 1, "state": "visible"}, {"kind": "view", "view": "a", "state": "odd"}],
    ids=str,
)  # fmt: skip
def test_a_front_end_that_asks_for_nonsense_changes_nothing(content: dict[str, Any], panel: Panel) -> None:
    before = shown(panel, "actions")
    send(panel, **content)
    assert shown(panel, "actions") == before
    assert panel.form.target == Counts(3, 1)


def test_what_is_impossible_cannot_be_sent(panel: Panel, session: Session) -> None:
    set_values(panel, nodes=3000)
    assert "250 dedicated + 1 spot would fit" in reason(panel, "resize")
    (bar,) = (one for one in panel.forecast["bars"] if one["label"] == FAMILY)
    assert (bar["over"], bar["text"]) == (True, "12,000 of 1,000 \N{MIDDLE DOT} 11,000 missing")
    press(panel, "resize")
    assert session.find_running("genomics") is None
    set_values(panel, nodes=5)
    assert reason(panel, "resize") == ""


def test_resize_allocates_the_nodes_and_shows_the_attempt(panel: Panel, session: Session) -> None:
    set_values(panel, nodes=8)
    press(panel, "resize")
    assert reason(panel, "resize") == reason(panel, "delete") == "available when the resize ends"
    assert reason(panel, "stop") == ""
    assert panel.activity["label"].startswith("resize genomics")
    wait_for_verb(session)
    assert session.nodes("genomics", counts=True)["dedicated"].sum() == 8
    assert "complete" in shown(panel, "attempts")
    assert "idle" in panel.activity["message"]
    log = [text for _, text in panel.activity["log"]]
    assert log[0] == "resize genomics --nodes 8 --spot 1"
    assert log[-1] == panel.activity["message"]


def test_work_that_a_cell_began_is_followed(panel: Panel, session: Session) -> None:
    session.resize("genomics", nodes=6, wait=False)
    panel.show_snapshot(panel.snapshot)  # the look that is due
    wait_for_verb(session)
    assert "complete" in shown(panel, "attempts")


def test_removing_nodes_on_a_real_connection_must_be_confirmed(
    panel: Panel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_of(session), "emulator", None)  # as if it were the real one
    panel.show_snapshot(panel.snapshot)
    assert panel.head["connection"] == "AZURE \N{MIDDLE DOT} genomicsbatch \N{MIDDLE DOT} nodes are billed"
    assert panel.head["real"]
    set_values(panel, nodes=1)
    assert panel.size["needs_yes"]
    assert reason(panel, "resize") == "confirm that nodes are removed"
    press(panel, "resize")
    assert session.find_running("genomics") is None
    set_values(panel, yes=True)
    assert panel.actions["line"] == "%batchimg resize genomics --nodes 1 --spot 1 --yes"
    # Whoever moves a control asks for something else, and is asked again.
    set_values(panel, nodes=2)
    assert reason(panel, "resize") == "confirm that nodes are removed"
    set_values(panel, nodes=1, yes=True)
    press(panel, "resize")
    wait_for_verb(session)
    assert session.pools().dedicated[0] == 1
    assert panel.actions["line"] == "%batchimg resize genomics --nodes 1 --spot 1"
    set_values(panel, nodes=2)
    assert not panel.size["needs_yes"]


def test_delete_deletes_the_pool(panel: Panel, session: Session) -> None:
    assert panel.actions["delete"] == "Delete pool genomics and its 4 nodes? Its image is kept."
    press(panel, "delete")
    wait_for_verb(session)
    session.call(lambda azure: azure.sleep(300))
    assert session.pools().empty
    assert panel.head["state"] == "deleted"
    assert panel.forecast["problem"] == ""
    assert all("does not exist any more" in reason(panel, one) for one in ("resize", "stop", "repair", "delete"))


def test_two_panels_on_one_pool_agree(panel: Panel, session: Session) -> None:
    other = session.panel("genomics")
    assert isinstance(other, Panel)
    set_values(panel, nodes=5)
    press(panel, "resize")
    wait_for_verb(session)
    session.wait("genomics")
    session.call(lambda azure: azure.sleep(60))  # both read the pool once more
    for one in (panel, other):
        assert one.form.target == Counts(5, 1)
        assert one.nodes_section.squares.counts() == {"idle": (5, 1)}
    other.close()


def test_an_error_is_shown_as_text(panel: Panel, session: Session) -> None:
    work = session.begin("resize", name="genomics", nodes=6)
    set_values(panel, nodes=9)
    press(panel, "resize")
    problem = panel.activity["problem"]
    assert "is still running" in problem["message"]
    assert "wait until it ends" in problem["hint"]
    work.wait(60)
    session.call(lambda azure: azure.sleep(60))
    assert panel.activity["problem"] == problem  # it stays, whatever else goes on, until the next action
    press(panel, "resize")
    assert not panel.activity["problem"]


def test_a_missing_pool_gets_the_nearest_name(session: Session) -> None:
    with pytest.raises(NotFoundError) as raised:
        session.panel("genomic")
    assert raised.value.hint == "did you mean genomics?"


# -- the estimate ------------------------------------------------------------------------------------------------


def test_an_estimate_answers_and_an_option_can_be_applied(panel: Panel) -> None:
    run_estimate(panel, tasks=1000, minutes=10, deadline="4h")
    state = panel.estimate
    assert state["rows"][0]["cells"][0] == "Standard_D4s_v5"
    assert [one["text"] for one in state["headings"]][2:5] == ["Nodes", "Duration (min)", "Cost (USD)"]
    assert state["rows"][0]["label"] == "Apply 11 spot nodes"
    send(panel, kind="apply", index=0)
    assert panel.form.target == Counts(3, 11)
    assert panel.size["by"] == ["", 0]  # no view's own change: every view shows it


@pytest.mark.parametrize(("deadline", "budget", "said"), [("2m", "", "shorter than a node"), ("", "much", "number")])
def test_an_estimate_reports_invalid_values(panel: Panel, deadline: str, budget: str, said: str) -> None:
    run_estimate(panel, deadline=deadline, budget=budget)
    assert said in shown(panel, "estimate")
    assert not any(row["applicable"] for row in panel.estimate["rows"])


# -- the chooser -------------------------------------------------------------------------------------------------


def test_the_magic_shows_a_panel_or_the_pools_to_choose_from() -> None:
    with ipython(state=":memory:", speed="max") as shell:
        run_cell(shell, "%batchimg create demo --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1")
        panel = run_cell(shell, "%batchimg panel demo")
        assert isinstance(panel, Panel)
        panel.close()
        chooser = run_cell(shell, "%batchimg panel")
        assert isinstance(chooser, PoolChooser)
        (pool,) = chooser.pools
        assert (pool["pool"], pool["nodes"], pool["warnings"]) == ("demo", "1", [])
        assert any(fact.startswith("created 20") for fact in pool["facts"])
        chooser._handle_custom_msg({"kind": "open", "pool": "nothing"}, [])
        assert chooser.open_thread is None
        chooser._handle_custom_msg({"kind": "open", "pool": "demo"}, [])
        assert chooser.open_thread is not None
        chooser.open_thread.join(60)
        assert isinstance(chooser.panel, Panel)
        chooser.close()


# -- the forecast ------------------------------------------------------------------------------------------------

ROOM = QuotaHeadroom(
    4,
    (
        Quota("dedicated cores of the account", dedicated=True, limit=400, used=100),
        Quota("spot cores of the account", dedicated=False, limit=40, used=0),
    ),
)


def situation(**more: Any) -> ForecastInputs:
    return ForecastInputs("Standard_D4s_v5", ROOM, Rates(0.2, 0.04, 0.01), replicas=1, **more)


def test_a_forecast_counts_cores_rounds_minutes_and_money() -> None:
    seen = forecast(situation(), Counts(5, 0), Counts(70, 10))
    assert [(one.name, wanted) for one, wanted in seen.cores] == [
        ("dedicated cores of the account", 280), ("spot cores of the account", 40),
    ]  # fmt: skip
    assert seen.usd_per_hour == pytest.approx(70 * 0.21 + 10 * 0.05)
    assert seen.rounds == 1
    assert seen.blockers == ()
    assert forecast(situation(), Counts(), Counts(700, 0)).rounds == 3


@pytest.mark.parametrize(
    ("more", "target", "timeout_s", "said"),
    [
        ({}, Counts(76, 0), None, "304 cores needed, 300 of 400 free, 4 missing"),
        ({"usd_per_hour_limit": 1.0}, Counts(10, 0), None, "$2.10/h, and the limit of this connection is $1.00/h"),
        ({"usd_per_hour_limit": 3.0, "others_usd_per_hour": 1.0}, Counts(10, 0), None,
         "$3.10/h with all other pools, and the limit of this connection is $3.00/h"),
        ({"usd_per_hour_limit": 3.0, "others_usd_per_hour": None}, Counts(1, 0), None, "price not available"),
        ({}, Counts(1, 0), 120.0, "at least 5 minutes"),
        ({"autoscale": True}, Counts(1, 0), None, "an autoscale formula"),
    ],
)  # fmt: skip
def test_what_is_impossible_is_reported(
    more: dict[str, Any], target: Counts, timeout_s: float | None, said: str
) -> None:
    assert said in "; ".join(forecast(situation(**more), Counts(), target, timeout_s=timeout_s).blockers)
    assert forecast(situation(), Counts(), Counts(1, 0), timeout_s=1800.0).blockers == ()


def test_what_may_go_wrong_is_a_doubt_and_no_refusal() -> None:
    wide = ForecastInputs("Standard_D4s_v5", QuotaHeadroom(4), Rates(), replicas=1)
    seen = forecast(wide, Counts(), Counts(1000, 0), timeout_s=600.0)
    assert seen.blockers == ()
    said = "; ".join(seen.warnings)
    assert "1 of 4 replicas" in said
    assert "a timeout of 10 min is short" in said
    assert "price not available" in said


def test_money_until_expiry() -> None:
    at = dt.datetime(2026, 7, 1, 9, tzinfo=dt.UTC)
    seen = forecast(situation(expires=at + dt.timedelta(hours=8)), Counts(), Counts(10, 0), at=at.timestamp())
    assert seen.usd_until_expiry == pytest.approx(8 * 10 * 0.21)
