"""Jobs on the data plane: add, list, get, change, enable, disable, terminate, delete; auto pools.

Source: the recorded job with an auto pool (2025-06-01), its conflict, Microsoft's OpenAPI (2024-02-01.19.0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.batch.model import accounts, job_rules, job_schedules, jobs, task_scheduling
from batchimg_magics.emulator.batch.rest import conditions, paging
from batchimg_magics.emulator.batch.rest.bodies import clean
from batchimg_magics.emulator.batch.rest.errors import refusal
from batchimg_magics.emulator.batch.routes.pools import done
from batchimg_magics.emulator.http.dates import batch_timestamp, etag, timestamp_of_ticks
from batchimg_magics.emulator.http.messages import Reply, Routes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.emulator.batch.model.jobs import Job
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

routes = Routes("batch", "/jobs")
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


def specification(account: Item, body: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return the job specification of a schedule with its defaults, or refuse it."""
    body = clean(body, _KNOWN - {"id"}, "JobSpecification")
    job_rules.check_job(account, body, scheduled=True)
    return jobs.with_defaults(body)


def load(call: Call) -> Job:
    """Return the job of a request, with its tasks scheduled until now, or refuse."""
    account = accounts.need(call)
    job_schedules.run_due(call, account)
    job = jobs.find(call, account, call.params["job"])
    if job is None:
        raise refusal("JobNotFound")
    jobs.bring_up_to_date(call, account, job)
    return job


def _load_checked(call: Call) -> Job:
    """Return the job of a request about the job itself, if its conditions hold."""
    job = load(call)
    conditions.check(call, job.headers())
    return job


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
    info: dict[str, Any] = {"startTime": timestamp_of_ticks(kept["created"])}
    if job.pool:
        info["poolId"] = kept["pool_name"]
    if job.state == "completed":
        info |= {"endTime": batch_timestamp(kept["since"]), "terminateReason": kept["reason"]}
        shown["previousState"] = "active"
        shown["previousStateTransitionTime"] = timestamp_of_ticks(kept["created"])
    if problem := kept.get("error"):
        info["schedulingError"] = {"category": "UserError", "code": problem[0], "message": problem[1]}
    return shown | {"executionInfo": info}


@routes.on("POST", "")
def add(call: Call) -> Reply:
    """Add a job, and its auto pool if it has one."""
    account = accounts.need(call)
    body = clean(call.body, _KNOWN, "JobAddParameter", call.api_version)
    job_rules.check_job(account, body)
    name = body["id"]
    if (existing := jobs.find(call, account, name)) is not None:
        raise refusal("JobBeingDeleted" if existing.state == "deleting" else "JobExists")
    if call.store.get(f"{account.key}/jobschedules/{name.lower()}") is not None:
        raise refusal("JobScheduleWithSameIdExists")
    jobs.check_quota(call, account)
    job = jobs.create(call, account, body)
    where = f"{call.base}/jobs/{name}"
    return Reply(201, None, {"Location": where, "DataServiceId": f"{call.base}/jobs/job-1"} | job.headers())


@routes.on("GET", "")
def list_jobs(call: Call) -> Reply:
    """List the jobs."""
    account = accounts.need(call)
    job_schedules.run_due(call, account)
    return page(call, jobs.current_jobs(call, account))


def page(call: Call, found: Iterable[Job]) -> Reply:
    """Answer with a page of jobs."""
    rows = (_view(call, job) for job in found)
    return paging.page(call, "jobs", rows, key=lambda row: str(row["id"]).lower())


@routes.on("GET", "/{job}")
def get(call: Call) -> Reply:
    """Answer with a job."""
    job = _load_checked(call)
    body = {"odata.metadata": f"{call.base}/$metadata#jobs/@Element"}
    return Reply(200, body | paging.select_members(call, _view(call, job)), job.headers())


@routes.on("PATCH", "/{job}")
def patch(call: Call) -> Reply:
    """Update a job."""
    return _change(call, clean(call.body, _CHANGEABLE, "JobPatchParameter", call.api_version), {})


@routes.on("PUT", "/{job}")
def replace(call: Call) -> Reply:
    """Replace the properties of a job that can change; missing ones get their defaults."""
    body = clean(call.body, _CHANGEABLE, "JobUpdateParameter", call.api_version)
    return _change(call, body, {name: value for name, value in jobs.DEFAULTS.items() if name in _CHANGEABLE})


def _change(call: Call, body: dict[str, Any], start: dict[str, Any]) -> Reply:
    job = _load_checked(call)
    jobs.need_open(job)
    job_rules.check_changes(job, body, replaces=bool(start))
    if "constraints" in body:
        body["constraints"] = jobs.DEFAULTS["constraints"] | body["constraints"]
    job.doc = job.doc | start | body
    jobs.move_to_pool(call, accounts.need(call), job)
    jobs.save(call, job)
    return done(call, 200, job.headers())


@routes.on("POST", "/{job}/disable")
def disable(call: Call) -> Reply:
    """Disable a job: its tasks are not scheduled, and those that run are requeued, terminated, or waited for."""
    body = clean(call.body or {}, frozenset({"disableTasks"}), "JobDisableParameter", call.api_version)
    job = _load_checked(call)
    if job.state in ("disabled", "disabling"):
        raise refusal("JobNotActive")
    jobs.need_open(job)
    jobs.disable(call, job, call.now, body["disableTasks"])
    return done(call, 202, job.headers())


@routes.on("POST", "/{job}/enable")
def enable(call: Call) -> Reply:
    """Enable a job: its tasks are scheduled again."""
    job = _load_checked(call)
    jobs.need_open(job)
    job.hidden |= {"state": "active", "since": call.now, "enabled": call.now}
    jobs.save(call, job)
    for entry in list(task_scheduling.task_index(call.store).jobs[job.key].entries.values()):
        added = entry.state.added if entry.state.node else max(entry.state.added, call.now)
        task = msgspec.structs.replace(entry.state, waiting=True, added=added)
        task_scheduling.save_state(call.store, entry.key, task)
    jobs.register_tasks(call, accounts.need(call), job)
    return done(call, 202, job.headers())


@routes.on("POST", "/{job}/terminate")
def terminate(call: Call) -> Reply:
    """Terminate a job."""
    body = clean(call.body or {}, frozenset({"terminateReason"}), "JobTerminateParameter", call.api_version)
    job = _load_checked(call)
    jobs.need_open(job)
    jobs.terminate(call, job, str(body.get("terminateReason", "UserTerminate")))
    return done(call, 202, job.headers())


@routes.on("DELETE", "/{job}")
def delete(call: Call) -> Reply:
    """Delete a job and its tasks."""
    job = _load_checked(call)
    if job.state == "deleting":
        raise refusal("JobBeingDeleted")
    jobs.delete(call, job)
    return Reply(202)
