"""Roles as clients manage them: built-in and custom definitions, and assignments at every scope."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.emulator_client import ARM, IN_GROUP, TOP, EmulatorClient

PROVIDER = "/providers/Microsoft.Authorization"
VERSION = "2022-04-01"
READER, CONTRIBUTOR = "acdd72a7-3385-48ef-bd42-f606fba81ae7", "b24988ac-6180-42a0-ab88-20f7382dd24c"
MINE = "11111111-1111-4111-8111-111111111111"
USER, OTHER = "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"
DISK = f"{IN_GROUP}/providers/Microsoft.Compute/disks/prep-vm_OsDisk_1"
CUSTOM = {"roleName": "Builder", "permissions": [{"actions": ["*/read"]}], "assignableScopes": [IN_GROUP[len(ARM) :]]}


def assign(azure: EmulatorClient, scope: str, name: str, role: str = READER, principal: str = USER) -> tuple[int, str]:
    body = {"properties": {"roleDefinitionId": f"{TOP}{PROVIDER}/roleDefinitions/{role}", "principalId": principal}}
    made = azure.ask("PUT", f"{scope}{PROVIDER}/roleAssignments/{name}", body, version=VERSION)
    return made.status, made.code if made.status >= 400 else ""


def names(azure: EmulatorClient, path: str) -> list[str]:
    rows = azure.ask("GET", f"{path}", version=VERSION).body["value"]
    return [row["properties"].get("roleName") or row["name"] for row in rows]


@pytest.fixture(scope="module")
def azure() -> EmulatorClient:
    return EmulatorClient()


@pytest.mark.parametrize("scope", [ARM, TOP, IN_GROUP, DISK])
def test_built_in_roles_exist_in_every_scope(azure: EmulatorClient, scope: str) -> None:
    listed = names(azure, f"{scope}{PROVIDER}/roleDefinitions")
    assert {"Owner", "Contributor", "Reader", "Azure Batch Data Contributor"} <= set(listed)
    url = f"{scope}{PROVIDER}/roleDefinitions?$filter=roleName eq 'Virtual Machine Contributor'"
    assert names(azure, url) == ["Virtual Machine Contributor"]
    shown = azure.ask("GET", f"{scope}{PROVIDER}/roleDefinitions/{CONTRIBUTOR}", version=VERSION).body
    assert shown["properties"]["permissions"][0]["actions"] == ["*"]
    assert "Microsoft.Authorization/*/Write" in shown["properties"]["permissions"][0]["notActions"]


@pytest.mark.parametrize(
    "wrong", [{"roleName": None}, {"permissions": 5}, {"permissions": [{"actions": 5}]}, {"assignableScopes": True}]
)
def test_a_role_of_another_shape_is_refused(azure: EmulatorClient, wrong: dict[str, Any]) -> None:
    url = f"{TOP}{PROVIDER}/roleDefinitions/{MINE}"
    refused = azure.ask("PUT", url, {"properties": CUSTOM | wrong}, version=VERSION)
    assert (refused.status, refused.code) == (400, "InvalidRequestContent")


def test_a_custom_role_is_made_listed_and_deleted() -> None:
    azure = EmulatorClient()
    url = f"{TOP}{PROVIDER}/roleDefinitions"
    assert azure.ask("PUT", f"{url}/{MINE}", {"properties": CUSTOM}, version=VERSION).status == 201
    assert names(azure, f"{IN_GROUP}{PROVIDER}/roleDefinitions?$filter=type eq 'CustomRole'") == ["Builder"]
    assert names(azure, f"{url}?$filter=type eq 'CustomRole'") == []
    assert names(azure, f"{url}?$filter=atScopeAndBelow() and type eq 'CustomRole'") == ["Builder"]
    twice = azure.ask("PUT", f"{url}/{OTHER}", {"properties": CUSTOM}, version=VERSION)
    assert (twice.status, twice.code) == (409, "RoleDefinitionWithSameNameExists")
    assert assign(azure, DISK, "a", MINE) == (201, "")
    used = azure.ask("DELETE", f"{url}/{MINE}", version=VERSION)
    assert (used.status, used.code) == (400, "RoleDefinitionHasAssignments")
    assert azure.ask("DELETE", f"{DISK}{PROVIDER}/roleAssignments/a", version=VERSION).status == 200
    assert azure.ask("DELETE", f"{url}/{MINE}", version=VERSION).body["properties"]["roleName"] == "Builder"
    assert azure.ask("DELETE", f"{url}/{MINE}", version=VERSION).status == 204
    assert azure.ask("GET", f"{url}/{MINE}", version=VERSION).code == "RoleDefinitionDoesNotExist"
    built_in = azure.ask("PUT", f"{url}/{READER}", {"properties": CUSTOM}, version=VERSION)
    assert built_in.code == "RoleDefinitionUpdateNotPermitted"
    assert azure.ask("DELETE", f"{url}/{READER}", version=VERSION).status == 400


def test_assignments_are_listed_by_scope_and_principal() -> None:
    azure = EmulatorClient()
    assert assign(azure, TOP, "above") == (201, "")
    assert assign(azure, IN_GROUP, "here", principal=OTHER) == (201, "")
    assert assign(azure, DISK, "below") == (201, "")
    url = f"{IN_GROUP}{PROVIDER}/roleAssignments"
    assert names(azure, url) == ["above", "here", "below"]
    assert names(azure, f"{url}?$filter=atScope()") == ["above", "here"]
    assert names(azure, f"{url}?$filter=principalId eq '{USER}'") == ["above", "below"]
    assert names(azure, f"{url}?$filter=atScope() and assignedTo('{USER}')") == ["above"]
    refused = azure.ask("GET", f"{url}?$filter=roleName", version=VERSION)
    assert (refused.status, refused.code) == (400, "UnsupportedQuery")
    assert assign(azure, IN_GROUP, "again", principal=OTHER) == (409, "RoleAssignmentExists")
    assert assign(azure, IN_GROUP, "here") == (409, "RoleAssignmentUpdateNotPermitted")
    assert assign(azure, IN_GROUP, "wrong", principal="nobody") == (400, "InvalidPrincipalId")
    assert assign(azure, IN_GROUP, "wrong", MINE) == (404, "RoleDefinitionDoesNotExist")
    assert azure.ask("GET", f"{url}/none", version=VERSION).code == "RoleAssignmentNotFound"
    assert azure.ask("DELETE", f"{url}/here", version=VERSION).body["properties"]["principalId"] == OTHER
    assert azure.ask("DELETE", f"{url}/here", version=VERSION).status == 204


def test_a_built_in_role_gives_its_permissions() -> None:
    azure = EmulatorClient()
    assert assign(azure, IN_GROUP, "reads") == (201, "")
    assert azure.ask("GET", DISK, version="2023-10-02").status == 200
    assert azure.ask("DELETE", DISK, version="2023-10-02").code == "AuthorizationFailed"
    may = azure.ask("GET", f"{IN_GROUP}{PROVIDER}/permissions", version=VERSION).body["value"]
    assert may[0]["actions"] == ["*/read"]
    assert azure.ask("DELETE", f"{IN_GROUP}{PROVIDER}/roleAssignments/reads", version=VERSION).status == 200
    assert azure.ask("DELETE", DISK, version="2023-10-02").code != "AuthorizationFailed"  # no role is assigned any more
