"""The tasks of a state in memory, by pool, job and node, so that a request does not read all of them.

The index holds nothing that the state does not hold. A process makes it when it first needs it, keeps it up to date
with its own writes, and makes it again if anything else has written tasks: another process, an import, or a transaction
that was undone. Whether a task is completed depends on the time, which can also go back: the index keeps the tasks that
have ended until a time, and moves that time as it is asked.
"""

from __future__ import annotations

import bisect
import heapq
import weakref
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.batch.model import task_states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.emulator.batch.model.task_states import TaskState
    from batchimg_magics.emulator.world.store import Store

#: How many tasks are decoded at a time while the index is made.
_ROWS = 1000


class Entry(msgspec.Struct, eq=False):
    """A task in the index.

    Parameters
    ----------
    key
        Its key.
    state
        Its state; it is replaced, never changed.
    depends, exits
        Its dependencies and exit conditions, if it has any.
    instances
        The nodes that a multi-instance task asks for, 0 for another task.
    settled
        Whether it has ended at the time of the index.
    """

    key: str
    state: TaskState
    depends: dict[str, Any] | None
    exits: dict[str, Any] | None
    instances: int
    settled: bool = False

    @property
    def job(self) -> str:
        """Key of its job."""
        return self.key.rpartition("/tasks/")[0]

    @property
    def order(self) -> tuple[int, int, str]:
        """Its place in the order of scheduling."""
        return -self.state.priority, self.state.number, self.key

    @property
    def is_waiting(self) -> bool:
        """Whether it may be scheduled."""
        state = self.state
        return state.waiting and state.node is None and state.started is None and state.ends is None

    @property
    def is_plain(self) -> bool:
        """Whether it can run on any node at any time: it waits for no other task, and wants one node."""
        return not self.depends and not self.instances

    @property
    def succeeded(self) -> bool:
        """Whether it succeeds when it ends."""
        return self.state.exit_code == 0 and not self.state.terminated


class NodeLoad(msgspec.Struct):
    """The tasks of a node: running tasks and their slots, tasks run so far, and succeeded ones."""

    running: int = 0
    slots: int = 0
    run: int = 0
    succeeded: int = 0


class _Places:
    """The tasks that use the slots of a node, or the parallel tasks of a job."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._free: list[float] = []

    def _uses(self, entry: Entry) -> int:
        return entry.state.slots

    def free(self, slots: int) -> list[float]:
        """Return since when each slot is free of tasks that have ended, earliest first."""
        if len(self._free) != slots:
            self._free = [0.0] * slots
            ended = (entry for entry in self.entries.values() if entry.settled)
            for entry in sorted(ended, key=lambda entry: entry.state.ends or 0.0):
                occupy(self._free, self._uses(entry), entry.state.ends or 0.0)
        return list(self._free)

    def _note(self, entry: Entry, sign: int) -> None:
        if sign > 0 and entry.settled and self._free:
            occupy(self._free, self._uses(entry), entry.state.ends or 0.0)
        elif entry.settled:
            self._free = []


class NodeTasks(_Places):
    """The tasks that ran on a node, or run there."""

    def __init__(self) -> None:
        super().__init__()
        self.load = NodeLoad()

    def count(self, entry: Entry, sign: int) -> None:
        """Count a task in, or out."""
        self.load.run += sign
        if not entry.settled:
            self.load.running += sign
            self.load.slots += sign * entry.state.slots
        else:
            self.load.succeeded += sign * entry.succeeded
        self._note(entry, sign)


class JobTasks(_Places):
    """The tasks of a job, and their numbers and slots by state."""

    def __init__(self) -> None:
        super().__init__()
        self.pools: set[str] = set()
        self.without_end = 0
        self.tasks = dict.fromkeys(("active", "running", "completed", "succeeded", "failed"), 0)
        self.slots = dict(self.tasks)

    def _uses(self, entry: Entry) -> int:
        return 0 if entry.state.started is None else 1

    def count(self, entry: Entry, sign: int) -> None:
        """Count a task in, or out."""
        self.without_end += sign * (entry.state.ends is None)
        if entry.settled:
            names = ["completed", "succeeded" if entry.succeeded else "failed"]
        else:
            names = ["active" if entry.state.started is None else "running"]
        self._note(entry, sign)
        for name in names:
            self.tasks[name] += sign
            self.slots[name] += sign * entry.state.slots


class PoolTasks:
    """The tasks of a pool."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.running: dict[str, Entry] = {}
        #: The waiting tasks: those that can run anywhere, by slots and job, in order; and the others.
        self.plain: dict[str, Entry] = {}
        self.queues: dict[tuple[int, str], list[tuple[int, int, str]]] = defaultdict(list)
        self.special: dict[str, Entry] = {}
        self.nodes: dict[str, NodeTasks] = defaultdict(NodeTasks)
        self.until = 0.0
        self.coming: list[tuple[float, str]] = []
        self.past: list[tuple[float, str]] = []

    def first(self, name: tuple[int, str]) -> Entry | None:
        """Return the first waiting task of so many slots and of a job that can run anywhere."""
        queue = self.queues[name]
        while queue:
            entry = self.plain.get(queue[0][2])
            if entry is not None and entry.order == queue[0] and entry.state.slots == name[0]:
                return entry
            heapq.heappop(queue)
        del self.queues[name]
        return None


class TaskIndex:
    """The tasks of a state.

    Parameters
    ----------
    found
        Key, document and state of each task.
    """

    def __init__(self, found: Iterator[tuple[str, dict[str, Any], TaskState]]) -> None:
        self.revision: tuple[int, int] = (0, 0)
        self.entries: dict[str, Entry] = {}
        self.pools: dict[str, PoolTasks] = defaultdict(PoolTasks)
        self.jobs: dict[str, JobTasks] = defaultdict(JobTasks)
        for key, doc, state in found:
            self.put(key, doc, state)

    def pool(self, key: str, now: float) -> PoolTasks:
        """Return the tasks of a pool at a time."""
        pool = self.pools[key]
        self._settle(pool, now)
        return pool

    def job(self, key: str, now: float) -> JobTasks:
        """Return the tasks of a job at a time."""
        job = self.jobs[key]
        for pool in job.pools:
            self._settle(self.pools[pool], now)
        return job

    def put(self, key: str, doc: dict[str, Any] | None, state: TaskState) -> None:
        """Add a task or replace it; without a document only its state."""
        before = self.entries.get(key)
        if before is not None:
            self.remove(key)
        if doc is not None or before is None:
            doc = doc or {}
            several = doc.get("multiInstanceSettings")
            instances = 0 if several is None else int(several.get("numberOfInstances", 1))
            entry = Entry(key, state, doc.get("dependsOn") or None, doc.get("exitConditions") or None, instances)
        else:
            entry = Entry(key, state, before.depends, before.exits, before.instances)
        pool, job = self.pools[state.pool], self.jobs[entry.job]
        entry.settled = state.ends is not None and state.ends <= pool.until
        self.entries[key] = pool.entries[key] = job.entries[key] = entry
        job.pools.add(state.pool)
        if entry.is_waiting:
            if entry.is_plain:
                pool.plain[key] = entry
                heapq.heappush(pool.queues[state.slots, entry.job], entry.order)
            else:
                pool.special[key] = entry
        self._count(pool, entry, 1)
        if entry.settled:
            bisect.insort(pool.past, (state.ends or 0.0, key))
        elif state.ends is not None:
            heapq.heappush(pool.coming, (state.ends, key))

    def remove(self, key: str) -> None:
        """Remove a task."""
        entry = self.entries.pop(key)
        pool, job = self.pools[entry.state.pool], self.jobs[entry.job]
        self._count(pool, entry, -1)
        for place in (pool.entries, job.entries, pool.plain, pool.special):
            place.pop(key, None)

    def _count(self, pool: PoolTasks, entry: Entry, sign: int) -> None:
        self.jobs[entry.job].count(entry, sign)
        state = entry.state
        if state.node is None or state.started is None:
            return
        node = pool.nodes[state.node]
        if sign > 0:
            node.entries[entry.key] = entry
        else:
            node.entries.pop(entry.key, None)
        node.count(entry, sign)
        if sign > 0 and not entry.settled:
            pool.running[entry.key] = entry
        else:
            pool.running.pop(entry.key, None)

    def _settle(self, pool: PoolTasks, now: float) -> None:
        """Move the time of a pool."""
        while pool.coming and pool.coming[0][0] <= now:
            ends, key = heapq.heappop(pool.coming)
            if self._turn(pool, key, ends, settled=True):
                pool.past.append((ends, key))
        while pool.past and pool.past[-1][0] > now:
            ends, key = pool.past.pop()
            if self._turn(pool, key, ends, settled=False):
                heapq.heappush(pool.coming, (ends, key))
        pool.until = now

    def _turn(self, pool: PoolTasks, key: str, ends: float, *, settled: bool) -> bool:
        entry = pool.entries.get(key)
        if entry is None or entry.state.ends != ends or entry.settled == settled:
            return False
        self._count(pool, entry, -1)
        entry.settled = settled
        self._count(pool, entry, 1)
        return True


_INDEXES: weakref.WeakKeyDictionary[Store, TaskIndex] = weakref.WeakKeyDictionary()


def current_index(store: Store) -> TaskIndex:
    """Return the index of the tasks of a state, made again if something else has written tasks."""
    revision = store.revision(task_states.KIND)
    index = _INDEXES.get(store)
    if index is None or index.revision != revision:
        index = TaskIndex(
            (item.key, item.doc, task_states.state_of(item))
            for item in store.each(task_states.KIND, "/subscriptions", most=_ROWS)
        )
        index.revision = revision
        _INDEXES[store] = index
    return index


def occupy(times: list[float], slots: int, until: float) -> None:
    """Use the slots of a node that are free first; `times` stays in order."""
    times[:slots] = [max(until, time) for time in times[:slots]]
    times.sort()
