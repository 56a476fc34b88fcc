"""The rules for jobs: what a new one may have, and what may change.

Source: the texts of Microsoft's OpenAPI (2024-02-01.19.0) and of azure-batch 15.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.model import pool_rules, task_rules
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property, refusal
from batchimg_magics.emulator.http.dates import duration_s
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.jobs import Job
    from batchimg_magics.emulator.world.store import Item

_TASKS = ("jobManagerTask", "jobPreparationTask", "jobReleaseTask")
evidence = Evidence("Jobs that Batch refuses")
_LONGEST_RELEASE_S = evidence.documented(
    900.0, "s", "maximum of maxWallClockTime of a job release task", "Microsoft's OpenAPI"
)
evidence.rule(
    "A job is accepted if its pool does not exist, and a task if its pool has fewer task slots or is not made for "
    "multi-instance tasks: they wait.",
    "documented",
)
evidence.rule(
    "The tasks that a job has of its own must have different ids.",
    "documented for tasks that are added later",
)
evidence.rule(
    "Disabling a job that is disabled is refused with JobNotActive; enabling an active job changes nothing.",
    "the REST reference has the code; no recording shows either",
)


def check_job(account: Item, job: dict[str, Any], *, scheduled: bool = False) -> None:
    """Refuse a new job, or the job specification of a schedule.

    Parameters
    ----------
    account, job
        The account and the job, after its type has been checked.
    scheduled
        Whether it is the specification of a schedule.
    """
    _check_pool(job["poolInfo"], scheduled=scheduled)
    if job.get("maxParallelTasks") == 0:
        raise bad_property("maxParallelTasks", 0, "The value must be -1 or greater than 0")
    if "jobReleaseTask" in job and "jobPreparationTask" not in job:
        reason = "It cannot be specified without a jobPreparationTask"
        raise bad_property("jobReleaseTask", None, reason)
    if "jobManagerTask" in job:
        task_rules.check_command(job["jobManagerTask"])
    for name in _TASKS[1:]:
        if name in job:
            task_rules.check_command(job[name])
    _check_release(job.get("jobReleaseTask", {}))
    _check_ids(job)
    task_rules.check_environment(job.get("commonEnvironmentSettings", []))
    pool_rules.check_metadata(job.get("metadata", []))
    if (network := job.get("networkConfiguration")) is not None:
        pool_rules.check_subscription(account, "subnetId", network["subnetId"])


def _check_pool(info: dict[str, Any], *, scheduled: bool) -> None:
    if "poolId" in info and "autoPoolSpecification" in info:
        reason = "Exactly one of poolId and autoPoolSpecification must be specified"
        raise bad_property("poolInfo", None, reason)
    automatic = info.get("autoPoolSpecification")
    if automatic is None:
        if "poolId" not in info:
            raise missing_property("poolId")
        return
    if "pool" not in automatic:
        raise missing_property("pool")
    if automatic["poolLifetimeOption"] == "jobschedule" and not scheduled:
        reason = "The option can be applied only to job schedules"
        raise bad_property("poolLifetimeOption", "jobschedule", reason)


def _check_release(task: dict[str, Any]) -> None:
    longest = duration_s(task.get("maxWallClockTime", "PT0S")) or 0.0
    if longest > _LONGEST_RELEASE_S:
        raise bad_property("maxWallClockTime", task["maxWallClockTime"], "The value must not be above 15 minutes")


def _check_ids(job: dict[str, Any]) -> None:
    ids = [str(job[name].get("id") or task_rules.default_id(name)).lower() for name in _TASKS if name in job]
    if len(set(ids)) < len(ids):
        raise bad_property("id", None, "The tasks of a job must have different ids")


def check_changes(job: Job, body: dict[str, Any], *, replaces: bool) -> None:
    """Refuse changes of a job that its state or its properties do not allow.

    Parameters
    ----------
    job, body
        The job, and its new properties after their types have been checked.
    replaces
        Whether missing properties get their defaults.
    """
    if body.get("maxParallelTasks") == 0:
        raise bad_property("maxParallelTasks", 0, "The value must be -1 or greater than 0")
    pool_rules.check_metadata(body.get("metadata", []))
    wanted = body.get("onAllTasksComplete", "noaction" if replaces else job.doc["onAllTasksComplete"])
    if job.doc["onAllTasksComplete"] == "terminatejob" and wanted != "terminatejob":
        raise bad_property("onAllTasksComplete", wanted, "The value cannot be changed from terminatejob to noaction")
    if "poolInfo" in body:
        _check_new_pool(job, body["poolInfo"])


def _check_new_pool(job: Job, info: dict[str, Any]) -> None:
    """Refuse another pool of a job that is not disabled, and other changes of an auto pool than that of keepAlive."""
    _check_pool(info, scheduled=True)
    before = job.doc["poolInfo"]
    if info.get("poolId") != before.get("poolId") and job.state != "disabled":
        raise refusal(
            "OperationInvalidForCurrentState", ("Reason", "The pool of a job can change only if it is disabled")
        )
    automatic, old = (one.get("autoPoolSpecification") for one in (info, before))
    if automatic is not None and _without_keeping(automatic) != _without_keeping(old or {}):
        raise bad_property("autoPoolSpecification", None, "Only keepAlive can be changed")


def _without_keeping(automatic: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in automatic.items() if name != "keepAlive"}
