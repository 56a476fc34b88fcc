"""The commands that are parts of a shell: variables, options, loops, ``read``, ``cd`` and ``trap``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.scripts import ScriptEndsError, UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_base import FunctionEndsError
from batchimg_magics.emulator.compute.guest.shell_compounds import LoopEndsError
from batchimg_magics.emulator.compute.guest.shell_streams import Stream

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.shell import Program, Shell


def _exit(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del stdin
    raise ScriptEndsError(int(argv[1]) % 256 if len(argv) > 1 and argv[1].isdigit() else shell.status)


def _return(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del stdin
    if len(argv) > 1 and argv[1].isdigit():
        shell.status = int(argv[1]) % 256
    raise FunctionEndsError


def _loop_end(*, goes_on: bool) -> Program:
    def run(_: Shell, argv: list[str], __: str | None) -> int:
        raise LoopEndsError(goes_on=goes_on, levels=int(argv[1]) if len(argv) > 1 and argv[1].isdigit() else 1)

    return run


def _set(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del stdin
    words = argv[1:]
    while words:
        word = words.pop(0)
        if word == "--":
            shell.parameters[1:] = words
            return 0
        if word in ("-o", "+o") and words:
            _option(shell, words.pop(0), on=word[0] == "-")
        elif re.fullmatch(r"[-+][a-zA-Z]+", word):
            for letter in word[1:]:
                if letter == "o" and words:
                    _option(shell, words.pop(0), on=word[0] == "-")
                else:
                    _option(shell, {"e": "errexit", "u": "nounset"}.get(letter, letter), on=word[0] == "-")
        else:
            shell.parameters[1:] = [word, *words]
            return 0
    return 0


def _option(shell: Shell, name: str, *, on: bool) -> None:
    if name == "errexit":
        shell.errexit = on
    elif name == "nounset":
        shell.nounset = on
    elif name == "pipefail":
        shell.pipefail = on


def _assign(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Set variables: ``export``, ``local``, ``readonly``, ``declare``."""
    del stdin
    pairs = (word.partition("=") for word in argv[1:] if "=" in word and not word.startswith("-"))
    shell.variables |= {name: value for name, _, value in pairs}
    return 0


def _unset(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del stdin
    for name in argv[1:]:
        shell.variables.pop(name, None)
        shell.functions.pop(name, None)
    return 0


def _read(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Read a line into variables; the last one gets the rest."""
    words, raw = argv[1:], False
    while words and words[0].startswith("-"):
        option = words.pop(0)
        raw = raw or "r" in option
        if re.search(r"[adinNptu]", option):
            raise UnsupportedLineError(" ".join(argv))
    stream = Stream(stdin) if stdin is not None else shell.stdin
    line = stream.line() if stream is not None else None
    ended = line is None or not line.endswith("\n")
    text = (line or "").removesuffix("\n")
    text = text if raw else re.sub(r"\\(.)", r"\1", text)
    for name, value in zip(words or ["REPLY"], _fields(shell, text, len(words) or 1), strict=False):
        shell.variables[name] = value
    return int(ended)


def _fields(shell: Shell, text: str, count: int) -> list[str]:
    """Return the parts of a line for as many variables."""
    separators = shell.variables.get("IFS", " \t\n")
    blanks = "".join(one for one in separators if one.isspace())
    text = text.strip(blanks) if blanks else text
    found: list[str] = []
    while len(found) < count - 1:
        others = re.escape("".join(one for one in separators if not one.isspace()))
        if not separators or not (match := re.search(_separator(re.escape(blanks), others), text)):
            break
        found.append(text[: match.start()])
        text = text[match.end() :]
    return [*found, text, *[""] * (count - len(found) - 1)]


def _separator(blanks: str, others: str) -> str:
    space = f"[{blanks}]" if blanks else ""
    if not others:
        return f"{space}+"
    return f"{space}*[{others}]{space}*|{space}+" if blanks else f"[{others}]"


def _shift(shell: Shell, argv: list[str], _: str | None) -> int:
    count = int(argv[1]) if len(argv) > 1 and argv[1].isdigit() else 1
    if count >= len(shell.parameters):
        return shell.complain("shift: can't shift that many", 2)
    del shell.parameters[1 : count + 1]
    return 0


def _cd(shell: Shell, argv: list[str], _: str | None) -> int:
    words = [one for one in argv[1:] if not re.fullmatch(r"-[LPe]|--", one)]
    path = words[0] if words else shell.variables.get("HOME", "/root")
    if path == "-":
        path = shell.variables.get("OLDPWD", shell.cwd)
    if shell.kind_of(path) != "d":
        return shell.complain(f"{shell.parameters[0]}: {shell.line}: cd: can't cd to {path}", 2)
    shell.variables["OLDPWD"], shell.cwd = shell.cwd, shell.full_path(path)
    return 0


def _pwd(shell: Shell, _: list[str], __: str | None) -> int:
    shell.stdout.append(f"{shell.cwd}\n")
    return 0


def _source(shell: Shell, argv: list[str], _: str | None) -> int:
    text = shell.text_of(argv[1]) if len(argv) > 1 else None
    if text is None:
        return shell.complain(
            f"{shell.parameters[0]}: {shell.line}: .: cannot open {' '.join(argv[1:])}: No such file", 2
        )
    try:
        return shell.run_text(text)
    except FunctionEndsError:
        return shell.status


def _trap(shell: Shell, argv: list[str], _: str | None) -> int:
    """Note what is run when the shell ends; other signals do not come."""
    if len(argv) > 2 and any(one in ("EXIT", "0") for one in argv[2:]):
        shell.variables["trap EXIT"] = "" if argv[1] == "-" else argv[1]
    return 0


BUILTINS: dict[str, Program] = {
    "exit": _exit,
    "return": _return,
    "break": _loop_end(goes_on=False),
    "continue": _loop_end(goes_on=True),
    "set": _set,
    "export": _assign,
    "local": _assign,
    "readonly": _assign,
    "declare": _assign,
    "unset": _unset,
    "read": _read,
    "shift": _shift,
    "cd": _cd,
    "pwd": _pwd,
    ".": _source,
    "source": _source,
    "trap": _trap,
}
