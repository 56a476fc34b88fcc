"""Locks: what they refuse at their scope, above and below it, and their lists."""

from __future__ import annotations

import pytest

from batchimg_magics.emulator.furnish import GROUP, SUBSCRIPTION
from tests.support.compute_emulator import ComputeEmulator, copy_of, resource

TOP = f"/subscriptions/{SUBSCRIPTION}"
IN_GROUP = f"{TOP}/resourceGroups/{GROUP}"
LOCKS = "/providers/Microsoft.Authorization/locks"
VERSION = "2016-09-01"
DISK = "disks/prep-vm_OsDisk_1"
COPY = {"location": "eastus", "properties": {"creationData": copy_of(DISK)}}


def locked(level: str, scope: str = IN_GROUP) -> ComputeEmulator:
    emulator = ComputeEmulator()
    made = emulator.ask("PUT", f"{scope}{LOCKS}/keep", {"properties": {"level": level, "notes": "why"}}, VERSION)
    assert (made.status, made.properties) == (201, {"level": level, "notes": "why"})
    return emulator


@pytest.mark.parametrize("scope", [TOP, IN_GROUP, resource(DISK)])
def test_a_lock_refuses_to_delete_at_its_scope_and_below(scope: str) -> None:
    emulator = locked("CanNotDelete", scope)
    refused = emulator.ask("DELETE", DISK)
    assert (refused.status, refused.code) == (409, "ScopeLocked")
    assert refused.message == (
        f"The scope '{resource(DISK)}' cannot perform delete operation because following scope(s) are locked: "
        f"'{scope}'. Please remove the lock and try again."
    )
    assert emulator.ask("PATCH", DISK, {"tags": {"a": "b"}}).status == 202


def test_a_lock_below_a_group_keeps_the_group() -> None:
    emulator = locked("CanNotDelete", resource(DISK))
    assert emulator.ask("DELETE", IN_GROUP, version="2021-04-01").code == "ScopeLocked"
    assert emulator.ask("DELETE", "disks/gen1-vm_OsDisk_1").code != "ScopeLocked"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "snapshots/s", COPY),
        ("PATCH", DISK, {"tags": {}}),
        ("POST", "virtualMachines/prep-vm/deallocate", None),
        ("DELETE", DISK, None),
    ],
)
def test_a_read_only_lock_refuses_every_change(method: str, path: str, body: object) -> None:
    emulator = locked("ReadOnly")
    assert emulator.ask(method, path, body).code == "ScopeLocked"
    assert emulator.ask("GET", DISK).status == 200
    region = f"{TOP}/providers/Microsoft.Batch/locations/eastus/checkNameAvailability"
    body = {"name": "another", "type": "Microsoft.Batch/batchAccounts"}
    assert emulator.ask("POST", region, body, "2024-07-01").status == 200


def test_locks_are_listed_changed_and_removed() -> None:
    emulator = locked("ReadOnly", resource(DISK))
    assert emulator.ask("PUT", f"{TOP}{LOCKS}/top", {"properties": {"level": "cannotdelete"}}, VERSION).status == 201

    def names(scope: str, query: str = "") -> list[str]:
        return [one["name"] for one in emulator.ask("GET", f"{scope}{LOCKS}{query}", version=VERSION).body["value"]]

    assert sorted(names(TOP)) == ["keep", "top"]
    assert names(IN_GROUP) == ["keep"]
    assert names(resource("disks/gen1-vm_OsDisk_1")) == []
    assert names(IN_GROUP, "?$filter=atScope()") == ["top"]
    changed = emulator.ask("PUT", f"{resource(DISK)}{LOCKS}/keep", {"properties": {"level": "CanNotDelete"}}, VERSION)
    assert changed.status == 200
    assert emulator.ask("GET", f"{resource(DISK)}{LOCKS}/keep", version=VERSION).properties["level"] == "CanNotDelete"
    for scope, name in ((resource(DISK), "keep"), (TOP, "top")):
        assert emulator.ask("DELETE", f"{scope}{LOCKS}/{name}", version=VERSION).status == 200
        assert emulator.ask("DELETE", f"{scope}{LOCKS}/{name}", version=VERSION).status == 204
    assert emulator.ask("GET", f"{TOP}{LOCKS}/top", version=VERSION).code == "LockNotFound"
    assert emulator.ask("PUT", f"{TOP}{LOCKS}/x", {"properties": {"level": "Some"}}, VERSION).status == 400
    assert emulator.ask("DELETE", DISK).code != "ScopeLocked"


def test_a_reader_without_the_right_cannot_read_locks() -> None:
    emulator = locked("ReadOnly")
    role = f"{TOP}/providers/Microsoft.Authorization/roleDefinitions/11111111-1111-4111-8111-111111111111"
    rights = {"roleName": "r", "permissions": [{"actions": ["Microsoft.Compute/*"]}]}
    assert emulator.ask("PUT", role, {"properties": rights}, "2022-04-01").status == 201
    given = {"properties": {"roleDefinitionId": role}}
    path = f"{TOP}/providers/Microsoft.Authorization/roleAssignments/one"
    assert emulator.ask("PUT", path, given, "2022-04-01").status == 201
    refused = emulator.ask("GET", f"{IN_GROUP}{LOCKS}", version=VERSION)
    assert refused.code == "AuthorizationFailed"
    assert f"'Microsoft.Authorization/locks/read' over scope '{IN_GROUP}'" in refused.message


def test_the_scenario_locks_every_group() -> None:
    emulator = ComputeEmulator()
    emulator.store.set_meta("scenario", "delete-lock")
    assert emulator.ask("DELETE", DISK).code == "ScopeLocked"
    listed = emulator.ask("GET", f"{IN_GROUP}{LOCKS}", version=VERSION).body["value"]
    assert [one["properties"]["level"] for one in listed] == ["CanNotDelete"]
