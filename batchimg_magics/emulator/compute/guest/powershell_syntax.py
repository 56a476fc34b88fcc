"""The part of PowerShell's language in which lists are made: pipelines, expressions, ``if`` and ``foreach``.

Source: Microsoft's documents on PowerShell (about_Pipelines, about_Operators, about_Quoting_Rules).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError

if TYPE_CHECKING:
    from collections.abc import Callable

#: A node of the tree: (kind, parts ...).
Node = tuple[Any, ...]
_OPERATORS = "eq|ne|gt|ge|lt|le|match|notmatch|like|notlike|and|or|join|f|replace|split|contains|in"
_TOKEN = re.compile(
    rf"""(?P<space>[ \t\r]+|`\r?\n|\#[^\n]*|2>\s*\$null)|(?P<end>[\n;])|(?P<here>@'\n.*?\n'@)
    |(?P<single>'(?:[^']|'')*')|(?P<double>"(?:[^"`]|`.|"")*")|(?P<variable>\$(?:env:\w+|\w+|_))
    |(?P<type>\[[A-Za-z][\w.]*(?:\[\])?\])(?=::|\$|\(|@|['"])|(?P<number>\d+(?:\.\d+)?)(?![\w.\\:-])
    |(?P<operator>-(?:i|c)?(?:{_OPERATORS})\b)|(?P<not>-not\b|!)|(?P<parameter>-[A-Za-z]\w*:?)
    |(?P<sign>::|@\(|@\{{|\$\(|\+=|[=(){{}}\[\],.|&+*])|(?P<word>[^\s;|(){{}}\[\],'"$=&`]+)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


class Parser:
    """Reads the statements of a script."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text.replace("\r\n", "\n"), 0
        self.tokens: list[tuple[str, str, bool]] = []  # kind, text, whether a blank is before it
        spaced, at = True, 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                raise UnsupportedLineError(text)
            at, kind = match.end(), str(match.lastgroup)
            if kind != "space":
                self.tokens.append((kind, match[0], spaced))
            spaced = kind in ("space", "end")

    # -- tokens --------------------------------------------------------------------------------------------------

    def _peek(self) -> tuple[str, str, bool]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("", "", True)

    def _accept(self, *texts: str) -> str:
        kind, text, _ = self._peek()
        if kind in ("sign", "word", "not") and text.lower() in texts:
            self.at += 1
            return text.lower()
        return ""

    def _need(self, text: str) -> None:
        self._skip()
        if not self._accept(text):
            raise UnsupportedLineError(self.text)

    def _skip(self) -> None:
        while self._peek()[0] == "end":
            self.at += 1

    # -- statements ----------------------------------------------------------------------------------------------

    def script(self, end: str = "") -> list[Node]:
        """Return the statements up to a closing sign, or all."""
        found: list[Node] = []
        while True:
            self._skip()
            if end and self._accept(end):
                return found
            if self.at >= len(self.tokens):
                if end:
                    raise UnsupportedLineError(self.text)
                return found
            found.append(self._statement())

    def _block(self) -> list[Node]:
        self._need("{")
        return self.script("}")

    def _statement(self) -> Node:
        if self._accept("if"):
            return self._if()
        if self._accept("foreach"):
            self._need("(")
            name = self._peek()[1]
            self.at += 1
            self._need("in")
            values = self._pipeline()
            self._need(")")
            return ("foreach", name.lower(), values, self._block())
        if self._accept("try"):
            body = self._block()
            self._need("catch")
            return ("try", body, self._block())
        return self._assignment() or self._pipeline()

    def _assignment(self) -> Node | None:
        typed = self.tokens[self.at][1][1:-1] if self._peek()[0] == "type" else ""
        (kind, name, _), (_, sign, _) = (*self.tokens[self.at + bool(typed) :], ("", "", True), ("", "", True))[:2]
        if kind != "variable" or sign not in ("=", "+="):
            return None
        self.at += 2 + bool(typed)
        value = self._statement()
        return ("assign", name.lower(), sign, ("cast", typed, value) if typed else value)

    def _if(self) -> Node:
        self._need("(")
        condition = self._pipeline()
        self._need(")")
        yes, at = self._block(), self.at
        self._skip()
        if self._accept("elseif"):
            return ("if", condition, yes, [self._if()])
        if self._accept("else"):
            return ("if", condition, yes, self._block())
        self.at = at
        return ("if", condition, yes, [])

    def _pipeline(self) -> Node:
        parts = [self._command()]
        while self._accept("|"):
            self._skip()
            parts.append(self._command())
        return ("pipe", parts) if len(parts) > 1 else parts[0]

    def _command(self) -> Node:
        called = self._accept("&")
        kind, text, _ = self._peek()
        if kind != "word" and not (called and kind in ("single", "double", "variable")):
            return self._expression()
        name = self._postfix() if kind != "word" else ("text", text)
        self.at += kind == "word"
        while kind == "word" and not self._peek()[2] and self._peek()[1] == ".":
            name = ("text", name[1] + "." + self.tokens[self.at + 1][1])
            self.at += 2
        arguments: list[tuple[str, Node | None]] = []
        while True:
            kind, text, _ = self._peek()
            if kind in ("", "end") or (kind == "sign" and text in ("|", ")", "}")):
                return ("command", name, arguments)
            if kind in ("parameter", "operator", "not") and text.startswith("-"):
                self.at += 1
                arguments.append((text.lower().strip("-:"), None))
            else:
                arguments.append(("", self._argument()))

    def _argument(self) -> Node:
        values = [self._word()]
        while self._accept(","):
            self._skip()
            values.append(self._word())
        return ("array", values) if len(values) > 1 else values[0]

    def _word(self) -> Node:
        """Read an argument of a command, e.g. a path without quotes."""
        kind, text, _ = self._peek()
        if kind not in ("word", "number", "sign") or text in ("(", "@(", "@{", "{", "$("):
            left = self._postfix()
            while self._peek()[0] in ("word", "variable") and not self._peek()[2]:  # e.g. $folder\name
                left = ("binary", "+", left, self._word())
            return left
        whole = ""
        while self._peek()[0] in ("word", "number", "sign", "operator", "parameter") and (
            not whole or not self._peek()[2]
        ) and self._peek()[1] not in (",", "|", ")", "}", "(", "{"):  # fmt: skip
            whole += self._peek()[1]
            self.at += 1
        return ("text", whole)

    # -- expressions ---------------------------------------------------------------------------------------------

    def _expression(self) -> Node:
        left = self._comparison()
        while self._peek()[0] == "operator" and self._peek()[1].lower() in ("-and", "-or"):
            sign = self._operator()
            left = ("binary", sign, left, self._comparison())
        return left

    def _comparison(self) -> Node:
        left = self._operand()
        while (self._peek()[0] == "operator" and self._peek()[1].lower() not in ("-and", "-or")) or self._peek()[
            1
        ] == "+":
            sign = self._operator()
            left = ("binary", sign, left, self._operand())
        return left

    def _operator(self) -> str:
        sign = self._peek()[1].lower().lstrip("-")
        self.at += 1
        self._skip()
        return sign

    def _operand(self) -> Node:
        if self._peek()[0] == "not":
            self.at += 1
            return ("not", self._operand())
        values = [self._postfix()]
        while self._accept(","):
            self._skip()
            values.append(self._postfix())
        return ("array", values) if len(values) > 1 else values[0]

    def _postfix(self) -> Node:
        left = self._primary()
        while True:
            kind, text, spaced = self._peek()
            if kind == "sign" and text in (".", "::") and not spaced:
                self.at += 1
                *before, name = self._peek()[1].split(".")
                self.at += 1
                for one in before:
                    left = ("member", left, one)
                left = self._member(left, name)
            elif kind == "sign" and text == "[" and not spaced:
                self.at += 1
                inside = self._expression()
                self._need("]")
                left = ("item", left, inside)
            else:
                return left

    def _member(self, left: Node, name: str) -> Node:
        if self._peek()[1] != "(" or self._peek()[2]:
            return ("member", left, name)
        self.at += 1
        self._skip()
        if self._accept(")"):
            return ("call", left, name, [])
        inside = self._expression()
        self._need(")")
        return ("call", left, name, inside[1] if inside[0] == "array" else [inside])

    def _primary(self) -> Node:
        kind, text, _ = self._peek()
        self.at += 1
        if kind == "word" and re.fullmatch(r"-\d+", text):
            kind = "number"
        read: dict[str, Callable[[], Node]] = {
            "single": lambda: ("text", text[1:-1].replace("''", "'")),
            "here": lambda: ("text", text[3:-3]),
            "double": lambda: ("string", text[1:-1].replace('""', '"')),
            "number": lambda: ("number", text),
            "variable": lambda: ("variable", text.lower()),
            "type": lambda: self._typed(text[1:-1]),
        }
        return read[kind]() if kind in read else self._enclosed(text)

    def _typed(self, name: str) -> Node:
        return ("type", name) if self._peek()[1] == "::" else ("cast", name, self._postfix())

    def _enclosed(self, text: str) -> Node:
        if text == "(":
            inside = self._statement()
            self._need(")")
            return inside
        if text in ("@(", "$("):
            return ("list" if text == "@(" else "sub", self.script(")"))
        if text == "{":
            return ("block", self.script("}"))
        if text != "@{":
            raise UnsupportedLineError(self.text)
        pairs = []
        self._skip()
        while not self._accept("}"):
            key = self._peek()[1].strip("'\"")
            self.at += 1
            self._need("=")
            pairs.append((key, self._statement()))
            self._skip()
        return ("table", pairs)
