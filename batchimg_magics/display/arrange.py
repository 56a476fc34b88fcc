"""Arrange a table for reading: what matters first, what is the same in all rows in one line, dates in the caption."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.core.base.views import VIEWS, View, column_order
from batchimg_magics.display.cells import NO_VALUE, format_cell, format_money
from batchimg_magics.masking import make_visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchimg_magics.core.base.columns import Form

    Columns = Mapping[str, Sequence[Any]]

__all__ = ["Note", "ShownColumn", "ShownTable", "arrange"]

#: A single row with more columns than this is shown as a list of names and values.
MAX_COLUMNS_OF_ONE_ROW = 8
_TIME_OF_DAY = "%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column as it is displayed.

    Parameters
    ----------
    name
        Its heading.
    cells
        The texts of its rows; of code, with their line breaks.
    form
        What its texts are.
    is_number, is_text
        Whether it is aligned to the right, and whether its texts may wrap.
    matters
        Whether a narrow terminal must show it.
    """

    name: str
    cells: list[str]
    form: Form = "plain"
    is_number: bool = False
    is_text: bool = False
    matters: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether all its values are missing."""
        return all(cell == NO_VALUE for cell in self.cells)

    @property
    def is_constant(self) -> bool:
        """Whether it has the same value in several rows."""
        return len(self.cells) > 1 and len(set(self.cells)) == 1


@dataclass(frozen=True, slots=True)
class Note:
    """A warning or another finding below a table, with what to do."""

    severity: str
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table as it is displayed, the same in a notebook and in a terminal.

    Parameters
    ----------
    caption
        What happened.
    columns
        The columns in the order of reading; without rows, none.
    is_list
        Whether its only row is shown as a list of names and values.
    notes
        Warnings.
    lines
        Short texts below the table: how many rows there are, what is the same in all rows, what to do next.
    code
        Texts to copy: a template, a role.
    """

    caption: str = ""
    columns: list[ShownColumn] = field(default_factory=list)
    is_list: bool = False
    notes: list[Note] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)


def arrange(
    columns: Columns, *, verb: str = "", caption: str = "", attrs: Mapping[Any, Any] | None = None, rows: int = 0
) -> ShownTable:
    """Arrange a table.

    Parameters
    ----------
    columns
        Name to values, all of equal length.
    verb
        The name of the table's schema; columns that it does not have come last.
    caption
        What happened.
    attrs
        The facts beside the table: ``warnings``, ``text``, ``role`` with ``show_role``, ``all_rows`` (the number of
        rows where the table has only some), ``more`` (how to see the others), ``empty`` (what to do if there are no
        rows; by default, that of the verb), ``input_columns`` (names of columns that come first).
    rows
        The number of all rows of the table, if `columns` has the first ones only.
    """
    facts, view = attrs or {}, VIEWS.get(verb, View())
    count = max((len(values) for values in columns.values()), default=0)
    total = max(rows, count, int(facts.get("all_rows") or 0))
    day = _common_day(columns)
    shown = _ordered_columns(columns, verb, view, facts.get("input_columns") or ())
    kept, lines = _fold(shown if day is None else [_without_day(one, columns[one.name]) for one in shown], view)
    if count < total:
        lines.insert(0, f"rows shown: {count} of {total}" + (f"; {facts['more']}" if facts.get("more") else ""))
    elif not count:
        lines = list(filter(None, [str(facts.get("empty", view.empty))]))
    return ShownTable(
        caption=make_visible(caption if day is None else f"{caption} · {day:%Y-%m-%d}".removeprefix(" · ")),
        columns=kept if count else [],
        is_list=count == 1 and len(kept) > MAX_COLUMNS_OF_ONE_ROW,
        notes=[_note(one) for one in facts.get("warnings") or []],
        lines=[make_visible(line) for line in lines],
        code=_code_blocks(facts),
    )


def _ordered_columns(columns: Columns, verb: str, view: View, inputs: Sequence[str]) -> list[ShownColumn]:
    forms = {column.name: column.form for column in SCHEMAS.get(verb, ())}
    order = [name for name in inputs if name in columns and name not in forms]
    order += [name for name in column_order(verb) if name in columns]
    order += [name for name in columns if name not in forms and name not in order]
    shown = [_column(name, columns[name], forms.get(name, "plain"), matters=name in view.first) for name in order]
    if "ok" in columns and any(one.form == "severity" for one in shown):
        shown = [_judged(one, columns["ok"]) if one.form == "severity" else one for one in shown if one.name != "ok"]
    return shown


def _column(name: str, values: Sequence[Any], form: Form, *, matters: bool) -> ShownColumn:
    kinds = {type(value) for value in values if value is not None}
    if form in ("code", "advice"):
        # Spaces of a command count, and the line breaks of code.
        texts = [value if value is None else str(value).expandtabs(4).strip("\n") for value in values]
        texts = texts if form == "code" else [text and " ".join(text.splitlines()) for text in texts]
        cells = [NO_VALUE if text is None else make_visible(text) for text in texts]
    else:
        cells = list(map(format_money if name.startswith("usd") else format_cell, values))
    return ShownColumn(
        make_visible(name), cells, form, bool(kinds) and kinds <= {int, float}, bool(kinds) and kinds <= {str}, matters
    )


def _judged(severity: ShownColumn, passed: Sequence[bool | None]) -> ShownColumn:
    """Return the column of severities with ``passed`` and ``not checked`` for what did not fail."""
    words = {True: "passed", None: "not checked"}
    cells = [words.get(ok, cell) for cell, ok in zip(severity.cells, passed, strict=True)]
    return ShownColumn(severity.name, cells, "severity", matters=True)


def _common_day(columns: Columns) -> dt.date | None:
    """Return the day of all times of a table; None if there are several days, or no times."""
    days = {
        value.astimezone(dt.UTC).date()
        for values in columns.values()
        for value in values
        if isinstance(value, dt.datetime)
    }
    return days.pop() if len(days) == 1 else None


def _without_day(column: ShownColumn, values: Sequence[Any]) -> ShownColumn:
    if not any(isinstance(value, dt.datetime) for value in values):
        return column
    return ShownColumn(
        column.name, [format_cell(value, time_format=_TIME_OF_DAY) for value in values], matters=column.matters
    )


def _fold(columns: list[ShownColumn], view: View) -> tuple[list[ShownColumn], list[str]]:
    """Return the columns to show, and lines for those that are empty or the same in all rows."""
    first = view.first[:1] or tuple(column.name for column in columns[:1])
    others = [column for column in columns if column.name not in first]
    empty = [column for column in others if column.is_empty]
    constant = [
        column
        for column in others
        if column.is_constant and not (column.is_empty or column.matters) and column.form in ("plain", "id")
    ]
    folded = {column.name for column in (*empty, *constant)}
    kept = [column for column in columns if column.name not in folded]
    lines = []
    if constant:
        lines.append("the same in all rows: " + ", ".join(f"{one.name} {one.cells[0]}" for one in constant))
    if empty:
        lines.append("no value in any row: " + ", ".join(one.name for one in empty))
    return kept, lines


def _note(finding: Mapping[str, Any]) -> Note:
    severity = str(finding.get("severity", "warning"))
    return Note(severity, make_visible(str(finding["found"])), make_visible(str(finding.get("fix") or "")))


def _code_blocks(facts: Mapping[Any, Any]) -> list[str]:
    blocks = [str(facts["text"])] if facts.get("text") else []
    if facts.get("show_role"):
        blocks.append(json.dumps(facts["role"], indent=1))
    return [make_visible(block.strip("\n")) for block in blocks]
