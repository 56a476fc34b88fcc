"""The state of a task beside its document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item

JOBS = "microsoft.batch/batchaccounts/jobs"
KIND = f"{JOBS}/tasks"


class TaskState(msgspec.Struct, omit_defaults=True):
    """The state of a task beside its document.

    Parameters
    ----------
    pool
        Key of its pool.
    priority, number
        Tasks are scheduled in order of the priority of their job, then of their creation.
    added
        Since when it is active.
    seconds, exit_code
        The result of its command.
    slots
        Its task slots.
    created, modified
        In ticks.
    waiting
        Whether its job is active, so that it may be scheduled.
    node, started, ends
        Where and when it runs; the end is known at the start.
    terminated
        Whether a client terminated it.
    requeued
        How often it was requeued because its node left.
    retried
        How often its process was started again after it had failed.
    failure
        Why a task failed that really ran, as code and message; None: its exit code tells it.
    """

    pool: str
    priority: int
    number: int
    added: float
    seconds: float
    exit_code: int
    slots: int
    created: int
    modified: int
    waiting: bool = True
    node: str | None = None
    started: float | None = None
    ends: float | None = None
    terminated: bool = False
    requeued: int = 0
    retried: int = 0
    failure: tuple[str, str] | None = None

    def state(self, now: float) -> str:
        """Return ``active``, ``running`` or ``completed``."""
        if self.ends is not None and now >= self.ends:
            return "completed"
        return "running" if self.started is not None and now >= self.started else "active"


def state_of(item: Item) -> TaskState:
    """Return the state of a task."""
    return msgspec.convert(item.hidden, TaskState)


def instances_of(item: Item) -> int:
    """Return the number of nodes that a task asks for."""
    return int(item.doc.get("multiInstanceSettings", {}).get("numberOfInstances", 1))
