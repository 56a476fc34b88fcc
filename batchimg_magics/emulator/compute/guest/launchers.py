"""The programs of a Linux VM that start others: at once, later, or in a shell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.options import read_options
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_words import unescape

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.shell import Program, Shell

#: The units of times in seconds, as systemd, ``at`` and ``sleep`` have them.
UNITS_S = {
    "": 1.0, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 0.001, "msec": 0.001,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0,
    "hours": 3600.0, "d": 86_400.0, "day": 86_400.0, "days": 86_400.0,
}  # fmt: skip


def _prefix(*with_value: str) -> Program:
    """Return a program that runs the one in its arguments; some of its options have a value of their own."""

    def run(shell: Shell, argv: list[str], stdin: str | None) -> int:
        rest = after_options(argv[1:], with_value)
        if not rest:
            return 0
        pairs = dict(one.split("=", 1) for one in argv[1 : len(argv) - len(rest)] if re.match(r"\w+=", one))
        before = shell.variables
        shell.variables = before | pairs if pairs else before
        try:
            return shell.run_argv(rest, stdin)
        finally:
            shell.variables = before

    return run


def after_options(words: list[str], with_value: tuple[str, ...]) -> list[str]:
    """Return the words after the options; those of `with_value` have a value of their own."""
    at = 0
    while at < len(words) and (words[at].startswith("-") or re.match(r"\w+=", words[at])):
        if words[at] == "--":
            return words[at + 1 :]
        at += 2 if words[at] in with_value else 1
    return words[at:]


def _timeout(shell: Shell, argv: list[str], stdin: str | None) -> int:
    rest = after_options(argv[1:], ("-k", "-s", "--kill-after", "--signal"))
    return shell.run_argv(rest[1:], stdin) if len(rest) > 1 else 125


def _setsid(shell: Shell, argv: list[str], stdin: str | None) -> int:
    rest = after_options(argv[1:], ())
    if not any(one in ("-f", "--fork") for one in argv[1 : len(argv) - len(rest)]):
        return shell.run_argv(rest, stdin)
    shell.detach(lambda child: child.run_argv(rest, stdin))
    return 0


def _shell(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Run ``sh -c TEXT``, ``sh FILE``, or the script on standard input."""
    at, errexit = 1, False
    while at < len(argv) and argv[at].startswith("-") and argv[at] != "-":
        flags = argv[at].lstrip("-")
        single = not argv[at].startswith("--")
        errexit = errexit or (single and "e" in flags)
        if single and "c" in flags:
            if at + 1 >= len(argv):
                return 2
            return shell.run_child(argv[at + 1], [*(argv[at + 2 :] or [argv[0]])], errexit=errexit)
        at += 2 if flags == "o" else 1
    if at < len(argv) and argv[at] != "-":
        if shell.read(argv[at]) is not None:
            return shell.run_file(argv[at], argv[at + 1 :])
        raise UnsupportedLineError(" ".join(argv))
    return shell.run_child(shell.take_input(stdin), [argv[0]], errexit=errexit)


def _eval(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del stdin
    return shell.run_text(" ".join(argv[1:]))


def _systemd_run(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Start a transient unit, at once or by a timer; only ``--wait``, ``--pipe``, ``--pty`` and ``--scope`` wait."""
    options = {}
    at = 1
    takes = ("--on-active", "--unit", "--property", "--description", "--slice", "--uid", "--gid", "--setenv", "--nice")
    short = ("-u", "-p", "-E", "-M", "-H")
    while at < len(argv) and argv[at].startswith("-"):
        name, _, value = argv[at].partition("=")
        if name == "--":
            at += 1
            break
        if (name in takes and "=" not in argv[at]) or name in short:
            at += 1
            value = argv[at] if at < len(argv) else ""
        options[name] = value
        at += 1
    command = argv[at:]
    if not command or any(one in options for one in ("--on-calendar", "--on-boot", "--on-startup", "--on-unit-active")):
        raise UnsupportedLineError(" ".join(argv))
    if any(one in options for one in ("--wait", "--pipe", "--pty", "-t", "-P", "--scope")):
        return shell.run_argv(command, stdin)
    unit = (options.get("--unit") or options.get("-u") or "run-r4242").removesuffix(".service").removesuffix(".timer")
    if "--on-active" in options:
        delay_s = _time_span_s(options["--on-active"])
        shell.stderr.append(f"Running timer as unit: {unit}.timer\nWill run service as unit: {unit}.service\n")
    else:
        delay_s = 0.0
        shell.stderr.append(f"Running as unit: {unit}.service\n")
    shell.detach(lambda child: child.run_argv(command), delay_s)
    return 0


def _time_span_s(text: str) -> float:
    found = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.lower())
    if not found or any(unit not in UNITS_S for _, unit in found):
        raise UnsupportedLineError(f"--on-active={text}")
    return sum(float(count) * UNITS_S[unit] for count, unit in found)


def _at(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Run the commands on standard input, or in a file, later."""
    words = list(argv[1:])
    text = stdin
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option == "-f" and words:
            text = shell.text_of(words.pop(0))
        elif option == "-q" and words:
            words.pop(0)
        elif option not in ("-m", "-M", "-v"):
            raise UnsupportedLineError(" ".join(argv))
    match = re.fullmatch(r"now(?:\s*\+\s*(\d+)\s*([a-z]+))?", " ".join(words).lower())
    if match is None or text is None or (match[2] or "") not in UNITS_S:
        raise UnsupportedLineError(" ".join(argv))
    delay_s = float(match[1] or 0) * UNITS_S[match[2] or ""]
    commands = text
    shell.detach(lambda child: child.run_text(commands), delay_s)
    shell.stderr.append("warning: commands will be executed using /bin/sh\njob 1\n")
    return 0


def _xargs(shell: Shell, argv: list[str], stdin: str | None) -> int:
    asked = read_options(argv, "n P I L d max-args replace", "r 0 t no-run-if-empty null", stops=True)
    text, place = shell.take_input(stdin), asked.value("I", "replace")
    mark = "\0" if asked.has("0", "null") else unescape(asked.value("d"))
    items = [one for one in text.split(mark) if one] if mark else text.split("\n" if place else None)
    items = [one for one in items if one]
    command = asked.words or ["echo"]
    if place:
        return max((shell.run_argv([word.replace(place, one) for word in command]) for one in items), default=0)
    if not items and asked.has("r", "no-run-if-empty"):
        return 0
    count = int(asked.value("n", "L", "max-args", default=str(max(1, len(items)))))
    parts = [items[at : at + count] for at in range(0, len(items), count)] or [[]]
    statuses = [shell.run_argv([*command, *part]) for part in parts]
    return 123 if any(statuses) else 0


LAUNCHERS: dict[str, Program] = {
    "sudo": _prefix("-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "--user", "--group"),
    "doas": _prefix("-u"),
    "env": _prefix("-u", "-C"),
    "nice": _prefix("-n"),
    "time": _prefix(),
    "nohup": _prefix(),
    "exec": _prefix("-a"),
    "stdbuf": _prefix("-i", "-o", "-e"),
    "builtin": _prefix(),
    "timeout": _timeout,
    "setsid": _setsid,
    "xargs": _xargs,
    "eval": _eval,
    "systemd-run": _systemd_run,
    "at": _at,
} | dict.fromkeys(("sh", "bash", "dash", "ash", "ksh", "zsh"), _shell)
