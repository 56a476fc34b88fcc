"""The rules for what Batch runs on nodes: start tasks, tasks, and the tasks of a job for its manager and its nodes.

Source: the texts of Microsoft's OpenAPI (2024-02-01.19.0) and of azure-batch 15.1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.rest.body_checks import first_repeated
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property, refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Refusal

evidence = Evidence("Tasks that Batch refuses")
evidence.rule(
    "Environment variables and exit codes that occur twice in a task are refused, and ranges that end before they "
    "begin.",
    "no document says what Batch does with them",
)
evidence.rule(
    "The user account of a start task is not looked up in its pool.",
    "no document says whether Batch does; for tasks of jobs it cannot",
)
evidence.rule(
    "A file mode must be octal, and the path of a resource file relative, without '..'.",
    "the documents say so; no recording shows the refusal",
)
evidence.rule(
    "Dependencies of a task in a job without usesTaskDependencies are refused with UnsupportedProperty.",
    "public reports of 2022 and 2025 show this code; the OpenAPI names TaskDependenciesNotSpecifiedOnJob",
)
_SOURCES = ("autoStorageContainerName", "storageContainerUrl", "httpUrl")
#: The longest list of the ids that a task depends on, in characters. Source: TaskDependencies of the OpenAPI.
_LONGEST_DEPENDENCIES = 64_000
#: Tasks of a job for its manager and its nodes, with their default ids and the codes for a task with the same id.
_OWN_TASKS = {
    "jobPreparationTask": ("jobpreparation", "TaskIdSameAsJobPreparationTask"),
    "jobReleaseTask": ("jobrelease", "TaskIdSameAsJobReleaseTask"),
}


def default_id(name: str) -> str:
    """Return the id of a task of a job that does not specify it."""
    return _OWN_TASKS[name][0] if name in _OWN_TASKS else ""


def check_command(task: dict[str, Any]) -> None:
    """Refuse what no task of any kind may have; its type has been checked."""
    if not task.get("commandLine", "").strip():
        raise missing_property("commandLine")
    for row in task.get("resourceFiles", []):
        check_resource_file(row)
    check_environment(task.get("environmentSettings", []))
    identity = task.get("userIdentity")
    if identity is not None:
        _check_identity(identity)
    if (container := task.get("containerSettings")) is not None:
        if not container["imageName"]:
            raise missing_property("imageName")
        if "registry" in container:
            check_registry(container["registry"])
    for row in task.get("outputFiles", []):
        if "container" not in row["destination"]:
            raise missing_property("container")


def check_resource_file(row: dict[str, Any]) -> None:
    """Refuse a resource file without exactly one source, or with a path that leaves the directory of the task."""
    sources = [name for name in (*_SOURCES, "blobSource") if row.get(name)]
    if len(sources) != 1:
        reason = "Exactly one of autoStorageContainerName, storageContainerUrl and httpUrl must be specified"
        raise bad_property("resourceFiles", None, reason)
    path = row.get("filePath")
    if sources[0] in ("httpUrl", "blobSource"):
        if not path:
            raise missing_property("filePath")
        if "blobPrefix" in row:
            reason = "It can be specified only with autoStorageContainerName or storageContainerUrl"
            raise bad_property("blobPrefix", row["blobPrefix"], reason)
    if path and (path.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", path)):
        raise bad_property("filePath", path, "The path must be relative to the working directory of the task")
    mode = row.get("fileMode")
    if mode is not None and not re.fullmatch(r"0?[0-7]{3,4}", mode):
        raise bad_property("fileMode", mode, "The file mode must be in octal format")


def check_environment(rows: list[dict[str, Any]]) -> None:
    """Refuse environment variables without a name, and those that occur twice."""
    names = [row["name"] for row in rows]
    for name in names:
        if not name or "=" in name:
            raise bad_property("name", name, "The name of an environment variable must not be empty or contain '='")
    if (twice := first_repeated(names)) is not None:
        raise bad_property("environmentSettings", twice, "Each environment variable can be specified once")


def _check_identity(identity: dict[str, Any]) -> None:
    if ("username" in identity) == ("autoUser" in identity):
        raise bad_property("userIdentity", None, "Exactly one of username and autoUser must be specified")


def check_registry(registry: dict[str, Any]) -> None:
    """Refuse a container registry with a user and an identity, or with neither."""
    if ("username" in registry) == ("identityReference" in registry):
        reason = "Exactly one of username and identityReference must be specified"
        raise bad_property("username", registry.get("username"), reason)
    if "identityReference" in registry and "password" in registry:
        raise bad_property("password", None, "It must not be specified with identityReference")


def check_start_task(pool: dict[str, Any]) -> None:
    """Refuse the start task of a pool if it does not fit the pool."""
    task = pool.get("startTask")
    if task is None:
        return
    containers = pool.get("virtualMachineConfiguration", {}).get("containerConfiguration")
    if "containerSettings" in task and containers is None:
        raise _no_containers()


def _no_containers() -> Refusal:
    reason = "It can be specified only if the pool has a containerConfiguration"
    return bad_property("containerSettings", None, reason)


# -- tasks of jobs ------------------------------------------------------------------------------------------------


def check_task(task: dict[str, Any], job: dict[str, Any], pool: Pool | None) -> None:
    """Refuse a task that cannot be added to a job.

    Parameters
    ----------
    task
        The task, after its type has been checked.
    job
        The document of the job.
    pool
        The pool of the job, None if it does not exist (yet).
    """
    check_command(task)
    if "autoPoolSpecification" not in job["poolInfo"]:  # azure-batch's own tests add such a task to a job with one
        _check_containers(task, pool)
    _check_id(task, job)
    _check_dependencies(task, job)
    _check_exits(task.get("exitConditions", {}), job)
    if (instances := task.get("multiInstanceSettings")) is not None:
        if not instances["coordinationCommandLine"]:
            raise missing_property("coordinationCommandLine")
        for row in instances.get("commonResourceFiles", []):
            check_resource_file(row)
        if task.get("requiredSlots", 1) != 1:
            raise bad_property("requiredSlots", task["requiredSlots"], "It must be 1 for a multi-instance task")


def _check_containers(task: dict[str, Any], pool: Pool | None) -> None:
    """Require the container of a task if its pool has containers, and refuse it otherwise."""
    if pool is None:
        return
    machine = pool.doc.get("virtualMachineConfiguration", {})
    if "containerConfiguration" in machine and "containerSettings" not in task:
        reason = "It must be specified, because the pool has a containerConfiguration"
        raise bad_property("containerSettings", None, reason)
    if "containerConfiguration" not in machine and "containerSettings" in task:
        raise _no_containers()


def _check_id(task: dict[str, Any], job: dict[str, Any]) -> None:
    for name, (default, code) in _OWN_TASKS.items():
        if name in job and task["id"].lower() == str(job[name].get("id", default)).lower():
            raise refusal(code)
    if task["id"].lower() == str(job.get("jobManagerTask", {}).get("id", "")).lower():
        raise refusal("TaskExists")


def _check_dependencies(task: dict[str, Any], job: dict[str, Any]) -> None:
    wanted = task.get("dependsOn", {})
    ids, ranges = wanted.get("taskIds", []), wanted.get("taskIdRanges", [])
    if (ids or ranges) and not job.get("usesTaskDependencies"):
        raise refusal("UnsupportedProperty", ("PropertyName", "dependsOn"))
    if sum(map(len, ids)) > _LONGEST_DEPENDENCIES:
        raise refusal("TaskDependencyListTooLong")
    if task["id"] in ids:
        raise bad_property("taskIds", task["id"], "A task cannot depend on itself")
    _check_ranges("taskIdRanges", ranges)


def _check_ranges(name: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["start"] > row["end"]:
            raise bad_property(name, f"{row['start']}-{row['end']}", "The start of the range must not be above its end")


def _check_exits(conditions: dict[str, Any], job: dict[str, Any]) -> None:
    codes = [row["code"] for row in conditions.get("exitCodes", [])]
    if (twice := first_repeated(codes)) is not None:
        raise bad_property("exitCodes", twice, "Each exit code can be specified once")
    _check_ranges("exitCodeRanges", conditions.get("exitCodeRanges", []))
    options = [row["exitOptions"] for name in ("exitCodes", "exitCodeRanges") for row in conditions.get(name, [])]
    options += [conditions[name] for name in ("preProcessingError", "fileUploadError", "default") if name in conditions]
    for option in options:
        if "jobAction" in option and job.get("onTaskFailure", "noaction") == "noaction":
            reason = "It can be specified only if onTaskFailure of the job is performexitoptionsjobaction"
            raise bad_property("jobAction", option["jobAction"], reason)
