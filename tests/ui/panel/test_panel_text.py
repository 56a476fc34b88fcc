"""The texts of the panel: the right text in the right place, no HTML from the service, the same in exports."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import ipywidgets
import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter

from batchimg_magics import BatchImgError
from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch.node_pages import NodeStatus
from batchimg_magics.core.batch.quotas import Quota, QuotaHeadroom
from batchimg_magics.core.estimates.prices import Rates
from batchimg_magics.ui.panel import head, rounds
from batchimg_magics.ui.panel.chooser import PoolChooser
from batchimg_magics.ui.panel.panel import Panel
from batchimg_magics.ui.panel.static_html import error_html
from tests.support.panels import HTML_INJECTION, BrowserView, advance_time, open_panel, wait_for_verb
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.ui.panel.panel import Panel


@pytest.fixture(scope="module")
def panel() -> Iterator[Panel]:
    with open_panel() as found:
        yield found


def walk(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


class Tags(HTMLParser):
    """The tags and attributes of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(name for name, _ in attrs)}


def html_of(widget: Panel | PoolChooser) -> str:
    """Return the HTML that a front end without widgets shows."""
    bundle: Any = widget._repr_mimebundle_()
    html: str = (bundle[0] if isinstance(bundle, tuple) else bundle)["text/html"]
    return html


def table(verb: str, **values: Any) -> Table:
    """Return a table of one row."""
    return Table.from_rows(verb, [values], HTML_INJECTION)


# -- nothing of the service's becomes HTML -----------------------------------------------------------------------


def test_text_from_the_service_never_becomes_html() -> None:
    with open_panel() as panel:
        sight, read = panel.snapshot, panel.context
        assert sight is not None
        assert sight.pool is not None
        BrowserView(panel, "closed").send_state("closed")
        assert not panel.is_watching
        panel.name = HTML_INJECTION
        room = QuotaHeadroom(
            4,
            (
                Quota(HTML_INJECTION, dedicated=True, limit=1, used=0),
                Quota(HTML_INJECTION, dedicated=False, limit=1, used=0),
            ),
        )
        panel.show_context(
            replace(read, vm_size=HTML_INJECTION, headroom=room), replace(panel.image, name=HTML_INJECTION), 0.0
        )
        panel.show_snapshot(
            replace(
                sight,
                pool=replace(sight.pool, allocation="resizing", name=HTML_INJECTION),
                nodes=(NodeStatus(HTML_INJECTION, HTML_INJECTION), NodeStatus("b", "idle", is_dedicated=False)),
                rounds=table(
                    "history",
                    **{"round": 1, "class": HTML_INJECTION, "message": HTML_INJECTION, "action": HTML_INJECTION},
                ),
                problem=HTML_INJECTION,
            )
        )
        panel.size_tab.show_refresh_error(HTML_INJECTION)
        row = {
            "vm_size": HTML_INJECTION,
            "kind": HTML_INJECTION,
            "nodes": 3,
            "usd": None,
            "limit": HTML_INJECTION,
            "fits": False,
        }
        answer = SimpleNamespace(result=lambda: table("estimate", **row))
        panel.estimate_tab.show_answer(answer)
        said = [one.value for one in walk(panel) if isinstance(one, ipywidgets.HTML)]
        said += [html_of(panel), error_html(BatchImgError(HTML_INJECTION, hint=HTML_INJECTION))]
        assert sum(HTML_INJECTION.replace("<", "&lt;").replace(">", "&gt;") in one for one in said) >= 8
        for one in said:
            assert not Tags(one).found & {"img", "onerror", "script"}, one


def test_a_pool_s_name_never_becomes_html_in_the_chooser() -> None:
    rows = [{"pool": HTML_INJECTION, "vm_size": HTML_INJECTION, "dedicated": 1, "spot": 0}]
    session: Any = SimpleNamespace(run=lambda _: SimpleNamespace(rows=lambda: rows))
    assert "img" not in Tags(html_of(PoolChooser(session))).found


# -- the head ----------------------------------------------------------------------------------------------------


def test_the_head_has_all_that_one_has_to_know(panel: Panel) -> None:
    expires = dt.datetime(2026, 7, 2, 9, 30, tzinfo=dt.UTC)
    response = dict(head.pool_facts(panel.snapshot, replace(panel.context, expires=expires), panel.image, 1234.5))
    assert response["image"] == "genomics/1.0.0"
    assert response["age"] == "0 days"
    assert (response["pool"], response["allocation"]) == ("active", "steady")
    assert (response["dedicated"], response["spot"]) == ("3 of 3", "1 of 1")
    assert response["cost"].endswith("/h")
    assert response["cost so far"] == "$1,234.50"
    assert response["expires"] == "2026-07-02 09:30Z"


def test_a_real_connection_is_marked_as_unmistakably_as_a_local_one() -> None:
    assert 'badge local">LOCAL: emulator' in head.head_html("LOCAL", "p", [])
    assert 'badge real">AZURE · labbatch: nodes are billed' in head.head_html("AZURE · labbatch", "p", [])


def test_an_unknown_price_is_not_shown_as_zero(panel: Panel) -> None:
    unknown = replace(panel.context, rates=Rates())
    response = dict(head.pool_facts(panel.snapshot, unknown, panel.image, None))
    assert response["cost"] == response["cost so far"] == "not available"
    panel.size_tab.update_inputs(unknown, Counts(3, 1), 0.0)
    assert "<td>not available</td>" in panel.size_tab.forecast_html.value
    assert "price not available" in panel.size_tab.forecast_html.value
    row = {"vm_size": "a", "kind": "spot", "nodes": 3, "usd": None, "fits": True}
    panel.estimate_tab.show_answer(SimpleNamespace(result=lambda: table("estimate", **row)))
    assert ">not available<" in panel.estimate_tab.answer.value


# -- the forecast, and what is asked for -------------------------------------------------------------------------


def test_the_forecast_shows_every_line_before_anything_is_sent(panel: Panel) -> None:
    room = QuotaHeadroom(
        4,
        (
            Quota("dedicated cores of the account", dedicated=True, limit=8000, used=100),
            Quota("dedicated cores of the family", dedicated=True, limit=6000, used=0),
            Quota("spot cores of the account", dedicated=False, limit=40, used=0),
        ),
    )
    expires = dt.datetime.fromtimestamp(7200, dt.UTC)
    panel.size_tab.update_inputs(
        replace(panel.context, headroom=room, rates=Rates(0.2, 0.04, 0.01), usd_per_hour_limit=500.0, expires=expires),
        Counts(3, 1), 0.0,
    )  # fmt: skip
    panel.size_tab.nodes_field.value, panel.size_tab.spot_field.value = 1000, 11
    said = panel.size_tab.forecast_html.value
    for line in (
        "dedicated cores of the account: needs 4,000 of 7,900 available cores",
        "dedicated cores of the family: needs 4,000 of 6,000 available cores",
        'spot cores of the account: <span class="over">needs 44 of 40 available cores</span>',
        ">1/4<",
        "in about 4 resize attempts", "about 19 min", "$210.55/h incl. disks (limit $500.00/h)", "$421.10",
    ):  # fmt: skip
        assert line in said
    assert panel.size_tab.timeout.value == 20
    assert "15 per 1,000 nodes" in panel.size_tab.timeout_note.value
    panel.size_tab.nodes_field.value = 2000
    assert panel.size_tab.timeout.value == 30
    assert "spot cores of the account: 44 cores needed" in panel.size_tab.blocked_html.value


def test_a_timeout_is_one_s_own_until_it_is_the_proposed_one_again(panel: Panel) -> None:
    panel.size_tab.nodes_field.value = 10
    panel.size_tab.timeout.value = 90
    assert panel.size_tab.options["timeout"] == "90m"
    panel.size_tab.timeout.value = 20
    assert "timeout" not in panel.size_tab.options


def test_the_node_deallocation_option_is_azure_s_and_counts_where_one_kind_shrinks(panel: Panel) -> None:
    words = [azure for _, azure in panel.size_tab.drain.options]
    assert words == ["requeue", "terminate", "taskcompletion", "retaineddata"]
    assert all(said.startswith(f"{azure}: ") for said, azure in panel.size_tab.drain.options)
    panel.size_tab.drain.value = "taskcompletion"
    panel.size_tab.update_inputs(None, Counts(10, 0), 0.0)
    panel.size_tab.nodes_field.value, panel.size_tab.spot_field.value = 5, 20  # more nodes altogether
    assert panel.size_tab.options["drain"] == "taskcompletion"
    panel.size_tab.nodes_field.value = 10
    assert "drain" not in panel.size_tab.options


# -- rounds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"class": "done", "action": "done"}, "-"),
        ({"class": "done", "action": "one node first: done"}, "one node first: done"),
        ({"class": "quota", "message": "The account is full", "action": "took what fits"},
         "a quota or a limit is reached; The account is full; took what fits"),
        ({"class": "partial", "message": "Timed out", "action": "retry"},
         "fewer nodes were allocated than requested; Timed out; retry"),
    ],
)  # fmt: skip
def test_a_resize_attempt_shows_its_cause_in_plain_words(row: dict[str, Any], said: str) -> None:
    assert rounds.outcome_text(row) == said


def test_a_stopped_resize_is_shown_in_the_table_of_attempts() -> None:
    with open_panel() as panel:
        panel.size_tab.nodes.value = 200
        panel.size_tab.resize.click()
        advance_time(panel.session, 30)
        assert "resize genomics" in panel.progress.value  # progress while it goes on
        panel.size_tab.stop.click()
        wait_for_verb(panel.session)
        advance_time(panel.session, 60)
        assert "<td>stopped</td><td>somebody stopped the resize; " in panel.rounds.value
        assert " of 200</td>" in panel.rounds.value


# -- without widgets ---------------------------------------------------------------------------------------------

CELLS = (
    "%load_ext batchimg_magics\n%batchimg connect --state :memory: --speed max",
    "%batchimg create demo --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 4 --spot 1",
    "%batchimg panel demo",
)


def test_an_exported_notebook_shows_counts_map_and_rounds() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=120, store_widget_state=False).execute()
    notebook.cells = notebook.cells[-1:]
    for exporter in (HTMLExporter, MarkdownExporter):
        exported, _ = exporter().from_notebook_node(notebook)
        for part in (
            "LOCAL demo",
            "<svg",
            "idle <b>5</b> (1 spot)",
            "4 of 4",
            "one node first",
            "resize demo --nodes 4",
        ):
            assert part in exported


def test_panel_without_a_name_reports_that_there_is_no_pool() -> None:
    with ipython(state=":memory:", speed="max") as shell:
        chooser = run_cell(shell, "%batchimg panel")
        assert isinstance(chooser, PoolChooser)
        assert chooser.choose.disabled
        assert "create" in chooser.below.children[0].value
