"""Nodes on the data plane: lists, counts, actions; and tasks that run on them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.support.batch_emulator import MACHINE, BatchEmulator


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


# -- reading -----------------------------------------------------------------------------------------------------


def test_a_node_reads_as_recorded(azure: BatchEmulator) -> None:
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


def test_what_a_node_shows_depends_on_the_api_version(azure: BatchEmulator) -> None:
    name = first(azure)["id"]
    old = azure.batch("GET", f"/pools/p/nodes/{name}", version="2024-02-01.19.0").body
    assert old["certificateReferences"] == []
    assert "certificateReferences" not in node(azure, name)


def test_a_node_that_is_not_up_yet_shows_no_boot() -> None:
    azure = BatchEmulator()
    azure.create_pool(dedicated=1)
    azure.wait_until_steady()
    assert not {"lastBootTime", "nodeAgentInfo"} & set(first(azure))


def reachable(port: int, **addresses: Any) -> dict[str, Any]:
    rule = {"name": "login", "protocol": "tcp", "backendPort": port}
    ports = {"frontendPortRangeStart": 15000, "frontendPortRangeEnd": 15100}
    network: dict[str, Any] = {"endpointConfiguration": {"inboundNATPools": [rule | ports]}}
    return {"networkConfiguration": network | ({"publicIPAddressConfiguration": addresses} if addresses else {})}


@pytest.mark.parametrize("version", ["2024-02-01.19.0", "2025-06-01"])
def test_a_pool_has_remote_login_only_on_demand(version: str) -> None:
    azure = BatchEmulator()
    body = {"id": "p", "vmSize": "Standard_D2s_v3", "targetDedicatedNodes": 1, "virtualMachineConfiguration": MACHINE}
    assert azure.batch("POST", "/pools", body, version=version).status == 201
    azure.wait_until_steady()
    node = first(azure)
    assert "endpointConfiguration" not in node
    refused = azure.batch("GET", f"/pools/p/nodes/{node['id']}/remoteloginsettings", version=version)
    assert (refused.status, refused.code) == (409, "OperationNotValidOnNode")


def test_before_december_2025_pools_of_older_api_versions_had_remote_login() -> None:
    azure = BatchEmulator(start=1_764_000_000.0)  # 2025-11-24
    body = {"id": "p", "vmSize": "Standard_D2s_v3", "targetDedicatedNodes": 1, "virtualMachineConfiguration": MACHINE}
    azure.batch("POST", "/pools", body, version="2024-02-01.19.0")
    azure.wait_until_steady()
    (endpoint,) = first(azure)["endpointConfiguration"]["inboundEndpoints"]
    assert (endpoint["name"], endpoint["backendPort"], endpoint["frontendPort"]) == ("SSHRule.0", 22, 50000)


def test_each_kind_of_nodes_has_an_address_and_counts_its_ports() -> None:
    azure = BatchEmulator()
    azure.create_pool("new", 2, 2, **reachable(22))
    azure.wait_until_steady("new")
    endpoints: dict[bool, list[Any]] = {}
    for node in azure.nodes("new"):
        endpoints.setdefault(node["isDedicated"], []).extend(node["endpointConfiguration"]["inboundEndpoints"])
    for kind in (True, False):
        assert sorted(one["frontendPort"] for one in endpoints[kind]) == [15000, 15001]
    addresses = {one["publicIPAddress"]: one["publicFQDN"] for kind in endpoints.values() for one in kind}
    assert len(addresses) == len(set(addresses.values())) == 2
    one = azure.nodes("new")[0]
    answer = azure.batch("GET", f"/pools/new/nodes/{one['id']}/remoteloginsettings")
    (endpoint,) = one["endpointConfiguration"]["inboundEndpoints"]
    assert answer.body["remoteLoginPort"] == endpoint["frontendPort"]
    assert answer.body["remoteLoginIPAddress"] == endpoint["publicIPAddress"]
    assert answer.headers["DataServiceId"].endswith("/remoteloginsettings")


def test_a_pool_with_two_stacks_has_addresses_of_both() -> None:
    azure = BatchEmulator()
    azure.create_pool("both", 2, **reachable(3389, ipFamilies=["IPv4", "IPv6"]))
    azure.wait_until_steady("both")
    shown = azure.pool("both")["networkConfiguration"]["publicIPAddressConfiguration"]
    assert shown["ipFamilies"] == ["IPv4", "IPv6"]
    found = azure.nodes("both")
    assert len({one["ipv6Address"] for one in found}) == 2
    # A Linux pool: the port is that of RDP.
    login = azure.batch("GET", f"/pools/both/nodes/{found[0]['id']}/remoteloginsettings").body
    assert login["ipv6RemoteLoginPort"] == login["remoteLoginPort"]
    assert ":" in login["ipv6RemoteLoginIPAddress"]
    endpoints = found[0]["endpointConfiguration"]["inboundEndpoints"]
    addresses = [login["remoteLoginIPAddress"], login["ipv6RemoteLoginIPAddress"]]
    assert [one["publicIPAddress"] for one in endpoints] == addresses
    assert len({one["frontendPort"] for one in endpoints}) == 1
    older = azure.batch("GET", "/pools/both/nodes", version="2024-07-01.20.0").body["value"]
    assert all("ipv6Address" not in one for one in older)


def test_nodes_take_the_recorded_times() -> None:
    azure = BatchEmulator(seed=1)
    azure.create_pool("p", 3, 1)
    azure.wait_until_steady()
    assert {one["state"] for one in azure.nodes() if one["isDedicated"]} == {"starting"}
    assert {one["state"] for one in azure.nodes() if not one["isDedicated"]} == {"creating"}
    azure.clock.advance(11)
    assert azure.states() == {"starting": 4}
    names = [one["id"] for one in azure.nodes() if one["isDedicated"]]
    assert do(azure, "reboot", names[0]).status == 202
    began = azure.clock.now()
    azure.batch("POST", "/pools/p/removenodes", {"nodeList": [names[1]]})
    azure.wait_until_steady()
    assert azure.clock.now() - began == pytest.approx(40, abs=5)
    azure.clock.advance(900)
    assert azure.states() == {"idle": 3}
    began = azure.clock.now()
    azure.batch("POST", "/pools/p/removenodes", {"nodeList": [names[2]]})
    azure.wait_until_steady()
    assert azure.clock.now() - began == pytest.approx(50, abs=5)
    do(azure, "reimage", names[0])
    azure.clock.advance(184)
    assert azure.states() == {"idle": 1, "reimaging": 1}
    azure.clock.advance(2)
    assert azure.states() == {"idle": 1, "starting": 1}


def test_a_deleted_pool_of_one_node_is_gone_after_the_recorded_time() -> None:
    azure = BatchEmulator()
    azure.create_pool("p", 1)
    azure.wait_until_steady()
    azure.batch("DELETE", "/pools/p")
    azure.clock.advance(100)
    assert azure.batch("GET", "/pools/p").body["state"] == "deleting"
    azure.clock.advance(7)
    assert azure.batch("GET", "/pools/p").code == "PoolNotFound"


def test_a_deleted_pool_that_is_stopping_shows_it() -> None:
    azure = BatchEmulator()
    azure.create_pool("p", 1)
    azure.batch("POST", "/pools/p/stopresize")
    azure.batch("DELETE", "/pools/p")
    shown = azure.pool()
    assert (shown["state"], shown["allocationState"]) == ("deleting", "stopping")


def test_pages_filters_and_selections(azure: BatchEmulator) -> None:
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
    assert len(azure.nodes(query="?$filter=not%20(state%20eq%20'rebooting')")) == len(everything) - 1


def test_counts_lag_and_add_up(azure: BatchEmulator) -> None:
    (row,) = azure.batch("GET", "/nodecounts").body["value"]
    assert row["poolId"] == "p"
    assert (row["dedicated"]["idle"], row["dedicated"]["total"], row["lowPriority"]["total"]) == (3, 3, 2)
    assert set(row["dedicated"]) >= {"leavingPool", "startTaskFailed", "upgradingOS", "waitingForStartTask"}
    do(azure, "reboot", first(azure)["id"])
    azure.clock.advance(1)
    (early,) = azure.batch("GET", "/nodecounts").body["value"]
    assert early == row
    azure.clock.advance(5)
    (row,) = azure.batch("GET", "/nodecounts").body["value"]
    assert row["dedicated"]["rebooting"] + row["lowPriority"]["rebooting"] == 1
    for number in range(11):
        azure.create_pool(f"q{number}")
    page = azure.batch("GET", "/nodecounts").body
    assert len(page["value"]) == 10
    assert len(azure.send("GET", page["odata.nextLink"]).body["value"]) == 2


def test_missing_nodes_and_pools(azure: BatchEmulator) -> None:
    assert azure.batch("GET", "/pools/p/nodes/none").code == "NodeNotFound"
    assert azure.batch("GET", "/pools/none/nodes").code == "PoolNotFound"


def test_a_page_of_a_large_pool() -> None:
    azure = BatchEmulator()
    account = azure.store.items("microsoft.batch/batchaccounts")[0]
    account.doc["properties"] |= {"dedicatedCoreQuota": 10**6, "dedicatedCoreQuotaPerVMFamilyEnforced": False}
    azure.store.put(account)
    azure.create_pool(dedicated=2500, resizeTimeout="PT2H")
    azure.wait_until_steady()
    assert len(azure.batch("GET", "/pools/p/nodes").body["value"]) == 1000


# -- actions -----------------------------------------------------------------------------------------------------


def test_rebooting_and_reimaging_take_their_time(azure: BatchEmulator) -> None:
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


def test_reimaging_was_not_for_virtual_machines_up_to_2023(azure: BatchEmulator) -> None:
    path = f"/pools/p/nodes/{first(azure)['id']}/reimage"
    refused = azure.batch("POST", path, version="2023-05-01.17.0")
    assert (refused.status, refused.code) == (409, "OperationNotValidOnNode")
    assert azure.batch("POST", path, version="2024-07-01.20.0").status == 202


def test_a_node_can_be_deallocated_and_started(azure: BatchEmulator) -> None:
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


def test_scheduling_is_switched_off_and_on_but_not_twice(azure: BatchEmulator) -> None:
    name = first(azure)["id"]
    assert do(azure, "disablescheduling", name, {"nodeDisableSchedulingOption": "terminate"}).status == 200
    assert (node(azure, name)["state"], node(azure, name)["schedulingState"]) == ("offline", "disabled")
    assert do(azure, "disablescheduling", name).code == "NodeAlreadyInTargetSchedulingState"
    assert do(azure, "enablescheduling", name).status == 200
    assert node(azure, name)["state"] == "idle"
    assert do(azure, "disablescheduling", name, {"nodeDisableSchedulingOption": "maybe"}).status == 400


def test_removing_nodes_is_a_resize_that_lowers_the_target(azure: BatchEmulator) -> None:
    names = [one["id"] for one in azure.nodes() if one["isDedicated"]]
    answer = azure.batch("POST", "/pools/p/removenodes", {"nodeList": names[:2]})
    assert answer.status == 202
    pool = azure.pool()
    assert (pool["allocationState"], pool["targetDedicatedNodes"], pool["currentDedicatedNodes"]) == ("resizing", 1, 3)
    assert azure.batch("POST", "/pools/p/removenodes", {"nodeList": names[2:]}).code == "PoolBeingResized"
    assert azure.wait_until_steady()["currentDedicatedNodes"] == 1
    assert azure.batch("POST", "/pools/p/removenodes", {"nodeList": ["gone"]}).code == "NodeNotFound"
    assert azure.batch("POST", "/pools/p/removenodes", {"nodeList": ["x"] * 101}).status == 400


def test_a_start_task_that_fails_shows_on_its_node() -> None:
    azure = BatchEmulator()
    for name, command in (("good", "/bin/sh -c 'sleep 600 && true'"), ("bad", "/bin/bash -c 'echo x; exit 3'")):
        azure.create_pool(name, 1, startTask={"commandLine": command})
        azure.wait_until_steady(name)
    azure.clock.advance(100)
    assert azure.states("good") == {"waitingforstarttask": 1}
    azure.clock.advance(900)
    good, bad = azure.nodes("good")[0], azure.nodes("bad")[0]
    assert (good["state"], good["startTaskInfo"]["result"]) == ("idle", "success")
    assert (bad["state"], bad["startTaskInfo"]["exitCode"]) == ("starttaskfailed", 3)
    assert bad["startTaskInfo"]["failureInfo"]["code"] == "FailureExitCode"
    azure.batch("POST", f"/pools/bad/nodes/{bad['id']}/reboot")
    azure.clock.advance(100)
    assert azure.states("bad") == {"starttaskfailed": 1}


# -- users -------------------------------------------------------------------------------------------------------


WINDOWS = {
    "imageReference": {"publisher": "microsoftwindowsserver", "offer": "windowsserver", "sku": "2022-datacenter-g2"},
    "nodeAgentSKUId": "batch.node.windows amd64",
}


def test_users_of_nodes_are_refused(azure: BatchEmulator) -> None:
    azure.create_pool("w", 1, virtualMachineConfiguration=WINDOWS)
    azure.clock.advance(3600)
    linux, windows = f"/pools/p/nodes/{first(azure)['id']}", f"/pools/w/nodes/{azure.nodes('w')[0]['id']}"
    for node, more, code in (
        (linux, {"name": None}, "MissingRequiredProperty"),
        (linux, {"name": "b" * 21}, "InvalidPropertyValue"),
        (linux, {"expiryTime": "tomorrow"}, "InvalidRequestBody"),
        (linux, {"expiryTime": "2020-01-01T00:00:00Z"}, "InvalidPropertyValue"),
        (linux, {"isAdmin": "yes"}, "InvalidRequestBody"),
        (windows, {"password": None}, "MissingRequiredProperty"),
        (windows, {"sshPublicKey": "ssh-rsa AAAA"}, "InvalidPropertyValue"),
        ("/pools/p/nodes/none", {}, "NodeNotFound"),
        ("/pools/none/nodes/none", {}, "PoolNotFound"),
        ("/pools/none/nodes/none", {"name": None}, "MissingRequiredProperty"),
    ):
        refused = azure.batch("POST", f"{node}/users", {"name": "bob", "password": "Passw0rd!"} | more)
        assert refused.code == code, more
    later = {"name": "bob", "sshPublicKey": "ssh-rsa AAAA", "expiryTime": "2030-01-01T00:00:00Z"}
    assert azure.batch("POST", f"{linux}/users", later).status == 201
    assert azure.batch("PUT", f"{linux}/users/bob", {"expiryTime": "2020-01-01T00:00:00Z"}).status == 400
    for minutes, status in ((1, 200), (-1, 400)):
        moment = datetime.fromtimestamp(azure.clock.now() + 60 * minutes, timezone(timedelta(hours=-2)))
        assert azure.batch("PUT", f"{linux}/users/bob", {"expiryTime": moment.isoformat()}).status == status
    assert azure.batch("POST", f"{windows}/users", {"name": "bob", "password": "Passw0rd!"}).status == 201
    assert azure.batch("PUT", f"{windows}/users/bob", {}).code == "MissingRequiredProperty"
