"""The network of a Batch account: private links, perimeters, endpoints that nodes need, keys of its storage."""

from __future__ import annotations

import pytest

from tests.support.batch_emulator import BatchEmulator

STORAGE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/datastore"


@pytest.fixture
def azure() -> BatchEmulator:
    made = BatchEmulator()
    made.put_resource(STORAGE)
    return made


def test_private_endpoints_can_connect_to_the_account_and_to_node_management(azure: BatchEmulator) -> None:
    listed = azure.arm("GET", "/privateLinkResources").body["value"]
    assert [row["properties"]["groupId"] for row in listed] == ["batchAccount", "nodeManagement"]
    one = azure.arm("GET", "/privateLinkResources/NODEMANAGEMENT").body
    assert (one, one["properties"]["requiredZoneNames"]) == (listed[1], ["privatelink.batch.azure.com"])
    assert azure.arm("GET", "/privateLinkResources/other").code == "ResourceNotFound"


def test_connections_are_those_that_an_account_was_imported_with(azure: BatchEmulator) -> None:
    assert azure.arm("GET", "/privateEndpointConnections").body == {"value": []}
    connection = {"name": "c", "properties": {"privateLinkServiceConnectionState": {"status": "Pending"}}}
    account = next(iter(azure.store.items("microsoft.batch/batchaccounts")))
    account.doc["properties"]["privateEndpointConnections"] = [connection]
    azure.store.put(account)
    assert azure.arm("PATCH", "/privateEndpointConnections/C", {"properties": {}}).code == "MissingRequiredProperty"
    approved = {"privateLinkServiceConnectionState": {"status": "Approved"}}
    assert azure.arm("PATCH", "/privateEndpointConnections/C", {"properties": approved}).status == 200
    assert azure.arm("GET", "/privateEndpointConnections/c").body["properties"] == approved
    assert azure.arm("DELETE", "/privateEndpointConnections/c").status == 204
    assert azure.arm("GET", "/privateEndpointConnections/c").code == "ResourceNotFound"


def test_there_are_no_network_security_perimeters(azure: BatchEmulator) -> None:
    assert azure.arm("GET", "/networkSecurityPerimeterConfigurations").body == {"value": []}
    for method, path in (("GET", "/a"), ("POST", "/a/reconcile")):
        assert azure.arm(method, f"/networkSecurityPerimeterConfigurations{path}").status == 404


def test_nodes_need_the_endpoints_of_their_account_and_its_storage(azure: BatchEmulator) -> None:
    azure.arm("PATCH", "", {"properties": {"autoStorage": {"storageAccountId": STORAGE}}})
    rows = azure.arm("GET", "/outboundNetworkDependenciesEndpoints").body["value"]
    domains = {row["category"]: [one["domainName"] for one in row["endpoints"]] for row in rows}
    assert domains["Azure Batch"][1] == "eastus.service.batch.azure.com"
    assert domains["Azure Storage"][:2] == ["datastore.blob.core.windows.net", "*.blob.core.windows.net"]


def test_keys_are_synchronized_if_the_account_uses_keys(azure: BatchEmulator) -> None:
    assert azure.arm("POST", "/syncAutoStorageKeys").code == "OperationInvalidForCurrentState"
    azure.arm("PATCH", "", {"properties": {"autoStorage": {"storageAccountId": STORAGE}}})
    before = azure.arm("GET", "").body["properties"]["autoStorage"]["lastKeySync"]
    azure.clock.advance(60)
    assert azure.arm("POST", "/syncAutoStorageKeys").status == 204
    assert azure.arm("GET", "").body["properties"]["autoStorage"]["lastKeySync"] > before


def test_detectors_are_refused_by_name(azure: BatchEmulator) -> None:
    answer = azure.arm("GET", "/detectors")
    assert (answer.status, "detectors" in answer.body["error"]["message"]) == (501, True)
