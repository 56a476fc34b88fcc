"""The nodes of a pool as bytes, one a node, and what changed since they were last looked at.

A byte is the index of the node's state among the words, plus 128 for a spot node. A node keeps its place as long as it
is there; the place of one that is gone is empty until a new node takes it. So the map does not jump, and an update is
as large as what changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from batchimg_magics.pool_spec.words import NODE_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Places = NDArray[np.uint32]

__all__ = ["EMPTY", "SPOT", "MapChange", "Recording", "Squares"]

SPOT, EMPTY = 128, 255
#: Words that a byte has room for beside the spot mark and the empty square.
MAX_STATE_WORDS = 126
#: Bytes of playing back that are kept; a film that grows beyond forgets its beginning.
MAX_RECORDING_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class MapChange:
    """What changed between two looks.

    Parameters
    ----------
    places
        The squares, ``uint32``.
    bytes
        What they are now, ``uint8``, in the same order.
    whole
        Whether there are more or fewer squares than before, or other words: a front end then needs the whole.
    """

    places: Places
    bytes: Bytes
    needs_full_update: bool


class Recording:
    """What the squares were from one moment on, to be played back.

    Attributes
    ----------
    base
        The squares at its beginning.
    times
        What to call each moment; the first is that of the base.
    changes
        (places, bytes) from one moment to the next.
    """

    def __init__(self, base: Bytes, time: str) -> None:
        self.base = base.copy()
        self.times = [time]
        self.changes: list[tuple[Places, Bytes]] = []
        self._size = 0

    def add(self, time: str, places: Places, states: Bytes) -> None:
        """Add a moment."""
        self.times.append(time)
        self.changes.append((places, states))
        self._size += places.nbytes + states.nbytes
        while self._size > MAX_RECORDING_BYTES and len(self.changes) > 1:
            first, values = self.changes.pop(0)
            self._size -= first.nbytes + values.nbytes
            self._grow_base(first)
            self.base[first] = values
            del self.times[0]

    def _grow_base(self, places: Places) -> None:
        if places.size and (needed := int(places.max()) + 1) > self.base.size:
            self.base = np.concatenate([self.base, np.full(needed - self.base.size, EMPTY, np.uint8)])

    def buffers(self) -> list[bytes]:
        """Return base, lengths, places and bytes, the base as wide as the map ever was."""
        for places, _ in self.changes:
            self._grow_base(places)
        lengths = np.array([places.size for places, _ in self.changes], np.uint32)
        moved = [places for places, _ in self.changes] or [np.empty(0, np.uint32)]
        states = [values for _, values in self.changes] or [np.empty(0, np.uint8)]
        return [one.tobytes() for one in (self.base, lengths, np.concatenate(moved), np.concatenate(states))]


class Squares:
    """The squares of one pool's map.

    Attributes
    ----------
    words
        State words by their index: Azure's, and behind them those that nobody foresaw.
    bytes
        One a square, ``uint8``.
    ids
        The node's id by its place; empty for a square without a node.
    """

    def __init__(self) -> None:
        self.words = list(NODE_STATES)
        self.bytes: Bytes = np.empty(0, np.uint8)
        self.ids: list[str] = []
        self._index = {word: number for number, word in enumerate(self.words)}
        self._place: dict[str, int] = {}
        self._free: list[int] = []

    def place(self, node_id: str) -> int | None:
        """Return where a node's square is, or None."""
        return self._place.get(node_id)

    def update(self, ids: Sequence[str], states: Sequence[str], dedicated: Sequence[bool]) -> MapChange:
        """Take in the nodes that there are now, and return what changed.

        Parameters
        ----------
        ids, states, dedicated
            Columns of the nodes' table, of one length.
        """
        words = len(self.words)
        values = np.fromiter((self._code(state) for state in states), np.uint8, len(states))
        values[~np.fromiter(dedicated, bool, len(dedicated))] |= SPOT
        before = self.bytes
        self._free_places(ids)
        places = np.fromiter((self._assign_place(node_id) for node_id in ids), np.uint32, len(ids))
        now = np.full(len(self.ids), EMPTY, np.uint8)
        now[places] = values
        was = np.full(now.size, EMPTY, np.uint8)
        was[: before.size] = before
        changed = np.flatnonzero(now != was).astype(np.uint32)
        self.bytes = now[: self._trim()]
        whole = self.bytes.size != before.size or len(self.words) != words
        return MapChange(changed, now[changed], whole)

    def _code(self, state: str) -> int:
        code = self._index.get(state)
        if code is None:
            # The last word stands for all that there is no room for.
            code = self._index[state] = min(len(self.words), MAX_STATE_WORDS)
            if code == len(self.words):
                self.words.append(state)
        return code

    def _free_places(self, ids: Sequence[str]) -> None:
        """Free the places of nodes that are not there any more."""
        places = [self._place.pop(node_id) for node_id in self._place.keys() - set(ids)]
        for place in places:
            self.ids[place] = ""
        self._free = sorted(self._free + places, reverse=True)

    def _trim(self) -> int:
        """Let empty squares at the end go, and return how many squares are left."""
        while self.ids and not self.ids[-1]:
            self.ids.pop()
        self._free = [place for place in self._free if place < len(self.ids)]
        return len(self.ids)

    def _assign_place(self, node_id: str) -> int:
        place = self._place.get(node_id)
        if place is None:
            if not self._free:
                self._free.append(len(self.ids))
                self.ids.append("")
            place = self._place[node_id] = self._free.pop()
            self.ids[place] = node_id
        return place

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return (dedicated, spot) by state word, states without nodes left out."""
        tally = np.bincount(self.bytes, minlength=256)
        found = {word: (int(tally[code]), int(tally[code | SPOT])) for code, word in enumerate(self.words)}
        return {word: counts for word, counts in found.items() if sum(counts)}
