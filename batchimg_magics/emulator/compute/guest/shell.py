"""Runs shell scripts on simulated time: what they print, and when they change the operating system.

A script is interpreted, command by command. A command that the emulator does not model is refused; one that no VM has
is not found, as in a shell.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.compute.guest.scripts import ScriptRun, UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_syntax import AndOr, Command, Parser, Pipeline
from batchimg_magics.emulator.compute.guest.system import GuestChange, GuestState, latest_fact
from batchimg_magics.emulator.world.chance import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchimg_magics.emulator.compute.guest.shell_words import Word

    #: (Shell, arguments with the name first, standard input or None) -> exit code.
    Program = Callable[["Shell", list[str], str | None], int]
#: The depth to which shells may start shells.
_MAX_DEPTH = 20
#: Where run-command keeps the script; error messages contain it. Source: recorded.
SCRIPT_PATH = "/var/lib/waagent/run-command/download/0/script.sh"


class ScriptEndsError(Exception):
    """A shell ends, with an exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class AgentStoppedError(Exception):
    """The agent that runs a script is stopped, so that the script does not end."""


class Machine(msgspec.Struct, frozen=True):
    """What a script finds out about its VM.

    Parameters
    ----------
    name
        The host name.
    system
        The name and the version of the operating system.
    state
        Its state when the script starts.
    now
        The time when the script starts, in seconds since 1970.
    booted
        The time when the VM started.
    """

    name: str
    system: tuple[str, str]
    state: GuestState
    now: float = 0.0
    booted: float = 0.0


class Shell(msgspec.Struct):
    """One shell.

    Parameters
    ----------
    machine, programs
        The VM, and the programs on it.
    seconds
        The time since the start of the script.
    variables, parameters
        Of the shell; ``$0`` is the first parameter.
    stdout, stderr
        Where it prints.
    files
        The files that the script wrote: path -> text.
    changes
        What all shells of the script did to the VM.
    homes
        The accounts with a home directory.
    errexit
        Whether ``set -e`` is in effect.
    detached
        Whether it goes on when the agent is stopped.
    depth
        How many shells started each other.
    status, line
        The exit code of the last command, and the line of the current one.
    """

    machine: Machine
    programs: Mapping[str, Program]
    seconds: float = 0.0
    variables: dict[str, str] = msgspec.field(default_factory=dict)
    parameters: list[str] = msgspec.field(default_factory=lambda: [SCRIPT_PATH])
    stdout: list[str] = msgspec.field(default_factory=list)
    stderr: list[str] = msgspec.field(default_factory=list)
    files: dict[str, str] = msgspec.field(default_factory=dict)
    changes: list[GuestChange] = msgspec.field(default_factory=list)
    homes: list[str] = msgspec.field(default_factory=list)
    errexit: bool = False
    detached: bool = False
    depth: int = 0
    status: int = 0
    line: int = 0

    # -- what programs do ----------------------------------------------------------------------------------------

    def change(self, **facts: object) -> None:
        """Change the state of the operating system at the time of the shell."""
        self.changes.append(GuestChange(self.seconds, facts))

    def need_detached(self) -> None:
        """End a script whose agent is stopped, unless it is detached."""
        if not self.detached:
            raise AgentStoppedError

    def agent_runs(self) -> bool:
        """Tell whether the agent runs at the time of the shell."""
        return latest_fact(self.changes, self.seconds, "agent", self.machine.state.agent)

    def fork(self, *, detached: bool = False, delay_s: float = 0.0) -> Shell:
        """Return a shell with the variables of this one that prints elsewhere."""
        if self.depth >= _MAX_DEPTH:
            raise UnsupportedLineError("scripts that start each other")
        return msgspec.structs.replace(
            self,
            seconds=self.seconds + delay_s,
            variables=dict(self.variables),
            parameters=list(self.parameters),
            stdout=[],
            stderr=[],
            homes=list(self.homes),
            errexit=False,
            detached=detached or self.detached,
            depth=self.depth + 1,
        )

    def detach(self, work: Callable[[Shell], object], delay_s: float = 0.0) -> None:
        """Do something after a delay in a process of its own, while this shell goes on."""
        child = self.fork(detached=True, delay_s=delay_s)
        try:
            work(child)
        except ScriptEndsError as end:
            child.status = end.code

    def run_argv(self, argv: list[str], stdin: str | None = None) -> int:
        """Run a program by its name or path."""
        name = argv[0].rpartition("/")[2]
        if (program := self.programs.get(name)) is not None:
            return program(self, argv, stdin)
        if argv[0] in self.files:
            return self.run_file(argv[0], argv[1:])
        self.stderr.append(f"{self.parameters[0]}: {self.line}: {argv[0]}: not found\n")
        return 127

    def run_file(self, path: str, arguments: list[str]) -> int:
        """Run a script that this one wrote."""
        return self.run_child(self.files[path], [path, *arguments])

    def run_child(self, text: str, parameters: list[str], *, errexit: bool = False) -> int:
        """Run a text in a shell of its own, and wait for it."""
        child = self.fork()
        child.stdout, child.stderr, child.parameters, child.errexit = self.stdout, self.stderr, parameters, errexit
        try:
            return child.run_text(text)
        except ScriptEndsError as end:
            return end.code
        finally:
            self.seconds = child.seconds
            self.homes[:] = child.homes

    # -- running commands ----------------------------------------------------------------------------------------

    def run_text(self, text: str) -> int:
        """Run the commands of a text."""
        return self.run_list(Parser(text).script())

    def run_list(self, commands: list[AndOr], *, tested: bool = False) -> int:
        """Run commands, and return the exit code of the last one; `tested` if a condition contains them."""
        for one in commands:
            if one.background:
                self.detach(functools.partial(Shell.run_and_or, commands=one))
                self.status = 0
            else:
                self.run_and_or(one, tested=tested)
        return self.status

    def run_and_or(self, commands: AndOr, *, tested: bool = False) -> int:
        """Run pipelines that ``&&`` and ``||`` join."""
        last = len(commands.pipelines) - 1
        for number, pipeline in enumerate(commands.pipelines):
            if (pipeline.joint == "&&" and self.status) or (pipeline.joint == "||" and not self.status):
                continue
            self.status = self._run_pipeline(pipeline, tested=tested or number < last)
            if self.status and self.errexit and not tested and number == last and not pipeline.negated:
                raise ScriptEndsError(self.status)
        return self.status

    def _run_pipeline(self, pipeline: Pipeline, *, tested: bool) -> int:
        stdin: str | None = None
        *before, last = pipeline.commands
        for command in before:
            child = self.fork()
            child.stderr = self.stderr
            child.run_command(command, stdin, tested=tested)
            self.seconds, stdin = child.seconds, "".join(child.stdout)
        status = self.run_command(last, stdin, tested=tested)
        return int(not status) if pipeline.negated else status

    def run_command(self, command: Command, stdin: str | None, *, tested: bool) -> int:
        """Run one command with its redirects."""
        outputs = self.stdout, self.stderr
        try:
            stdin = self._redirect(command, stdin)
            if command.branches:
                return self._run_if(command, tested=tested)
            if command.group is not None:
                return self.run_list(command.group, tested=tested)
            return self._run_simple(command, stdin)
        finally:
            self._close_files()
            self.stdout, self.stderr = outputs

    def _run_if(self, command: Command, *, tested: bool) -> int:
        for condition, commands in command.branches:
            if condition is None or self.run_list(condition, tested=True) == 0:
                self.status = 0
                return self.run_list(commands, tested=tested)
        return 0

    def _run_simple(self, command: Command, stdin: str | None) -> int:
        self.line = command.line
        values = {name: self.expand_one(word) for name, word in command.assignments}
        argv = [one for word in command.words for one in self.expand(word)]
        if not argv:
            self.variables |= values
            return self.status if any(p.kind == "command" for _, w in command.assignments for p in w) else 0
        return self.run_argv(argv, stdin)

    # -- words and redirects -------------------------------------------------------------------------------------

    def expand(self, word: Word) -> list[str]:
        """Return the words that a word stands for: unquoted substitutions are split."""
        found: list[str] = []
        current: str | None = None
        for part in word:
            text = self._value(part.kind, part.value, part.default)
            if part.kind == "text" or part.quoted:
                current = (current or "") + text
                continue
            pieces = text.split()
            if text[:1].isspace() and current is not None:
                found.append(current)
                current = None
            for number, piece in enumerate(pieces):
                if number and current is not None:
                    found.append(current)
                    current = None
                current = (current or "") + piece
            if pieces and text[-1:].isspace():
                found.append(str(current))
                current = None
        return found if current is None else [*found, current]

    def expand_one(self, word: Word) -> str:
        """Return the text of a word, without splitting it."""
        return "".join(self._value(part.kind, part.value, part.default) for part in word)

    def _value(self, kind: str, value: str, default: str) -> str:
        if kind == "text":
            return value
        if kind == "variable":
            return self._variable(value) or default
        child = self.fork()
        child.stderr = self.stderr
        try:
            self.status = child.run_text(value)
        except ScriptEndsError as end:
            self.status = end.code
        self.seconds = child.seconds
        return "".join(child.stdout).rstrip("\n")

    def _variable(self, name: str) -> str:
        if name.isdigit():
            return self.parameters[int(name)] if int(name) < len(self.parameters) else ""
        special = {
            "?": str(self.status),
            "#": str(len(self.parameters) - 1),
            "@": " ".join(self.parameters[1:]),
            "*": " ".join(self.parameters[1:]),
            "$": "4242",
            "!": "4243",
            "-": "e" if self.errexit else "",
        }
        return special[name] if name in special else self.variables.get(name, _ENVIRONMENT.get(name, ""))

    def _redirect(self, command: Command, stdin: str | None) -> str | None:
        for operator, target in command.redirects:
            stream, sign = operator.rstrip("<>&|"), operator.lstrip("0123456789")
            text = self.expand_one(target)
            if sign in ("<<", "<<<"):
                stdin = text + ("\n" if sign == "<<<" else "")
            elif sign == "<":
                stdin = self.files.get(text, "")
            elif sign == ">&" and text.isdigit():
                self._join(stream, text)
            else:
                self._open(stream, sign, text)
        return stdin

    def _join(self, stream: str, other: str) -> None:
        if stream == "2" and other == "1":
            self.stderr = self.stdout
        elif stream in ("", "1") and other == "2":
            self.stdout = self.stderr

    def _open(self, stream: str, sign: str, path: str) -> None:
        sink = _FileOutput(path, self.files.get(path, "") if sign.endswith(">>") else "")
        if sign.startswith("&") or sign == ">&":
            self.stdout = self.stderr = sink
        elif stream == "2":
            self.stderr = sink
        else:
            self.stdout = sink

    def _close_files(self) -> None:
        for sink in (self.stdout, self.stderr):
            if isinstance(sink, _FileOutput) and not sink.path.startswith("/dev/"):
                self.files[sink.path] = "".join(sink)


_ENVIRONMENT = {"HOME": "/root", "USER": "root", "LOGNAME": "root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PWD": "/"}


class _FileOutput(list[str]):
    """The output into a file."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__([text] if text else [])
        self.path = path


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
    shell = Shell(machine, programs, homes=list(machine.state.homes or ()))
    shell.parameters += parameters
    try:
        code = shell.run_text(text)
    except ScriptEndsError as end:
        code = end.code
    except AgentStoppedError:
        code, shell.seconds = 0, NEVER
    return ScriptRun("".join(shell.stdout), "".join(shell.stderr), code, shell.seconds, shell.changes)
