"""Job schedules: the jobs that they create as time goes on.

A schedule has at most one active job. A job is due at the beginning of each recurrence, and is created when the job
before it has completed, within the start window. Nothing runs in the background: jobs that are due are created at the
next request, in order of time, each with the state of its pool at its time.

Source: Microsoft's OpenAPI (2024-02-01.19.0), Schedule and JobSpecification.
"""

from __future__ import annotations

import heapq
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.batch.model import jobs, pools
from batchimg_magics.emulator.batch.rest.errors import bad_property, refusal
from batchimg_magics.emulator.http.dates import TICKS_AT_1970, change_ticks, duration_s, etag, header_date, ticks
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.clock import parse_timestamp
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.emulator.batch.model.jobs import Job
    from batchimg_magics.emulator.http.messages import Call

KIND = jobs.SCHEDULES
MIN_INTERVAL_S = 60.0
#: The longest duration of the service, and its last time.
_LONGEST_S = 10_675_199 * 86_400.0
_LAST = datetime.max.replace(tzinfo=UTC).timestamp()
#: The setting that tells that there are schedules, so that most requests need not look for them.
_ANY_SCHEDULES = "job_schedules"
evidence = Evidence("Job schedules")
TERMINATE_S = evidence.assumed(
    16.0, "s", "to terminate a job schedule", "recorded for a job without tasks; no recording has a schedule"
)
DELETE_S = evidence.assumed(
    12.0, "s", "to delete a job schedule", "recorded for a job (10 to 15 s); no recording has a schedule"
)
MAX_RECURRENCES = evidence.assumed(
    200,
    "recurrences",
    "of a schedule that one request catches up on; after a longer pause the last ones",
    "only a state that was not read for long has more",
)
evidence.rule(
    "A schedule without recurrence is completed when its only job is completed.",
    "OpenAPI describes the end of recurring schedules only",
)
evidence.rule(
    "A new schedule in an update counts from the time of the update.",
    "OpenAPI says only that it affects jobs that are created later",
)


class Recurrence(msgspec.Struct, frozen=True):
    """When jobs are due.

    Parameters
    ----------
    begin, after_s
        The time of the first job, and the time after which none is created.
    window_s, every_s
        The start window, and the interval; infinite if there is none.
    """

    begin: float
    after_s: float
    window_s: float
    every_s: float

    def limit(self, due: float) -> float:
        """Return the time until which a job that is due at a time can be created."""
        return due + min(self.window_s, self.every_s)


class ScheduleState(msgspec.Struct):
    """The state of a schedule beside its document.

    Parameters
    ----------
    state, since
        ``active``, ``disabled``, ``terminating``, ``completed`` or ``deleting``, and since when.
    created, modified
        In ticks.
    due
        When the next job is due; None: there is none.
    earliest
        The time before which no job is created, because the schedule was disabled until then.
    previous, previous_since
        The state before; empty if there was none.
    count, recent
        The number of jobs created, and the id of the last one.
    pool
        Key of the auto pool that its jobs share.
    ends
        When it is completed, or when it is deleted.
    """

    state: str
    since: float
    created: int
    modified: int
    due: float | None
    earliest: float = 0.0
    previous: str = ""
    previous_since: float = 0.0
    count: int = 0
    recent: str = ""
    pool: str | None = None
    ends: float | None = None


class JobSchedule(msgspec.Struct):
    """A job schedule.

    Parameters
    ----------
    key
        Key of the account, ``/jobschedules/``, and its id in lower case.
    doc
        Its document without members that change over time.
    state
        The rest.
    """

    key: str
    doc: dict[str, Any]
    state: ScheduleState

    def headers(self) -> dict[str, str]:
        """Return ETag and Last-Modified."""
        return {"ETag": etag(self.state.modified), "Last-Modified": header_date(self.state.modified)}

    def recurrence(self) -> Recurrence:
        """Return when its jobs are due."""
        created = (self.state.created - TICKS_AT_1970) / 1e7
        return recurrence(self.doc["schedule"], created)

    def enter(self, state: str, moment: float) -> None:
        """Change its state."""
        kept = self.state
        kept.previous, kept.previous_since = kept.state, kept.since
        kept.state, kept.since = state, moment


def recurrence(schedule: dict[str, Any], now: float) -> Recurrence:
    """Return when the jobs of a schedule are due, or refuse it; its names and types have been checked."""
    begin = parse_timestamp(schedule["doNotRunUntil"]) if "doNotRunUntil" in schedule else now
    after = parse_timestamp(schedule["doNotRunAfter"]) if "doNotRunAfter" in schedule else math.inf
    if after <= begin:
        raise bad_property("doNotRunAfter", schedule["doNotRunAfter"], "It must be later than the first job")
    window, every = (_interval(schedule, name) for name in ("startWindow", "recurrenceInterval"))
    return Recurrence(max(begin, now), after, window, every)


def _interval(schedule: dict[str, Any], name: str) -> float:
    if name not in schedule:
        return math.inf
    seconds = duration_s(schedule[name])
    if seconds is None or not MIN_INTERVAL_S <= seconds <= _LONGEST_S:
        raise bad_property(name, schedule[name], "The value must be at least one minute")
    return seconds


def load(item: Item) -> JobSchedule:
    """Return the schedule that an item stores."""
    return JobSchedule(item.key, item.doc, msgspec.convert(item.hidden, ScheduleState))


def need(call: Call, account: Item, name: str) -> JobSchedule:
    """Return a schedule of an account, or refuse."""
    item = call.store.get(f"{account.key}/jobschedules/{name.lower()}")
    schedule = load(item) if item is not None else None
    if schedule is None or _is_gone(schedule, call.now):
        raise refusal("JobScheduleNotFound")
    return schedule


def all_of(call: Call, account: Item) -> Iterator[JobSchedule]:
    """Yield the schedules of an account in order of their ids."""
    for item in call.store.items(KIND, account.key):
        schedule = load(item)
        if not _is_gone(schedule, call.now):
            yield schedule


def _is_gone(schedule: JobSchedule, now: float) -> bool:
    state = schedule.state
    return state.state == "deleting" and state.ends is not None and state.ends <= now


def save(call: Call, schedule: JobSchedule, *, new_etag: bool = True) -> None:
    """Store a schedule; with `new_etag` its ETag changes."""
    if new_etag:
        schedule.state.modified = change_ticks(call.now, schedule.state.modified)
    call.store.put(Item(schedule.key, KIND, schedule.doc, msgspec.to_builtins(schedule.state)))


def create(call: Call, account: Item, doc: dict[str, Any]) -> JobSchedule:
    """Create a schedule, and the job that is due at once."""
    moment = ticks(call.now)
    state = ScheduleState("active", call.now, moment, moment, recurrence(doc["schedule"], call.now).begin)
    schedule = JobSchedule(f"{account.key}/jobschedules/{doc['id'].lower()}", doc, state)
    call.store.set_meta(_ANY_SCHEDULES, 1)
    save(call, schedule, new_etag=False)
    run_due(call, account)
    return schedule


def run_due(call: Call, account: Item) -> None:
    """Create the jobs that have become due, and complete the schedules that have ended."""
    if not call.store.meta(_ANY_SCHEDULES):
        return
    found = [load(item) for item in call.store.items(KIND, account.key)]
    open_ones = [one for one in found if one.state.state not in ("completed", "deleting")]
    before = [msgspec.to_builtins(one.state) for one in open_ones]
    _run_recurrences(call, account, [one for one in open_ones if one.state.state == "active"])
    for schedule, kept in zip(open_ones, before, strict=True):
        _end(call, account, schedule)
        if msgspec.to_builtins(schedule.state) != kept:
            save(call, schedule, new_etag=False)


def _run_recurrences(call: Call, account: Item, schedules: list[JobSchedule]) -> None:
    """Create the jobs of active schedules that are due, in order of time over all schedules."""
    queue: list[tuple[float, int]] = []
    for number, schedule in enumerate(schedules):
        state, every_s = schedule.state, schedule.recurrence().every_s
        if state.due is None:
            continue
        if math.isfinite(every_s):
            late = math.floor((call.now - state.due) / every_s) - MAX_RECURRENCES
            state.due += max(0, late) * every_s
        heapq.heappush(queue, (max(state.due, state.earliest), number))
    while queue and queue[0][0] <= call.now:
        moment, number = heapq.heappop(queue)
        again = _run_recurrence(call, account, schedules[number], moment)
        if again is not None:
            heapq.heappush(queue, (again, number))


def _run_recurrence(call: Call, account: Item, schedule: JobSchedule, moment: float) -> float | None:
    """Create the job of a schedule that is due, if it can be created at a time; return the next time to look at."""
    state, plan = schedule.state, schedule.recurrence()
    if state.due is None:
        return None
    due, then = state.due, msgspec.structs.replace(call, now=moment)
    job = _recent_job(then, account, schedule)
    if job is not None and job.state != "completed":
        latest = min(plan.limit(due), call.now)
        if moment < latest:
            end = jobs.end_by(then, job, latest)
            return end[0] if end is not None and end[0] > moment else latest
        if plan.limit(due) > call.now:
            return None
    following = due + plan.every_s
    state.due = following if following <= min(_LAST, plan.after_s) else None
    if job is None or job.state == "completed":
        start = max(due, state.earliest, job.hidden["since"] if job is not None else 0.0)
        if start > plan.after_s:
            state.due = None
        else:
            _create_job(msgspec.structs.replace(call, now=start), account, schedule)
    return state.due


def _recent_job(call: Call, account: Item, schedule: JobSchedule) -> Job | None:
    """Return the last job of a schedule as it is at a time; None if there is none any more."""
    job = jobs.find(call, account, schedule.state.recent) if schedule.state.recent else None
    if job is not None:
        jobs.bring_up_to_date(call, account, job)
    return job


def _create_job(call: Call, account: Item, schedule: JobSchedule) -> None:
    """Create the next job; if its auto pool cannot be created, the job is completed with the error."""
    state = schedule.state
    state.count += 1
    state.recent = f"{schedule.doc['id']}:job-{state.count}"
    body = schedule.doc["jobSpecification"] | {"id": state.recent}
    try:
        job = jobs.create(call, account, body, schedule=schedule.key, pool=state.pool)
    except Refusal as refused:
        jobs.create_failed(call, account, body, schedule.key, (_POOL_ERRORS.get(refused.code, _ANY), refused.message))
        return
    automatic = body["poolInfo"].get("autoPoolSpecification", {})
    state.pool = job.pool if automatic.get("poolLifetimeOption") == "jobschedule" else None


#: Why the auto pool of a job was refused -> code of the scheduling error of the job.
_POOL_ERRORS = {
    "PoolQuotaReached": "AutoPoolCreationFailedWithQuotaReached",
    "AutoScalingFormulaSyntaxError": "InvalidAutoScaleFormulaInAutoPool",
    "InvalidApplicationPackageReferences": "InvalidApplicationPackageReferencesInAutoPool",
}
_ANY = "InvalidAutoPoolSettings"


def _end(call: Call, account: Item, schedule: JobSchedule) -> None:
    """Complete a schedule that was terminated, or whose time is over and which has no active job."""
    state, after = schedule.state, schedule.recurrence().after_s
    if state.state == "terminating":
        if state.ends is not None and state.ends <= call.now:
            schedule.enter("completed", state.ends)
        return
    if state.due is not None and call.now <= after:
        return
    job = _recent_job(call, account, schedule)
    if job is not None and job.state != "completed":
        return
    moment = job.hidden["since"] if job is not None else schedule.state.since
    if math.isfinite(schedule.recurrence().every_s) or job is None:
        moment = max(moment, min(after, call.now))
    schedule.enter("completed", moment)
    state.due, state.ends = None, moment
    _drop_pool(call, account, schedule)


def update(call: Call, schedule: JobSchedule, changes: dict[str, Any]) -> None:
    """Change a schedule; jobs that exist are not changed."""
    schedule.doc = schedule.doc | changes
    if "schedule" in changes:
        schedule.state.due = recurrence(changes["schedule"], call.now).begin
    save(call, schedule)


def enable(call: Call, schedule: JobSchedule) -> None:
    """Enable a schedule; a job that was due in the meantime is created if its start window is still open."""
    state, plan = schedule.state, schedule.recurrence()
    if state.state == "active":
        return
    schedule.enter("active", call.now)
    state.earliest = call.now
    while state.due is not None and plan.limit(state.due) <= call.now:
        following = state.due + max(1, math.floor((call.now - state.due) / plan.every_s)) * plan.every_s
        state.due = following if following < _LAST else None
    save(call, schedule)


def disable(call: Call, schedule: JobSchedule) -> None:
    """Disable a schedule: it creates no jobs until it is enabled."""
    if schedule.state.state != "disabled":
        schedule.enter("disabled", call.now)
    save(call, schedule)


def terminate(call: Call, account: Item, schedule: JobSchedule) -> None:
    """Terminate a schedule and its active job."""
    job = _recent_job(call, account, schedule)
    if job is not None and job.state != "completed":
        jobs.complete(call, job, call.now, "TerminateJobSchedule")
    schedule.enter("terminating", call.now)
    schedule.state.due, schedule.state.ends = None, call.now + TERMINATE_S
    _drop_pool(call, account, schedule)
    save(call, schedule)


def delete(call: Call, account: Item, schedule: JobSchedule) -> None:
    """Delete a schedule with its jobs and their tasks."""
    for job in jobs_of(call, account, schedule):
        jobs.delete(call, job)
    schedule.enter("deleting", call.now)
    schedule.state.due, schedule.state.ends = None, call.now + DELETE_S
    _drop_pool(call, account, schedule)
    save(call, schedule)


def jobs_of(call: Call, account: Item, schedule: JobSchedule) -> list[Job]:
    """Return the jobs that a schedule has created, in order of their ids."""
    return [job for job in jobs.current_jobs(call, account) if job.hidden.get("schedule") == schedule.key]


def _drop_pool(call: Call, account: Item, schedule: JobSchedule) -> None:
    """Delete the auto pool that the jobs of a schedule share, unless it is to be kept."""
    automatic = schedule.doc["jobSpecification"]["poolInfo"].get("autoPoolSpecification", {})
    key, schedule.state.pool = schedule.state.pool, None
    pool = pools.find(call, account, key.rpartition("/")[2]) if key else None
    if pool is not None and not automatic.get("keepAlive") and pool.state.deleted is None:
        pools.delete(call, pool)
