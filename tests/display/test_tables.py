"""Tables as text and as HTML, and the display of a DataFrame."""

from __future__ import annotations

import datetime as dt
import gc
import re
import weakref
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.base.views import VIEWS, column_order
from batchimg_magics.display.cells import split_code
from batchimg_magics.display.dataframe import MAX_SHOWN_ROWS, attach_display, mime_bundle
from batchimg_magics.display.layout import shorten
from batchimg_magics.display.summary import summary_bundle
from batchimg_magics.display.tables import add_label, format_cell, render_html, render_terminal, render_text
from batchimg_magics.masking import make_visible
from batchimg_magics.session.frames import to_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/lab/images/genomics/versions/1.0.0"
NODE = f"tvmps_{'ab12' * 16}_d"
ERROR = "FailureExitCode: the start task exited with 3, since the package index could not be reached from the node"
COMMAND = "%batchimg create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 120"
DAY = dt.datetime(2026, 7, 1, 9, 30, tzinfo=dt.UTC)
NODES = [
    {
        "node_id": f"tvmps_{number}{'ab12' * 15}_d",
        "state": "starttaskfailed" if number else "idle",
        "scheduling": "enabled",
        "state_since": DAY + dt.timedelta(minutes=number),
        "allocated": DAY,
        "vm_size": "Standard_D4s_v5",
        "ip": f"10.0.0.{number}",
        "running_tasks": 0,
        "start_task": "completed",
        "exit_code": number,
        "errors": ERROR if number else None,
        "image_version": "1.0.0",
    }
    for number in range(3)
]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (3, "3"),
        (355.66, "355.7"),
        (dt.datetime(2026, 7, 1, 11, 0, 2, 900_000, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2026-07-01 09:00:02Z"),
        ("two\n  lines", "two lines"),
        ("a\x1b[31m\u202eb", "a\\x1b[31m\\u202eb"),
    ],
)
def test_cells(value: object, said: str) -> None:
    assert format_cell(value) == said


@given(st.text())
def test_no_control_character_is_left(said: str) -> None:
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in make_visible(said) if char not in "\t\n")


def test_commands_in_advice_are_code() -> None:
    assert list(split_code("use `vms`, or: az vm show --name x; then wait")) == [
        ("use ", False), ("vms", True), (", or: ", False), ("az vm show --name x", True), ("; then wait", False),
    ]  # fmt: skip
    assert list(split_code("a start task: /bin/bash -c 'for l in 0; do x; done'"))[1] == (
        "/bin/bash -c 'for l in 0; do x; done'",
        True,
    )


def test_shortening_keeps_the_distinguishing_part() -> None:
    assert shorten(ID, 25) == "…/genomics/versions/1.0.0"
    assert shorten(ID, 30) == "…/genomics/versions/1.0.0"  # whole names
    assert shorten("/" + "n" * 30, 10) == "…" + "n" * 9
    assert shorten(NODE, 25) == "tvmps_ab12ab12ab…12ab12_d"


def test_views_are_of_the_schemas() -> None:
    assert set(VIEWS) == set(SCHEMAS)
    for verb, view in VIEWS.items():
        names = {column.name for column in SCHEMAS[verb]}
        assert set(view.first) | set(view.last) <= names
        assert sorted(column_order(verb)) == sorted(names)


def test_text_is_aligned_and_complete() -> None:
    lines = render_text({"name": ["a", "bcd"], "n": [7, 120]}, caption="LOCAL · two").splitlines()
    assert lines == ["LOCAL · two", "name    n", "----  ---", "a       7", "bcd   120"]


def columns_of(rows: list[dict[str, object]], verb: str = "nodes") -> dict[str, Sequence[object]]:
    return Table.from_rows(verb, rows).columns


def test_what_matters_comes_first_and_what_is_the_same_in_all_rows_below() -> None:
    caption, head, rule, *rows, same, empty = render_text(columns_of(NODES), verb="nodes", caption="nodes").splitlines()
    assert caption == "nodes · 2026-07-01"
    assert head.split() == ["node_id", "state", "errors", "exit_code", "start_task", "state_since", "ip"]
    assert set(rule) == {"-", " "}
    assert [row.split()[-2] for row in rows] == ["09:30:00Z", "09:31:00Z", "09:32:00Z"]
    assert ERROR in rows[1]
    assert same.startswith("the same in all rows: allocated 09:30:00Z, running_tasks 0, scheduling enabled, vm_size ")
    assert empty == "no value in any row: booted, dedicated, agent_version"


def test_times_of_several_days_have_their_dates() -> None:
    later = [NODES[0], {**NODES[1], "state_since": DAY + dt.timedelta(days=1)}]
    assert "2026-07-02 09:30:00Z" in render_text(columns_of(later), verb="nodes")


def test_a_narrow_terminal_shows_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    idle = [{**row, "state": "idle", "errors": None} for row in NODES]
    text = render_terminal(columns_of(idle), verb="nodes", caption="nodes", width=60)
    assert text.splitlines()[1].split() == ["node_id", "state", "exit_code", "start_task", "state_since"]
    assert max(map(len, text.splitlines()[1:5])) <= 60
    assert "not shown: ip (" in text
    folded = render_terminal(columns_of(idle), verb="nodes", caption="nodes", width=50).splitlines()
    assert [line.split() for line in folded[1:3]] == [
        ["exit_", "start_", "state_"],
        ["node_id", "state", "code", "task", "since"],
    ]
    # A long text in a narrow column is hard to read: it stands below its row.
    table = render_terminal(columns_of(NODES), verb="nodes", width=80)
    assert max(map(len, table.splitlines()[:-3])) <= 80
    assert " ".join(table.split()).count(f"errors: {ERROR}") == 2
    # If the columns that matter do not fit, each row is a block, with all that it has.
    blocks = render_terminal(columns_of(NODES), verb="nodes", width=40)
    for name in ("errors: ", "exit_code: 2", "start_task: completed", "ip: 10.0.0.2", NODES[2]["node_id"]):
        assert name in blocks
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[31m" in render_terminal(columns_of(NODES), verb="nodes", width=80)
    evil = render_terminal({"x": ["\x1b]0;title\x07", "\u202e"]}, caption="\x9b", width=80)
    assert "\\x1b]0;title\\x07" in evil
    assert not {"\x07", "\u202e", "\x9b"} & set(evil)


def test_many_rows_are_written_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    rows = [{**NODES[number % 3], "errors": None} for number in range(120)]
    few, many = (render_terminal(columns_of(some), verb="nodes", width=110) for some in (rows[:30], rows))
    assert many.splitlines()[:30] == few.splitlines()[:30]
    properties = [{"section": "pool", "property": "id", "value": ID * 3}] * 2  # a long text has room: no blocks
    assert render_terminal(columns_of(properties, "show"), verb="show", width=80).startswith("section")


def test_commands_can_be_copied_from_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    rows = [{"vm_size": "Standard_D4s_v5", "fits": number == 0, "command": COMMAND} for number in range(2)]
    assert f"  command: {COMMAND}\n" in render_terminal(columns_of(rows, "estimate"), verb="estimate", width=60)


STEPS = [
    {
        "step": f"step {n}",
        "resource": f"genomics-{n}",
        "action": "created",
        "seconds": 1.0,
        "detail": detail,
        "id": f"{ID}{n}",
    }
    for n, detail in enumerate(["of prep-vm_OsDisk_1", "Standard_D4s_v5, batch.node.ubuntu 24.04"])
]


def test_text_in_a_notebook_fits_its_width() -> None:
    def shown(width: int) -> list[str]:
        return render_text(columns_of(STEPS, "create"), verb="create", width=width).splitlines()

    assert shown(300)[2].endswith(f"{ID}0")
    assert shown(130)[2].endswith("  …/galleries/lab/images/genomics/versions/1.0.00")  # an ID is shortened first,
    assert shown(90)[3].endswith(str(STEPS[1]["detail"]))
    assert "not shown: id (the DataFrame has all)" in shown(90)  # then left out,
    assert shown(70)[4].strip() == "batch.node.ubuntu 24.04"  # then a text wraps,
    assert f"  detail: {STEPS[1]['detail']}" in shown(52)  # then it stands below its row.
    assert all(max(map(len, shown(width)[:5])) <= width for width in (130, 90, 70, 52))


@pytest.mark.parametrize("render", [render_text, render_terminal])
def test_one_long_text_does_not_move_its_column(render: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    values = ["genomics", "steady", "4", "word " * 300, "yes"]
    rows = [{"section": f"s{n}", "property": "name", "value": value} for n, value in enumerate(values)]
    said = render(columns_of(rows, "show"), verb="show", width=80)
    assert re.search(r"\ns2 +name +4\ns3 +name *\n  value: word word", said)
    assert said.count("word") == 300
    assert re.search(r"\ns4 +name +yes(\n|$)", said)


def test_a_command_stands_below_its_row_in_a_notebook() -> None:
    rows = [{"vm_size": "Standard_D4s_v5", "nodes": 120 + n, "command": f"{COMMAND}{n}"} for n in range(2)]
    lines = render_text(columns_of(rows, "estimate"), verb="estimate", width=80).splitlines()
    assert [lines[3], lines[5]] == [f"  command: {row['command']}" for row in rows]
    assert [lines[2], lines[4]] == ["Standard_D4s_v5    120", "Standard_D4s_v5    121"]


def test_a_table_without_rows_says_what_to_do() -> None:
    assert render_text({"name": []}, caption="no pools") == "no pools"
    assert render_text({"name": []}) == "no rows"
    assert render_text(columns_of([], "status"), verb="status", caption="nothing runs") == "nothing runs"
    said = render_text(columns_of([], "pools"), verb="pools", caption="pools: 0")
    assert said.startswith("pools: 0\ncreate one with `%batchimg create NAME ")
    page = render_html(columns_of([], "pools"), verb="pools", caption="pools: 0")
    assert "<table" not in page
    assert "--from-vm VM" in page
    listed = {"vms", "images", "pools", "create", "plan", "nodes", "resize", "history", "repair", "estimate", "cleanup"}
    assert not [verb for verb in listed if not VIEWS[verb].empty]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - not needed
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


EVIL = '<script>alert("x")</script>&amp;\''


def test_every_text_in_html_is_escaped() -> None:
    attrs = {"warnings": [{"found": EVIL, "fix": EVIL, "severity": EVIL}], "text": EVIL}
    read_back = read(render_html({EVIL: [EVIL, f"{EVIL}{'y' * 50}"]}, caption=EVIL, attrs=attrs))
    assert not {"script", "style", "svg"} & set(read_back.tags)
    assert "".join(read_back.said).count(EVIL) == 8
    for verb, schema in SCHEMAS.items():
        rows = [{column.name: EVIL for column in schema if column.kind in ("text", "word")}] * 2
        assert "script" not in read(render_html(columns_of(rows, verb), verb=verb)).tags


def test_no_text_in_html_is_typeset_as_a_formula() -> None:
    price, script = "$1.06/h, at most $32.00", r"a=$1; \(b\); \[c\]; \begin{d}"
    columns = columns_of([{"message": f"{price}; {script}"}, {"message": price}], "resize")
    table = render_html(columns, verb="resize", caption=price, attrs={"warnings": [{"found": script}]})
    for page in (table, summary_bundle(price, {script: script})["text/html"]):
        assert not [text for text in read(page).said if text.count("$") + text.count("\\") and len(text) > 1]
        assert script in "".join(read(page).said)


def test_texts_are_whole_in_html() -> None:
    page = read(render_html(columns_of(NODES), verb="nodes", caption="nodes"))
    assert {ERROR, NODES[2]["node_id"]} <= set(page.said)
    options = [{"vm_size": "Standard_D4s_v5", "kind": kind, "command": COMMAND} for kind in ("dedicated", "spot")]
    html = render_html(columns_of(options, "estimate"), verb="estimate")
    assert html.count(f'>{COMMAND}</pre><input type="button"') == 2
    formula = "$a = 1;\n  $b = 2;"
    page = render_html(columns_of([{"formula": formula}], "autoscale"), verb="autoscale")
    assert formula in read(page).said
    assert "\n" not in page, "Markdown ends HTML at an empty line"
    findings = [{"rule": "a", "ok": ok, "severity": "error", "found": "f"} for ok in (False, True, None)]
    marks = [word for word in read(render_html(columns_of(findings, "check"), verb="check")).said if word in WORDS]
    assert marks == ["error", "passed", "not checked"]


WORDS = ("error", "passed", "not checked", "warning")


def test_a_single_row_with_many_columns_is_a_list() -> None:
    page = read(render_html(columns_of(NODES[:1]), verb="nodes"))
    assert "thead" not in page.tags
    assert render_text(columns_of(NODES[:1]), verb="nodes").splitlines()[2] == "state          idle"


def test_a_caption_shows_local_for_the_emulator() -> None:
    assert add_label("no pools", "LOCAL") == "LOCAL · no pools"
    assert add_label("no pools", "") == "no pools"


def test_a_long_frame_shows_its_first_rows_and_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    shown = mime_bundle(
        to_frame(Table.from_rows("pools", [{"pool": f"p{i}"} for i in range(MAX_SHOWN_ROWS + 1)], "many"))
    )
    for text in shown.values():
        assert f"rows shown: {MAX_SHOWN_ROWS} of {MAX_SHOWN_ROWS + 1}" in text
    assert f"p{MAX_SHOWN_ROWS - 1}" in shown["text/plain"]
    assert f"p{MAX_SHOWN_ROWS}" not in shown["text/plain"]


def test_styles_do_not_keep_a_frame_in_memory_and_are_not_copied() -> None:
    made = attach_display(to_frame(Table.from_rows("pools", [{"pool": "p"}], "one")))
    assert not hasattr(made.copy(), "_repr_mimebundle_")
    made["more"] = 1  # what it shows is what it holds now
    assert "more" in made._repr_mimebundle_()["text/plain"]
    seen = weakref.ref(made)
    gc.disable()
    try:
        del made
        assert seen() is None
    finally:
        gc.enable()
