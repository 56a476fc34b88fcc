"""How tables look: as text that fits its terminal, and as HTML. Plain columns in, no pandas."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Columns = Mapping[str, Sequence[Any]]

__all__ = ["add_label", "format_cell", "format_notes", "render_html", "render_text", "shorten"]

#: What stands where there is no value.
NO_VALUE = "-"
#: Longest cell in HTML, where a mouse shows the whole of it.
HTML_WIDTH = 40
#: A column of text is not made narrower, so that sizes and names stay whole: before that, columns are left out.
MIN_TEXT_WIDTH = 20
_GAP = "  "
# Notebook front ends align every cell to the right with rules of their own.
_STYLE = (
    "<style>.batchimg th,.batchimg td{text-align:left!important;white-space:nowrap}"
    ".batchimg .number{text-align:right!important}</style>"
)


def format_cell(value: object) -> str:
    """Return a value as people read it: times in UTC to the second, yes and no, one decimal."""
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
    """Return an amount of money: cents, and a tenth of them below one."""
    return format_cell(value) if not isinstance(value, float) else f"{value:,.2f}" if value >= 1 else f"{value:.3f}"


def add_label(caption: str, label: str) -> str:
    """Return a table's caption with the connection's label before it; LOCAL there means that nothing is real."""
    return f"{label} · {caption}" if label else caption


def shorten(full_text: str, width: int) -> str:
    """Return at most so many characters: a path's last names, the start of a sentence, both ends of any other id."""
    if len(full_text) <= width:
        return full_text
    if full_text.startswith("/") and " " not in full_text:
        end = full_text[len(full_text) - width + 1 :]
        return "…" + end[max(0, end.find("/")) :]
    if " " in full_text:
        return full_text[: width - 1] + "…"
    tail = (width - 1) // 3
    return f"{full_text[: width - 1 - tail]}…{full_text[len(full_text) - tail :]}"


def format_notes(attrs: Mapping[Any, Any]) -> str:
    """Return what stands below a table: a text that came with it, what it warned of, the role that was asked for."""
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
        """How wide it is with every cell in full."""
        return max(map(len, [self.name, *self.cells]))

    @property
    def min_width(self) -> int:
        """How narrow it can be: only texts bear shortening."""
        return min(self.width, max(MIN_TEXT_WIDTH, len(self.name))) if self.is_text else self.width

    def lines(self, width: int) -> list[str]:
        """Return heading, rule and cells in that width."""
        cells = [self.name, "-" * width, *(shorten(one, width) for one in self.cells)]
        return [one.rjust(width) if self.is_number else one.ljust(width) for one in cells]


def render_text(columns: Columns, *, caption: str = "", width: int | None = None) -> str:
    """Return an aligned table.

    Parameters
    ----------
    columns
        Name to values, all of one length.
    caption
        What stands above it, and alone where there are no rows.
    width
        Characters that a line may have; None: as many as it takes. Where the table is wider, columns that hold nothing
        go first, then long texts are shortened, then the last columns go; a line below says which.
    """
    made = [_Column.of(name, values) for name, values in columns.items()]
    if not made or not made[0].cells:
        return caption or "no rows"
    shown = _fitting_columns(made, width) if width else made
    blocks = [column.lines(w) for column, w in zip(shown, _widths(shown, width), strict=True)]
    lines = [_GAP.join(row) for row in zip(*blocks, strict=True)]
    if caption:
        lines.insert(0, caption)
    if hidden := [column.name for column in made if column not in shown]:
        lines.append(f"not shown: {', '.join(hidden)}")
    return "\n".join(line.rstrip() for line in lines)


def _total(widths: list[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _fitting_columns(columns: list[_Column], width: int) -> list[_Column]:
    """Return the columns that a table of that width has room for."""
    shown = columns
    if _total([column.width for column in shown]) > width:
        shown = [column for column in columns if not column.is_empty] or columns[:1]
    while len(shown) > 1 and _total([column.min_width for column in shown]) > width:
        shown = shown[:-1]
    return shown


def _widths(columns: list[_Column], width: int | None) -> list[int]:
    """Return each column's width; what is too much is taken from resource ids first, then from the widest columns."""
    widths = [column.width for column in columns]
    spare = [column.width - column.min_width for column in columns]
    over = _total(widths) - width if width else 0
    for _ in range(min(over, sum(spare))):
        widest = max((i for i, left in enumerate(spare) if left), key=lambda i: (columns[i].is_path, widths[i]))
        widths[widest] -= 1
        spare[widest] -= 1
    return widths


def render_html(columns: Columns, *, caption: str = "", below: str = "") -> str:
    """Return the table as HTML: every text escaped, long cells shortened with the whole of them as their title.

    Parameters
    ----------
    columns
        Name to values, all of one length.
    caption, below
        What stands above and below it.
    """
    made = [_Column.of(name, values) for name, values in columns.items()]
    heads = "".join(f"<th{_class(column)}>{escape(column.name)}</th>" for column in made)
    rows = zip(
        *([f"<td{_class(column)}{_cell_html(one)}</td>" for one in column.cells] for column in made), strict=True
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    above = f'<div style="margin:2px 0 6px"><b>{escape(caption)}</b></div>' if caption else ""
    under = f'<div style="margin:4px 0;opacity:.7;white-space:pre-wrap">{escape(below)}</div>' if below else ""
    table = f'{_STYLE}<table border="1" class="dataframe"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="batchimg">{above}<div style="overflow-x:auto">{table if body else ""}</div>{under}</div>'


def _class(column: _Column) -> str:
    return ' class="number"' if column.is_number else ""


def _cell_html(full_text: str) -> str:
    """Return the end of a cell's opening tag and its text."""
    # A line is there to be copied: it stays whole.
    short = full_text if full_text.startswith("%batchimg ") else shorten(full_text, HTML_WIDTH)
    return f">{escape(full_text)}" if short == full_text else f' title="{escape(full_text)}">{escape(short)}'
