"""Take out of a system what belongs to one machine (host name, keys, accounts), so that many can be made of it.

It is done inside the VM, by run-command, and ruins the VM for other work. That the script ran to its end is read from
what it printed: Azure also calls a run-command a success that stopped half way, and nodes of a system that was not
deprovisioned come up unusable, and are billed.
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

#: Seconds: minutes for sysprep, less for the Linux agent. Assumed: nobody recorded them.
EXPECTED_S = {"Linux": 30.0, "Windows": 180.0}
#: Command, script, and what the script prints when it is done.
#: Source: Microsoft's "Generalize a Linux VM" and "Generalize a Windows VM"; the registry key, which sysprep sets when
#: it is done, is what Packer's documents wait for. ``/quit`` and not ``/shutdown``: somebody has to hear of it.
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
    """See to it that a VM's system is deprovisioned; tell whether that was done, and not found.

    A VM that runs has it (still, or again) to do; one that is stopped and bears the mark has it done. One that is
    stopped without the mark is started for it.

    Parameters
    ----------
    azure, vm, os_type
        Which; Linux or Windows.
    image
        The hash of the image that it is done for.

    Raises
    ------
    ProvisioningError
        The script did not run to its end.
    """
    found = await virtual_machines.wait_until_idle(azure, vm)
    marked = virtual_machines.tag(found, tags.DEPROVISIONED) == image
    if virtual_machines.is_generalized(found) or (marked and virtual_machines.power(found) != "running"):
        return False
    await virtual_machines.start(azure, vm)
    command, script, done = _SCRIPTS[os_type]
    messages = await virtual_machines.run_script(azure, vm, command, script)
    if (problem := _problem(messages, done)) is not None:
        raise ProvisioningError(
            f"the system of VM {vm.name} was not deprovisioned: {problem}",
            resource_id=str(vm),
            state="Failed",
            hint="look what stands in its way on a VM of your own (Linux: the Azure agent; Windows: sysprep's logs "
            "in C:\\Windows\\System32\\Sysprep\\Panther), then run the same line again",
        )
    await virtual_machines.set_tags(azure, vm, {tags.DEPROVISIONED: image})
    return True


def _problem(said: list[Json], done: str) -> str | None:
    """Return what went wrong in a run-command, None where the script ran to its end."""
    messages = [str(one.get("message") or "") for one in said]
    if any("succeeded" not in str(one.get("code")).lower() for one in said):
        return " ".join(messages).strip().replace("\n", " ") or "run-command failed"
    if not any(done in message for message in messages):
        return "its script stopped before the end: " + (" ".join(messages).strip().replace("\n", " ") or "no output")
    return None
