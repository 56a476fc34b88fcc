"""Lay out a table for a width: which columns fit, how wide each is, and what stands on lines of its own below a row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from batchimg_magics.display.cells import NO_VALUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchimg_magics.display.arrange import ShownColumn

__all__ = ["GAP", "Layout", "lay_out", "shorten"]

#: The least width of texts and IDs; that of a text with a longer word is the word's, if it is readable.
MIN_WIDTH = 14
#: Width to which IDs are shortened before a column is left out or a text wraps.
SHORT_ID_WIDTH = 24
#: A text that would take more lines stands below its row; in a column that is narrower than this, already half of them.
MAX_LINES = 8
READABLE_WIDTH = 30
#: If more of its texts are as long, all of a column stand below.
MAX_LONG_SHARE = 0.25
GAP = "  "


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a table that fit a width.

    Parameters
    ----------
    columns
        The columns side by side, their IDs shortened.
    widths
        Their widths.
    below
        The columns whose values stand on lines of their own below each row, if they are not missing: long texts, and
        code, which is to be copied. A column may be in both, if only some of its texts are long.
    hidden
        The names of the columns that are left out, since they do not matter.
    """

    columns: list[ShownColumn]
    widths: list[int]
    below: list[ShownColumn] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)

    def headings(self) -> list[list[str]]:
        """Return the lines of each heading, all of the same number; the last ones have text."""
        names = [_name_lines(column.name, width) for column, width in zip(self.columns, self.widths, strict=True)]
        height = max(map(len, names))
        return [[""] * (height - len(lines)) + lines for lines in names]


def lay_out(columns: list[ShownColumn], width: int, measure: Callable[[str], int] = len) -> Layout | None:
    """Return the layout of a table; None if the columns that matter do not fit.

    IDs are shortened first, then those that do not matter are left out, then code stands below its row. Texts wrap,
    further columns that do not matter are left out, the last ones first, and headings are folded. A text that would be
    unreadable stands below its row.

    Parameters
    ----------
    columns
        The columns, in order. The first one is always shown.
    width
        The width of the page.
    measure
        The function that returns the width of a text.
    """
    full = {one.name: max(map(measure, [one.name, *one.cells])) for one in columns}
    below = [one for one in columns[1:] if one.form == "code" and any("\n" in cell for cell in one.cells)]
    shown = [one for one in columns if one not in below]
    for spare in (_no_columns, _minor_ids, _code):
        taken = spare(shown)
        shown = [one for one in shown if one not in taken]
        below += [one for one in taken if one.form == "code"]
        least = {one.name: min(full[one.name], SHORT_ID_WIDTH) if one.form == "id" else full[one.name] for one in shown}
        if _total(least.values()) <= width:
            break
    else:
        folded = {one.name: _least_width(one, measure) for one in shown}
        least = {one.name: max(folded[one.name], len(one.name)) for one in shown}
        while _total(least[one.name] for one in shown) > width:
            if minor := [one for one in shown[1:] if not one.matters]:
                shown.remove(minor[-1])
            elif least is not folded:
                least = folded
            elif longest := _longest_text(shown, full):
                below.append(longest)
                shown.remove(longest)
            else:
                return None
    widths = _spread(shown, full, least, width)
    while any(_is_cramped(one, full[one.name], widths[one.name]) for one in shown):
        if not (longest := _longest_text(shown, full)):
            return None
        short, long = _split(longest, widths[longest.name], measure)
        below.append(long)
        place = shown.index(longest)
        shown[place : place + 1] = [short] if short else []
        full[longest.name] = max(map(measure, [longest.name, *(short.cells if short else ())]))
        widths = _spread(shown, full, least, width)
    names = [one.name for one in columns]
    kept = {one.name for one in (*shown, *below)}
    return Layout(
        [_with_short_ids(one, widths[one.name]) for one in shown],
        [widths[one.name] for one in shown],
        sorted(below, key=lambda one: names.index(one.name)),
        [name for name in names if name not in kept],
    )


def shorten(full_text: str, width: int) -> str:
    """Return at most `width` characters of an ID: the end of a path, or both ends of any other ID."""
    if len(full_text) <= width:
        return full_text
    if full_text.startswith("/"):
        path_end = full_text[len(full_text) - width + 1 :]
        return "…" + path_end[max(0, path_end.find("/")) :]
    tail = (width - 1) // 3
    return f"{full_text[: width - 1 - tail]}…{full_text[len(full_text) - tail :]}"


def _no_columns(_: list[ShownColumn]) -> list[ShownColumn]:
    return []


def _minor_ids(columns: list[ShownColumn]) -> list[ShownColumn]:
    return [one for one in columns[1:] if one.form == "id" and not one.matters]


def _code(columns: list[ShownColumn]) -> list[ShownColumn]:
    return [one for one in columns[1:] if one.form == "code"]


def _longest_text(columns: list[ShownColumn], full: dict[str, int]) -> ShownColumn | None:
    texts = [one for one in columns[1:] if one.is_text and full[one.name] > READABLE_WIDTH]
    return max(texts, key=lambda one: full[one.name], default=None)


def _name_lines(name: str, width: int) -> list[str]:
    """Return a heading in lines of at most this width, if its words allow it."""
    lines = [""]
    for part in name.replace("_", "_\n").split("\n"):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return lines


def _least_width(column: ShownColumn, measure: Callable[[str], int]) -> int:
    heading = max(map(len, _name_lines(column.name, 0)))
    cells = max(map(measure, column.cells))
    if column.is_text and column.form != "code":
        words = [] if column.form == "id" else [word for cell in column.cells for word in cell.split()]
        cells = min(cells, max(MIN_WIDTH, min(READABLE_WIDTH, max(map(measure, words), default=0))))
    return max(heading, cells)


def _is_cramped(column: ShownColumn, full: int, width: int) -> bool:
    return column.form != "id" and full > _most(width)


def _most(width: int) -> int:
    """Return the length of the longest text that is readable in a column."""
    return width * (MAX_LINES if width >= READABLE_WIDTH else MAX_LINES // 2)


def _split(column: ShownColumn, width: int, measure: Callable[[str], int]) -> tuple[ShownColumn | None, ShownColumn]:
    """Return the column of the texts that are readable in it, None if there are few, and that of the long ones."""
    is_long = [measure(cell) > _most(width) for cell in column.cells]
    values = sum(cell != NO_VALUE for cell in column.cells)
    if not 0 < sum(is_long) <= values * MAX_LONG_SHARE:
        return None, column
    cells = list(zip(column.cells, is_long, strict=True))
    short = replace(column, cells=["" if long else cell for cell, long in cells])
    return short, replace(column, cells=[cell if long else NO_VALUE for cell, long in cells])


def _total(widths: Iterable[int]) -> int:
    sizes = list(widths)
    return sum(sizes) + len(GAP) * (len(sizes) - 1)


def _spread(columns: list[ShownColumn], full: dict[str, int], least: dict[str, int], width: int) -> dict[str, int]:
    """Return the width of each column: the room that is left goes to texts first, then to IDs."""
    left = width - _total(least[one.name] for one in columns)
    widths = {one.name: least[one.name] for one in columns}
    for is_id in (False, True):
        names = [one.name for one in columns if (one.form == "id") is is_id]
        while left > 0 and (narrow := [name for name in names if widths[name] < full[name]]):
            widths[max(narrow, key=lambda name: full[name] / widths[name])] += 1
            left -= 1
    return widths


def _with_short_ids(column: ShownColumn, width: int) -> ShownColumn:
    return replace(column, cells=[shorten(cell, width) for cell in column.cells]) if column.form == "id" else column
