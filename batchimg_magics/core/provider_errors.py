"""What lies in a provider's own error: JSON in JSON, unpacked into a plain sentence.

Batch passes on what Compute or Network told it as text, in the values of a resize error: ``Reason``, or ``Provider
Error Json`` with ``{"error": {"code", "message", "details": [...]}}``, where a message may be such JSON again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How deep it is looked: Azure nests three or four levels.
DEPTH = 8
#: What wraps an error and says nothing of its own.
_WRAPPERS = frozenset({"", "badrequest", "conflict", "deploymentfailed", "invalidtemplatedeployment", "multipleerrors"})


@dataclass(frozen=True, slots=True)
class Cause:
    """An error as its provider gave it.

    Parameters
    ----------
    code
        The provider's code; empty where there is none.
    message
        Its message in one line.
    """

    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code and self.code not in self.message else self.message


def innermost(text: str) -> Cause:
    """Return the error that a text is about: the deepest one with a code that says something.

    A text without JSON in it is its own message.
    """
    found = list(_causes(text, DEPTH))
    telling = [cause for cause in found if cause.code.lower() not in _WRAPPERS]
    return (telling or found or [Cause("", _line(text))])[-1]


def _causes(found: Any, depth: int) -> Iterator[Cause]:  # noqa: ANN401 - JSON
    """Yield the errors in a document or a text, from the outside in."""
    if isinstance(found, str):
        found = _document(found)
    if depth and isinstance(found, list):
        for one in found:
            yield from _causes(one, depth - 1)
    if not depth or not isinstance(found, dict):
        return
    code, message = found.get("code"), found.get("message")
    if isinstance(message, dict):  # the data plane's own way: {"lang", "value"}
        message = message.get("value")
    inside = _document(message) if isinstance(message, str) else None
    if (code or message) and inside is None:
        yield Cause(str(code or ""), _line(str(message or code)))
    for part in ("error", "innererror", "innerError", "details"):
        yield from _causes(found.get(part), depth - 1)
    yield from _causes(inside, depth - 1)


def _document(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON object in a text, or None."""
    begin = text.find("{")
    if begin < 0:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(text, begin)
    except ValueError:
        return None
    return found


def _line(text: str) -> str:
    """Return a message in one line, without the request id and time that follow it."""
    return " ".join(text.partition("\nRequestId:")[0].split())
