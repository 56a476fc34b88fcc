"""Properties and operations of older api-versions; and the users of nodes in older and current ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.batch_emulator import JAMMY, BatchEmulator

THEN = "2017-09-01.6.0"


@pytest.fixture
def azure() -> BatchEmulator:
    azure = BatchEmulator()
    azure.create_pool(dedicated=1)
    azure.wait_until_steady()
    azure.clock.advance(300)
    return azure


def test_slots_were_tasks_on_both_planes(azure: BatchEmulator) -> None:
    old = azure.batch("GET", "/pools/p", version="2019-08-01.10.0").body
    assert (old["maxTasksPerNode"], "taskSlotsPerNode" in old) == (1, False)
    assert "taskSlotsPerNode" in azure.batch("GET", "/pools/p", version="2020-09-01.12.0").body
    assert azure.arm("GET", "/pools/p", version="2020-09-01").body["properties"]["maxTasksPerNode"] == 1
    assert azure.arm("GET", "/pools/p", version="2021-01-01").body["properties"]["taskSlotsPerNode"] == 1
    node = azure.batch("GET", "/pools/p/nodes", version="2019-08-01.10.0").body["value"][0]
    assert "runningTaskSlotsCount" not in node
    body = {
        "id": "old",
        "vmSize": "Standard_D2s_v3",
        "virtualMachineConfiguration": {"imageReference": JAMMY, "nodeAgentSKUId": "batch.node.ubuntu 22.04"},
        "maxTasksPerNode": "3",
    }
    assert azure.batch("POST", "/pools", body).code == "InvalidRequestBody"
    assert azure.batch("POST", "/pools", body, version="2019-08-01.10.0").status == 201
    assert azure.pool("old")["taskSlotsPerNode"] == 3


def test_the_system_of_a_cloud_service_was_upgraded_by_a_call(azure: BatchEmulator) -> None:
    service = {"osFamily": "4", "targetOSVersion": "*"}
    body = {"id": "c", "vmSize": "small", "cloudServiceConfiguration": service}
    assert azure.batch("POST", "/pools", body, version=THEN).status == 201
    shown = azure.batch("GET", "/pools/c", version=THEN).body["cloudServiceConfiguration"]
    assert shown == service | {"currentOSVersion": "*"}
    later = azure.batch("GET", "/pools/c", version="2018-08-01.7.0").body["cloudServiceConfiguration"]
    assert later == {"osFamily": "4", "osVersion": "*"}

    def upgrade(name: str, to: Any, version: str = THEN) -> Any:
        return azure.batch("POST", f"/pools/{name}/upgradeos", {"targetOSVersion": to}, version=version)

    assert (upgrade("c", "*").status, upgrade("c", "*").code) == (400, "PoolVersionEqualsUpgradeVersion")
    assert upgrade("c", "WA-GUEST-OS-4.45_201708-01").status == 202
    assert upgrade("p", "*").code == "PoolNotEligibleForOSVersionUpgrade"
    assert upgrade("c", None).code == "MissingRequiredProperty"
    assert upgrade("c", "*", "2018-08-01.7.0").status == 501


def test_users_of_a_node_are_added_changed_and_taken_away(azure: BatchEmulator) -> None:
    users = f"/pools/p/nodes/{azure.nodes()[0]['id']}/users"
    assert azure.batch("DELETE", f"{users}/deleteuser", version="2015-06-01.2.0").code == "NodeUserNotFound"
    made = azure.batch("POST", users, {"name": "Me", "isAdmin": True, "password": "p"})
    assert (made.status, made.body, made.headers["Location"].endswith(f"{users}/Me")) == (201, None, True)
    assert azure.batch("POST", users, {"name": "me"}).code == "NodeUserExists"
    assert azure.batch("PUT", f"{users}/me", {"sshPublicKey": "ssh-rsa x"}).status == 200
    assert azure.batch("DELETE", f"{users}/ME").status == 200
    assert azure.batch("PUT", f"{users}/me", {}).code == "NodeUserNotFound"
    assert azure.batch("POST", users, {}).code == "MissingRequiredProperty"
    assert azure.batch("POST", users, {"name": "a/b"}).code == "InvalidPropertyValue"
    assert azure.batch("POST", "/pools/p/nodes/none/users", {"name": "me"}).code == "NodeNotFound"


def test_a_node_that_is_not_up_takes_no_users(azure: BatchEmulator) -> None:
    name = azure.nodes()[0]["id"]
    azure.batch("POST", f"/pools/p/nodes/{name}/reboot")
    refused = azure.batch("POST", f"/pools/p/nodes/{name}/users", {"name": "me"})
    assert (refused.status, refused.code) == (409, "OperationInvalidForCurrentState")


def test_classic_node_communication_ended_on_31_march_2026(azure: BatchEmulator) -> None:
    version = "2024-07-01.20.0"
    body = {
        "id": "old",
        "vmSize": "Standard_D2s_v3",
        "virtualMachineConfiguration": azure.pool()["virtualMachineConfiguration"],
    }
    classic = body | {"targetNodeCommunicationMode": "classic"}
    refused = azure.batch("POST", "/pools", classic, version=version)
    assert (refused.status, refused.code) == (400, "InvalidPropertyValue")
    assert refused.why()["PropertyName"] == "targetNodeCommunicationMode"
    assert (
        azure.batch("POST", "/pools", body | {"targetNodeCommunicationMode": "simplified"}, version=version).status
        == 201
    )
    before = BatchEmulator(start=1_767_225_600.0)  # 1 January 2026
    assert before.batch("POST", "/pools", classic, version=version).status == 201
