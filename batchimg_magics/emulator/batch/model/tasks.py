"""Tasks as they are added to a job.

Source: Microsoft's OpenAPI (2024-02-01.19.0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.batch.model import task_results, task_scheduling, task_states
from batchimg_magics.emulator.batch.model.task_states import TaskState
from batchimg_magics.emulator.http.dates import ticks
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call

FOREVER = "P10675199DT2H48M5.4775807S"
#: The constraints of a task that does not specify them.
CONSTRAINTS: dict[str, Any] = {"maxWallClockTime": FOREVER, "retentionTime": "P7D", "maxTaskRetryCount": 0}


class JobTerms(msgspec.Struct, frozen=True):
    """What a task gets from its job.

    Parameters
    ----------
    pool
        Key of its pool.
    priority
        Its priority.
    waiting
        Whether it is active, so that its tasks are scheduled.
    """

    pool: str
    priority: int
    waiting: bool


def add(call: Call, pool: Pool | None, job: str, body: dict[str, Any], terms: JobTerms) -> tuple[Item, TaskState]:
    """Add a task to a job.

    Parameters
    ----------
    call
        The request, or the time at which the task is added.
    pool
        The pool of the job, None if it is deleted.
    job
        Key of the job.
    body
        The task; it has been checked.
    terms
        The terms of the job.
    """
    result = task_results.task_result(call.store, call.now, pool, body, task_scheduling.PROGRAM_S)
    limits = body.get("constraints", {})
    tries = 1 + max(0, int(limits.get("maxTaskRetryCount", 0))) if result.exit_code else 1
    document: dict[str, Any] = {
        "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}},
        "requiredSlots": 1,
    }
    document |= body
    document["constraints"] = CONSTRAINTS | limits
    moment = ticks(call.now)
    state = TaskState(
        pool=terms.pool,
        priority=terms.priority,
        number=_next_number(call),
        added=call.now,
        seconds=result.seconds * tries,
        exit_code=result.exit_code,
        slots=int(document["requiredSlots"]),
        created=moment,
        modified=moment,
        waiting=terms.waiting,
    )
    item = Item(f"{job}/tasks/{body['id'].lower()}", task_states.KIND, document, {})
    task_scheduling.save_task(call.store, item, state)
    return item, state


def _next_number(call: Call) -> int:
    number = int(call.store.meta("batch_tasks") or 0) + 1
    call.store.set_meta("batch_tasks", number)
    return number
