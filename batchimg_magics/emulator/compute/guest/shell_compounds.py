"""The compound commands of a shell: groups, ``if``, ``case``, loops and functions."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_syntax import Case, Function, Loop
from batchimg_magics.emulator.compute.guest.shell_values import expand, expand_one, expand_pattern

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.shell_base import ShellBase
    from batchimg_magics.emulator.compute.guest.shell_syntax import Command

#: The number of rounds of all loops of a script.
_MAX_ROUNDS = 20_000


class LoopEndsError(Exception):
    """A loop ends, or goes on with its next round: ``break`` and ``continue``."""

    def __init__(self, *, goes_on: bool, levels: int) -> None:
        super().__init__(str(levels))
        self.goes_on, self.levels = goes_on, levels


def run_compound(shell: ShellBase, command: Command, *, tested: bool) -> int:
    """Run a compound command, and return its exit code."""
    if command.subshell:
        child = shell.fork()
        child.stdout, child.stderr, child.errexit = shell.stdout, shell.stderr, shell.errexit
        return shell.wait(child, lambda: child.run_list(command.group or [], tested=tested))
    if command.group is not None:
        return shell.run_list(command.group, tested=tested)
    if isinstance(command.compound, Loop):
        return _run_loop(shell, command.compound, tested=tested)
    if isinstance(command.compound, Case):
        return _run_case(shell, command.compound, tested=tested)
    if isinstance(command.compound, Function):
        shell.functions[command.compound.name] = command.compound.body
        return 0
    return _run_if(shell, command, tested=tested)


def _run_if(shell: ShellBase, command: Command, *, tested: bool) -> int:
    for condition, commands in command.branches:
        if condition is None or shell.run_list(condition, tested=True) == 0:
            shell.status = 0
            return shell.run_list(commands, tested=tested)
    return 0


def _run_case(shell: ShellBase, choice: Case, *, tested: bool) -> int:
    text = expand_one(shell, choice.word)
    for patterns, commands in choice.choices:
        if any(fnmatch.fnmatchcase(text, expand_pattern(shell, one)) for one in patterns):
            shell.status = 0
            return shell.run_list(commands, tested=tested)
    return 0


def _run_loop(shell: ShellBase, loop: Loop, *, tested: bool) -> int:
    words = shell.parameters[1:] if loop.words is None else [w for one in loop.words for w in expand(shell, one)]
    status, at = 0, 0
    while _goes_on(shell, loop, words, at):
        at += 1
        shell.rounds[0] += 1
        if shell.rounds[0] > _MAX_ROUNDS:
            raise UnsupportedLineError("a loop that does not end")
        try:
            shell.status = 0
            status = shell.run_list(loop.body, tested=tested)
        except LoopEndsError as end:
            status = 0
            if end.levels > 1:
                raise LoopEndsError(goes_on=end.goes_on, levels=end.levels - 1) from end
            if not end.goes_on:
                break
    return status


def _goes_on(shell: ShellBase, loop: Loop, words: list[str], at: int) -> bool:
    if loop.condition is not None:
        return (shell.run_list(loop.condition, tested=True) == 0) is not loop.until
    if at < len(words):
        shell.variables[loop.name] = words[at]
    return at < len(words)
