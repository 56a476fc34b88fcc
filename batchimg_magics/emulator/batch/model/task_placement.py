"""Which node runs a waiting task: the one that is free first, for one task after the other.

Of nodes that are free by then, the fill type of the pool decides: the one with the fewest tasks, or with the most.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from typing import TYPE_CHECKING, TypeAlias

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
_NO_LIMIT = [0.0]
#: When a node has enough free slots for the first waiting task, its load (negative to pack), when exactly, and its id.
_Rank: TypeAlias = tuple[float, int, float, str]


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
    parallel
        How many tasks of a job may run at a time, by the keys of jobs with such a limit; 0: none ever.
    preparing
        How long a node runs the preparation task of a job, by the keys of jobs with one.
    """

    def __init__(
        self,
        pool: Pool,
        nodes: Mapping[str, Node],
        index: TaskIndex,
        now: float,
        *,
        really: bool,
        parallel: Mapping[str, int],
        preparing: Mapping[str, float],
    ) -> None:
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
        self._parallel = {job: index.job(job, now).free(most) if most else [math.inf] for job, most in parallel.items()}
        for job, times in self._parallel.items():
            for entry in self._tasks.running.values():
                if entry.job == job:
                    occupy(times, 1, _end(entry.state))
        self._preparing = {} if really else preparing
        self._prepared = {job: _prepared(index, job) for job in self._preparing}
        self._most = len(self._free) if slots == 1 and pool.doc.get("enableInterNodeCommunication") else 0
        fill_type = str(pool.doc.get("taskSchedulingPolicy", {}).get("nodeFillType", "Spread"))
        self._load_sign = -1 if fill_type.lower() == "pack" else 1
        # No waiting task starts before this moment: nodes that are free by then are all the same to it.
        waiting = [self._tasks.first(name) for name in list(self._tasks.queues)]
        added = [entry.state.added for entry in (*waiting, *self._tasks.special.values()) if entry is not None]
        self._base = min(added, default=now)
        self._earliest: dict[int, list[_Rank]] = {}

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
        blocked: set[tuple[int, str]] = set()
        while True:
            heads = [self._tasks.first(name) for name in list(self._tasks.queues) if name not in blocked]
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
                blocked.add((entry.state.slots, entry.job))

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
        while earliest and self._rank(earliest[0][-1], slots) != earliest[0]:
            heapq.heappop(earliest)
        if not earliest:
            return None
        _, _, at, node = earliest[0]
        of_job = self._parallel.get(entry.job, _NO_LIMIT)
        start = max(at, entry.state.added, self._depends.ready_at(entry), of_job[0])
        if start > self._now:
            return None
        # When a process ends is known when it has ended.
        begin, prepares = (self._now, 0.0) if self._really else self._prepare(entry.job, node, start)
        ends = None if self._really else begin + entry.state.seconds
        state = msgspec.structs.replace(entry.state, node=node, started=begin, ends=ends, prepares=prepares)
        if self._really:
            state.tries, state.failure = 1, None  # what its text told is not true
        times = self._free[node]
        occupy(times, slots, _end(state))
        if of_job is not _NO_LIMIT:
            occupy(of_job, 1, _end(state))
        for wanted, heap in self._earliest.items():
            if len(times) >= wanted:
                heapq.heappush(heap, self._rank(node, wanted))
        return state

    def _prepare(self, job: str, node: str, at: float) -> tuple[float, float]:
        """Return when a task starts that a node takes at a time, and how long the node prepares its job before."""
        if job not in self._preparing:
            return at, 0.0
        prepared = self._prepared[job].setdefault(node, at + self._preparing[job])
        return max(at, prepared), max(0.0, prepared - at)

    def _rank(self, node: str, slots: int) -> _Rank:
        """Return what orders the nodes for a task that needs so many slots."""
        times = self._free[node]
        load = len(times) - bisect_right(times, self._base)
        return max(times[slots - 1], self._base), self._load_sign * load, times[slots - 1], node

    def _heap(self, slots: int) -> list[_Rank]:
        """Return the nodes in their order; entries that are not true any more are among them."""
        if slots not in self._earliest:
            found = [self._rank(node, slots) for node, times in self._free.items() if len(times) >= slots]
            heapq.heapify(found)
            self._earliest[slots] = found
        return self._earliest[slots]


def _prepared(index: TaskIndex, job: str) -> dict[str, float]:
    """Return since when each node that ran tasks of a job is prepared for it."""
    found: dict[str, float] = {}
    for entry in index.jobs[job].entries.values():
        if entry.state.node is not None and entry.state.started is not None:
            found[entry.state.node] = min(entry.state.started, found.get(entry.state.node, math.inf))
    return found


def _end(state: TaskState) -> float:
    return math.inf if state.ends is None else state.ends


def _free_since(tasks: PoolTasks, node: Node, slots: int) -> list[float]:
    """Return since when each slot of a node is free of tasks that have ended."""
    known = tasks.nodes.get(node.id)
    return [node.since] * slots if known is None else [max(node.since, time) for time in known.free(slots)]
