"""The command after ``--`` on a line, and the tables of the notebook that a line names.

The text after ``--`` belongs to the nodes: neither ``{name}`` nor ``$name`` is a variable of the notebook there.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.ui.references import Reference
from batchimg_magics.verbs.registry import VERB_NAMES, load_verb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.ui.line_words import Word

__all__ = ["refuse_text", "split_command", "split_words", "take_tables"]

_OPERATORS = frozenset("|&;<>()`")
_WORD = re.compile(r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"])+")


def split_command(line: str) -> tuple[str, str]:
    """Return a line up to ``--``, and the text from there; empty: the line has no command.

    Raises
    ------
    SpecError
        The line ends after ``--``.
    """
    words = list(_WORD.finditer(line))
    verb = next((one[0] for one in words if one[0] in VERB_NAMES), "")
    place = next((one for one in words if one[0] == "--"), None)
    if place is None or not verb or not load_verb(verb).words_after_dashes:
        return line, ""
    return line[: place.start()], line[place.start() :]


def split_words(command: str) -> list[str]:
    """Return ``--`` and the words of a command; empty: no command.

    Quotes group words, and a backslash is text, as in the rest of a line. A semicolon at the end silences the cell.

    Raises
    ------
    SpecError
        A quote is not closed, or the command needs a shell.
    """
    if not command:
        return []
    words: list[str] = []
    word: str | None = None
    quote = ""
    for sign in f"{re.sub(r';[ ]*$', '', command.rstrip())} ":
        if quote:
            quote, word = ("", word) if sign == quote else (quote, (word or "") + sign)
        elif sign in "'\"":
            quote, word = sign, word or ""
        elif sign.isspace():
            words += [] if word is None else [word]
            word = None
        elif sign in _OPERATORS:
            raise SpecError(
                f"{sign} after -- needs a shell, and the words there are one program",
                hint="put the command into the body of a cell: %%batchimg run ...; or quote the word",
            )
        else:
            word = (word or "") + sign
    if quote:
        raise SpecError("a quote is not closed", hint=f"in: {command.strip()}")
    return words


def refuse_text(words: tuple[Word, ...]) -> None:
    """Refuse a command as the text of an option: the braces of an option name variables of the notebook.

    Raises
    ------
    SpecError
        The line has one.
    """
    name = words[0].source if words else ""
    flag = f"--{load_verb(name).words_after_dashes}" if name in VERB_NAMES else "--"
    for word, value in pairwise(words):
        if flag != "--" and word.source == flag and not value.source.startswith("@"):
            raise SpecError(
                f"in a notebook, {flag} takes a file: {flag} @FILE",
                hint="write the command after --, or a script as the body of the cell",
            )


def take_tables(words: tuple[Word, ...], variables: Mapping[str, Any]) -> tuple[tuple[Word, ...], dict[str, Any]]:
    """Return the words without the options that name a DataFrame of the notebook, and these options.

    ``--over $df``, ``--over {df.head(20)}`` and ``--over df`` name one; the last form only if there is no such file.
    """
    name = words[0].source if words else ""
    if name not in VERB_NAMES:
        return words, {}
    flags = {option.flag: option.keyword for option in load_verb(name).options if option.is_table}
    left, tables = list(words), {}
    for place, word in enumerate(words[:-1]):
        if word.source in flags and (table := _table(words[place + 1], variables)) is not None:
            tables[flags[word.source]] = table
            left = [one for number, one in enumerate(words) if number not in (place, place + 1)]
    return tuple(left), tables


def _table(word: Word, variables: Mapping[str, Any]) -> object | None:
    """Return the table that a word names; None: it is the path of a file."""
    from batchimg_magics.session.input_tables import is_frame, to_input_table
    from batchimg_magics.ui.expansion import evaluate_reference

    if len(word.parts) != 1:
        return None
    part = word.parts[0]
    if isinstance(part, Reference):
        value = evaluate_reference(part, variables)
    else:
        value = None if Path(part).exists() else variables.get(part)
        part = Reference(f"${part}", part)
    if not is_frame(value):
        return None
    return to_input_table(value, f"${part.code}" if part.code.isidentifier() else "$table")
