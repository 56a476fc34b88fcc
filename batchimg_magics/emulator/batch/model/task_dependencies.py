"""Dependencies of tasks: when a task can be scheduled that depends on others.

Source: Microsoft's OpenAPI (2024-02-01.19.0), TaskDependencies, ExitConditions and DependencyAction.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchimg_magics.emulator.batch.model.task_index import Entry

evidence = Evidence("Dependencies of tasks")
evidence.rule(
    "A task waits for all ids of a range that it depends on, also for those of tasks that are not added yet.",
    "the documents do not say what a range means that has gaps",
)


class TaskDependencies:
    """The dependencies among tasks.

    Parameters
    ----------
    tasks
        All tasks that others may depend on, by their keys.
    """

    def __init__(self, tasks: Mapping[str, Entry]) -> None:
        self._by_key = tasks

    def ready_at(self, task: Entry) -> float:
        """Return when the dependencies of a task are satisfied, as far as it is known; infinite if they are not."""
        latest = 0.0
        for key in _keys(task):
            latest = max(latest, self._satisfied_at(key))
            if latest == math.inf:  # a range can have millions of ids
                break
        return latest

    def _satisfied_at(self, key: str) -> float:
        if key not in self._by_key:
            return math.inf
        task = self._by_key[key]
        if task.state.ends is None or not _satisfies(task):
            return math.inf
        return task.state.ends


def _keys(task: Entry) -> Iterator[str]:
    """Yield the keys of the tasks that a task depends on."""
    job, wanted = task.job, task.depends or {}
    for name in wanted.get("taskIds", []):
        yield f"{job}/tasks/{name.lower()}"
    for span in wanted.get("taskIdRanges", []):
        for number in range(int(span["start"]), int(span["end"]) + 1):
            yield f"{job}/tasks/{number}"


def _satisfies(task: Entry) -> bool:
    """Tell whether the end of a task satisfies tasks that depend on it."""
    default = "satisfy" if task.succeeded else "block"
    return bool(exit_options(task).get("dependencyAction", default) == "satisfy")


def exit_options(task: Entry) -> dict[str, Any]:
    """Return what the exit conditions of a task specify for its end."""
    conditions, state = task.exits or {}, task.state
    if not state.terminated:
        for row in conditions.get("exitCodes", []):
            if int(row["code"]) == state.exit_code:
                return dict(row["exitOptions"])
        for row in conditions.get("exitCodeRanges", []):
            if int(row["start"]) <= state.exit_code <= int(row["end"]):
                return dict(row["exitOptions"])
    return {} if task.succeeded else dict(conditions.get("default", {}))
