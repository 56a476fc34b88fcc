"""Managed run commands: their states, their exit codes, and what never reports."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.compute.guest.system import guest_state
from batchimg_magics.emulator.http.scenarios import set_scenario
from tests.support.compute_emulator import ComputeEmulator, resource, through_sdk

PATH = "virtualMachines/desk-vm/runCommands/try"
SCHEDULED = "systemd-run --on-active=30 sh -c 'waagent -deprovision+user -force && sync && poweroff'"


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def put(compute: ComputeEmulator, script: str, **beside: Any) -> Any:
    body = {"location": "eastus", "properties": {"source": {"script": script}, **beside}}
    return compute.ask("PUT", PATH, body)


def shown(compute: ComputeEmulator) -> tuple[str, dict[str, Any]]:
    found = compute.ask("GET", f"{PATH}?$expand=instanceView").properties
    return found["provisioningState"], found["instanceView"]


def test_a_command_succeeds_and_its_view_has_the_output(compute: ComputeEmulator) -> None:
    made = put(compute, "echo $1; sleep 20; echo done >&2", parameters=[{"name": "who", "value": "me"}])
    assert (made.status, made.properties["provisioningState"]) == (201, "Creating")
    assert shown(compute)[1]["executionState"] == "Pending"
    compute.clock.advance(15)
    assert shown(compute)[1]["executionState"] == "Running"
    compute.clock.advance(60)
    state, view = shown(compute)
    assert (state, view["executionState"], view["exitCode"]) == ("Succeeded", "Succeeded", 0)
    assert (view["output"], view["error"]) == ("me\n", "done\n")
    assert "instanceView" not in compute.ask("GET", PATH).properties
    listed = compute.ask("GET", PATH.rpartition("/")[0]).body["value"]
    assert [one["name"] for one in listed] == ["try"]
    assert compute.ask("DELETE", PATH).status == 202
    compute.clock.advance(60)
    assert compute.ask("GET", PATH).status == 404


@pytest.mark.parametrize(("strict", "state"), [(False, "Succeeded"), (True, "Failed")])
def test_a_script_that_fails_is_told_by_its_exit_code(compute: ComputeEmulator, *, strict: bool, state: str) -> None:
    begun = put(compute, "set -e\nnosuchprogram\necho b", treatFailureAsDeploymentFailure=strict)
    compute.clock.advance(60)
    found, view = shown(compute)
    assert (found, view["executionState"], view["exitCode"]) == (state, "Failed", 127)
    assert view["error"].endswith("2: nosuchprogram: not found\n")
    assert compute.ask("GET", begun.headers["Azure-AsyncOperation"]).body["status"] == state


def test_one_that_deprovisions_never_ends_also_if_it_is_asynchronous(compute: ComputeEmulator) -> None:
    put(compute, "waagent -deprovision+user -force")
    compute.clock.advance(86_400)
    state, view = shown(compute)
    assert (state, view["executionState"]) == ("Creating", "Running")
    other = ComputeEmulator()
    put(other, "sleep 60; waagent -deprovision+user -force", asyncExecution=True)
    other.clock.advance(15)
    assert shown(other)[0] == "Succeeded"
    other.clock.advance(86_400)
    assert shown(other)[1]["executionState"] == "Running"
    disk = other.store.get(resource("disks/desk-vm_OsDisk_1"))
    assert guest_state(other.store, disk, other.clock.now()).deprovisioned


def test_a_scheduled_one_returns(compute: ComputeEmulator) -> None:
    put(compute, SCHEDULED)
    compute.clock.advance(15)
    assert shown(compute)[1]["executionState"] == "Succeeded"
    compute.clock.advance(60)
    stopped = compute.ask("GET", "virtualMachines/desk-vm/instanceView").body["statuses"][-1]["code"]
    assert stopped == "PowerState/stopped"
    refused = put(compute, "echo a")
    assert (refused.status, refused.code) == (409, "OperationNotAllowed")


def test_what_is_not_in_the_body_is_not_run(compute: ComputeEmulator) -> None:
    for source, status in (({"scriptUri": "https://x/y"}, 501), ({"commandId": "IPConfig"}, 501), ({}, 400)):
        body = {"location": "eastus", "properties": {"source": source}}
        assert compute.ask("PUT", PATH, body).status == status


def test_without_a_way_out_its_state_does_not_come_back(compute: ComputeEmulator) -> None:
    nic = compute.store.get(resource("").replace("Compute", "Network") + "networkInterfaces/desk-vm-nic")
    assert nic is not None
    nic.doc["properties"]["ipConfigurations"][0]["properties"].pop("publicIPAddress")
    compute.store.put(nic)
    set_scenario(compute.store, "private-subnets")
    put(compute, "echo a")
    compute.clock.advance(7200)
    assert shown(compute)[0] == "Creating"


def test_through_the_sdk() -> None:
    async def work(client: Any) -> Any:
        commands = client.virtual_machine_run_commands
        body = {"location": "eastus", "properties": {"source": {"script": "echo a"}}}
        await (await commands.begin_create_or_update("research", "desk-vm", "try", body)).result()
        return await commands.get_by_virtual_machine("research", "desk-vm", "try", expand="instanceView")

    assert through_sdk(work).instance_view.output == "a\n"
