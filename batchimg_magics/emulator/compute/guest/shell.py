"""Runs shell scripts on simulated time: what they print, and when they change the operating system.

A script is interpreted, command by command. A command that the emulator does not model is refused; one that no VM has
is not found, as in a shell.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest import shell_values
from batchimg_magics.emulator.compute.guest.known_files import has_program, known_folders, known_names, known_text
from batchimg_magics.emulator.compute.guest.options import UnknownOptionError
from batchimg_magics.emulator.compute.guest.scripts import ScriptEndsError, UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_base import MAX_DEPTH, FunctionEndsError, ShellBase
from batchimg_magics.emulator.compute.guest.shell_compounds import run_compound
from batchimg_magics.emulator.compute.guest.shell_redirects import close_redirects, open_redirects
from batchimg_magics.emulator.compute.guest.shell_streams import Stream
from batchimg_magics.emulator.compute.guest.shell_syntax import AndOr, Command, Parser, Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.compute.guest.shell_words import Word

    #: (Shell, arguments with the name first, standard input or None) -> exit code.
    Program = Callable[["Shell", list[str], str | None], int]


class Shell(ShellBase):
    """One shell, with what it needs to run commands."""

    def find_program(self, name: str) -> Program | None:
        """Return a program by its name or path, None if the VM does not have it."""
        return self.programs.get(name.rpartition("/")[2]) if has_program(self, name) else None

    def run_argv(self, argv: list[str], stdin: str | None = None) -> int:
        """Run a function, or a program by its name or path."""
        if (function := self.functions.get(argv[0])) is not None:
            return self._call(function, argv, stdin)
        if (program := self.find_program(argv[0])) is not None:
            return self._run_program(program, argv, stdin)
        if "/" in argv[0] and self.read(argv[0]) is not None:
            return self.run_file(argv[0], argv[1:])
        if self.machine.program_s is not None:
            return self._skip(argv)
        return self.complain(f"{self.parameters[0]}: {self.line}: {argv[0]}: not found", 127)

    def _run_program(self, program: Program, argv: list[str], stdin: str | None) -> int:
        try:
            return program(self, argv, stdin)
        except UnsupportedLineError as error:
            if self.machine.program_s is None:
                raise
            if isinstance(error, UnknownOptionError):
                return self.complain(f"The emulator does not model this command: {error}", 2)
            return self._skip(argv)

    def _skip(self, argv: list[str]) -> int:
        """Let a program that is not modelled succeed after its time."""
        self.seconds += self.machine.program_s or 0.0
        self.unmodelled.append(" ".join(argv))
        return 0

    def _call(self, function: Command, argv: list[str], stdin: str | None) -> int:
        if self.depth >= MAX_DEPTH:
            raise UnsupportedLineError("functions that call each other")
        before, self.parameters = self.parameters, [self.parameters[0], *argv[1:]]
        self.depth += 1
        try:
            return self.run_command(function, stdin, tested=False)
        except FunctionEndsError:
            return self.status
        finally:
            self.parameters = before
            self.depth -= 1

    def run_file(self, path: str, arguments: list[str]) -> int:
        """Run a script that was written."""
        return self.run_child(self.read(path) or "", [path, *arguments])

    def run_child(self, text: str, parameters: list[str], *, errexit: bool = False) -> int:
        """Run a text in a shell of its own, and wait for it."""
        child = self.fork()
        child.stdout, child.stderr, child.parameters, child.errexit = self.stdout, self.stderr, parameters, errexit
        child.nounset = child.pipefail = False
        return self.wait(child, lambda: child.run_text(text))

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
        if len(pipeline.commands) == 1:
            status = self.run_command(pipeline.commands[0], None, tested=tested or pipeline.negated)
            return int(not status) if pipeline.negated else status
        stdin, statuses = None, []
        for number, command in enumerate(pipeline.commands):
            child = self.fork()
            child.stderr, child.errexit = self.stderr, self.errexit
            if number == len(pipeline.commands) - 1:
                child.stdout = self.stdout
            work = functools.partial(child.run_command, command, stdin, tested=tested)
            statuses.append(self.wait(child, work))
            stdin = "".join(child.stdout)
        failed = [one for one in statuses if one]
        status = failed[-1] if self.pipefail and failed else statuses[-1]
        return int(not status) if pipeline.negated else status

    def run_command(self, command: Command, stdin: str | None, *, tested: bool) -> int:
        """Run one command with its redirects."""
        before = self.stdout, self.stderr, self.stdin
        try:
            stdin, opened = open_redirects(self, command, stdin)
            if not opened:
                return 2 if command.simple else 1
            if command.simple:
                return self._run_simple(command, stdin)
            if stdin is not None:
                self.stdin = Stream(stdin)
            return run_compound(self, command, tested=tested)
        finally:
            close_redirects(self, before)

    def _run_simple(self, command: Command, stdin: str | None) -> int:
        self.line = command.line
        values = {}
        for name, word in command.assignments:
            values[name] = shell_values.expand_one(self, word)
            if not command.words:
                self.variables[name] = values[name]
        argv = [one for word in command.words for one in self.expand(word)]
        if not argv:
            return self.status if any(p.kind == "command" for _, w in command.assignments for p in w) else 0
        before = {name: self.variables.get(name) for name in values}
        self.variables |= values
        try:
            return self.run_argv(argv, stdin)
        finally:
            if argv[0] not in ("export", "exec", "local", "readonly", "eval", "."):
                self.variables |= {name: value for name, value in before.items() if value is not None}
                for name in (name for name, value in before.items() if value is None):
                    self.variables.pop(name, None)

    # -- words and redirects -------------------------------------------------------------------------------------

    def expand(self, word: Word) -> list[str]:
        """Return the words that a word stands for."""
        return shell_values.expand(self, word)

    def text_of(self, path: str) -> str | None:
        """Return the text of a file, also of one of the system; None if it does not exist or is not known."""
        full = self.full_path(path)
        text = self.files.read(full)
        return known_text(self, full) if text is None else text

    def kind_of(self, path: str) -> str:
        """Return the kind of a path: ``d``, ``f``, or empty if it does not exist."""
        full = self.full_path(path)
        if self.files.is_folder(full) or full in known_folders(self):
            return "d"
        return "f" if self.text_of(full) is not None or has_program(self, full) else ""

    def all_below(self, folder: str) -> list[str]:
        """Return the paths of the files and folders below a folder that are known."""
        top = folder.rstrip("/") + "/"
        folders = {one for one in known_folders(self) if one.startswith(top)}
        programs = {f"{one}/{name}" for one in {folder.rstrip("/"), *folders} for name in known_names(self, one)}
        return sorted({*self.files.below(folder), *folders, *programs})

    def names_in(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        top = folder.rstrip("/") + "/"
        return sorted({one.removeprefix(top).partition("/")[0] for one in self.all_below(folder)})
