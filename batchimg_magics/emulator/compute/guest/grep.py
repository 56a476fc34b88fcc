"""grep: the lines that match a pattern. Source: POSIX, and GNU's manual for ``-o``, ``-w`` and ``-P``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.options import Options, read_options
from batchimg_magics.emulator.compute.guest.posix_regex import translated
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.text_tools import gather, lines_of

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.shell import Program, Shell


def _pattern(asked: Options, patterns: list[str], program: str) -> re.Pattern[str]:
    parts = []
    for one in (line for pattern in patterns for line in pattern.split("\n")):
        if asked.has("F", "fixed-strings") or program == "fgrep":
            part = re.escape(one)
        elif asked.has("P", "perl-regexp"):
            part = one
        else:
            part = translated(one, extended=asked.has("E", "extended-regexp") or program == "egrep")
        parts.append(f"(?:{part})")
    text = "|".join(parts)
    text = rf"\b(?:{text})\b" if asked.has("w", "word-regexp") else text
    text = rf"^(?:{text})$" if asked.has("x", "line-regexp") else text
    try:
        return re.compile(text, re.IGNORECASE if asked.has("i", "ignore-case") else 0)
    except re.error as error:
        raise UnsupportedLineError(f"grep {' '.join(patterns)}") from error


def _grep(shell: Shell, argv: list[str], stdin: str | None) -> int:
    flags = (
        "i v c q o E F G P w x n s l L h H a ignore-case invert-match count quiet silent only-matching fixed-strings "
        "extended-regexp perl-regexp word-regexp line-regexp line-number no-messages text line-buffered"
    )
    asked = read_options(argv, "e f m A B C regexp file max-count color colour", flags)
    if asked.has("A", "B", "C"):
        raise UnsupportedLineError(" ".join(argv))
    patterns, paths = asked.values("e", "regexp"), list(asked.words)
    for path in asked.values("f", "file"):
        patterns += lines_of(shell.text_of(path) or "")
    if not patterns and not asked.has("f", "file"):
        if not paths:
            return shell.complain("Usage: grep [OPTION]... PATTERNS [FILE]...", 2)
        patterns = [paths.pop(0)]
    wanted = _pattern(asked, patterns, argv[0].rpartition("/")[2]) if patterns else re.compile(r"(?!)")
    status, hits = 0, 0
    before = shell.stderr
    if asked.has("s", "no-messages"):
        shell.stderr = []
    for path in paths or ["-"]:
        text, code = gather(shell, "grep", [path], stdin)
        status = 2 if code else status
        hits += _search(shell, asked, wanted, text, path if len(paths) > 1 else "")
    shell.stderr = before
    return 0 if hits and (asked.has("q", "quiet", "silent") or not status) else status or 1


def _search(shell: Shell, asked: Options, wanted: re.Pattern[str], text: str, path: str) -> int:
    """Print what is found in a text, and return the number of lines."""
    inverted = asked.has("v", "invert-match")
    most = int(asked.value("m", "max-count", default="-1"))
    found = [(n, line) for n, line in enumerate(lines_of(text), 1) if (wanted.search(line) is not None) is not inverted]
    found = found[:most] if most >= 0 else found
    if asked.has("q", "quiet", "silent"):
        return len(found)
    head = f"{path}:" if path and not asked.has("h") else ""
    if asked.has("l") or asked.has("L"):
        if bool(found) is asked.has("l"):
            shell.stdout.append(f"{path or '(standard input)'}\n")
    elif asked.has("c", "count"):
        shell.stdout.append(f"{head}{len(found)}\n")
    else:
        for number, line in found:
            start = head + (f"{number}:" if asked.has("n", "line-number") else "")
            shown = [one[0] for one in wanted.finditer(line) if one[0]] if asked.has("o", "only-matching") else [line]
            shell.stdout.extend(f"{start}{one}\n" for one in shown)
    return len(found)


GREP: dict[str, Program] = dict.fromkeys(("grep", "egrep", "fgrep"), _grep)
