"""Job preparation and release tasks on the data plane: where they ran, and their results.

Source: Microsoft's OpenAPI (2024-02-01.19.0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.model import accounts, jobs, task_results, task_scheduling
from batchimg_magics.emulator.batch.rest import paging
from batchimg_magics.emulator.batch.rest.errors import refusal
from batchimg_magics.emulator.batch.routes.jobs import load
from batchimg_magics.emulator.http.dates import batch_timestamp
from batchimg_magics.emulator.http.messages import Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.fleet.commands import CommandResult
    from batchimg_magics.emulator.batch.model.jobs import Job
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call

routes = Routes("batch", "/jobs/{job}")
evidence = Evidence("Job preparation and release tasks")
evidence.rule(
    "The first task of a job on a node starts when the job preparation task has ended there; with "
    "--run-tasks the preparation takes no time.",
    "no job preparation task is executed",
)
evidence.rule("Job release tasks run when their job is completed.", "Batch runs them also when a job is disabled")


def _first_starts(call: Call, job: Job) -> dict[str, float]:
    """Return when each node that ran tasks of a job began the first one."""
    found: dict[str, float] = {}
    for entry in task_scheduling.task_index(call.store).jobs[job.key].entries.values():
        state = entry.state
        if state.node is not None and state.started is not None and state.started - state.prepares <= call.now:
            found[state.node] = min(state.started, found.get(state.node, state.started))
    return found


def _execution(call: Call, result: CommandResult, where: str, begin: float) -> dict[str, Any]:
    """Return how a task of a job on a node is shown."""
    end = begin + result.seconds
    shown: dict[str, Any] = {
        "startTime": batch_timestamp(begin),
        "state": "running" if call.now < end else "completed",
        "taskRootDirectory": where.partition("/files/")[2],
        "taskRootDirectoryUrl": where,
    }
    if call.now < end:
        return shown
    shown |= {"endTime": batch_timestamp(end), "exitCode": result.exit_code}
    if result.exit_code == 0:
        return shown | {"result": "success"}
    text = "The task exited with an exit code representing a failure"
    failure = {"category": "UserError", "code": "FailureExitCode", "message": text}
    return shown | {"result": "failure", "failureInfo": failure}


def _row(call: Call, job: Job, pool: Pool | None, node: str, started: float) -> dict[str, Any]:
    preparation, release = job.doc["jobPreparationTask"], job.doc.get("jobReleaseTask")
    url = f"{call.base}/pools/{job.hidden['pool_name']}/nodes/{node}"

    def result(task: dict[str, Any]) -> CommandResult:
        return task_results.task_result(call.store, call.now, pool, task, task_scheduling.PROGRAM_S)

    def where(task: dict[str, Any], name: str) -> str:
        return f"{url}/files/workitems/{job.doc['id']}/job-1/{task.get('id', name)}"

    done = result(preparation)
    begin = started - done.seconds
    info = _execution(call, done, where(preparation, "jobpreparation"), begin) | {"retryCount": 0}
    row = {"poolId": job.hidden["pool_name"], "nodeId": node, "nodeUrl": url, "jobPreparationTaskExecutionInfo": info}
    if release is not None and job.state == "completed":
        begin = job.hidden["since"]
        row["jobReleaseTaskExecutionInfo"] = _execution(call, result(release), where(release, "jobrelease"), begin)
    return row


@routes.on("GET", "/jobpreparationandreleasetaskstatus")
def status(call: Call) -> Reply:
    """List the nodes that ran the preparation and release tasks of a job."""
    job = load(call)
    if "jobPreparationTask" not in job.doc:
        raise refusal("JobPreparationTaskNotSpecified")
    pool = jobs.pool_of_job(call, accounts.need(call), job)
    rows = (_row(call, job, pool, node, started) for node, started in sorted(_first_starts(call, job).items()))
    return paging.page(call, "jobpreparationandreleasetaskstatus", rows, key=lambda row: str(row["nodeId"]))
