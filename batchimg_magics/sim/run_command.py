"""Run-command on a VM: the lines that deprovision a system are understood, others are not run and not answered.

Deprovisioning is what the simulator has to know of a system: images of one that was never deprovisioned make unusable
nodes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.sim import arm, compute, opening, virtual_machines
from batchimg_magics.sim.operations import PACES, Outcome, begin, took
from batchimg_magics.sim.vm_view import disk_key, disks_of
from batchimg_magics.sim.wire import Call, Refusal, Reply, Routes

if TYPE_CHECKING:
    from batchimg_magics.sim.world import Item

#: The agent asks back unless it is forced, and nobody answers a script.
_WAAGENT = re.compile(r"\bwaagent\b(?=.*\s-{1,2}deprovision(?:\+user)?\b)(?=.*\s-{1,2}force\b)", re.IGNORECASE)
_SYSPREP = re.compile(r"\bsysprep(?:\.exe)?\b.*[/-]generalize\b", re.IGNORECASE)
_SHUTDOWN = re.compile(r"[/-]shutdown\b|\bshutdown\b|\bStop-Computer\b|\bpoweroff\b", re.IGNORECASE)
#: Lines that change nothing which the simulator knows.
_HARMLESS = re.compile(
    r"(?:sudo\s+)?(?:export\s+\S+|HISTSIZE=0|sync|true|set\s+-\S+|cd\s+\S+|history\s+-c|#.*)?", re.IGNORECASE
)
_COMMANDS = {"runshellscript": "Linux", "runpowershellscript": "Windows"}

routes = Routes("arm")


@routes.on("POST", f"{arm.path_of(virtual_machines.VMS)}/runCommand")
def run_command(call: Call) -> Reply:
    """Run the lines that deprovision a system; 501 for any other."""
    vm = opening.need(call, arm.resource_id(call, virtual_machines.VMS))
    compute.refuse_at_work(call, vm)
    body = compute.part(call.body, "parameters")
    command = compute.text(body.get("commandId"), "commandId")
    lines = _lines(body.get("script"))
    virtual_machines.need_running(call, vm)
    (os_disk, *_) = disks_of(vm)
    if _COMMANDS.get(command.lower()) != os_disk.get("osType", "Linux"):
        raise compute.invalid("commandId", f"The command '{command}' is none of a {os_disk.get('osType')} VM's.")
    return _deprovision(call, vm, lines)


def _lines(script: object) -> list[str]:
    if not isinstance(script, list) or not all(isinstance(line, str) for line in script):
        raise compute.missing("script")
    return [part.strip() for line in script for part in re.split(r"\n|;|&&", line) if part.strip()]


def _deprovision(call: Call, vm: Item, lines: list[str]) -> Reply:
    unknown = [
        line
        for line in lines
        if not (_WAAGENT.search(line) or _SYSPREP.search(line) or _SHUTDOWN.search(line) or _HARMLESS.fullmatch(line))
    ]
    if unknown:
        message = f"The local Azure runs nothing inside a VM but what deprovisions it, and cannot run: {unknown[0]}"
        raise Refusal(501, "NotImplemented", message)
    pace = PACES["vm runCommand"]
    seconds = took(call, pace.seconds, vm.key)
    disk = call.world.get(disk_key(disks_of(vm)[0]))
    if disk is not None and any(_WAAGENT.search(line) or _SYSPREP.search(line) for line in lines):
        disk.hidden["deprovisioned"] = True
        call.world.put(disk)
    if any(_SHUTDOWN.search(line) for line in lines):
        virtual_machines.turn(call, vm, "powerOff", seconds + PACES["vm powerOff"].seconds)
    status = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "message": "Enable succeeded: \n[stdout]\n\n[stderr]\n",
    }
    outcome = Outcome(answer={"value": [status]})
    return Reply(202, None, begin(call, vm.doc["location"], "operations", seconds, pace, outcome))
