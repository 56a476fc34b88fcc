"""Dependencies of tasks: when a task can be scheduled that depends on others.

Source: Microsoft's OpenAPI (2024-02-01.19.0), TaskDependencies, ExitConditions and DependencyAction.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batchimg_magics.emulator.world.store import Item

evidence = Evidence("Dependencies of tasks")
evidence.rule(
    "A task waits for all ids of a range that it depends on, also for those of tasks that are not added yet.",
    "the documents do not say what a range means that has gaps",
)


class TaskEnd(Protocol):
    """How a task ended, or will end."""

    ends: float | None
    exit_code: int
    terminated: bool


def has_dependencies(item: Item) -> bool:
    """Tell whether a task depends on others."""
    return bool(item.doc.get("dependsOn"))


class TaskDependencies:
    """The dependencies among tasks.

    Parameters
    ----------
    tasks
        All tasks that others may depend on, with their states.
    """

    def __init__(self, tasks: Iterable[tuple[Item, TaskEnd]]) -> None:
        self._by_key = {item.key: (item, state) for item, state in tasks}

    def ready_at(self, item: Item) -> float:
        """Return when the dependencies of a task are satisfied, as far as it is known; infinite if they are not."""
        if not has_dependencies(item):
            return 0.0
        latest = 0.0
        for key in _keys(item):
            latest = max(latest, self._satisfied_at(key))
            if latest == math.inf:  # a range can have millions of ids
                break
        return latest

    def _satisfied_at(self, key: str) -> float:
        if key not in self._by_key:
            return math.inf
        item, state = self._by_key[key]
        if state.ends is None or not _satisfies(item.doc, state):
            return math.inf
        return state.ends


def _keys(item: Item) -> Iterator[str]:
    """Yield the keys of the tasks that a task depends on."""
    job = item.key.rpartition("/tasks/")[0]
    wanted = item.doc["dependsOn"]
    for name in wanted.get("taskIds", []):
        yield f"{job}/tasks/{name.lower()}"
    for span in wanted.get("taskIdRanges", []):
        for number in range(int(span["start"]), int(span["end"]) + 1):
            yield f"{job}/tasks/{number}"


def _satisfies(task: dict[str, Any], state: TaskEnd) -> bool:
    """Tell whether the end of a task satisfies tasks that depend on it."""
    failed = state.terminated or state.exit_code != 0
    options = _exit_options(task.get("exitConditions", {}), state, failed=failed)
    return bool(options.get("dependencyAction", "block" if failed else "satisfy") == "satisfy")


def _exit_options(conditions: dict[str, Any], state: TaskEnd, *, failed: bool) -> dict[str, Any]:
    if not state.terminated:
        for row in conditions.get("exitCodes", []):
            if int(row["code"]) == state.exit_code:
                return dict(row["exitOptions"])
        for row in conditions.get("exitCodeRanges", []):
            if int(row["start"]) <= state.exit_code <= int(row["end"]):
                return dict(row["exitOptions"])
    return dict(conditions.get("default", {})) if failed else {}
