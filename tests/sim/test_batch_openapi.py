"""Answers of Microsoft.Batch against Microsoft's own description of them, where it lies beside the checkout."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.sim.batch_world import ACCOUNT_ID, GROUP, SUBSCRIPTION, Azure

SPECS = Path(__file__).parents[3] / "shared" / "specs"
FILES = {
    "batch": SPECS / "batch-dp/Microsoft.Batch/stable/2024-02-01.19.0/BatchService.json",
    "arm": SPECS / "batch-mgmt/Microsoft.Batch/stable/2024-02-01/BatchManagement.json",
}
VERSIONS = {"batch": "2024-02-01.19.0", "arm": "2024-02-01"}
pytestmark = pytest.mark.skipif(not FILES["batch"].exists(), reason="Microsoft's OpenAPI is not beside this checkout")
#: In the answers and not in the descriptions: what every OData answer has, and what recordings show beyond them.
BEYOND = {"odata.metadata", "etag", "tags", "proxyAgentSettings"}


@functools.cache
def description(plane: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILES[plane].read_text(encoding="utf-8"))
    return found


def resolved(plane: str, schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        if not schema["$ref"].startswith("#"):
            return {}
        schema = description(plane)["definitions"][schema["$ref"].rpartition("/")[2]]
    return schema


def members(plane: str, schema: dict[str, Any]) -> dict[str, Any]:
    schema = resolved(plane, schema)
    found = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        found |= members(plane, part)
    return found


def strange(plane: str, schema: dict[str, Any], value: Any, path: str = "") -> list[str]:
    """Return the paths of what an answer has and its description has not."""
    schema = resolved(plane, schema)
    if isinstance(value, list):
        return [one for row in value for one in strange(plane, schema.get("items", {}), row, f"{path}[]")]
    known = members(plane, schema)
    if not isinstance(value, dict) or not known:
        return []
    here = [f"{path}.{name}" for name in value if name not in known and name not in BEYOND]
    deeper = [strange(plane, known[name], inner, f"{path}.{name}") for name, inner in value.items() if name in known]
    return here + [one for found in deeper for one in found]


def check(plane: str, template: str, method: str, answer: Any) -> None:
    paths = {path.lower(): operations for path, operations in description(plane)["paths"].items()}
    schema = paths[template.lower()][method.lower()]["responses"][str(answer.status)].get("schema")
    if schema is None:
        assert answer.body is None
        return
    whole = {"definitions": _loose(description(plane)["definitions"])} | _loose(schema)
    jsonschema.Draft4Validator(whole).validate(answer.body)
    assert strange(plane, schema, answer.body) == []


def _loose(value: Any) -> Any:
    """Drop what JSON Schema has not, enumerations (ARM's words differ in case) and passwords (they never come back)."""
    if isinstance(value, dict):
        if "$ref" in value and not value["$ref"].startswith("#"):
            return {}
        return {name: _loose(inner) for name, inner in value.items() if name not in ("enum", "example", "examples")}
    return [_loose(inner) for inner in value if inner != "password"] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def azure() -> Azure:
    made = Azure()
    made.add(
        dedicated=2,
        spot=1,
        metadata=[{"name": "a", "value": "b"}],
        startTask={"commandLine": "/bin/sh -c 'exit 1'"},
        networkConfiguration={},
        targetNodeCommunicationMode="simplified",
        userAccounts=[{"name": "u", "password": "p"}],
    )
    made.add("full", 600, vmSize="Standard_D2s_v5")
    made.add("auto", enableAutoScale=True, autoScaleFormula="$TargetDedicatedNodes=1;x=nothing")
    made.add("work", 1)
    made.steady("work")
    made.clock.advance(900)
    made.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "work"}})
    for name, command in (("t", "sleep 900"), ("f", "exit 2")):
        made.batch("POST", "/jobs/j/tasks", {"id": name, "commandLine": command})
    return made


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/pools", "/pools"),
        ("/pools/{poolId}", "/pools/p"),
        ("/pools/{poolId}", "/pools/full"),
        ("/pools/{poolId}", "/pools/auto"),
        ("/pools/{poolId}/nodes", "/pools/p/nodes"),
        ("/pools/{poolId}/nodes", "/pools/work/nodes"),
        ("/nodecounts", "/nodecounts"),
        ("/supportedimages", "/supportedimages"),
        ("/jobs", "/jobs"),
        ("/jobs/{jobId}", "/jobs/j"),
        ("/jobs/{jobId}/tasks", "/jobs/j/tasks"),
        ("/jobs/{jobId}/tasks/{taskId}", "/jobs/j/tasks/t"),
        ("/jobs/{jobId}/taskcounts", "/jobs/j/taskcounts"),
    ],
)
def test_the_data_plane(azure: Azure, template: str, path: str) -> None:
    check("batch", template, "get", azure.batch("GET", path, version=VERSIONS["batch"]))


def test_single_nodes_and_what_can_be_told_to_them(azure: Azure) -> None:
    node = azure.nodes("work")[0]["id"]
    one = "/pools/{poolId}/nodes/{nodeId}"
    check("batch", one, "get", azure.batch("GET", f"/pools/work/nodes/{node}", version=VERSIONS["batch"]))
    body = {"value": [{"id": "x", "commandLine": "true"}, {"id": "x", "commandLine": "true"}]}
    many = azure.batch("POST", "/jobs/j/addtaskcollection", body, version=VERSIONS["batch"])
    check("batch", "/jobs/{jobId}/addtaskcollection", "post", many)
    evaluate = {"autoScaleFormula": "$TargetDedicatedNodes = 2"}
    run = azure.batch("POST", "/pools/auto/evaluateautoscale", evaluate, version=VERSIONS["batch"])
    check("batch", "/pools/{poolId}/evaluateautoscale", "post", run)


ACCOUNTS = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Batch/batchAccounts"
LOCATIONS = "/subscriptions/{subscriptionId}/providers/Microsoft.Batch/locations/{locationName}"


@pytest.mark.parametrize(
    ("template", "path"),
    [
        (ACCOUNTS, f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Batch/batchAccounts"),
        (ACCOUNTS + "/{accountName}", ACCOUNT_ID),
        (ACCOUNTS + "/{accountName}/pools", "/pools"),
        (ACCOUNTS + "/{accountName}/pools/{poolName}", "/pools/p"),
        (ACCOUNTS + "/{accountName}/pools/{poolName}", "/pools/full"),
        (ACCOUNTS + "/{accountName}/pools/{poolName}", "/pools/auto"),
        (LOCATIONS + "/quotas", f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Batch/locations/eastus/quotas"),
        (
            LOCATIONS + "/virtualMachineSkus",
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Batch/locations/eastus/virtualMachineSkus",
        ),
    ],
)
def test_arm(azure: Azure, template: str, path: str) -> None:
    check("arm", template, "get", azure.arm("GET", path, version=VERSIONS["arm"]))


def test_keys_on_arm(azure: Azure) -> None:
    answer = azure.arm("POST", "/listKeys", version=VERSIONS["arm"])
    check("arm", ACCOUNTS + "/{accountName}/listKeys", "post", answer)
