"""Tables as text and as HTML, and the display of a DataFrame."""

from __future__ import annotations

import datetime as dt
import gc
import weakref
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchimg_magics.core.base.table import Table
from batchimg_magics.display.dataframe import MAX_SHOWN_ROWS, attach_display, mime_bundle
from batchimg_magics.display.tables import add_label, format_cell, render_html, render_text, shorten
from batchimg_magics.session.frames import to_frame

ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/lab/images/genomics/versions/1.0.0"
NODE = f"tvmps_{'ab12' * 16}_d"
COLUMNS = {
    "resource": ["genomics", "genomics-os"],
    "detail": [None, None],
    "count": [7, 120],
    "message": ["Desired number of dedicated nodes could not be allocated", "a"],
    "id": [ID, ID],
}


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
    ],
)
def test_cells(value: object, said: str) -> None:
    assert format_cell(value) == said


def test_shortening_keeps_the_distinguishing_part() -> None:
    assert shorten(ID, 25) == "…/genomics/versions/1.0.0"
    assert shorten(ID, 30) == "…/genomics/versions/1.0.0"  # whole names
    assert shorten("/" + "n" * 30, 10) == "…" + "n" * 9
    assert shorten(NODE, 25) == "tvmps_ab12ab12ab…12ab12_d"
    assert shorten("could not be allocated", 10) == "could not…"


@given(st.text(), st.integers(4, 40))
def test_shortening_never_exceeds_its_width(said: str, width: int) -> None:
    assert len(shorten(said, width)) <= width
    assert shorten(said, len(said)) == said


def test_text_is_aligned_and_complete_if_it_fits() -> None:
    lines = render_text({"name": ["a", "bcd"], "n": [7, 120]}, caption="LOCAL · two").splitlines()
    assert lines == ["LOCAL · two", "name    n", "----  ---", "a       7", "bcd   120"]
    assert ID in render_text(COLUMNS)


def test_a_narrow_table_leaves_out_nothing_first_and_ids_are_shortened_first() -> None:
    wide = render_text(COLUMNS, width=110)
    assert wide.endswith("not shown: detail")
    assert "Desired number of dedicated nodes could not be allocated" in wide
    assert "…" in wide
    assert render_text(COLUMNS, width=60).endswith("not shown: detail, id")


@given(st.integers(20, 200))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    *rows, _ = render_text(COLUMNS, width=width).splitlines()
    assert max(map(len, rows)) <= width


def test_a_table_without_rows_is_its_caption() -> None:
    assert render_text({"name": []}, caption="no pools") == "no pools"
    assert render_text({"name": []}) == "no rows"
    assert "<table" not in render_html({"name": []}, caption="no pools")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.titles: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.titles += [value or "" for name, value in attrs if name == "title"]

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


EVIL = '<script>alert("x")</script>&amp;'


def test_every_text_in_html_is_escaped() -> None:
    read_back = read(render_html({EVIL: [EVIL, f"{EVIL}{'y' * 50}"]}, caption=EVIL, below=EVIL))
    assert "script" not in read_back.tags
    assert read_back.said.count(EVIL) == 4
    assert read_back.titles == [f"{EVIL}{'y' * 50}"]


def test_long_ids_are_whole_in_their_title() -> None:
    assert read(render_html(COLUMNS)).titles.count(ID) == 2


def test_a_caption_shows_local_for_the_emulator() -> None:
    assert add_label("no pools", "LOCAL") == "LOCAL · no pools"
    assert add_label("no pools", "") == "no pools"


def test_a_long_frame_shows_its_first_rows_and_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    shown = mime_bundle(
        to_frame(Table.from_rows("pools", [{"pool": f"p{i}"} for i in range(MAX_SHOWN_ROWS + 1)], "many"))
    )
    assert shown["text/plain"].endswith(f"the first {MAX_SHOWN_ROWS} of {MAX_SHOWN_ROWS + 1} rows")
    assert f"the first {MAX_SHOWN_ROWS} of {MAX_SHOWN_ROWS + 1} rows" in shown["text/html"]
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
