"""Which node runs a waiting task: the one that is free first, for one task after the other."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.batch.model.task_dependencies import TaskDependencies
from batchimg_magics.emulator.batch.model.task_index import occupy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchimg_magics.emulator.batch.fleet.nodes import Node
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.batch.model.task_index import Entry, PoolTasks, TaskIndex
    from batchimg_magics.emulator.batch.model.task_states import TaskState

#: States of nodes that accept tasks.
_ACCEPTING_STATES = frozenset({"idle"})


class Placement:
    """The placement of the waiting tasks of a pool at a time.

    Parameters
    ----------
    pool, nodes
        The pool and its nodes by their ids.
    index
        The tasks of the state.
    now
        The time.
    really
        Whether the tasks really run, so that they start now and nobody knows when they end.
    """

    def __init__(self, pool: Pool, nodes: Mapping[str, Node], index: TaskIndex, now: float, *, really: bool) -> None:
        self._tasks = index.pool(pool.key, now)
        self._now, self._really = now, really
        self._depends = TaskDependencies(index.entries)
        slots = int(pool.doc["taskSlotsPerNode"])
        self._free = {
            node.id: _free_since(self._tasks, node, slots)
            for node in nodes.values()
            if node.scheduling and node.state in _ACCEPTING_STATES
        }
        for entry in self._tasks.running.values():
            if (times := self._free.get(str(entry.state.node))) is not None:
                occupy(times, entry.state.slots, _end(entry.state))
        self._most = len(self._free) if slots == 1 and pool.doc.get("enableInterNodeCommunication") else 0
        self._earliest: dict[int, list[tuple[float, str]]] = {}

    def tasks(self) -> Iterator[tuple[Entry, TaskState]]:
        """Yield the tasks that start by now with their new states; each must be saved before the next one."""
        while True:
            placed = False
            for entry, state in self._one_round():
                placed = True
                yield entry, state
            if not placed or not self._tasks.special:  # tasks that depend on others may follow those that were placed
                return

    def _one_round(self) -> Iterator[tuple[Entry, TaskState]]:
        special = self._ready()
        blocked: set[int] = set()
        while True:
            heads = [self._tasks.first(slots) for slots in list(self._tasks.queues) if slots not in blocked]
            firsts = [entry for entry in (*heads, *special[-1:]) if entry is not None]
            entry = min(firsts, key=lambda one: one.order, default=None)
            if entry is None:
                return
            if not entry.is_plain:
                special.pop()
            state = self._place(entry)
            if state is not None:
                yield entry, state
            elif entry.is_plain:
                blocked.add(entry.state.slots)

    def _ready(self) -> list[Entry]:
        """Return the tasks whose dependencies are satisfied and whose nodes exist, the first one at the end."""
        found = [
            entry
            for entry in self._tasks.special.values()
            if entry.instances <= self._most and self._depends.ready_at(entry) <= self._now
        ]
        return sorted(found, key=lambda entry: entry.order, reverse=True)

    def _place(self, entry: Entry) -> TaskState | None:
        """Return the state of a task on the node that is free first, None if it cannot start by now."""
        slots = entry.state.slots
        earliest = self._heap(slots)
        while earliest and self._free[earliest[0][1]][slots - 1] != earliest[0][0]:
            heapq.heappop(earliest)
        if not earliest:
            return None
        at, node = earliest[0]
        start = max(at, entry.state.added, self._depends.ready_at(entry))
        if start > self._now:
            return None
        # When a process ends is known when it has ended.
        begin = self._now if self._really else start
        ends = None if self._really else start + entry.state.seconds
        state = msgspec.structs.replace(entry.state, node=node, started=begin, ends=ends)
        times = self._free[node]
        occupy(times, slots, _end(state))
        for wanted, heap in self._earliest.items():
            if len(times) >= wanted:
                heapq.heappush(heap, (times[wanted - 1], node))
        return state

    def _heap(self, slots: int) -> list[tuple[float, str]]:
        """Return when each node has so many free slots; entries that are not true any more are among them."""
        if slots not in self._earliest:
            found = [(times[slots - 1], node) for node, times in self._free.items() if len(times) >= slots]
            heapq.heapify(found)
            self._earliest[slots] = found
        return self._earliest[slots]


def _end(state: TaskState) -> float:
    return math.inf if state.ends is None else state.ends


def _free_since(tasks: PoolTasks, node: Node, slots: int) -> list[float]:
    """Return since when each slot of a node is free of tasks that have ended."""
    known = tasks.nodes.get(node.id)
    return [node.since] * slots if known is None else [max(node.since, time) for time in known.free(slots)]
