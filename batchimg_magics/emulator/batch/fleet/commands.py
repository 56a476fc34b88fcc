"""The result of a command line: its duration and exit code, as far as the emulator can tell.

No command is executed. ``sleep``, ``timeout``, ``exit``, ``false`` and ``true`` are interpreted, joined by ``&&``,
``||``, ``;`` and ``&``, inside ``/bin/sh -c`` and ``cmd /c``; every other word is a program that succeeds after some
time, and so is a subshell in parentheses, ``( ... )``, that is set off by spaces. A shell whose script ends with
``exec "$@"`` counts as the command line after it.
"""

from __future__ import annotations

import re

import msgspec

from batchimg_magics.emulator.world.evidence import Evidence

_SHELL = re.compile(
    r"""^\s*(?:\S*/)?(?:(?:ba|da|z)?sh\s+(?:-\w+\s+)*-\w*c|cmd(?:\.exe)?\s+(?:/\w+(?::\w+)?\s+)*?/c|powershell(?:\.exe)?\s+-c(?:ommand)?)\s+(?P<rest>.*)$""",
    re.IGNORECASE | re.DOTALL,
)
#: A shell that replaces itself by the words after its script.
_EXEC = re.compile(r"""\s*(?:\S*/)?(?:ba|da|z)?sh\s+-c\s+'[^']*\bexec "\$@"'\s+\S+\s+(?P<rest>.*)""", re.DOTALL)
_SEPARATOR = re.compile(r"(&&|\|\||;|\n|(?<!>)&(?!>))")
_SUBSHELL = re.compile(r"(?<!\S)\( .*? \)(?!\S)", re.DOTALL)
_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SLEEP = re.compile(r"(?:start-)?sleep\s+(?:-s(?:econds)?\s+)?(?P<count>\d+(?:\.\d+)?)(?P<unit>[smhd]?)", re.IGNORECASE)
_TIMEOUT = re.compile(r"timeout\s+(?:/t\s+)?(?P<count>\d+)(?P<unit>)(?:\s.*)?", re.IGNORECASE)
_EXIT = re.compile(r"exit(?:\s+/b)?(?:\s+(?P<code>\d+))?", re.IGNORECASE)


#: Exit codes of a shell for programs that do not exist or may not be run.
NOT_FOUND, NOT_PERMITTED = 127, 126
evidence = Evidence("Commands on nodes")
evidence.rule(
    "A command that names a path in a home directory which the image does not have ends with 127; without elevation a "
    "path in one that it has ends with 126.",
    "the agent deletes the home of the provisioned account; home directories of Ubuntu are readable by their owner",
)
#: A path in the home directory of an account on Linux.
_HOME = re.compile(r"(?<![\w.])/home/(?P<account>[A-Za-z_][\w.-]*)")


class CommandResult(msgspec.Struct, frozen=True):
    """The result of a command.

    Parameters
    ----------
    seconds
        Its duration.
    exit_code
        0 is success.
    ran
        The commands of the line that were run, each with its exit code.
    """

    seconds: float
    exit_code: int
    ran: tuple[tuple[str, int], ...] = ()


def command_result(
    command: str, program_s: float, *, homes: frozenset[str] | None = None, elevated: bool = False
) -> CommandResult:
    """Return the result of a command line.

    Parameters
    ----------
    command
        The command line of a start task or a task.
    program_s
        The duration of a program that the emulator does not interpret.
    homes
        The accounts that have a home directory on the node; None: they are not known.
    elevated
        Whether the command may read them.
    """
    if replaced := _EXEC.fullmatch(command):
        command = replaced["rest"]
    match = _SHELL.match(command)
    parts = _SEPARATOR.split(_SUBSHELL.sub("subshell", _unquoted(match["rest"])) if match else command)
    seconds, code = 0.0, 0
    ran: list[tuple[str, int]] = []
    for joint, text in zip(["", *parts[1::2]], parts[::2], strict=True):
        word = text.strip()
        if not word or (joint == "&&" and code) or (joint == "||" and not code):
            continue
        if leaves := _EXIT.fullmatch(word):
            return CommandResult(seconds, int(leaves["code"] or code) % 256, tuple(ran))
        if code := _home_problem(word, homes, elevated=elevated):
            ran.append((word, code))
            continue
        waits = _SLEEP.fullmatch(word) or _TIMEOUT.fullmatch(word)
        seconds += float(waits["count"]) * _UNITS_S[waits["unit"].lower()] if waits else program_s * (word != "true")
        code = 1 if word.lower() == "false" or word == "/bin/false" else 0
        ran.append((word, code))
    return CommandResult(seconds, code, tuple(ran))


def _home_problem(word: str, homes: frozenset[str] | None, *, elevated: bool) -> int:
    """Return the exit code of a program that needs a home directory: it is not there, or not readable; 0 otherwise."""
    named = [match["account"] for match in _HOME.finditer(word)]
    if homes is None or not named:
        return 0
    if not homes.issuperset(named):
        return NOT_FOUND
    return 0 if elevated else NOT_PERMITTED


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" else text
