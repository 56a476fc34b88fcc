"""Render a table as text: plain for pipes and notebooks, and with rich for terminals."""

from __future__ import annotations

import io
import os
import textwrap
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from batchimg_magics.display.arrange import arrange
from batchimg_magics.display.cells import NO_VALUE
from batchimg_magics.display.labels import split_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from batchimg_magics.display.arrange import ShownColumn, ShownTable

__all__ = ["render_terminal", "render_text", "shorten"]

#: Width at which texts and IDs of a terminal's table wrap or are shortened, if there is no more room.
MIN_WIDTH = 14
MIN_ID_WIDTH = 24
#: If a text would take more lines in a column that is narrower than this, each row is a block.
MAX_LINES = 4
READABLE_WIDTH = 30
#: The number of columns of a plain table whose lines may be longer than the page.
FEW_COLUMNS = 3
#: The number of rows from which a table is written as plain lines if no text has to wrap: rich takes 1 ms for a row.
MANY_ROWS = 100
_GAP = "  "
_INDENT = "  "
_SEPARATOR = " · "
_STYLES = {"error": "bold red", "warning": "bold yellow", "passed": "green", "info": "cyan", "not checked": "dim"}


def render_text(
    columns: Mapping[str, Sequence[Any]],
    *,
    verb: str = "",
    caption: str = "",
    attrs: Mapping[Any, Any] | None = None,
    rows: int = 0,
    width: int | None = None,
) -> str:
    """Return a table as plain text, without colors.

    If the table is wider than `width`, each row is a block of names and values; None: no limit. The other parameters
    are those of `arrange`.
    """
    shown = arrange(columns, verb=verb, caption=caption, attrs=attrs, rows=rows)
    lines = _plain_lines(shown.columns) if not shown.is_list else list(_list_lines(shown.columns))
    is_wide = not shown.is_list and len(shown.columns) > FEW_COLUMNS
    if width and lines and is_wide and (over := max(map(len, lines)) - width) > 0:
        narrow = _plain_lines(_with_short_ids(shown.columns, over))
        fits = max(map(len, narrow)) <= width
        lines = narrow if fits else [line for block in _blocks(shown.columns, width) for line in block]
    return "\n".join([*filter(None, [shown.caption or ("" if lines else "no rows")]), *lines, *_lines_below(shown)])


def _with_short_ids(columns: list[ShownColumn], over: int) -> list[ShownColumn]:
    """Return the columns with IDs that are shortened by at least so many characters in all, if that is possible."""
    narrow = []
    for column in columns:
        width = max(map(len, column.cells))
        if column.form == "id" and over > 0 and width > MIN_ID_WIDTH:
            most = max(MIN_ID_WIDTH, width - over)
            over -= width - most
            narrow.append(replace(column, cells=[shorten(cell, most) for cell in column.cells]))
        else:
            narrow.append(column)
    return narrow


def _plain_lines(columns: list[ShownColumn]) -> list[str]:
    """Return an aligned table, each column as wide as its widest cell."""
    blocks = []
    for column in columns:
        cells = [" ".join(cell.split("\n")) for cell in column.cells]
        width = max(map(len, [column.name, *cells]))
        lines = [column.name, "-" * width, *cells]
        blocks.append([one.rjust(width) if column.is_number else one.ljust(width) for one in lines])
    return [_GAP.join(row).rstrip() for row in zip(*blocks, strict=True)]


def _list_lines(columns: list[ShownColumn]) -> Iterator[str]:
    """Return the only row as one line per column."""
    width = max(len(column.name) for column in columns)
    for column in columns:
        first, *more = column.cells[0].split("\n")
        yield f"{column.name:<{width}}{_GAP}{first}"
        yield from (f"{'':{width}}{_GAP}{line}" for line in more)


def _blocks(columns: list[ShownColumn], width: int) -> Iterator[list[str]]:
    """Return each row as lines: its name, short values side by side, and each long text or code on lines of its own."""
    first, *others = columns
    for index, name in enumerate(first.cells):
        block = [f"{first.name}: {name}"]
        values = [(one, one.cells[index]) for one in others if one.cells[index] != NO_VALUE]
        for is_long, group in groupby(values, lambda pair: _needs_lines(pair[0], pair[1], width)):
            pairs = [(f"{column.name}: {value}", column) for column, value in group]
            if is_long:
                block += [line for text, column in pairs for line in _long_lines(text, column, width)]
            else:
                block += _wrapped(_SEPARATOR.join(text.replace(" ", "\xa0") for text, _ in pairs), width)
        yield block


def _needs_lines(column: ShownColumn, value: str, width: int) -> bool:
    return column.form in ("code", "advice", "problem") or len(value) > width // 2


def _long_lines(text: str, column: ShownColumn, width: int) -> list[str]:
    if column.form == "code":  # the terminal wraps it, so that it can be copied
        return [_INDENT + line for line in text.split("\n")]
    return _wrapped(text, width)


def _wrapped(text: str, width: int) -> list[str]:
    lines = textwrap.wrap(
        text, max(width, MIN_WIDTH), initial_indent=_INDENT, subsequent_indent=_INDENT * 2,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace("\xa0", " ") for line in lines]


def _lines_below(shown: ShownTable) -> list[str]:
    notes = [f"{note.severity}: {note.text}" + (f" -> {note.advice}" if note.advice else "") for note in shown.notes]
    return [*notes, *shown.lines, *shown.code]


def shorten(full_text: str, width: int) -> str:
    """Return at most `width` characters of an ID: the end of a path, or both ends of any other ID."""
    if len(full_text) <= width:
        return full_text
    if full_text.startswith("/"):
        path_end = full_text[len(full_text) - width + 1 :]
        return "…" + path_end[max(0, path_end.find("/")) :]
    tail = (width - 1) // 3
    return f"{full_text[: width - 1 - tail]}…{full_text[len(full_text) - tail :]}"


def render_terminal(
    columns: Mapping[str, Sequence[Any]],
    *,
    verb: str = "",
    caption: str = "",
    attrs: Mapping[Any, Any] | None = None,
    rows: int = 0,
    width: int,
) -> str:
    """Return a table for a terminal, with its colors unless NO_COLOR is set or TERM is ``dumb``.

    Texts wrap, and IDs are shortened. Columns that do not matter are left out of a narrow terminal, and named below; if
    those that matter do not fit, each row is a block with all its values.
    """
    from rich.console import Console
    from rich.text import Text

    shown = arrange(columns, verb=verb, caption=caption, attrs=attrs, rows=rows)
    out, plain = io.StringIO(), "NO_COLOR" in os.environ or os.environ.get("TERM") in ("dumb", "unknown")
    console = Console(file=out, width=width, force_terminal=not plain, highlight=False, markup=False, emoji=False)
    if shown.caption:
        label, rest = split_label(shown.caption)
        console.print(Text.assemble((label, "bold red"), (rest, "bold")), soft_wrap=True)
    below = [*shown.lines, *_print_rows(console, shown, width)]
    for note in shown.notes:
        console.print(_note_text(note.severity, note.text, note.advice), soft_wrap=True)
    for line in below:
        console.print(line, style="dim" if not line.startswith("rows shown") else "", soft_wrap=True)
    for block in shown.code:
        console.print(block, soft_wrap=True)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _print_rows(console: Console, shown: ShownTable, width: int) -> list[str]:
    """Print the rows as a list, a table or blocks; return the lines that belong below."""
    from rich.text import Text

    widths = {} if shown.is_list or not shown.columns else _fitting_widths(shown.columns, width)
    if widths:
        for table in _rich_tables([one for one in shown.columns if one.name in widths], widths):
            console.print(table, soft_wrap=isinstance(table, Text))
        hidden = [one.name for one in shown.columns if one.name not in widths]
        return [f"not shown: {', '.join(hidden)} (a wider terminal or a pipe shows all)"] if hidden else []
    for text in _list_texts(shown.columns) if shown.is_list else _block_texts(shown.columns, width):
        console.print(text, soft_wrap=True)
    return []


def _note_text(severity: str, text: str, advice: str) -> Text:
    from rich.text import Text

    made = Text(f"{severity}: ", style=_STYLES.get(severity, ""))
    made.append(text, style="default not bold")
    return made.append(f" -> {advice}", style="default not bold") if advice else made


def _list_texts(columns: list[ShownColumn]) -> Iterator[Text]:
    from rich.text import Text

    width = max(len(column.name) for column in columns)
    for column, line in zip(columns, _joined_lines(columns), strict=True):
        text = Text(line)
        text.stylize("bold", 0, width)
        text.stylize(_cell_style(column, column.cells[0]), width)
        yield text


def _joined_lines(columns: list[ShownColumn]) -> Iterator[str]:
    width = max(len(column.name) for column in columns)
    for column in columns:
        yield f"{column.name:<{width}}{_GAP}" + f"\n{'':{width}}{_GAP}".join(column.cells[0].split("\n"))


def _block_texts(columns: list[ShownColumn], width: int) -> Iterator[Text]:
    from rich.text import Text

    if not columns:
        return
    problems = [column.name for column in columns if column.form == "problem"]
    for block in _blocks(columns, width):
        text = Text("\n".join(block))
        text.stylize("bold", 0, len(block[0]))
        for name in problems:
            text.highlight_regex(rf"(?m)^{_INDENT}{name}: .*(?:\n{_INDENT * 2}.*)*", "red")
        for word, style in _STYLES.items():
            text.highlight_regex(rf"\A(?:severity: )({word})$|(?<=severity: ){word}(?=$|\n)", style)
        yield text


def _cell_style(column: ShownColumn, cell: str) -> str:
    if column.form == "severity":
        return _STYLES.get(cell, "")
    return "red" if column.form == "problem" and cell != NO_VALUE else ""


def _fitting_widths(columns: list[ShownColumn], width: int) -> dict[str, int]:
    """Return the widths of the columns that fit, by name; empty if those that matter do not fit."""
    from rich.cells import cell_len

    full = {one.name: max(map(cell_len, [one.name, *one.cells])) for one in columns}
    least = {one.name: _least_width(one, full[one.name]) for one in columns}
    shown = list(columns)
    while _total([least[one.name] for one in shown]) > width:
        spare = [one for one in shown[1:] if not one.matters]
        if not spare:
            return {}
        shown.remove(spare[-1])
    widths = _spread(shown, full, least, width)
    texts = [one.name for one in shown if one.form != "id" and widths[one.name] < READABLE_WIDTH]
    return {} if any(full[name] > MAX_LINES * widths[name] for name in texts) else widths


def _least_width(column: ShownColumn, full: int) -> int:
    can_wrap = column.is_text and column.form != "code" and full > MIN_WIDTH
    return max(MIN_WIDTH, len(column.name)) if can_wrap else full


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _spread(columns: list[ShownColumn], full: dict[str, int], least: dict[str, int], width: int) -> dict[str, int]:
    """Return the width of each column: the room that is left goes to texts first, then to IDs."""
    left = width - _total([least[one.name] for one in columns])
    widths = {one.name: least[one.name] for one in columns}
    for is_id in (False, True):
        names = [one.name for one in columns if (one.form == "id") is is_id]
        while left > 0 and (narrow := [name for name in names if widths[name] < full[name]]):
            widths[max(narrow, key=lambda name: full[name] / widths[name])] += 1
            left -= 1
    return widths


def _rich_tables(columns: list[ShownColumn], widths: dict[str, int]) -> Iterator[RichTable | Text]:
    """Return the table; if it has many rows and no text has to wrap, its heading and its rows as plain lines."""
    from rich.table import Table as RichTable
    from rich.text import Text

    short = [
        replace(one, cells=[shorten(cell, widths[one.name]) for cell in one.cells]) if one.form == "id" else one
        for one in columns
    ]
    table = RichTable(box=None, padding=(0, len(_GAP), 0, 0), pad_edge=False, header_style="bold underline")
    for column in short:
        table.add_column(
            column.name, width=widths[column.name], justify="right" if column.is_number else "left", overflow="fold"
        )
    has_many_rows = len(short[0].cells) > MANY_ROWS
    if has_many_rows and _fits_plainly(short, widths):
        yield table
        yield Text("\n".join(_padded_lines(short, widths)))
        return
    for cells in zip(*(column.cells for column in short), strict=True):
        table.add_row(*(Text(cell, style=_cell_style(one, cell)) for one, cell in zip(short, cells, strict=True)))
    yield table


def _fits_plainly(columns: list[ShownColumn], widths: dict[str, int]) -> bool:
    from rich.cells import cell_len

    return all(cell_len(cell) == len(cell) <= widths[one.name] for one in columns for cell in one.cells)


def _padded_lines(columns: list[ShownColumn], widths: dict[str, int]) -> Iterator[str]:
    padded = [
        [cell.rjust(widths[one.name]) if one.is_number else cell.ljust(widths[one.name]) for cell in one.cells]
        for one in columns
    ]
    return map(_GAP.join, zip(*padded, strict=True))
