"""Nodes on the data plane: lists, counts, actions; and tasks that keep them busy."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.sim.batch_world import Azure


@pytest.fixture
def azure() -> Azure:
    made = Azure()
    made.add(dedicated=3, spot=2, metadata=[{"name": "a", "value": "b"}])
    made.steady()
    made.clock.advance(300)
    return made


def first(azure: Azure) -> dict[str, Any]:
    return azure.nodes()[0]


def do(azure: Azure, verb: str, node: str, body: Any = None) -> Any:
    return azure.batch("POST", f"/pools/p/nodes/{node}/{verb}", body)


def node(azure: Azure, name: str) -> dict[str, Any]:
    found: dict[str, Any] = azure.batch("GET", f"/pools/p/nodes/{name}").body
    return found


# -- reading -----------------------------------------------------------------------------------------------------


def test_a_node_reads_as_recorded(azure: Azure) -> None:
    listed = azure.nodes()
    assert [one["id"] for one in listed] == sorted(one["id"] for one in listed)
    assert sorted(one["id"][-2:] for one in listed) == ["_d", "_d", "_d", "_p", "_p"]
    assert {one["isDedicated"] for one in listed if one["id"].endswith("_p")} == {False}
    one = listed[0]
    assert (one["state"], one["schedulingState"], one["vmSize"]) == ("idle", "enabled", "standard_d2s_v3")
    assert one["affinityId"] == f"TVM:{one['id']}"
    assert one["url"].endswith(f"/pools/p/nodes/{one['id']}")
    assert one["allocationTime"] < one["lastBootTime"] <= one["stateTransitionTime"]
    assert one["virtualMachineInfo"]["imageReference"]["exactVersion"] == "latest"
    assert len({one["ipAddress"] for one in listed}) == 5
    assert {"odata.metadata", *one} == set(node(azure, one["id"]))


def test_what_a_node_shows_depends_on_the_api_version(azure: Azure) -> None:
    name = first(azure)["id"]
    old = azure.batch("GET", f"/pools/p/nodes/{name}", version="2024-02-01.19.0").body
    assert old["certificateReferences"] == []
    assert "certificateReferences" not in node(azure, name)


def test_a_node_that_is_not_up_yet_shows_no_boot() -> None:
    azure = Azure()
    azure.add(dedicated=1)
    azure.steady()
    assert not {"lastBootTime", "nodeAgentInfo"} & set(first(azure))


def test_old_pools_have_remote_login_and_new_ones_on_demand(azure: Azure) -> None:
    assert "endpointConfiguration" not in first(azure)
    body = {"id": "old", "vmSize": "Standard_D2s_v3", "targetDedicatedNodes": 1}
    body["virtualMachineConfiguration"] = azure.pool()["virtualMachineConfiguration"]
    azure.batch("POST", "/pools", body, version="2024-02-01.19.0")
    azure.steady("old")
    endpoint = azure.nodes("old")[0]["endpointConfiguration"]["inboundEndpoints"][0]
    assert (endpoint["name"], endpoint["backendPort"], endpoint["frontendPort"]) == ("SSHRule.0", 22, 50000)
    rule = {"name": "ssh", "protocol": "tcp", "backendPort": 22}
    ports = {"frontendPortRangeStart": 15000, "frontendPortRangeEnd": 15100}
    network = {"endpointConfiguration": {"inboundNATPools": [rule | ports]}}
    azure.add("new", 2, networkConfiguration=network)
    azure.steady("new")
    found = azure.nodes("new")
    assert {one["endpointConfiguration"]["inboundEndpoints"][0]["frontendPort"] for one in found} == {15000, 15001}
    login = azure.batch("GET", f"/pools/new/nodes/{found[0]['id']}/remoteloginsettings").body
    assert login["remoteLoginPort"] in (15000, 15001)
    assert azure.batch("GET", f"/pools/p/nodes/{first(azure)['id']}/remoteloginsettings").status == 409


def test_pages_filters_and_selections(azure: Azure) -> None:
    everything = [one["id"] for one in azure.nodes()]
    answer = azure.batch("GET", "/pools/p/nodes?maxresults=2&$select=id")
    seen = [one["id"] for one in answer.body["value"]]
    assert answer.body["value"] == [{"id": name} for name in everything[:2]]
    while (link := answer.body.get("odata.nextLink")) is not None:
        answer = azure.send("GET", link)
        seen += [one["id"] for one in answer.body["value"]]
    assert seen == everything
    do(azure, "reboot", everything[3])
    filtered = azure.nodes(query="?$filter=state%20eq%20'rebooting'")
    assert [one["id"] for one in filtered] == [everything[3]]
    assert len(azure.nodes(query="?$filter=not%20(isDedicated%20eq%20true)")) == 2


def test_counts_lag_and_add_up(azure: Azure) -> None:
    (row,) = azure.batch("GET", "/nodecounts").body["value"]
    assert row["poolId"] == "p"
    assert (row["dedicated"]["idle"], row["dedicated"]["total"], row["lowPriority"]["total"]) == (3, 3, 2)
    assert set(row["dedicated"]) >= {"leavingPool", "startTaskFailed", "upgradingOS", "waitingForStartTask"}
    do(azure, "reboot", first(azure)["id"])
    azure.clock.advance(6)
    (row,) = azure.batch("GET", "/nodecounts").body["value"]
    assert row["dedicated"]["rebooting"] + row["lowPriority"]["rebooting"] == 1
    for number in range(11):
        azure.add(f"q{number}")
    page = azure.batch("GET", "/nodecounts").body
    assert len(page["value"]) == 10
    assert len(azure.send("GET", page["odata.nextLink"]).body["value"]) == 2


def test_nodes_and_pools_that_are_not_there(azure: Azure) -> None:
    assert azure.batch("GET", "/pools/p/nodes/none").code == "NodeNotFound"
    assert azure.batch("GET", "/pools/none/nodes").code == "PoolNotFound"


def test_a_page_of_a_large_pool_is_quick() -> None:
    azure = Azure()
    account = azure.world.items("microsoft.batch/batchaccounts")[0]
    account.doc["properties"] |= {"dedicatedCoreQuota": 10**6, "dedicatedCoreQuotaPerVMFamilyEnforced": False}
    azure.world.put(account)
    azure.add(dedicated=2500, resizeTimeout="PT2H")
    azure.steady()
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        answer = azure.batch("GET", "/pools/p/nodes")
        spent.append(time.perf_counter() - began)
        assert len(answer.body["value"]) == 1000
    # The bound is 20 ms on a quiet machine; tests share theirs.
    assert min(spent) < 0.06


# -- actions -----------------------------------------------------------------------------------------------------


def test_rebooting_and_reimaging_take_their_time(azure: Azure) -> None:
    name = first(azure)["id"]
    assert do(azure, "reboot", name, {"nodeRebootOption": "terminate"}).status == 202
    assert node(azure, name)["state"] == "rebooting"
    assert do(azure, "reboot", name).code == "NodeBeingRebooted"
    azure.clock.advance(66)
    assert node(azure, name)["state"] == "starting"
    azure.clock.advance(2)
    assert node(azure, name)["state"] == "idle"
    assert do(azure, "reimage", name).status == 202
    assert node(azure, name)["state"] == "reimaging"
    azure.clock.advance(300)
    assert node(azure, name)["state"] == "idle"


def test_reimaging_was_not_for_virtual_machines_up_to_2023(azure: Azure) -> None:
    path = f"/pools/p/nodes/{first(azure)['id']}/reimage"
    refused = azure.batch("POST", path, version="2023-05-01.17.0")
    assert (refused.status, refused.code) == (409, "OperationNotValidOnNode")
    assert azure.batch("POST", path, version="2024-07-01.20.0").status == 202


def test_a_node_can_be_deallocated_and_started(azure: Azure) -> None:
    name = first(azure)["id"]
    assert do(azure, "start", name).status == 409
    assert do(azure, "deallocate", name).status == 202
    assert node(azure, name)["state"] == "idle"
    azure.clock.advance(3)
    assert (node(azure, name)["state"], node(azure, name)["schedulingState"]) == ("deallocating", "disabled")
    azure.clock.advance(60)
    assert node(azure, name)["state"] == "deallocated"
    assert do(azure, "start", name).status == 202
    azure.clock.advance(60)
    assert node(azure, name)["state"] == "idle"


def test_scheduling_is_switched_off_and_on_but_not_twice(azure: Azure) -> None:
    name = first(azure)["id"]
    assert do(azure, "disablescheduling", name, {"nodeDisableSchedulingOption": "terminate"}).status == 200
    assert (node(azure, name)["state"], node(azure, name)["schedulingState"]) == ("offline", "disabled")
    assert do(azure, "disablescheduling", name).code == "NodeAlreadyInTargetSchedulingState"
    assert do(azure, "enablescheduling", name).status == 200
    assert node(azure, name)["state"] == "idle"
    assert do(azure, "disablescheduling", name, {"nodeDisableSchedulingOption": "maybe"}).status == 400


def test_removing_nodes_is_a_resize_that_lowers_the_target(azure: Azure) -> None:
    names = [one["id"] for one in azure.nodes() if one["isDedicated"]]
    answer = azure.batch("POST", "/pools/p/removenodes", {"nodeList": names[:2]})
    assert answer.status == 202
    pool = azure.pool()
    assert (pool["allocationState"], pool["targetDedicatedNodes"], pool["currentDedicatedNodes"]) == ("resizing", 1, 3)
    assert azure.batch("POST", "/pools/p/removenodes", {"nodeList": names[2:]}).code == "PoolBeingResized"
    assert azure.steady()["currentDedicatedNodes"] == 1
    assert azure.batch("POST", "/pools/p/removenodes", {"nodeList": ["gone"]}).code == "NodeNotFound"
    assert azure.batch("POST", "/pools/p/removenodes", {"nodeList": ["x"] * 101}).status == 400


def test_a_start_task_that_fails_shows_on_its_node() -> None:
    azure = Azure()
    for name, command in (("good", "/bin/sh -c 'sleep 100 && true'"), ("bad", "/bin/bash -c 'echo x; exit 3'")):
        azure.add(name, 1, startTask={"commandLine": command})
        azure.steady(name)
    azure.clock.advance(100)
    assert azure.states("good") == {"waitingforstarttask": 1}
    azure.clock.advance(300)
    good, bad = azure.nodes("good")[0], azure.nodes("bad")[0]
    assert (good["state"], good["startTaskInfo"]["result"]) == ("idle", "success")
    assert (bad["state"], bad["startTaskInfo"]["exitCode"]) == ("starttaskfailed", 3)
    assert bad["startTaskInfo"]["failureInfo"]["code"] == "FailureExitCode"
    azure.batch("POST", f"/pools/bad/nodes/{bad['id']}/reboot")
    azure.clock.advance(100)
    assert azure.states("bad") == {"starttaskfailed": 1}


# -- tasks -------------------------------------------------------------------------------------------------------


def job(azure: Azure, **more: Any) -> None:
    assert azure.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}} | more).status == 201


def task(azure: Azure, name: str, command: str = "sleep 100", **more: Any) -> Any:
    return azure.batch("POST", "/jobs/j/tasks", {"id": name, "commandLine": command} | more)


def counts(azure: Azure) -> dict[str, int]:
    found: dict[str, int] = azure.batch("GET", "/jobs/j/taskcounts").body["taskCounts"]
    return {state: count for state, count in found.items() if count}


def test_tasks_keep_nodes_busy_for_the_time_their_commands_name(azure: Azure) -> None:
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


def test_it_does_not_matter_when_somebody_looks() -> None:
    ends = []
    for looks in (1, 40):
        azure = Azure()
        azure.add(dedicated=2)
        azure.steady()
        azure.clock.advance(300)
        job(azure)
        for number in range(6):
            task(azure, f"t{number}", f"sleep {50 + 10 * number}")
        for _ in range(looks):
            azure.clock.advance(400 / looks)
            azure.nodes()
        ends.append([one["executionInfo"]["endTime"] for one in azure.batch("GET", "/jobs/j/tasks").body["value"]])
    assert ends[0] == ends[1]


def test_a_failing_task_can_be_run_again(azure: Azure) -> None:
    job(azure)
    task(azure, "t", "/bin/bash -c 'exit 4'")
    azure.clock.advance(5)
    failed = azure.batch("GET", "/jobs/j/tasks/t").body["executionInfo"]
    assert (failed["exitCode"], failed["failureInfo"]["code"]) == (4, "FailureExitCode")
    assert azure.batch("POST", "/jobs/j/tasks/t/terminate").code == "TaskCompleted"
    assert azure.batch("POST", "/jobs/j/tasks/t/reactivate").status == 204


def test_a_task_on_a_node_that_goes_away_runs_elsewhere(azure: Azure) -> None:
    job(azure)
    task(azure, "t", "sleep 1000")
    where = azure.batch("GET", "/jobs/j/tasks/t").body["nodeInfo"]["nodeId"]
    azure.batch("POST", "/pools/p/removenodes", {"nodeList": [where]})
    azure.steady()
    again = azure.batch("GET", "/jobs/j/tasks/t").body
    assert again["state"] == "running"
    assert again["nodeInfo"]["nodeId"] != where
    assert again["executionInfo"]["requeueCount"] == 1


def test_slots_are_shared(azure: Azure) -> None:
    azure.add("wide", 1, taskSlotsPerNode=4)
    azure.steady("wide")
    azure.clock.advance(300)
    azure.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "wide"}})
    task(azure, "big", requiredSlots=3)
    task(azure, "small")
    task(azure, "late")
    assert counts(azure) == {"running": 2, "active": 1}
    one = azure.nodes("wide")[0]
    assert (one["runningTasksCount"], one["runningTaskSlotsCount"]) == (2, 4)


def test_many_tasks_answer_each_for_itself(azure: Azure) -> None:
    job(azure)
    value = [{"id": "a", "commandLine": "true"}, {"id": "a", "commandLine": "true"}, {"id": "b"}]
    answers = azure.batch("POST", "/jobs/j/addtaskcollection", {"value": value}).body["value"]
    assert [one["status"] for one in answers] == ["Success", "clienterror", "clienterror"]
    assert [one["error"]["code"] for one in answers[1:]] == ["TaskExists", "MissingRequiredProperty"]


def test_a_job_can_be_disabled_terminated_and_deleted(azure: Azure) -> None:
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
    ended = azure.batch("GET", "/jobs/j").body
    assert (ended["state"], ended["executionInfo"]["terminateReason"]) == ("completed", "UserTerminate")
    assert task(azure, "late").code == "JobCompleted"
    assert azure.states() == {"idle": 5}
    assert azure.batch("DELETE", "/jobs/j").status == 202
    assert azure.batch("GET", "/jobs/j").code == "JobNotFound"


def test_a_job_may_end_with_its_tasks(azure: Azure) -> None:
    job(azure, onAllTasksComplete="terminatejob")
    task(azure, "t", "sleep 60")
    assert azure.batch("GET", "/jobs/j").body["state"] == "active"
    azure.clock.advance(61)
    assert azure.batch("GET", "/jobs/j").body["executionInfo"]["terminateReason"] == "AllTasksComplete"


def test_a_pool_may_live_with_a_job(azure: Azure) -> None:
    pool = {"vmSize": "standard_d2_v2", "targetDedicatedNodes": 0}
    pool["virtualMachineConfiguration"] = azure.pool()["virtualMachineConfiguration"]
    automatic = {"autoPoolIdPrefix": "auto", "poolLifetimeOption": "job", "pool": pool}
    job(azure, poolInfo={"autoPoolSpecification": automatic})
    name = azure.batch("GET", "/jobs/j").body["executionInfo"]["poolId"]
    assert name.startswith("auto")
    assert azure.pool(name)["state"] == "active"
    azure.batch("DELETE", "/jobs/j")
    assert azure.pool(name)["state"] == "deleting"


def test_autoscale_sees_the_tasks(azure: Azure) -> None:
    job(azure)
    formula = "$TargetDedicatedNodes = max($PendingTasks.GetSample(1)); $TargetLowPriorityNodes = 0;"
    for number in range(8):
        task(azure, f"t{number}", "sleep 2000")
    azure.clock.advance(60)
    enable = {"autoScaleFormula": formula, "autoScaleEvaluationInterval": "PT5M"}
    azure.batch("POST", "/pools/p/enableautoscale", enable)
    assert azure.pool()["targetDedicatedNodes"] == 8


# -- files -------------------------------------------------------------------------------------------------------


def test_files_tell_what_the_local_azure_knows_of_commands(azure: Azure) -> None:
    azure.add("s", 1, startTask={"commandLine": "/bin/sh -c 'exit 3'"})
    azure.steady("s")
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
    job(azure)
    task(azure, "t", "echo hello")
    listed = azure.batch("GET", "/jobs/j/tasks/t/files").body["value"]
    assert [file["name"] for file in listed] == ["stderr.txt", "stdout.txt"]
    told = azure.batch("HEAD", "/jobs/j/tasks/t/files/stdout.txt")
    assert (told.status, told.headers["ocp-batch-file-isdirectory"]) == (200, "False")


def test_logs_are_uploaded_from_nodes_that_came_up(azure: Azure) -> None:
    name = first(azure)["id"]
    body = {"containerUrl": "https://store.blob.core.windows.net/logs", "startTime": "2026-07-01T09:00:00Z"}
    done = do(azure, "uploadbatchservicelogs", name, body)
    assert (done.status, done.body["numberOfFilesUploaded"]) == (200, 8)
    assert done.body["virtualDirectoryName"].startswith(f"p/{name}/")
    assert do(azure, "uploadbatchservicelogs", name, {}).code == "MissingRequiredProperty"
