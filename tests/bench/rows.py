"""What a measurement says: one row of the table, and how two things are timed side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, TypeAlias


class NotMeasuredError(Exception):
    """Something that a measurement needs is not to be had here; the exception's text is the reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """One work, measured.

    Parameters
    ----------
    work
        What was done.
    unit
        Of `ours`, `peer` and `limit`. Less is better, but for ``/s`` and ``x``.
    ours, peer, limit
        What was measured: by this package, by what others use, and by the least that could do. None: there is none.
    ratio
        How many times better than the peer.
    limit_ratio
        Ours as a multiple of the limit.
    goal
        What is to be reached, in words; empty where a number is only told.
    met
        Whether it is reached.
    note
        What else there is to know.
    """

    work: str
    unit: str
    ours: float | None = None
    peer: float | None = None
    limit: float | None = None
    ratio: float | None = None
    limit_ratio: float | None = None
    goal: str = ""
    met: bool | None = None
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


Bench: TypeAlias = Callable[[], Iterator[Row]]


def alternating(
    works: dict[str, Callable[[], object]], runs: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Return the seconds of each run of each work: one after the other, again and again, so that all have equal luck.

    The first round warms up and does not count.
    """
    took: dict[str, list[float]] = {name: [] for name in works}
    for run in range(runs + 1):
        for name, work in works.items():
            began = clock()
            kept = work()
            spent = clock() - began
            del kept
            if run:
                took[name].append(spent)
    return took


def times(one: list[float], other: list[float]) -> float:
    """Return the median, over pairs of runs, of how many times longer the first took than the second."""
    return median(a / b for a, b in zip(one, other, strict=True))
