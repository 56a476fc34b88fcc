"""JSON documents of Azure, and how to read values from them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]


def document(model: Any) -> Json:  # noqa: ANN401 - the SDKs' models share no public base
    """Return the JSON document that an SDK model was read from."""
    found: Json = model.as_dict()
    return found


def wire(body: Json) -> Any:  # noqa: ANN401 - the model type of the call
    """Return a document as an argument of an SDK call. The SDKs send a mapping unchanged, but do not declare it."""
    return body


def dig(found: Any, *path: str | int) -> Any:  # noqa: ANN401 - JSON
    """Return the value at a path in a document, or None where the path does not exist."""
    for part in path:
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and isinstance(part, int) and part < len(found):
            found = found[part]
        else:
            return None
    return found


def without_empty(pairs: Mapping[str, Any]) -> Json:
    """Return the pairs with a value. A missing property has Azure's default; null is not always the same."""
    return {name: value for name, value in pairs.items() if value not in (None, (), [], {})}


def seconds_of(duration: str) -> float:
    """Return an ISO 8601 duration in seconds.

    Raises
    ------
    ValueError
        It is not a duration, or has years or months, whose length is not fixed.
    """
    from isodate import parse_duration

    found = parse_duration(duration)
    if not isinstance(found, dt.timedelta):
        raise ValueError(f"{duration} has no fixed length")  # noqa: TRY004 - a wrong value, not a wrong type
    return found.total_seconds()


def format_iso_duration(seconds: float) -> str:
    """Return a duration as Azure reads it, in ISO 8601."""
    from isodate import duration_isoformat

    # Azure does not write a duration of nothing as P0D, which is what isodate makes of it.
    return str(duration_isoformat(dt.timedelta(seconds=round(seconds)))) if round(seconds) else "PT0S"


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
    """Return a region's programmatic name: ``eastus2`` for ``East US 2``."""
    return name.replace(" ", "").lower()
