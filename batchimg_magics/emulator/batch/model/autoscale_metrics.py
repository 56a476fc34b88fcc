"""The metrics of a pool for its autoscale formula: its nodes and its tasks at any time in the past.

Samples are 30 s apart. The CPU load of a node is derived from its tasks.

Source: the variables in Microsoft's autoscale document, its warning that ``$PreemptedNodeCount`` returns 0, and its
notice that Batch takes no samples of some variables after 31 March 2024.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from batchimg_magics.emulator.batch.autoscale.samples import RETIRED_METRICS, SAMPLE_S
from batchimg_magics.emulator.batch.fleet import nodes
from batchimg_magics.emulator.batch.model import task_scheduling
from batchimg_magics.emulator.batch.model.task_dependencies import TaskDependencies
from batchimg_magics.emulator.http.dates import TICKS_AT_1970
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.batch.model.task_scheduling import TaskState
    from batchimg_magics.emulator.world.store import Item, Store

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
_USABLE = ("idle", "running")


class _CountedTask(NamedTuple):
    """A task: its state, its instances, and when the tasks that it depends on are completed."""

    state: TaskState
    instances: int
    ready: float


class PoolMetrics:
    """The metrics of a pool at a time, as `autoscale.samples.Metrics` defines them."""

    def __init__(self, store: Store, pool: Pool, now: float) -> None:
        self._pool, self._now = pool, now
        listed = task_scheduling.pool_tasks(store, pool)
        depends = TaskDependencies(listed)
        self._tasks = [_CountedTask(state, _instances(item), depends.ready_at(item)) for item, state in listed]
        self._created = (pool.state.created - TICKS_AT_1970) / 1e7

    def now(self) -> float:
        """Return the time."""
        return self._now

    def begin(self) -> float:
        """Return the time of the oldest sample."""
        return max(self._created, self._now - SAMPLES_KEPT_S)

    def value(self, name: str) -> float:
        """Return a metric at the time."""
        return self._at(name, self._now)

    def samples(self, name: str, begin: float, end: float) -> tuple[list[float], int]:
        """Return the samples of a metric after a time until another, and how many are due.

        A sample that is not available yet is due, and so are those from before the pool was created.
        """
        first, last = math.floor(max(0.0, begin) / SAMPLE_S) + 1, math.floor(min(end, self._now) / SAMPLE_S)
        due = max(0, last - first + 1)
        oldest = max(first, math.ceil(self.begin() / SAMPLE_S))
        taken = [] if name in RETIRED_METRICS else range(oldest, min(last, self._newest()) + 1)
        return [self._at(name, number * SAMPLE_S) for number in taken], due

    def _newest(self) -> int:
        """Return the number of the last sample that is available."""
        return math.floor((self._now - SAMPLE_DELAY_S) / SAMPLE_S)

    def last(self, name: str, count: int) -> list[float]:
        """Return the last samples of a metric; for a pool without samples its current value."""
        newest = self._newest() * SAMPLE_S
        taken = 0 if name in RETIRED_METRICS else max(0, math.floor((newest - self.begin()) / SAMPLE_S) + 1)
        moments = [newest - number * SAMPLE_S for number in reversed(range(min(max(1, count), taken)))]
        return [self._at(name, moment) for moment in moments] or [self._at(name, self._now)]

    def _at(self, name: str, moment: float) -> float:
        if name in _OF_TASKS:
            return float(sum(self._count(task, name, moment) for task in self._tasks))
        tally = {kind: nodes.counts_by_state(self._pool.state.fleet, moment, kind, again=True) for kind in nodes.KINDS}
        usable = sum(tally[kind].get(state, 0) for kind in nodes.KINDS for state in _USABLE)
        if name == "$CPUPercent":
            busy = len({task.state.node for task in self._tasks if _state(task.state, moment) == "running"})
            return (busy * BUSY_CPU + (usable - busy) * IDLE_CPU) / usable if usable else 0.0
        known = {
            "$CurrentDedicatedNodes": sum(tally["dedicated"].values()),
            "$CurrentLowPriorityNodes": sum(tally["spot"].values()),
            "$UsableNodeCount": usable,
            "$TaskSlotsPerNode": self._pool.doc["taskSlotsPerNode"],
        }
        return float(known.get(name, 0.0))

    @staticmethod
    def _count(task: _CountedTask, name: str, moment: float) -> int:
        """Return how many tasks of a metric a task is.

        A multi-instance task that waits is one for each instance; a task that waits for others is none.
        """
        state = _state(task.state, moment)
        if state not in _OF_TASKS[name]:
            return 0
        if state != "active":
            return 1
        return task.instances if task.ready <= moment else 0


def _instances(item: Item) -> int:
    settings = item.doc.get("multiInstanceSettings") or {}
    return int(settings.get("numberOfInstances", 1))


def _state(task: TaskState, moment: float) -> str:
    """Return the state of a task at a time, with the result instead of ``completed``; empty before it is added."""
    if moment * 1e7 < task.created - TICKS_AT_1970:
        return ""
    state = task.state(moment)
    if state == "completed":
        return "failed" if task.exit_code or task.terminated else "succeeded"
    return state
