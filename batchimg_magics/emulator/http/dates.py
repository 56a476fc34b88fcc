"""Moments and durations as Microsoft.Batch writes them.

Batch derives an ETag from the moment of the last change: the count of 100 ns ticks since the year 1, in hexadecimal.
Ticks are integers here too, so that two changes at one moment of the world still get two ETags.

Source: recorded headers, where ETag and lastModified are the same moment on both planes.
"""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime

from batchimg_magics.emulator.http.planes import http_date
from batchimg_magics.emulator.world.clock import TICKS_PER_SECOND

TICKS_AT_1970 = 621_355_968_000_000_000
_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_PARTS_S = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def ticks(moment: float) -> int:
    """Return a moment of the world, in seconds since 1970, as ticks since the year 1."""
    return TICKS_AT_1970 + round(moment * TICKS_PER_SECOND)


def change_ticks(now: float, before: int = 0) -> int:
    """Return the ticks of a change made now: later than the one before it, even at the same moment."""
    return max(ticks(now), before + 1)


def etag(modified: int) -> str:
    """Return the data plane's ETag of a last change; ARM writes it as ``W/"..."``."""
    return f"0x{modified:X}"


def timestamp_of_ticks(modified: int) -> str:
    """Write ticks as bodies have a moment: seven digits of fraction, fewer where the last ones are zero."""
    second, fraction = divmod(modified - TICKS_AT_1970, TICKS_PER_SECOND)
    digits = f"{fraction:07d}".rstrip("0")
    return f"{_second(second)}.{digits}Z" if digits else f"{_second(second)}Z"


@functools.lru_cache(maxsize=4096)
def _second(second: int) -> str:
    """Write whole seconds: the nodes of a pool share most of theirs."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


def batch_timestamp(moment: float) -> str:
    """Write a moment of the world as bodies have it."""
    return timestamp_of_ticks(ticks(moment))


def header_date(modified: int) -> str:
    """Write ticks as the Last-Modified header has it."""
    return http_date((modified - TICKS_AT_1970) // TICKS_PER_SECOND)


def duration_s(text: str) -> float | None:
    """Read an ISO 8601 duration in days and smaller, in seconds; None when it is none."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groupdict().values()):
        return None
    return sum(float(value) * _PARTS_S[part] for part, value in match.groupdict().items() if value)


def duration(seconds: float) -> str:
    """Write seconds as the service does: ``PT15M``, ``PT1H30M``, ``P1D``, ``PT0S``."""
    days, rest = divmod(round(seconds, 3), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    date = f"{days:.0f}D" if days else ""
    time = "".join(f"{value:g}{unit}" for value, unit in ((hours, "H"), (minutes, "M"), (round(rest, 3), "S")) if value)
    return f"P{date}T{time}" if time else f"P{date}" if date else "PT0S"
