"""The scripts that schedule the generalizing of an operating system: they return before it begins.

``waagent -deprovision`` stops the agent and removes its directory. The agent is what reports the end of a run-command,
so a run-command that deprovisions never ends. Sysprep with ``/shutdown`` does not return either. The scripts therefore
start a task of the system that begins later, and print a line. Source: WALinuxAgent, ``pa/deprovision/default.py``, and
its issue 3547; Microsoft's "Generalize a VM before creating an image".
"""

from __future__ import annotations

from batchimg_magics.core.base.package_scripts import image_script

__all__ = ["DEADLINE_S", "DELAY_S", "EXPECTED_S", "SCHEDULED", "command_of", "script_of", "work_of"]

#: Seconds between the script and the task: the run-command has to report its end first.
DELAY_S = 30
#: Usual seconds until the VM has stopped, by operating system. Assumed.
EXPECTED_S = {"Linux": 75.0, "Windows": 300.0}
#: The most seconds until the VM has stopped.
DEADLINE_S = {"Linux": 600.0, "Windows": 2700.0}
#: What a script prints when the task is scheduled.
SCHEDULED = "batchimg: scheduled"
_COMMANDS = {"Linux": "RunShellScript", "Windows": "RunPowerShellScript"}
_UNIT = "batchimg-deprovision"
#: Without ``+user`` the agent leaves accounts as they are: keys are removed, and passwords are locked.
_REMOVE_KEYS_AND_PASSWORDS = (
    "getent passwd | cut -d: -f6 | xargs -I{} rm -f {}/.ssh/authorized_keys {}/.ssh/authorized_keys2; "
    "getent passwd | cut -d: -f1 | xargs -n 1 passwd -l; "
)
#: What the task does. The files of extensions must not be in an image, since Batch installs its own, nor must the task.
#: ``/mode:vm`` is for an image that is used on the same hypervisor. Source: Microsoft's documents on sysprep.
_WINDOWS_WORK = (
    "Remove-Item -Path C:\\Packages\\Plugins -Recurse -Force -ErrorAction SilentlyContinue",
    "Unregister-ScheduledTask -TaskName batchimg-sysprep -Confirm:$false",
    "& $env:SystemRoot\\System32\\Sysprep\\Sysprep.exe /mode:vm /generalize /oobe /quiet /shutdown",
)


def command_of(os_type: str) -> str:
    """Return the id of the run-command for an operating system."""
    return _COMMANDS[os_type]


def work_of(os_type: str, *, keep_users: bool) -> str:
    """Return in a few words what generalizes the operating system."""
    if os_type == "Windows":
        return "sysprep /generalize"
    return "waagent -deprovision; keys and passwords removed" if keep_users else "waagent -deprovision+user"


def script_of(os_type: str, *, keep_users: bool) -> list[str]:
    """Return the lines of the script that writes the list of packages, and schedules the generalizing.

    Parameters
    ----------
    os_type
        ``Linux`` or ``Windows``.
    keep_users
        Whether accounts and home directories stay. Sysprep never removes them.
    """
    return _windows_script() if os_type == "Windows" else _linux_script(keep_users=keep_users)


def _linux_script(*, keep_users: bool) -> list[str]:
    is_scheduled = f"systemctl is-active --quiet {_UNIT}.timer {_UNIT}.service"
    users, before = ("", _REMOVE_KEYS_AND_PASSWORDS) if keep_users else ("+user", "")
    work = f"{before}waagent -deprovision{users} -force && sync && poweroff"
    return [
        "set -e",
        "command -v waagent > /dev/null || { echo 'waagent is not installed' >&2; exit 1; }",
        # Where an earlier run scheduled the task, little time is left.
        *image_script("Linux", written_if=f"[ -d /run/systemd/system ] && {is_scheduled}"),
        "if [ -d /run/systemd/system ]; then",
        # A task that an earlier run scheduled is not scheduled twice.
        (f"{is_scheduled} || systemd-run --unit={_UNIT} --on-active={DELAY_S} /bin/sh -c '{work}'"),
        "else",
        f"setsid nohup /bin/sh -c 'sleep {DELAY_S}; {work}' > /dev/null 2>&1 &",
        "fi",
        f"echo {SCHEDULED}",
    ]


def _windows_script() -> list[str]:
    work = "; ".join(_WINDOWS_WORK)
    return [
        "$ErrorActionPreference = 'Stop'",
        *image_script("Windows"),
        # What the agents do when a VM has just started must end before sysprep. Source: Packer's documents.
        "while ((Get-Service RdAgent).Status -ne 'Running') { Start-Sleep -s 5 }",
        "while ((Get-Service WindowsAzureGuestAgent).Status -ne 'Running') { Start-Sleep -s 5 }",
        "Remove-Item -Path C:\\Windows\\Panther -Recurse -Force -ErrorAction SilentlyContinue",
        f"$action = New-ScheduledTaskAction -Execute powershell.exe -Argument '-NoProfile -Command \"{work}\"'",
        f"$trigger = New-ScheduledTaskTrigger -Once -At (Get-Date).AddSeconds({DELAY_S})",
        "Register-ScheduledTask -TaskName batchimg-sysprep -Action $action -Trigger $trigger -User SYSTEM -Force",
        f"Write-Output '{SCHEDULED}'",
    ]
