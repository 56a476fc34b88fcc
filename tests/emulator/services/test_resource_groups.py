"""Resource groups: their content, and their deletion with all of it."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator import create_app
from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, REGION, SUBSCRIPTION
from batchimg_magics.emulator.services.resource_groups import DELETE_S
from tests.support.emulator_client import ARM, COMPUTE, IN_GROUP, TOP, EmulatorClient

GROUPS = "2022-09-01"
POOLS = f"{IN_GROUP}/providers/Microsoft.Batch/batchAccounts/{ACCOUNT}/pools"
BATCH = f"https://{ACCOUNT}.{REGION}.batch.azure.com"


@pytest.fixture
def azure() -> EmulatorClient:
    return EmulatorClient()


def listed(azure: EmulatorClient, where: str = TOP, **query: str) -> list[dict[str, Any]]:
    asked = "&".join(f"${name}={value}" for name, value in query.items())
    response = azure.ask("GET", f"{where}/resources?{asked}", version=GROUPS)
    assert response.status == 200, response.body
    rows: list[dict[str, Any]] = response.body["value"]
    return rows


def pool(azure: EmulatorClient) -> int:
    image = {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
    machine = {"imageReference": image, "nodeAgentSkuId": "batch.node.ubuntu 24.04"}
    body = {
        "properties": {"vmSize": "Standard_D2s_v5", "deploymentConfiguration": {"virtualMachineConfiguration": machine}}
    }
    return azure.ask("PUT", f"{POOLS}/p", body, version="2025-06-01").status


def test_resources_are_listed_whatever_their_type(azure: EmulatorClient) -> None:
    assert pool(azure) == 200
    rows = listed(azure)
    types = {row["type"] for row in rows}
    assert {"Microsoft.Compute/virtualMachines", "Microsoft.Batch/batchAccounts"} <= types
    assert not types & {"Microsoft.Batch/batchAccounts/pools", "Microsoft.Resources/resourceGroups"}
    assert all("properties" not in row and row["location"] == REGION for row in rows)
    assert listed(azure, IN_GROUP) == rows
    assert azure.ask("GET", f"{TOP}/resourceGroups/none/resources", version=GROUPS).code == "ResourceGroupNotFound"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("resourceType eq 'microsoft.compute/virtualmachines' and startswith(name, 'p')", ["prep-vm"]),
        (f"resourceGroup eq '{GROUP}' and name eq '{ACCOUNT}'", [ACCOUNT]),
        ("location eq 'westus'", []),
        ("tagname eq 'who' and tagvalue eq 'me'", ["tagged"]),
        ("tagname eq 'who' and tagvalue eq 'you'", []),
    ],
)
def test_resources_are_found_by_what_they_are(azure: EmulatorClient, text: str, names: list[str]) -> None:
    body = {"location": "eastus", "tags": {"so": "you", "who": "me"}, "properties": {}}
    assert azure.ask("PUT", f"{COMPUTE}/galleries/tagged", body, version="2024-03-03").status == 201
    assert [row["name"] for row in listed(azure, filter=text)] == names


def test_a_filter_that_is_none_is_refused(azure: EmulatorClient) -> None:
    response = azure.ask("GET", f"{TOP}/resources?$filter=name is mine", version=GROUPS)
    assert (response.status, response.code) == (400, "InvalidFilterInQueryString")


def test_states_of_resources_are_returned_on_request(azure: EmulatorClient) -> None:
    assert {row["provisioningState"] for row in listed(azure, expand="createdTime,provisioningState")} == {"Succeeded"}
    assert not any("provisioningState" in row for row in listed(azure))


def test_a_group_is_deleted_with_all_its_resources(azure: EmulatorClient) -> None:
    assert pool(azure) == 200
    response = azure.ask("DELETE", IN_GROUP, version=GROUPS)
    assert (response.status, response.headers["Retry-After"]) == (202, "15")
    where = response.headers["Location"]
    azure.clock.advance(DELETE_S - 1)
    assert azure.ask("GET", where).status == 202
    assert azure.ask("GET", IN_GROUP, version=GROUPS).body["properties"]["provisioningState"] == "Deleting"
    assert azure.ask("DELETE", IN_GROUP, version=GROUPS).headers["Location"] == where  # not longer than it takes
    azure.clock.advance(1)
    assert azure.ask("GET", where).status == 200
    assert azure.ask("GET", IN_GROUP, version=GROUPS).code == "ResourceGroupNotFound"
    assert azure.ask("DELETE", IN_GROUP, version=GROUPS).code == "ResourceGroupNotFound"
    assert azure.ask("GET", f"{TOP}/resourceGroups", version=GROUPS).body["value"] == []
    assert listed(azure) == []
    assert azure.ask("GET", f"{BATCH}/pools", version="2025-06-01").status == 404


@pytest.mark.parametrize("name", ["a" * 91, "a%20b", "a.", "a%2Ab", "%F0%9F%8D%A6"])
def test_a_name_that_no_group_can_have_is_refused(azure: EmulatorClient, name: str) -> None:
    asked = azure.ask("PUT", f"{TOP}/resourceGroups/{name}", {"location": REGION}, version=GROUPS)
    assert (asked.status, asked.code) == (400, "InvalidResourceGroup")


@pytest.mark.parametrize("name", ["a" * 90, "a.b", "(a)_b-", "%E7%BB%84"])
def test_a_group_has_any_other_name(azure: EmulatorClient, name: str) -> None:
    assert azure.ask("PUT", f"{TOP}/resourceGroups/{name}", {"location": REGION}, version=GROUPS).status == 201


def test_nothing_is_made_in_a_group_that_is_being_deleted(azure: EmulatorClient) -> None:
    azure.ask("DELETE", IN_GROUP, version=GROUPS)
    body = {"location": "eastus", "properties": {}}
    for url, version in ((f"{COMPUTE}/galleries/late", "2024-03-03"), (IN_GROUP, GROUPS)):
        response = azure.ask("PUT", url, body, version=version)
        assert (response.status, response.code) == (409, "ResourceGroupBeingDeleted")
    assert azure.ask("GET", f"{COMPUTE}/disks", version="2023-10-02").status == 200


def test_a_group_of_the_same_name_begins_empty(azure: EmulatorClient) -> None:
    assert pool(azure) == 200
    azure.ask("DELETE", IN_GROUP, version=GROUPS)
    azure.clock.advance(DELETE_S)
    assert azure.ask("PUT", IN_GROUP, {"location": "westus"}, version=GROUPS).status == 201
    assert azure.ask("GET", f"{COMPUTE}/disks", version="2023-10-02").body == {"value": []}
    assert azure.ask("GET", f"{COMPUTE}/disks/prep-vm_OsDisk_1", version="2023-10-02").code == "ResourceNotFound"
    account = POOLS.rpartition("/")[0]
    assert azure.ask("PUT", account, {"location": REGION}, version="2025-06-01").status == 202
    assert azure.ask("GET", POOLS, version="2025-06-01").body["value"] == []


def test_an_import_brings_its_group_back(azure: EmulatorClient) -> None:
    azure.ask("DELETE", IN_GROUP, version=GROUPS)
    azure.clock.advance(DELETE_S)
    key = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute/disks/d"
    disk = {"id": key, "location": "eastus", "properties": {"diskSizeGB": 4}}
    assert azure.ask("POST", f"{ARM}/_sim/import", {"resources": [disk]}).body == {"ids": [key]}
    assert [row["name"] for row in listed(azure, IN_GROUP)] == ["d"]


def test_an_unknown_deletion_is_not_found(azure: EmulatorClient) -> None:
    assert azure.ask("GET", f"{TOP}/operationresults/none", version=GROUPS).status == 404


def test_a_deleted_group_is_not_assumed_in_open_mode() -> None:
    azure = EmulatorClient()
    azure.app = create_app()
    group = f"{TOP}/resourceGroups/somewhere"
    assert azure.ask("PUT", group, {"location": "eastus"}, version=GROUPS).status == 201
    assert azure.ask("DELETE", group, version=GROUPS).status == 202
    azure.ask("POST", f"{ARM}/_sim/advance", {"seconds": DELETE_S})
    assert azure.ask("GET", group, version=GROUPS).code == "ResourceGroupNotFound"
