"""Expressions of templates: ``[function(argument).member[index]]``, parsed into trees.

Source: "Syntax and expressions in ARM templates".
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The longest expression. Source: the limits of templates.
MAX_EXPRESSION = 24_576
MAX_DEPTH = 64
#: Characters of the longest number: integers have 64 bits.
_LONGEST_NUMBER = 20
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?![\w.]))|(?P<name>[A-Za-z_$][\w$]*)|(?P<sign>\.\?|\[\?|[().,\[\]]))"
)


class TemplateError(Exception):
    """A template is invalid: the message is Azure's, without what surrounds it."""


class UnsupportedTemplateError(Exception):
    """A template uses something that Azure has and the emulator has not."""


class Literal(msgspec.Struct, frozen=True):
    """A string or an integer."""

    value: str | int


class Function(msgspec.Struct, frozen=True):
    """A call of a function; the name has the namespace of a user's function before a dot."""

    name: str
    arguments: tuple[Node, ...]


class Member(msgspec.Struct, frozen=True):
    """A member of an object, or an element of an array; with `safe` null if there is none."""

    of: Node
    key: Node
    safe: bool = False


Node: TypeAlias = Literal | Function | Member


def is_expression(text: str) -> bool:
    """Tell whether a string in a template is an expression."""
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


def unescaped(text: str) -> str:
    """Return the value of a string that is not an expression: ``[[`` stands for ``[``."""
    return text[1:] if text.startswith("[[") and text.endswith("]") else text


@functools.lru_cache(maxsize=2048)
def parse(text: str) -> Node:
    """Parse an expression with its brackets.

    Raises
    ------
    TemplateError
        It is not valid.
    """
    if len(text) > MAX_EXPRESSION:
        raise TemplateError(f"The template language expression is longer than {MAX_EXPRESSION} characters.")
    reader = _Reader(text[1:-1], text)
    found = reader.expression()
    reader.end()
    return found


def functions_in(node: Node) -> Iterator[Function]:
    """Yield the calls of functions in an expression, the innermost last."""
    if isinstance(node, Function):
        yield node
        for one in node.arguments:
            yield from functions_in(one)
    elif isinstance(node, Member):
        yield from functions_in(node.of)
        yield from functions_in(node.key)


class _Reader:
    """Reads an expression token by token."""

    def __init__(self, text: str, whole: str) -> None:
        self._whole = whole
        self._tokens = list(self._split(text))
        self._at = self._depth = 0

    def _split(self, text: str) -> Iterator[tuple[str, str]]:
        at, text = 0, text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._error(f"unexpected character '{text[at:].lstrip()[:1]}'")
            at = match.end()
            yield str(match.lastgroup), match[match.lastgroup or 0]

    def _error(self, why: str) -> TemplateError:
        return TemplateError(
            f"Unable to parse language expression '{self._whole}': {why}. Please see https://aka.ms/arm-functions for "
            "usage details."
        )

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, sign: str = "") -> tuple[str, str]:
        kind, text = self._peek()
        if sign and text != sign:
            raise self._error(f"expected token '{sign}' and actual '{text or 'end of expression'}'")
        self._at += 1
        return kind, text

    def end(self) -> None:
        """Check that nothing follows."""
        if self._peek()[0] != "end":
            raise self._error(f"unexpected token '{self._peek()[1]}'")

    def expression(self) -> Node:
        """Read an expression with its members."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"it is nested more than {MAX_DEPTH} levels deep")
        node = self._members(self._primary())
        self._depth -= 1
        return node

    def _members(self, node: Node) -> Node:
        for _ in range(MAX_DEPTH):
            _, text = self._peek()
            if text in (".", ".?"):
                self._take()
                kind, name = self._take()
                if kind != "name":
                    raise self._error(f"expected a name and actual '{name or 'end of expression'}'")
                node = Member(node, Literal(name), text == ".?")
            elif text in ("[", "[?"):
                self._take()
                node = Member(node, self.expression(), text == "[?")
                self._take("]")
            else:
                return node
        raise self._error(f"it has more than {MAX_DEPTH} members in a row")

    def _primary(self) -> Node:
        kind, text = self._take()
        if kind == "text":
            return Literal(text[1:-1].replace("''", "'"))
        if kind == "number":
            if len(text) > _LONGEST_NUMBER:
                raise self._error(f"the number '{text}' is too large")
            return Literal(int(text))
        if kind != "name":
            raise self._error(f"expected a function or a literal and actual '{text or 'end of expression'}'")
        if self._peek()[1] == ".":  # the namespace of a user's function
            self._take()
            text = f"{text}.{self._take()[1]}"
        self._take("(")
        arguments: list[Node] = []
        while self._peek()[1] != ")":
            if arguments:
                self._take(",")
            arguments.append(self.expression())
        self._take(")")
        return Function(text, tuple(arguments))
