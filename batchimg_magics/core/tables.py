"""The tables that verbs answer with, as plain columns, before anything makes a DataFrame or text of them.

`schemas` says what columns each has. `Session` makes DataFrames of them, the command line prints them without pandas.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchimg_magics.core.schemas import Column


@dataclass(slots=True)
class Table:
    """A verb's answer.

    Parameters
    ----------
    verb
        Whose schema the columns follow.
    columns
        Name to values, all of one length, in the schema's order. Times are `datetime` in UTC.
    caption
        What happened, in one line, for people.
    attrs
        Further facts, JSON only.
    """

    verb: str
    columns: dict[str, Sequence[Any]]
    caption: str = ""
    attrs: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, verb: str, rows: Iterable[dict[str, Any]], caption: str = "", **attrs: object) -> Table:
        """Make a table of rows; a column that a row does not have is None there."""
        rows = list(rows)
        columns: dict[str, Sequence[Any]] = {
            column.name: [row.get(column.name) for row in rows] for column in SCHEMAS[verb]
        }
        return cls(verb, columns, caption, dict(attrs))

    @property
    def schema(self) -> tuple[Column, ...]:
        """The columns' meanings, in order."""
        return SCHEMAS[self.verb]

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary a row."""
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*self.columns.values(), strict=True)]
