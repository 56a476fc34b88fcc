"""Managed run commands: scripts in a VM that are resources, with a state of their own.

Source: Microsoft's page on managed run commands, and a recording of 2021: the operation succeeds although the script
failed, unless the body asks to treat that as a failure; the instance view has the exit code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import assumed_resources, bodies, resource_types, resources
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.compute.model import body_rules, guest_commands
from batchimg_magics.emulator.compute.model.vm_view import power_state
from batchimg_magics.emulator.compute.routes import virtual_machines
from batchimg_magics.emulator.compute.routes.run_command import end_of, os_type_of
from batchimg_magics.emulator.http.messages import Call, Refusal, Routes
from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item

COMMANDS = f"{virtual_machines.VMS}/runCommands"
evidence = Evidence("Managed run commands")
evidence.rule(
    "A managed run command whose agent is stopped reads Running for ever.",
    "the agent reports the states of all commands; no recording shows one that was cut off",
)

routes = Routes("arm")


def _build(call: Call, old: Item | None) -> BuildResult:
    vm = assumed_resources.need_parent(call, resources.resource_id(call, virtual_machines.VMS))
    if power_state(vm, call.now) not in ("running", "starting"):
        message = "Cannot modify extensions in the VM when the VM is not running."
        raise Refusal(409, "OperationNotAllowed", message)
    asked = call.body["properties"]
    text = _script(bodies.part(asked.get("source"), "source"))
    listed = bodies.parts(asked.get("parameters"), "parameters")
    parameters = [str(one.get("value") or "") for one in listed]
    course = guest_commands.start_command(call, vm, os_type_of(vm.doc["properties"]), text, parameters)
    run = course.run
    shown = {name: one for name, one in asked.items() if not name.startswith("protected") and name != "instanceView"}
    settled = {"asyncExecution": False, "treatFailureAsDeploymentFailure": False} | shown
    fails = settled["treatFailureAsDeploymentFailure"] and run.exit_code and not settled["asyncExecution"]
    error = ("VMExtensionProvisioningError", f"VM reported a failure: exit code {run.exit_code}.") if fails else None
    facts: dict[str, Any] = {
        "begins": course.begins,
        "ends": course.ends,
        "reported": course.reported,
        "code": run.exit_code,
    }
    facts |= {"out": end_of(run.stdout), "err": end_of(run.stderr)}
    known = {name: one for name, one in (old.hidden if old is not None else {}).items() if name != "work"}
    until = course.accepted if settled["asyncExecution"] else course.reported
    return BuildResult(settled, known | facts, seconds=until - call.now, error=error)


def _script(source: dict[str, Any]) -> str:
    """Return the script of a body; the emulator cannot read one from a URL or from Azure's own list."""
    if "script" in source:
        return bodies.text(source["script"], "source.script")
    if source.get("scriptUri") or source.get("commandId"):
        raise Refusal(501, "NotImplemented", "The emulator runs only scripts that are in the body (source.script).")
    raise bodies.missing("source")


def _show(call: Call, item: Item) -> dict[str, Any]:
    document = resources.document_at(item, call.now) or {}
    if "instanceview" not in call.query.get("$expand", "").lower():
        return document
    return document | {"properties": document["properties"] | {"instanceView": _instance_view(item, call.now)}}


def _instance_view(item: Item, now: float) -> dict[str, Any]:
    hidden = item.hidden
    if now < hidden["begins"]:
        return {"executionState": "Pending", "output": "", "error": "", "exitCode": 0}
    view = {"startTime": timestamp(hidden["begins"], zone="+00:00"), "output": "", "error": "", "exitCode": 0}
    if now < hidden["reported"]:
        return {"executionState": "Running", "executionMessage": "Execution in progress", **view}
    return view | {
        "executionState": "Failed" if hidden["code"] else "Succeeded",
        "executionMessage": "Execution completed",
        "exitCode": hidden["code"],
        "output": hidden["out"],
        "error": hidden["err"],
        "endTime": timestamp(hidden["ends"], zone="+00:00"),
    }


resource_types.register(
    routes,
    ResourceType(
        COMMANDS,
        _build,
        "vm runCommand",
        "vm update",
        by_subscription=False,
        show=_show,
        check_body=body_rules.check_of(COMMANDS),
    ),
)
