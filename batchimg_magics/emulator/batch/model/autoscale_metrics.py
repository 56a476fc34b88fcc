"""The metrics of a pool for its autoscale formula: its nodes and its tasks at any time in the past.

Source: the variables in Microsoft's autoscale document. Samples are 30 s apart; the CPU load of a node is derived from
its tasks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from batchimg_magics.emulator.batch.autoscale.samples import SAMPLE_S
from batchimg_magics.emulator.batch.fleet import nodes
from batchimg_magics.emulator.batch.model import task_scheduling
from batchimg_magics.emulator.http.dates import TICKS_AT_1970
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.batch.model.task_scheduling import TaskState
    from batchimg_magics.emulator.world.store import Store

evidence = Evidence("Metrics of autoscale formulas")
BUSY_PERCENT = evidence.assumed(90.0, "%", "CPU load of a node that runs tasks", "no task is executed")
IDLE_PERCENT = evidence.assumed(2.0, "%", "CPU load of a node without tasks", "no task is executed")
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


class PoolMetrics:
    """The metrics of a pool at a time, as `autoscale.samples.Metrics` defines them."""

    def __init__(self, store: Store, pool: Pool, now: float) -> None:
        self._pool, self._now = pool, now
        self._tasks = [state for _, state in task_scheduling.pool_tasks(store, pool)]
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
        """Return the samples of a metric in a time range, and how many a pool of any age would have."""
        first, last = math.ceil(max(0.0, begin) / SAMPLE_S), math.floor(end / SAMPLE_S)
        taken = [number * SAMPLE_S for number in range(max(first, math.ceil(self.begin() / SAMPLE_S)), last + 1)]
        return [self._at(name, moment) for moment in taken], max(0, last - first + 1)

    def last(self, name: str, count: int) -> list[float]:
        """Return the last samples of a metric; for a pool without samples its current value."""
        newest = math.floor(self._now / SAMPLE_S) * SAMPLE_S
        taken = max(0, math.floor((newest - self.begin()) / SAMPLE_S) + 1)
        moments = [newest - number * SAMPLE_S for number in reversed(range(min(max(1, count), taken)))]
        return [self._at(name, moment) for moment in moments] or [self._at(name, self._now)]

    def _at(self, name: str, moment: float) -> float:
        if name in _OF_TASKS:
            return float(sum(self._is(task, _OF_TASKS[name], moment) for task in self._tasks))
        tally = {kind: nodes.counts_by_state(self._pool.state.fleet, moment, kind) for kind in nodes.KINDS}
        usable = sum(tally[kind].get(state, 0) for kind in nodes.KINDS for state in _USABLE)
        if name == "$CPUPercent":
            busy = len({task.node for task in self._tasks if self._is(task, ("running",), moment)})
            return (busy * BUSY_PERCENT + (usable - busy) * IDLE_PERCENT) / usable if usable else 0.0
        known = {
            "$CurrentDedicatedNodes": sum(tally["dedicated"].values()),
            "$CurrentLowPriorityNodes": sum(tally["spot"].values()),
            "$UsableNodeCount": usable,
            "$PreemptedNodeCount": tally["spot"].get("preempted", 0),
            "$SampleNodeCount": usable,
            "$TaskSlotsPerNode": self._pool.doc["taskSlotsPerNode"],
            "$WallClockSeconds": moment - self._created,
        }
        return float(known.get(name, 0.0))

    @staticmethod
    def _is(task: TaskState, states: tuple[str, ...], moment: float) -> bool:
        if moment * 1e7 < task.created - TICKS_AT_1970:
            return False
        state = task.state(moment)
        if state == "completed":
            state = "failed" if task.exit_code or task.terminated else "succeeded"
        return state in states
