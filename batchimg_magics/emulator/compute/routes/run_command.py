"""Run-command on a VM: scripts that generalize its operating system, and what such scripts look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import assumed_resources, bodies, resource_types, resources
from batchimg_magics.emulator.arm.operations import OPERATION_TIMINGS, OperationResult, begin_operation
from batchimg_magics.emulator.compute.model import body_rules, guest_commands
from batchimg_magics.emulator.compute.routes import virtual_machines
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.scripts import ScriptRun

_COMMANDS = {"runshellscript": "Linux", "runpowershellscript": "Windows"}
#: How many bytes of the output Azure returns, from its end. Source: Microsoft's page on run-command.
MAX_OUTPUT = 4096

routes = Routes("arm")


@routes.on("POST", f"{resources.path_of(virtual_machines.VMS)}/runCommand")
def run_command(call: Call) -> Reply:
    """Run a script in a VM; 501 for lines that the emulator does not model."""
    vm = assumed_resources.need_or_assume(call, resources.resource_id(call, virtual_machines.VMS))
    resource_types.refuse_during_operation(call, vm)
    body = body_rules.check_action(call.body, "RunCommandInput")
    command = bodies.text(body.get("commandId"), "commandId")
    text = _script(body.get("script"))
    virtual_machines.need_running(call, vm)
    os_type = os_type_of(vm.doc["properties"])
    if _COMMANDS.get(command.lower()) != os_type:
        raise bodies.invalid("commandId", f"The command '{command}' is not supported on a {os_type} VM.")
    _refuse_second(call, vm.hidden.get("command_until", 0.0))
    parameters = [
        str(one.get("value") or "") for one in bodies.parts(body.get("parameters"), "parameters") if "value" in one
    ]
    course = guest_commands.start_command(call, vm, os_type, text, parameters)
    vm.hidden["command_until"] = course.reported
    call.store.put(vm)
    outcome = OperationResult(answer={"value": _statuses(os_type, course.run)})
    seconds = course.reported - call.now
    pace = OPERATION_TIMINGS["vm runCommand"]
    return Reply(202, None, begin_operation(call, vm.doc["location"], "operations", seconds, pace, outcome))


def os_type_of(properties: dict[str, Any]) -> str:
    """Return the type of a VM's operating system."""
    storage = properties.get("storageProfile") or {}
    return str((storage.get("osDisk") or {}).get("osType", "Linux"))


def _refuse_second(call: Call, until: float) -> None:
    if call.now < until:
        message = (
            "Run command extension execution is in progress. Please wait for completion before invoking a run command."
        )
        raise Refusal(409, "Conflict", message)


def _script(script: object) -> str:
    if not isinstance(script, list) or not all(isinstance(line, str) for line in script):
        raise bodies.missing("script")
    return "\n".join(script)


def end_of(text: str) -> str:
    """Return as much of an output as Azure does; a character that is cut is left out."""
    return text.encode("utf-8", "replace")[-MAX_OUTPUT:].decode("utf-8", "ignore")


def _statuses(os_type: str, run: ScriptRun) -> list[dict[str, str]]:
    """Return the result of a script as Azure shows it, whatever its exit code: one message, or two on Windows."""
    common = {"level": "Info", "displayStatus": "Provisioning succeeded"}
    out, err = end_of(run.stdout), end_of(run.stderr)
    if os_type == "Linux":
        message = f"Enable succeeded: \n[stdout]\n{out}\n[stderr]\n{err}"
        return [{"code": "ProvisioningState/succeeded", **common, "message": message}]
    return [
        {"code": f"ComponentStatus/{stream}/succeeded", **common, "message": text}
        for stream, text in (("StdOut", out), ("StdErr", err))
    ]
