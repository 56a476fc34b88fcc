"""sed: substitutions, deletions and prints by addresses. Source: POSIX, and GNU's manual for ``-i`` and ``-E``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.compute.guest.options import read_options
from batchimg_magics.emulator.compute.guest.posix_regex import compiled
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.text_tools import gather, lines_of

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.shell import Program, Shell


class _Step(msgspec.Struct):
    """One command: its addresses, its letter, and what belongs to it."""

    addresses: list[int | str | re.Pattern[str]]
    negated: bool
    letter: str
    pattern: re.Pattern[str] | None = None
    text: str = ""
    flags: str = ""
    block: list[_Step] | None = None
    inside: bool = False


class _Parser:
    def __init__(self, text: str, *, extended: bool) -> None:
        self.text, self.at, self.extended = text, 0, extended

    def steps(self, *, nested: bool = False) -> list[_Step]:
        found: list[_Step] = []
        while True:
            self._skip(" \t\n;")
            if self.at >= len(self.text):
                if nested:
                    raise UnsupportedLineError(self.text)
                return found
            if self.text[self.at] == "}" and nested:
                self.at += 1
                return found
            if self.text[self.at] == "#":
                self._until("\n")
                continue
            found.append(self._step())

    def _skip(self, signs: str) -> None:
        while self.at < len(self.text) and self.text[self.at] in signs:
            self.at += 1

    def _until(self, mark: str) -> str:
        end = self.text.find(mark, self.at)
        end = len(self.text) if end < 0 else end
        found, self.at = self.text[self.at : end], end + 1
        return found

    def _part(self, mark: str) -> str:
        """Return the text up to a mark without a backslash before it."""
        found = ""
        while self.at < len(self.text) and self.text[self.at] != mark:
            if self.text[self.at] == "\\" and self.at + 1 < len(self.text):
                following = self.text[self.at + 1]
                found += following if following == mark and mark not in "\\n" else f"\\{following}"
                self.at += 2
            else:
                found += self.text[self.at]
                self.at += 1
        if self.at >= len(self.text):
            raise UnsupportedLineError(self.text)
        self.at += 1
        return found

    def _address(self) -> int | str | re.Pattern[str] | None:
        if match := re.compile(r"\d+|\$").match(self.text, self.at):
            self.at = match.end()
            return match[0] if match[0] == "$" else int(match[0])
        if self.text[self.at : self.at + 1] == "/":
            self.at += 1
            return compiled(self._part("/"), extended=self.extended)
        return None

    def _step(self) -> _Step:
        addresses = []
        if (first := self._address()) is not None:
            addresses.append(first)
            if self.text[self.at : self.at + 1] == ",":
                self.at += 1
                if (second := self._address()) is None:
                    raise UnsupportedLineError(self.text)
                addresses.append(second)
        self._skip(" \t")
        negated = self.text[self.at : self.at + 1] == "!"
        self.at += negated
        self._skip(" \t")
        step = _Step(addresses, negated, self.text[self.at : self.at + 1])
        self.at += 1
        self._fill(step)
        return step

    def _fill(self, step: _Step) -> None:
        if step.letter == "{":
            step.block = self.steps(nested=True)
        elif step.letter in ("s", "y"):
            mark = self.text[self.at : self.at + 1]
            self.at += 1
            first, second = self._part(mark), self._part(mark)
            match = re.compile(r"[gpiI0-9]*").match(self.text, self.at)
            step.flags, step.text = match[0] if match else "", second
            self.at += len(step.flags)
            if step.letter == "s":
                ignores = "i" in step.flags.lower()
                step.pattern = compiled(first, extended=self.extended, ignore_case=ignores)
            else:
                step.flags = first
        elif step.letter in ("a", "i", "c"):
            step.text = re.sub(r"^\s*\\?\n?", "", self._until("\n"))
        elif step.letter in ("b", "t"):
            if re.compile(r"[ \t]*(?=[;}\n]|$)").match(self.text, self.at) is None:
                raise UnsupportedLineError(self.text)  # labels are not modelled
        elif step.letter not in ("d", "p", "q", "="):
            raise UnsupportedLineError(self.text)


def _selected(step: _Step, line: str, number: int, *, last: bool) -> bool:
    def hit(address: int | str | re.Pattern[str]) -> bool:
        if isinstance(address, int):
            return number == address
        return last if isinstance(address, str) else address.search(line) is not None

    if len(step.addresses) < 2:
        found = not step.addresses or hit(step.addresses[0])
    elif step.inside:
        end = step.addresses[1]
        step.inside = not (number >= end if isinstance(end, int) else hit(end))
        found = True
    else:
        found = hit(step.addresses[0])
        end = step.addresses[1]
        step.inside = found and not (isinstance(end, int) and end <= number)
    return found is not step.negated


def _substitute(step: _Step, line: str) -> tuple[str, bool]:
    def filled(match: re.Match[str]) -> str:
        def one(part: re.Match[str]) -> str:
            word = part[0]
            if word in ("&", "\\0"):
                return match[0]
            if word[1].isdigit():
                return match[int(word[1])] or ""
            return {"n": "\n", "t": "\t"}.get(word[1], word[1])

        return re.sub(r"\\.|&", one, step.text, flags=re.DOTALL)

    if step.pattern is None:
        return line, False
    nth = int("".join(one for one in step.flags if one.isdigit()) or 1)
    if nth > 1:
        found = list(step.pattern.finditer(line))[nth - 1 :]
        if not found:
            return line, False
        return line[: found[0].start()] + filled(found[0]) + line[found[0].end() :], True
    text, count = step.pattern.subn(filled, line, count=0 if "g" in step.flags else 1)
    return text, count > 0


class _Run:
    """What is done to the lines of a text."""

    def __init__(self, *, quiet: bool) -> None:
        self.out: list[str] = []
        self.quiet, self.stops = quiet, False
        self.branches = self.replaced = False

    def over(self, steps: list[_Step], lines: list[str]) -> str:
        for number, line in enumerate(lines, 1):
            after: list[str] = []
            self.branches = self.replaced = False
            left = self._apply(steps, line, number, after, last=number == len(lines))
            if left is not None and not self.quiet:
                self.out.append(left)
            self.out += after
            if self.stops:
                break
        return "".join(f"{one}\n" for one in self.out)

    def _apply(self, steps: list[_Step], line: str, number: int, after: list[str], *, last: bool) -> str | None:
        kept: str | None = line
        for step in steps:
            if kept is None or not _selected(step, kept, number, last=last):
                continue
            if step.block is not None:
                kept = self._apply(step.block, kept, number, after, last=last)
            else:
                kept = self._one(step, kept, number, after)
            if self.stops or self.branches:
                break
        return kept

    def _one(self, step: _Step, line: str, number: int, after: list[str]) -> str | None:
        if step.letter == "s":
            line, changed = _substitute(step, line)
            self.replaced = self.replaced or changed
            if changed and "p" in step.flags:
                self.out.append(line)
        elif step.letter in ("b", "t"):  # to the end of the script
            self.branches = self.replaced or step.letter == "b"
            self.replaced = False
        elif step.letter == "y":
            line = line.translate(str.maketrans(step.flags, step.text))
        elif step.letter in ("p", "="):
            self.out.append(line if step.letter == "p" else str(number))
        elif step.letter == "i":
            self.out.append(step.text)
        elif step.letter == "a":
            after.append(step.text)
        elif step.letter == "c":
            self.out.append(step.text)
        self.stops = step.letter == "q"
        return None if step.letter in ("d", "c") else line


def _sed(shell: Shell, argv: list[str], stdin: str | None) -> int:
    asked = read_options(argv, "e expression f file", "n quiet silent E r regexp-extended i in-place s u")
    scripts = asked.values("e", "expression")
    if asked.has("f", "file"):
        raise UnsupportedLineError(" ".join(argv))
    paths = asked.words if scripts else asked.words[1:]
    if not scripts and not asked.words:
        return shell.complain("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...")
    text = "\n".join(scripts or asked.words[:1])
    extended, quiet = asked.has("E", "r", "regexp-extended"), asked.has("n", "quiet", "silent")
    status = 0
    if asked.has("i", "in-place"):
        for path in paths:
            before, code = gather(shell, "sed", [path], stdin)
            status = status or code
            if not code:
                steps = _Parser(text, extended=extended).steps()
                shell.write(path, _Run(quiet=quiet).over(steps, lines_of(before)))
        return status
    before, status = gather(shell, "sed", paths, stdin)
    shell.stdout.append(_Run(quiet=quiet).over(_Parser(text, extended=extended).steps(), lines_of(before)))
    return status


SED: dict[str, Program] = {"sed": _sed}
