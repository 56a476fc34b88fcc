"""Tables that verbs return, as plain columns.

`schemas` defines the columns of each. `Session` converts a table to a DataFrame; the command line prints it without
pandas.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, compress
from typing import TYPE_CHECKING, Any, overload

from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.masking import mask_column, mask_tokens, mask_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batchimg_magics.core.base.columns import Column


class TimeColumn(Sequence[dt.datetime | None]):
    """A column of times as texts of the service, each parsed when it is read.

    A DataFrame reads the pages instead, which is many times as fast. One text of thousands of lines takes a third of
    the memory of thousands of texts. Reading one time takes as long as reading all of them.

    Parameters
    ----------
    texts
        ISO 8601 in UTC (``2026-07-01T09:06:27.0000606Z``), or None. Digits beyond the microsecond are cut off.

    Attributes
    ----------
    pages
        The texts, each followed by a newline; a missing time is an empty line.
    """

    __slots__ = ("pages",)

    def __init__(self, texts: Iterable[str | None]) -> None:
        lines = [text or "" for text in texts]
        lines.append("")
        self.pages = ["\n".join(lines)]

    @classmethod
    def concatenated(cls, parts: Iterable[TimeColumn]) -> TimeColumn:
        """Return several columns of times as one."""
        whole = cls(())
        whole.pages = [page for part in parts for page in part.pages if page]
        return whole

    @property
    def texts(self) -> list[str | None]:
        """All times as texts."""
        return [line or None for page in self.pages for line in page.split("\n")[:-1]]

    def __len__(self) -> int:
        return sum(page.count("\n") for page in self.pages)

    def __iter__(self) -> Iterator[dt.datetime | None]:
        return map(_moment, self.texts)

    @overload
    def __getitem__(self, place: int) -> dt.datetime | None: ...

    @overload
    def __getitem__(self, place: slice) -> TimeColumn: ...

    def __getitem__(self, place: int | slice) -> dt.datetime | TimeColumn | None:
        return TimeColumn(self.texts[place]) if isinstance(place, slice) else _moment(self.texts[place])

    def __repr__(self) -> str:
        return f"TimeColumn({self.texts!r})"


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None


def filter_column(values: Sequence[Any], mask: Iterable[bool]) -> Sequence[Any]:
    """Return the values of a column in the rows where a mask is true."""
    return TimeColumn(compress(values.texts, mask)) if isinstance(values, TimeColumn) else list(compress(values, mask))


def concatenate(columns: Iterable[Sequence[Any]]) -> Sequence[Any]:
    """Return columns of one kind as one column."""
    parts = list(columns)
    moments = [part for part in parts if isinstance(part, TimeColumn)]
    if moments and len(moments) == len(parts):
        return TimeColumn.concatenated(moments)
    return list(chain.from_iterable(parts))


@dataclass(slots=True)
class Table:
    """The result of a verb.

    Parameters
    ----------
    verb
        The verb whose schema the columns follow.
    columns
        Name to values, all of one length, in the schema's order. Times are `datetime` in UTC, or a `TimeColumn`.
    caption
        What happened, in one line.
    attrs
        Further facts, JSON only.
    inputs
        Columns before those of the schema: those of a user's own table.
    """

    verb: str
    columns: dict[str, Sequence[Any]]
    caption: str = ""
    attrs: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[Column, ...] = ()

    @classmethod
    def from_rows(cls, verb: str, rows: Iterable[dict[str, Any]], caption: str = "", **attrs: object) -> Table:
        """Return a table of rows. A column that a row does not have is None in it."""
        rows = list(rows)
        columns: dict[str, Sequence[Any]] = {
            column.name: [row.get(column.name) for row in rows] for column in SCHEMAS[verb]
        }
        return cls(verb, columns, caption, dict(attrs))

    @property
    def schema(self) -> tuple[Column, ...]:
        """The columns, in order."""
        return (*self.inputs, *SCHEMAS[self.verb])

    def masked(self) -> Table:
        """Return the table without secrets, as it leaves `core`: columns, caption and facts."""
        texts = {column.name for column in self.schema if column.kind in ("text", "word")}
        columns = {name: mask_column(values) if name in texts else values for name, values in self.columns.items()}
        return Table(self.verb, columns, mask_tokens(self.caption), mask_values(self.attrs), self.inputs)

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary a row."""
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*self.columns.values(), strict=True)]
