"""`InputTable`: the table that a command runs over, as plain columns of texts.

A task gets texts only. Each column also has the kind and the pandas dtype that its values came with, so that the answer
has them again. A missing value is None here and an empty text in the task.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchimg_magics.core.base.columns import Kind

__all__ = ["MAX_ROWS", "InputColumn", "InputTable", "parse_values"]

#: More rows are a mistake: a job of Batch with a million tasks takes hours to be listed alone.
MAX_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class InputColumn:
    """One column.

    Parameters
    ----------
    name
        Its name.
    texts
        Its values, as tasks get them; None: missing.
    kind
        What the values are: ``text``, ``int``, ``float`` or ``bool``.
    dtype
        The dtype in pandas; empty: that of the kind.
    """

    name: str
    texts: Sequence[str | None]
    kind: Kind = "text"
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class InputTable:
    """A table that a command runs over.

    Parameters
    ----------
    columns
        Its columns, all of one length.
    on_line
        How a line refers to it: the path of a file, or ``$name``.
    """

    columns: tuple[InputColumn, ...]
    on_line: str = "$table"

    def __len__(self) -> int:
        return len(self.columns[0].texts) if self.columns else 0

    def __str__(self) -> str:
        return self.on_line

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def row(self, number: int) -> dict[str, str | None]:
        """Return the values of a row by column."""
        return {column.name: column.texts[number] for column in self.columns}

    def digest(self) -> str:
        """Return a hash of the names and values."""
        found = hashlib.sha256()
        for column in self.columns:
            found.update(json.dumps([column.name, list(column.texts)]).encode())
        return found.hexdigest()

    def repeated(self) -> int:
        """Return how many rows are equal to an earlier one."""
        rows = Counter(zip(*(column.texts for column in self.columns), strict=True))
        return sum(count - 1 for count in rows.values())

    def check(self) -> InputTable:
        """Return the table if a command can run over it.

        Raises
        ------
        SpecError
            It has no rows, too many, names that are not usable, or text that no task can get.
        """
        if not self.columns or not len(self):
            raise SpecError(f"--over {self.on_line}: the table has no rows", hint="each row is one task")
        if len(self) > MAX_ROWS:
            raise SpecError(
                f"--over {self.on_line}: {len(self):,} rows, more than {MAX_ROWS:,}",
                hint="let one row stand for several pieces of work",
            )
        _check_names(self.names, self.on_line)
        for column in self.columns:
            _check_texts(column, self.on_line)
        return self


def _check_names(names: Iterable[str], where: str) -> None:
    lengths = Counter(names)
    if (twice := next((name for name, count in lengths.items() if count > 1), None)) is not None:
        raise SpecError(f"--over {where}: two columns are named {twice!r}", hint="rename one of them")
    for number, name in enumerate(lengths, start=1):
        if not name.strip():
            raise SpecError(f"--over {where}: column {number} has no name", hint="give it one in the first line")
        if any(sign in name for sign in "{}\n\r\0"):
            raise SpecError(
                f"--over {where}: the column {name!r} has a brace or a line break in its name", hint="rename it"
            )


def _check_texts(column: InputColumn, where: str) -> None:
    for number, text in enumerate(column.texts):
        if text is None or text.isascii():
            if text is not None and "\0" in text:
                problem = "a NUL character, which no command line can have"
            else:
                continue
        elif "\0" in text:
            problem = "a NUL character, which no command line can have"
        elif any("\ud800" <= sign <= "\udfff" for sign in text):
            problem = "half a character (a surrogate), which UTF-8 cannot have"
        else:
            continue
        raise SpecError(f"--over {where}: row {number} has {problem} in column {column.name!r}", hint="remove it")


def parse_values(texts: Iterable[str | None], kind: Kind) -> list[Any]:
    """Return the values of texts; None for a missing value, or one that is no longer of the kind."""
    convert = {"int": int, "float": float, "bool": lambda text: {"True": True, "False": False}[text]}.get(kind)
    return list(texts) if convert is None else [_converted(text, convert) for text in texts]


def _converted(text: str | None, convert: Any) -> Any:  # noqa: ANN401 - a type, or a function
    try:
        return None if text is None else convert(text)
    except (ValueError, KeyError, OverflowError):
        return None
