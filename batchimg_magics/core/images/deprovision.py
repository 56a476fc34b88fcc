"""Generalize the operating system inside a VM: remove host name, keys and accounts with waagent or sysprep.

A run-command does it, and the VM cannot be used for other work after it. The output of the script proves that it
finished: Azure also reports success for a script that stopped. Nodes of an image that is not generalized are unusable
and are billed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.compute import virtual_machines
from batchimg_magics.errors import ProvisioningError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.resource_ids import ResourceId

#: Usual duration in seconds. Assumed.
EXPECTED_S = {"Linux": 30.0, "Windows": 180.0}
#: Command, script, and what the script prints when it has finished.
#: Source: Microsoft's "Generalize a Linux VM" and "Generalize a Windows VM"; the registry key, which sysprep sets when
#: it has finished, is the one in Packer's documents. ``/quit`` and not ``/shutdown``: the command has to return.
_SCRIPTS = {
    "Linux": (
        "RunShellScript",
        ["set -e", "waagent -deprovision+user -force", "echo batchimg: deprovisioned"],
        "batchimg: deprovisioned",
    ),
    "Windows": (
        "RunPowerShellScript",
        [
            "$ErrorActionPreference = 'Stop'",
            (
                'Start-Process -Wait -FilePath "$env:SystemRoot\\System32\\Sysprep\\Sysprep.exe" '
                "-ArgumentList '/generalize /oobe /quiet /quit'"
            ),
            "(Get-ItemProperty HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Setup\\State).ImageState",
        ],
        "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE",
    ),
}


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
    command, script, done = _SCRIPTS[os_type]
    messages = await virtual_machines.run_script(azure, vm, command, script)
    if (problem := _problem(messages, done)) is not None:
        raise ProvisioningError(
            f"VM {vm.name} was not generalized: {problem}",
            resource_id=str(vm),
            state="Failed",
            hint="find the cause on your VM (Linux: the Azure agent; Windows: sysprep's logs in "
            "C:\\Windows\\System32\\Sysprep\\Panther), then run the same command again",
        )
    await virtual_machines.set_tags(azure, vm, {tags.DEPROVISIONED: image})
    return True


def _problem(statuses: list[Json], done: str) -> str | None:
    """Return the failure of a run-command; None where the script finished."""
    messages = [str(one.get("message") or "") for one in statuses]
    if any("succeeded" not in str(one.get("code")).lower() for one in statuses):
        return " ".join(messages).strip().replace("\n", " ") or "run-command failed"
    if not any(done in message for message in messages):
        return "the script did not finish: " + (" ".join(messages).strip().replace("\n", " ") or "no output")
    return None
