"""The parts of the panel, without a browser: what each control does, what cannot be sent, what is shown."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import ipywidgets
import pytest

from batchimg_magics import NotFoundError, Session
from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.batch.quotas import Quota, QuotaHeadroom
from batchimg_magics.core.estimates.forecast import ForecastInputs, forecast
from batchimg_magics.core.estimates.prices import Rates
from batchimg_magics.ui.panel.chooser import PoolChooser
from batchimg_magics.ui.panel.panel import Panel
from batchimg_magics.ui.panel.static_html import node_map_svg, panel_html
from batchimg_magics.ui.widgets.slider import Slider
from tests.support.concurrent_client import ConcurrentClient
from tests.support.connections import connection_of, emulator_of
from tests.support.panels import HTML_INJECTION, open_panel, run_estimate, wait_for_verb
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def panel() -> Iterator[Panel]:
    with open_panel() as found:
        yield found


@pytest.fixture
def session(panel: Panel) -> Session:
    return panel.session


# -- what it shows -----------------------------------------------------------------------------------------------


def test_the_head_shows_the_pool_and_that_it_is_on_the_emulator(panel: Panel) -> None:
    said = panel.head.value
    for part in ("LOCAL: emulator", "genomics/1.0.0", "steady", "3 of 3", "1 of 1", "/h"):
        assert part in said


def test_controls_begin_at_the_pool_s_target(panel: Panel) -> None:
    assert panel.size_tab.target == Counts(3, 1)
    assert panel.copy_line.line == "%batchimg resize genomics --nodes 3 --spot 1"
    assert "4 vCPUs, 16 GiB" in panel.size_tab.vm_size_html.value
    assert panel.size_tab.stop.disabled
    assert panel.size_tab.repair.disabled


def test_every_control_has_a_name_for_a_screen_reader(panel: Panel) -> None:
    def walk(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
        yield widget
        for child in getattr(widget, "children", ()):
            yield from walk(child)

    kinds = (
        Slider,
        ipywidgets.BoundedIntText,
        ipywidgets.Button,
        ipywidgets.Checkbox,
        ipywidgets.Dropdown,
    )
    controls = [one for one in walk(panel) if isinstance(one, kinds)]
    assert len(controls) > 12
    assert all(one.name if isinstance(one, Slider) else one.description for one in controls)


def test_the_map_has_a_square_for_each_node(panel: Panel) -> None:
    assert panel.map.squares.counts() == {"idle": (3, 1)}


# -- controls ----------------------------------------------------------------------------------------------------


def test_slider_and_field_always_have_the_same_value(panel: Panel) -> None:
    panel.size_tab.nodes.value = 40
    assert panel.size_tab.nodes_field.value == 40
    panel.size_tab.nodes_field.value = 1234
    assert panel.size_tab.nodes.value == 1234


def test_moving_a_control_changes_forecast_and_line_and_sends_nothing(panel: Panel, session: Session) -> None:
    before = panel.size_tab.forecast_html.value
    panel.size_tab.nodes.value = 50
    assert panel.size_tab.forecast_html.value != before
    assert "needs 200 of 1,000 available cores" in panel.size_tab.forecast_html.value
    assert panel.copy_line.line == "%batchimg resize genomics --nodes 50 --spot 1"
    assert session.pools().set_index("pool").loc["genomics", "dedicated_target"] == 3


def test_the_line_has_the_value_of_every_control(panel: Panel) -> None:
    panel.size_tab.nodes.value = 2
    panel.size_tab.timeout.value = 45
    panel.size_tab.repair_bad.value = True
    panel.size_tab.canary.value = True
    panel.size_tab.drain.value = "taskcompletion"
    line = panel.copy_line.line
    assert line.startswith("%batchimg resize genomics --nodes 2 --spot 1 --timeout 45m")
    for option in ("--repair", "--canary", "--drain taskcompletion"):
        assert option in line


def test_zero_is_part_of_the_line(panel: Panel) -> None:
    panel.size_tab.nodes.value = panel.size_tab.spot.value = 0
    assert panel.copy_line.line == "%batchimg resize genomics --nodes 0 --spot 0"


def test_what_is_impossible_cannot_be_sent(panel: Panel, session: Session) -> None:
    panel.size_tab.nodes_field.value = 3000
    assert panel.size_tab.resize.disabled
    assert "250 dedicated + 1 spot would fit" in panel.size_tab.blocked_html.value
    panel.resize()
    assert session.find_running("genomics") is None
    panel.size_tab.nodes_field.value = 5
    assert not panel.size_tab.resize.disabled
    assert panel.size_tab.blocked_html.value == ""


def test_resize_allocates_the_nodes_and_shows_the_attempt(panel: Panel, session: Session) -> None:
    panel.size_tab.nodes.value = 8
    panel.size_tab.resize.click()
    wait_for_verb(session)
    assert session.nodes("genomics", counts=True)["dedicated"].sum() == 8
    assert ">done<" in panel.rounds.value
    assert "idle" in panel.progress.value


def test_work_that_a_cell_began_is_followed(panel: Panel, session: Session) -> None:
    session.resize("genomics", nodes=6, wait=False)
    panel.show_snapshot(panel.snapshot)  # the look that is due
    wait_for_verb(session)
    assert ">done<" in panel.rounds.value


def test_ending_tasks_on_a_real_connection_takes_a_second_press(
    panel: Panel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = emulator_of(session)
    other_client = ConcurrentClient(local)
    other_client.ask("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "genomics"}})
    for number in range(4):
        other_client.ask("POST", "/jobs/j/tasks", {"id": f"t{number}", "commandLine": "sleep 72000"})
    monkeypatch.setattr(connection_of(session), "emulator", None)  # as if it were the real one
    panel.size_tab.nodes.value = 1
    panel.size_tab.resize.click()
    wait_for_verb(session)
    assert "nodes that run tasks: 4; tasks on removed nodes end" in panel.progress.value
    assert panel.confirm_button.layout.display == ""
    assert panel.copy_line.line == "%batchimg resize genomics --nodes 1 --spot 1 --yes"
    assert session.pools().dedicated[0] == 3
    # Whoever moves a control asks for something else, and is asked again.
    panel.size_tab.nodes.value = 2
    assert panel.confirm_button.layout.display == "none"
    panel.size_tab.nodes.value = 1
    panel.confirm_button.click()
    wait_for_verb(session)
    assert session.pools().dedicated[0] == 1
    assert panel.confirm_button.layout.display == "none"
    assert panel.copy_line.line == "%batchimg resize genomics --nodes 1 --spot 1"


def test_two_panels_on_one_pool_agree(panel: Panel, session: Session) -> None:
    other = session.panel("genomics")
    assert isinstance(other, Panel)
    panel.size_tab.nodes.value = 5
    panel.size_tab.resize.click()
    wait_for_verb(session)
    session.wait("genomics")
    for one in (panel, other):
        assert one.size_tab.target == Counts(5, 1)
        assert one.map.squares.counts() == {"idle": (5, 1)}
    other.close()


def test_an_error_is_shown_beside_the_button(panel: Panel, session: Session) -> None:
    work = session.begin("resize", name="genomics", nodes=6)
    panel.size_tab.nodes.value = 9
    panel.size_tab.resize.click()
    assert "role='alert'" in panel.progress.value
    assert "is still running" in panel.progress.value
    work.wait(60)


def test_a_missing_pool_gets_the_nearest_name(session: Session) -> None:
    with pytest.raises(NotFoundError) as raised:
        session.panel("genomic")
    assert raised.value.hint == "did you mean genomics?"


# -- the estimate tab --------------------------------------------------------------------------------------------


def test_the_second_tab_answers_and_a_row_can_be_taken_over(panel: Panel) -> None:
    panel.estimate_tab.tasks.value, panel.estimate_tab.minutes.value, panel.estimate_tab.deadline.value = 1000, 10, "4h"
    run_estimate(panel)
    assert "Standard_D4s_v5" in panel.estimate_tab.answer.value
    assert panel.estimate_tab.rows.options
    panel.estimate_tab.apply_button.click()
    assert panel.tabs.selected_index == 0
    assert panel.size_tab.target == Counts(3, 11)


@pytest.mark.parametrize(("deadline", "budget", "said"), [("2m", "", "shorter than a node"), ("", "much", "number")])
def test_the_second_tab_reports_invalid_values(panel: Panel, deadline: str, budget: str, said: str) -> None:
    panel.estimate_tab.deadline.value, panel.estimate_tab.budget.value = deadline, budget
    run_estimate(panel)
    assert said in panel.estimate_tab.answer.value
    assert panel.estimate_tab.apply_button.disabled


# -- without widgets ---------------------------------------------------------------------------------------------


def test_one_output_has_widget_and_html(panel: Panel) -> None:
    bundle: Any = panel._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "LOCAL genomics" in data["text/html"]
    assert data["text/html"].count("<rect") == 3  # nodes of one state and kind in a row are one
    assert "idle, spot" in data["text/html"]
    assert "%batchimg resize genomics" in data["text/html"]


def test_a_map_of_100_000_nodes_stays_small() -> None:
    drawn = node_map_svg([("idle", True)] * 60_000 + [("creating", False)] * 40_000)
    assert len(drawn) < 20_000
    assert "One square represents 17 nodes" in drawn


def test_text_from_the_service_is_escaped_everywhere(panel: Panel) -> None:
    assert HTML_INJECTION not in panel_html(
        [(HTML_INJECTION, HTML_INJECTION)], [(HTML_INJECTION, True)], {HTML_INJECTION: (1, 0)}, line=HTML_INJECTION
    )
    panel.name = HTML_INJECTION
    panel.show_snapshot(panel.snapshot)
    assert HTML_INJECTION not in panel.head.value


def test_the_magic_shows_a_panel_or_the_pools_to_choose_from() -> None:
    with ipython(state=":memory:", speed="max") as shell:
        run_cell(shell, "%batchimg create demo --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1")
        panel = run_cell(shell, "%batchimg panel demo")
        assert isinstance(panel, Panel)
        panel.close()
        chooser = run_cell(shell, "%batchimg panel")
        assert isinstance(chooser, PoolChooser)
        chooser.choose.click()
        chooser.open_thread.join(60)
        (below,) = chooser.below.children
        assert isinstance(below, Panel)
        below.close()


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
