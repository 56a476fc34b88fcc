"""The command of a run as the user writes it: text with ``{column}``.

``{{`` and ``}}`` are braces. ``${name}`` is the shell's, and so is a brace before a space or ``}``. Everything else in
braces must name a column, or ``row``. A name of a column wins over ``row``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["ROW_NAME", "Command", "Reference", "Token", "command_text", "is_script", "parse_text"]

#: What a user gives: a script, or the words of one program.
Command = str | tuple[str, ...]
#: The name of the number of the row.
ROW_NAME = "row"


@dataclass(frozen=True, slots=True)
class Reference:
    """``{name}`` of a column, or of the number of the row.

    Parameters
    ----------
    name
        The name.
    is_row
        Whether it is the number of the row.
    """

    name: str
    is_row: bool = False


#: One character of text, or a reference.
Token = str | Reference


def is_script(command: Command) -> bool:
    """Tell whether a command is a script for the shell; otherwise it is the words of one program."""
    return isinstance(command, str)


def command_text(command: Command) -> str:
    """Return a command in one text, for displays."""
    return command.strip() if isinstance(command, str) else " ".join(command)


def parse_text(text: str, columns: Collection[str]) -> list[Token]:
    """Return the characters of a text, with references in place of the columns.

    Raises
    ------
    SpecError
        Something in braces is no column.
    """
    return list(_tokens(text, columns))


def _tokens(text: str, columns: Collection[str]) -> Iterator[Token]:
    place, doubled, shell = 0, 0, 0
    while place < len(text):
        sign = text[place]
        if sign == "$" and text.startswith("{", place + 1):
            shell += 1
            yield from "${"
            place += 2
        elif text.startswith("{{", place):
            doubled += 1
            yield "{"
            place += 2
        elif sign == "}" and doubled and not shell and text.startswith("}}", place):
            doubled -= 1
            yield "}"
            place += 2
        elif sign == "{" and text[place + 1 : place + 2].strip() not in ("", "}"):
            reference, place = _reference(text, place, columns)
            yield reference
        else:
            shell -= sign == "}" and shell > 0
            yield sign
            place += 1


def _reference(text: str, start: int, columns: Collection[str]) -> tuple[Reference, int]:
    end = text.find("}", start)
    name = text[start + 1 : end] if end > 0 else text[start + 1 :].partition("\n")[0]
    if end > 0 and (name in columns or name == ROW_NAME):
        return Reference(name, name not in columns), end + 1
    shown = name if len(name) <= 40 else f"{name[:40]}..."
    near = suggest_name(name, [*columns, ROW_NAME])
    raise SpecError(
        f"there is no column {shown!r} in the table",
        hint=f"{near} For a brace that is meant, write it twice: {{{{{shown}}}}}".strip(),
    )


def used_columns(tokens: Sequence[Token]) -> set[str]:
    """Return the names of the columns that a text refers to."""
    return {token.name for token in tokens if isinstance(token, Reference) and not token.is_row}
