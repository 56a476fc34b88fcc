"""The state of a shell, and what programs do to it and to the VM."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Self

import msgspec

from batchimg_magics.emulator.compute.guest.scripts import AgentStoppedError, ScriptEndsError, UnsupportedLineError
from batchimg_magics.emulator.compute.guest.system import GuestChange, latest_fact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchimg_magics.emulator.compute.guest.files import GuestFiles
    from batchimg_magics.emulator.compute.guest.machine import Machine
    from batchimg_magics.emulator.compute.guest.packages import PackageSet
    from batchimg_magics.emulator.compute.guest.shell_streams import Stream
    from batchimg_magics.emulator.compute.guest.shell_syntax import AndOr, Command

#: The depth to which shells may start shells.
MAX_DEPTH = 20
#: Where run-command keeps the script; error messages contain it. Source: recorded.
SCRIPT_PATH = "/var/lib/waagent/run-command/download/0/script.sh"
#: The variables of a script that starts.
ENVIRONMENT = {
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}


class FunctionEndsError(Exception):
    """A function returns."""


class ShellBase(msgspec.Struct):
    """One shell: its state. `Shell` runs commands.

    Parameters
    ----------
    machine, programs
        The VM, and the programs on it.
    packages, files
        What is installed, and the files; all shells of a script share them.
    seconds
        The time since the start of the script.
    variables, parameters, functions
        Of the shell; ``$0`` is the first parameter.
    stdin, stdout, stderr
        The input that a loop or a group reads, and where it prints.
    changes, unmodelled
        What all shells of the script did to the VM, and the programs that are not modelled, and succeed.
    homes
        The accounts with a home directory.
    errexit, nounset, pipefail
        The options of ``set``.
    detached
        Whether it goes on when the agent is stopped.
    depth, rounds
        How many shells started each other, and how many rounds loops had.
    cwd
        The working directory.
    status, line
        The exit code of the last command, and the line of the current one.
    """

    machine: Machine
    programs: Mapping[str, Callable[..., int]]
    packages: PackageSet
    files: GuestFiles
    seconds: float = 0.0
    variables: dict[str, str] = msgspec.field(default_factory=dict)
    parameters: list[str] = msgspec.field(default_factory=lambda: [SCRIPT_PATH])
    functions: dict[str, Command] = msgspec.field(default_factory=dict)
    stdin: Stream | None = None
    stdout: list[str] = msgspec.field(default_factory=list)
    stderr: list[str] = msgspec.field(default_factory=list)
    changes: list[GuestChange] = msgspec.field(default_factory=list)
    unmodelled: list[str] = msgspec.field(default_factory=list)
    homes: list[str] = msgspec.field(default_factory=list)
    errexit: bool = False
    nounset: bool = False
    pipefail: bool = False
    detached: bool = False
    depth: int = 0
    rounds: list[int] = msgspec.field(default_factory=lambda: [0])
    cwd: str = "/"
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

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return self.machine.now + self.seconds

    def complain(self, text: str, code: int = 1) -> int:
        """Print an error message, and return an exit code."""
        self.stderr.append(f"{text}\n")
        return code

    def full_path(self, path: str) -> str:
        """Return an absolute path."""
        joined = posixpath.normpath(posixpath.join(self.cwd, path))
        return joined[1:] if joined.startswith("//") else joined

    def read(self, path: str) -> str | None:
        """Return the text of a file that was written."""
        return self.files.read(self.full_path(path))

    def take_input(self, stdin: str | None) -> str:
        """Return the text of a pipe or redirect, or what is left of the input of the loop or group."""
        if stdin is not None:
            return stdin
        return "" if self.stdin is None else self.stdin.rest()

    def write(self, path: str, text: str) -> bool:
        """Write a file, and tell whether its folder exists."""
        full = self.full_path(path)
        if full.startswith("/dev/"):
            return True
        if self.kind_of(posixpath.dirname(full)) != "d" or self.kind_of(full) == "d":
            return False
        self.put_file(full, text)
        return True

    def put_file(self, full: str, text: str | None) -> None:
        """Set the text of a file or folder of a full path, or delete it."""
        if text is None:
            self.files.texts.pop(full, None)
        else:
            self.files.texts[full] = text
        self.change(files={full: text})

    def set_package(self, manager: str, name: str, version: str | None) -> None:
        """Install a version of a package, or remove it."""
        self.packages.put(manager, name, version)
        self.change(packages=self.packages.facts())

    def upgrade_packages(self, manager: str) -> None:
        """Upgrade all packages of a manager."""
        self.packages.upgrade(manager, self.now())
        self.change(packages=self.packages.facts())

    def path(self) -> str:
        """Return the folders in which programs are searched for."""
        return self.variables.get("PATH", ENVIRONMENT["PATH"])

    def fork(self, *, detached: bool = False, delay_s: float = 0.0) -> Self:
        """Return a shell with the variables of this one that prints elsewhere."""
        if self.depth >= MAX_DEPTH:
            raise UnsupportedLineError("scripts that start each other")
        return msgspec.structs.replace(
            self,
            seconds=self.seconds + delay_s,
            variables=dict(self.variables),
            parameters=list(self.parameters),
            functions=dict(self.functions),
            stdout=[],
            stderr=[],
            homes=list(self.homes) if detached else self.homes,
            errexit=False,
            detached=detached or self.detached,
            depth=self.depth + 1,
        )

    def detach(self, work: Callable[[Self], object], delay_s: float = 0.0) -> None:
        """Do something after a delay in a process of its own, while this shell goes on."""
        child = self.fork(detached=True, delay_s=delay_s)
        try:
            work(child)
        except ScriptEndsError as end:
            child.status = end.code

    def wait(self, child: Self, work: Callable[[], int]) -> int:
        """Run a shell of its own to its end, and return its exit code."""
        try:
            return work()
        except ScriptEndsError as end:
            return end.code
        except FunctionEndsError:
            return child.status
        finally:
            self.seconds = child.seconds

    # -- what `Shell` does ---------------------------------------------------------------------------------------

    def text_of(self, path: str) -> str | None:
        """Return the text of a file, also of one of the system; None if it does not exist or is not known."""
        raise NotImplementedError

    def kind_of(self, path: str) -> str:
        """Return the kind of a path: ``d``, ``f``, or empty if it does not exist."""
        raise NotImplementedError

    def names_in(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        raise NotImplementedError

    def run_list(self, commands: list[AndOr], *, tested: bool = False) -> int:
        """Run commands, and return the exit code of the last one; `tested` if a condition contains them."""
        raise NotImplementedError

    def run_text(self, text: str) -> int:
        """Run the commands of a text."""
        raise NotImplementedError
