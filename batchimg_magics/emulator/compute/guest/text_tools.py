"""The programs of a Linux VM that work on lines of text: ``sort``, ``uniq``, ``cut``, ``tr``, ``wc`` and others.

Text is sorted by its characters, as with ``LC_ALL=C``: the scripts of run-command have no other locale.
"""

from __future__ import annotations

import functools
import hashlib
import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.options import Options, read_options
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_words import unescape

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.compute.guest.shell import Program, Shell

    #: (Shell, options, text of the inputs) -> exit code.
    Filter = Callable[[Shell, Options, str], int]


def gather(shell: Shell, program: str, paths: list[str], stdin: str | None) -> tuple[str, int]:
    """Return the text of files, or of standard input without one, and an exit code."""
    texts, status = [], 0
    for path in paths or ["-"]:
        if path in ("-", "/dev/stdin"):
            texts.append(shell.take_input(stdin))
        elif (text := shell.text_of(path)) is not None:
            texts.append(text)
        elif shell.kind_of(path) == "d":
            status = shell.complain(f"{program}: {path}: Is a directory")
        else:
            status = shell.complain(f"{program}: {path}: No such file or directory")
    return "".join(texts), status


def lines_of(text: str) -> list[str]:
    """Return the lines of a text without their ends; only a line feed ends a line."""
    found = text.split("\n")
    return found[:-1] if found[-1] == "" else found


def put_lines(shell: Shell, lines: list[str]) -> int:
    """Print lines."""
    shell.stdout.append("".join(f"{line}\n" for line in lines))
    return 0


def filter_program(work: Filter, with_value: str = "", flags: str = "") -> Program:
    """Return a program that reads files, or standard input."""

    def run(shell: Shell, argv: list[str], stdin: str | None) -> int:
        name = argv[0].rpartition("/")[2]
        asked = read_options(_numbered(argv), with_value, flags)
        text, status = gather(shell, name, asked.words, stdin)
        return work(shell, asked, text) or status

    return run


def _numbered(argv: list[str]) -> list[str]:
    """Return arguments with ``-5`` in the form ``-n 5``."""
    return [f"-n{one[1:]}" if re.fullmatch(r"-\d+", one) else one for one in argv]


# -- sort and uniq -----------------------------------------------------------------------------------------------


def _sort(shell: Shell, asked: Options, text: str) -> int:
    if asked.has("c", "C", "check", "m"):
        lines = lines_of(text)
        return int(lines != sorted(lines))
    lines = lines_of(text.replace("\0", "\n")) if asked.has("z") else lines_of(text)
    keys = [_sort_key(spec, asked) for spec in asked.values("k", "key")] or [_whole_key(asked)]

    def order(a: str, b: str) -> int:
        return _compare(keys, asked, a, b)

    lines.sort(key=functools.cmp_to_key(order))
    if asked.has("u", "unique"):
        lines = [
            one
            for number, one in enumerate(lines)
            if number == 0 or _compare(keys, asked, lines[number - 1], one, last=False)
        ]
    out = asked.value("o", "output")
    if out:
        return 0 if shell.write(out, "".join(f"{one}\n" for one in lines)) else 2
    put_lines(shell, lines)
    return 0


def _whole_key(asked: Options) -> Callable[[str], object]:
    return lambda line: _valued(line, "".join(name for name, _ in asked.given if len(name) == 1))


def _sort_key(spec: str, asked: Options) -> Callable[[str], object]:
    match = re.fullmatch(r"(\d+)(?:\.(\d+))?([nrVfbgh]*)(?:,(\d+)(?:\.\d+)?([nrVfbgh]*))?", spec)
    if match is None:
        raise UnsupportedLineError(f"sort -k {spec}")
    first, last = int(match[1]) - 1, int(match[4]) if match[4] else None
    flags = (match[3] or "") + (match[5] or "") or "".join(name for name, _ in asked.given if len(name) == 1)
    mark = asked.value("t", "field-separator")

    def key(line: str) -> object:
        fields = line.split(unescape(mark)) if mark else re.findall(r"\s*\S+", line)
        return _valued((unescape(mark) if mark else "").join(fields[first:last]), flags)

    return key


def _valued(text: str, flags: str) -> object:
    if "n" in flags or "g" in flags:
        match = re.match(r"\s*(-?\d+(?:\.\d+)?)", text)
        return float(match[1]) if match else 0.0
    if "V" in flags:
        return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"\d+|\D+", text)]
    plain = text.lstrip() if "b" in flags else text
    return (plain.upper() if "f" in flags else plain).encode("utf-8", "surrogateescape")


def _compare(keys: list[Callable[[str], object]], asked: Options, a: str, b: str, *, last: bool = True) -> int:
    sign = -1 if asked.has("r", "reverse") else 1
    for key in keys:
        one, other = key(a), key(b)
        if one != other:
            return sign * (-1 if one < other else 1)  # type: ignore[operator]  # both have the type of the key
    if not last or asked.has("s", "stable", "u", "unique"):
        return 0
    return sign * ((a.encode() > b.encode()) - (a.encode() < b.encode()))


def _uniq(shell: Shell, asked: Options, text: str) -> int:
    groups: list[list[str]] = []
    for line in lines_of(text):
        same = groups and (line.lower() == groups[-1][0].lower() if asked.has("i") else line == groups[-1][0])
        if same:
            groups[-1].append(line)
        else:
            groups.append([line])
    if asked.has("d"):
        groups = [one for one in groups if len(one) > 1]
    if asked.has("u"):
        groups = [one for one in groups if len(one) == 1]
    put_lines(shell, [f"{len(one):7d} {one[0]}" if asked.has("c") else one[0] for one in groups])
    return 0


# -- cut, tr, wc -------------------------------------------------------------------------------------------------


def _ranges(spec: str) -> Callable[[int], bool]:
    parts = []
    for one in spec.split(","):
        match = re.fullmatch(r"(\d*)(-?)(\d*)", one)
        if match is None or not one.strip("-"):
            raise UnsupportedLineError(f"cut {spec}")
        low = int(match[1] or 1)
        parts.append((low, int(match[3]) if match[3] else (10**9 if match[2] else low)))
    return lambda number: any(low <= number <= high for low, high in parts)


def _cut(shell: Shell, asked: Options, text: str) -> int:
    chosen = asked.value("f", "fields") or asked.value("c", "b", "characters", "bytes")
    if not chosen:
        return shell.complain("cut: you must specify a list of bytes, characters, or fields")
    wanted, mark = _ranges(chosen), asked.value("d", "delimiter", default="\t")
    between = asked.value("output-delimiter", default=mark)
    found = []
    for line in lines_of(text):
        if not asked.value("f", "fields"):
            found.append("".join(one for number, one in enumerate(line, 1) if wanted(number)))
        elif mark in line:
            found.append(between.join(one for number, one in enumerate(line.split(mark), 1) if wanted(number)))
        elif not asked.has("s", "only-delimited"):
            found.append(line)
    put_lines(shell, found)
    return 0


_CLASSES = {
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "lower": "abcdefghijklmnopqrstuvwxyz", "digit": "0123456789",
    "space": " \t\n\r\v\f", "blank": " \t", "cntrl": "".join(map(chr, [*range(32), 127])),
    "punct": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
}  # fmt: skip
_CLASSES |= {"alpha": _CLASSES["upper"] + _CLASSES["lower"]}
_CLASSES |= {"alnum": _CLASSES["digit"] + _CLASSES["alpha"], "print": "".join(map(chr, range(32, 127)))}


def _set_of(spec: str) -> str:
    spec = re.sub(r"\[:(\w+):\]", lambda match: _CLASSES.get(match[1], ""), unescape(spec))
    return re.sub(
        r"([\x00-\uffff])-([\x00-\uffff])",
        lambda match: "".join(map(chr, range(ord(match[1]), ord(match[2]) + 1))) if match[1] <= match[2] else match[0],
        spec,
    )


def _tr(shell: Shell, argv: list[str], stdin: str | None) -> int:
    asked = read_options(argv, "", "d delete s squeeze-repeats c C complement")
    text, sets = shell.take_input(stdin), [_set_of(one) for one in asked.words]
    if not sets or (len(sets) < 2 and not asked.has("d", "delete", "s", "squeeze-repeats")):
        return shell.complain("tr: missing operand")
    complement = asked.has("c", "C", "complement")

    def inside(one: str) -> bool:
        return (one in sets[0]) is not complement

    if asked.has("d", "delete"):
        text = "".join(one for one in text if not inside(one))
    elif len(sets) > 1:
        other = sets[1] or sets[0]
        places = {one: other[min(number, len(other) - 1)] for number, one in reversed(list(enumerate(sets[0])))}
        text = "".join((places.get(one, other[-1]) if inside(one) else one) for one in text)
    if asked.has("s", "squeeze-repeats"):
        squeezed = sets[-1]
        text = "".join(one for n, one in enumerate(text) if not (n and one == text[n - 1] and one in squeezed))
    shell.stdout.append(text)
    return 0


def _wc(shell: Shell, argv: list[str], stdin: str | None) -> int:
    asked = read_options(argv, "", "l lines w words c bytes m chars L")
    names = [name[0] for name, _ in asked.given] or ["l", "w", "c"]
    status = 0
    for path in asked.words or ["-"]:
        text, code = gather(shell, "wc", [path], stdin)
        status = status or code
        if code:
            continue
        counts = {
            "l": text.count("\n"),
            "w": len(text.split()),
            "c": len(text.encode()),
            "b": len(text.encode()),
            "m": len(text),
        }
        shown = [str(counts[one]) for one in "lwmcb" if one in names and one in counts]
        width = 1 if len(shown) == 1 and len(asked.words) < 2 else 7
        ending = f" {path}" if asked.words else ""
        shell.stdout.append(" ".join(one.rjust(width) for one in shown) + f"{ending}\n")
    return status


# -- others ------------------------------------------------------------------------------------------------------


def _ends(*, first: bool) -> Filter:
    def run(shell: Shell, asked: Options, text: str) -> int:
        spec = asked.value("n", "lines", default="10")
        if size := asked.value("c", "bytes"):
            data = text.encode()
            part = data[: int(size)] if first else data[-int(size) :]
            shell.stdout.append(part.decode("utf-8", "replace"))
            return 0
        if not re.fullmatch(r"[+-]?\d+", spec):
            return shell.complain(f"invalid number of lines: \u2018{spec}\u2019")
        lines, count = lines_of(text), int(spec.lstrip("+-"))
        if first:
            put_lines(shell, lines[: len(lines) - count] if spec[0] == "-" else lines[:count])
        elif spec[0] == "+":
            put_lines(shell, lines[max(0, count - 1) :])
        else:
            put_lines(shell, lines[-count:] if count else [])
        return 0

    return run


def _digest(name: str) -> Program:
    def run(shell: Shell, argv: list[str], stdin: str | None) -> int:
        asked = read_options(argv, "", "b t c check quiet status strict w warn binary")
        if asked.has("c", "check"):
            return _check_digests(shell, asked, name, stdin)
        status = 0
        for path in asked.words or ["-"]:
            text, code = gather(shell, f"{name}sum", [path], stdin)
            status = status or code
            if not code:
                shell.stdout.append(f"{_hex(name, text)}  {path}\n")
        return status

    return run


def _hex(name: str, text: str) -> str:
    return hashlib.new(name, text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def _check_digests(shell: Shell, asked: Options, name: str, stdin: str | None) -> int:
    listed, status = gather(shell, f"{name}sum", asked.words, stdin)
    failed = 0
    for line in lines_of(listed):
        wanted, _, path = line.partition("  ")
        text = shell.text_of(path)
        good = text is not None and _hex(name, text) == wanted
        failed += not good
        if not asked.has("status") and not (good and asked.has("quiet")):
            shell.stdout.append(f"{path}: {'OK' if good else 'FAILED'}\n")
    return 1 if failed else status


def _paste(shell: Shell, argv: list[str], stdin: str | None) -> int:
    asked = read_options(argv, "d delimiters", "s serial")
    mark = unescape(asked.value("d", "delimiters", default="\t"))
    columns = []
    for path in asked.words or ["-"]:
        text, code = gather(shell, "paste", [path], stdin)
        if code:
            return code
        columns.append(lines_of(text))
    if asked.has("s", "serial"):
        put_lines(shell, [mark.join(column) for column in columns])
        return 0
    rows = range(max(len(column) for column in columns))
    put_lines(shell, [mark.join(column[n] if n < len(column) else "" for column in columns) for n in rows])
    return 0


def _comm(shell: Shell, argv: list[str], stdin: str | None) -> int:
    asked = read_options(argv, "", "1 2 3")
    sides = []
    for path in asked.words:
        text, code = gather(shell, "comm", [path], stdin)
        if code:
            return code
        sides.append(lines_of(text))
    if len(sides) != 2:
        return shell.complain("comm: missing operand")
    first, second = (set(one) for one in sides)
    for line in sorted(first | second):
        column = 3 if line in first and line in second else 1 if line in first else 2
        tabs = sum(1 for one in range(1, column) if not asked.has(str(one)))
        if not asked.has(str(column)):
            shell.stdout.append("\t" * tabs + f"{line}\n")
    return 0


def _seq(shell: Shell, argv: list[str], _: str | None) -> int:
    numbers = argv[1:]
    if not 1 <= len(numbers) <= 3 or not all(re.fullmatch(r"-?\d+", one) for one in numbers):
        raise UnsupportedLineError(" ".join(argv))
    first, step, last = (1, 1, int(numbers[0])) if len(numbers) == 1 else (int(numbers[0]), 1, int(numbers[-1]))
    step = int(numbers[1]) if len(numbers) == 3 else step
    found = range(first, last + (1 if step > 0 else -1), step or 1)
    shell.stdout.append("".join(f"{one}\n" for one in found[:1_000_000]))
    return 0


TEXT_TOOLS: dict[str, Program] = {
    "sort": filter_program(
        _sort,
        "k key t field-separator o output T S parallel",
        "u unique r reverse n V f b g h c C z s stable m d check",
    ),
    "uniq": filter_program(_uniq, "", "c d u i count repeated unique"),
    "cut": filter_program(_cut, "d delimiter f fields c b characters bytes output-delimiter", "s only-delimited"),
    "head": filter_program(_ends(first=True), "n lines c bytes", "q v"),
    "tail": filter_program(_ends(first=False), "n lines c bytes", "q v"),
    "tac": filter_program(lambda shell, _, text: put_lines(shell, lines_of(text)[::-1])),
    "rev": filter_program(lambda shell, _, text: put_lines(shell, [one[::-1] for one in lines_of(text)])),
    "tr": _tr,
    "wc": _wc,
    "paste": _paste,
    "comm": _comm,
    "seq": _seq,
    **{f"{name}sum": _digest(name) for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")},
}  # fmt: skip
