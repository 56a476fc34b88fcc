"""Roles: what they allow in a scope and below, what is refused, and the permissions that the caller can read."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.furnish import GROUP, SUBSCRIPTION
from tests.support.compute_emulator import SUBNET, ComputeEmulator, copy_of, resource, version

TOP = f"/subscriptions/{SUBSCRIPTION}"
IN_GROUP = f"{TOP}/resourceGroups/{GROUP}"
PROVIDER = "/providers/Microsoft.Authorization"
VERSION = "2022-04-01"
VERSION_PATH = "galleries/lab/images/tools/versions/1.0.0"
ROLE = f"{TOP}{PROVIDER}/roleDefinitions/11111111-1111-4111-8111-111111111111"


def restricted(*actions: str, but: tuple[str, ...] = (), scope: str = IN_GROUP) -> ComputeEmulator:
    """Return an emulator whose caller has one role in one scope."""
    emulator = ComputeEmulator()
    restrict(emulator, *actions, but=but, scope=scope)
    return emulator


def restrict(emulator: ComputeEmulator, *actions: str, but: tuple[str, ...] = (), scope: str = IN_GROUP) -> None:
    """Assign one role in one scope to the caller."""
    permissions = [{"actions": list(actions), "notActions": list(but), "dataActions": [], "notDataActions": []}]
    role = {"properties": {"roleName": "tried", "permissions": permissions, "assignableScopes": [TOP]}}
    assert emulator.ask("PUT", ROLE, role, VERSION).status == 201
    assignment = {"properties": {"roleDefinitionId": ROLE, "principalId": "22222222-2222-4222-8222-222222222222"}}
    made = emulator.ask("PUT", f"{scope}{PROVIDER}/roleAssignments/one", assignment, VERSION)
    assert made.status == 201
    assert made.body["properties"]["scope"] == scope


def may(emulator: ComputeEmulator, scope: str = IN_GROUP) -> list[dict[str, Any]]:
    response = emulator.ask("GET", f"{scope}{PROVIDER}/permissions", version=VERSION)
    assert response.status == 200
    found: list[dict[str, Any]] = response.body["value"]
    return found


def test_where_no_role_was_assigned_everything_is_allowed() -> None:
    emulator = ComputeEmulator()
    assert may(emulator)[0]["actions"] == ["*"]
    assert emulator.ask("GET", "disks/prep-vm_OsDisk_1").status == 200


def test_a_role_allows_what_it_names_and_nothing_else() -> None:
    emulator = restricted("Microsoft.Compute/disks/read", "microsoft.compute/VIRTUALMACHINES/*")
    assert may(emulator)[0]["actions"][0] == "Microsoft.Compute/disks/read"
    assert emulator.ask("GET", "disks/prep-vm_OsDisk_1").status == 200
    assert emulator.ask("GET", "disks").status == 200
    assert emulator.ask("POST", "virtualMachines/prep-vm/deallocate").status == 202
    refused = emulator.ask("DELETE", "disks/prep-vm_OsDisk_1")
    assert refused.status == 403
    assert refused.code == "AuthorizationFailed"
    assert "perform action 'Microsoft.Compute/disks/delete' over scope" in refused.message


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", "snapshots/one", "Microsoft.Compute/snapshots/read"),
        ("POST", "disks/prep-vm_OsDisk_1/beginGetAccess", "Microsoft.Compute/disks/beginGetAccess/action"),
        ("GET", "galleries/a/images/b/versions", "Microsoft.Compute/galleries/images/versions/read"),
        ("GET", f"{TOP}/providers/Microsoft.Compute/skus", "Microsoft.Compute/skus/read"),
        (
            "GET",
            f"{TOP}/providers/Microsoft.Compute/locations/eastus/usages",
            "Microsoft.Compute/locations/usages/read",
        ),
    ],
)
def test_a_refusal_names_the_action(method: str, path: str, action: str) -> None:
    refused = restricted("Microsoft.Compute/nothing/read").ask(method, path)
    assert refused.code == "AuthorizationFailed"
    assert f"'{action}'" in refused.message


def test_what_a_role_takes_back_is_refused() -> None:
    emulator = restricted("Microsoft.Compute/*", but=("Microsoft.Compute/disks/*",))
    assert emulator.ask("GET", "disks/prep-vm_OsDisk_1").code == "AuthorizationFailed"
    assert emulator.ask("GET", "virtualMachines/prep-vm").status == 200


def test_an_assignment_holds_below_its_scope_and_not_above() -> None:
    emulator = restricted("Microsoft.Compute/*")
    assert emulator.ask("GET", f"{TOP}/providers/Microsoft.Compute/disks").code == "AuthorizationFailed"
    above = restricted("Microsoft.Compute/*", scope=TOP)
    assert above.ask("GET", f"{TOP}/providers/Microsoft.Compute/disks").status == 200
    assert above.ask("GET", "disks").status == 200


def test_the_caller_that_started_an_operation_can_poll_it() -> None:
    emulator = restricted("Microsoft.Compute/snapshots/*", "Microsoft.Compute/disks/beginGetAccess/action")
    body = {"location": "eastus", "properties": {"creationData": copy_of("disks/prep-vm_OsDisk_1")}}
    begun = emulator.ask("PUT", "snapshots/one", body)
    assert begun.status == 202
    assert emulator.ask("GET", begun.headers["Azure-AsyncOperation"]).status == 200


def test_a_missing_role_cannot_be_assigned() -> None:
    emulator = ComputeEmulator()
    response = emulator.ask(
        "PUT", f"{IN_GROUP}{PROVIDER}/roleAssignments/one", {"properties": {"roleDefinitionId": ROLE}}, VERSION
    )
    assert response.code == "RoleDefinitionDoesNotExist"
    assert may(emulator)[0]["actions"] == ["*"]


def test_a_copy_needs_access_to_its_source() -> None:
    emulator = restricted("Microsoft.Compute/snapshots/*", "Microsoft.Compute/disks/read")
    body = {"location": "eastus", "properties": {"creationData": copy_of("disks/prep-vm_OsDisk_1")}}
    refused = emulator.ask("PUT", "snapshots/one", body)
    assert (refused.status, refused.code) == (403, "LinkedAuthorizationFailed")
    assert "Microsoft.Compute/disks/beginGetAccess/action" in refused.message


@pytest.mark.parametrize(
    ("source", "action"),
    [
        ("disks/prep-vm_OsDisk_1", "Microsoft.Compute/disks/write"),
        ("snapshots/os", "Microsoft.Compute/snapshots/write"),
    ],
)
def test_a_version_needs_write_on_its_source(source: str, action: str) -> None:
    emulator = ComputeEmulator()
    emulator.definition(security="TrustedLaunch")
    emulator.snapshot("os", "prep-vm_OsDisk_1")
    restrict(emulator, "*", but=(action,))
    refused = emulator.ask("PUT", VERSION_PATH, {"location": "eastus", "properties": version(source)})
    assert (refused.status, refused.code) == (403, "LinkedAuthorizationFailed")
    assert f"perform action(s) '{action}' on the linked scope(s)" in refused.message


def test_a_version_of_a_blob_needs_the_keys_of_its_account() -> None:
    emulator = ComputeEmulator()
    emulator.definition()
    restrict(emulator, "*", but=("Microsoft.Storage/storageAccounts/listKeys/action",))
    account = resource("").replace("Microsoft.Compute/", "Microsoft.Storage/storageAccounts/vhds")
    properties = version()
    properties["storageProfile"] = {
        "osDiskImage": {"source": {"storageAccountId": account, "uri": "https://vhds.blob.core.windows.net/a/os.vhd"}}
    }
    refused = emulator.ask("PUT", VERSION_PATH, {"location": "eastus", "properties": properties})
    assert (refused.status, refused.code) == (403, "LinkedAuthorizationFailed")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_pool_in_a_subnet_needs_to_join_it(method: str) -> None:
    emulator = ComputeEmulator()
    pool = f"{IN_GROUP}/providers/Microsoft.Batch/batchAccounts/genomicsbatch/pools/p"
    image = {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
    machine = {"imageReference": image, "nodeAgentSkuId": "batch.node.ubuntu 24.04"}
    properties = {"vmSize": "STANDARD_D2S_V3", "deploymentConfiguration": {"virtualMachineConfiguration": machine}}
    assert emulator.ask("PUT", pool, {"properties": properties}, "2025-06-01").status == 200
    restrict(emulator, "*", but=("Microsoft.Network/virtualNetworks/subnets/join/action",))
    asked = properties | {"networkConfiguration": {"subnetId": SUBNET}}
    url = pool if method == "PATCH" else f"{pool}2"
    refused = emulator.ask(method, url, {"properties": asked}, "2025-06-01")
    assert (refused.status, refused.code) == (403, "LinkedAuthorizationFailed")
    assert (
        f"'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s) '{SUBNET}'" in refused.message
    )
    assert emulator.ask("PUT", f"{pool}2", {"properties": properties}, "2025-06-01").status == 200
