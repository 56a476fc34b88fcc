"""Jobs: their state, their pool, and how they end.

A job is created by a request, or by its schedule. Its job manager task is created with it.

Source: the recorded job with an auto pool (2025-06-01); Microsoft's OpenAPI (2024-02-01.19.0) for the reasons for which
Batch terminates a job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.batch.model import (
    accounts,
    autoscale,
    pool_rules,
    pools,
    task_scheduling,
    task_states,
    tasks,
)
from batchimg_magics.emulator.batch.model.task_dependencies import exit_options
from batchimg_magics.emulator.batch.model.tasks import JobTerms
from batchimg_magics.emulator.batch.rest.errors import refusal
from batchimg_magics.emulator.http.dates import TICKS_AT_1970, change_ticks, duration_s, etag, header_date, ticks
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.batch.model.task_index import Entry
    from batchimg_magics.emulator.http.messages import Call

KIND = task_states.JOBS
SCHEDULES = f"{accounts.KIND}/jobschedules"
evidence = Evidence("Jobs")
EMPTY_JOB_S = evidence.assumed(
    30.0,
    "s",
    "after which a scheduled job that ends with its tasks ends if it has none",
    "OpenAPI: if a job contains no tasks, all its tasks are considered complete",
)
TERMINATION_S = evidence.recorded(
    16.0, "s", "from terminating to completed", "a job without tasks; assumed for others, too"
)
DELETION_S = evidence.recorded(12.0, "s", "until a deleted job is gone", "10 to 15 s")
#: State of a job that has ended or is ending -> the code of the refusal.
_CLOSED = {"completed": "JobCompleted", "terminating": "JobBeingTerminated", "deleting": "JobBeingDeleted"}
#: The properties of a job that does not specify them.
DEFAULTS: dict[str, Any] = {
    "priority": 0,
    "maxParallelTasks": -1,
    "allowTaskPreemption": False,
    "constraints": {"maxWallClockTime": tasks.FOREVER, "maxTaskRetryCount": 0},
    "onAllTasksComplete": "noaction",
    "onTaskFailure": "noaction",
    "usesTaskDependencies": False,
}


class Job(msgspec.Struct):
    """A job.

    Parameters
    ----------
    key
        Key of the account, ``/jobs/``, and the id of the job in lower case.
    doc
        Its document without members that change over time.
    hidden
        state, since, created, modified, enabled, pool (key), pool_name, reason, schedule (key), error (code and
        message); ends: when its termination or deletion ends.
    """

    key: str
    doc: dict[str, Any]
    hidden: dict[str, Any]

    @property
    def state(self) -> str:
        """``active``, ``disabling``, ``disabled``, ``terminating``, ``completed`` or ``deleting``."""
        return str(self.hidden["state"])

    @property
    def pool(self) -> str | None:
        """Key of its pool."""
        found: str | None = self.hidden["pool"]
        return found

    def headers(self) -> dict[str, str]:
        """Return ETag and Last-Modified."""
        return {"ETag": etag(self.hidden["modified"]), "Last-Modified": header_date(self.hidden["modified"])}

    @property
    def created_s(self) -> float:
        """When it was created, in seconds since 1970."""
        return float((self.hidden["created"] - TICKS_AT_1970) / 1e7)

    def terms(self) -> JobTerms:
        """Return what its tasks need to know of it."""
        retries = self.doc["constraints"]["maxTaskRetryCount"]
        return JobTerms(self.pool or "", self.doc["priority"], waiting=self.state == "active", retries=retries)


def create(
    call: Call, account: Item, body: dict[str, Any], *, schedule: str | None = None, pool: str | None = None
) -> Job:
    """Create a job, with its auto pool and its job manager task if it has them.

    Parameters
    ----------
    call, account
        The request, or the time at which the schedule creates the job, and its account.
    body
        The job; its names and values have been checked.
    schedule
        Key of its schedule.
    pool
        Key of the auto pool that the jobs of the schedule share, if there is one.
    """
    shared = pools.find(call, account, pool.rpartition("/")[2]) if pool else None
    pool_key, pool_name = (shared.key, shared.name) if shared else _pool_of(call, account, body["poolInfo"])
    document = with_defaults(body)
    moment = ticks(call.now)
    hidden = {"state": "active", "since": call.now, "created": moment, "modified": moment}
    hidden |= {"pool": pool_key, "pool_name": pool_name}
    if schedule is not None:
        hidden["schedule"] = schedule
    job = Job(f"{account.key}/jobs/{body['id'].lower()}", document, hidden)
    call.store.put(Item(job.key, KIND, job.doc, job.hidden))
    if (manager := body.get("jobManagerTask")) is not None:
        exclusive, its_pool = manager.get("runExclusive", True), pool_of_job(call, account, job)
        tasks.add(call, its_pool, job.key, _manager_task(manager), job.terms(), exclusive=exclusive)
        register_tasks(call, account, job)
    return job


def with_defaults(body: dict[str, Any]) -> dict[str, Any]:
    """Return a job with the properties that it does not specify."""
    limits: dict[str, Any] = DEFAULTS["constraints"] | body.get("constraints", {})
    return DEFAULTS | body | {"constraints": limits}


def create_failed(call: Call, account: Item, body: dict[str, Any], schedule: str, error: tuple[str, str]) -> None:
    """Create a job of a schedule that is completed, because its pool could not be created."""
    moment = ticks(call.now)
    hidden = {"state": "completed", "since": call.now, "created": moment, "modified": moment, "pool": None}
    hidden |= {"pool_name": "", "reason": error[0], "schedule": schedule, "error": list(error)}
    call.store.put(Item(f"{account.key}/jobs/{body['id'].lower()}", KIND, body, hidden))


def _manager_task(manager: dict[str, Any]) -> dict[str, Any]:
    """Return the task for a job manager task."""
    own = ("killJobOnCompletion", "runExclusive", "allowLowPriorityNode")
    return {name: value for name, value in manager.items() if name not in own}


def _pool_of(call: Call, account: Item, info: dict[str, Any]) -> tuple[str | None, str]:
    """Return key and name of the pool of a job; an auto pool is created."""
    if "poolId" in info:
        name = str(info["poolId"])
        return pools.pool_key(account, name), name
    automatic = info["autoPoolSpecification"]
    body = automatic["pool"]
    name = f"{automatic.get('autoPoolIdPrefix', '')}{call.store.new_guid('autopool').upper()}"
    pool_rules.check_new_pool(call, account, body, "batch")
    config = {key: value for key, value in body.items() if key not in pools.SCALE_SETTINGS} | {"id": name}
    pool = pools.new_pool(call, account, pool_rules.with_defaults(config))
    autoscale.apply_scale_settings(call, account, pool, body)
    pools.save(call, pool, new_etag=False)
    return pool.key, name


def move_to_pool(call: Call, account: Item, job: Job) -> None:
    """Give waiting tasks the priority of their job, and bind it and them to its pool; an auto pool stays the same."""
    for entry in list(task_scheduling.task_index(call.store).jobs[job.key].entries.values()):
        if entry.state.priority != job.doc["priority"] and entry.state.node is None:
            state = msgspec.structs.replace(entry.state, priority=job.doc["priority"])
            task_scheduling.save_state(call.store, entry.key, state)
    name = job.doc["poolInfo"].get("poolId")
    if name is None or name == job.hidden["pool_name"]:
        return
    job.hidden |= {"pool": pools.pool_key(account, name), "pool_name": name}
    for entry in list(task_scheduling.task_index(call.store).jobs[job.key].entries.values()):
        if entry.state.node is None:
            state = msgspec.structs.replace(entry.state, pool=job.pool or "")
            task_scheduling.save_state(call.store, entry.key, state)
    register_tasks(call, account, job)


def check_quota(call: Call, account: Item) -> None:
    """Refuse one more job or schedule if the account has its quota of them."""
    open_items = sum(
        item.hidden["state"] not in ("completed", "deleting")
        for kind in (KIND, SCHEDULES)
        for item in call.store.items(kind, account.key)
    )
    if open_items >= accounts.current_properties(call.store, account).get("activeJobAndJobScheduleQuota", 300):
        raise refusal("ActiveJobAndScheduleQuotaReached")


def pool_of_job(call: Call, account: Item, job: Job) -> Pool | None:
    """Return the pool of a job, None if it is deleted."""
    return pools.find(call, account, job.pool.rpartition("/")[2]) if job.pool else None


def bring_up_to_date(call: Call, account: Item, job: Job) -> None:
    """Do what is due on the pool of a job, and complete the job if its end has come."""
    if (pool := pool_of_job(call, account, job)) is not None:
        autoscale.run_due_evaluations(call, account, pool)
        task_scheduling.schedule_due_tasks(call.store, pool, call.now)
    finish(call, job)


def find(call: Call, account: Item, name: str) -> Job | None:
    """Return a job of an account, None if it does not exist (any more)."""
    item = call.store.get(f"{account.key}/jobs/{name.lower()}")
    if item is None or _is_gone(call, item):
        return None
    return Job(item.key, item.doc, item.hidden)


def _is_gone(call: Call, item: Item) -> bool:
    return item.hidden["state"] == "deleting" and float(item.hidden["ends"]) <= call.now


def need_open(job: Job) -> None:
    """Refuse a request that changes a job if the job has ended, or is ending."""
    if job.state in _CLOSED:
        raise refusal(_CLOSED[job.state])


def current_jobs(call: Call, account: Item) -> Iterator[Job]:
    """Yield the jobs of an account in order of their ids, brought up to date."""
    for item in call.store.items(KIND, account.key):
        if _is_gone(call, item):
            continue
        job = Job(item.key, item.doc, item.hidden)
        if job.state in ("active", "disabling", "terminating"):
            bring_up_to_date(call, account, job)
        yield job


def finish(call: Call, job: Job) -> None:
    """Complete a job whose end has come: its time is over, or its job manager task or all its tasks are completed."""
    if job.state == "terminating" and job.hidden["ends"] <= call.now:
        job.hidden |= {"state": "completed", "since": job.hidden["ends"]}
        save(call, job)
    if job.state == "disabling":
        _finish_disabling(call, job)
    if job.state != "active":
        return
    if (end := end_by(call, job, call.now)) is not None:
        complete(call, job, *end)
    elif (moment := _disabled_by(call, job, call.now)) is not None:
        disable(call, job, moment, "requeue")


def _disabled_by(call: Call, job: Job, latest: float) -> float | None:
    """Return when a task failed so that its job is disabled; a job that was enabled since then stays so."""
    if job.doc["onTaskFailure"] != "performexitoptionsjobaction":
        return None
    entries = task_scheduling.task_index(call.store).jobs[job.key].entries.values()
    ends = [entry.state.ends or 0.0 for entry in entries if _job_action(entry, latest) == "disable"]
    return min((end for end in ends if end > job.hidden.get("enabled", 0.0)), default=None)


def disable(call: Call, job: Job, moment: float, option: str) -> None:
    """Disable a job.

    Parameters
    ----------
    call, job
        The request, and a job that is active.
    moment
        Since when its tasks are not scheduled.
    option
        What happens to those that run: ``requeue``, ``terminate`` or ``wait``.
    """
    for entry in list(task_scheduling.task_index(call.store).jobs[job.key].entries.values()):
        if entry.state.state(moment) == "completed":
            continue
        state = msgspec.structs.replace(entry.state, waiting=False)
        if state.started is not None and option == "requeue":
            state = task_scheduling.requeued(state, moment)
        elif state.started is not None and option == "terminate":
            state.ends, state.terminated = moment, True
        task_scheduling.save_state(call.store, entry.key, state)
    job.hidden |= {"state": "disabling", "since": moment}
    _finish_disabling(call, job)
    save(call, job)


def _finish_disabling(call: Call, job: Job) -> None:
    """Disable a job that waits for its running tasks when they have ended."""
    counted = task_scheduling.task_index(call.store).job(job.key, call.now)
    if not counted.tasks["running"]:
        ends = (entry.state.ends or 0.0 for entry in counted.entries.values() if entry.settled)
        job.hidden |= {"state": "disabled", "since": max(job.hidden["since"], *ends, 0.0)}
        save(call, job)


def end_by(call: Call, job: Job, latest: float) -> tuple[float, str] | None:
    """Return when a job ends by itself, and why; None: not until a time, as far as the ends of its tasks are known."""
    created = job.created_s
    ends = []
    if (most := duration_s(job.doc["constraints"]["maxWallClockTime"])) and created + most <= latest:
        ends.append((created + most, "MaxWallClockTimeExpiry"))
    tasks_of_job = task_scheduling.task_index(call.store).jobs[job.key]
    if job.doc["onTaskFailure"] == "performexitoptionsjobaction":
        failed = [one for one in tasks_of_job.entries.values() if _job_action(one, latest) == "terminate"]
        ends += [(entry.state.ends or 0.0, "TaskFailed") for entry in failed]
    manager = job.doc.get("jobManagerTask")
    if manager is not None and manager.get("killJobOnCompletion", True):
        entry = tasks_of_job.entries.get(f"{job.key}/tasks/{manager['id'].lower()}")
        if entry is not None and entry.state.ends is not None and entry.state.ends <= latest:
            ends.append((entry.state.ends, "JMComplete"))
    if job.doc["onAllTasksComplete"] == "terminatejob" and not tasks_of_job.without_end:
        if tasks_of_job.entries:
            last = max(entry.state.ends or 0.0 for entry in tasks_of_job.entries.values())
            ends += [(last, "AllTasksComplete")] if last <= latest else []
        elif job.hidden.get("schedule") and created + EMPTY_JOB_S <= latest:
            ends.append((created + EMPTY_JOB_S, "AllTasksComplete"))
    return min(ends, default=None)


def _job_action(entry: Entry, latest: float) -> str:
    """Return what a task does to its job that has ended by a time: ``none``, ``terminate`` or ``disable``."""
    if entry.state.ends is None or entry.state.ends > latest:
        return "none"
    return str(exit_options(entry).get("jobAction", "none" if entry.succeeded else "terminate"))


def terminate(call: Call, job: Job, reason: str) -> None:
    """Begin to terminate a job: it is completed some seconds later."""
    complete(call, job, call.now, reason)
    job.hidden |= {"state": "terminating", "ends": call.now + TERMINATION_S}
    save(call, job)


def complete(call: Call, job: Job, moment: float, reason: str) -> None:
    """Complete a job; its remaining tasks do not run, and its auto pool is deleted."""
    job.hidden |= {"state": "completed", "since": moment, "reason": reason}
    save(call, job)
    for entry in list(task_scheduling.task_index(call.store).jobs[job.key].entries.values()):
        if entry.state.state(moment) != "completed":
            state = msgspec.structs.replace(entry.state, ends=moment, terminated=True)
            task_scheduling.save_state(call.store, entry.key, state)
    drop_pool(call, job)


def delete(call: Call, job: Job) -> None:
    """Begin to delete a job: its tasks are deleted, and the job some seconds later."""
    if job.state == "deleting":
        return
    for key in list(task_scheduling.task_index(call.store).jobs[job.key].entries):
        task_scheduling.delete_task(call.store, key)
    job.hidden |= {"state": "deleting", "since": call.now, "ends": call.now + DELETION_S}
    save(call, job)
    drop_pool(call, job)


def drop_pool(call: Call, job: Job) -> None:
    """Delete the auto pool of a job, unless it is to be kept."""
    account = accounts.need(call)
    automatic = job.doc["poolInfo"].get("autoPoolSpecification", {})
    pool = pool_of_job(call, account, job)
    if job.hidden.get("schedule") and automatic.get("poolLifetimeOption") == "jobschedule":
        return
    if automatic and not automatic.get("keepAlive") and pool is not None and pool.state.deleted is None:
        pools.delete(call, pool)


def save(call: Call, job: Job) -> None:
    """Store a job with a new ETag."""
    job.hidden["modified"] = change_ticks(call.now, job.hidden["modified"])
    call.store.put(Item(job.key, task_states.JOBS, job.doc, job.hidden))


def register_tasks(call: Call, account: Item, job: Job) -> None:
    """Mark the pool of a job as one with tasks, and schedule those that can start now."""
    pool = pool_of_job(call, account, job)
    if pool is None:
        return
    if not pool.state.tasks:
        pool.state.tasks = True
        pools.save(call, pool, new_etag=False)
    task_scheduling.schedule_due_tasks(call.store, pool, call.now)
