"""Render a table as text: plain for pipes and notebooks, and with rich for terminals."""

from __future__ import annotations

import io
import os
import textwrap
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, Any

from batchimg_magics.display.arrange import arrange
from batchimg_magics.display.cells import NO_VALUE
from batchimg_magics.display.labels import split_label
from batchimg_magics.display.layout import GAP, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from batchimg_magics.display.arrange import ShownColumn, ShownTable
    from batchimg_magics.display.layout import Layout

__all__ = ["render_terminal", "render_text"]

#: The number of rows from which a table is written as plain lines if no text has to wrap: rich takes 1 ms for a row.
MANY_ROWS = 100
#: The width of text that has no limit.
NO_WIDTH = 1_000_000
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

    In a table that is wider than `width`, IDs are shortened, texts wrap, and columns that do not matter are left out,
    as in a terminal; None: no limit. If there is code of several lines, each row is a block of names and values. The
    other parameters are those of `arrange`.
    """
    shown = arrange(columns, verb=verb, caption=caption, attrs=attrs, rows=rows)
    below: list[str] = []
    if any(map(_has_lines, shown.columns)):
        lines = [line for block in _blocks(shown.columns, width or NO_WIDTH) for line in block]
    elif shown.is_list:
        lines = list(_joined_lines(shown.columns))
    else:
        lines = _plain_lines(shown.columns)
        if width and lines and max(map(len, lines)) > width:
            lines, below = _fitting_lines(shown.columns, width)
    head = shown.caption or ("" if lines else "no rows")
    return "\n".join([*filter(None, [head]), *lines, *_lines_below(shown), *below])


def _fitting_lines(columns: list[ShownColumn], width: int) -> tuple[list[str], list[str]]:
    """Return the lines of a table that is not wider, and the lines that belong below it."""
    layout = lay_out(columns, width)
    if layout is None:
        return [line for block in _blocks(columns, width) for line in block], []
    lines = _aligned(layout, layout.headings())
    lines.append(GAP.join("-" * one for one in layout.widths))
    for index in range(len(columns[0].cells)):
        lines += _aligned(
            layout,
            [_cell_lines(one.cells[index], size) for one, size in zip(layout.columns, layout.widths, strict=True)],
        )
        lines += _detail_lines(layout, index, width)
    return lines, [f"not shown: {', '.join(layout.hidden)} (the DataFrame has all)"] if layout.hidden else []


def _cell_lines(cell: str, width: int) -> list[str]:
    return textwrap.wrap(cell, width, break_on_hyphens=False) or [""]


def _aligned(layout: Layout, cells: list[list[str]]) -> list[str]:
    """Return the lines of a row, each cell in the width of its column."""
    rows = zip_longest(*cells, fillvalue="")
    return [
        GAP.join(
            text.rjust(width) if column.is_number else text.ljust(width)
            for text, column, width in zip(row, layout.columns, layout.widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _detail_lines(layout: Layout, index: int, width: int) -> list[str]:
    """Return the lines below a row: each long text with its name."""
    values = [(column, column.cells[index]) for column in layout.below]
    return [
        line for column, value in values if value not in (NO_VALUE, "") for line in _long_lines(column, value, width)
    ]


def _plain_lines(columns: list[ShownColumn]) -> list[str]:
    """Return an aligned table, each column as wide as its widest cell."""
    blocks = []
    for column in columns:
        cells = [" ".join(cell.split("\n")) for cell in column.cells]
        width = max(map(len, [column.name, *cells]))
        lines = [column.name, "-" * width, *cells]
        blocks.append([one.rjust(width) if column.is_number else one.ljust(width) for one in lines])
    return [GAP.join(row).rstrip() for row in zip(*blocks, strict=True)]


def _blocks(columns: list[ShownColumn], width: int) -> Iterator[list[str]]:
    """Return each row as lines: its name, short values side by side, and each long text or code on lines of its own."""
    first, *others = columns
    for index, name in enumerate(first.cells):
        block = [f"{first.name}: {name}"]
        values = [(one, one.cells[index]) for one in others if one.cells[index] != NO_VALUE]
        for is_long, group in groupby(values, lambda pair: _needs_lines(pair[0], pair[1], width)):
            if is_long:
                block += [line for column, value in group for line in _long_lines(column, value, width)]
            else:
                texts = [f"{column.name}: {value}".replace(" ", "\xa0") for column, value in group]
                block += _wrapped(_SEPARATOR.join(texts), width)
        yield block


def _has_lines(column: ShownColumn) -> bool:
    return column.form == "code" and any("\n" in cell for cell in column.cells)


def _needs_lines(column: ShownColumn, value: str, width: int) -> bool:
    return column.form in ("code", "advice", "problem") or len(value) > width // 2


def _long_lines(column: ShownColumn, value: str, width: int) -> list[str]:
    if column.form != "code":
        return _wrapped(f"{column.name}: {value}", width)
    # Code is not wrapped, and its lines are not indented, so that it can be copied.
    return [f"{_INDENT}{column.name}:", *value.split("\n")] if "\n" in value else [f"{_INDENT}{column.name}: {value}"]


def _wrapped(text: str, width: int) -> list[str]:
    lines = textwrap.wrap(
        text, width, initial_indent=_INDENT, subsequent_indent=_INDENT * 2,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace("\xa0", " ") for line in lines]


def _lines_below(shown: ShownTable) -> list[str]:
    notes = [f"{note.severity}: {note.text}" + (f" -> {note.advice}" if note.advice else "") for note in shown.notes]
    return [*notes, *shown.lines, *shown.code]


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
    from rich.cells import cell_len
    from rich.text import Text

    layout = None if shown.is_list or not shown.columns else lay_out(shown.columns, width, cell_len)
    if layout:
        for part in _rich_tables(layout, width):
            console.print(part, soft_wrap=isinstance(part, Text))
        more = "a wider terminal or a pipe shows all"
        return [f"not shown: {', '.join(layout.hidden)} ({more})"] if layout.hidden else []
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
    """Return the only row as a name and a value, one per column."""
    width = max(len(column.name) for column in columns)
    for column in columns:
        yield f"{column.name:<{width}}{GAP}" + f"\n{'':{width}}{GAP}".join(column.cells[0].split("\n"))


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


def _rich_tables(layout: Layout, width: int) -> Iterator[RichTable | Text]:
    """Return the rows as tables, with the lines below a row in between; many rows without any as plain lines."""
    from rich.text import Text

    rows = range(len(layout.columns[0].cells))
    table = _rich_table(layout)
    if len(rows) > MANY_ROWS and not layout.below and _fits_plainly(layout):
        yield table
        lines = [_aligned(layout, [[one.cells[index]] for one in layout.columns])[0] for index in rows]
        yield Text("\n".join(lines))
        return
    for index in rows:
        cells = [(one, one.cells[index]) for one in layout.columns]
        table.add_row(*(Text(cell, style=_cell_style(one, cell)) for one, cell in cells))
        if details := _detail_texts(layout, index, width):
            yield table
            yield from details
            table = _rich_table(layout, show_header=False)
    yield table


def _rich_table(layout: Layout, *, show_header: bool = True) -> RichTable:
    from rich.table import Table as RichTable

    table = RichTable(
        box=None, padding=(0, len(GAP), 0, 0), pad_edge=False, header_style="bold underline", show_header=show_header
    )
    for column, size, heading in zip(layout.columns, layout.widths, layout.headings(), strict=True):
        table.add_column(
            "\n".join(heading), width=size, justify="right" if column.is_number else "left", overflow="fold"
        )
    return table


def _detail_texts(layout: Layout, index: int, width: int) -> list[Text]:
    from rich.text import Text

    return [
        Text(
            "\n".join(_long_lines(one, one.cells[index], width)),
            style=_cell_style(one, one.cells[index]),
        )
        for one in layout.below
        if one.cells[index] not in (NO_VALUE, "")
    ]


def _fits_plainly(layout: Layout) -> bool:
    from rich.cells import cell_len

    sizes = zip(layout.columns, layout.widths, strict=True)
    return all(cell_len(cell) == len(cell) <= size for one, size in sizes for cell in one.cells)
