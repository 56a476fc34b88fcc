"""The syntax of awk programs, as trees of tuples: (kind, parts ...). Source: POSIX."""

from __future__ import annotations

import re
from typing import Any

from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_words import unescape

#: A node of the tree.
Node = tuple[Any, ...]

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\\\n|\#[^\n]*)|(?P<newline>\n)|(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)
    |(?P<string>"(?:[^"\\]|\\.)*")|(?P<name>[A-Za-z_]\w*)
    |(?P<sign>\+\+|--|\+=|-=|\*=|/=|%=|==|!=|<=|>=|&&|\|\||>>|!~|[-+*/%^!<>=~?:,;(){}\[\]$|])""",
    re.VERBOSE | re.DOTALL,
)
#: Before these a slash divides; elsewhere it begins a pattern.
_OPERAND_ENDS = frozenset({")", "]", "$"})
_KEYWORDS = frozenset({"if", "else", "for", "while", "in", "print", "printf", "next", "exit", "BEGIN", "END", "delete",
                       "break", "continue", "getline", "function", "return", "do"})  # fmt: skip


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        if text[at] == "/" and not _is_division(found):
            match = re.compile(r"/((?:[^/\\\n\[]|\\.|\[\^?\]?[^\]]*\])*)/").match(text, at)
            if match is None:
                raise UnsupportedLineError(text)
            found.append(("regex", match[1].replace("\\/", "/")))
            at = match.end()
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise UnsupportedLineError(text)
        at, kind = match.end(), str(match.lastgroup)
        if kind == "string":
            found.append((kind, unescape(match[0][1:-1])))
        elif kind == "name":
            called = text[at : at + 1] == "("
            found.append(("keyword" if match[0] in _KEYWORDS else "call" if called else kind, match[0]))
        elif kind != "space":
            found.append(("sign" if kind == "newline" else kind, match[0]))
    return found


def _is_division(before: list[tuple[str, str]]) -> bool:
    return bool(before) and (before[-1][0] in ("number", "string", "name") or before[-1][1] in _OPERAND_ENDS)


class Parser:
    """Reads an awk program."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = _tokens(text)
        self._at = 0
        self._no_in = self._no_more = False

    def program(self) -> list[tuple[Node | None, Node | None]]:
        """Return (pattern, action) pairs; a pattern may be ``("BEGIN",)`` or ``("END",)``."""
        found: list[tuple[Node | None, Node | None]] = []
        self._skip()
        while self._at < len(self._tokens):
            pattern: Node | None = None
            if self._is("keyword", "BEGIN") or self._is("keyword", "END"):
                pattern = (self._take(),)
            elif not self._is("sign", "{"):
                pattern = self._expression()
                if self._accept(","):
                    pattern = ("range", pattern, self._expression())
            action = self._block() if self._is("sign", "{") else None
            found.append((pattern, action))
            self._skip()
        return found

    # -- tokens --------------------------------------------------------------------------------------------------

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _is(self, kind: str, text: str) -> bool:
        return self._peek() == (kind, text)

    def _take(self) -> str:
        if self._at >= len(self._tokens):
            raise UnsupportedLineError(self.text)
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _accept(self, *signs: str) -> str:
        kind, text = self._peek()
        return self._take() if kind == "sign" and text in signs else ""

    def _need(self, sign: str) -> None:
        if not self._accept(sign):
            raise UnsupportedLineError(self.text)

    def _skip(self) -> None:
        while self._accept("\n", ";"):
            pass

    # -- statements ----------------------------------------------------------------------------------------------

    def _block(self) -> Node:
        self._need("{")
        found = []
        self._skip()
        while not self._accept("}"):
            found.append(self._statement())
            self._skip()
        return ("block", found)

    def _statement(self) -> Node:
        if self._is("sign", "{"):
            return self._block()
        kind, text = self._peek()
        if kind == "keyword":
            work = {"if": self._if, "for": self._for, "while": self._while, "print": self._print, "printf": self._print,
                    "delete": self._delete}.get(text)  # fmt: skip
            if work is not None:
                return work(self._take())
            if text in ("next", "break", "continue"):
                return (self._take(),)
            if text == "exit":
                self._take()
                ends = self._peek()[1] in ("", ";", "}", "\n")
                return ("exit", None if ends else self._expression())
            raise UnsupportedLineError(self.text)
        return ("do", self._expression())

    def _inner(self) -> Node:
        while self._accept("\n"):
            pass
        return ("block", []) if self._accept(";") else self._statement()

    def _if(self, _: str) -> Node:
        self._need("(")
        condition = self._expression()
        self._need(")")
        yes = self._inner()
        before = self._at
        self._skip()
        if self._is("keyword", "else"):
            self._take()
            return ("if", condition, yes, self._inner())
        self._at = before
        return ("if", condition, yes, None)

    def _while(self, _: str) -> Node:
        self._need("(")
        condition = self._expression()
        self._need(")")
        return ("for", None, condition, None, self._inner())

    def _for(self, _: str) -> Node:
        self._need("(")
        following = [text for _, text in self._tokens[self._at : self._at + 4]]
        if following[1:2] == ["in"] and following[3:4] == [")"]:
            name = self._take()
            self._at += 1
            array = self._take()
            self._need(")")
            return ("each", name, array, self._inner())
        first = None if self._is("sign", ";") else ("do", self._expression())
        self._need(";")
        condition = None if self._is("sign", ";") else self._expression()
        self._need(";")
        step = None if self._is("sign", ")") else ("do", self._expression())
        self._need(")")
        return ("for", first, condition, step, self._inner())

    def _print(self, word: str) -> Node:
        before, self._no_more = self._no_more, True
        values = []
        grouped = self._is("sign", "(") and self._closes_statement()
        if grouped:
            self._take()
            self._no_more = False
        if self._peek()[1] not in ("", ";", "}", "\n", ">", ">>", "|") or self._peek()[0] in ("string", "regex"):
            values = self._list()
        if grouped:
            self._need(")")
        self._no_more = before
        where = self._accept(">", ">>", "|")
        target = self._concatenation() if where else None
        return (word, values, where, target)

    def _closes_statement(self) -> bool:
        """Tell whether the parenthesis that begins here ends with the arguments."""
        depth = 0
        for place in range(self._at, len(self._tokens)):
            kind, text = self._tokens[place]
            depth += (text == "(") - (text == ")") if kind == "sign" else 0
            if depth == 0:
                following = self._tokens[place + 1][1] if place + 1 < len(self._tokens) else ""
                return following in ("", ";", "}", "\n", ">", ">>", "|")
        return False

    def _delete(self, _: str) -> Node:
        name = self._take()
        if not self._accept("["):
            return ("delete", name, None)
        index = self._list()
        self._need("]")
        return ("delete", name, index)

    # -- expressions ---------------------------------------------------------------------------------------------

    def _list(self) -> list[Node]:
        found = [self._expression()]
        while self._accept(","):
            while self._accept("\n"):
                pass
            found.append(self._expression())
        return found

    def _expression(self) -> Node:
        left = self._or()
        if self._accept("?"):
            yes = self._expression()
            self._need(":")
            return ("choose", left, yes, self._expression())
        if sign := self._accept("=", "+=", "-=", "*=", "/=", "%="):
            if left[0] not in ("name", "field", "item"):
                raise UnsupportedLineError(self.text)
            return ("assign", sign[:-1], left, self._expression())
        return left

    def _or(self) -> Node:
        left = self._and()
        while self._accept("||"):
            left = ("or", left, self._and())
        return left

    def _and(self) -> Node:
        left = self._in()
        while self._accept("&&"):
            while self._accept("\n"):
                pass
            left = ("and", left, self._in())
        return left

    def _in(self) -> Node:
        left = self._match()
        while self._is("keyword", "in"):
            self._take()
            left = ("in", left, self._take())
        return left

    def _match(self) -> Node:
        left = self._comparison()
        while sign := self._accept("~", "!~"):
            left = ("match", sign, left, self._comparison())
        return left

    def _comparison(self) -> Node:
        left = self._concatenation()
        signs = ("<", "<=", "==", "!=", ">=") if self._no_more else ("<", "<=", "==", "!=", ">", ">=")
        if sign := self._accept(*signs):
            return ("compare", sign, left, self._concatenation())
        return left

    def _concatenation(self) -> Node:
        left = self._sum()
        while True:
            kind, text = self._peek()
            if kind in ("number", "string", "name", "call", "regex") or (
                kind == "sign" and text in ("$", "(", "!", "-")
            ):
                left = ("join", left, self._sum())
            else:
                return left

    def _sum(self) -> Node:
        left = self._product()
        while sign := self._accept("+", "-"):
            left = ("number", sign, left, self._product())
        return left

    def _product(self) -> Node:
        left = self._unary()
        while sign := self._accept("*", "/", "%"):
            left = ("number", sign, left, self._unary())
        return left

    def _unary(self) -> Node:
        if sign := self._accept("!", "-", "+"):
            return ("not", self._unary()) if sign == "!" else ("number", sign, ("text", 0.0), self._unary())
        if sign := self._accept("++", "--"):
            return ("raise", sign, self._primary(), True)
        left = self._primary()
        if left[0] in ("name", "field", "item") and (sign := self._accept("++", "--")):
            return ("raise", sign, left, False)
        if self._accept("^"):
            return ("number", "^", left, self._unary())
        return left

    def _primary(self) -> Node:
        kind, text = self._peek()
        if kind == "number":
            return ("text", float(self._take()))
        if kind in ("string", "regex"):
            self._take()
            return ("text" if kind == "string" else "regex", text)
        if kind in ("call", "name"):
            return self._call() if kind == "call" else self._name()
        if self._accept("$"):
            return ("field", self._primary() if not self._is("sign", "-") else self._unary())
        self._need("(")
        before, self._no_more = self._no_more, False
        inside = self._list()
        self._no_more = before
        self._need(")")
        return ("group", inside) if len(inside) > 1 else ("paren", inside[0])

    def _name(self) -> Node:
        text = self._take()
        if self._accept("["):
            index = self._list()
            self._need("]")
            return ("item", text, index)
        return ("call", "length", []) if text == "length" else ("name", text)

    def _call(self) -> Node:
        name = self._take()
        self._need("(")
        arguments = [] if self._is("sign", ")") else self._list()
        self._need(")")
        return ("call", name, arguments)
