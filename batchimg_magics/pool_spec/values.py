"""Single values that a researcher gives: durations, counts, names, and the nearest of what there is."""

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
]

#: Azure refuses a shorter resize timeout.
#: Source: Batch service, resizeTimeout: "The minimum value is 5 minutes".
MIN_RESIZE_TIMEOUT_S = 300.0
#: More nodes than any account's quota has ever allowed in one pool; beyond it a count is a slip of the hand.
MAX_NODES = 100_000
_POOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_POOL_PATTERN = re.compile(r"[A-Za-z0-9_*?!\[\]-]{1,100}")
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(text: str | float) -> float:
    """Return the seconds in a duration such as ``90s``, ``30m``, ``1h30m`` or ``2d``; a number is of seconds.

    A text without a unit is none: who types 8 may mean hours.

    Raises
    ------
    SpecError
        It is none.
    """
    if isinstance(text, (int, float)):
        return float(text)
    match = _DURATION.fullmatch(text.strip().lower())
    if not match or not any(match.groups()):
        raise SpecError(f"{text!r} is not a duration", hint="write it as 90s, 30m, 1h30m, 8h or 2d")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def suggest_name(word: str, known: Iterable[str]) -> str:
    """Return a hint that names what was probably meant, or what there is; empty when there is nothing.

    Parameters
    ----------
    word
        What was asked for.
    known
        What there is.
    """
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    if near:
        return f"did you mean {by_lower[near[0]]}?"
    names = sorted(by_lower.values())
    return f"there is: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" if names else ""


def resize_timeout(text: str | float, what: str = "a resize timeout") -> float:
    """Return the seconds in a resize timeout, which Azure wants to be five minutes at least.

    Raises
    ------
    SpecError
        It is shorter, or no duration.
    """
    seconds = parse_duration(text)
    if seconds < MIN_RESIZE_TIMEOUT_S:
        raise SpecError(f"{what} of {text}", hint=f"Azure's rule: {what} is at least 5 minutes")
    return seconds


def parse_share(text: str | float) -> float:
    """Return a share from 0 to 1, which may be written in per cent: ``5%`` or ``0.05``.

    Raises
    ------
    SpecError
        It is none.
    """
    try:
        found = read_share(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise SpecError(f"{text!r} is not a share", hint="write it as 5% or 0.05")
    return found


def node_count(value: int | None, option: str) -> int | None:
    """Return a number of nodes when it makes sense; None stays None.

    Raises
    ------
    SpecError
        It is no whole number, negative, or more than any pool ever had.
    """
    if value is None:
        return None
    # Numbers off a table are whole ones too, of another type.
    count = operator.index(value) if hasattr(value, "__index__") else -1
    if not 0 <= count <= MAX_NODES:
        raise SpecError(f"{option} is {value}", hint=f"a pool has 0 to {MAX_NODES:,} nodes of a kind")
    return count


def is_pattern(name: str) -> bool:
    """Tell whether a name stands for several: it has ``*``, ``?`` or ``[...]``."""
    return any(sign in name for sign in "*?[")


def pool_name(name: str) -> str:
    """Return the name when Azure takes it for a pool.

    Raises
    ------
    SpecError
        Azure would refuse it.
    """
    if not _POOL_NAME.fullmatch(name):
        raise SpecError(
            f"{name!r} is no name for a pool",
            hint="Azure's rule: 1 to 64 letters, digits, hyphens and underscores; case is kept but not told apart",
        )
    return name


def pool_pattern(name: str) -> str:
    """Return the name, or the pattern (``sim-*``), when names of pools may fit it.

    Raises
    ------
    SpecError
        None can.
    """
    return name if is_pattern(name) and _POOL_PATTERN.fullmatch(name) else pool_name(name)
