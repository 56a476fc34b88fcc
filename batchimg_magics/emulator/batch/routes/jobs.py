"""Jobs on the data plane: add, list, get, change, enable, disable, terminate, delete; auto pools.

Source: the recorded job with an auto pool (2025-06-01), its conflict, Microsoft's OpenAPI (2024-02-01.19.0).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.model import accounts, autoscale, pool_rules, pools, task_scheduling
from batchimg_magics.emulator.batch.rest import conditions, paging
from batchimg_magics.emulator.batch.rest.bodies import checked_body, clean
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property, refusal
from batchimg_magics.emulator.batch.routes.pools import done
from batchimg_magics.emulator.http.dates import (
    batch_timestamp,
    change_ticks,
    etag,
    header_date,
    ticks,
    timestamp_of_ticks,
)
from batchimg_magics.emulator.http.messages import Reply, Routes
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call

routes = Routes("batch", "/jobs")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CHANGEABLE = frozenset(
    {
        "priority", "maxParallelTasks", "allowTaskPreemption", "constraints", "poolInfo", "metadata",
        "onAllTasksComplete", "networkConfiguration",
    }
)  # fmt: skip
_KNOWN = _CHANGEABLE | {
    "id", "displayName", "jobManagerTask", "jobPreparationTask", "jobReleaseTask", "commonEnvironmentSettings",
    "onTaskFailure", "usesTaskDependencies",
}  # fmt: skip
_DEFAULTS: dict[str, Any] = {
    "priority": 0,
    "maxParallelTasks": -1,
    "allowTaskPreemption": False,
    "constraints": {"maxWallClockTime": "P10675199DT2H48M5.4775807S", "maxTaskRetryCount": 0},
    "onAllTasksComplete": "noaction",
    "onTaskFailure": "noaction",
    "usesTaskDependencies": False,
}


@dataclass(slots=True)
class Job:
    """A job.

    Parameters
    ----------
    key
        Key of the account, ``/jobs/``, and the id of the job in lower case.
    doc
        Its document without members that change over time.
    hidden
        state, since, created, modified, pool (key), reason.
    """

    key: str
    doc: dict[str, Any]
    hidden: dict[str, Any]

    @property
    def state(self) -> str:
        """``active``, ``disabled`` or ``completed``."""
        return str(self.hidden["state"])

    @property
    def pool(self) -> str | None:
        """Key of its pool."""
        found: str | None = self.hidden["pool"]
        return found

    def headers(self) -> dict[str, str]:
        """Return ETag and Last-Modified."""
        return {"ETag": etag(self.hidden["modified"]), "Last-Modified": header_date(self.hidden["modified"])}


def load(call: Call) -> Job:
    """Return the job of a request, with its tasks scheduled until now, or refuse."""
    account = accounts.need(call)
    item = call.store.get(f"{account.key}/jobs/{call.params['job'].lower()}")
    if item is None:
        raise refusal("JobNotFound")
    job = Job(item.key, item.doc, item.hidden)
    if (pool := pool_of_job(call, account, job)) is not None:
        autoscale.run_due_evaluations(call, account, pool)
        task_scheduling.schedule_due_tasks(call.store, pool, call.now)
    _finish(call, job)
    return job


def _load_checked(call: Call) -> Job:
    """Return the job of a request about the job itself, if its conditions hold."""
    job = load(call)
    conditions.check(call, job.headers())
    return job


def pool_of_job(call: Call, account: Item, job: Job) -> Pool | None:
    """Return the pool of a job, None if it is deleted."""
    return pools.find(call, account, job.pool.rpartition("/")[2]) if job.pool else None


def _finish(call: Call, job: Job) -> None:
    """Complete a job that ends with its tasks, if all of them are completed."""
    if job.state != "active" or job.doc["onAllTasksComplete"] != "terminatejob":
        return
    states = [task_scheduling.state_of(item) for item in call.store.items(task_scheduling.KIND, job.key)]
    ends = [state.ends or 0.0 for state in states if state.state(call.now) == "completed"]
    if states and len(ends) == len(states):
        _complete(call, job, max(ends), "AllTasksComplete")


def _complete(call: Call, job: Job, moment: float, reason: str) -> None:
    """Complete a job; its remaining tasks do not run, and its auto pool is deleted."""
    job.hidden |= {"state": "completed", "since": moment, "reason": reason}
    _save(call, job)
    for item in call.store.items(task_scheduling.KIND, job.key):
        state = task_scheduling.state_of(item)
        if state.state(call.now) != "completed":
            state.ends, state.terminated = call.now, True
            task_scheduling.save_task(call.store, item, state)
    _drop_pool(call, job)


def _drop_pool(call: Call, job: Job) -> None:
    account = accounts.need(call)
    automatic = job.doc["poolInfo"].get("autoPoolSpecification", {})
    pool = pool_of_job(call, account, job)
    if automatic and not automatic.get("keepAlive") and pool is not None and pool.state.deleted is None:
        pools.delete(call, pool)


def _save(call: Call, job: Job) -> None:
    job.hidden["modified"] = change_ticks(call.now, job.hidden["modified"])
    call.store.put(Item(job.key, task_scheduling.JOBS, job.doc, job.hidden))


def register_tasks(call: Call, job: Job) -> None:
    """Mark the pool of a job as one with tasks, and schedule those that can start now."""
    account = accounts.need(call)
    pool = pool_of_job(call, account, job)
    if pool is None:
        return
    if not pool.state.tasks:
        pool.state.tasks = True
        pools.save(call, pool, new_etag=False)
    task_scheduling.schedule_due_tasks(call.store, pool, call.now)


def _view(call: Call, job: Job) -> dict[str, Any]:
    """Return how the data plane shows a job."""
    kept = job.hidden
    shown = {
        "url": f"{call.base}/jobs/{job.doc['id']}",
        "eTag": etag(kept["modified"]),
        "lastModified": timestamp_of_ticks(kept["modified"]),
        "creationTime": timestamp_of_ticks(kept["created"]),
        "state": job.state,
        "stateTransitionTime": batch_timestamp(kept["since"]),
        **job.doc,
    }
    info = {"startTime": timestamp_of_ticks(kept["created"])}
    if job.pool:
        info["poolId"] = kept["pool_name"]
    if job.state == "completed":
        info |= {"endTime": batch_timestamp(kept["since"]), "terminateReason": kept["reason"]}
        shown["previousState"] = "active"
        shown["previousStateTransitionTime"] = timestamp_of_ticks(kept["created"])
    return shown | {"executionInfo": info}


@routes.on("POST", "")
def add(call: Call) -> Reply:
    """Add a job, and its auto pool if it has one."""
    account = accounts.need(call)
    body = clean(call.body, _KNOWN, "JobAddParameter")
    name = body.get("id")
    if name is None:
        raise missing_property("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise bad_property("id", name)
    if "poolInfo" not in body:
        raise missing_property("poolInfo")
    key = f"{account.key}/jobs/{name.lower()}"
    if call.store.get(key) is not None:
        raise refusal("JobExists")
    _check_quota(call, account)
    pool_key, pool_name = _pool_of(call, account, body["poolInfo"])
    document = _DEFAULTS | body | {"constraints": _DEFAULTS["constraints"] | body.get("constraints", {})}
    moment = ticks(call.now)
    hidden = {"state": "active", "since": call.now, "created": moment, "modified": moment}
    job = Job(key, document, hidden | {"pool": pool_key, "pool_name": pool_name})
    call.store.put(Item(job.key, task_scheduling.JOBS, job.doc, job.hidden))
    where = f"{call.base}/jobs/{name}"
    return Reply(201, None, {"Location": where, "DataServiceId": f"{call.base}/jobs/job-1"} | job.headers())


def _check_quota(call: Call, account: Item) -> None:
    open_jobs = sum(item.hidden["state"] != "completed" for item in call.store.items(task_scheduling.JOBS, account.key))
    if open_jobs >= accounts.current_properties(call.store, account).get("activeJobAndJobScheduleQuota", 300):
        raise refusal("ActiveJobAndScheduleQuotaReached")


def _pool_of(call: Call, account: Item, info: dict[str, Any]) -> tuple[str | None, str]:
    """Return key and name of the pool of a job; an auto pool is created."""
    if "poolId" in info:
        name = str(info["poolId"])
        return pools.pool_key(account, name), name
    automatic = info.get("autoPoolSpecification")
    if automatic is None:
        raise missing_property("poolId")
    body = automatic.get("pool")
    if body is None:
        raise missing_property("pool")
    name = f"{automatic.get('autoPoolIdPrefix', '')}{call.store.new_guid('autopool').upper()}"
    pool_rules.check_new_pool(call, account, body, "batch")
    config = {key: value for key, value in body.items() if key not in pools.SCALE_SETTINGS} | {"id": name}
    pool = pools.new_pool(call, account, pool_rules.with_defaults(config))
    autoscale.apply_scale_settings(call, account, pool, body)
    pools.save(call, pool, new_etag=False)
    return pool.key, name


@routes.on("GET", "")
def list_jobs(call: Call) -> Reply:
    """List the jobs."""
    account = accounts.need(call)
    found = (Job(item.key, item.doc, item.hidden) for item in call.store.items(task_scheduling.JOBS, account.key))
    return paging.page(call, "jobs", (_view(call, job) for job in found), key=lambda row: str(row["id"]).lower())


@routes.on("GET", "/{job}")
def get(call: Call) -> Reply:
    """Answer with a job."""
    job = _load_checked(call)
    body = {"odata.metadata": f"{call.base}/$metadata#jobs/@Element"}
    return Reply(200, body | paging.select_members(call, _view(call, job)), job.headers())


@routes.on("PATCH", "/{job}")
def patch(call: Call) -> Reply:
    """Update a job."""
    return _change(call, {})


@routes.on("PUT", "/{job}")
def replace(call: Call) -> Reply:
    """Replace the properties of a job that can change; missing ones get their defaults."""
    return _change(call, {name: value for name, value in _DEFAULTS.items() if name in _CHANGEABLE})


def _change(call: Call, start: dict[str, Any]) -> Reply:
    job = _load_checked(call)
    if job.state == "completed":
        raise refusal("JobCompleted")
    body = clean(call.body, _CHANGEABLE, "JobPatchParameter")
    job.doc = job.doc | start | body
    _save(call, job)
    return done(call, 200, job.headers())


@routes.on("POST", "/{job}/disable")
def disable(call: Call) -> Reply:
    """Disable a job: its tasks are not scheduled."""
    job = _load_checked(call)
    if checked_body(call.body or {}).get("disableTasks") is None:
        raise missing_property("disableTasks")
    return _switch(call, job, "disabled")


@routes.on("POST", "/{job}/enable")
def enable(call: Call) -> Reply:
    """Enable a job: its tasks are scheduled again."""
    return _switch(call, _load_checked(call), "active")


def _switch(call: Call, job: Job, state: str) -> Reply:
    if job.state == "completed":
        raise refusal("JobCompleted")
    job.hidden |= {"state": state, "since": call.now}
    _save(call, job)
    for item in call.store.items(task_scheduling.KIND, job.key):
        task = task_scheduling.state_of(item)
        task.waiting, task.added = state == "active", max(task.added, call.now) if task.node is None else task.added
        task_scheduling.save_task(call.store, item, task)
    register_tasks(call, job)
    return done(call, 202, job.headers())


@routes.on("POST", "/{job}/terminate")
def terminate(call: Call) -> Reply:
    """Terminate a job."""
    job = _load_checked(call)
    if job.state == "completed":
        raise refusal("JobCompleted")
    _complete(call, job, call.now, str(checked_body(call.body or {}).get("terminateReason", "UserTerminate")))
    return done(call, 202, job.headers())


@routes.on("DELETE", "/{job}")
def delete(call: Call) -> Reply:
    """Delete a job and its tasks."""
    job = _load_checked(call)
    for item in call.store.items(task_scheduling.KIND, job.key):
        call.store.delete(item.key)
    call.store.delete(job.key)
    _drop_pool(call, job)
    return Reply(202)
