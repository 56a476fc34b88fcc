"""The state of operating systems: shown and set by the control API, copied, and felt by tasks on nodes."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.batch.fleet.commands import command_result
from tests.support.compute_emulator import ComputeEmulator, copy_of, resource

CONTROL = "https://management.azure.com/_sim"
DISK = resource("disks/desk-vm_OsDisk_1")
HOME_GONE = "systemd-run --on-active=30 sh -c 'waagent -deprovision{} -force && sync && poweroff'"


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def systems(compute: ComputeEmulator) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compute.ask("GET", f"{CONTROL}/systems").body["systems"]
    return found


def pool_states(compute: ComputeEmulator, image: str, command: str, level: str = "nonadmin") -> list[str]:
    """Create a pool of an image with a start task, and return the states of its nodes."""
    task = {"commandLine": command, "waitForSuccess": True, "maxTaskRetryCount": 0}
    task["userIdentity"] = {"autoUser": {"scope": "pool", "elevationLevel": level}}
    reference = {"virtualMachineImageId": image}
    body = {
        "id": "p",
        "vmSize": "standard_d2s_v5",
        "virtualMachineConfiguration": {"imageReference": reference, "nodeAgentSKUId": "batch.node.ubuntu 24.04"},
        "targetDedicatedNodes": 2,
        "startTask": task,
    }
    top = "https://genomicsbatch.eastus.batch.azure.com/pools"
    made = compute.ask("POST", top, body, "2025-06-01")
    assert made.status == 201, made.body
    compute.clock.advance(3600)
    nodes = compute.ask("GET", f"{top}/p/nodes", version="2025-06-01").body["value"]
    return [one["state"] for one in nodes]


def make_version(compute: ComputeEmulator, user: str) -> str:
    """Deprovision desk-vm, and make an image version of it."""
    script = [HOME_GONE.format(user)]
    compute.ask("POST", "virtualMachines/desk-vm/runCommand", {"commandId": "RunShellScript", "script": script})
    compute.clock.advance(600)
    compute.definition()
    compute.snapshot("os", "desk-vm_OsDisk_1")
    compute.version()
    return resource("galleries/lab/images/tools/versions/1.0.0")


def test_states_are_shown(compute: ComputeEmulator) -> None:
    shown = systems(compute)[DISK]
    assert (shown["deprovisioned"], shown["admin"], shown["homes"]) == (False, "researcher", ["researcher"])
    prepared = systems(compute)[resource("disks/prep-vm_OsDisk_1")]
    assert prepared["deprovisioned"]


@pytest.mark.parametrize(
    ("user", "command", "level", "state"),
    [
        ("", "/home/researcher/conda/bin/python -V", "admin", "idle"),
        ("", "/home/researcher/conda/bin/python -V", "nonadmin", "starttaskfailed"),
        ("+user", "/home/researcher/conda/bin/python -V", "admin", "starttaskfailed"),
        ("+user", "/opt/conda/bin/python -V", "nonadmin", "idle"),
        ("+user", "/bin/bash -c 'source /home/researcher/.bashrc && run'", "admin", "starttaskfailed"),
        ("+user", "/bin/bash -c '/home/researcher/x || /opt/x'", "admin", "idle"),
    ],
)
def test_software_in_a_home_that_is_deleted_is_missing_on_nodes(
    compute: ComputeEmulator, user: str, command: str, level: str, state: str
) -> None:
    image = make_version(compute, user)
    assert systems(compute)[image]["homes"] == (["researcher"] if not user else [])
    assert pool_states(compute, image, command, level) == [state, state]


def test_states_are_set_and_copied(compute: ComputeEmulator) -> None:
    state = {"deprovisioned": True, "homes": ["ana", "ben"], "admin": "ana"}
    body = {"systems": {resource("virtualMachines/desk-vm"): state}}
    assert compute.ask("POST", f"{CONTROL}/systems", body).body["systems"][DISK]["homes"] == ["ana", "ben"]
    compute.make("disks/copy", {"creationData": copy_of("disks/desk-vm_OsDisk_1")})
    copied = systems(compute)[resource("disks/copy")]
    assert (copied["deprovisioned"], copied["homes"], copied["admin"]) == (True, ["ana", "ben"], "ana")


def test_an_import_sets_states(compute: ComputeEmulator) -> None:
    document = compute.ask("GET", "disks/desk-vm_OsDisk_1").body
    document = {**document, "id": resource("disks/other"), "name": "other"}
    document.pop("managedBy")
    systems_of = {document["id"]: {"deprovisioned": True, "agent": False, "encrypted": True}}
    body = {"resources": [document], "systems": systems_of}
    assert compute.ask("POST", f"{CONTROL}/import", body).status == 200
    assert systems(compute)[document["id"]] == {
        "deprovisioned": True,
        "admin": "",
        "homes": None,
        "agent": False,
        "extensions": False,
        "encrypted": True,
    }


def test_without_an_agent_no_command_runs(compute: ComputeEmulator) -> None:
    compute.ask("POST", f"{CONTROL}/systems", {"systems": {DISK: {"agent": False}}})
    body = {"commandId": "RunShellScript", "script": ["userdel -r researcher"]}
    begun = compute.ask("POST", "virtualMachines/desk-vm/runCommand", body)
    compute.clock.advance(7200)
    assert compute.ask("GET", begun.headers["Azure-AsyncOperation"]).body["status"] == "InProgress"
    assert systems(compute)[DISK]["homes"] == ["researcher"]


@pytest.mark.parametrize(
    "wanted", [{resource("disks/none"): {}}, {DISK: {"homes": "ana"}}, {DISK: {"odd": True}}, ["x"]], ids=str
)
def test_states_are_checked(compute: ComputeEmulator, wanted: Any) -> None:
    assert compute.ask("POST", f"{CONTROL}/systems", {"systems": wanted}).status == 400


def test_a_node_that_is_not_known_is_not_judged() -> None:
    assert command_result("/home/ana/run", 1.0).exit_code == 0
    assert command_result("/home/ana/run", 1.0, homes=frozenset({"ana"}), elevated=True).exit_code == 0
