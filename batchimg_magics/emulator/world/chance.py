"""Seeded chance: numbers that look random and are the same in every run with the same seed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store


#: The time of an end that never comes: the year 9999.
NEVER = 253_370_764_800.0


def seeded_fraction(store: Store, about: str) -> float:
    """Return a number from 0 up to 1 that depends only on the seed of the emulator state and on `about`."""
    digest = hashlib.sha256(f"{store.meta('seed')}/{about.lower()}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
