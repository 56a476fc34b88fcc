"""Runs the whole of a shell script, from its beginning to what is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.files import GuestFiles
from batchimg_magics.emulator.compute.guest.scripts import AgentStoppedError, ScriptEndsError, ScriptRun
from batchimg_magics.emulator.compute.guest.shell import Shell
from batchimg_magics.emulator.compute.guest.shell_base import FunctionEndsError
from batchimg_magics.emulator.compute.guest.shell_compounds import LoopEndsError
from batchimg_magics.emulator.world.chance import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.emulator.compute.guest.machine import Machine
    from batchimg_magics.emulator.compute.guest.shell import Program
    from batchimg_magics.emulator.compute.guest.system import GuestChange


def run_shell_script(machine: Machine, programs: Mapping[str, Program], text: str, parameters: list[str]) -> ScriptRun:
    """Return the course of a shell script.

    Parameters
    ----------
    machine, programs
        The VM, and the programs on it.
    text, parameters
        The script and its positional parameters.

    Raises
    ------
    UnsupportedLineError
        The emulator does not model one of its commands.
    """
    shell = Shell(machine, programs, machine.packages, GuestFiles(machine.files), homes=list(machine.state.homes or ()))
    shell.variables |= machine.environment
    shell.parameters += parameters
    try:
        code = _ended(shell, text)
        if last := shell.variables.pop("trap EXIT", ""):
            _ended(shell, last)
    except AgentStoppedError:
        code, shell.seconds = 0, NEVER
    changes = _last_writes(shell.changes)
    out, err = "".join(shell.stdout), "".join(shell.stderr)
    return ScriptRun(out, err, code, shell.seconds, changes, shell.files.texts, shell.unmodelled)


def _ended(shell: Shell, text: str) -> int:
    """Run a text to its end, and return the exit code."""
    try:
        return shell.run_text(text)
    except ScriptEndsError as end:
        return end.code
    except (FunctionEndsError, LoopEndsError):
        return shell.status


def _last_writes(changes: list[GuestChange]) -> list[GuestChange]:
    """Return the changes of which only the last one of each file, and the last one of the packages, are left."""
    found: list[GuestChange] = []
    seen: set[str] = set()
    ordered = sorted(changes, key=lambda one: one.at)
    for one in ordered[::-1]:
        names = set(one.facts.get("files") or ()) | ({"packages"} & set(one.facts))
        if not names or names - seen:
            found.append(one)
        seen |= names
    return found[::-1]
