"""The metrics of a pool for its autoscale formula: its nodes and its tasks at any time in the past.

Samples are 30 s apart. The CPU load of a node is derived from its tasks.

Source: the variables in Microsoft's autoscale document, its warning that ``$PreemptedNodeCount`` returns 0, and its
notice that Batch takes no samples of some variables after 31 March 2024.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from batchimg_magics.emulator.batch.autoscale.samples import RETIRED_METRICS, SAMPLE_S
from batchimg_magics.emulator.batch.fleet import node_counts
from batchimg_magics.emulator.batch.fleet.nodes import KINDS
from batchimg_magics.emulator.batch.model import task_scheduling
from batchimg_magics.emulator.batch.model.task_dependencies import TaskDependencies
from batchimg_magics.emulator.http.dates import TICKS_AT_1970
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.fleet.cohorts import NodeKind
    from batchimg_magics.emulator.batch.fleet.node_counts import Floats, Spans
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.batch.model.task_states import TaskState
    from batchimg_magics.emulator.world.store import Store

evidence = Evidence("Metrics of autoscale formulas")
BUSY_CPU = evidence.assumed(
    0.9,
    "",
    "$CPUPercent of a node that runs tasks",
    "no task is executed; the document's formulas compare with 0.7 for 70 percent",
)
IDLE_CPU = evidence.assumed(0.02, "", "$CPUPercent of a node without tasks", "no task is executed")
SAMPLE_DELAY_S = evidence.assumed(
    30.0,
    "s",
    "until a formula can read a sample",
    "the document says about one minute, but its formula for pending tasks needs 70 percent of the last three minutes",
)
evidence.rule(
    "A pool without samples answers GetSample(1) with the current value of the metric.",
    "formulas that begin with GetSample(1) work on new pools (batch-shipyard #138)",
)
SAMPLES_KEPT_S = evidence.assumed(
    86_400.0, "s", "that samples are kept", "Batch documents only that there is an oldest one (HistoryBeginTime)"
)
#: Variable -> states of the tasks that it counts.
_OF_TASKS = {
    "$ActiveTasks": ("active",),
    "$RunningTasks": ("running",),
    "$PendingTasks": ("active", "running"),
    "$SucceededTasks": ("succeeded",),
    "$FailedTasks": ("failed",),
}
_OF_NODES: dict[str, NodeKind] = {"$CurrentDedicatedNodes": "dedicated", "$CurrentLowPriorityNodes": "spot"}


class _CountedTask(NamedTuple):
    """A task: its state, its instances, and when the tasks that it depends on are completed."""

    state: TaskState
    instances: int
    ready: float


class PoolMetrics:
    """The metrics of a pool at a time, as `autoscale.samples.Metrics` defines them."""

    def __init__(self, store: Store, pool: Pool, now: float) -> None:
        self._pool, self._now = pool, now
        index = task_scheduling.task_index(store)
        depends = TaskDependencies(index.entries)
        self._tasks = [
            _CountedTask(entry.state, entry.instances or 1, depends.ready_at(entry) if entry.depends else 0.0)
            for entry in index.pools[pool.key].entries.values()
        ]
        self._created = (pool.state.created - TICKS_AT_1970) / 1e7

    def now(self) -> float:
        """Return the time."""
        return self._now

    def begin(self) -> float:
        """Return the time of the oldest sample."""
        return max(self._created, self._now - SAMPLES_KEPT_S)

    def value(self, name: str) -> float:
        """Return a metric at the time."""
        return self._at(name, np.array([self._now]))[0]

    def samples(self, name: str, begin: float, end: float) -> tuple[list[float], int]:
        """Return the samples of a metric after a time until another, and how many are due.

        A sample that is not available yet is due, and so are those from before the pool was created.
        """
        first, last = math.floor(max(0.0, begin) / SAMPLE_S) + 1, math.floor(min(end, self._now) / SAMPLE_S)
        due = max(0, last - first + 1)
        oldest = max(first, math.ceil(self.begin() / SAMPLE_S))
        taken = range(0) if name in RETIRED_METRICS else range(oldest, min(last, self._newest()) + 1)
        return self._at(name, np.arange(taken.start, taken.stop, dtype=np.float64) * SAMPLE_S), due

    def _newest(self) -> int:
        """Return the number of the last sample that is available."""
        return math.floor((self._now - SAMPLE_DELAY_S) / SAMPLE_S)

    def last(self, name: str, count: int) -> list[float]:
        """Return the last samples of a metric; for a pool without samples its current value."""
        newest = self._newest() * SAMPLE_S
        taken = 0 if name in RETIRED_METRICS else max(0, math.floor((newest - self.begin()) / SAMPLE_S) + 1)
        moments = newest - np.arange(min(max(1, count), taken), dtype=np.float64)[::-1] * SAMPLE_S
        return self._at(name, moments if len(moments) else np.array([self._now]))

    def _at(self, name: str, moments: Floats) -> list[float]:
        """Return a metric at some times."""
        found: list[float] = self._values(name, moments).tolist()
        return found

    def _values(self, name: str, moments: Floats) -> Floats:
        fleet = self._pool.state.fleet
        if name in _OF_TASKS:
            return self._tasks_in(_OF_TASKS[name]).count(moments)
        if name == "$CPUPercent":
            usable, busy = node_counts.count_nodes(fleet, moments, KINDS, usable=True), self._busy_nodes.count(moments)
            return np.divide(
                busy * BUSY_CPU + (usable - busy) * IDLE_CPU, usable, np.zeros(len(moments)), where=usable > 0
            )
        if name == "$UsableNodeCount":
            return node_counts.count_nodes(fleet, moments, KINDS, usable=True)
        if name in _OF_NODES:
            return node_counts.count_nodes(fleet, moments, [_OF_NODES[name]], usable=False)
        constant = self._pool.doc["taskSlotsPerNode"] if name == "$TaskSlotsPerNode" else 0
        return np.full(len(moments), float(constant))

    def _tasks_in(self, states: tuple[str, ...]) -> Spans:
        """Return when each task is in one of some states.

        A multi-instance task that waits is one for each instance; a task that waits for others is none.
        """
        spans = [
            (max(begin, task.ready) if state == "active" else begin, end, task.instances if state == "active" else 1)
            for task in self._tasks
            for state, begin, end in _states(task.state)
            if state in states
        ]
        begins, ends, weights = np.array(spans, dtype=np.float64).reshape(-1, 3).T
        return node_counts.make_spans(begins, ends, weights)

    @functools.cached_property
    def _busy_nodes(self) -> Spans:
        """When each node runs tasks: the spans of the tasks of a node may overlap."""
        running = sorted(
            (str(task.state.node), begin, end)
            for task in self._tasks
            for state, begin, end in _states(task.state)
            if state == "running"
        )
        merged: list[tuple[str, float, float]] = []
        for node, begin, end in running:
            if merged and merged[-1][0] == node and begin <= merged[-1][2]:
                merged[-1] = (node, merged[-1][1], max(end, merged[-1][2]))
            else:
                merged.append((node, begin, end))
        begins, ends = np.array([span[1:] for span in merged], dtype=np.float64).reshape(-1, 2).T
        return node_counts.make_spans(begins, ends)


def _states(task: TaskState) -> list[tuple[str, float, float]]:
    """Return the states of a task in order, each with its begin and end, and the result instead of ``completed``."""
    created = (task.created - TICKS_AT_1970) / 1e7
    ended = math.inf if task.ends is None else task.ends
    started = ended if task.started is None else min(task.started, ended)
    result = "failed" if task.exit_code or task.terminated else "succeeded"
    times = [("active", created, started), ("running", started, ended), (result, ended, math.inf)]
    return [(state, max(created, begin), end) for state, begin, end in times]
