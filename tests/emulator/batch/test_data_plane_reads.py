"""Node extensions, applications, usage metrics, deleted files, subtasks, job preparation and release tasks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.batch_emulator import MACHINE, BatchEmulator

KEY_VAULT = {
    "name": "secretext",
    "publisher": "Microsoft.Azure.KeyVault",
    "type": "KeyVaultForLinux",
    "typeHandlerVersion": "1.0",
    "autoUpgradeMinorVersion": True,
}


@pytest.fixture
def azure() -> BatchEmulator:
    """Return a pool of two idle nodes, with an extension."""
    made = BatchEmulator()
    extensions = [KEY_VAULT | {"protectedSettings": {"key": "secret"}}]
    made.create_pool(dedicated=2, virtualMachineConfiguration=MACHINE | {"extensions": extensions})
    made.wait_until_steady()
    made.clock.advance(300)
    return made


def test_a_node_has_the_extensions_of_its_pool_and_batchs_own(azure: BatchEmulator) -> None:
    where = f"/pools/p/nodes/{azure.nodes()[0]['id']}/extensions"
    listed = azure.batch("GET", where).body["value"]
    assert [row["vmExtension"]["name"] for row in listed] == ["secretext", "batchNodeExtension"]
    for version, level in (("2025-06-01", "Info"), ("2023-05-01.17.0", 0)):
        found = azure.batch("GET", f"{where}/secretext", version=version).body
        assert found["odata.metadata"].endswith("$metadata#extensions/@Element")
        assert (found["provisioningState"], found["vmExtension"]) == ("Succeeded", KEY_VAULT)
        assert found["instanceView"]["statuses"][0] == {
            "code": "ProvisioningState/succeeded",
            "level": level,
            "displayStatus": "Provisioning succeeded",
            "message": "Plugin enabled",
        }
    assert azure.batch("GET", f"{where}/none").code == "ResourceNotFound"
    assert azure.batch("GET", "/pools/p/nodes/none/extensions").code == "NodeNotFound"


def test_applications_are_those_with_an_active_package(azure: BatchEmulator) -> None:
    for name in ("Tool", "other"):
        azure.arm("PUT", f"/applications/{name}", {"properties": {}})
        azure.arm("PUT", f"/applications/{name}/versions/v1.0")
    assert azure.batch("GET", "/applications").body["value"] == []
    assert azure.batch("GET", "/applications/tool").code == "ApplicationNotFound"
    azure.arm("POST", "/applications/Tool/versions/v1.0/activate", {"format": "zip"})
    assert azure.batch("GET", "/applications").body["value"] == [{"id": "Tool", "versions": ["v1.0"]}]
    azure.arm("PATCH", "/applications/Tool", {"properties": {"displayName": "A tool"}})
    found = azure.batch("GET", "/applications/tool").body
    assert {name: found[name] for name in ("id", "displayName", "versions")} == {
        "id": "Tool",
        "displayName": "A tool",
        "versions": ["v1.0"],
    }


def test_usage_is_measured_in_half_hours_and_comes_two_hours_later(azure: BatchEmulator) -> None:
    assert azure.batch("GET", "/poolusagemetrics").body["value"] == []
    azure.clock.advance(3600)
    azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 0})
    azure.clock.advance(3 * 3600)
    last = azure.batch("GET", "/poolusagemetrics").body["value"]
    assert [row["startTime"] for row in last] == ["2026-07-01T10:30:00Z"]
    query = "?starttime=2026-07-01T09:00:00Z&endtime=2026-07-01T11:00:00Z&$filter=poolId%20eq%20'p'"
    rows = azure.batch("GET", "/poolusagemetrics" + query).body["value"]
    assert [(row["endTime"], row["totalCoreHours"]) for row in rows][1:] == [
        ("2026-07-01T10:00:00Z", 2.0),  # two nodes of two cores
        ("2026-07-01T10:30:00Z", pytest.approx(0.5, abs=0.4)),
        ("2026-07-01T11:00:00Z", 0.0),
    ]
    first = azure.batch("GET", f"/poolusagemetrics{query}&maxresults=1").body
    again = azure.send("GET", first["odata.nextLink"]).body
    assert [first["value"], again["value"]] == [rows[:1], rows[1:2]]


@pytest.mark.parametrize(
    "query",
    ["starttime=2026-07-01T09:00:00Z", "endtime=2026-07-01T09:00:00Z", "starttime=soon", "$filter=vmSize%20eq%20'a'"],
)
def test_usage_that_is_not_available_yet_is_refused(azure: BatchEmulator, query: str) -> None:
    assert azure.batch("GET", f"/poolusagemetrics?{query}").code == "InvalidQueryParameterValue"


def run_job(azure: BatchEmulator, task: dict[str, Any] | None = None, **job: Any) -> None:
    azure.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}} | job)
    azure.batch("POST", "/jobs/j/tasks", {"id": "t", "commandLine": "sleep 100"} | (task or {}))
    azure.clock.advance(60)


def test_a_deleted_file_is_gone_from_its_task_and_from_its_node(azure: BatchEmulator) -> None:
    run_job(azure)
    node = azure.batch("GET", "/jobs/j/tasks/t").body["nodeInfo"]["nodeId"]
    on_node = f"/pools/p/nodes/{node}/files/workitems%2Fj%2Fjob-1%2Ft"
    assert azure.batch("DELETE", "/jobs/j/tasks/t/files/stdout.txt").status == 200
    assert azure.batch("DELETE", "/jobs/j/tasks/t/files/stdout.txt").code == "FileNotFound"
    assert [file["name"] for file in azure.batch("GET", "/jobs/j/tasks/t/files").body["value"]] == ["stderr.txt"]
    assert azure.batch("GET", f"{on_node}%2Fstdout.txt").code == "FileNotFound"
    assert azure.batch("DELETE", on_node).code == "IOError"
    assert azure.batch("DELETE", f"{on_node}?recursive=true").status == 200
    assert azure.batch("GET", "/jobs/j/tasks/t/files").body["value"] == []
    assert azure.batch("DELETE", "/pools/p/nodes/none/files/a").code == "NodeNotFound"


def test_a_reimaged_node_has_its_files_again(azure: BatchEmulator) -> None:
    where = f"/pools/p/nodes/{azure.nodes()[0]['id']}"
    assert azure.batch("DELETE", f"{where}/files/shared").status == 200
    assert azure.batch("GET", f"{where}/files/shared").code == "FileNotFound"
    azure.batch("POST", f"{where}/reimage", {})
    azure.clock.advance(3600)
    assert azure.batch("GET", f"{where}/files/shared").status == 200


def test_subtasks_run_as_long_as_their_task(azure: BatchEmulator) -> None:
    azure.create_pool("mpi", 3, enableInterNodeCommunication=True)
    azure.clock.advance(900)
    instances = {"multiInstanceSettings": {"numberOfInstances": 3, "coordinationCommandLine": "true"}}
    run_job(azure, instances, poolInfo={"poolId": "mpi"})
    azure.batch("POST", "/jobs/j/tasks", {"id": "one", "commandLine": "true"})
    many = {"multiInstanceSettings": {"numberOfInstances": 2**31 - 1, "coordinationCommandLine": "true"}}
    assert azure.batch("POST", "/jobs/j/tasks", {"id": "many", "commandLine": "true"} | many).status == 201
    assert azure.batch("GET", "/jobs/j/tasks/one/subtasksinfo").body["value"] == []
    rows = azure.batch("GET", "/jobs/j/tasks/t/subtasksinfo").body["value"]
    assert [(row["id"], row["state"]) for row in rows] == [(1, "running"), (2, "running")]
    azure.clock.advance(100)
    assert azure.batch("GET", "/jobs/j/tasks/many").body["state"] == "active"  # the pool has fewer nodes
    assert azure.batch("GET", "/jobs/j/tasks/many/subtasksinfo").body["value"] == []
    rows = azure.batch("GET", "/jobs/j/tasks/t/subtasksinfo").body["value"]
    assert [(row["state"], row["exitCode"], row["result"]) for row in rows] == [("completed", 0, "success")] * 2


def test_the_constraints_of_a_task_are_replaced(azure: BatchEmulator) -> None:
    run_job(azure, {"constraints": {"maxTaskRetryCount": 3}})
    tag = azure.batch("GET", "/jobs/j/tasks/t").body["eTag"]
    assert azure.batch("PUT", "/jobs/j/tasks/t", {"constraints": {"retentionTime": "P1D"}}).status == 200
    found = azure.batch("GET", "/jobs/j/tasks/t").body
    assert (found["constraints"]["retentionTime"], found["constraints"]["maxTaskRetryCount"]) == ("P1D", 0)
    assert found["eTag"] != tag
    assert azure.batch("PUT", "/jobs/j/tasks/t", {"commandLine": "true"}).code == "InvalidRequestBody"
    azure.clock.advance(100)
    assert azure.batch("PUT", "/jobs/j/tasks/t", {}).code == "TaskCompleted"


def test_preparation_and_release_tasks_ran_where_the_tasks_of_their_job_did(azure: BatchEmulator) -> None:
    where = "/jobs/j/jobpreparationandreleasetaskstatus"
    prepare = {"commandLine": "exit 3", "waitForSuccess": False}
    run_job(azure, jobPreparationTask=prepare, jobReleaseTask={"id": "bye", "commandLine": "sleep 5"})
    [row] = azure.batch("GET", where).body["value"]
    node = azure.batch("GET", "/jobs/j/tasks/t").body["nodeInfo"]["nodeId"]
    preparation = row["jobPreparationTaskExecutionInfo"]
    assert (row["nodeId"], preparation["state"], preparation["exitCode"]) == (node, "completed", 3)
    assert preparation["failureInfo"]["code"] == "FailureExitCode"
    assert "jobReleaseTaskExecutionInfo" not in row
    azure.batch("POST", "/jobs/j/terminate")
    azure.clock.advance(30)
    [row] = azure.batch("GET", f"{where}?$filter=nodeId%20eq%20'{node}'").body["value"]
    release = row["jobReleaseTaskExecutionInfo"]
    assert (release["state"], release["result"]) == ("completed", "success")
    assert release["taskRootDirectory"] == "workitems/j/job-1/bye"
    azure.batch("POST", "/jobs", {"id": "plain", "poolInfo": {"poolId": "p"}})
    assert azure.batch("GET", where.replace("/j/", "/plain/")).code == "JobPreparationTaskNotSpecified"
