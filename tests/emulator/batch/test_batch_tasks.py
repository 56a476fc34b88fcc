"""Jobs and tasks: nodes run tasks for the duration of their commands; and the files of tasks."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.batch.fleet import commands
from batchimg_magics.emulator.furnish import ACCOUNT, REGION
from tests.support.batch_emulator import NOW, BatchEmulator


@pytest.fixture
def azure() -> BatchEmulator:
    made = BatchEmulator()
    made.create_pool(dedicated=3, spot=2, metadata=[{"name": "a", "value": "b"}])
    made.wait_until_steady()
    made.clock.advance(300)
    return made


def first(azure: BatchEmulator) -> dict[str, Any]:
    return azure.nodes()[0]


def do(azure: BatchEmulator, verb: str, node: str, body: Any = None) -> Any:
    return azure.batch("POST", f"/pools/p/nodes/{node}/{verb}", body)


def node(azure: BatchEmulator, name: str) -> dict[str, Any]:
    found: dict[str, Any] = azure.batch("GET", f"/pools/p/nodes/{name}").body
    return found


def job(azure: BatchEmulator, **more: Any) -> None:
    assert azure.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}} | more).status == 201


def task(azure: BatchEmulator, name: str, command: str = "sleep 100", **more: Any) -> Any:
    return azure.batch("POST", "/jobs/j/tasks", {"id": name, "commandLine": command} | more)


def counts(azure: BatchEmulator) -> dict[str, int]:
    found: dict[str, int] = azure.batch("GET", "/jobs/j/taskcounts").body["taskCounts"]
    return {state: count for state, count in found.items() if count}


def test_tasks_keep_nodes_busy_for_the_time_their_commands_name(azure: BatchEmulator) -> None:
    job(azure)
    for number in range(7):
        assert task(azure, f"t{number}").status == 201
    assert azure.states() == {"running": 5}
    assert counts(azure) == {"running": 5, "active": 2}
    azure.clock.advance(150)
    assert azure.states() == {"running": 2, "idle": 3}
    assert counts(azure) == {"completed": 5, "succeeded": 5, "running": 2}
    azure.clock.advance(100)
    assert azure.states() == {"idle": 5}
    done = azure.batch("GET", "/jobs/j/tasks/t6").body
    assert (done["state"], done["executionInfo"]["exitCode"], done["executionInfo"]["result"]) == (
        "completed",
        0,
        "success",
    )
    ran = node(azure, done["nodeInfo"]["nodeId"])
    assert (ran["totalTasksRun"], ran["totalTasksSucceeded"], ran["runningTasksCount"]) == (2, 2, 0)


def test_the_result_does_not_depend_on_when_it_is_read() -> None:
    ends = []
    for looks in (1, 40):
        azure = BatchEmulator()
        azure.create_pool(dedicated=2)
        azure.wait_until_steady()
        azure.clock.advance(300)
        job(azure)
        for number in range(6):
            task(azure, f"t{number}", f"sleep {50 + 10 * number}")
        for _ in range(looks):
            azure.clock.advance(400 / looks)
            azure.nodes()
        ends.append([one["executionInfo"]["endTime"] for one in azure.batch("GET", "/jobs/j/tasks").body["value"]])
    assert ends[0] == ends[1]


def test_a_failing_task_can_be_run_again(azure: BatchEmulator) -> None:
    job(azure)
    task(azure, "t", "/bin/bash -c 'exit 4'")
    azure.clock.advance(5)
    failed = azure.batch("GET", "/jobs/j/tasks/t").body["executionInfo"]
    assert (failed["exitCode"], failed["failureInfo"]["code"]) == (4, "FailureExitCode")
    assert azure.batch("POST", "/jobs/j/tasks/t/terminate").code == "TaskCompleted"
    assert azure.batch("POST", "/jobs/j/tasks/t/reactivate").status == 204


def test_a_task_on_a_removed_node_runs_on_another_node(azure: BatchEmulator) -> None:
    job(azure)
    task(azure, "t", "sleep 1000")
    where = azure.batch("GET", "/jobs/j/tasks/t").body["nodeInfo"]["nodeId"]
    azure.batch("POST", "/pools/p/removenodes", {"nodeList": [where]})
    assert node(azure, where)["state"] == "leavingpool"
    azure.wait_until_steady()
    again = azure.batch("GET", "/jobs/j/tasks/t").body
    assert again["state"] == "running"
    assert again["nodeInfo"]["nodeId"] != where
    assert again["executionInfo"]["requeueCount"] == 1


def shrink(azure: BatchEmulator, option: str, by: str = "resize", timeout: str = "PT15M") -> None:
    busy = [node["id"] for node in azure.nodes() if node["state"] == "running"]
    counts = {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0} if by == "resize" else {"nodeList": busy}
    body = {**counts, "resizeTimeout": timeout, "nodeDeallocationOption": option}
    assert azure.batch("POST", f"/pools/p/{by}", body).status == 202


@pytest.mark.parametrize("by", ["resize", "removenodes"])
@pytest.mark.parametrize(
    ("option", "tasks"),
    [("requeue", {"active": 1}), ("terminate", {"completed": 1, "failed": 1})],
)
def test_tasks_end_with_their_nodes(azure: BatchEmulator, option: str, tasks: dict[str, int], by: str) -> None:
    job(azure)
    task(azure, "t", "sleep 600")
    assert counts(azure) == {"running": 1}
    for name in [node["id"] for node in azure.nodes() if node["state"] == "idle"]:
        do(azure, "disablescheduling", name)  # else the task goes on at another node
    shrink(azure, option, by)
    assert counts(azure) == tasks
    azure.clock.advance(120)
    assert azure.pool()["allocationState"] == "steady"
    assert "running" not in azure.states()


@pytest.mark.parametrize("by", ["resize", "removenodes"])
@pytest.mark.parametrize("option", ["taskcompletion", "retaineddata"])
def test_nodes_stay_for_their_tasks(azure: BatchEmulator, option: str, by: str) -> None:
    job(azure)
    task(azure, "t", "sleep 600")
    shrink(azure, option, by)
    task(azure, "late")
    azure.clock.advance(590)
    assert azure.pool()["allocationState"] == "resizing"
    assert azure.states()["leavingpool"] == 1
    assert azure.batch("GET", "/jobs/j/tasks/t").body["state"] == "running"
    azure.clock.advance(120)
    assert azure.batch("GET", "/jobs/j/tasks/t").body["executionInfo"]["exitCode"] == 0
    assert azure.pool()["allocationState"] == "steady"
    assert "resizeErrors" not in azure.pool()
    assert "leavingpool" not in azure.states()


def test_a_task_that_lasts_longer_than_a_resize_may(azure: BatchEmulator) -> None:
    job(azure)
    task(azure, "t", "sleep 3600")
    shrink(azure, "taskcompletion", timeout="PT5M")
    azure.clock.advance(310)
    assert azure.pool()["allocationState"] == "steady"
    assert [one["code"] for one in azure.pool()["resizeErrors"]] == ["AllocationTimedout"]
    assert azure.states() == {"leavingpool": 1}
    azure.clock.advance(3600)
    assert counts(azure) == {"completed": 1, "succeeded": 1}
    assert azure.states() == {}


def test_a_timeout_names_the_kind_whose_nodes_are_late(azure: BatchEmulator) -> None:
    job(azure)
    task(azure, "t", "sleep 3600")
    (late,) = [one for one in azure.nodes() if one["state"] == "running"]
    shrink(azure, "taskcompletion", timeout="PT5M")
    azure.clock.advance(310)
    kind = "dedicated" if late["isDedicated"] else "low priority"
    assert [one["message"].split(" nodes")[0] for one in azure.pool()["resizeErrors"]] == [f"Desired number of {kind}"]


def test_slots_are_shared(azure: BatchEmulator) -> None:
    azure.create_pool("wide", 1, taskSlotsPerNode=4)
    azure.wait_until_steady("wide")
    azure.clock.advance(300)
    azure.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "wide"}})
    task(azure, "big", requiredSlots=3)
    task(azure, "small")
    task(azure, "late")
    assert counts(azure) == {"running": 2, "active": 1}
    one = azure.nodes("wide")[0]
    assert (one["runningTasksCount"], one["runningTaskSlotsCount"]) == (2, 4)


def test_many_tasks_answer_each_for_itself(azure: BatchEmulator) -> None:
    job(azure)
    value = [{"id": "a", "commandLine": "true"}, {"id": "a", "commandLine": "true"}, {"id": "b"}]
    answers = azure.batch("POST", "/jobs/j/addtaskcollection", {"value": value}).body["value"]
    assert [one["status"] for one in answers] == ["Success", "clienterror", "clienterror"]
    assert [one["error"]["code"] for one in answers[1:]] == ["TaskExists", "MissingRequiredProperty"]


def test_a_job_can_be_disabled_terminated_and_deleted(azure: BatchEmulator) -> None:
    job(azure)
    assert azure.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}}).code == "JobExists"
    azure.batch("POST", "/jobs/j/disable", {"disableTasks": "wait"})
    task(azure, "t")
    assert counts(azure) == {"active": 1}
    azure.batch("POST", "/jobs/j/enable")
    assert counts(azure) == {"running": 1}
    assert azure.batch("PATCH", "/jobs/j", {"priority": 5}, if_match="0x0").code == "ConditionNotMet"
    assert azure.batch("PATCH", "/jobs/j", {"priority": 5}).status == 200
    assert azure.batch("POST", "/jobs/j/terminate").status == 202
    assert azure.batch("GET", "/jobs/j").body["state"] == "terminating"
    assert task(azure, "late").code == "JobBeingTerminated"
    azure.clock.advance(16)
    ended = azure.batch("GET", "/jobs/j").body
    assert (ended["state"], ended["executionInfo"]["terminateReason"]) == ("completed", "UserTerminate")
    assert task(azure, "late").code == "JobCompleted"
    assert azure.states() == {"idle": 5}
    assert azure.batch("DELETE", "/jobs/j").status == 202
    assert azure.batch("GET", "/jobs/j").body["state"] == "deleting"
    again = {"id": "j", "poolInfo": {"poolId": "p"}}
    refused = (azure.batch("POST", "/jobs", again), azure.batch("DELETE", "/jobs/j"))
    assert [answer.code for answer in refused] == ["JobBeingDeleted"] * 2
    azure.clock.advance(15)
    assert azure.batch("GET", "/jobs/j").code == "JobNotFound"
    assert azure.batch("GET", "/jobs").body["value"] == []
    assert azure.batch("POST", "/jobs", again).status == 201


def test_a_job_may_end_with_its_tasks(azure: BatchEmulator) -> None:
    job(azure, onAllTasksComplete="terminatejob")
    task(azure, "t", "sleep 60")
    assert azure.batch("GET", "/jobs/j").body["state"] == "active"
    azure.clock.advance(61)
    assert azure.batch("GET", "/jobs/j").body["executionInfo"]["terminateReason"] == "AllTasksComplete"


def test_a_pool_may_live_with_a_job(azure: BatchEmulator) -> None:
    pool = {"vmSize": "standard_d2_v2", "targetDedicatedNodes": 0}
    pool["virtualMachineConfiguration"] = azure.pool()["virtualMachineConfiguration"]
    automatic = {"autoPoolIdPrefix": "auto", "poolLifetimeOption": "job", "pool": pool}
    job(azure, poolInfo={"autoPoolSpecification": automatic})
    name = azure.batch("GET", "/jobs/j").body["executionInfo"]["poolId"]
    assert name.startswith("auto")
    assert azure.pool(name)["state"] == "active"
    azure.batch("DELETE", "/jobs/j")
    assert azure.pool(name)["state"] == "deleting"


def test_autoscale_sees_the_tasks(azure: BatchEmulator) -> None:
    job(azure)
    formula = "$TargetDedicatedNodes = max($PendingTasks.GetSample(1)); $TargetLowPriorityNodes = 0;"
    for number in range(8):
        task(azure, f"t{number}", "sleep 2000")
    azure.clock.advance(60)
    enable = {"autoScaleFormula": formula, "autoScaleEvaluationInterval": "PT5M"}
    azure.batch("POST", "/pools/p/enableautoscale", enable)
    assert azure.pool()["targetDedicatedNodes"] == 8


def test_files_have_what_the_emulator_knows_of_commands(azure: BatchEmulator) -> None:
    azure.create_pool("s", 1, startTask={"commandLine": "/bin/sh -c 'echo exit code 3 >&2; exit 3'"})
    azure.wait_until_steady("s")
    azure.clock.advance(300)
    name = azure.nodes("s")[0]["id"]
    path = f"/pools/s/nodes/{name}/files"
    top = azure.batch("GET", path).body["value"]
    assert all(file["isDirectory"] for file in top)
    deep = azure.batch("GET", f"{path}?recursive=true").body["value"]
    assert "startup/stdout.txt" in [file["name"] for file in deep]
    read = azure.app.answer(
        "GET",
        next(f["url"] for f in deep if f["name"] == "startup/stderr.txt") + "?api-version=2025-06-01",
        {"authorization": "Bearer t"},
    )
    assert (read.body, read.headers["Content-Type"]) == (b"exit code 3\n", "text/plain")
    assert azure.batch("GET", f"{path}/none.txt").code == "FileNotFound"
    assert azure.batch("GET", f"{path}/startup%2Fstderr.txt", ocp_range="bytes=99-100").code == "InvalidRange"
    for wrong in ("bytes=-5", "lines=1-2", "bytes=5-2"):
        assert azure.batch("GET", f"{path}/startup%2Fstderr.txt", ocp_range=wrong).code == "InvalidHeaderValue"
    azure.batch("POST", f"/pools/s/nodes/{name}/reboot")
    assert azure.batch("GET", path).code == "NodeNotReady"
    azure.clock.advance(300)
    job(azure)
    task(azure, "t", "echo hello")
    listed = azure.batch("GET", "/jobs/j/tasks/t/files").body["value"]
    assert [file["name"] for file in listed] == ["stderr.txt", "stdout.txt"]
    response = azure.batch("HEAD", "/jobs/j/tasks/t/files/stdout.txt")
    assert (response.status, response.headers["ocp-batch-file-isdirectory"]) == (200, "False")


def test_outputs_are_those_of_the_commands_that_the_emulator_knows(azure: BatchEmulator) -> None:
    command = "/bin/sh -c 'echo \"two  words\" && seq 2 4; echo oops >&2; echo kept > file; /home/me/tool --fast'"
    azure.create_pool("s", 1, startTask={"commandLine": command})
    azure.wait_until_steady("s")
    azure.clock.advance(300)
    path = f"https://{ACCOUNT}.{REGION}.batch.azure.com/pools/s/nodes/{azure.nodes('s')[0]['id']}/files/startup%2F"

    def read(name: str, **headers: str) -> bytes:
        sent = {"authorization": "Bearer t"} | headers
        return azure.app.answer("GET", f"{path}{name}?api-version={NOW}", sent).body

    assert read("stdout.txt").endswith(b"\ntwo  words\n2\n3\n4\n")
    assert read("stderr.txt") == b"oops\n"
    assert read("stderr.txt", **{"ocp-range": "bytes=2-9"}) == b"ps\n"


def test_logs_are_uploaded_from_nodes_that_came_up(azure: BatchEmulator) -> None:
    name = first(azure)["id"]
    body = {"containerUrl": "https://store.blob.core.windows.net/logs", "startTime": "2026-07-01T09:00:00Z"}
    done = do(azure, "uploadbatchservicelogs", name, body)
    assert (done.status, done.body["numberOfFilesUploaded"]) == (200, 8)
    assert done.body["virtualDirectoryName"].startswith(f"p/{name}/")
    assert do(azure, "uploadbatchservicelogs", name, {}).code == "MissingRequiredProperty"


def test_jobs_of_higher_priority_go_first(azure: BatchEmulator) -> None:
    for name, priority in (("j", 0), ("urgent", 10)):
        azure.batch("POST", "/jobs", {"id": name, "poolInfo": {"poolId": "p"}, "priority": priority})
    for number in range(5):
        task(azure, f"running{number}", "sleep 100")
    task(azure, "first-added")
    azure.batch("POST", "/jobs/urgent/tasks", {"id": "t", "commandLine": "sleep 100"})
    azure.clock.advance(99)
    azure.batch("POST", "/jobs/j/tasks/running0/terminate")
    assert azure.batch("GET", "/jobs/urgent/tasks/t").body["state"] == "running"
    assert azure.batch("GET", "/jobs/j/tasks/first-added").body["state"] == "active"


def test_a_node_with_a_task_that_is_rebooted_shows_the_reboot_and_sends_the_task_back(azure: BatchEmulator) -> None:
    job(azure)
    task(azure, "t", "sleep 5000")
    where = azure.batch("GET", "/jobs/j/tasks/t").body["nodeInfo"]["nodeId"]
    azure.clock.advance(10)
    do(azure, "reboot", where)
    assert node(azure, where)["state"] == "rebooting"
    again = azure.batch("GET", "/jobs/j/tasks/t").body
    assert (again["state"], again["executionInfo"]["requeueCount"]) == ("running", 1)
    assert again["nodeInfo"]["nodeId"] != where


def test_formulas_count_tasks_only_from_their_making_on(azure: BatchEmulator) -> None:
    azure.batch("POST", "/pools/p/enableautoscale", {"autoScaleFormula": "$TargetDedicatedNodes = 3;"})
    job(azure)
    azure.clock.advance(300)
    task(azure, "t", "sleep 3000")
    azure.clock.advance(60)
    formula = "x = $PendingTasks.GetSample(TimeInterval_Minute * 5); y = max(x); z = min(x);"
    run = azure.batch("POST", "/pools/p/evaluateautoscale", {"autoScaleFormula": formula}).body
    assert run["results"].endswith(";y=1;z=0")


@pytest.mark.parametrize(
    ("command", "seconds", "code"),
    [
        ("true", 0, 0),
        ("program with words", 7, 0),
        ("false", 7, 1),
        ("/bin/false", 7, 1),
        ("exit 3", 0, 3),
        ("/bin/bash -c 'sleep 5; exit 0'", 5, 0),
        ("/bin/sh -c 'false || exit 9'", 7, 9),
        ("/bin/sh -c 'true || exit 9'", 0, 0),
        ("bash -lc 'false && sleep 100'", 7, 1),
        ("bash -c 'sleep 2m && sleep 1h'", 3720, 0),
        ('cmd /c "timeout /t 30 & exit /b 2"', 30, 2),
        ("powershell -Command Start-Sleep -Seconds 12", 12, 0),
    ],
)
def test_commands_determine_their_duration_and_exit_code(command: str, seconds: float, code: int) -> None:
    found = commands.command_result(command, 7.0)
    assert (found.seconds, found.exit_code) == (seconds, code)


@pytest.mark.parametrize(
    ("first", "wanted", "state"),
    [
        ({"commandLine": "sleep 100"}, {"taskIds": ["1"]}, "running"),
        ({"commandLine": "sleep 100"}, {"taskIdRanges": [{"start": 1, "end": 1}]}, "running"),
        ({"commandLine": "sleep 100"}, {"taskIdRanges": [{"start": 1, "end": 2}]}, "active"),  # 2 is not added
        ({"commandLine": "exit 7"}, {"taskIds": ["1"]}, "active"),
        (
            {
                "commandLine": "exit 7",
                "exitConditions": {"exitCodes": [{"code": 7, "exitOptions": {"dependencyAction": "satisfy"}}]},
            },
            {"taskIds": ["1"]},
            "running",
        ),
        (
            {"commandLine": "exit 7", "exitConditions": {"default": {"dependencyAction": "satisfy"}}},
            {"taskIds": ["1"]},
            "running",
        ),
    ],
)
def test_a_task_waits_for_those_that_it_depends_on(
    azure: BatchEmulator, first: dict[str, Any], wanted: dict[str, Any], state: str
) -> None:
    azure.batch("POST", "/pools/p/enableautoscale", {"autoScaleFormula": "$TargetDedicatedNodes = 3;"})
    job(azure, usesTaskDependencies=True)
    after = {"id": "after", "commandLine": "sleep 1000", "dependsOn": wanted}
    assert azure.batch("POST", "/jobs/j/tasks", after).status == 201
    assert azure.batch("POST", "/jobs/j/tasks", {"id": "1"} | first).status == 201
    formula = {"autoScaleFormula": "x = $ActiveTasks; y = $RunningTasks;"}
    azure.clock.advance(50)
    running = "0" if first["commandLine"] != "sleep 100" and state == "active" else "1"
    run = azure.batch("POST", "/pools/p/evaluateautoscale", formula).body
    assert run["results"].endswith(f";x=0;y={running}")
    azure.clock.advance(100)
    assert azure.batch("GET", "/jobs/j/tasks/after").body["state"] == state
