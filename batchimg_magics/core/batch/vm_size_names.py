"""The spelling of VM sizes: one size has one name in all tables, so that they can be merged."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["canonical_size"]

_SERIES = re.compile(r"[A-Za-z]+")
_VERSION = re.compile(r"v\d+", re.IGNORECASE)


@lru_cache(maxsize=1000)
def canonical_size(name: str) -> str:
    """Return the name of a VM size as Azure's lists of sizes spell it.

    Resource Manager shows the size of a pool in upper case, and the data plane shows that of a node in lower case. The
    rule holds for all sizes in the specifications and price lists: the letters of the series are capital
    (``Standard_NC24ads``), as is the accelerator (``A100``); all else is small (``v4``).
    """
    tier, *parts = name.split("_")
    if tier.lower() not in ("standard", "basic"):
        return name
    return "_".join([tier.capitalize(), *(_part(part, is_series=place == 0) for place, part in enumerate(parts))])


def _part(part: str, *, is_series: bool) -> str:
    if is_series:
        letters = _SERIES.match(part)
        end = letters.end() if letters else 0
        return part[:end].upper() + part[end:].lower()
    if _VERSION.fullmatch(part):
        return part.lower()
    return part.capitalize() if part.lower() == "promo" else part.upper()
