"""Tasks on the data plane: add one or many, list, get, terminate, reactivate, delete, count.

Source: Microsoft's OpenAPI (2024-02-01.19.0) and the REST reference's error codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.batch.model import accounts, jobs, task_rules, task_scheduling, task_states, tasks
from batchimg_magics.emulator.batch.rest import conditions, paging
from batchimg_magics.emulator.batch.rest.bodies import clean
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property, refusal
from batchimg_magics.emulator.batch.routes.jobs import load as load_job
from batchimg_magics.emulator.batch.routes.pools import done
from batchimg_magics.emulator.http.dates import (
    batch_timestamp,
    change_ticks,
    etag,
    header_date,
    timestamp_of_ticks,
)
from batchimg_magics.emulator.http.messages import Refusal, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.jobs import Job
    from batchimg_magics.emulator.batch.model.task_states import TaskState
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

routes = Routes("batch", "/jobs/{job}")
evidence = Evidence("Subtasks")
evidence.rule(
    "A multi-instance task takes the slots of one node only; its subtasks name no node.",
    "the emulator executes no command, so that the nodes of subtasks do nothing",
)
#: The maximum number of tasks in one addtaskcollection, and the length of its body in bytes. Source: azure-batch's
#: text of it, "must be less than 1MB"; its own tests divide a longer one.
COLLECTION_LIMIT = 100
_LONGEST_COLLECTION_BYTES = 1_048_576
_KNOWN = frozenset(
    {
        "id", "displayName", "commandLine", "containerSettings", "exitConditions", "resourceFiles", "outputFiles",
        "environmentSettings", "affinityInfo", "constraints", "requiredSlots", "userIdentity", "multiInstanceSettings",
        "dependsOn", "applicationPackageReferences", "authenticationTokenSettings",
    }
)  # fmt: skip


def _add(call: Call, job: Job, body: Any) -> tuple[Item, TaskState]:  # noqa: ANN401 - any JSON
    """Add one task, or refuse it."""
    body = clean(body, _KNOWN, "TaskAddParameter", call.api_version)
    pool = jobs.pool_of_job(call, accounts.need(call), job)
    task_rules.check_task(body, job.doc, pool)
    key = f"{job.key}/tasks/{body['id'].lower()}"
    if call.store.get(key) is not None:
        raise refusal("TaskExists")
    return tasks.add(call, pool, job.key, body, job.terms())


def _view(call: Call, job: Job, item: Item, state: TaskState) -> dict[str, Any]:
    """Return how the data plane shows a task."""
    now = state.state(call.now)
    begun = None if state.started is None else state.started - state.prepares
    since = {"active": state.added, "preparing": begun, "running": state.started, "completed": state.ends}[now]
    shown = {
        "url": f"{call.base}/jobs/{job.doc['id']}/tasks/{item.doc['id']}",
        "eTag": etag(state.modified),
        "creationTime": timestamp_of_ticks(state.created),
        "lastModified": timestamp_of_ticks(state.modified),
        "state": now,
        "stateTransitionTime": batch_timestamp(since or state.added),
        **item.doc,
        "executionInfo": _execution(state, now, call.now),
    }
    first = "preparing" if state.prepares else "active"
    previous = {"preparing": "active", "running": first, "completed": "active" if state.started is None else "running"}
    before = previous.get(now)
    if before is not None:
        shown["previousState"] = before
        shown["previousStateTransitionTime"] = batch_timestamp(
            {"active": state.added, "preparing": begun}.get(before, state.started) or 0.0
        )
    if state.node is not None and now != "active":
        pool = state.pool.rpartition("/")[2]
        shown["nodeInfo"] = {
            "affinityId": f"TVM:{state.node}",
            "nodeUrl": f"{call.base}/pools/{pool}/nodes/{state.node}",
            "poolId": pool,
            "nodeId": state.node,
            "taskRootDirectory": f"workitems/{job.doc['id']}/job-1/{item.doc['id']}",
        }
    return shown


def _execution(state: TaskState, now: str, moment: float) -> dict[str, Any]:
    retries = state.retries(moment)
    info: dict[str, Any] = {"retryCount": retries, "requeueCount": state.requeued}
    if retries and state.tries > 1 and state.started is not None:
        info["lastRetryTime"] = batch_timestamp(state.started + retries * state.seconds / state.tries)
    if state.requeued and now == "active":
        info["lastRequeueTime"] = batch_timestamp(state.added)
    if state.started is not None and now not in ("active", "preparing"):
        info["startTime"] = batch_timestamp(state.started)
    if now == "completed":
        failed = state.terminated or state.exit_code != 0
        info |= {"endTime": batch_timestamp(state.ends or 0.0), "result": "failure" if failed else "success"}
        if not state.terminated:
            info["exitCode"] = state.exit_code
        if failed:
            code, message = (
                ("TaskEnded", "Task Was Ended by User Request")
                if state.terminated
                else state.failure or ("FailureExitCode", "The task exited with an exit code representing a failure")
            )
            info["failureInfo"] = {"category": "UserError", "code": code, "message": message}
    return info


def load(call: Call) -> tuple[Job, Item, TaskState]:
    """Return the job and the task of a request, or refuse."""
    job = load_job(call)
    item = call.store.get(f"{job.key}/tasks/{call.params['task'].lower()}")
    if item is None:
        raise refusal("TaskNotFound")
    return job, item, task_states.state_of(item)


def _load_checked(call: Call) -> tuple[Job, Item, TaskState]:
    """Return job and task of a request about the task itself, if its conditions hold."""
    job, item, state = load(call)
    conditions.check(call, _headers(state))
    return job, item, state


def _headers(state: TaskState) -> dict[str, str]:
    return {"ETag": etag(state.modified), "Last-Modified": header_date(state.modified)}


def _load_open_job(call: Call) -> Job:
    """Return the job of a request that adds tasks, or refuse."""
    job = load_job(call)
    jobs.need_open(job)
    return job


@routes.on("POST", "/tasks")
def add(call: Call) -> Reply:
    """Add a task."""
    clean(call.body, _KNOWN, "TaskAddParameter", call.api_version)  # before it matters whether the job exists
    job = _load_open_job(call)
    item, state = _add(call, job, call.body)
    jobs.register_tasks(call, accounts.need(call), job)
    where = f"{call.base}/jobs/{job.doc['id']}/tasks/{item.doc['id']}"
    return Reply(201, None, {"Location": where, "DataServiceId": where} | _headers(state))


@routes.on("POST", "/addtaskcollection")
def add_collection(call: Call) -> Reply:
    """Add several tasks; each has its own result."""
    told = call.headers.get("content-length", "")
    if (int(told) if told.isdecimal() else len(msgspec.json.encode(call.body))) >= _LONGEST_COLLECTION_BYTES:
        raise refusal("RequestBodyTooLarge")
    wanted = (call.body or {}).get("value") if isinstance(call.body, dict) else None
    if not isinstance(wanted, list) or not wanted:
        raise missing_property("value")
    if len(wanted) > COLLECTION_LIMIT:
        raise bad_property("value", None, f"At most {COLLECTION_LIMIT} tasks can be added at a time")
    job = _load_open_job(call)
    rows = [_add_result(call, job, body) for body in wanted]
    jobs.register_tasks(call, accounts.need(call), job)
    metadata = f"{call.base}/$metadata#taskaddresult"
    return Reply(200, {"odata.metadata": metadata, "value": rows})


def _add_result(call: Call, job: Job, body: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    try:
        item, state = _add(call, job, body)
    except Refusal as refused:
        name = body.get("id", "") if isinstance(body, dict) else ""
        message = {
            "lang": "en-US",
            "value": f"{refused.message}\nRequestId:{call.request_id}\nTime:{batch_timestamp(call.now)}",
        }
        status = "clienterror" if refused.status < 500 else "servererror"
        return {"status": status, "taskId": name, "error": {"code": refused.code, "message": message}}
    return {
        "status": "Success",
        "taskId": item.doc["id"],
        "eTag": etag(state.modified),
        "lastModified": timestamp_of_ticks(state.modified),
        "location": f"{call.base}/jobs/{job.doc['id']}/tasks/{item.doc['id']}",
    }


@routes.on("GET", "/tasks")
def list_tasks(call: Call) -> Reply:
    """List a job's tasks."""
    job = load_job(call)
    after = paging.last_key(call)
    listed = call.store.each(task_states.KIND, job.key, after=after and f"{job.key}/tasks/{after}")
    rows = (_view(call, job, item, task_states.state_of(item)) for item in listed)
    return paging.page(call, "tasks", rows, key=lambda row: str(row["id"]).lower())


@routes.on("GET", "/tasks/{task}")
def get(call: Call) -> Reply:
    """Answer with a task."""
    job, item, state = _load_checked(call)
    body = {"odata.metadata": f"{call.base}/$metadata#tasks/@Element"}
    return Reply(200, body | paging.select_members(call, _view(call, job, item, state)), _headers(state))


@routes.on("PUT", "/tasks/{task}")
def replace(call: Call) -> Reply:
    """Replace the constraints of a task; missing ones get their defaults."""
    body = clean(call.body, frozenset({"constraints"}), "TaskUpdateParameter", call.api_version)
    _, item, state = _load_checked(call)
    if state.state(call.now) == "completed":
        raise refusal("TaskCompleted")
    item.doc["constraints"] = tasks.CONSTRAINTS | body.get("constraints", {})
    state.modified = change_ticks(call.now, state.modified)
    task_scheduling.save_task(call.store, item, state)
    return done(call, 200, _headers(state))


@routes.on("GET", "/tasks/{task}/subtasksinfo")
def list_subtasks(call: Call) -> Reply:
    """List the subtasks of a multi-instance task, which run as long as the task; of another task there are none."""
    _, item, state = load(call)
    started = state.started is not None and state.state(call.now) != "active"
    numbers = range(1, task_states.instances_of(item)) if started else ()
    rows = [_subtask(call, number, state) for number in numbers]
    metadata = f"{call.base}/$metadata#subtasks"
    return Reply(200, {"odata.metadata": metadata, "value": [paging.select_members(call, row) for row in rows]})


def _subtask(call: Call, number: int, state: TaskState) -> dict[str, Any]:
    """Return how a subtask is shown."""
    now = state.state(call.now)
    shown = {"id": number, "state": now, "startTime": batch_timestamp(state.started or 0.0)}
    if now == "running":
        return shown | {"stateTransitionTime": shown["startTime"]}
    info = _execution(state, now, call.now)
    kept = {name: info[name] for name in ("endTime", "exitCode", "failureInfo", "result") if name in info}
    before = {"previousState": "running", "previousStateTransitionTime": shown["startTime"]}
    return shown | kept | before | {"stateTransitionTime": info["endTime"]}


@routes.on("DELETE", "/tasks/{task}")
def delete(call: Call) -> Reply:
    """Delete a task."""
    _, item, _ = _load_checked(call)
    task_scheduling.delete_task(call.store, item.key)
    return done(call, 200)


@routes.on("POST", "/tasks/{task}/terminate")
def terminate(call: Call) -> Reply:
    """Terminate a task."""
    _, item, state = _load_checked(call)
    if state.state(call.now) == "completed":
        raise refusal("TaskCompleted")
    state.ends, state.terminated = call.now, True
    state.modified = change_ticks(call.now, state.modified)
    task_scheduling.save_task(call.store, item, state)
    return done(call, 204, _headers(state))


@routes.on("POST", "/tasks/{task}/reactivate")
def reactivate(call: Call) -> Reply:
    """Reactivate a task that failed."""
    job, item, state = _load_checked(call)
    if state.state(call.now) != "completed" or (state.exit_code == 0 and not state.terminated):
        raise refusal("OperationInvalidForCurrentState", ("Reason", "The task has not failed"))
    state.node, state.started, state.ends, state.terminated, state.prepares = None, None, None, False, 0.0
    if task_scheduling.runs_tasks(call.store):
        state.retried, state.failure = 0, None
    state.added, state.modified = call.now, change_ticks(call.now, state.modified)
    task_scheduling.save_task(call.store, item, state)
    jobs.register_tasks(call, accounts.need(call), job)
    return done(call, 204, _headers(state))


@routes.on("GET", "/taskcounts")
def counts(call: Call) -> Reply:
    """Answer with the number of tasks of a job by state, and of their slots."""
    job = load_job(call)
    counted = task_scheduling.task_index(call.store).job(job.key, call.now)
    metadata = f"{call.base}/$metadata#taskcountsresult"
    return Reply(200, {"odata.metadata": metadata, "taskCounts": counted.tasks, "taskSlotCounts": counted.slots})
