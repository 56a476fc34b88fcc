"""Render tables: as text that fits the terminal, and as HTML. They take plain columns, and need no pandas."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from batchimg_magics.display.labels import caption_html

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Columns = Mapping[str, Sequence[Any]]

__all__ = ["add_label", "format_cell", "format_notes", "render_html", "render_text", "shorten"]

#: Text of a missing value.
NO_VALUE = "-"
#: Maximum length of a cell in HTML; its tooltip has the full text.
HTML_WIDTH = 40
#: Minimum width of a text column, so that VM sizes and names stay readable: columns are left out instead.
MIN_TEXT_WIDTH = 20
_GAP = "  "
# The style sheets of notebook front ends align every cell to the right.
_STYLE = (
    "<style>.batchimg th,.batchimg td{text-align:left!important;white-space:nowrap}"
    ".batchimg .number{text-align:right!important}</style>"
)


def format_cell(value: object) -> str:
    """Return a value as text: times in UTC to the second, yes or no, numbers with one decimal."""
    if value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, float):
        return f"{value:.1f}"
    return " ".join(str(value).split())


def _format_money(value: object) -> str:
    """Return an amount of money with two decimals, or three below one."""
    return format_cell(value) if not isinstance(value, float) else f"{value:,.2f}" if value >= 1 else f"{value:.3f}"


def add_label(caption: str, label: str) -> str:
    """Return a table's caption after the label of its connection: LOCAL for the emulator."""
    return f"{label} · {caption}" if label else caption


def shorten(full_text: str, width: int) -> str:
    """Return at most `width` characters: the end of a path, the start of a sentence, or both ends of any other id."""
    if len(full_text) <= width:
        return full_text
    if full_text.startswith("/") and " " not in full_text:
        path_end = full_text[len(full_text) - width + 1 :]
        return "…" + path_end[max(0, path_end.find("/")) :]
    if " " in full_text:
        return full_text[: width - 1] + "…"
    tail = (width - 1) // 3
    return f"{full_text[: width - 1 - tail]}…{full_text[len(full_text) - tail :]}"


def format_notes(attrs: Mapping[Any, Any]) -> str:
    """Return the notes below a table: its text, its warnings, and the role definition if requested."""
    lines = [str(attrs["text"])] if attrs.get("text") else []
    lines += [
        f"{one.get('severity', 'warning')}: {one['found']}" + (f" -> {one['fix']}" if one["fix"] else "")
        for one in attrs.get("warnings") or []
    ]
    if attrs.get("show_role"):
        lines.append(json.dumps(attrs["role"], indent=1))
    return "\n".join(lines)


@dataclass(slots=True)
class _Column:
    name: str
    cells: list[str]
    is_text: bool
    is_number: bool

    @classmethod
    def of(cls, name: str, values: Sequence[Any]) -> _Column:
        kinds = {type(value) for value in values if value is not None}
        format_value = _format_money if name.startswith("usd") else format_cell
        return cls(
            name, [format_value(value) for value in values], kinds <= {str}, bool(kinds) and kinds <= {int, float}
        )

    @property
    def is_empty(self) -> bool:
        return all(content == NO_VALUE for content in self.cells)

    @property
    def is_path(self) -> bool:
        return any(content.startswith("/") and " " not in content for content in self.cells)

    @property
    def width(self) -> int:
        """Width in characters that shows every cell in full."""
        return max(map(len, [self.name, *self.cells]))

    @property
    def min_width(self) -> int:
        """Minimum width: only text can be shortened."""
        return min(self.width, max(MIN_TEXT_WIDTH, len(self.name))) if self.is_text else self.width

    def lines(self, width: int) -> list[str]:
        """Return the heading, a rule and the cells, padded to a width."""
        cells = [self.name, "-" * width, *(shorten(one, width) for one in self.cells)]
        return [one.rjust(width) if self.is_number else one.ljust(width) for one in cells]


def render_text(columns: Columns, *, caption: str = "", width: int | None = None) -> str:
    """Return an aligned table.

    Parameters
    ----------
    columns
        Name to values, all of equal length.
    caption
        Text above the table; returned alone if there are no rows.
    width
        Maximum characters per line; None: no limit. If the table is wider, empty columns are left out first, then long
        texts are shortened, then the last columns are left out; a line below lists the columns left out.
    """
    all_columns = [_Column.of(name, values) for name, values in columns.items()]
    if not all_columns or not all_columns[0].cells:
        return caption or "no rows"
    shown = _fitting_columns(all_columns, width) if width else all_columns
    blocks = [column.lines(w) for column, w in zip(shown, _widths(shown, width), strict=True)]
    lines = [_GAP.join(row) for row in zip(*blocks, strict=True)]
    if caption:
        lines.insert(0, caption)
    if hidden := [column.name for column in all_columns if column not in shown]:
        lines.append(f"not shown: {', '.join(hidden)}")
    return "\n".join(line.rstrip() for line in lines)


def _total(widths: list[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _fitting_columns(columns: list[_Column], width: int) -> list[_Column]:
    """Return the columns that fit a table of a width."""
    shown = columns
    if _total([column.width for column in shown]) > width:
        shown = [column for column in columns if not column.is_empty] or columns[:1]
    while len(shown) > 1 and _total([column.min_width for column in shown]) > width:
        shown = shown[:-1]
    return shown


def _widths(columns: list[_Column], width: int | None) -> list[int]:
    """Return each column's width; resource ids are shortened first, then the widest columns."""
    widths = [column.width for column in columns]
    spare = [column.width - column.min_width for column in columns]
    over = _total(widths) - width if width else 0
    for _ in range(min(over, sum(spare))):
        widest = max((i for i, left in enumerate(spare) if left), key=lambda i: (columns[i].is_path, widths[i]))
        widths[widest] -= 1
        spare[widest] -= 1
    return widths


def render_html(columns: Columns, *, caption: str = "", below: str = "") -> str:
    """Return the table as HTML: text is escaped, and long cells are shortened, with the full text as their title.

    Parameters
    ----------
    columns
        Name to values, all of equal length.
    caption, below
        Text above and below the table.
    """
    all_columns = [_Column.of(name, values) for name, values in columns.items()]
    heads = "".join(f"<th{_class(column)}>{escape(column.name)}</th>" for column in all_columns)
    rows = zip(
        *([f"<td{_class(column)}{_cell_html(one)}</td>" for one in column.cells] for column in all_columns), strict=True
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    above = f'<div style="margin:2px 0 6px"><b>{caption_html(caption)}</b></div>' if caption else ""
    under = f'<div style="margin:4px 0;opacity:.7;white-space:pre-wrap">{escape(below)}</div>' if below else ""
    table = f'{_STYLE}<table border="1" class="dataframe"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="batchimg">{above}<div style="overflow-x:auto">{table if body else ""}</div>{under}</div>'


def _class(column: _Column) -> str:
    return ' class="number"' if column.is_number else ""


def _cell_html(full_text: str) -> str:
    """Return the end of a cell's opening tag and its text."""
    # Commands are meant to be copied: they are not shortened.
    short = full_text if full_text.startswith("%batchimg ") else shorten(full_text, HTML_WIDTH)
    return f">{escape(full_text)}" if short == full_text else f' title="{escape(full_text)}">{escape(short)}'
