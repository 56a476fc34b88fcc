"""What Batch refuses in jobs and tasks, and in their changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.batch_emulator import MACHINE, BatchEmulator

Json = dict[str, Any]
POOL = {"vmSize": "Standard_D2s_v3", "virtualMachineConfiguration": MACHINE}
AUTO = {"poolLifetimeOption": "job", "pool": POOL}
CONTAINER = {"uploadOptions": {"uploadCondition": "taskSuccess"}, "filePattern": "*"}
MISSING, INVALID = "MissingRequiredProperty", "InvalidPropertyValue"
#: What is wrong -> the properties of the job, the code, and the property that the refusal names.
JOBS: dict[str, tuple[Json, str, str]] = {
    "no pool": ({"poolInfo": {}}, MISSING, "poolId"),
    "two pools": ({"poolInfo": {"poolId": "p", "autoPoolSpecification": AUTO}}, INVALID, "poolInfo"),
    "auto pool without pool": ({"poolInfo": {"autoPoolSpecification": {"poolLifetimeOption": "job"}}}, MISSING, "pool"),
    "auto pool of a schedule": (
        {"poolInfo": {"autoPoolSpecification": AUTO | {"poolLifetimeOption": "jobSchedule"}}},
        INVALID,
        "poolLifetimeOption",
    ),
    "auto pool with a long prefix": (
        {"poolInfo": {"autoPoolSpecification": AUTO | {"autoPoolIdPrefix": "x" * 21}}},
        INVALID,
        "autoPoolIdPrefix",
    ),
    "auto pool without size": (
        {"poolInfo": {"autoPoolSpecification": AUTO | {"pool": {"virtualMachineConfiguration": MACHINE}}}},
        MISSING,
        "vmSize",
    ),
    "priority": ({"priority": 1001}, INVALID, "priority"),
    "low priority": ({"priority": -1001}, INVALID, "priority"),
    "no parallel tasks": ({"maxParallelTasks": 0}, INVALID, "maxParallelTasks"),
    "display name": ({"displayName": "x" * 1025}, INVALID, "displayName"),
    "time": ({"constraints": {"maxWallClockTime": "1h"}}, "InvalidRequestBody", ""),
    "tries": ({"constraints": {"maxTaskRetryCount": -2}}, INVALID, "maxTaskRetryCount"),
    "end": ({"onAllTasksComplete": "explode"}, INVALID, "onAllTasksComplete"),
    "failure": ({"onTaskFailure": "explode"}, INVALID, "onTaskFailure"),
    "release alone": ({"jobReleaseTask": {"commandLine": "x"}}, INVALID, "jobReleaseTask"),
    "long release": (
        {
            "jobPreparationTask": {"commandLine": "x"},
            "jobReleaseTask": {"commandLine": "x", "maxWallClockTime": "PT16M"},
        },
        INVALID,
        "maxWallClockTime",
    ),
    "manager without id": ({"jobManagerTask": {"commandLine": "x"}}, MISSING, "id"),
    "manager without command": ({"jobManagerTask": {"id": "m"}}, MISSING, "commandLine"),
    "preparation without command": ({"jobPreparationTask": {}}, MISSING, "commandLine"),
    "the same id twice": (
        {"jobManagerTask": {"id": "jobpreparation", "commandLine": "x"}, "jobPreparationTask": {"commandLine": "x"}},
        INVALID,
        "id",
    ),
    "variable twice": ({"commonEnvironmentSettings": [{"name": "A"}] * 2}, INVALID, "environmentSettings"),
    "network": ({"networkConfiguration": {"subnetId": "x"}}, INVALID, "subnetId"),
    "metadata": ({"metadata": [{"name": "a"}]}, MISSING, "value"),
    "unknown": ({"colour": "red"}, "InvalidRequestBody", ""),
}
#: The same for tasks of the job `j`.
TASKS: dict[str, tuple[Json, str, str]] = {
    "no command": ({"commandLine": ""}, MISSING, "commandLine"),
    "no id": ({"id": None}, MISSING, "id"),
    "id": ({"id": "a b"}, INVALID, "id"),
    "display name": ({"displayName": "x" * 1025}, INVALID, "displayName"),
    "slots": ({"requiredSlots": 257}, INVALID, "requiredSlots"),
    "dependencies": ({"dependsOn": {"taskIds": ["a"]}}, "UnsupportedProperty", "dependsOn"),
    "time": ({"constraints": {"retentionTime": "a day"}}, "InvalidRequestBody", ""),
    "exit codes twice": (
        {"exitConditions": {"exitCodes": [{"code": 1, "exitOptions": {}}] * 2}},
        INVALID,
        "exitCodes",
    ),
    "exit range": (
        {"exitConditions": {"exitCodeRanges": [{"start": 5, "end": 1, "exitOptions": {}}]}},
        INVALID,
        "exitCodeRanges",
    ),
    "job action": ({"exitConditions": {"default": {"jobAction": "terminate"}}}, INVALID, "jobAction"),
    "dependency action": ({"exitConditions": {"default": {"dependencyAction": "run"}}}, INVALID, "dependencyAction"),
    "instances without command": (
        {"multiInstanceSettings": {"numberOfInstances": 2}},
        MISSING,
        "coordinationCommandLine",
    ),
    "no instances": (
        {"multiInstanceSettings": {"numberOfInstances": 0, "coordinationCommandLine": "x"}},
        INVALID,
        "numberOfInstances",
    ),
    "slots of instances": (
        {"multiInstanceSettings": {"coordinationCommandLine": "x"}, "requiredSlots": 2},
        INVALID,
        "requiredSlots",
    ),
    "output without destination": ({"outputFiles": [CONTAINER]}, MISSING, "destination"),
    "output to nowhere": ({"outputFiles": [CONTAINER | {"destination": {}}]}, MISSING, "container"),
    "output to no URL": (
        {"outputFiles": [CONTAINER | {"destination": {"container": {"containerUrl": "there"}}}]},
        INVALID,
        "containerUrl",
    ),
    "affinity": ({"affinityInfo": {}}, MISSING, "affinityId"),
    "container": ({"containerSettings": {"imageName": "i"}}, INVALID, "containerSettings"),
    "container without image": ({"containerSettings": {}}, MISSING, "imageName"),
    "file without source": ({"resourceFiles": [{"filePath": "a"}]}, INVALID, "resourceFiles"),
    "two users": ({"userIdentity": {}}, INVALID, "userIdentity"),
    "removed": ({"authenticationTokenSettings": {"access": ["job"]}}, "InvalidRequestBody", ""),
}


@pytest.fixture(scope="module")
def azure() -> BatchEmulator:
    made = BatchEmulator()
    made.create_pool("p", 3)
    made.create_pool(
        "c", virtualMachineConfiguration=MACHINE | {"containerConfiguration": {"type": "dockerCompatible"}}
    )
    for name, more in (
        ("j", {}),
        ("container", {"poolInfo": {"poolId": "c"}}),
        ("dependent", {"usesTaskDependencies": True, "onTaskFailure": "performExitOptionsJobAction"}),
        ("ending", {"onAllTasksComplete": "terminateJob", "jobManagerTask": {"id": "m", "commandLine": "sleep 90000"}}),
        ("auto", {"poolInfo": {"autoPoolSpecification": AUTO}}),
        ("prepared", {"jobPreparationTask": {"commandLine": "x"}, "jobReleaseTask": {"id": "r", "commandLine": "x"}}),
    ):
        assert made.batch("POST", "/jobs", {"id": name, "poolInfo": {"poolId": "p"}} | more).status == 201
    return made


@pytest.mark.parametrize("what", JOBS)
def test_a_job_is_refused(azure: BatchEmulator, what: str) -> None:
    more, code, name = JOBS[what]
    refused = azure.batch("POST", "/jobs", {"id": "refused", "poolInfo": {"poolId": "p"}} | more)
    assert (refused.status, refused.code, refused.why().get("PropertyName", "")) == (400, code, name)


@pytest.mark.parametrize("what", TASKS)
def test_a_task_is_refused(azure: BatchEmulator, what: str) -> None:
    more, code, name = TASKS[what]
    refused = azure.batch("POST", "/jobs/j/tasks", {"id": "refused", "commandLine": "true"} | more)
    assert (refused.status, refused.code, refused.why().get("PropertyName", "")) == (400, code, name)


def test_tasks_that_fit_their_job_are_taken(azure: BatchEmulator) -> None:
    exits = {"exitConditions": {"exitCodes": [{"code": 1, "exitOptions": {"jobAction": "disable"}}]}}
    for job, more in (
        ("dependent", {"dependsOn": {"taskIds": ["a"], "taskIdRanges": [{"start": 1, "end": 5}]}} | exits),
        ("container", {"containerSettings": {"imageName": "i"}}),
        ("auto", {"containerSettings": {"imageName": "i"}}),
        ("j", {"requiredSlots": 200, "dependsOn": {}, "userIdentity": {"username": "u"}}),
    ):
        assert azure.batch("POST", f"/jobs/{job}/tasks", {"id": "t", "commandLine": "true"} | more).status == 201
    assert azure.batch("POST", "/jobs/container/tasks", {"id": "u", "commandLine": "true"}).code == INVALID
    refused = azure.batch(
        "POST",
        "/jobs/dependent/tasks",
        {"id": "u", "commandLine": "true", "dependsOn": {"taskIds": ["x" * 64] * 1001}},
    )
    assert refused.code == "TaskDependencyListTooLong"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_constraints_that_a_change_does_not_name_have_their_defaults(azure: BatchEmulator, method: str) -> None:
    name = f"changed-by-{method}"
    pool = {"poolInfo": {"poolId": "p"}}
    azure.batch("POST", "/jobs", {"id": name, "constraints": {"maxWallClockTime": "PT1H"}} | pool)
    changed = azure.batch(method, f"/jobs/{name}", {"constraints": {"maxTaskRetryCount": 3}} | pool)
    assert changed.status == 200
    constraints = azure.batch("GET", f"/jobs/{name}").body["constraints"]
    assert constraints == {"maxWallClockTime": "P10675199DT2H48M5.4775807S", "maxTaskRetryCount": 3}


def test_a_collection_of_tasks_is_at_most_a_megabyte_long(azure: BatchEmulator) -> None:
    long = {"commandLine": "true", "environmentSettings": [{"name": "LONG", "value": "x" * 10_500}]}
    tasks = [{"id": f"long{number}"} | long for number in range(100)]
    refused = azure.batch("POST", "/jobs/j/addtaskcollection", {"value": tasks})
    assert (refused.status, refused.code) == (413, "RequestBodyTooLarge")
    assert azure.batch("POST", "/jobs/j/addtaskcollection", {"value": tasks[:99]}).status == 200


def test_the_tasks_of_a_job_keep_their_ids(azure: BatchEmulator) -> None:
    for job, name, code in (
        ("prepared", "JobPreparation", "TaskIdSameAsJobPreparationTask"),
        ("prepared", "r", "TaskIdSameAsJobReleaseTask"),
        ("ending", "m", "TaskExists"),
    ):
        refused = azure.batch("POST", f"/jobs/{job}/tasks", {"id": name, "commandLine": "true"})
        assert (refused.status, refused.code) == (409, code)


def test_a_multi_instance_task_waits_in_a_pool_that_is_not_made_for_it(azure: BatchEmulator) -> None:
    azure.create_pool("mpi", 1, enableInterNodeCommunication=True)
    azure.batch("POST", "/jobs", {"id": "mpi", "poolInfo": {"poolId": "mpi"}})
    task = {"id": "m", "commandLine": "true", "multiInstanceSettings": {"coordinationCommandLine": "x"}}
    for job in ("j", "mpi"):
        assert azure.batch("POST", f"/jobs/{job}/tasks", task).status == 201
    azure.clock.advance(3600)
    states = [azure.batch("GET", f"/jobs/{job}/tasks/m").body["state"] for job in ("j", "mpi")]
    assert states == ["active", "completed"]


def test_changes_of_a_job_that_it_does_not_allow_are_refused(azure: BatchEmulator) -> None:
    other = {"poolInfo": {"poolId": "c"}}
    for method, path, body, code in (
        ("PATCH", "/jobs/j", {"priority": 5000}, INVALID),
        ("PATCH", "/jobs/j", {"maxParallelTasks": 0}, INVALID),
        ("PATCH", "/jobs/j", {"displayName": "x"}, "InvalidRequestBody"),
        ("PATCH", "/jobs/j", other, "OperationInvalidForCurrentState"),
        ("PUT", "/jobs/j", {}, MISSING),
        ("PUT", "/jobs/j", other, "OperationInvalidForCurrentState"),
        ("PATCH", "/jobs/ending", {"onAllTasksComplete": "noAction"}, INVALID),
        ("PUT", "/jobs/ending", {"poolInfo": {"poolId": "p"}}, INVALID),
        ("PATCH", "/jobs/auto", {"poolInfo": {"autoPoolSpecification": AUTO | {"autoPoolIdPrefix": "x"}}}, INVALID),
        ("POST", "/jobs/j/disable", {}, MISSING),
        ("POST", "/jobs/j/disable", {"disableTasks": "burn"}, INVALID),
        ("POST", "/jobs/j/terminate", {"why": "so"}, "InvalidRequestBody"),
    ):
        assert azure.batch(method, path, body).code == code, (method, path, body)
    assert azure.batch("PUT", "/jobs/j", {"poolInfo": {"poolId": "p"}}).status == 200
    kept = {"poolInfo": {"autoPoolSpecification": AUTO | {"keepAlive": True}}}
    assert azure.batch("PATCH", "/jobs/auto", kept).status == 200


def test_the_pool_of_a_disabled_job_can_change(azure: BatchEmulator) -> None:
    azure.batch("POST", "/jobs", {"id": "moved", "poolInfo": {"poolId": "missing"}})
    azure.batch("POST", "/jobs/moved/tasks", {"id": "t", "commandLine": "true"})
    assert azure.batch("POST", "/jobs/moved/disable", {"disableTasks": "wait"}).status == 202
    assert azure.batch("POST", "/jobs/moved/disable", {"disableTasks": "wait"}).code == "JobNotActive"
    assert azure.batch("PATCH", "/jobs/moved", {"poolInfo": {"poolId": "p"}}).status == 200
    assert azure.batch("POST", "/jobs/moved/enable").status == 202
    azure.clock.advance(3600)
    assert azure.batch("GET", "/jobs/moved/tasks/t").body["nodeInfo"]["poolId"] == "p"


def test_a_body_is_judged_before_the_resource_is_looked_up(azure: BatchEmulator) -> None:
    for method, path, body, code in (
        ("POST", "/jobs/ghost/tasks", {}, MISSING),
        ("POST", "/jobs/ghost/addtaskcollection", {}, MISSING),
        ("POST", "/jobs/ghost/disable", {}, MISSING),
        ("PATCH", "/jobs/ghost", {"priority": 5000}, INVALID),
        ("PUT", "/jobs/ghost", {}, MISSING),
        ("POST", "/jobs/ghost/tasks", {"id": "a", "commandLine": "x"}, "JobNotFound"),
        ("PUT", "/jobs/ghost", {"poolInfo": {"poolId": "p"}}, "JobNotFound"),
        ("POST", "/jobs/ghost/terminate", {}, "JobNotFound"),
    ):
        assert azure.batch(method, path, body).code == code, (method, path, body)
