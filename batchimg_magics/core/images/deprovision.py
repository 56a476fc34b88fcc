"""Generalize the operating system inside a VM: remove host name, keys and accounts with waagent or sysprep.

A run-command only schedules it and returns: deprovisioning stops the Azure agent, so a command that waits for it is
never reported. The VM then stops by itself, and only if it was generalized: its power state is the proof. The VM cannot
be used for other work after it. Nodes of an image that is not generalized are unusable and are billed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling, tags
from batchimg_magics.core.azure.polling import PollPace, PollResult
from batchimg_magics.core.compute import virtual_machines
from batchimg_magics.errors import ProvisioningError, WaitTimeoutError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.resource_ids import ResourceId

#: Usual duration in seconds. Assumed.
EXPECTED_S = {"Linux": 65.0, "Windows": 180.0}
#: How long a VM may take until it has stopped, in seconds.
_DEADLINE_S = {"Linux": 600.0, "Windows": 2700.0}
#: The time between two looks at the power state.
_PACE = PollPace(1 / 20, 2.0, 15.0)
#: Command, script, and what it prints when it has scheduled the work.
#: Source: WALinuxAgent #3547 and DevTest Labs for the detached command; Microsoft's "Generalize a Windows VM" and
#: Packer's documents for the agents that sysprep waits for and for ``/mode:vm``.
_SCRIPTS = {
    "Linux": (
        "RunShellScript",
        [
            "set -e",
            (
                "systemd-run --on-active=30 --unit=batchimg-deprovision "
                "/bin/sh -c 'waagent -deprovision+user -force && sync && poweroff'"
            ),
            "echo batchimg: scheduled",
        ],
    ),
    "Windows": (
        "RunPowerShellScript",
        [
            "$ErrorActionPreference = 'Stop'",
            "while ((Get-Service RdAgent).Status -ne 'Running') { Start-Sleep -s 5 }",
            "while ((Get-Service WindowsAzureGuestAgent).Status -ne 'Running') { Start-Sleep -s 5 }",
            (
                'Start-Process -FilePath "$env:SystemRoot\\System32\\Sysprep\\Sysprep.exe" '
                "-ArgumentList '/generalize /oobe /quiet /mode:vm /shutdown'"
            ),
            "Write-Output 'batchimg: scheduled'",
        ],
    ),
}
_SCHEDULED = "batchimg: scheduled"


async def deprovision(azure: Azure, vm: ResourceId, os_type: str, image: str) -> bool:
    """Generalize the operating system in a VM unless it is; return whether it was done.

    A running VM is not generalized. A stopped VM with the tag is; a stopped VM without it is started first.

    Parameters
    ----------
    azure, vm, os_type
        The connection, the id of the VM, and ``Linux`` or ``Windows``.
    image
        The hash of the image that the VM is generalized for.

    Raises
    ------
    ProvisioningError
        The script did not finish.
    """
    found = await virtual_machines.wait_until_idle(azure, vm)
    has_tag = virtual_machines.tag(found, tags.DEPROVISIONED) == image
    if virtual_machines.is_generalized(found) or (has_tag and virtual_machines.power(found) != "running"):
        return False
    await virtual_machines.start(azure, vm)
    command, script = _SCRIPTS[os_type]
    messages = await virtual_machines.run_script(azure, vm, command, script)
    if (problem := _problem(messages, _SCHEDULED)) is None:
        problem = await _wait_until_stopped(azure, vm, _DEADLINE_S[os_type])
    if problem is not None:
        raise ProvisioningError(
            f"VM {vm.name} was not generalized: {problem}",
            resource_id=str(vm),
            state="Failed",
            hint="find the cause on your VM (Linux: the Azure agent; Windows: sysprep's logs in "
            "C:\\Windows\\System32\\Sysprep\\Panther), then run the same command again",
        )
    await virtual_machines.set_tags(azure, vm, {tags.DEPROVISIONED: image})
    return True


async def _wait_until_stopped(azure: Azure, vm: ResourceId, deadline_s: float) -> str | None:
    """Wait until a VM has stopped by itself; return the problem where it has not by the deadline."""

    async def poll() -> PollResult[None]:
        found = await virtual_machines.read(azure, vm)
        return PollResult(found is None or virtual_machines.power(found) == "stopped", None)

    try:
        await polling.poll_until(
            azure, poll, what=f"deprovisioning VM {vm.name}", first_s=30.0, timeout_s=deadline_s, pace=_PACE
        )
    except WaitTimeoutError:
        return f"it has not stopped by itself after {deadline_s / 60:.0f} min"
    return None


def _problem(statuses: list[Json], done: str) -> str | None:
    """Return the failure of a run-command; None where the script finished."""
    messages = [str(one.get("message") or "") for one in statuses]
    if any("succeeded" not in str(one.get("code")).lower() for one in statuses):
        return " ".join(messages).strip().replace("\n", " ") or "run-command failed"
    if not any(done in message for message in messages):
        return "the script did not finish: " + (" ".join(messages).strip().replace("\n", " ") or "no output")
    return None
