"""The words and operators of shell scripts: quotes, substitutions, comments and here-documents."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import msgspec

from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError

PartKind = Literal["text", "variable", "command", "arithmetic"]


class Part(msgspec.Struct, frozen=True):
    """A part of a word: text, the name of a variable, a command whose output it is, or arithmetic.

    Parameters
    ----------
    kind, value
        The kind, and the text, name, command or expression.
    quoted
        Whether it is in quotes.
    operator, operand
        Of a variable in braces: ``:-``, ``#``, ``%%``, ``/`` ..., and the word after it.
    """

    kind: PartKind
    value: str
    quoted: bool = False
    operator: str = ""
    operand: tuple[Part, ...] = ()


Word: TypeAlias = tuple[Part, ...]


class Token(msgspec.Struct):
    """A word, or an operator; the here-document of an operator is its `body`."""

    operator: str
    word: Word = ()
    line: int = 0
    body: Word = ()


_OPERATORS = (
    "<<<",
    "<<-",
    "&>>",
    "&&",
    "||",
    ";;",
    "<<",
    ">>",
    "&>",
    ">&",
    "<&",
    ">|",
    ";",
    "&",
    "|",
    "(",
    ")",
    "<",
    ">",
    "\n",
)
_SPECIAL = re.compile(r"[A-Za-z_]\w*|[0-9@*#?$!-]")


class Lexer:
    """Splits a script into tokens."""

    def __init__(self, text: str) -> None:
        self.text = text.replace("\\\r\n", "").replace("\r\n", "\n")
        self.at = 0
        self.line = 1
        self._documents: list[tuple[Token, str, bool, bool]] = []

    def tokens(self) -> list[Token]:
        """Return the tokens of the script."""
        found: list[Token] = []
        while self._skip_blanks():
            token = self._next(found)
            found.append(token)
            if token.operator == "\n" and self._documents:
                self._read_documents()
        if self._documents:
            self._read_documents()
        return found

    def _skip_blanks(self) -> bool:
        while self.at < len(self.text):
            if self.text[self.at] in " \t":
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
                self.line += 1
            elif self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return True
        return False

    def _next(self, before: list[Token]) -> Token:
        line = self.line
        if match := re.compile(r"[0-9]+(?=[<>])").match(self.text, self.at):  # the number of a stream
            self.at = match.end()
            return Token(match[0] + self._operator(), line=line)
        if operator := self._operator():
            token = Token(operator, line=line)
            if operator == "\n":
                self.line += 1
            return token
        word = self._word()
        if before and before[-1].operator in ("<<", "<<-"):
            quoted = any(part.quoted for part in word)
            limit = "".join(part.value for part in word)
            self._documents.append((before[-1], limit, quoted, before[-1].operator == "<<-"))
        return Token("", word, line)

    def _operator(self) -> str:
        found = next((one for one in _OPERATORS if self.text.startswith(one, self.at)), "")
        self.at += len(found)
        return found

    def _read_documents(self) -> None:
        for token, limit, quoted, strips in self._documents:
            lines = []
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line, self.at = self.text[self.at : end], end + 1
                self.line += 1
                line = line.lstrip("\t") if strips else line
                if line == limit:
                    break
                lines.append(f"{line}\n")
            text = "".join(lines)
            token.body = (Part("text", text, quoted=True),) if quoted else parse_double_quoted(text)
        self._documents = []

    def _word(self) -> Word:
        parts: list[Part] = []
        while self.at < len(self.text):
            one = self.text[self.at]
            if one in " \t\n;&|()<>":
                break
            parts += self.part(one)
        return tuple(parts)

    def part(self, one: str) -> list[Part]:
        """Return the parts that begin here: a quoted text, a substitution, or plain text."""
        if one == "'":
            return [Part("text", self._until("'"), quoted=True)]
        if one == '"':
            inside = self._double_quoted()
            return [*parse_double_quoted(inside), Part("text", "", quoted=True)]
        if one == "\\":
            self.at += 2
            return [Part("text", self.text[self.at - 1 : self.at].replace("\n", ""), quoted=True)]
        if one in "$`":
            part, self.at = read_substitution(self.text, self.at, quoted=False)
            return [part]
        match = re.compile(r"[^\s;&|()<>'\"\\$`]+").match(self.text, self.at)
        if match is None:
            raise UnsupportedLineError(self.text[self.at :])
        self.at = match.end()
        return [Part("text", match[0])]

    def _until(self, quote: str) -> str:
        end = self.text.find(quote, self.at + 1)
        if end < 0:
            raise UnsupportedLineError(self.text[self.at :])
        inside, self.at = self.text[self.at + 1 : end], end + 1
        self.line += inside.count("\n")
        return inside

    def _double_quoted(self) -> str:
        """Return what is between two double quotes, as it is written."""
        end = _end_of_quotes(self.text, self.at)
        inside, self.at = self.text[self.at + 1 : end], end + 1
        self.line += inside.count("\n")
        return inside


#: A variable in braces with an operator: its value, or something else; without a beginning or an end; replaced.
_BRACES = re.compile(r"(?P<name>\w+|[@*#?$!-])(?P<operator>:?[-=?+]|##?|%%?|//?)?(?P<operand>.*)", re.DOTALL)


def read_substitution(text: str, at: int, *, quoted: bool) -> tuple[Part, int]:
    """Return the substitution that begins at a place in a text, and the place after it."""
    if text[at] == "`":
        end = text.find("`", at + 1)
        if end < 0:
            raise UnsupportedLineError(text[at:])
        return Part("command", re.sub(r"\\([$`\\])", r"\1", text[at + 1 : end]), quoted), end + 1
    if text.startswith("$'", at) and not quoted:
        return _ansi_quoted(text, at)
    if text[at + 1 : at + 2] in ("(", "{"):
        end = _closing(text, at + 1)
        return _enclosed(text[at + 1], text[at + 2 : end], quoted=quoted), end + 1
    match = _SPECIAL.match(text, at + 1)
    if match is None:
        return Part("text", "$", quoted), at + 1
    return Part("variable", match[0], quoted), match.end()


def _enclosed(mark: str, inside: str, *, quoted: bool) -> Part:
    """Return a variable in braces, arithmetic, or a command in parentheses."""
    if mark == "{":
        return _braces(inside, quoted=quoted)
    if inside.startswith("(") and inside.endswith(")"):
        return Part("arithmetic", inside[1:-1], quoted)
    return Part("command", inside, quoted)


def _ansi_quoted(text: str, at: int) -> tuple[Part, int]:
    match = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL).match(text, at)
    if match is None:
        raise UnsupportedLineError(text[at:])
    return Part("text", unescape(match[1]), quoted=True), match.end()


def _braces(inside: str, *, quoted: bool) -> Part:
    """Return a variable in braces."""
    if re.fullmatch(r"#\w+", inside):
        return Part("variable", inside[1:], quoted, "length")
    match = _BRACES.fullmatch(inside)
    if match is None or (match["operand"] and not match["operator"]):
        raise UnsupportedLineError(f"${{{inside}}}")
    operand = parse_double_quoted(match["operand"]) if quoted else parse_unquoted(match["operand"])
    return Part("variable", match["name"], quoted, match["operator"] or "", operand)


def parse_unquoted(text: str) -> Word:
    """Return the parts of a text whose quotes are removed, and whose blanks stay."""
    lexer, parts = Lexer(text), list[Part]()
    while lexer.at < len(text):
        one = text[lexer.at]
        if one in " \t\n;&|()<>":
            parts.append(Part("text", one))
            lexer.at += 1
        else:
            parts += lexer.part(one)
    return tuple(parts)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b"}


def unescape(text: str) -> str:
    """Return a text with the escapes of ``printf`` and ``$'...'`` replaced."""

    def one(match: re.Match[str]) -> str:
        word = match[1]
        if word[0] == "x" and len(word) > 1:
            return chr(int(word[1:], 16))
        return chr(int(word, 8) % 256) if word.isdigit() else _ESCAPES.get(word, word)

    return re.sub(r"\\(x[0-9A-Fa-f]{1,2}|0?[0-7]{1,3}|.)", one, text, flags=re.DOTALL)


def _end_of_quotes(text: str, at: int) -> int:
    """Return the place of the double quote that closes the one at a place."""
    place = at + 1
    while place < len(text):
        one = text[place]
        if one == '"':
            return place
        if one == "`":
            place = max(text.find("`", place + 1), place)
        elif one == "$" and text[place + 1 : place + 2] in ("(", "{"):
            place = _closing(text, place + 1)
        place += 2 if one == "\\" else 1
    raise UnsupportedLineError(text[at:])


def _closing(text: str, at: int) -> int:
    """Return the place of the parenthesis or brace that closes the one at a place."""
    opens, closes, depth, place = text[at], ")" if text[at] == "(" else "}", 0, at
    while place < len(text):
        one = text[place]
        if one == "\\":
            place += 1
        elif one == "'":
            place = text.find("'", place + 1)
            if place < 0:
                break
        elif one == '"':
            place = _end_of_quotes(text, place)
        elif one == "#" and opens == "(" and text[place - 1] in " \t\n;":
            place = max(text.find("\n", place), place)
        elif one == opens:
            depth += 1
        elif one == closes:
            depth -= 1
            if depth == 0:
                return place
        place += 1
    raise UnsupportedLineError(text[at:])


def parse_double_quoted(text: str) -> Word:
    """Return the parts of a text in double quotes."""
    parts: list[Part] = []
    at = 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text) and text[at + 1] in '$`"\\\n':
            parts.append(Part("text", text[at + 1].replace("\n", ""), quoted=True))
            at += 2
        elif text[at] in "$`":
            part, at = read_substitution(text, at, quoted=True)
            parts.append(part)
        else:
            parts.append(Part("text", text[at], quoted=True))
            at += 1
    return tuple(parts)


def plain(word: Word) -> str:
    """Return a word without quotes or substitutions, e.g. a keyword; empty for any other."""
    return "".join(part.value for part in word) if all(p.kind == "text" and not p.quoted for p in word) else ""
