"""What Resource Manager does for every type: providers, resources by id, tags, operations, and what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.app import create_app
from tests.support.emulator_client import ARM, COMPUTE, IN_GROUP, TOP, EmulatorClient

GROUPS, STORAGE = "2021-04-01", "2023-01-01"
DISK = f"{COMPUTE}/disks/prep-vm_OsDisk_1"
TAGS = "/providers/Microsoft.Resources/tags/default"
ACCOUNT = f"{IN_GROUP}/providers/Microsoft.Storage/storageAccounts/vhds"


@pytest.fixture(scope="module")
def azure() -> EmulatorClient:
    return EmulatorClient()


def tags(azure: EmulatorClient, method: str, scope: str, body: Any = None) -> Any:
    answer = azure.ask(method, f"{scope}{TAGS}", body, version=GROUPS)
    assert answer.status == 200, answer.body
    return None if answer.body is None else answer.body["properties"]["tags"]


# -- providers ---------------------------------------------------------------------------------------------------


def test_a_provider_shows_its_types_with_regions_and_api_versions(azure: EmulatorClient) -> None:
    shown = azure.ask("GET", f"{TOP}/providers/microsoft.batch", version=GROUPS).body
    (account,) = [one for one in shown["resourceTypes"] if one["resourceType"] == "batchAccounts"]
    assert account["apiVersions"][0] == "2025-06-01"
    assert {"East US", "West Europe"} <= set(account["locations"])
    assert "SupportsTags" in account["capabilities"]
    of_tenant = azure.ask("GET", f"{ARM}/providers/Microsoft.Batch", version=GROUPS).body
    assert of_tenant["resourceTypes"] == shown["resourceTypes"]
    assert "registrationState" not in of_tenant


def test_every_provider_of_azure_is_listed_and_can_be_registered() -> None:
    azure = EmulatorClient()
    listed = azure.ask("GET", f"{TOP}/providers", version=GROUPS).body["value"]
    states = {one["namespace"]: one["registrationState"] for one in listed}
    assert states["Microsoft.Compute"] == "Registered"
    assert states["Microsoft.Sql"] == "NotRegistered"
    assert azure.ask("POST", f"{TOP}/providers/Microsoft.Sql/register", version=GROUPS).status == 200
    shown = azure.ask("GET", f"{TOP}/providers/Microsoft.Sql", version=GROUPS).body
    assert (shown["registrationState"], shown["registrationPolicy"]) == ("Registered", "RegistrationRequired")
    assert azure.ask("GET", f"{ARM}/providers", version=GROUPS).status == 200
    assert azure.ask("GET", f"{ARM}/providers/Not.Azure", version=GROUPS).code == "InvalidResourceNamespace"


# -- what is missing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "url", "version", "status", "what"),
    [
        ("PUT", f"{COMPUTE}/virtualMachineScaleSets/s", "2024-07-01", 501, "virtualMachineScaleSets of Microsoft.Com"),
        ("PUT", f"{COMPUTE}/galleries/lab/applications/a", "2023-07-03", 501, "galleries/applications of Microsoft.C"),
        ("PUT", ACCOUNT, STORAGE, 501, "storageAccounts of Microsoft.Storage"),
        ("GET", f"{IN_GROUP}/providers/Microsoft.Sql/servers", "2023-05-01", 501, "servers of Microsoft.Sql"),
        ("POST", f"{IN_GROUP}/moveResources", GROUPS, 501, "moveResources"),
        ("POST", f"{IN_GROUP}/exportTemplate", GROUPS, 501, "does not write templates"),
        ("GET", f"{ARM}/providers/Microsoft.Sql/operations", "2023-05-01", 501, "the operations of Microsoft.Sql"),
        ("GET", f"{COMPUTE}/availabilitySets", "2024-07-01", 501, "availabilitySets of Microsoft.Compute"),
        ("PUT", f"{COMPUTE}/bananas/b", "2024-07-01", 404, "The resource type 'bananas' could not be found in the"),
        ("GET", f"{COMPUTE}/bananas", "2024-07-01", 404, "The resource type 'bananas' could not be found in the"),
        ("GET", f"{IN_GROUP}/providers/Not.Azure/x/y", "2024-07-01", 404, "The resource namespace 'Not.Azure' is inv"),
        ("PUT", f"{COMPUTE}/availabilitySets/s", "2024-07-02", 400, "No registered resource provider found for locat"),
    ],
)
def test_a_refusal_tells_what_is_missing(
    azure: EmulatorClient, method: str, url: str, version: str, status: int, what: str
) -> None:
    refused = azure.ask(method, url, {} if method != "GET" else None, version=version)
    assert refused.status == status
    assert what in refused.message
    if status == 501:
        assert refused.code == "NotImplemented"


@pytest.mark.parametrize("host", ["https://graph.microsoft.com", "http://127.0.0.1:8443"])
def test_microsoft_graph_is_named(azure: EmulatorClient, host: str) -> None:
    refused = azure.ask("GET", f"{host}/v1.0/users")
    assert (refused.status, refused.code) == (501, "NotImplemented")
    assert "Microsoft Graph" in refused.message


# -- resources of other types ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "version"),
    [
        (f"{TOP}/providers/Microsoft.Storage/storageAccounts", STORAGE),
        (f"{IN_GROUP}/providers/Microsoft.Storage/storageAccounts", STORAGE),
        (f"{TOP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities", "2023-01-31"),
    ],
)
def test_lists_of_what_does_not_exist_are_empty(azure: EmulatorClient, url: str, version: str) -> None:
    assert azure.ask("GET", url, version=version).body == {"value": []}


def test_a_gallery_has_no_applications() -> None:
    azure = EmulatorClient()
    assert azure.ask("PUT", f"{COMPUTE}/galleries/lab", {"location": "eastus"}, version="2023-07-03").status == 201
    applications = f"{COMPUTE}/galleries/lab/applications"
    assert azure.ask("GET", applications, version="2023-07-03").body == {"value": []}
    assert azure.ask("GET", f"{applications}/a", version="2023-07-03").code == "ResourceNotFound"
    assert azure.ask("GET", applications.replace("lab", "none"), version="2023-07-03").code == "ParentResourceNotFound"


def test_an_imported_resource_of_another_type_is_read_tagged_and_deleted() -> None:
    azure = EmulatorClient()
    document = {"id": ACCOUNT[len(ARM) :], "type": "Microsoft.Storage/storageAccounts", "name": "vhds"}
    document |= {"location": "eastus", "properties": {}}
    assert azure.ask("GET", ACCOUNT, version=STORAGE).code == "ResourceNotFound"
    assert azure.ask("DELETE", ACCOUNT, version=STORAGE).status == 204
    imported = azure.ask("POST", f"{ARM}/_sim/import", {"resources": [document]})
    assert imported.status == 200
    assert azure.ask("GET", ACCOUNT, version=STORAGE).body["name"] == "vhds"
    assert len(azure.ask("GET", ACCOUNT.rpartition("/")[0], version=STORAGE).body["value"]) == 1
    name = {"name": "vhds", "type": "Microsoft.Storage/storageAccounts"}
    url = f"{TOP}/providers/Microsoft.Storage/checkNameAvailability"
    assert azure.ask("POST", url, name, version=STORAGE).body["reason"] == "AlreadyExists"
    assert azure.ask("POST", url, name | {"name": "V"}, version=STORAGE).body["reason"] == "AccountNameInvalid"
    assert azure.ask("POST", url, name | {"name": "free"}, version=STORAGE).body == {"nameAvailable": True}
    assert azure.ask("PATCH", ACCOUNT, {"tags": {"a": "b"}}, version=STORAGE).body["tags"] == {"a": "b"}
    assert azure.ask("PATCH", ACCOUNT, {"sku": {"name": "x"}}, version=STORAGE).status == 501
    assert azure.ask("DELETE", ACCOUNT, version=STORAGE).status == 200
    assert azure.ask("GET", ACCOUNT, version=STORAGE).code == "ResourceNotFound"


# -- tags --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [TOP, IN_GROUP, DISK])
def test_tags_are_merged_replaced_and_deleted_at_every_scope(scope: str) -> None:
    azure = EmulatorClient()
    assert tags(azure, "GET", scope) == {}
    assert tags(azure, "PUT", scope, {"properties": {"tags": {"Team": "lab", "a": "1"}}}) == {"Team": "lab", "a": "1"}
    merge = {"operation": "Merge", "properties": {"tags": {"team": "bench"}}}
    assert tags(azure, "PATCH", scope, merge) == {"a": "1", "team": "bench"}
    less = {"operation": "Delete", "properties": {"tags": {"A": "1", "team": "other"}}}
    assert tags(azure, "PATCH", scope, less) == {"team": "bench"}
    assert tags(azure, "PATCH", scope, {"operation": "Replace", "properties": {"tags": {"b": "2"}}}) == {"b": "2"}
    version = "2023-10-02" if "disks" in scope else "2022-12-01"
    assert azure.ask("GET", scope, version=version).body["tags"] == {"b": "2"}
    assert tags(azure, "DELETE", scope) is None
    assert tags(azure, "GET", scope) == {}


def test_invalid_tags_are_refused(azure: EmulatorClient) -> None:
    def code(method: str, body: Any, scope: str = DISK) -> str:
        return azure.ask(method, f"{scope}{TAGS}", body, version=GROUPS).code

    many = {"properties": {"tags": {str(number): "" for number in range(51)}}}
    assert code("PUT", many) == "TooManyTags"
    assert code("PUT", {"properties": {"tags": {"a<b": ""}}}) == "InvalidTagNameCharacters"
    assert code("PUT", {"properties": {"tags": {"a": "b" * 257}}}) == "InvalidTagValueLength"
    assert code("PATCH", {"operation": "Melt", "properties": {"tags": {}}}) == "InvalidParameter"
    assert code("PATCH", {"properties": {"tags": {}}}) == "InvalidParameter"
    assert code("GET", None, f"{COMPUTE}/disks/none") == "ResourceNotFound"


def test_merged_tags_stay_below_the_limit() -> None:
    azure = EmulatorClient()
    tags(azure, "PUT", DISK, {"properties": {"tags": {str(number): "" for number in range(50)}}})
    more = {"operation": "Merge", "properties": {"tags": {"one": "more"}}}
    assert azure.ask("PATCH", f"{DISK}{TAGS}", more, version=GROUPS).code == "TooManyTags"


def test_tag_names_are_predefined_and_counted() -> None:
    azure = EmulatorClient()
    tags(azure, "PUT", DISK, {"properties": {"tags": {"team": "lab"}}})
    url = f"{TOP}/tagNames"
    assert azure.ask("PUT", f"{url}/stage/tagValues/test", version=GROUPS).code == "TagNameNotFound"
    assert azure.ask("PUT", f"{url}/stage", version=GROUPS).body["tagName"] == "stage"
    assert azure.ask("PUT", f"{url}/stage/tagValues/test", version=GROUPS).body["tagValue"] == "test"
    listed = azure.ask("GET", url, version=GROUPS).body["value"]
    assert [(one["tagName"], one["count"]["value"]) for one in listed] == [("stage", 0), ("team", 1)]
    assert [one["tagValue"] for one in listed[0]["values"]] == ["test"]
    assert azure.ask("DELETE", f"{url}/stage/tagValues/test", version=GROUPS).status == 200
    assert azure.ask("DELETE", f"{url}/stage", version=GROUPS).status == 200
    assert azure.ask("DELETE", f"{url}/stage", version=GROUPS).status == 204


# -- groups ------------------------------------------------------------------------------------------------------


def test_groups_are_filtered_and_their_tags_change() -> None:
    azure = EmulatorClient()
    assert azure.ask("PATCH", IN_GROUP, {"tags": {"team": "lab"}}, version=GROUPS).body["tags"] == {"team": "lab"}
    second = {"location": "West US 2"}
    assert azure.ask("PUT", f"{TOP}/resourceGroups/two", second, version=GROUPS).body["location"] == "westus2"

    def names(query: str) -> list[str]:
        rows = azure.ask("GET", f"{TOP}/resourceGroups?{query}", version=GROUPS).body["value"]
        return [one["name"] for one in rows]

    assert names("$filter=tagName eq 'team' and tagValue eq 'lab'") == ["research"]
    assert names("$filter=tagName eq 'team' and tagValue eq 'x'") == []
    assert names("$top=1") == ["research"]
    assert azure.ask("GET", f"{TOP}/resourceGroups?$top=x", version=GROUPS).code == "InvalidTopInQueryString"
    assert azure.ask("PATCH", IN_GROUP, {"name": "other"}, version=GROUPS).code == "ResourceGroupNameMismatch"
    assert azure.ask("PATCH", f"{TOP}/resourceGroups/none", {}, version=GROUPS).code == "ResourceGroupNotFound"


# -- operations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ("Microsoft.Batch", "Microsoft.Batch/batchAccounts/listKeys/action"),
        ("Microsoft.Compute", "Microsoft.Compute/galleries/images/versions/write"),
        ("Microsoft.Network", "Microsoft.Network/virtualNetworks/subnets/join/action"),
        ("Microsoft.Resources", "Microsoft.Resources/deployments/read"),
        ("Microsoft.Authorization", "Microsoft.Authorization/roleAssignments/delete"),
    ],
)
def test_the_operations_of_a_provider(namespace: str, name: str) -> None:
    app = create_app(open=False)
    azure = EmulatorClient()
    version = {"Microsoft.Resources": GROUPS, "Microsoft.Authorization": "2022-04-01"}.get(namespace, "2024-07-01")
    rows = azure.ask("GET", f"{ARM}/providers/{namespace}/operations", version=version).body["value"]
    assert name in {one["name"] for one in rows}
    url = f"{ARM}/providers/Microsoft.Authorization/providerOperations/{namespace}"
    shown = azure.ask("GET", url, version="2022-04-01").body
    assert name in {one["name"] for kind in shown["resourceTypes"] for one in kind["operations"]}
    listed = app.answer("GET", f"{url.rpartition('/')[0]}?api-version=2022-04-01", {"Authorization": "Bearer x"})
    assert f'"{namespace}"'.encode() in listed.body


def test_the_operations_of_batch_begin_with_those_of_diagnostics() -> None:
    url = f"{ARM}/providers/Microsoft.Batch/operations"
    first = EmulatorClient().ask("GET", url, version="2025-06-01").body["value"][0]
    assert first["name"] == "Microsoft.Batch/batchAccounts/providers/Microsoft.Insights/diagnosticSettings/read"
    assert (first["origin"], first["display"]["provider"]) == ("system", "Microsoft Batch")
    assert first["display"]["operation"] == "Read diagnostic setting"


# -- endpoints of the cloud --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "shape"),
    [("2015-01-01", "legacy"), ("2019-05-01", "list"), ("2020-06-01", "list"), ("2022-09-01", "one")],
)
def test_the_metadata_has_the_form_of_its_api_version(azure: EmulatorClient, version: str, shape: str) -> None:
    found = azure.ask("GET", f"{ARM}/metadata/endpoints", version=version).body
    assert isinstance(found, list) == (shape == "list")
    cloud = found[0] if shape == "list" else found
    assert cloud["authentication"]["loginEndpoint"].startswith("https://login.")
    if shape != "legacy":
        assert {"resourceManager", "batch", "microsoftGraphResourceId", "vmImageAliasDoc"} <= cloud.keys()
        assert {"storage", "keyVaultDns", "mysqlServerEndpoint"} <= cloud["suffixes"].keys()
