"""Job schedules on the data plane: add, list, get, change, enable, disable, terminate, delete, and their jobs.

Source: Microsoft's OpenAPI (2024-02-01.19.0) and the error codes of the REST reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.model import accounts, job_schedules, jobs, pool_rules
from batchimg_magics.emulator.batch.rest import conditions, paging
from batchimg_magics.emulator.batch.rest.bodies import clean
from batchimg_magics.emulator.batch.rest.errors import refusal
from batchimg_magics.emulator.batch.routes.jobs import page, specification
from batchimg_magics.emulator.batch.routes.pools import done
from batchimg_magics.emulator.http.dates import batch_timestamp, duration, duration_s, etag, timestamp_of_ticks
from batchimg_magics.emulator.http.messages import Reply, Routes

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.job_schedules import JobSchedule
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

routes = Routes("batch", "/jobschedules")
_CHANGEABLE = frozenset({"schedule", "jobSpecification", "metadata"})
_KNOWN = _CHANGEABLE | {"id", "displayName"}
#: States in which a schedule cannot be changed -> code of the refusal.
_CLOSED = {
    "completed": "JobScheduleCompleted",
    "terminating": "JobScheduleBeingTerminated",
    "deleting": "JobScheduleBeingDeleted",
}


def _load(call: Call, *, writing: bool = False) -> tuple[Item, JobSchedule]:
    """Return the account and the schedule of a request, with everything done that is due, or refuse."""
    account = accounts.need(call)
    job_schedules.run_due(call, account)
    schedule = job_schedules.need(call, account, call.params["schedule"])
    conditions.check(call, schedule.headers())
    if writing and (code := _CLOSED.get(schedule.state.state)):
        raise refusal(code)
    return account, schedule


def _view(call: Call, schedule: JobSchedule) -> dict[str, Any]:
    """Return how the data plane shows a schedule."""
    state = schedule.state
    shown: dict[str, Any] = {
        "url": f"{call.base}/jobschedules/{schedule.doc['id']}",
        "eTag": etag(state.modified),
        "lastModified": timestamp_of_ticks(state.modified),
        "creationTime": timestamp_of_ticks(state.created),
        "state": state.state,
        "stateTransitionTime": batch_timestamp(state.since),
        **schedule.doc,
    }
    if state.previous:
        shown["previousState"] = state.previous
        shown["previousStateTransitionTime"] = batch_timestamp(state.previous_since)
    info: dict[str, Any] = {}
    if state.due is not None:
        info["nextRunTime"] = batch_timestamp(state.due)
    if state.recent:
        info["recentJob"] = {"id": state.recent, "url": f"{call.base}/jobs/{state.recent}"}
    if state.state == "completed":
        info["endTime"] = batch_timestamp(state.since)
    return shown | {"executionInfo": info}


def _checked(call: Call, allowed: frozenset[str], kind: str) -> dict[str, Any]:
    """Return the body of a request, with the defaults of its job specification, or refuse it."""
    body = clean(call.body, allowed, kind, call.api_version)
    if (schedule := body.get("schedule")) is not None:
        job_schedules.recurrence(schedule, call.now)
        for name in ("startWindow", "recurrenceInterval"):
            if name in schedule:
                schedule[name] = duration(duration_s(schedule[name]) or 0.0)
    if (wanted := body.get("jobSpecification")) is not None:
        account = accounts.need(call)
        body["jobSpecification"] = specification(account, wanted)
        automatic = wanted["poolInfo"].get("autoPoolSpecification")
        if automatic is not None:
            pool_rules.check_new_pool(call, account, automatic["pool"], "batch")
    return body


@routes.on("POST", "")
def add(call: Call) -> Reply:
    """Add a schedule; its first job is created at once, if it is due."""
    account = accounts.need(call)
    body = _checked(call, _KNOWN, "JobScheduleAddParameter")
    name = body["id"]
    job_schedules.run_due(call, account)
    if any(one.doc["id"].lower() == name.lower() for one in job_schedules.all_of(call, account)):
        raise refusal("JobScheduleExists")
    if jobs.find(call, account, name) is not None:
        raise refusal("JobWithSameIdExists")
    jobs.check_quota(call, account)
    schedule = job_schedules.create(call, account, body)
    where = f"{call.base}/jobschedules/{name}"
    return Reply(201, None, {"Location": where, "DataServiceId": where} | schedule.headers())


@routes.on("GET", "")
def list_schedules(call: Call) -> Reply:
    """List the schedules."""
    account = accounts.need(call)
    job_schedules.run_due(call, account)
    rows = (_view(call, schedule) for schedule in job_schedules.all_of(call, account))
    return paging.page(call, "jobschedules", rows, key=lambda row: str(row["id"]).lower())


@routes.on("GET", "/{schedule}")
def get(call: Call) -> Reply:
    """Answer with a schedule."""
    _, schedule = _load(call)
    body = {"odata.metadata": f"{call.base}/$metadata#jobschedules/@Element"}
    return Reply(200, body | paging.select_members(call, _view(call, schedule)), schedule.headers())


@routes.on("PATCH", "/{schedule}")
def patch(call: Call) -> Reply:
    """Update a schedule."""
    body = _checked(call, _CHANGEABLE, "JobSchedulePatchParameter")
    _, schedule = _load(call, writing=True)
    job_schedules.update(call, schedule, body)
    return done(call, 200, schedule.headers())


@routes.on("PUT", "/{schedule}")
def replace(call: Call) -> Reply:
    """Replace the properties of a schedule that can change."""
    body = _checked(call, _CHANGEABLE, "JobScheduleUpdateParameter")
    _, schedule = _load(call, writing=True)
    schedule.doc.pop("metadata", None)
    job_schedules.update(call, schedule, body)
    return done(call, 200, schedule.headers())


@routes.on("POST", "/{schedule}/enable")
def enable(call: Call) -> Reply:
    """Enable a schedule."""
    account, schedule = _load(call, writing=True)
    job_schedules.enable(call, schedule)
    job_schedules.run_due(call, account)
    return done(call, 204, schedule.headers())


@routes.on("POST", "/{schedule}/disable")
def disable(call: Call) -> Reply:
    """Disable a schedule."""
    _, schedule = _load(call, writing=True)
    job_schedules.disable(call, schedule)
    return done(call, 204, schedule.headers())


@routes.on("POST", "/{schedule}/terminate")
def terminate(call: Call) -> Reply:
    """Terminate a schedule and its active job."""
    account, schedule = _load(call, writing=True)
    job_schedules.terminate(call, account, schedule)
    return done(call, 202, schedule.headers())


@routes.on("DELETE", "/{schedule}")
def delete(call: Call) -> Reply:
    """Delete a schedule with its jobs."""
    account, schedule = _load(call)
    if schedule.state.state == "deleting":
        raise refusal("JobScheduleBeingDeleted")
    job_schedules.delete(call, account, schedule)
    return Reply(202)


@routes.on("GET", "/{schedule}/jobs")
def list_jobs(call: Call) -> Reply:
    """List the jobs that a schedule has created."""
    account, schedule = _load(call)
    return page(call, job_schedules.jobs_of(call, account, schedule))
