"""Commands that run in VMs: when they start and report, and what they do to a VM and its OS disk.

The Azure agent runs a command and reports its result. A command that deprovisions stops that agent,
so nobody ever reports it; a detached process goes on without the agent. Results also need a way out of the subnet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.arm.operations import OPERATION_TIMINGS, operation_s
from batchimg_magics.emulator.compute.guest import system
from batchimg_magics.emulator.compute.guest.machine import Machine, Reach
from batchimg_magics.emulator.compute.guest.powershell import run_powershell_script
from batchimg_magics.emulator.compute.guest.powershell_lists import run_list_script
from batchimg_magics.emulator.compute.guest.programs import PROGRAMS
from batchimg_magics.emulator.compute.guest.script_runs import run_shell_script
from batchimg_magics.emulator.compute.guest.scripts import ScriptRun, UnsupportedLineError
from batchimg_magics.emulator.compute.model import guest_contents
from batchimg_magics.emulator.compute.model.vm_view import disk_key, disks_of, started_at
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.network.outbound import has_way_out, reaches_internet
from batchimg_magics.emulator.world.chance import NEVER
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

evidence = Evidence("Run-command")
_REPORT_S = evidence.assumed(
    5.0,
    "s",
    "from the end of a script until the agent has reported it; an agent that is stopped in that time never does",
    "no recording shows it",
)
evidence.rule(
    "A run-command that was never reported stays in progress for ever, whatever happens to the VM.",
    "azure-cli #14642: the limit of 90 minutes does not end it, and stopping and starting the VM does not either",
)
evidence.rule(
    "After its next start a generalized VM has an agent again; the deleted accounts stay deleted.",
    "the agent's service is stopped, not disabled; no recording shows such a VM",
)


class CommandCourse(msgspec.Struct, frozen=True):
    """The course of a command in a VM.

    Parameters
    ----------
    begins, ends
        When its script starts, and when that ends: `NEVER` if it does not.
    accepted, reported
        When Azure knows that it runs, and when it knows its result: `NEVER` if nobody reports it.
    run
        The script's output and exit code.
    """

    begins: float
    ends: float
    accepted: float
    reported: float
    run: ScriptRun


def os_disk_of(call: Call, vm: Item) -> Item | None:
    """Return the OS disk of a VM, None for one that is not managed."""
    disks = disks_of(vm)
    return call.store.get(disk_key(disks[0])) if disks else None


def start_command(call: Call, vm: Item, os_type: str, text: str, parameters: list[str]) -> CommandCourse:
    """Run a script in a VM, from now on.

    Raises
    ------
    Refusal
        The emulator cannot tell what a line does.
    """
    disk = os_disk_of(call, vm)
    total_s = operation_s(call, OPERATION_TIMINGS["vm runCommand"].seconds, vm.key)
    begins = max(call.now + max(1.0, total_s - _REPORT_S), started_at(vm))
    state = msgspec.structs.replace(system.guest_state(call.store, disk, begins), os_type=os_type)
    stops = min(vm.hidden.get("stops_at", NEVER), _agent_stops(disk, begins))
    if not state.agent or begins >= stops:
        return CommandCourse(NEVER, NEVER, NEVER, NEVER, ScriptRun(seconds=NEVER))
    out = has_way_out(call.store, call.now, _interfaces(vm))
    run = _interpret(_machine(call, vm, disk, state, begins), text, parameters)
    _apply(call, vm, disk, [msgspec.structs.replace(one, at=begins + one.at) for one in run.changes])
    ends = NEVER if run.hangs else begins + run.seconds
    stops = min(stops, _agent_stops(disk, begins), vm.hidden.get("stops_at", NEVER))
    accepted, reported = begins + _REPORT_S, ends + _REPORT_S
    return CommandCourse(
        begins,
        ends,
        accepted if out and accepted < stops else NEVER,
        reported if out and reported < stops and not run.hangs else NEVER,
        run,
    )


def _machine(call: Call, vm: Item, disk: Item | None, state: system.GuestState, begins: float) -> Machine:
    """Return what a script finds out about a VM."""
    name = str((vm.doc["properties"].get("osProfile") or {}).get("computerName") or vm.doc["name"])
    named = vm.hidden.get("system") or ("ubuntu", "22.04")
    guest = {} if disk is None else system.facts_at(disk, begins).get(system.GUEST) or {}
    default = guest_contents.list_of_disk({"osType": state.os_type} if disk is None else disk.doc["properties"])
    reach: Reach = "internet" if reaches_internet(call.store, call.now, _interfaces(vm)) else "azure"
    if not has_way_out(call.store, call.now, _interfaces(vm)):
        reach = "none"
    return Machine(
        name,
        (str(named[0]), str(named[1])),
        state,
        begins,
        started_at(vm),
        guest_contents.packages_of(call.store, guest, default),
        guest_contents.files_of(call.store, guest),
        reach,
    )


def _interpret(machine: Machine, text: str, parameters: list[str]) -> ScriptRun:
    try:
        if machine.state.os_type == "Windows":
            return _windows(machine, text)
        return run_shell_script(machine, PROGRAMS, text, parameters)
    except UnsupportedLineError as error:
        message = f"The emulator does not model this command in a VM, and cannot run: {error}"
        raise Refusal(501, "NotImplemented", message) from error


def _windows(machine: Machine, text: str) -> ScriptRun:
    """Run a script that generalizes Windows, or one that lists what is installed."""
    try:
        return run_powershell_script(machine, text)
    except UnsupportedLineError as error:
        try:
            return run_list_script(machine, text)
        except UnsupportedLineError:
            raise error from None


def _interfaces(vm: Item) -> list[str]:
    profile = vm.doc["properties"].get("networkProfile") or {}
    return [str(one.get("id") or "") for one in profile.get("networkInterfaces") or []]


def _agent_stops(disk: Item | None, after: float) -> float:
    """Return when the agent is stopped next, `NEVER` if that is not planned."""
    planned = [] if disk is None else disk.hidden.get(system.LATER, [])
    return min(
        (one["at"] for one in planned if one["facts"].get("agent") is False and one["at"] >= after), default=NEVER
    )


def _apply(call: Call, vm: Item, disk: Item | None, changes: list[system.GuestChange]) -> None:
    """Plan the changes of a script: what is due after the VM has stopped does not happen."""
    stop = min((one.at for one in changes if one.stops), default=NEVER)
    stop = min(stop, vm.hidden.get("stops_at", NEVER))
    if stop < NEVER:
        vm.hidden["stops_at"] = stop
        call.store.put(vm)
    if disk is not None:
        kept = guest_contents.stored(call.store, (one for one in changes if one.at <= stop))
        system.plan_changes(call.store, disk, kept)
