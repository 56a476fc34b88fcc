"""Durations and times as text."""

from __future__ import annotations

import datetime as dt

__all__ = ["format_duration", "format_time"]

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def format_duration(seconds: float) -> str:
    """Return a duration in its two largest units: ``9 s``, ``7 min 18 s``, ``2 h 05 min``, ``1 d 03 h``."""
    whole = max(0, round(seconds))
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S:02d} s"
    # Rounded to the smaller of the two units.
    minutes = round(whole / _MINUTE_S)
    if minutes < _DAY_S // _MINUTE_S:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(whole / _HOUR_S)
    return f"{hours // 24} d {hours % 24:02d} h"


def format_time(moment: dt.datetime | float) -> str:
    """Return a time, or seconds since 1970, with date, hour and minute in UTC: ``2026-07-01 09:30Z``."""
    time = moment if isinstance(moment, dt.datetime) else dt.datetime.fromtimestamp(moment, dt.UTC)
    return f"{time.astimezone(dt.UTC):%Y-%m-%d %H:%M}Z"
