"""Run commands in a VM, as far as the emulator supports them; and what is deleted with a VM."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.compute_emulator import ComputeEmulator, copy_of, resource

NETWORK = resource("").replace("Microsoft.Compute", "Microsoft.Network")
INTERFACES = f"{NETWORK}networkInterfaces"
WINDOWS = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2"}
STATE = "(Get-ItemProperty HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Setup\\State).ImageState"


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def interface(option: str = "Delete", **beside: Any) -> dict[str, Any]:
    inside = {"deleteOption": option, "ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": "s"}}}]}
    return {"networkInterfaceConfigurations": [{"name": "nic", "properties": inside, **beside}]}


def machine(compute: ComputeEmulator, name: str = "vm", network: Any = None, **storage: Any) -> None:
    properties = {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": storage,
        "networkProfile": network or interface(),
    }
    if "imageReference" in storage:
        properties["osProfile"] = {"adminUsername": "me", "adminPassword": "not-a-secret-1"}
    compute.make(f"virtualMachines/{name}", properties)


def run(compute: ComputeEmulator, name: str, command: str, *script: str) -> list[dict[str, str]]:
    response = compute.ask("POST", f"virtualMachines/{name}/runCommand", {"commandId": command, "script": [*script]})
    assert response.status == 202, response.body
    compute.clock.advance(60)
    done = compute.ask("GET", response.headers["Azure-AsyncOperation"]).body
    assert done["status"] == "Succeeded"
    found: list[dict[str, str]] = done["properties"]["output"]["value"]
    return found


def test_a_script_prints_as_far_as_it_is_known(compute: ComputeEmulator) -> None:
    (status,) = run(compute, "desk-vm", "RunShellScript", "set -e", "waagent -deprovision+user -force && echo all done")
    assert status["code"] == "ProvisioningState/succeeded"
    assert status["message"] == "Enable succeeded: \n[stdout]\nall done\n[stderr]\n"


def test_windows_reports_the_state_of_sysprep(compute: ComputeEmulator) -> None:
    machine(compute, imageReference=WINDOWS, osDisk={"createOption": "FromImage"})
    stdout, stderr = run(compute, "vm", "RunPowerShellScript", STATE)
    assert (stdout["code"], stderr["code"]) == ("ComponentStatus/StdOut/succeeded", "ComponentStatus/StdErr/succeeded")
    assert stdout["message"] == "IMAGE_STATE_COMPLETE"
    line = "Start-Process -Wait C:\\Windows\\System32\\Sysprep\\sysprep.exe -ArgumentList '/generalize /oobe /quit'"
    stdout, _ = run(compute, "vm", "RunPowerShellScript", "$ErrorActionPreference = 'Stop'", line, STATE)
    assert stdout["message"] == "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"


@pytest.mark.parametrize("line", ["apt-get install x", "echo $HOME", "echo `id`", "$x = 'y'", "echo a | sh"])
def test_what_it_cannot_know_it_does_not_answer(compute: ComputeEmulator, line: str) -> None:
    body = {"commandId": "RunShellScript", "script": ["echo a", line]}
    response = compute.ask("POST", "virtualMachines/desk-vm/runCommand", body)
    assert (response.status, response.code) == (501, "NotImplemented")


def test_one_command_at_a_time(compute: ComputeEmulator) -> None:
    body = {"commandId": "RunShellScript", "script": ["echo a"]}
    assert compute.ask("POST", "virtualMachines/desk-vm/runCommand", body).status == 202
    second = compute.ask("POST", "virtualMachines/desk-vm/runCommand", body)
    assert (second.status, second.code) == (409, "Conflict")
    assert "in progress" in second.message
    compute.clock.advance(60)
    assert compute.ask("POST", "virtualMachines/desk-vm/runCommand", body).status == 202


def test_a_deprovisioned_disk_that_a_vm_starts_from_is_provisioned(compute: ComputeEmulator) -> None:
    compute.snapshot("os", "gen1-vm_OsDisk_1")
    compute.make("disks/copy", {"creationData": copy_of("snapshots/os")})
    copied = compute.store.get(resource("disks/copy"))
    assert copied is not None
    assert copied.hidden["deprovisioned"]
    attached = {"createOption": "Attach", "osType": "Linux", "managedDisk": {"id": resource("disks/copy")}}
    machine(compute, osDisk=attached)
    started = compute.store.get(resource("disks/copy"))
    assert started is not None
    assert not started.hidden["deprovisioned"]


def test_a_disk_names_the_marketplace_image_that_it_is_of(compute: ComputeEmulator) -> None:
    machine(compute, imageReference=WINDOWS, osDisk={"createOption": "FromImage", "name": "system"})
    made = compute.ask("GET", "disks/system").properties["creationData"]
    assert made["imageReference"]["id"].endswith(
        "/Publishers/MicrosoftWindowsServer/ArtifactTypes/VMImage/Offers/WindowsServer/Skus/2022-datacenter-g2"
        "/Versions/1.0.0"
    )


@pytest.mark.parametrize("option", ["Delete", "Detach"])
def test_an_interface_is_deleted_with_its_vm_if_set(compute: ComputeEmulator, option: str) -> None:
    image = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"}
    machine(compute, network=interface(option, tags={"a": "b"}), imageReference=image, osDisk={})
    listed = compute.ask("GET", INTERFACES, version="2024-05-01").body["value"]
    (made,) = [one for one in listed if one["name"].startswith("nic-")]
    assert made["tags"] == {"a": "b"}
    refused = compute.ask("DELETE", made["id"], version="2024-05-01")
    assert (refused.status, refused.code) == (400, "NicInUse")
    assert compute.ask("DELETE", "virtualMachines/vm").status == 202
    compute.clock.advance(600)
    gone = compute.ask("GET", made["id"], version="2024-05-01").status
    assert gone == (404 if option == "Delete" else 200)
    assert compute.ask("DELETE", made["id"], version="2024-05-01").status == (204 if option == "Delete" else 200)
    assert compute.ask("GET", made["id"], version="2024-05-01").status == 404


def test_tags_can_be_taken_away(compute: ComputeEmulator) -> None:
    compute.ask("PATCH", "virtualMachines/desk-vm", {"tags": {"a": "b"}})
    compute.clock.advance(60)
    compute.ask("PATCH", "virtualMachines/desk-vm", {"tags": {}})
    compute.clock.advance(60)
    assert compute.ask("GET", "virtualMachines/desk-vm").body["tags"] == {}
