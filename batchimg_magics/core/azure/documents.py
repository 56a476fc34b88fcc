"""JSON documents of Azure, and how to read a value in them."""

from __future__ import annotations

import datetime as dt
from typing import Any, overload

import msgspec

Json = dict[str, Any]


def document(model: Any) -> Json:  # noqa: ANN401 - the SDKs' models share no public base
    """Return an SDK model as the JSON document that came over the wire."""
    found: Json = model.as_dict()
    return found


def wire(body: Json) -> Any:  # noqa: ANN401 - whichever model the call wants
    """Return a document for an SDK call: the SDKs send a mapping as it is, and their overloads do not say so."""
    return body


def dig(found: Any, *path: str | int) -> Any:  # noqa: ANN401 - JSON
    """Return what lies at a path in a document, or None where the path ends early."""
    for part in path:
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and isinstance(part, int) and part < len(found):
            found = found[part]
        else:
            return None
    return found


def seconds_of(duration: str) -> float:
    """Return the seconds of an ISO 8601 duration, as services write it."""
    return msgspec.convert(duration, dt.timedelta).total_seconds()


@overload
def parse_time(text: str) -> dt.datetime: ...


@overload
def parse_time(text: str | None) -> dt.datetime | None: ...


def parse_time(text: str | None) -> dt.datetime | None:
    """Return a time that Azure writes in ISO 8601, in UTC where it names no zone; None for None."""
    if text is None:
        return None
    time = dt.datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def region_key(name: str) -> str:
    """Return a region's programmatic name: ``East US 2`` and ``eastus2`` are one."""
    return name.replace(" ", "").lower()
