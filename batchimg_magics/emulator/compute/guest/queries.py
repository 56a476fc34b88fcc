"""The programs of a Linux VM that print something: text, and what is known about the VM."""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.known_files import accounts, path_of
from batchimg_magics.emulator.compute.guest.printf import formatted
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_words import unescape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchimg_magics.emulator.compute.guest.shell import Program, Shell

#: The version of the guest agent in recordings.
AGENT_VERSION = "2.11.1.4"
#: The names of the service of the Azure agent.
AGENT_UNITS = frozenset({"walinuxagent", "waagent", "walinuxagent.service", "waagent.service"})
#: Comparisons of numbers in ``test``.
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "-eq": operator.eq,
    "-ne": operator.ne,
    "-lt": operator.lt,
    "-le": operator.le,
    "-gt": operator.gt,
    "-ge": operator.ge,
}


def _print(shell: Shell, lines: Iterable[str]) -> int:
    shell.stdout.extend(f"{line}\n" for line in lines)
    return 0


def _echo(shell: Shell, argv: list[str], _: str | None) -> int:
    words, end = argv[1:], "\n"
    escapes = False
    while words and re.fullmatch(r"-[neE]+", words[0]):
        end = "" if "n" in words[0] else end
        escapes = escapes or "e" in words[0]
        words = words[1:]
    text = " ".join(words)
    shell.stdout.append((unescape(text) if escapes else text) + end)
    return 0


def _printf(shell: Shell, argv: list[str], _: str | None) -> int:
    words = argv[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        return shell.complain("printf: usage: printf format [arguments]", 2)
    form, words = unescape(words[0]), words[1:]
    while True:
        text, rest = formatted(form, words)
        shell.stdout.append(text)
        if not rest or len(rest) == len(words):
            return 0
        words = rest


def _cat(shell: Shell, argv: list[str], stdin: str | None) -> int:
    paths = [one for one in argv[1:] if not one.startswith("-") or one == "-"]
    status = 0
    for path in paths or ["-"]:
        text = shell.take_input(stdin) if path == "-" else shell.text_of(path)
        if text is None and shell.kind_of(path) == "d":
            status = shell.complain(f"cat: {path}: Is a directory")
        elif text is None:
            shell.stderr.append(f"cat: {path}: No such file or directory\n")
            status = 1
        else:
            shell.stdout.append(text)
    return status


def _yes(shell: Shell, argv: list[str], _: str | None) -> int:
    return _print(shell, [" ".join(argv[1:]) or "y"])


def _command(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Run a program, or with ``-v`` print where it is."""
    words = argv[1:]
    if words and words[0] in ("-v", "-V"):
        return _which(shell, ["which", *words[1:]], stdin)
    words = words[1:] if words[:1] == ["-p"] else words
    return shell.run_argv(words, stdin) if words else 0


def _which(shell: Shell, argv: list[str], _: str | None) -> int:
    paths = [path_of(shell, name) for name in argv[1:] if not name.startswith("-")]
    _print(shell, [path for path in paths if path])
    return 0 if paths and all(paths) else 1


def _type(shell: Shell, argv: list[str], _: str | None) -> int:
    status = 0
    for name in (one for one in argv[1:] if not one.startswith("-")):
        path = path_of(shell, name)
        status = status if path else 1
        _print(shell, [f"{name} is {path}" if path else f"{name}: not found"])
    return status


def _getent(shell: Shell, argv: list[str], _: str | None) -> int:
    if argv[1:2] != ["passwd"]:
        raise UnsupportedLineError(" ".join(argv))
    lines = [line.split(":") for line in accounts(shell)]
    found = [line for line in lines if not argv[2:] or argv[2] in (line[0], line[2])]
    _print(shell, [":".join(line) for line in found])
    return 0 if found else 2


def _id(shell: Shell, argv: list[str], _: str | None) -> int:
    flags = "".join(one[1:] for one in argv[1:] if one.startswith("-"))
    (name, *_rest) = [one for one in argv[1:] if not one.startswith("-")] or ["root"]
    line = next((one.split(":") for one in accounts(shell) if one.startswith(f"{name}:")), None)
    if line is None:
        shell.stderr.append(f"id: '{name}': no such user\n")
        return 1
    uid = line[2]
    if "u" in flags:
        return _print(shell, [name if "n" in flags else uid])
    return _print(shell, [f"uid={uid}({name}) gid={uid}({name}) groups={uid}({name})"])


def _whoami(shell: Shell, _: list[str], __: str | None) -> int:
    return _print(shell, ["root"])


def _hostname(shell: Shell, _: list[str], __: str | None) -> int:
    return _print(shell, [shell.machine.name])


def _uname(shell: Shell, argv: list[str], _: str | None) -> int:
    flags = "".join(one[1:] for one in argv[1:])
    words = {"s": "Linux", "n": shell.machine.name, "r": "6.8.0-1021-azure", "m": "x86_64"}
    shown = [word for flag, word in words.items() if flag in flags or "a" in flags]
    return _print(shell, [" ".join(shown if flags[:1] in words or "a" in flags else ["Linux"])])


def _date(shell: Shell, argv: list[str], _: str | None) -> int:
    moment = datetime.fromtimestamp(shell.machine.now + shell.seconds, UTC)
    form = next((one[1:] for one in argv[1:] if one.startswith("+")), "%a %b %d %H:%M:%S UTC %Y")
    return _print(shell, [moment.strftime(form.replace("%s", str(int(moment.timestamp()))))])


def _uptime(shell: Shell, argv: list[str], _: str | None) -> int:
    minutes = int((shell.machine.now + shell.seconds - shell.machine.booted) // 60)
    return _print(shell, [f"up {minutes} minutes"]) if "-p" in argv[1:] else _unsupported(argv)


def _unsupported(argv: list[str]) -> int:
    raise UnsupportedLineError(" ".join(argv))


def _ls(shell: Shell, argv: list[str], _: str | None) -> int:
    """List the homes, or tell whether paths exist."""
    paths = [one for one in argv[1:] if not one.startswith("-")] or ["/root"]
    lists = not any("d" in one for one in argv[1:] if one.startswith("-") and not one.startswith("--"))
    status = 0
    for path in paths:
        kind = shell.kind_of(path)
        if not kind:
            shell.stderr.append(f"ls: cannot access '{path}': No such file or directory\n")
            status = 2
        elif kind == "d" and lists and (path.rstrip("/") == "/home" or shell.names_in(path)):
            _print(shell, sorted(shell.homes) if path.rstrip("/") == "/home" else shell.names_in(path))
        elif kind == "d" and lists:
            raise UnsupportedLineError(" ".join(argv))
        else:
            _print(shell, [path])
    return status


def _stat(shell: Shell, argv: list[str], _: str | None) -> int:
    """Print the owner of a path (``-c %U``), or that it does not exist."""
    form = next((argv[n + 1] for n, one in enumerate(argv[:-1]) if one == "-c"), "")
    form = form or next((one.partition("=")[2] for one in argv if one.startswith(("--format=", "--printf="))), "")
    path = argv[-1]
    if not shell.kind_of(path):
        shell.stderr.append(f"stat: cannot statx '{path}': No such file or directory\n")
        return 1
    owner = path.removeprefix("/home/").strip("/") if path.startswith("/home/") else "root"
    uid = next((one.split(":")[2] for one in accounts(shell) if one.startswith(f"{owner}:")), "0")
    size = str(len((shell.text_of(path) or "").encode()))
    known = {"%U": owner, "%u": uid, "%n": path, "%s": size,
             "%F": "directory" if shell.kind_of(path) == "d" else "regular file"}  # fmt: skip
    if not form or re.sub("|".join(known), "", form).count("%"):
        raise UnsupportedLineError(" ".join(argv))
    return _print(shell, [re.sub("|".join(known), lambda match: known[match[0]], form)])


def _test(shell: Shell, argv: list[str], _: str | None) -> int:
    if argv[0] == "[" and argv[-1] != "]":
        return shell.complain(f"{shell.parameters[0]}: {shell.line}: [: missing ]", 2)
    words = argv[1:-1] if argv[0] == "[" else argv[1:]
    return int(not _any_holds(shell, words, argv))


def _any_holds(shell: Shell, words: list[str], argv: list[str]) -> bool:
    """Tell whether an expression holds: ``-o`` joins parts of which one does, ``-a`` such of which all do."""
    for sign, combine in (("-o", any), ("-a", all)):
        if sign in words[1:-1] and len(words) > 3:
            place = words.index(sign, 1)
            parts = [_any_holds(shell, words[:place], argv), _any_holds(shell, words[place + 1 :], argv)]
            return combine(parts)
    if words[:1] == ["!"] and len(words) > 1:
        return not _any_holds(shell, words[1:], argv)
    return _holds(shell, words, argv)


def _holds(shell: Shell, words: list[str], argv: list[str]) -> bool:
    if len(words) < 2:
        return bool(words and words[0])
    if len(words) == 2:
        return _is_so(shell, words[0], words[1], argv)
    if len(words) == 3 and words[1] in ("=", "==", "!="):
        return (words[0] == words[2]) is not (words[1] == "!=")
    if len(words) == 3 and words[1] in _COMPARISONS:
        if not all(re.fullmatch(r"\s*-?\d+\s*", one) for one in (words[0], words[2])):
            shell.complain(f"{shell.parameters[0]}: {shell.line}: [: Illegal number: {words[0]}")
            return False
        return _COMPARISONS[words[1]](int(words[0]), int(words[2]))
    raise UnsupportedLineError(" ".join(argv))


def _is_so(shell: Shell, sign: str, text: str, argv: list[str]) -> bool:
    """Tell whether a test of one text or path holds."""
    if sign in ("-n", "-z"):
        return bool(text) is (sign == "-n")
    if sign in ("-L", "-h", "-t", "-b", "-c", "-p", "-S"):
        return False
    kind = shell.kind_of(text)
    if sign == "-s":
        return bool(kind) and shell.text_of(text) != ""
    if sign in ("-e", "-r", "-w", "-x", "-d", "-f"):
        return kind == sign[1] if sign in ("-d", "-f") else bool(kind)
    raise UnsupportedLineError(" ".join(argv))


def unit_state(shell: Shell, argv: list[str], verb: str, units: list[str]) -> int:
    """Tell whether a service is active: that of the Azure agent is known."""
    if not units or not set(units) <= AGENT_UNITS:
        raise UnsupportedLineError(" ".join(argv))
    if verb == "is-enabled":
        return _print(shell, ["enabled"])
    alive = shell.agent_runs()
    if "--quiet" not in argv and "-q" not in argv:
        _print(shell, ["active" if alive else "inactive"])
    return 0 if alive else 3


def agent_version(shell: Shell, options: list[str]) -> int:
    """Print the version of the Azure agent."""
    if options[:1] != ["version"]:
        raise UnsupportedLineError(" ".join(["waagent", *options]))
    name, version = shell.machine.system
    return _print(shell, [f"WALinuxAgent-{AGENT_VERSION} running on {name} {version}"])


def _cloud_init(shell: Shell, argv: list[str], _: str | None) -> int:
    if argv[1:2] == ["status"]:
        return _print(shell, ["status: done"])
    if argv[1:2] == ["clean"]:
        return 0
    raise UnsupportedLineError(" ".join(argv))


QUERIES: dict[str, Program] = {
    "echo": _echo,
    "printf": _printf,
    "cat": _cat,
    "yes": _yes,
    "command": _command,
    "which": _which,
    "type": _type,
    "getent": _getent,
    "id": _id,
    "whoami": _whoami,
    "hostname": _hostname,
    "uname": _uname,
    "date": _date,
    "uptime": _uptime,
    "ls": _ls,
    "stat": _stat,
    "test": _test,
    "[": _test,
    "cloud-init": _cloud_init,
}
