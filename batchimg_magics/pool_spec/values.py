"""Parse single values: durations, counts, shares and names; suggest known names."""

from __future__ import annotations

import difflib
import operator
import re
from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import read_share

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "MAX_NODES",
    "MIN_RESIZE_TIMEOUT_S",
    "is_pattern",
    "node_count",
    "parse_duration",
    "parse_share",
    "pool_name",
    "pool_pattern",
    "resize_timeout",
    "suggest_name",
    "value_text",
]

#: Minimum resize timeout, in seconds.
#: Source: Batch service, resizeTimeout: "The minimum value is 5 minutes".
MIN_RESIZE_TIMEOUT_S = 300.0
#: Maximum number of nodes of one kind; no quota allows more in one pool, so that a higher number is a mistake.
MAX_NODES = 100_000
#: Maximum duration, in seconds: about ten years. A longer one is a mistake, and dates have an end.
MAX_DURATION_S = 3660 * 86400.0
_POOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_POOL_PATTERN = re.compile(r"[A-Za-z0-9_*?!\[\]-]{1,100}")
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(text: str | float) -> float:
    """Return the seconds of a duration such as ``90s``, ``30m``, ``1h30m`` or ``2d``; a number is in seconds.

    Text without a unit is refused, since 8 could mean hours.

    Raises
    ------
    SpecError
        It is not a duration, or longer than `MAX_DURATION_S`.
    """
    match = None if isinstance(text, (int, float)) else _DURATION.fullmatch(text.strip().lower())
    if isinstance(text, (int, float)):
        seconds = _seconds(text)
    elif match and any(match.groups()):
        units = (86400.0, 3600.0, 60.0, 1.0)
        seconds = sum(_seconds(part or 0) * unit for part, unit in zip(match.groups(), units, strict=True))
    else:
        seconds = -1.0
    if not 0 <= seconds <= MAX_DURATION_S:
        problem = "is longer than ten years" if seconds > MAX_DURATION_S else "is not a duration"
        raise SpecError(
            f"{value_text(text)} {problem}", hint="use a number with a unit, such as 90s, 30m, 1h30m, 8h or 2d"
        )
    return seconds


def _seconds(number: str | float) -> float:
    try:
        return float(number)
    except OverflowError:  # an integer that no float can hold
        return float("inf")


def value_text(value: object) -> str:
    """Return a value as Python writes it, for an error; of a number that is too long to be written, what it is."""
    try:
        return repr(value)
    except ValueError:  # Python writes no integers of more than 4,300 digits
        return "a number of thousands of digits"


def suggest_name(word: str, known: Iterable[str]) -> str:
    """Return a hint with the most similar known name, or with the known names; empty if there are none.

    Parameters
    ----------
    word
        The name that was not found.
    known
        The existing names.
    """
    by_lower = {name.lower(): name for name in known}
    similar = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    if similar:
        return f"did you mean {by_lower[similar[0]]}?"
    names = sorted(by_lower.values())
    return f"available: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" if names else ""


def resize_timeout(text: str | float, what: str = "a resize timeout") -> float:
    """Return the seconds of a resize timeout, which must be at least five minutes.

    Raises
    ------
    SpecError
        It is shorter, or not a duration.
    """
    seconds = parse_duration(text)
    if seconds < MIN_RESIZE_TIMEOUT_S:
        raise SpecError(f"{what} of {text} is too short", hint="Azure requires at least 5 minutes")
    return seconds


def parse_share(text: str | float) -> float:
    """Return a share from 0 to 1, given as a percentage or a fraction: ``5%`` or ``0.05``.

    Raises
    ------
    SpecError
        It is not a share.
    """
    try:
        share = read_share(text)
    except (ValueError, OverflowError):
        share = -1.0
    if not 0 <= share <= 1:
        raise SpecError(
            f"{value_text(text)} is not a share", hint="use a percentage or a fraction from 0 to 1, such as 5% or 0.05"
        )
    return share


def node_count(value: int | None, option: str) -> int | None:
    """Return a number of nodes if it is valid; None is returned unchanged.

    Raises
    ------
    SpecError
        It is not an integer from 0 to `MAX_NODES`.
    """
    if value is None:
        return None
    # NumPy's integers, as from a table, are accepted, too.
    count = operator.index(value) if hasattr(value, "__index__") else -1
    if not 0 <= count <= MAX_NODES:
        hint = f"expected {option} N with N an integer from 0 to {MAX_NODES:,}"
        raise SpecError(f"{option} is {value_text(value)}", hint=hint)
    return count


def is_pattern(name: str) -> bool:
    """Return whether a name is a pattern: it contains ``*``, ``?`` or ``[...]``."""
    return any(sign in name for sign in "*?[")


def pool_name(name: str) -> str:
    """Return the name if it is a valid pool name.

    Raises
    ------
    SpecError
        It is not valid in Azure.
    """
    if not _POOL_NAME.fullmatch(str(name)):  # in Python, it may be a list of names
        raise SpecError(
            f"{value_text(name)} is not a valid pool name",
            hint="use 1 to 64 letters, digits, hyphens and underscores; names that differ only in case are the same",
        )
    return name


def pool_pattern(name: str) -> str:
    """Return the name or pattern (``sim-*``) if pool names can match it.

    Raises
    ------
    SpecError
        No pool name can match it.
    """
    return name if is_pattern(name) and _POOL_PATTERN.fullmatch(name) else pool_name(name)
