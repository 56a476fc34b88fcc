"""Run commands in a VM, as far as the emulator supports them; and what is deleted with a VM."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.compute.guest.system import GuestState, guest_state
from batchimg_magics.emulator.http.scenarios import set_scenario
from tests.support.compute_emulator import ComputeEmulator, copy_of, resource

NETWORK = resource("").replace("Microsoft.Compute", "Microsoft.Network")
DISK = "disks/desk-vm_OsDisk_1"
INTERFACES = f"{NETWORK}networkInterfaces"
SUBNET = f"{NETWORK}virtualNetworks/research-vnet/subnets/default"
WINDOWS = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2"}
STATE = "(Get-ItemProperty HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Setup\\State).ImageState"


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def interface(option: str = "Delete", **beside: Any) -> dict[str, Any]:
    inside = {"deleteOption": option, "ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": SUBNET}}}]}
    return {
        "networkApiVersion": "2022-11-01",
        "networkInterfaceConfigurations": [{"name": "nic", "properties": inside, **beside}],
    }


def machine(compute: ComputeEmulator, name: str = "vm", network: Any = None, **storage: Any) -> None:
    properties = {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": storage,
        "networkProfile": network or interface(),
    }
    if "imageReference" in storage:
        properties["osProfile"] = {"adminUsername": "me", "adminPassword": "not-a-secret-1"}
    compute.make(f"virtualMachines/{name}", properties)


def begin(compute: ComputeEmulator, name: str, *script: str, command: str = "RunShellScript") -> str:
    """Begin a run-command, and return the URL of its operation."""
    response = compute.ask("POST", f"virtualMachines/{name}/runCommand", {"commandId": command, "script": [*script]})
    assert response.status == 202, response.body
    return response.headers["Azure-AsyncOperation"]


def status(compute: ComputeEmulator, operation: str) -> str:
    return str(compute.ask("GET", operation).body["status"])


def run(compute: ComputeEmulator, name: str, command: str, *script: str) -> list[dict[str, str]]:
    operation = begin(compute, name, *script, command=command)
    compute.clock.advance(15)
    done = compute.ask("GET", operation).body
    assert done["status"] == "Succeeded"
    found: list[dict[str, str]] = done["properties"]["output"]["value"]
    return found


def printed(compute: ComputeEmulator, *script: str, name: str = "desk-vm") -> tuple[str, str]:
    """Return what a shell script prints to its two streams."""
    (result,) = run(compute, name, "RunShellScript", *script)
    out, _, err = result["message"].removeprefix("Enable succeeded: \n[stdout]\n").partition("\n[stderr]\n")
    return out, err


def power(compute: ComputeEmulator, name: str) -> str:
    statuses = compute.ask("GET", f"virtualMachines/{name}/instanceView").body["statuses"]
    return str(statuses[-1]["code"]).removeprefix("PowerState/")


def system_of(compute: ComputeEmulator, disk: str = "desk-vm_OsDisk_1") -> GuestState:
    return guest_state(compute.store, compute.store.get(resource(f"disks/{disk}")), compute.clock.now())


# -- what deprovisions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "waagent -deprovision+user -force",
        "sudo waagent -deprovision+user -force",
        "sudo -n /usr/sbin/waagent --force --deprovision+user",
        "sh -c 'waagent -deprovision+user -force'",
        'sudo bash -lc "set -e; waagent -deprovision+user -force && sync"; poweroff',
        "export HISTSIZE=0 && waagent -force -deprovision && sync && poweroff",
        "yes | waagent -deprovision+user",
        "python3 /usr/sbin/waagent -deprovision+user -force",
        "nohup waagent -deprovision+user -force",
        "if command -v waagent; then\n  waagent -deprovision+user -force\nfi",
        "systemd-run --wait --unit=x waagent -deprovision+user -force",
    ],
)
def test_deprovisioning_in_the_foreground_never_ends(compute: ComputeEmulator, line: str) -> None:
    operation = begin(compute, "desk-vm", line)
    compute.clock.advance(8 * 86_400)
    assert (status(compute, operation), power(compute, "desk-vm")) == ("InProgress", "running")
    assert system_of(compute).deprovisioned
    assert system_of(compute).homes == (("researcher",) if "+user" not in line else ())
    view = compute.ask("GET", "virtualMachines/desk-vm/instanceView").body
    assert view["vmAgent"]["statuses"][0]["displayStatus"] == "Not Ready"


def test_a_command_that_never_ends_blocks_others_after_restarts_too(compute: ComputeEmulator) -> None:
    begin(compute, "desk-vm", "waagent -deprovision+user -force")
    body = {"commandId": "RunShellScript", "script": ["echo a"]}
    for verb in ("restart", "powerOff", "start", "deallocate", "start", ""):
        compute.clock.advance(6000)
        if power(compute, "desk-vm") == "running":
            second = compute.ask("POST", "virtualMachines/desk-vm/runCommand", body)
            assert (second.status, second.code) == (409, "Conflict")
            assert second.message.startswith("Run command extension execution is in progress")
        if verb:
            assert compute.ask("POST", f"virtualMachines/desk-vm/{verb}").status == 202
    assert not system_of(compute).deprovisioned
    assert system_of(compute).homes == ()


SCHEDULED = "waagent -deprovision+user -force && sync && poweroff"


@pytest.mark.parametrize(
    ("script", "after_s"),
    [
        (f"systemd-run --on-active=30 /bin/sh -c '{SCHEDULED}'", 30),
        (f"sudo systemd-run --unit=x --on-active 1min --timer-property=AccuracySec=1 bash -c '{SCHEDULED}'", 60),
        (f"echo '{SCHEDULED}' | at now + 1 minute", 60),
        (f"at now +2 minutes <<'END'\n{SCHEDULED}\nEND\necho done", 120),
        (f"at now + 1 min <<< '{SCHEDULED}'", 60),
        (f"nohup sh -c 'sleep 20; {SCHEDULED}' > /dev/null 2>&1 &", 20),
        (f"setsid -f sh -c 'sleep 45 && {SCHEDULED}'", 45),
        (f"(sleep 1m; {SCHEDULED}) & disown", 60),
        (f"cat > /tmp/x.sh <<'END'\nsleep 30\n{SCHEDULED}\nEND\nchmod +x /tmp/x.sh; setsid /tmp/x.sh &", 30),
        ("systemd-run --on-active=30 sh -c 'waagent -deprovision+user -force; shutdown -h now'", 30),
        ("systemd-run --on-active=30 sh -c 'waagent -deprovision+user -force && systemctl poweroff'", 30),
    ],
)
def test_what_is_detached_returns_at_once_and_takes_effect_later(
    compute: ComputeEmulator, script: str, after_s: int
) -> None:
    operation = begin(compute, "desk-vm", *script.split("\n"))
    compute.clock.advance(14)
    assert status(compute, operation) == "Succeeded"
    assert not system_of(compute).deprovisioned
    compute.clock.advance(after_s - 10)
    assert (power(compute, "desk-vm"), system_of(compute).deprovisioned) == ("running", False)
    compute.clock.advance(30)
    assert (power(compute, "desk-vm"), system_of(compute).deprovisioned) == ("stopped", True)


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("waagent -deprovision+user -force", ("running", True)),
        ("waagent -deprovision+user && poweroff", ("running", False)),  # without force it asks, and nobody answers
        ("waagent -deprovision+user; poweroff", ("stopped", False)),
        ("nosuchprogram -deprovision+user -force && sync && poweroff", ("running", False)),
        ("poweroff", ("stopped", False)),
    ],
)
def test_power_off_follows_what_was_done(compute: ComputeEmulator, script: str, outcome: tuple[str, bool]) -> None:
    begin(compute, "desk-vm", f"systemd-run --on-active=30 sh -c '{script}'")
    compute.clock.advance(600)
    assert (power(compute, "desk-vm"), system_of(compute).deprovisioned) == outcome


def test_a_stop_before_the_time_cancels_what_was_scheduled(compute: ComputeEmulator) -> None:
    begin(compute, "desk-vm", f"systemd-run --on-active=60 sh -c '{SCHEDULED}'")
    compute.clock.advance(30)
    for verb in ("restart", "deallocate", "start"):
        assert compute.ask("POST", f"virtualMachines/desk-vm/{verb}").status == 202
        compute.clock.advance(600)
        assert not system_of(compute).deprovisioned
    assert power(compute, "desk-vm") == "running"


def test_a_process_that_stops_the_agent_at_once_is_not_reported(compute: ComputeEmulator) -> None:
    operation = begin(compute, "desk-vm", f"nohup sh -c '{SCHEDULED}' &")
    compute.clock.advance(600)
    assert (status(compute, operation), power(compute, "desk-vm")) == ("InProgress", "stopped")
    assert system_of(compute).deprovisioned


def test_the_scheduled_change_is_in_what_is_copied_after_it_only(compute: ComputeEmulator) -> None:
    begin(compute, "desk-vm", f"systemd-run --on-active=60 sh -c '{SCHEDULED}'")
    compute.ask("PUT", "snapshots/before", {"location": "eastus", "properties": {"creationData": copy_of(DISK)}})
    compute.clock.advance(3000)
    compute.snapshot("after", "desk-vm_OsDisk_1")
    found = {one: compute.store.get(resource(f"snapshots/{one}")) for one in ("before", "after")}
    states = {one: guest_state(compute.store, item, compute.clock.now()) for one, item in found.items()}
    assert (states["before"].deprovisioned, states["before"].homes) == (False, ("researcher",))
    assert (states["after"].deprovisioned, states["after"].homes) == (True, ())


# -- a way out ---------------------------------------------------------------------------------------------------


def test_without_a_way_out_only_the_power_state_tells(compute: ComputeEmulator) -> None:
    set_scenario(compute.store, "private-subnets")
    image = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"}
    machine(compute, imageReference=image, osDisk={"createOption": "FromImage", "name": "system"})
    operation = begin(compute, "vm", f"systemd-run --on-active=30 sh -c '{SCHEDULED}'")
    compute.clock.advance(7200)
    assert (status(compute, operation), power(compute, "vm")) == ("InProgress", "stopped")
    assert system_of(compute, "system").deprovisioned
    assert printed(compute, "echo a") == ("a\n", "")  # desk-vm has a public address


# -- what scripts print ------------------------------------------------------------------------------------------


def test_a_script_prints_and_its_parameters_are_positional(compute: ComputeEmulator) -> None:
    body = {
        "commandId": "RunShellScript",
        "script": ["set -e", "x=there", 'echo "hello $1, $x" && printf "%s\\n" a "$2"'],
        "parameters": [{"name": "a", "value": "you"}, {"name": "b", "value": "b c"}],
    }
    response = compute.ask("POST", "virtualMachines/desk-vm/runCommand", body)
    compute.clock.advance(60)
    (result,) = compute.ask("GET", response.headers["Azure-AsyncOperation"]).body["properties"]["output"]["value"]
    assert result["code"] == "ProvisioningState/succeeded"
    assert result["message"] == "Enable succeeded: \n[stdout]\nhello you, there\na\nb c\n\n[stderr]\n"


@pytest.mark.parametrize(
    ("script", "out", "err"),
    [
        (["echo a", "nosuchprogram -x", "echo b"], "a\nb\n", ": 2: nosuchprogram: not found\n"),
        (["set -e", "nosuchprogram", "echo b"], "", ": 2: nosuchprogram: not found\n"),
        (["set -e", "false || echo a", "false", "echo b"], "a\n", ""),
        (["exit 3", "echo b"], "", ""),
        (["echo a >&2", "echo b 2>/dev/null"], "b\n", "a\n"),
    ],
)
def test_a_script_that_fails_succeeds_and_only_its_output_tells(
    compute: ComputeEmulator, script: list[str], out: str, err: str
) -> None:
    stdout, stderr = printed(compute, *script)
    assert stdout == out
    assert stderr.endswith(err)


@pytest.mark.parametrize(
    ("line", "out"),
    [
        ("command -v waagent systemd-run", "/usr/sbin/waagent\n/usr/bin/systemd-run\n"),
        ("getent passwd researcher", "researcher:x:1000:1000::/home/researcher:/bin/bash\n"),
        ("getent passwd | cut -d: -f1 | grep -v root | tail -1", "researcher\n"),
        ("ls /home; stat -c %U /home/researcher", "researcher\nresearcher\n"),
        ("systemctl is-active walinuxagent", "active\n"),
        ("waagent -version | head -1", "WALinuxAgent-2.11.1.4 running on ubuntu 24.04\n"),
        ("[ -d /home/researcher ] && echo yes; test -e /home/other || echo no", "yes\nno\n"),
        ('who=$(whoami); echo "$who@$(hostname)"', "root@desk-vm\n"),
        ("userdel -r researcher; ls /home; id -u researcher 2>&1", "id: 'researcher': no such user\n"),
    ],
)
def test_what_a_script_looks_at_is_known(compute: ComputeEmulator, line: str, out: str) -> None:
    assert printed(compute, line)[0] == out


@pytest.mark.parametrize(
    "line",
    [
        "apt-get download x",
        "crontab -l",
        "while true; do echo a; done",
        "echo 'a",
        "sed y/a/",
        "[[ -f a ]]",
        "curl -O x",
        "python3 -c 'print(1)'",
        "awk 'function f() { }'",
        "dpkg --verify",
        "pip wheel x",
    ],
)
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


# -- Windows -----------------------------------------------------------------------------------------------------

SYSPREP = "C:\\Windows\\System32\\Sysprep\\sysprep.exe"
TASK = (
    f"$a = New-ScheduledTaskAction -Execute '{SYSPREP}' -Argument '/generalize /oobe /mode:vm /shutdown'\n"
    "Register-ScheduledTask -TaskName 'gen' -Action $a -User 'SYSTEM' "
)


@pytest.fixture
def windows(compute: ComputeEmulator) -> ComputeEmulator:
    machine(compute, imageReference=WINDOWS, osDisk={"createOption": "FromImage", "name": "system"})
    return compute


def test_windows_reports_the_state_of_sysprep(windows: ComputeEmulator) -> None:
    stdout, stderr = run(windows, "vm", "RunPowerShellScript", STATE)
    assert (stdout["code"], stderr["code"]) == ("ComponentStatus/StdOut/succeeded", "ComponentStatus/StdErr/succeeded")
    assert stdout["message"] == "IMAGE_STATE_COMPLETE"


@pytest.mark.parametrize(
    ("line", "state"),
    [
        (f"Start-Process -Wait {SYSPREP} -ArgumentList '/generalize /oobe /quit'", "running"),
        (f"& {SYSPREP} /generalize /oobe /quiet /quit", "running"),
        (f"Start-Process {SYSPREP} -ArgumentList '/generalize /oobe /shutdown' -Wait", "stopped"),
        (f'cmd.exe /c "{SYSPREP} /generalize /oobe /shutdown"', "stopped"),
    ],
)
def test_sysprep_in_the_foreground_never_ends(windows: ComputeEmulator, line: str, state: str) -> None:
    operation = begin(windows, "vm", line, STATE, command="RunPowerShellScript")
    windows.clock.advance(86_400)
    assert (status(windows, operation), power(windows, "vm")) == ("InProgress", state)
    assert system_of(windows, "system").deprovisioned


@pytest.mark.parametrize(
    ("script", "state"),
    [
        (f"Start-Process {SYSPREP} -ArgumentList '/generalize /oobe /mode:vm /shutdown /quiet'", "stopped"),
        (f"Start-Process -FilePath '{SYSPREP}' -ArgumentList '/generalize', '/oobe', '/quit'", "running"),
        (f"{TASK}-Trigger (New-ScheduledTaskTrigger -Once -At (Get-Date).AddMinutes(1)) | Out-Null", "stopped"),
        (f"{TASK}| Out-Null\nStart-ScheduledTask -TaskName gen", "stopped"),
        (
            (
                f'schtasks /create /tn gen /tr "{SYSPREP} /generalize /oobe /shutdown" /sc once /st 23:59 /f\n'
                "schtasks /run /tn gen"
            ),
            "stopped",
        ),
        (
            f"Start-Process powershell -ArgumentList '-Command \"Start-Sleep 20; & {SYSPREP} /generalize /shutdown\"'",
            "stopped",
        ),
    ],
)
def test_sysprep_in_a_process_of_its_own_takes_effect_later(windows: ComputeEmulator, script: str, state: str) -> None:
    run(windows, "vm", "RunPowerShellScript", "$ErrorActionPreference = 'Stop'", script)
    assert (power(windows, "vm"), system_of(windows, "system").deprovisioned) == ("running", False)
    windows.clock.advance(600)
    assert (power(windows, "vm"), system_of(windows, "system").deprovisioned) == (state, True)


def test_sysprep_needs_the_agents(windows: ComputeEmulator) -> None:
    line = f"Start-Process {SYSPREP} -ArgumentList '/generalize /oobe /mode:vm /shutdown'"
    wait = "while ((Get-Service RdAgent).Status -ne 'Running') { Start-Sleep -s 5 }"
    for script, done in (([line], False), ([wait, line], True)):
        windows.ask("POST", "virtualMachines/vm/restart")
        windows.clock.advance(40)
        begin(windows, "vm", *script, command="RunPowerShellScript")
        windows.clock.advance(1200)
        assert (power(windows, "vm") == "stopped", system_of(windows, "system").deprovisioned) == (done, done)


def test_powershell_says_what_it_does_not_know(windows: ComputeEmulator) -> None:
    stdout, stderr = run(windows, "vm", "RunPowerShellScript", "nosuchprogram -x", "Write-Output b")
    assert stdout["message"] == "b"
    assert "The term 'nosuchprogram' is not recognized" in stderr["message"]
    body = {"commandId": "RunPowerShellScript", "script": ["Install-Module x"]}
    assert windows.ask("POST", "virtualMachines/vm/runCommand", body).status == 501


# -- VMs and their disks and interfaces --------------------------------------------------------------------------


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
        "/Versions/20348.3807.250605"
    )


@pytest.mark.parametrize("option", ["Delete", "Detach"])
def test_an_interface_is_deleted_with_its_vm_if_set(compute: ComputeEmulator, option: str) -> None:
    image = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"}
    machine(
        compute, network=interface(option, tags={"a": "b"}), imageReference=image, osDisk={"createOption": "FromImage"}
    )
    listed = compute.ask("GET", INTERFACES, version="2024-05-01").body["value"]
    (made,) = [one for one in listed if one["name"].startswith("nic-")]
    assert made["tags"] == {"a": "b"}
    refused = compute.ask("DELETE", made["id"], version="2024-05-01")
    assert (refused.status, refused.code) == (400, "NicInUse")
    assert compute.ask("DELETE", "virtualMachines/vm").status == 202
    compute.clock.advance(600)
    gone = compute.ask("GET", made["id"], version="2024-05-01").status
    assert gone == (404 if option == "Delete" else 200)
    assert compute.ask("DELETE", made["id"], version="2024-05-01").status == (204 if option == "Delete" else 202)
    compute.clock.advance(60)
    assert compute.ask("GET", made["id"], version="2024-05-01").status == 404


def test_tags_can_be_taken_away(compute: ComputeEmulator) -> None:
    compute.ask("PATCH", "virtualMachines/desk-vm", {"tags": {"a": "b"}})
    compute.clock.advance(60)
    compute.ask("PATCH", "virtualMachines/desk-vm", {"tags": {}})
    compute.clock.advance(60)
    assert compute.ask("GET", "virtualMachines/desk-vm").body["tags"] == {}
