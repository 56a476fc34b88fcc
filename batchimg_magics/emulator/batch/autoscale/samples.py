"""The metrics of a pool that a formula can read: current values, and samples over time.

Source: "Create a formula to automatically scale compute nodes in a Batch pool" (Microsoft).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from batchimg_magics.emulator.batch.autoscale.values import (
    INSUFFICIENT_DATA,
    FormulaError,
    Interval,
    Moment,
    Value,
    need,
)

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two samples.
SAMPLE_S = 30.0
#: Metrics of which Batch takes no samples any more, since 31 March 2024.
RETIRED_METRICS = frozenset(
    {
        "$WallClockSeconds", "$MemoryBytes", "$DiskBytes", "$DiskReadBytes", "$DiskWriteBytes", "$DiskReadOps",
        "$DiskWriteOps", "$NetworkInBytes", "$NetworkOutBytes", "$SampleNodeCount",
    }
)  # fmt: skip
#: Metrics with a current value and samples.
METRICS = RETIRED_METRICS | {
    "$CPUPercent", "$ActiveTasks", "$RunningTasks", "$PendingTasks", "$SucceededTasks", "$FailedTasks",
    "$TaskSlotsPerNode", "$CurrentDedicatedNodes", "$CurrentLowPriorityNodes", "$UsableNodeCount",
    "$PreemptedNodeCount",
}  # fmt: skip


class Metrics(Protocol):
    """The metrics of a pool."""

    def now(self) -> float:
        """Return the time of the evaluation."""

    def begin(self) -> float:
        """Return the time of the first samples."""

    def value(self, name: str) -> float:
        """Return the current value of a metric."""

    def samples(self, name: str, begin: float, end: float) -> tuple[list[float], int]:
        """Return the samples of a metric in a time range, oldest first, and how many are expected."""

    def last(self, name: str, count: int) -> list[float]:
        """Return the last samples of a metric, oldest first."""


class FormulaRun(msgspec.Struct):
    """The evaluation of a formula.

    Parameters
    ----------
    metrics
        The metrics of the pool.
    variables
        The variables set so far.
    aliased
        The targets that were set by their old names.
    assigned
        The targets that were set by their names.
    """

    metrics: Metrics
    variables: dict[str, Value] = msgspec.field(default_factory=dict)
    aliased: dict[str, Value] = msgspec.field(default_factory=dict)
    assigned: set[str] = msgspec.field(default_factory=set)


def _time_range(run: FormulaRun, arguments: list[Value]) -> tuple[float, float]:
    """Return begin and end in the one or two times of GetSample and GetSamplePercent, in any order."""
    if not 1 <= len(arguments) <= 2:
        raise FormulaError(f"Wrong number of arguments: one or two times expected, {len(arguments)} found")
    now = run.metrics.now()
    bounds = [one.seconds if isinstance(one, Moment) else now - need(one, Interval).seconds for one in arguments]
    other = bounds[1] if len(bounds) == 2 else now
    return min(bounds[0], other), max(bounds[0], other)


def _insufficient(name: str, wanted: str, received: str) -> FormulaError:
    text = f"Insufficient data from data set: {name} wanted {wanted}, received {received}"
    return FormulaError(text, INSUFFICIENT_DATA)


def _get_sample(run: FormulaRun, name: str, arguments: list[Value]) -> Value:
    if len(arguments) == 1 and isinstance(arguments[0], float):
        count = int(arguments[0])
        if count < 1:
            raise FormulaError(f"Invalid number of samples: {count}")
        found = run.metrics.last(name, count)
        if not found:
            raise _insufficient(name, f"{count} samples", "0")
        return found
    wanted = arguments[-1] if arguments and isinstance(arguments[-1], float) else None
    begin, end = _time_range(run, arguments if wanted is None else arguments[:-1])
    found, due = run.metrics.samples(name, begin, end)
    share = 100.0 * len(found) / due if due else 0.0
    if not found or share < (wanted or 0.0):
        raise _insufficient(name, f"{wanted or 1.0:g}%", f"{share:.0f}%")
    return found


def _get_percent(run: FormulaRun, name: str, arguments: list[Value]) -> Value:
    found, due = run.metrics.samples(name, *_time_range(run, arguments))
    return 100.0 * len(found) / due if due else 0.0


def _without_arguments(work: Callable[[FormulaRun, str], Value]) -> Callable[[FormulaRun, str, list[Value]], Value]:
    def call(run: FormulaRun, name: str, arguments: list[Value]) -> Value:
        if arguments:
            raise FormulaError(f"Wrong number of arguments: 0 expected, {len(arguments)} found")
        return work(run, name)

    return call


#: The methods of a metric.
METHODS: dict[str, Callable[[FormulaRun, str, list[Value]], Value]] = {
    "GetSample": _get_sample,
    "GetSamplePercent": _get_percent,
    "GetSamplePeriod": _without_arguments(lambda _run, _name: Interval(SAMPLE_S)),
    "Count": _without_arguments(lambda run, name: float(len(run.metrics.samples(name, 0.0, run.metrics.now())[0]))),
    "HistoryBeginTime": _without_arguments(lambda run, _name: Moment(run.metrics.begin())),
}
