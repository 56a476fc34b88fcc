"""The life cycle of the panel: open views, how often Azure is polled, what is read again, and restarts."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import Session
from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.ui.panel.panel import Panel
from tests.support.connections import connection_of, transport_of
from tests.support.faults import set_faults
from tests.support.panels import (
    BrowserView,
    advance_time,
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
from tests.support.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR_S = 3600.0
FAMILY = "Dedicated cores, DSv5 family"


@pytest.fixture
def panel() -> Iterator[Panel]:
    with open_panel(RequestLog) as found:
        yield found


@pytest.fixture
def session(panel: Panel) -> Session:
    return panel.session


def counted(session: Session) -> RequestLog:
    connection: Any = connection_of(session)
    transport: RequestLog = transport_of(connection)
    return transport


def looks(session: Session, seconds: float) -> list[float]:
    """Return when the pool's nodes were asked for while so much time passed."""
    seen = counted(session).requests
    seen.clear()
    advance_time(session, seconds)
    return [one.at for one in seen if one.path.endswith("pools/genomics/nodes")]


# -- who looks on ------------------------------------------------------------------------------------------------


def test_a_steady_pool_is_looked_at_less_and_less_often(session: Session) -> None:
    pauses = [round(b - a) for a, b in pairwise(looks(session, HOUR_S))]
    assert pauses[-5:] == [120] * 5
    assert len(counted(session).requests) < 100  # two requests every thirty seconds would be 240


def test_azure_is_not_polled_after_the_last_view_is_closed(panel: Panel, session: Session) -> None:
    first, second = BrowserView(panel, "first"), BrowserView(panel, "second")
    first.send_state("visible")  # reports again, as the opening of the second one asks for
    first.send_state("closed")
    assert looks(session, HOUR_S)
    second.send_state("closed")
    advance_time(session, 1)  # requests already sent
    assert looks(session, HOUR_S) == []
    assert counted(session).requests == []


def test_a_reloaded_page_starts_the_polling_again(panel: Panel, session: Session) -> None:
    BrowserView(panel, "before").send_state("closed")
    session.resize("genomics", nodes=5)
    assert panel.nodes_section.squares.counts() == {"idle": (3, 1)}
    BrowserView(panel, "after")
    advance_time(session, 1)
    assert panel.nodes_section.squares.counts() == {"idle": (5, 1)}
    assert looks(session, HOUR_S)


def test_views_of_a_page_that_died_are_forgotten(panel: Panel, session: Session) -> None:
    BrowserView(panel, "of a page that could not say that it goes")
    BrowserView(panel, "new").send_state("closed")
    advance_time(session, 1)
    assert looks(session, HOUR_S) == []


def test_work_continues_without_an_open_view(panel: Panel, session: Session) -> None:
    page = BrowserView(panel, "only")
    set_values(panel, nodes=7)
    press(panel, "resize")
    page.send_state("closed")
    wait_for_verb(session)
    assert session.nodes("genomics", counts=True)["dedicated"].sum() == 7
    BrowserView(panel, "again")
    advance_time(session, 1)
    assert panel.nodes_section.squares.counts() == {"idle": (7, 1)}


def test_a_hidden_page_is_served_seldom_and_at_once_when_it_shows_again(panel: Panel, session: Session) -> None:
    page = BrowserView(panel, "only")
    page.send_state("hidden")
    assert {round(b - a) for a, b in pairwise(looks(session, 600))} == {120}
    advance_time(session, 1)
    before = len(counted(session).requests)
    page.send_state("visible")
    advance_time(session, 1)
    assert len(counted(session).requests) > before


def test_a_closed_panel_sends_no_requests(panel: Panel, session: Session) -> None:
    panel.close()
    advance_time(session, 1)
    assert looks(session, HOUR_S) == []


# -- how often, and what is read again ---------------------------------------------------------------------------


def test_every_resize_is_shown_from_its_first_seconds(panel: Panel, session: Session) -> None:
    advance_time(session, HOUR_S)  # the looks are two minutes apart by now
    session.begin("resize", name="genomics", nodes=30)
    advance_time(session, 12)
    assert "resizing" in shown(panel, "head")
    assert panel.form.target == Counts(30, 1)
    assert not reason(panel, "stop")
    wait_for_verb(session)


def test_a_refused_poll_is_shown_and_retried_after_the_given_time(panel: Panel, session: Session) -> None:
    set_faults(session, path="/pools/genomics", status=503, retry_after_s=200, times=2)
    send(panel, kind="refresh")
    advance_time(session, 1)
    seen = counted(session).requests
    seen.clear()
    advance_time(session, 150)
    assert [one for one in seen if "/pools/genomics" in one.url] == []
    advance_time(session, 600)
    assert "of 3" in shown(panel, "head")


def test_a_pool_that_cannot_be_read_for_a_while_is_not_shown_as_deleted(panel: Panel, session: Session) -> None:
    set_faults(session, path="/pools/genomics", status=403, times=None)
    send(panel, kind="refresh")
    advance_time(session, 1)
    assert "last poll failed" in shown(panel, "head")
    assert "of 3" in shown(panel, "head")
    set_faults(session)
    advance_time(session, HOUR_S)
    assert "last poll failed" not in shown(panel, "head")


def test_what_other_pools_hold_is_read_again_after_ten_minutes(panel: Panel, session: Session) -> None:
    assert forecast_rows(panel)[FAMILY] == "12 of 1,000 \N{MIDDLE DOT} 988 free"
    other = session.create("other", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=50, canary=False)
    assert len(other)
    advance_time(session, 601)
    assert forecast_rows(panel)[FAMILY] == "212 of 1,000 \N{MIDDLE DOT} 788 free"


def test_refresh_reads_it_at_once(panel: Panel, session: Session) -> None:
    session.create("other", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=0)
    advance_time(session, 601)
    session.resize("other", nodes=100)
    send(panel, kind="refresh")
    advance_time(session, 1)
    assert forecast_rows(panel)[FAMILY] == "412 of 1,000 \N{MIDDLE DOT} 588 free"


def test_the_end_of_a_resize_reads_it_too(panel: Panel, session: Session) -> None:
    read = panel.context_read_at
    set_values(panel, nodes=6)
    press(panel, "resize")
    wait_for_verb(session)
    advance_time(session, 1)
    assert panel.context_read_at > read + 30


def test_a_failed_refresh_is_shown_and_the_forecast_is_kept(panel: Panel, session: Session) -> None:
    set_faults(session, path="providers/Microsoft.Batch", status=403, times=None)
    send(panel, kind="refresh")
    advance_time(session, 1)
    assert "could not be read again" in shown(panel, "forecast")
    assert forecast_rows(panel)[FAMILY] == "12 of 1,000 \N{MIDDLE DOT} 988 free"


# -- what outlasts what ------------------------------------------------------------------------------------------


def test_a_restarted_kernel_finds_the_running_resize(tmp_path: Path) -> None:
    world = str(tmp_path / "world.db")
    with Session() as first:
        first.connect(state=world, speed="max")
        first.create("genomics", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=2)
        first.begin("resize", name="genomics", nodes=40)
        advance_time(first, 5)
    with Session() as second:
        second.connect(state=world, speed="max")
        panel = second.panel("genomics")
        assert isinstance(panel, Panel)
        assert "resizing" in shown(panel, "head")
        assert panel.form.target == Counts(40, 0)
        assert not reason(panel, "stop")
        assert "%batchimg resize genomics --nodes 40 --spot 0" in shown(panel, "activity")
        press(panel, "stop")
        wait_for_verb(second)
        advance_time(second, 300)
        assert "steady" in shown(panel, "head")
        panel.close()


def test_a_panel_acts_on_no_other_connection_than_its_own(panel: Panel, session: Session) -> None:
    session.connect(state=":memory:", speed="max")
    session.create("genomics", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=1)
    set_values(panel, nodes=9)
    press(panel, "resize")
    assert "the connection of this panel is closed" in shown(panel, "activity")
    run_estimate(panel)
    assert "the connection of this panel is closed" in shown(panel, "estimate")
    late = BrowserView(panel, "late")
    late.send_state("hidden")
    late.send_state("visible")
    assert session.find_running("genomics") is None
    assert session.nodes("genomics", counts=True)["dedicated"].sum() == 1


def test_a_deleted_pool_takes_no_resize_and_a_new_pool_of_its_name_does(panel: Panel, session: Session) -> None:
    session.delete("genomics")
    advance_time(session, 300)
    assert "deleted" in shown(panel, "head")
    set_values(panel, nodes=9)
    assert reason(panel, "resize")
    assert "does not exist any more" in reason(panel, "resize")
    session.create("genomics", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=2)
    advance_time(session, 300)
    assert not reason(panel, "resize")
    assert "of 2" in shown(panel, "head")


def test_a_value_typed_during_a_resize_is_kept(panel: Panel, session: Session) -> None:
    set_values(panel, nodes=8)
    press(panel, "resize")
    set_values(panel, nodes=20)
    wait_for_verb(session)
    advance_time(session, 300)
    assert panel.form.target == Counts(20, 1)


def test_the_cost_so_far_is_that_of_the_nodes_and_outlasts_the_panel(panel: Panel, session: Session) -> None:
    advance_time(session, 10 * HOUR_S)
    again = session.panel("genomics")
    assert isinstance(again, Panel)
    rate = panel.context.rates.cost(3, 1)
    assert rate is not None
    assert panel.usd_so_far == pytest.approx(again.usd_so_far, rel=0.01)
    assert again.usd_so_far == pytest.approx(10 * rate, rel=0.03)
    assert "so far" in shown(again, "head")
    again.close()
