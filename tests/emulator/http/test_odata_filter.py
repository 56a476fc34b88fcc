"""``$filter`` and skip tokens of the lists of Microsoft.Batch."""

from __future__ import annotations

import pytest

from tests.support.batch_emulator import BatchEmulator


@pytest.fixture(scope="module")
def azure() -> BatchEmulator:
    azure = BatchEmulator()
    azure.create_pool("one", 1, startTask={"commandLine": "exit 3", "waitForSuccess": True})
    azure.create_pool("two")
    azure.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "two"}})
    azure.batch("POST", "/jobs/j/tasks", {"id": "t", "commandLine": "true"})
    azure.clock.advance(3600)
    return azure


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("/pools", "startswith(id, 'T')", 1),
        ("/pools", "id gt 'one' and creationTime lt datetime'2026-07-02T00:00:00Z'", 1),
        ("/pools", "allocationState eq 'steady' and enableAutoScale eq false", 2),
        ("/pools", "(id eq 'one' or id eq 'two') and vmSize ne 'standard_d4s_v3'", 2),
        ("/pools/one/nodes", "state ne 'idle'", 1),
        ("/pools/one/nodes", "startTaskInfo/exitCode ge 3 and startTaskInfo/result eq 'failure'", 1),
        ("/pools/one/nodes", "allocationTime gt datetime'2027-01-01T00:00:00Z'", 0),
        ("/nodecounts", "poolId eq 'two'", 1),
        ("/jobs", "executionInfo/poolId eq 'two'", 1),
        ("/jobs/j/tasks", "executionInfo/result eq 'success'", 0),
    ],
)
def test_lists_are_filtered_by_the_documented_properties(
    azure: BatchEmulator, path: str, text: str, found: int
) -> None:
    response = azure.batch("GET", f"{path}?$filter={text.replace(' ', '%20')}")
    assert (response.status, len(response.body.get("value", ()))) == (200, found)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/pools", "colour eq 'blue'"),
        ("/pools", "state gt 'active'"),
        ("/pools", "startswith(vmSize, 'standard')"),
        ("/pools", "contains(id, 'o')"),
        ("/pools/one/nodes", "isDedicated eq true"),
        ("/nodecounts", "poolId ne 'two'"),
        ("/supportedimages", "capabilities eq 'x'"),
        ("/pools", "(" * 100 + "id eq 'p'" + ")" * 100),
    ],
)
def test_other_properties_and_operations_are_refused(azure: BatchEmulator, path: str, text: str) -> None:
    response = azure.batch("GET", f"{path}?$filter={text.replace(' ', '%20')}")
    assert (response.status, response.code) == (400, "InvalidQueryParameterValue")
    assert response.why()["QueryParameterName"] == "$filter"


def test_a_skip_token_that_no_answer_gave_is_refused(azure: BatchEmulator) -> None:
    link = azure.batch("GET", "/pools?maxresults=1").body["odata.nextLink"]
    assert [pool["id"] for pool in azure.send("GET", link).body["value"]] == ["two"]
    for token in ("%25%25", "x", "_w=="):
        assert azure.batch("GET", f"/pools?$skiptoken={token}").why()["QueryParameterName"] == "$skiptoken"


def test_pools_on_arm_are_filtered_by_their_own_properties(azure: BatchEmulator) -> None:
    listed = azure.arm("GET", "/pools?$filter=startswith(name,'o')%20and%20properties/allocationState%20eq%20'Steady'")
    assert [pool["name"] for pool in listed.body["value"]] == ["one"]
    assert azure.arm("GET", "/pools?$filter=id%20eq%20'one'").status == 400
