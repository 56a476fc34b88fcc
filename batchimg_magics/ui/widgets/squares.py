"""The nodes of a pool as bytes, one per node, and the changes since the last update.

A byte is the index of the node's state in a list of words, plus 128 for a spot node. A node keeps its place as long as
it exists; the place of a removed node stays empty until a new node takes it, or until the gaps are closed. So nodes do
not move on the map while a pool is resized, and the size of an update depends on the number of changes only.
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
#: Number of states that fit a byte besides the spot flag and the empty square.
MAX_STATE_WORDS = 126
#: Maximum size of a recording in bytes; a longer recording drops its oldest frames.
MAX_RECORDING_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class MapChange:
    """The changes between two updates.

    Parameters
    ----------
    places
        Indexes of the changed squares, ``uint32``.
    bytes
        Their new bytes, ``uint8``, in the same order.
    needs_full_update
        Whether the number of squares or the list of words changed: a front end then needs the full state.
    """

    places: Places
    bytes: Bytes
    needs_full_update: bool


class Recording:
    """The squares over time from one moment on, for replay.

    Attributes
    ----------
    base
        The squares at the start.
    times
        Label of each frame; the first is that of the base.
    changes
        (places, bytes) that changed from each frame to the next.
    """

    def __init__(self, base: Bytes, time: str) -> None:
        self.base = base.copy()
        self.times = [time]
        self.changes: list[tuple[Places, Bytes]] = []
        self._size = 0

    def add(self, time: str, places: Places, states: Bytes) -> None:
        """Add a frame."""
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
        """Return base, lengths, places and bytes; the base has as many squares as the map ever had."""
        for places, _ in self.changes:
            self._grow_base(places)
        lengths = np.array([places.size for places, _ in self.changes], np.uint32)
        changed = [places for places, _ in self.changes] or [np.empty(0, np.uint32)]
        states = [values for _, values in self.changes] or [np.empty(0, np.uint8)]
        return [one.tobytes() for one in (self.base, lengths, np.concatenate(changed), np.concatenate(states))]


class Squares:
    """The squares of the map of one pool.

    Attributes
    ----------
    words
        State names by index: those of Azure, followed by any others that occurred.
    bytes
        One per square, ``uint8``.
    ids
        Node id by place; empty for a square without a node.
    """

    def __init__(self) -> None:
        self.words = list(NODE_STATES)
        self.bytes: Bytes = np.empty(0, np.uint8)
        self.ids: list[str] = []
        self._index = {word: number for number, word in enumerate(self.words)}
        self._place: dict[str, int] = {}
        self._free: list[int] = []

    def place(self, node_id: str) -> int | None:
        """Return the place of a node's square, or None."""
        return self._place.get(node_id)

    def update(self, ids: Sequence[str], states: Sequence[str], dedicated: Sequence[bool]) -> MapChange:
        """Update the squares to the current nodes, and return the changes.

        Parameters
        ----------
        ids, states, dedicated
            Columns of the nodes table, of equal length.
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
        needs_full_update = self.bytes.size != before.size or len(self.words) != words
        return MapChange(changed, now[changed], needs_full_update)

    def _code(self, state: str) -> int:
        code = self._index.get(state)
        if code is None:
            # States that do not fit share the last code.
            code = self._index[state] = min(len(self.words), MAX_STATE_WORDS)
            if code == len(self.words):
                self.words.append(state)
        return code

    def _free_places(self, ids: Sequence[str]) -> None:
        """Free the places of removed nodes."""
        places = [self._place.pop(node_id) for node_id in self._place.keys() - set(ids)]
        for place in places:
            self.ids[place] = ""
        self._free = sorted(self._free + places, reverse=True)

    def close_gaps(self) -> bool:
        """Move nodes to the places of nodes that left, in their order; return whether there were such places."""
        kept = [place for place, node_id in enumerate(self.ids) if node_id]
        if len(kept) == len(self.ids):
            return False
        self.bytes = self.bytes[kept]
        self.ids = [self.ids[place] for place in kept]
        self._place = {node_id: place for place, node_id in enumerate(self.ids)}
        self._free = []
        return True

    def _trim(self) -> int:
        """Remove empty squares at the end, and return the number of squares left."""
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
        """Return (dedicated, spot) counts by state, for states that have nodes."""
        tally = np.bincount(self.bytes, minlength=256)
        counts = {word: (int(tally[code]), int(tally[code | SPOT])) for code, word in enumerate(self.words)}
        return {word: both for word, both in counts.items() if sum(both)}
