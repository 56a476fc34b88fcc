"""Split a line into words: quotes, comments, the final semicolon, and references to variables."""

from __future__ import annotations

import re
from dataclasses import dataclass

from batchimg_magics.errors import SpecError
from batchimg_magics.ui.references import Part, Reference, Unescape, read_braces, read_dollar

__all__ = ["Line", "Word", "split_line"]

#: A semicolon that ends a line, also before a comment.
_FINAL_SEMICOLON = re.compile(r";\s*(?:#.*)?")


@dataclass(frozen=True, slots=True)
class Word:
    """One word.

    Parameters
    ----------
    parts
        Text without its quotes, and references.
    """

    parts: tuple[Part, ...]

    @property
    def source(self) -> str:
        """The word without its quotes, as it was written."""
        return "".join(part.source if isinstance(part, Reference) else part for part in self.parts)

    @property
    def has_spaces(self) -> bool:
        """Whether its text has white space, which is in quotes."""
        return any(re.search(r"\s", part) for part in self.parts if isinstance(part, str))


@dataclass(frozen=True, slots=True)
class Line:
    """A line.

    Parameters
    ----------
    words
        Its words.
    is_silenced
        Whether it ends with a semicolon.
    """

    words: tuple[Word, ...]
    is_silenced: bool


def split_line(line: str) -> Line:
    """Split a line into words.

    Quotes group words; inside single quotes, ``$`` is text. A backslash is text, as in the paths of Windows. A ``#`` at
    the beginning of a word starts a comment.

    Raises
    ------
    SpecError
        A quote is not closed.
    """
    return _Splitter(line).split()


class _Splitter:
    def __init__(self, line: str) -> None:
        self._line = line
        self._place = 0
        self._quote = ""
        self._quote_start = 0
        self._unescape = Unescape()
        self._words: list[Word] = []
        self._parts: list[Part] | None = None  # None: between two words

    def split(self) -> Line:
        silenced = False
        while self._place < len(self._line):
            if not self._quote:
                if self._parts is None and self._line[self._place] == "#":
                    break
                if _FINAL_SEMICOLON.fullmatch(self._line, self._place):
                    silenced = True
                    break
            self._step()
        if self._quote:
            raise SpecError("a quote is not closed", hint=f"in: {self._line.strip()}")
        self._end_word()
        return Line(tuple(self._words), silenced)

    def _step(self) -> None:
        character = self._line[self._place]
        if not self._quote and character.isspace():
            self._end_word()
            self._place += 1
        elif character == self._quote:
            self._quote = ""
            self._place += 1
        elif not self._quote and character in "'\"":
            self._quote, self._quote_start = character, self._place
            self._parts = self._parts or []
            self._place += 1
        else:
            part, self._place = self._read_part()
            self._parts = self._parts or []
            self._parts.append(part)

    def _read_part(self) -> tuple[Part, int]:
        line, place = self._line, self._place
        if (brace := self._unescape.read(line, place)) is not None:
            return brace
        if line[place] == "{":
            return read_braces(line, place)
        if line[place] == "$" and not self._in_single_quotes():
            return read_dollar(line, place)
        return line[place], place + 1

    def _in_single_quotes(self) -> bool:
        """Return whether the place is in single quotes, also inside double ones: a shell on the node has them, too."""
        if self._quote != '"':
            return self._quote == "'"
        end = self._line.find('"', self._place)
        before, after = self._line[self._quote_start : self._place], self._line[self._place : end]
        return before.count("'") % 2 == 1 and "'" in after

    def _end_word(self) -> None:
        if self._parts is not None:
            self._words.append(Word(_joined(self._parts)))
            self._parts = None


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    """Return the parts, with neighbouring texts as one."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)
