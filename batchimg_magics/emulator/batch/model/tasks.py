"""Tasks as they are added to a job.

Source: Microsoft's OpenAPI (2024-02-01.19.0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.batch.model import task_results, task_scheduling, task_states
from batchimg_magics.emulator.batch.model.task_states import TaskState
from batchimg_magics.emulator.http.dates import duration_s, ticks
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call

FOREVER = "P10675199DT2H48M5.4775807S"
#: The constraints of a task that does not specify them.
CONSTRAINTS: dict[str, Any] = {"maxWallClockTime": FOREVER, "retentionTime": "P7D", "maxTaskRetryCount": 0}
#: Why a task failed that exceeded its maximum wall clock time.
TIMEOUT = ("TaskEnded", "The task exceeded its maximum wall clock time")
evidence = Evidence("Constraints of tasks")
TIMEOUT_EXIT_CODE = int(
    evidence.assumed(137.0, "", "exit code of a task that exceeded its maximum wall clock time", "killed by SIGKILL")
)
evidence.rule(
    "The maximum wall clock time of a task counts from its first start, over all retries.",
    "OpenAPI: measured from the time the task starts",
)
#: How long a task runs that fails and is started again any number of times.
ENDLESS_S = 3.0e9


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
    retries
        How often its tasks are started again after a failure, -1 for any number of times.
    """

    pool: str
    priority: int
    waiting: bool
    retries: int


def add(
    call: Call, pool: Pool | None, job: str, body: dict[str, Any], terms: JobTerms, *, exclusive: bool = False
) -> tuple[Item, TaskState]:
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
    exclusive
        Whether no other task runs on its node meanwhile: it uses all task slots of the node.
    """
    result = task_results.task_result(call.store, call.now, pool, body, task_scheduling.PROGRAM_S)
    limits = CONSTRAINTS | {"maxTaskRetryCount": terms.retries} | body.get("constraints", {})
    seconds, tries, timed_out = _run_time(result.seconds, result.exit_code, limits)
    document: dict[str, Any] = {
        "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}},
        "requiredSlots": 1,
    }
    document |= body
    document["constraints"] = limits
    moment = ticks(call.now)
    slots = int(document["requiredSlots"])
    if exclusive and pool is not None:
        slots = int(pool.doc["taskSlotsPerNode"])
    state = TaskState(
        pool=terms.pool,
        priority=terms.priority,
        number=_next_number(call),
        added=call.now,
        seconds=seconds,
        exit_code=TIMEOUT_EXIT_CODE if timed_out else result.exit_code,
        failure=TIMEOUT if timed_out else None,
        tries=tries,
        slots=slots,
        created=moment,
        modified=moment,
        waiting=terms.waiting,
    )
    item = Item(f"{job}/tasks/{body['id'].lower()}", task_states.KIND, document, {})
    task_scheduling.save_task(call.store, item, state)
    return item, state


def _run_time(try_s: float, exit_code: int, limits: dict[str, Any]) -> tuple[float, int, bool]:
    """Return how long a task runs, how often it is started, and whether its maximum wall clock time ends it.

    Parameters
    ----------
    try_s, exit_code
        The duration of one try, and its exit code.
    limits
        The constraints of the task.
    """
    retries, most = int(limits["maxTaskRetryCount"]), duration_s(limits["maxWallClockTime"]) or 0.0
    if not exit_code:
        seconds, tries = try_s, 1
    elif retries < 0:
        seconds, tries = ENDLESS_S, int(ENDLESS_S / max(try_s, 1.0))
    else:
        seconds, tries = try_s * (1 + retries), 1 + retries
    if not 0 < most < seconds:
        return seconds, tries, False
    return most, max(1, int(tries * most / seconds)), True


def _next_number(call: Call) -> int:
    number = int(call.store.meta("batch_tasks") or 0) + 1
    call.store.set_meta("batch_tasks", number)
    return number
