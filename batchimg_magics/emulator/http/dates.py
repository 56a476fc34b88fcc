"""Times and durations in the formats of Microsoft.Batch.

Batch derives an ETag from the time of the last change: the number of 100 ns ticks since the year 1, in hexadecimal.
Ticks are integers here as well, so that two changes at the same simulated time have different ETags.

Source: recorded headers, where ETag and lastModified are the same time on both planes.
"""

from __future__ import annotations

import re

from batchimg_magics.emulator.http.planes import http_date, whole_second
from batchimg_magics.emulator.world.clock import TICKS_PER_SECOND

TICKS_AT_1970 = 621_355_968_000_000_000
_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_PARTS_S = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def ticks(moment: float) -> int:
    """Return a time in seconds since 1970 as ticks since the year 1."""
    return TICKS_AT_1970 + round(moment * TICKS_PER_SECOND)


def change_ticks(now: float, before: int = 0) -> int:
    """Return the ticks of a change at this time: later than the previous change, even at the same time."""
    return max(ticks(now), before + 1)


def etag(modified: int) -> str:
    """Return the ETag of the data plane for the last change; ARM writes it as ``W/"..."``."""
    return f"0x{modified:X}"


def timestamp_of_ticks(modified: int) -> str:
    """Write ticks as a timestamp of a body: seven digits of fraction, without trailing zeros."""
    return _timestamp(modified - TICKS_AT_1970)


def batch_timestamp(moment: float) -> str:
    """Write a time in seconds since 1970 as a timestamp of a body."""
    return _timestamp(round(moment * TICKS_PER_SECOND))


def _timestamp(ticks_since_1970: int) -> str:
    second, fraction = divmod(ticks_since_1970, TICKS_PER_SECOND)
    text = whole_second(second)
    return f"{text}.{fraction:07d}".rstrip("0") + "Z" if fraction else f"{text}Z"


def header_date(modified: int) -> str:
    """Write ticks as the Last-Modified header."""
    return http_date((modified - TICKS_AT_1970) // TICKS_PER_SECOND)


def duration_s(text: str) -> float | None:
    """Read an ISO 8601 duration of days and smaller units, in seconds; None if it is invalid."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groupdict().values()):
        return None
    return sum(float(value) * _PARTS_S[part] for part, value in match.groupdict().items() if value)


def duration(seconds: float) -> str:
    """Write seconds in the format of the service: ``PT15M``, ``PT1H30M``, ``P1D``, ``PT0S``."""
    days, rest = divmod(round(seconds, 3), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    date = f"{days:.0f}D" if days else ""
    time = "".join(f"{value:g}{unit}" for value, unit in ((hours, "H"), (minutes, "M"), (round(rest, 3), "S")) if value)
    return f"P{date}T{time}" if time else f"P{date}" if date else "PT0S"
