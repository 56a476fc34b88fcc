"""Run-command on a VM: the lines that generalize the operating system are supported, others are refused.

The emulator has to know whether an operating system is generalized, because images of one that is not lead to unusable
nodes. Around these lines a script may print text, and query the state of sysprep on Windows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.arm import assumed_resources, bodies, resource_types, resources
from batchimg_magics.emulator.arm.operations import OPERATION_TIMINGS, OperationResult, begin_operation, operation_s
from batchimg_magics.emulator.compute.model.vm_view import disk_key, disks_of
from batchimg_magics.emulator.compute.routes import virtual_machines
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item

#: Without force the agent asks for confirmation, and a script cannot answer.
_WAAGENT = re.compile(r"\bwaagent\b(?=.*\s-{1,2}deprovision(?:\+user)?\b)(?=.*\s-{1,2}force\b)", re.IGNORECASE)
_SYSPREP = re.compile(r"\bsysprep(?:\.exe)?\b.*[/-]generalize\b", re.IGNORECASE)
_SHUTDOWN = re.compile(r"[/-]shutdown\b|\bshutdown\b|\bStop-Computer\b|\bpoweroff\b", re.IGNORECASE)
#: Lines without an effect that the emulator models.
_HARMLESS = re.compile(
    r"(?:sudo\s+)?(?:export\s+\S+|HISTSIZE=0|sync|true|set\s+-\S+|cd\s+\S+|history\s+-c|#.*"
    r"|\$ErrorActionPreference\s*=\s*['\"]?\w+['\"]?)?",
    re.IGNORECASE,
)
#: Text that is printed as it is: neither shell substitutes anything in it.
_ECHO = re.compile(r"(?:echo|Write-Output)\s+(['\"]?)([\w .,:/=+-]*)\1", re.IGNORECASE)
#: The state of sysprep in the registry. Source: Microsoft's documents on image states.
_IMAGE_STATE = re.compile(r"\(?Get-ItemProperty\b.*\\Setup\\State\b.*\bImageState\b.*", re.IGNORECASE)
_STATES = {True: "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE", False: "IMAGE_STATE_COMPLETE"}
_KNOWN = (
    _WAAGENT.search,
    _SYSPREP.search,
    _SHUTDOWN.search,
    _HARMLESS.fullmatch,
    _ECHO.fullmatch,
    _IMAGE_STATE.fullmatch,
)
_COMMANDS = {"runshellscript": "Linux", "runpowershellscript": "Windows"}

routes = Routes("arm")


@routes.on("POST", f"{resources.path_of(virtual_machines.VMS)}/runCommand")
def run_command(call: Call) -> Reply:
    """Run the lines that generalize the operating system; 501 for others."""
    vm = assumed_resources.need_or_assume(call, resources.resource_id(call, virtual_machines.VMS))
    resource_types.refuse_during_operation(call, vm)
    body = bodies.part(call.body, "parameters")
    command = bodies.text(body.get("commandId"), "commandId")
    lines = _lines(body.get("script"))
    virtual_machines.need_running(call, vm)
    (os_disk, *_) = disks_of(vm)
    os_type = str(os_disk.get("osType", "Linux"))
    if _COMMANDS.get(command.lower()) != os_type:
        raise bodies.invalid("commandId", f"The command '{command}' is not supported on a {os_type} VM.")
    return _run(call, vm, os_type, lines)


def _lines(script: object) -> list[str]:
    if not isinstance(script, list) or not all(isinstance(line, str) for line in script):
        raise bodies.missing("script")
    return [part.strip() for line in script for part in re.split(r"\n|;|&&", line) if part.strip()]


def _run(call: Call, vm: Item, os_type: str, lines: list[str]) -> Reply:
    if call.now < vm.hidden.get("command_until", 0.0):
        message = (
            "Run command extension execution is in progress. Please wait for completion before invoking a run command."
        )
        raise Refusal(409, "Conflict", message)
    unknown = [line for line in lines if not any(known(line) for known in _KNOWN)]
    if unknown:
        message = f"The emulator runs only commands that generalize a VM, and cannot run: {unknown[0]}"
        raise Refusal(501, "NotImplemented", message)
    pace = OPERATION_TIMINGS["vm runCommand"]
    seconds = operation_s(call, pace.seconds, vm.key)
    printed = _printed(call, call.store.get(disk_key(disks_of(vm)[0])), lines)
    vm.hidden["command_until"] = call.now + seconds
    call.store.put(vm)
    if any(_SHUTDOWN.search(line) for line in lines):
        virtual_machines.change_power_state(call, vm, "powerOff", seconds + OPERATION_TIMINGS["vm powerOff"].seconds)
    outcome = OperationResult(answer={"value": _statuses(os_type, printed)})
    return Reply(202, None, begin_operation(call, vm.doc["location"], "operations", seconds, pace, outcome))


def _printed(call: Call, disk: Item | None, lines: list[str]) -> str:
    """Apply the lines to the operating system on a disk in order, and return their output."""
    printed = []
    for line in lines:
        if disk is not None and (_WAAGENT.search(line) or _SYSPREP.search(line)):
            disk.hidden["deprovisioned"] = True
            call.store.put(disk)
        elif _IMAGE_STATE.fullmatch(line):
            printed.append(_STATES[disk is not None and bool(disk.hidden.get("deprovisioned"))])
        elif match := _ECHO.fullmatch(line):
            printed.append(match[2].strip())
    return "\n".join(printed)


def _statuses(os_type: str, printed: str) -> list[dict[str, str]]:
    """Return the result of a script as Azure shows it: one message for Linux, one for each stream for Windows."""
    common = {"level": "Info", "displayStatus": "Provisioning succeeded"}
    if os_type == "Linux":
        message = f"Enable succeeded: \n[stdout]\n{printed}\n[stderr]\n"
        return [{"code": "ProvisioningState/succeeded", **common, "message": message}]
    return [
        {"code": f"ComponentStatus/{stream}/succeeded", **common, "message": text}
        for stream, text in (("StdOut", printed), ("StdErr", ""))
    ]
