"""The nodes of a pool over time: its recorded node counts, one spell for each pool that had the name.

Between two samples nothing is known, so that a count holds until the next sample. Between two pools of the same name
there were no nodes at all, which is a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.ledger import POOL_DELETED
from batchimg_magics.core.batch.nodes import LEAVING, READY

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    Samples = Sequence[tuple[float, Mapping[str, int]]]

__all__ = ["Spell", "boundaries", "spells"]

_MOMENT_S = 1e-3


@dataclass(frozen=True, slots=True)
class Spell:
    """The time of one pool.

    Parameters
    ----------
    samples
        (seconds since 1970, number of nodes by state), in order.
    targets
        (seconds since 1970, requested number of nodes), in order: each holds until the next.
    """

    samples: Samples
    targets: Sequence[tuple[float, int]] = ()

    @property
    def live(self) -> list[tuple[float, int]]:
        """(seconds since 1970, number of nodes that are not gone or leaving)."""
        return [(at, sum(n for state, n in states.items() if state not in LEAVING)) for at, states in self.samples]

    @property
    def ready(self) -> list[tuple[float, int]]:
        """(seconds since 1970, number of nodes that can run tasks)."""
        return [(at, sum(states.get(state, 0) for state in READY)) for at, states in self.samples]


def boundaries(samples: Samples, rows: Iterable[Mapping[str, Any]]) -> list[float]:
    """Return the times, in seconds since 1970, at which another pool of the same name began, or one was deleted.

    Parameters
    ----------
    samples
        (seconds since 1970, number of nodes by state), oldest first.
    rows
        The resize attempts of the pools, oldest first, with the time when their pool was created, where it is known.
    """
    made = {_seconds(row["pool_created"]) for row in rows if row.get("pool_created") is not None}
    # A moment after the deletion, so that the sample which has it ends the spell.
    gone = {at + _MOMENT_S for at, states in samples if POOL_DELETED in states}
    return sorted(made | gone)


def spells(samples: Samples, rows: Iterable[Mapping[str, Any]]) -> list[Spell]:
    """Return the spells of all pools of one name, oldest first; none without samples. Parameters: as `boundaries`."""
    rows = list(rows)
    ends = boundaries(samples, rows)
    found = []
    for began, ended in zip([float("-inf"), *ends], [*ends, float("inf")], strict=True):
        part = [_counts(sample) for sample in samples if began <= sample[0] < ended]
        if part:
            found.append(Spell(part, _targets(rows, began, ended)))
    return found


def _counts(sample: tuple[float, Mapping[str, int]]) -> tuple[float, dict[str, int]]:
    at, states = sample
    return at, {state: count for state, count in states.items() if count}


def _targets(rows: list[Mapping[str, Any]], began: float, ended: float) -> list[tuple[float, int]]:
    targets = []
    for row in rows:
        counts = (row.get("dedicated_target"), row.get("spot_target"))
        if row.get("started") is not None and None not in counts and began <= _seconds(row["started"]) < ended:
            targets.append((_seconds(row["started"]), sum(count or 0 for count in counts)))
    return targets


def _seconds(time: dt.datetime) -> float:
    return time.timestamp()
