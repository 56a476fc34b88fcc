"""Runs awk programs on the text of files. Source: POSIX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.awk_functions import call
from batchimg_magics.emulator.compute.guest.awk_state import NUMBER, AwkState, Numeric, Value, as_number, as_text
from batchimg_magics.emulator.compute.guest.awk_syntax import Node, Parser
from batchimg_magics.emulator.compute.guest.options import read_options
from batchimg_magics.emulator.compute.guest.posix_regex import compiled
from batchimg_magics.emulator.compute.guest.printf import formatted
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_words import unescape
from batchimg_magics.emulator.compute.guest.text_tools import gather, lines_of

if TYPE_CHECKING:
    import re

    from batchimg_magics.emulator.compute.guest.shell import Program, Shell

_MAX_STEPS = 2_000_000


class _NextError(Exception):
    """Go on with the next line."""


class _ExitError(Exception):
    """End, with the value of an exit code."""


class _LoopError(Exception):
    """``break`` or ``continue``."""


class Awk(AwkState):
    """An awk program that runs."""

    def run(self, program: list[tuple[Node | None, Node | None]], lines: list[str]) -> int:
        """Run a program on lines, and return its exit code."""
        code = 0
        try:
            self._actions(program, "BEGIN")
            if any(pattern != ("BEGIN",) for pattern, _ in program):
                self._over(program, lines)
        except _ExitError as end:
            code = int(str(end))
        try:
            self._actions(program, "END")
        except _ExitError as end:
            code = int(str(end))
        self.shell.stdout.append(self.out)
        return code

    def _actions(self, program: list[tuple[Node | None, Node | None]], word: str) -> None:
        for pattern, action in program:
            if pattern == (word,) and action is not None:
                self.do(action)

    def _over(self, program: list[tuple[Node | None, Node | None]], lines: list[str]) -> None:
        for number, line in enumerate(lines, 1):
            self.names["NR"] = self.names["FNR"] = float(number)
            self._set_line(line)
            try:
                for place, (pattern, action) in enumerate(program):
                    if pattern not in (("BEGIN",), ("END",)) and self._selects(place, pattern):
                        if action is None:
                            self.out += f"{self.fields[0]}\n"
                        else:
                            self.do(action)
            except _NextError:
                continue

    def _selects(self, place: int, pattern: Node | None) -> bool:
        if pattern is None or pattern[0] != "range":
            return pattern is None or self._truth(pattern)
        if place not in self.ranges and not self._truth(pattern[1]):
            return False
        self.ranges.add(place)
        if self._truth(pattern[2]):
            self.ranges.discard(place)
        return True

    def _set_line(self, line: str) -> None:
        mark = as_text(self.names["FS"])
        if mark == " ":
            parts = line.split()
        elif not line:
            parts = []
        elif len(mark) == 1 and mark != "\\":
            parts = line.split(mark)
        else:
            parts = compiled(mark, extended=True).split(line)
        self.fields = [Numeric(line), *(Numeric(one) for one in parts)]
        self.names["NF"] = float(len(parts))

    def _set_field(self, number: int, value: str) -> None:
        if number == 0:
            self._set_line(value)
            return
        self.fields += [""] * (number + 1 - len(self.fields))
        self.fields[number] = value
        self.names["NF"] = float(len(self.fields) - 1)
        self.fields[0] = as_text(self.names["OFS"]).join(self.fields[1:])

    # -- statements ----------------------------------------------------------------------------------------------

    def do(self, node: Node) -> None:
        """Run a statement."""
        self.steps += 1
        if self.steps > _MAX_STEPS:
            raise UnsupportedLineError("an awk program that does not end")
        getattr(self, f"_do_{node[0]}")(*node[1:])

    def _do_block(self, statements: list[Node]) -> None:
        for one in statements:
            self.do(one)

    def _do_do(self, expression: Node) -> None:
        self.value(expression)

    def _do_if(self, condition: Node, yes: Node, no: Node | None) -> None:
        if self._truth(condition):
            self.do(yes)
        elif no is not None:
            self.do(no)

    def _do_for(self, first: Node | None, condition: Node | None, step: Node | None, body: Node) -> None:
        if first is not None:
            self.do(first)
        while condition is None or self._truth(condition):
            if self._round(body):
                return
            if step is not None:
                self.do(step)

    def _do_each(self, name: str, array: str, body: Node) -> None:
        for key in list(self.arrays.get(array, {})):
            self.names[name] = Numeric(key)
            if self._round(body):
                return

    def _round(self, body: Node) -> bool:
        try:
            self.do(body)
        except _LoopError as end:
            return str(end) == "break"
        return False

    def _do_break(self) -> None:
        raise _LoopError("break")

    def _do_continue(self) -> None:
        raise _LoopError("continue")

    def _do_next(self) -> None:
        raise _NextError

    def _do_exit(self, code: Node | None) -> None:
        raise _ExitError(str(int(as_number(self.value(code))) % 256 if code is not None else 0))

    def _do_delete(self, name: str, index: list[Node] | None) -> None:
        if index is None:
            self.arrays[name] = {}
        else:
            self.arrays.get(name, {}).pop(self._key(index), None)

    def _do_print(self, values: list[Node], where: str, target: Node | None) -> None:
        flat = values[0][1] if len(values) == 1 and values[0][0] == "group" else values
        shown = [as_text(self.value(one)) for one in flat] or [self.fields[0]]
        self._put(as_text(self.names["OFS"]).join(shown) + as_text(self.names["ORS"]), where, target)

    def _do_printf(self, values: list[Node], where: str, target: Node | None) -> None:
        flat = values[0][1] if len(values) == 1 and values[0][0] == "group" else values
        form, *rest = [as_text(self.value(one)) for one in flat]
        self._put(formatted(form, rest)[0], where, target)

    def _put(self, text: str, where: str, target: Node | None) -> None:
        if not where or target is None:
            self.out += text
            return
        path = as_text(self.value(target))
        if where == "|":
            raise UnsupportedLineError("awk with a pipe")
        if path == "/dev/stderr":
            self.shell.stderr.append(text)
            return
        adds = where == ">>" or path in self.files
        self.files.add(path)
        self.shell.write(path, (self.shell.text_of(path) or "" if adds else "") + text)

    # -- expressions ---------------------------------------------------------------------------------------------

    def value(self, node: Node) -> Value:
        """Return the value of an expression."""
        found: Value = getattr(self, f"_value_{node[0]}")(*node[1:])
        return found

    def _truth(self, node: Node) -> bool:
        value = self.value(node)
        if isinstance(value, Numeric) and NUMBER.fullmatch(value.rstrip()):
            return as_number(value) != 0
        return value != 0 if isinstance(value, float) else value != ""

    def _value_text(self, value: Value) -> Value:
        return value

    def _value_regex(self, pattern: str) -> Value:
        return float(compiled(pattern, extended=True).search(self.fields[0]) is not None)

    def _value_paren(self, inside: Node) -> Value:
        return self.value(inside)

    def _value_name(self, name: str) -> Value:
        return self.names.get(name, "")

    def _value_field(self, number: Node) -> Value:
        place = int(as_number(self.value(number)))
        return self.fields[place] if place < len(self.fields) else ""

    def _key(self, index: list[Node]) -> str:
        return as_text(self.names["SUBSEP"]).join(as_text(self.value(one)) for one in index)

    def _value_item(self, name: str, index: list[Node]) -> Value:
        return self.arrays.setdefault(name, {}).setdefault(self._key(index), "")

    def _value_in(self, key: Node, name: str) -> Value:
        index = key[1] if key[0] == "group" else [key]
        return float(self._key(index) in self.arrays.get(name, {}))

    def store(self, target: Node, value: Value) -> Value:
        """Set a variable, an item or a field."""
        if target[0] == "name":
            self.names[target[1]] = value
        elif target[0] == "item":
            self.arrays.setdefault(target[1], {})[self._key(target[2])] = value
        else:
            self._set_field(int(as_number(self.value(target[1]))), as_text(value))
        return value

    def _value_assign(self, sign: str, target: Node, value: Node) -> Value:
        found = self.value(value)
        return self.store(target, self._calculated(sign, self.value(target), found) if sign else found)

    def _value_raise(self, sign: str, target: Node, first: bool) -> Value:  # noqa: FBT001 - a part of the tree
        before = as_number(self.value(target))
        after = before + (1.0 if sign == "++" else -1.0)
        self.store(target, after)
        return after if first else before

    @staticmethod
    def _calculated(sign: str, left: Value, right: Value) -> float:
        a, b = as_number(left), as_number(right)
        if sign in ("/", "%") and b == 0:
            raise UnsupportedLineError("awk: division by zero")
        return float({"+": a + b, "-": a - b, "*": a * b}.get(sign, 0.0)) if sign in "+-*" else (
            a / b if sign == "/" else a - b * int(a / b) if sign == "%" else a**b
        )  # fmt: skip

    def _value_number(self, sign: str, left: Node, right: Node) -> Value:
        return self._calculated(sign, self.value(left), self.value(right))

    def _value_join(self, left: Node, right: Node) -> Value:
        return as_text(self.value(left)) + as_text(self.value(right))

    def _value_not(self, inside: Node) -> Value:
        return float(not self._truth(inside))

    def _value_and(self, left: Node, right: Node) -> Value:
        return float(self._truth(left) and self._truth(right))

    def _value_or(self, left: Node, right: Node) -> Value:
        return float(self._truth(left) or self._truth(right))

    def _value_choose(self, condition: Node, yes: Node, no: Node) -> Value:
        return self.value(yes if self._truth(condition) else no)

    def pattern(self, node: Node) -> re.Pattern[str]:
        """Return the pattern that an expression is."""
        return compiled(node[1] if node[0] == "regex" else as_text(self.value(node)), extended=True)

    def _value_match(self, sign: str, left: Node, right: Node) -> Value:
        found = self.pattern(right).search(as_text(self.value(left))) is not None
        return float(found is (sign == "~"))

    def _value_compare(self, sign: str, left: Node, right: Node) -> Value:
        a, b = self.value(left), self.value(right)
        order = _order(a, b)
        holds = {"<": order < 0, "<=": order <= 0, "==": order == 0, "!=": order != 0, ">": order > 0, ">=": order >= 0}
        return float(holds[sign])

    def _value_call(self, name: str, arguments: list[Node]) -> Value:
        return call(self, name, arguments)


def _order(a: Value, b: Value) -> int:
    numbers = all(
        isinstance(one, float) or (isinstance(one, Numeric) and NUMBER.fullmatch(one.strip())) for one in (a, b)
    )
    if numbers:
        return (as_number(a) > as_number(b)) - (as_number(a) < as_number(b))
    return (as_text(a) > as_text(b)) - (as_text(a) < as_text(b))


def _awk(shell: Shell, argv: list[str], stdin: str | None) -> int:
    asked = read_options(argv, "F v f", "", stops=True)
    if asked.has("f") or not asked.words:
        raise UnsupportedLineError(" ".join(argv))
    variables: dict[str, Value] = {}
    if asked.has("F"):
        mark = asked.value("F")
        variables["FS"] = "\t" if mark == "t" else unescape(mark) if mark != "\\|" else "\\|"
    for one in asked.values("v"):
        name, _, value = one.partition("=")
        variables[name] = Numeric(unescape(value))
    text, *paths = asked.words
    program = Parser(text).program()
    reads = any(pattern != ("BEGIN",) for pattern, _ in program)
    content, status = gather(shell, "awk", paths, stdin) if reads else ("", 0)
    return Awk(shell, variables).run(program, lines_of(content) if content else []) or (2 if status else 0)


AWK: dict[str, Program] = dict.fromkeys(("awk", "gawk", "mawk"), _awk)
