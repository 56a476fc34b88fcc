"""The effects of scenarios on nodes."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.furnish import ACCOUNT, REGION
from tests.support.batch_emulator import ACCOUNT_ID, NOW, BatchEmulator


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
        assert f"exited with {code}:" in texts[0]
        assert texts[1] == f"exit code {code}\n"
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
