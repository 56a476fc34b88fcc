"""The part of R in which installed packages are listed: calls, assignments, indexing and ``for``.

Source: the reference manual of R. A value is a list of texts (a vector), or a `Frame` (a matrix or a data frame).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_words import unescape

#: A node of the tree: (kind, parts ...).
Node = tuple[Any, ...]
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*)|(?P<end>[\n;])|(?P<number>\d+(?:\.\d+)?L?)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<name>[A-Za-z.][\w.]*(?:::[A-Za-z.][\w.]*)?)
    |(?P<sign><-|==|!=|<=|>=|&&|\|\||%in%|[-+*/=(){}\[\],$:!<>&|~@^])""",
    re.VERBOSE | re.DOTALL,
)


class Frame(msgspec.Struct):
    """A matrix or a data frame: its columns, in order, and whether rows have names."""

    columns: dict[str, list[str]]
    rows: list[str]

    def select(self, chosen: list[int]) -> Frame:
        """Return the rows with these places."""
        return Frame(
            {name: [one[n] for n in chosen] for name, one in self.columns.items()}, [self.rows[n] for n in chosen]
        )


class Parser:
    """Reads expressions of R."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise UnsupportedLineError(text)
            at, kind = match.end(), str(match.lastgroup)
            if kind != "space":
                self.tokens.append((kind, match[0]))
        self.at = 0

    def program(self, *, nested: bool = False) -> list[Node]:
        """Return the expressions of a text, or of a block in braces."""
        found: list[Node] = []
        while True:
            self._skip()
            if self.at >= len(self.tokens):
                if nested:
                    raise UnsupportedLineError(self.text)
                return found
            if nested and self._accept("}"):
                return found
            found.append(self._assignment())

    def _skip(self) -> None:
        while self.at < len(self.tokens) and self.tokens[self.at][0] == "end":
            self.at += 1

    def _accept(self, *signs: str) -> str:
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "sign" and self.tokens[self.at][1] in signs:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return ""

    def _need(self, sign: str) -> None:
        self._skip()
        if not self._accept(sign):
            raise UnsupportedLineError(self.text)

    def _assignment(self) -> Node:
        left = self._comparison()
        if self._accept("<-", "="):
            self._skip()
            return ("assign", left, self._assignment())
        return left

    def _comparison(self) -> Node:
        left = self._range()
        if sign := self._accept("==", "!=", "%in%"):
            return ("compare", sign, left, self._range())
        return left

    def _range(self) -> Node:
        if self._accept("!"):
            return ("not", self._comparison())
        left = self._postfix()
        return ("range", left, self._postfix()) if self._accept(":") else left

    def _postfix(self) -> Node:
        left = self._primary()
        while sign := self._accept("(", "[", "$"):
            if sign == "$":
                left = ("column", left, self._name())
            elif sign == "(":
                left = ("call", left, self._arguments(")"))
            else:
                double = self._accept("[")
                left = ("index", left, self._arguments("]"))
                if double:
                    self._need("]")
        return left

    def _name(self) -> str:
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        if kind not in ("name", "string"):
            raise UnsupportedLineError(self.text)
        self.at += 1
        return unescape(text[1:-1]) if kind == "string" else text

    def _arguments(self, end: str) -> list[tuple[str, Node | None]]:
        """Return (name, value) pairs; an empty place, as in ``x[, 1]``, has no value."""
        found: list[tuple[str, Node | None]] = []
        self._skip()
        if self._accept(end):
            return found
        while True:
            self._skip()
            found.append(self._argument(end))
            self._skip()
            if self._accept(end):
                return found
            self._need(",")

    def _argument(self, end: str) -> tuple[str, Node | None]:
        following = [text for _, text in self.tokens[self.at : self.at + 2]]
        if following[:1] in ([","], [end]):
            return "", None
        if following[1:2] == ["="] and self.tokens[self.at][0] in ("name", "string"):
            name = self._name()
            self.at += 1
            self._skip()
            return name, self._comparison()
        return "", self._comparison()

    def _primary(self) -> Node:
        self._skip()
        if self._accept("("):
            inside = self._assignment()
            self._need(")")
            return inside
        if self._accept("{"):
            return ("block", self.program(nested=True))
        if self._accept("-"):
            return ("minus", self._primary())
        if self.at >= len(self.tokens) or self.tokens[self.at][0] in ("sign", "end"):
            raise UnsupportedLineError(self.text)
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return ("text", [text.rstrip("L")])
        if kind == "string":
            return ("text", [unescape(text[1:-1])])
        return self._for() if text == "for" else ("name", text)

    def _for(self) -> Node:
        self._need("(")
        name = self._name()
        if self._name() != "in":
            raise UnsupportedLineError(self.text)
        values = self._comparison()
        self._need(")")
        self._skip()
        return ("for", name, values, self._assignment())
