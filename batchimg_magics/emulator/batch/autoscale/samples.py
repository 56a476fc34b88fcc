"""The metrics of a pool that a formula can read: current values, and samples over time.

Source: "Create a formula to automatically scale compute nodes in a Batch pool" (Microsoft).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from batchimg_magics.emulator.batch.autoscale import values
from batchimg_magics.emulator.batch.autoscale.values import FormulaError, Interval, Moment, Value

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two samples.
SAMPLE_S = 30.0
#: Metrics with a current value and samples.
METRICS = frozenset(
    {
        "$CPUPercent", "$ActiveTasks", "$RunningTasks", "$PendingTasks", "$SucceededTasks", "$FailedTasks",
        "$TaskSlotsPerNode", "$CurrentDedicatedNodes", "$CurrentLowPriorityNodes", "$UsableNodeCount",
        "$PreemptedNodeCount", "$WallClockSeconds", "$MemoryBytes", "$DiskBytes", "$DiskReadBytes", "$DiskWriteBytes",
        "$DiskReadOps", "$DiskWriteOps", "$NetworkInBytes", "$NetworkOutBytes", "$SampleNodeCount",
    }
)  # fmt: skip


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


@dataclass(slots=True)
class FormulaRun:
    """The evaluation of a formula.

    Parameters
    ----------
    metrics
        The metrics of the pool.
    variables
        The variables set so far.
    """

    metrics: Metrics
    variables: dict[str, Value] = field(default_factory=dict)


def _time_range(run: FormulaRun, arguments: list[Value]) -> tuple[float, float, float]:
    """Return begin, end and required percentage in the arguments of GetSample and GetSamplePercent."""
    now = run.metrics.now()

    def ago(value: Value) -> float:
        if isinstance(value, Moment):
            return value.seconds
        return now - values.need(value, Interval).seconds

    bounds = [argument for argument in arguments if isinstance(argument, Interval | Moment)]
    shares = [argument for argument in arguments if isinstance(argument, float)]
    if not 1 <= len(bounds) <= 2 or len(shares) > 1 or len(bounds) + len(shares) != len(arguments):
        raise FormulaError("Invalid arguments")
    begin, end = ago(bounds[0]), ago(bounds[1]) if len(bounds) == 2 else now
    return min(begin, end), max(begin, end), shares[0] if shares else 0.0


def _get_sample(run: FormulaRun, name: str, arguments: list[Value]) -> Value:
    if len(arguments) == 1 and isinstance(arguments[0], float):
        found = run.metrics.last(name, int(arguments[0]))
        if not found:
            raise FormulaError(f"Insufficient data from data set: {name} wanted 1 samples, received 0")
        return found
    begin, end, wanted = _time_range(run, arguments)
    found, due = run.metrics.samples(name, begin, end)
    share = 100.0 * len(found) / due if due else 0.0
    if share < wanted or not found:
        raise FormulaError(f"Insufficient data from data set: {name} wanted {wanted:g}%, received {share:.0f}%")
    return found


def _get_percent(run: FormulaRun, name: str, arguments: list[Value]) -> Value:
    begin, end, _ = _time_range(run, arguments)
    found, due = run.metrics.samples(name, begin, end)
    return 100.0 * len(found) / due if due else 0.0


def _get_count(run: FormulaRun, name: str, _: list[Value]) -> Value:
    return float(len(run.metrics.samples(name, 0.0, run.metrics.now())[0]))


def _get_period(_run: FormulaRun, _name: str, _arguments: list[Value]) -> Value:
    return Interval(SAMPLE_S)


def _get_begin(run: FormulaRun, _name: str, _arguments: list[Value]) -> Value:
    return Moment(run.metrics.begin())


#: The methods of a metric.
METHODS: dict[str, Callable[[FormulaRun, str, list[Value]], Value]] = {
    "GetSample": _get_sample,
    "GetSamplePercent": _get_percent,
    "GetSamplePeriod": _get_period,
    "Count": _get_count,
    "HistoryBeginTime": _get_begin,
}
