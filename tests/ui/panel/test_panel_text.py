"""The texts of the panel: the right text in the right place, no HTML from the service, the same in exports."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter

from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch.node_pages import NodeStatus
from batchimg_magics.core.batch.quotas import Quota, QuotaHeadroom
from batchimg_magics.core.estimates.prices import Rates
from batchimg_magics.core.scaling.context import ImageSummary
from batchimg_magics.ui.panel import head
from batchimg_magics.ui.panel.chooser import PoolChooser
from batchimg_magics.ui.panel.form import DRAIN_LABELS, ResizeForm
from tests.support.panels import (
    HTML_INJECTION,
    BrowserView,
    advance_time,
    forecast_rows,
    open_panel,
    press,
    reason,
    set_values,
    shown,
    wait_for_verb,
)
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.core.estimates.forecast import ForecastInputs
    from batchimg_magics.ui.panel.panel import Panel


@pytest.fixture(scope="module")
def panel() -> Iterator[Panel]:
    with open_panel() as found:
        yield found


class Tags(HTMLParser):
    """The tags and attributes of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(name for name, _ in attrs)}


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
        wait_for_verb(panel.session)  # what was read before the view was closed is shown by now
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
        panel.show_refresh_error(HTML_INJECTION)
        row = {
            "vm_size": HTML_INJECTION,
            "kind": HTML_INJECTION,
            "nodes": 3,
            "usd": None,
            "limit": HTML_INJECTION,
            "fits": False,
        }
        panel.estimate_section.show_answer(answer_of(table("estimate", **row)))
        # JSON that scripts show as text; and the static form, which is HTML.
        assert sum(HTML_INJECTION in shown(panel, part) for part in ("head", "forecast", "attempts", "estimate")) == 4
        html = panel.static_html()
        assert html.count(HTML_INJECTION.replace("<", "&lt;").replace(">", "&gt;")) >= 4
        assert not Tags(html).found & {"onerror", "script"}, html
        assert re.findall(r"<img [a-z]+=.{16}", html) == ['<img src="data:image/png;']  # the map as a picture
    for script in resources.files("batchimg_magics.ui.widgets").iterdir():
        if script.name.endswith(".js"):
            source = script.read_text(encoding="utf-8")
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|https?://(?!www\.w3\.org/2000/svg)", source)


def answer_of(table: Table) -> Any:
    return SimpleNamespace(result=lambda: table)


def test_a_pool_s_name_never_becomes_html_in_the_chooser() -> None:
    rows = [{"pool": HTML_INJECTION, "vm_size": HTML_INJECTION, "dedicated": 1, "spot": 0, "errors": HTML_INJECTION}]
    session: Any = SimpleNamespace(run_table=lambda _: SimpleNamespace(rows=lambda: rows), connection=None)
    chooser = PoolChooser(session)
    assert "img" not in Tags(chooser.static_html()).found
    assert HTML_INJECTION in chooser.static_text()


# -- the head ----------------------------------------------------------------------------------------------------


def facts_of(panel: Panel, context: ForecastInputs, usd: float | None) -> dict[str, dict[str, Any]]:
    state = head.head_state("genomics", None, panel.snapshot, context, usd)
    return {one["key"]: one for one in state["facts"]}


def test_the_head_has_cost_and_expiry(panel: Panel) -> None:
    assert panel.snapshot is not None
    at = dt.datetime.fromtimestamp(panel.snapshot.at, dt.UTC)
    expires = at + dt.timedelta(hours=7, minutes=12)
    facts = facts_of(panel, replace(panel.context, expires=expires), 1234.5)
    assert facts["usd"]["value"] == "$1,234.50"
    assert facts["rate"]["value"].startswith("$")
    assert (facts["expires"]["value"], facts["expires"]["loud"]) == ("expires in 7 h 12 min", False)
    assert facts["expires"]["title"] == f"{expires:%Y-%m-%d %H:%M}Z"
    soon = facts_of(panel, replace(panel.context, expires=at + dt.timedelta(minutes=5)), 0.0)
    assert soon["expires"]["loud"]
    loose = facts_of(panel, replace(panel.context, expires=expires, expiry_enforced=False), 0.0)
    assert loose["expires"]["unit"] == "expiry is not enforced by Azure now"


@pytest.mark.parametrize(
    ("days", "said", "tone"),
    [(400, "node agent support ends", ""), (30, "node agent support ends", "warn"), (-3, "support ended", "warn")],
)
def test_the_image_tile_tells_how_old_it_is_and_until_when_its_agent_is_supported(
    panel: Panel, days: int, said: str, tone: str
) -> None:
    assert panel.snapshot is not None
    at = dt.datetime.fromtimestamp(panel.snapshot.at, dt.UTC)
    image = ImageSummary("gallery/genomics/1.0.0", at - dt.timedelta(days=3), 1, (at + dt.timedelta(days=days)).date())
    tile = head.tile_states(panel.snapshot, image)[-1]
    assert (tile["value"], tile["tone"]) == ("1.0.0", tone)
    assert "created 3 days ago" in tile["label"]
    assert said in tile["label"]


def test_an_unknown_price_is_not_shown_as_zero(panel: Panel) -> None:
    unknown = replace(panel.context, rates=Rates())
    facts = facts_of(panel, unknown, None)
    assert facts["rate"]["value"] == facts["usd"]["value"] == "not available"
    known, image = panel.context, panel.image
    panel.show_context(unknown, image, 0.0)
    assert forecast_rows(panel)["Cost"] == "not available"
    assert "price not available" in panel.forecast["warnings"]
    panel.show_context(known, image, 0.0)
    row = {"vm_size": "a", "kind": "spot", "nodes": 3, "usd": None, "fits": True}
    panel.estimate_section.show_answer(answer_of(table("estimate", **row)))
    assert "not available" in shown(panel, "estimate")


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
    assert panel.snapshot is not None
    expires = dt.datetime.fromtimestamp(panel.snapshot.at + 7200, dt.UTC)
    before, image = panel.context, panel.image
    context = replace(
        before, headroom=room, rates=Rates(0.2, 0.04, 0.01), usd_per_hour_limit=500.0, others_usd_per_hour=20.0,
        expires=expires,
    )  # fmt: skip
    panel.show_context(context, image, 0.0)
    set_values(panel, nodes=1000, spot=11)
    rows = forecast_rows(panel)
    assert rows["Dedicated cores of the account"] == "4,100 of 8,000 \N{MIDDLE DOT} 3,900 free"
    assert rows["Dedicated cores of the family"] == "4,000 of 6,000 \N{MIDDLE DOT} 2,000 free"
    assert rows["Spot cores of the account"] == "44 of 40 \N{MIDDLE DOT} 4 missing"
    assert rows["Money, all pools"] == "$230.55 of $500.00 an hour"
    assert rows["Replicas of the image"] == "1 of 4 needed"
    assert rows["Ready in"].endswith(", 4 attempts")
    assert rows["Cost"] == "$210.55 an hour with disks (limit $500.00 for all pools)"
    assert rows["Cost until it expires"] == "$421.10"
    kinds = [[part["kind"] for part in one["parts"]] for one in panel.forecast["bars"]]
    assert kinds == [["now", "more"], ["other", "now", "more"], ["now", "more"], ["other", "now", "more"]]
    assert panel.size["form"]["recommended_timeout"] == 20
    set_values(panel, nodes=2000)
    assert panel.size["form"]["recommended_timeout"] == 30
    assert "spot cores of the account: 44 cores needed" in reason(panel, "resize")
    panel.show_context(before, image, 0.0)


def test_a_timeout_is_one_s_own_until_it_is_the_recommended_one_again() -> None:
    form = ResizeForm(nodes=10)
    form.update({"timeout": 90})
    assert form.options["timeout"] == "90m"
    form.update({"timeout": 20})
    assert "timeout" not in form.options


def test_the_node_deallocation_option_is_azure_s_and_counts_where_one_kind_shrinks() -> None:
    form = ResizeForm(now=Counts(10, 0))
    assert list(DRAIN_LABELS) == ["requeue", "terminate", "taskcompletion", "retaineddata"]
    form.update({"drain": "taskcompletion", "nodes": 5, "spot": 20})  # more nodes altogether
    assert form.options["drain"] == "taskcompletion"
    form.update({"nodes": 10})
    assert "drain" not in form.options


# -- rounds ------------------------------------------------------------------------------------------------------


def test_a_stopped_resize_is_shown_in_the_table_of_attempts() -> None:
    with open_panel() as panel:
        set_values(panel, nodes=200)
        press(panel, "resize")
        advance_time(panel.session, 30)
        assert panel.activity["label"].startswith("resize genomics")  # progress while it goes on
        press(panel, "stop")
        wait_for_verb(panel.session)
        advance_time(panel.session, 60)
        (group,) = panel.attempts["groups"]
        row = next(one for one in group["rows"] if one[1] == "stopped")
        assert row[2].startswith("somebody stopped the resize; ")
        assert row[3].endswith(" of 200")


# -- without widgets ---------------------------------------------------------------------------------------------

CELLS = (
    "%load_ext batchimg_magics\n%batchimg connect --state :memory: --speed max",
    "%batchimg create demo --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 4 --spot 1",
    "%batchimg panel demo",
)


def test_an_exported_notebook_shows_the_static_panel_with_and_without_stored_widgets() -> None:
    later = ("%batchimg resize demo --nodes 6", "%batchimg wait demo", "%batchimg nodes demo")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (*CELLS, *later)])
    NotebookClient(notebook, timeout=120).execute()
    assert notebook.metadata.widgets  # as nbconvert and papermill store them: their scripts are on a CDN
    notebook.cells = notebook.cells[len(CELLS) - 1 : len(CELLS)]
    widget, static = notebook.cells[0].outputs
    (model,) = re.findall(r'class="batchimg-static-(\w+)"', static.data["text/html"])
    assert widget.data["application/vnd.jupyter.widget-view+json"]["model_id"] == model
    for part in ("demo: steady", "dedicated nodes 6 of 6", "nodes: idle 7 (1 spot)", "resize demo --nodes 6"):
        assert part in static.data["text/plain"]
    for exporter in (HTMLExporter, MarkdownExporter):
        exported, _ = exporter().from_notebook_node(notebook)
        for part in (
            ">LOCAL \N{MIDDLE DOT} emulator", "</b> of 6<br", "idle <b>7</b> (1 spot)", "one node first</td>",
            ">%batchimg resize demo --nodes 6",
        ):  # fmt: skip
            assert exported.count(part) == 1, part


def test_a_terminal_gets_text(capsys: pytest.CaptureFixture[str]) -> None:
    with ipython(state=":memory:", speed="max") as shell:
        run_cell(shell, "%batchimg panel")
        assert "No pools. Create one with `%batchimg create`." in capsys.readouterr().out
        run_cell(shell, "%batchimg create demo --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1")
        capsys.readouterr()
        run_cell(shell, "%batchimg panel demo")
        said = capsys.readouterr().out
        assert "\ndemo: steady \N{MIDDLE DOT} LOCAL" in said
        assert "Panel(" not in said
        assert "\x1b" not in said
        run_cell(shell, "%batchimg panel")
        assert "  demo: nodes 1, steady" in capsys.readouterr().out
