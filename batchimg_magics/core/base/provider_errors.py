"""Errors of the resource providers of Azure, read from JSON at any depth, also where it is cut off.

Batch puts the error of a provider into a value of a resize error as JSON, sometimes only its beginning ("Provider Error
Json Truncated"). Providers put JSON into messages, and services put the errors of others into their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Levels of nested documents that are read. Azure nests three or four.
MAX_DEPTH = 16
#: Members that describe an error and contain no errors.
_DESCRIPTIONS = frozenset({"additionalinfo", "target"})
#: Where JSON begins in a message.
_JSON = re.compile(r"""\[?\s*\{\s*(?=\\*["'}]|\\*$)""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class CutText(str):
    """A string whose end is missing, because the JSON ends in it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ProviderError:
    """An error of a resource provider.

    Parameters
    ----------
    code
        The provider's error code; empty where there is none. Where the JSON ends in it: a `CutText`.
    message
        Its message in one line.
    """

    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code and self.code not in self.message else self.message


def read_errors(found: Any, depth: int = MAX_DEPTH) -> Iterator[ProviderError]:  # noqa: ANN401 - JSON
    """Yield the errors in a JSON document or in a text that contains one, the outermost first."""
    if not depth:
        return
    if isinstance(found, str):
        found = list(_read_documents(found))
    if isinstance(found, list):
        for one in found:
            yield from read_errors(one, depth - 1)
    if not isinstance(found, dict):
        return
    code = _member(found, "code") or _member(found, "errorCode")
    message = _member(found, "message")
    if isinstance(message, dict):  # the form of the data plane: {"lang", "value"}
        message = message.get("value")
    if isinstance(code, str) or (isinstance(message, str) and read_json(message) is None):
        yield ProviderError(code if isinstance(code, str) else "", one_line(str(message or code or "")))
    for name, inside in found.items():
        if name.lower() not in _DESCRIPTIONS:
            yield from read_errors(inside, depth - 1)


def one_line(text: str) -> str:
    """Return a message on one line, without the request id and time after it."""
    return " ".join(text.partition("\nRequestId:")[0].split())


def without_json(text: str) -> str:
    """Return a message up to the JSON in it, as whole sentences where there are any."""
    begin = _JSON.search(text)
    if begin is None:
        return text
    kept = text[: begin.start()].rstrip()
    whole = re.match(r".*[.!?](?=\s|$)", kept, re.DOTALL)
    return whole[0] if whole else kept.rstrip(" :='\"[(")


def _member(document: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    return next((value for key, value in document.items() if key.lower() == name.lower()), None)


# -- JSON that is cut off ----------------------------------------------------------------------------------------


def read_json(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return the first JSON object or list of objects in a text, as much of it as there is; None for none.

    Quotes may be escaped, as in JSON that was written into JSON, or be single ones.
    """
    return next(_read_documents(text), None)


def _read_documents(text: str) -> Iterator[Any]:
    while (begin := _JSON.search(text)) is not None:
        text = text[begin.start() :]
        for _ in range(MAX_DEPTH):
            if not re.match(r"\[?\s*\{\s*\\", text):
                break
            text = re.sub(r'\\(["\\/])', r"\1", text)  # JSON in JSON, without the string around it
        reader = _Reader(text)
        yield reader.read_value()
        text = text[reader.end :]


class _Reader:
    """Reads JSON up to its end or to where it stops making sense; what was read so far is the value."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    @property
    def end(self) -> int:
        """Where the value ended."""
        return max(1, self._at)

    def read_value(self) -> Any:  # noqa: ANN401 - JSON
        sign = self._peek()
        if sign == "{":
            return self._read_object()
        if sign == "[":
            return self._read_list()
        if sign in "\"'" and sign:
            return self._read_text()
        word = re.compile(r"[^\s,:\]}]*").match(self._text, self._at)
        self._at += len(word[0]) if word else 0
        return _read_word(word[0]) if word else None

    def _peek(self) -> str:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _read_object(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._at += 1
        while (sign := self._peek()) and sign in "\"',":
            if sign == ",":
                self._at += 1
                continue
            name = self._read_text()
            if self._peek() != ":":
                break
            self._at += 1
            found[name] = self.read_value()
        self._at += 1
        return found

    def _read_list(self) -> list[Any]:
        found: list[Any] = []
        self._at += 1
        while (sign := self._peek()) not in ("", "]", "}"):
            if sign in ",:":
                self._at += 1
                continue
            found.append(self.read_value())
        self._at += 1
        return found

    def _read_text(self) -> str:
        quote = self._text[self._at]
        signs: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            sign = self._text[self._at]
            self._at += 1
            if sign == quote:
                return _joined(signs)
            if sign == "\\":
                sign = self._read_escape()
            signs.append(sign)
        return CutText(_joined(signs))

    def _read_escape(self) -> str:
        sign = self._text[self._at : self._at + 1]
        self._at += 1
        if sign != "u":
            return _ESCAPES.get(sign, sign)
        digits = re.compile(r"[0-9a-fA-F]{4}").match(self._text, self._at)
        self._at += 4
        return chr(int(digits[0], 16)) if digits else ""


def _joined(signs: list[str]) -> str:
    """Return a text of its signs; JSON escapes signs beyond 16 bits as two."""
    return "".join(signs).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _read_word(word: str) -> bool | float | None:
    """Return a value without quotes; None for null and for what is no JSON."""
    if word in ("true", "false"):
        return word == "true"
    try:
        return int(word) if word.lstrip("-").isdigit() else float(word)
    except ValueError:
        return None
