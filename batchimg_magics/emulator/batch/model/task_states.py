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
        Why a task failed, as code and message; None: its exit code tells it.
    tries
        How often it is started in the time that it runs, unless it really runs.
    prepares
        How long its node runs the preparation task of the job before it starts.
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
    tries: int = 1
    prepares: float = 0.0

    def state(self, now: float) -> str:
        """Return ``active``, ``preparing``, ``running`` or ``completed``.

        A task that really runs has no end yet.
        """
        if self.ends is not None and now >= self.ends:
            return "completed"
        if self.started is None or now < self.started - self.prepares:
            return "active"
        return "running" if now >= self.started else "preparing"

    def retries(self, now: float) -> int:
        """Return how often it was started again after a failure, until a time."""
        if self.started is None or self.ends is None or self.tries == 1:
            return self.retried
        done = 1.0 if not self.seconds else (min(now, self.ends) - self.started) / self.seconds
        return min(self.tries - 1, int(self.tries * done))


def state_of(item: Item) -> TaskState:
    """Return the state of a task."""
    return msgspec.convert(item.hidden, TaskState)


def instances_of(item: Item) -> int:
    """Return the number of nodes that a task asks for."""
    return int(item.doc.get("multiInstanceSettings", {}).get("numberOfInstances", 1))
