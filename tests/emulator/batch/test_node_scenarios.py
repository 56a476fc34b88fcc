"""The effects of scenarios on nodes."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.arm.imports import import_documents
from batchimg_magics.emulator.batch.model.scenarios import set_scenario
from batchimg_magics.emulator.furnish import ACCOUNT, REGION
from tests.support.batch_emulator import ACCOUNT_ID, IMAGES, NOW, BatchEmulator


def open_scenario(scenario: str, **allocation: Any) -> BatchEmulator:
    azure = BatchEmulator()
    azure.store.set_meta("scenario", scenario)
    azure.store.set_meta("allocation", allocation)
    account = azure.store.get(ACCOUNT_ID)
    assert account is not None
    account.doc["properties"] |= {"dedicatedCoreQuota": 10**6, "dedicatedCoreQuotaPerVMFamilyEnforced": False}
    azure.store.put(account)
    return azure


def test_without_a_scenario_nothing_fails() -> None:
    azure = open_scenario("calm")
    azure.create_pool(dedicated=20, spot=5)
    assert "resizeErrors" not in azure.wait_until_steady()
    azure.clock.advance(300)
    assert azure.states() == {"idle": 25}
    azure.clock.advance(30 * 86_400)
    assert azure.states() == {"idle": 25}


def test_a_large_resize_times_out_twice() -> None:
    azure = open_scenario("slow-large")
    azure.create_pool(dedicated=1000, resizeTimeout="PT20M")
    rounds = []
    while (pool := azure.wait_until_steady()).get("resizeErrors"):
        rounds.append((pool["currentDedicatedNodes"], pool["resizeErrors"][0]["code"]))
        azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 1000, "targetLowPriorityNodes": 0})
    assert rounds == [(400, "AllocationTimedout"), (800, "AllocationTimedout")]
    assert pool["currentDedicatedNodes"] == 1000
    azure.create_pool("small", 50)
    assert "resizeErrors" not in azure.wait_until_steady("small")


def test_spot_nodes_are_preempted_counted_and_come_back() -> None:
    azure = open_scenario("preemption")
    azure.create_pool(dedicated=2, spot=40)
    azure.wait_until_steady()
    seen: set[str] = set()
    for _ in range(12):
        azure.clock.advance(1800)
        states = azure.states()
        seen |= set(states)
        assert azure.pool()["currentLowPriorityNodes"] == 40
        assert all(node["state"] == "idle" for node in azure.nodes() if node["isDedicated"])
    assert {"idle", "preempted"} <= seen
    assert len({node["id"] for node in azure.nodes()}) == 42


def startup_file(azure: BatchEmulator, pool: str, node: str, name: str) -> str:
    path = f"/pools/{pool}/nodes/{node}/files/startup%2F{name}?api-version={NOW}"
    url = f"https://{ACCOUNT}.{REGION}.batch.azure.com{path}"
    return azure.app.answer("GET", url, {"authorization": "Bearer t"}).body.decode()


def test_a_failed_start_task_fails_in_every_answer() -> None:
    azure = open_scenario("bad-start-task")
    azure.create_pool("with", 2, startTask={"commandLine": "true", "maxTaskRetryCount": 2})
    azure.create_pool("code", 1, startTask={"commandLine": "/bin/sh -c 'exit 7'"})
    azure.create_pool("lenient", 2, startTask={"commandLine": "work", "waitForSuccess": False})
    azure.create_pool("without", 2)
    azure.wait_until_steady("with")
    azure.clock.advance(600)
    assert azure.states("with") == {"starttaskfailed": 2}
    assert azure.states("lenient") == azure.states("without") == {"idle": 2}
    for pool, code, retries in (("with", 1, 2), ("code", 7, 0), ("lenient", 1, 0)):
        node = azure.nodes(pool)[0]
        info = node["startTaskInfo"]
        assert (info["state"], info["result"], info["exitCode"]) == ("completed", "failure", code)
        assert (info["retryCount"], info["failureInfo"]["code"]) == (retries, "FailureExitCode")
        assert ("lastRetryTime" in info) == bool(retries)
        assert info["startTime"] <= info["endTime"]
        if pool != "lenient":
            assert info["endTime"] == node["stateTransitionTime"]
        texts = [startup_file(azure, pool, node["id"], name) for name in ("stdout.txt", "stderr.txt")]
        if pool == "code":  # its shell ends it
            assert texts == ["", ""]
            continue
        assert f"exited with {code}:" in texts[0]
        assert texts[1].endswith(f"exit code {code}\n")
        assert ("failure scenario" in texts[1]) == (pool != "code")
    failed = "?$filter=startTaskInfo/exitCode%20ne%200%20or%20startTaskInfo/result%20eq%20'failure'"
    assert len(azure.nodes("with", failed)) == 2


@pytest.mark.parametrize(("recovering", "late"), [(0.0, {"unusable": 4}), (1.0, {"idle": 4})])
def test_unusable_nodes_recover_or_do_not(recovering: float, late: dict[str, int]) -> None:
    azure = open_scenario("calm", unusable=1.0, recovering=recovering)
    azure.create_pool(dedicated=4)
    azure.wait_until_steady()
    azure.clock.advance(900)
    assert azure.states() == {"unusable": 4}
    bad = azure.nodes()[0]
    assert bad["errors"][0]["code"] == "NodeNotReady"
    assert "lastBootTime" not in bad
    assert azure.batch("POST", f"/pools/p/nodes/{bad['id']}/reboot").code == "NodeStateUnusable"
    azure.clock.advance(3600)
    assert azure.states() == late


GALLERY = f"{IMAGES}/galleries/lab"
VERSION = f"{GALLERY}/images/tools/versions/1.0.0"


def import_image(azure: BatchEmulator) -> None:
    region = {"name": "eastus", "regionalReplicaCount": 1}
    properties: dict[str, dict[str, Any]] = {
        GALLERY: {},
        f"{GALLERY}/images/tools": {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V1"},
        VERSION: {"publishingProfile": {"targetRegions": [region]}, "storageProfile": {}},
    }
    documents = [{"id": key, "location": "eastus", "properties": value} for key, value in properties.items()]
    import_documents(azure.store, azure.clock.now(), documents)


def test_an_image_that_is_gone_is_gone_for_every_reader() -> None:
    azure = open_scenario("image-deleted")
    import_image(azure)
    machine = {"imageReference": {"virtualMachineImageId": VERSION}, "nodeAgentSKUId": "batch.node.ubuntu 22.04"}
    azure.create_pool(dedicated=1, virtualMachineConfiguration=machine)

    def seen() -> tuple[int, int]:
        listed = azure.arm("GET", f"{GALLERY}/images/tools/versions", version="2024-03-03").body["value"]
        return azure.arm("GET", VERSION, version="2024-03-03").status, len(listed)

    assert seen() == (200, 1)
    assert azure.wait_until_steady()["currentDedicatedNodes"] == 1
    assert seen() == (404, 0)
    azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 2})
    assert "NotFound" in str(azure.wait_until_steady()["resizeErrors"][0]["values"])
    # The end of the scenario mends it, and its beginning takes the images of pools with nodes.
    set_scenario(azure.store, azure.clock.now(), "calm")
    assert seen() == (200, 1)
    azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 2})
    assert azure.wait_until_steady()["currentDedicatedNodes"] == 2
    set_scenario(azure.store, azure.clock.now(), "image-deleted")
    assert seen() == (404, 0)
