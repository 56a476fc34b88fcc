"""The standard output and standard error of a command line, as far as the emulator can tell.

``echo`` and ``seq`` are interpreted, with their redirections; a program that cannot be started has the message of the
shell. No other command is executed, which the output says.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from batchimg_magics.emulator.batch.fleet.commands import NOT_FOUND, NOT_PERMITTED
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.fleet.commands import CommandResult

evidence = Evidence("Output of commands on nodes")
evidence.rule(
    "echo and seq write to the output files, and a program that cannot be started has the message of a shell; "
    "other commands write nothing.",
    "the emulator executes no commands",
)
_SHELL_PROBLEMS = {NOT_FOUND: "not found", NOT_PERMITTED: "Permission denied"}
_TO_STDERR = re.compile(r"\s*1?>&2\s*$")
_TO_FILE = re.compile(r"\s*[12&]?>>?\s*(?!&)\S+")
_ECHO = re.compile(r"echo(?:\s+-[neE]+)*(?:\s+(?P<text>.*))?", re.DOTALL)
_SEQ = re.compile(r"seq(?:\s+(?P<first>\d+))?\s+(?P<last>\d{1,7})")
_SILENT = re.compile(r"(?:sleep|start-sleep|timeout|true|false|/bin/true|/bin/false)\b.*", re.IGNORECASE | re.DOTALL)


def command_output(command: str, result: CommandResult, exit_code: int | None) -> tuple[str, str]:
    """Return what a command wrote to standard output and standard error.

    Parameters
    ----------
    command, result
        The command line, and its result by its text.
    exit_code
        The exit code that it had, which a scenario may decide; None while it runs.
    """
    status = "is running" if exit_code is None else f"exited with {exit_code}"
    output = [f"The emulator executes no commands. By its rules, this command {status}:\n{command}\n"]
    errors: list[str] = []
    for word, code in result.ran if exit_code is not None else ():
        _run(word, code, output, errors)
    if exit_code and not result.exit_code:  # the text succeeds: a scenario lets it fail
        errors.append(f"{_program(result)}: error: the failure scenario of the emulator ends it\n")
    if exit_code:
        errors.append(f"exit code {exit_code}\n")
    return "".join(output), "".join(errors)


def _run(word: str, code: int, output: list[str], errors: list[str]) -> None:
    """Append what one command of the line writes."""
    if code in _SHELL_PROBLEMS:
        errors.append(f"/bin/sh: 1: {_first(word)}: {_SHELL_PROBLEMS[code]}\n")
        return
    where = errors if _TO_STDERR.search(word) else output
    plain = _TO_STDERR.sub("", word)
    if _TO_FILE.search(plain) or _SILENT.fullmatch(plain):
        return
    if said := _ECHO.fullmatch(plain):
        where.append(f"{_words(said['text'] or '')}\n")
    elif counted := _SEQ.fullmatch(plain):
        where.extend(f"{number}\n" for number in range(int(counted["first"] or 1), int(counted["last"]) + 1))


def _words(text: str) -> str:
    """Return the words of a command as the shell passes them on."""
    try:
        return " ".join(shlex.split(text))
    except ValueError:
        return text


def _program(result: CommandResult) -> str:
    return next((_first(word) for word, _ in reversed(result.ran)), "/bin/sh")


def _first(words: str) -> str:
    return words.split(maxsplit=1)[0]
