"""Runs PowerShell scripts that list installed programs, and write and copy files.

Source: Microsoft's documents on PowerShell 5.1. An object is a dictionary of its properties.
"""

from __future__ import annotations

import ntpath
import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.files import GuestFiles
from batchimg_magics.emulator.compute.guest.pip import pip
from batchimg_magics.emulator.compute.guest.powershell_files import Value, as_list
from batchimg_magics.emulator.compute.guest.powershell_methods import call_method, call_static, compared, member_of
from batchimg_magics.emulator.compute.guest.powershell_syntax import Node, Parser
from batchimg_magics.emulator.compute.guest.powershell_system import SystemCommands
from batchimg_magics.emulator.compute.guest.programs import PROGRAMS
from batchimg_magics.emulator.compute.guest.scripts import ScriptEndsError, ScriptRun, UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.compute.guest.machine import Machine

_SWITCHES = frozenset({"unique", "force", "recurse", "nonewline", "descending", "append", "raw", "quiet", "not"})
_ALIASES = {"where": "where-object", "?": "where-object", "foreach": "foreach-object", "%": "foreach-object",
            "select": "select-object", "sort": "sort-object", "echo": "write-output", "cat": "get-content",
            "gc": "get-content", "copy": "copy-item", "cp": "copy-item", "ni": "new-item", "mkdir": "new-item",
            "md": "new-item", "gp": "get-itemproperty", "rm": "remove-item", "del": "remove-item",
            "write-host": "write-output", "measure": "measure-object"}  # fmt: skip
_NAMES = {"$true": True, "$false": False, "$null": None, "$lastexitcode": 0, "$env:programdata": "C:\\ProgramData",
          "$env:temp": "C:\\Windows\\Temp", "$env:systemdrive": "C:",
          "$env:processor_architecture": "AMD64"}  # fmt: skip


class Lister(SystemCommands):
    """A script that runs."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, Shell(machine, PROGRAMS, machine.packages, GuestFiles()))
        self.names = {**_NAMES, "$env:computername": machine.name}
        self.names |= {f"$env:{name.lower()}": value for name, value in machine.environment.items()}  # fmt: skip

    def run(self, text: str) -> ScriptRun:
        """Run a script."""
        lines, code = [], 0
        try:
            lines = [self.text(one) for one in self.block(Parser(text).script())]
        except ScriptEndsError as end:
            code = end.code
        if str(self.names.get("$erroractionpreference")).lower() == "silentlycontinue":
            self.errors.clear()
        changes = [*self.changes, *self.shell.changes]
        files = dict(self.files.values())
        return ScriptRun("\n".join(lines), "\n".join(self.errors), code, self.shell.seconds, changes, files)

    def text(self, value: Value) -> str:
        """Return a value as a text; objects with properties have none that is modelled."""
        if isinstance(value, dict | bytes):
            raise UnsupportedLineError("the table of an object")
        if isinstance(value, list):
            return " ".join(self.text(one) for one in value)
        return "" if value is None else str(value)

    # -- statements ----------------------------------------------------------------------------------------------

    def block(self, statements: list[Node]) -> list[Value]:
        """Run statements, and return what they print."""
        return [one for statement in statements for one in as_list(self.value(statement))]

    def value(self, node: Node) -> Value:
        """Return the value of a statement or an expression."""
        return getattr(self, f"_{node[0]}")(*node[1:])

    def _assign(self, name: str, sign: str, value: Node) -> None:
        found = self.value(value)
        if sign == "+=":
            before = self.names.get(name)
            if isinstance(before, list):
                found = [*before, *as_list(found)]
            elif before is not None:
                found = compared("+", before, found, self.text)
        self.names[name] = found

    def _if(self, condition: Node, yes: list[Node], no: list[Node]) -> Value:
        return self.block(yes if self.truth(self.value(condition)) else no)

    def truth(self, value: Value) -> bool:
        """Return a value as a condition."""
        return self.truth(value[0]) if isinstance(value, list) and len(value) == 1 else bool(value)

    def _foreach(self, name: str, values: Node, body: list[Node]) -> Value:
        found = []
        for one in as_list(self.value(values)):
            self.names[name] = one
            found += self.block(body)
        return found

    def _try(self, body: list[Node], other: list[Node]) -> Value:
        before = len(self.errors)
        found = self.block(body)
        if len(self.errors) > before:
            del self.errors[before:]
            return self.block(other)
        return found

    def _pipe(self, parts: list[Node]) -> Value:
        found = as_list(self.value(parts[0]))
        for part in parts[1:]:
            if part[0] != "command":
                raise UnsupportedLineError("a pipeline")
            found = as_list(self._command(part[1], part[2], found))
        return found if len(found) != 1 else found[0]

    # -- expressions ---------------------------------------------------------------------------------------------

    def _text(self, text: str) -> Value:
        return text

    def _number(self, text: str) -> Value:
        return float(text) if "." in text else int(text)

    def _string(self, text: str) -> Value:
        """Return a text in double quotes with its variables and expressions."""
        found, at = "", 0
        while at < len(text):
            one = text[at]
            if one == "`":
                found += {"t": "\t", "n": "\n", "r": "\r", "0": "\0"}.get(text[at + 1 : at + 2], text[at + 1 : at + 2])
                at += 2
            elif one == "$" and (match := re.compile(r"\$(?:\{?(env:\w+|\w+)\}?)").match(text, at)):
                found += self.text(self._variable(f"${match[1].lower()}"))
                at = match.end()
            elif text.startswith("$(", at):
                end, depth = at + 2, 1
                while end < len(text) and depth:
                    depth += (text[end] == "(") - (text[end] == ")")
                    end += 1
                found += " ".join(self.text(one) for one in self.block(Parser(text[at + 2 : end - 1]).script()))
                at = end
            else:
                found += one
                at += 1
        return found

    def _variable(self, name: str) -> Value:
        return self.names.get(name)

    def _array(self, nodes: list[Node]) -> Value:
        return [self.value(one) for one in nodes]

    def _list(self, statements: list[Node]) -> Value:
        return self.block(statements)

    def _sub(self, statements: list[Node]) -> Value:
        found = self.block(statements)
        return found[0] if len(found) == 1 else found

    def _block(self, statements: list[Node]) -> Value:
        return ("block", statements)

    def _table(self, pairs: list[tuple[str, Node]]) -> Value:
        return {key: self.value(node) for key, node in pairs}

    def _cast(self, name: str, inside: Node) -> Value:
        value = self.value(inside)
        kind = name.lower().rpartition(".")[2]
        if kind in ("string[]", "object[]", "array"):
            return as_list(value)
        if kind == "string":
            return self.text(value)
        if kind == "int":
            return int(value or 0)
        if kind in ("pscustomobject", "ordered", "void"):
            return value if kind != "void" else None
        raise UnsupportedLineError(f"[{name}]")

    def _type(self, name: str) -> Value:
        return ("type", name.lower().removeprefix("system."))

    def _not(self, inside: Node) -> Value:
        return not self.truth(self.value(inside))

    def _binary(self, sign: str, left: Node, right: Node) -> Value:
        first = self.value(left)
        if sign in ("and", "or"):
            known = self.truth(first)
            return known if known is (sign == "or") else self.truth(self.value(right))
        second = self.value(right)
        if sign in ("match", "imatch", "cmatch") and not isinstance(first, list):
            found = re.search(self.text(second), self.text(first), 0 if sign[0] == "c" else re.IGNORECASE)
            if found is not None:
                self.names["$matches"] = {str(place): text for place, text in enumerate([found[0], *found.groups()])}
            return found is not None
        return compared(sign, first, second, self.text)

    def _member(self, left: Node, name: str) -> Value:
        return member_of(self.value(left), name)

    def _item(self, left: Node, inside: Node) -> Value:
        value, place = self.value(left), self.value(inside)
        if isinstance(value, dict):
            return member_of(value, str(place))
        return as_list(value)[int(place)] if -len(as_list(value)) <= int(place) < len(as_list(value)) else None

    def _call(self, left: Node, name: str, arguments: list[Node]) -> Value:
        target, values = self.value(left), [self.value(one) for one in arguments]
        if isinstance(target, tuple) and target[0] == "type":
            if target[1] == "io.file":
                return self.file_method(name.lower(), values)
            return call_static(target[1], name.lower(), values, self.text)
        return call_method(target, name.lower(), values, self.text)

    # -- commands ------------------------------------------------------------------------------------------------

    def _command(self, name: Node, arguments: list[tuple[str, Node | None]], given: list[Value] | None = None) -> Value:
        word = self.text(self.value(name))
        short = ntpath.basename(word).lower().removesuffix(".exe")
        if short in ("python", "python3", "py", "pip", "pip3") and self.has_python(word):
            return self._pip(short, arguments)
        plain: list[Value] = []
        named: dict[str, Value] = {}
        waits = ""
        for key, node in arguments:
            if node is None:
                waits = "" if key in _SWITCHES else key
                named[key] = True
            elif waits:
                named[waits], waits = self.value(node), ""
            else:
                plain.append(self.value(node))
        key = _ALIASES.get(word.lower(), word.lower())
        work: Callable[..., Value] | None = getattr(self, "_do_" + key.replace("-", "_"), None)
        if work is None:
            raise UnsupportedLineError(word)
        before = len(self.errors)
        found = work(plain, named, given or [])
        if str(named.get("erroraction", "")).lower() in ("silentlycontinue", "ignore"):
            del self.errors[before:]
        return found

    def _pip(self, name: str, arguments: list[tuple[str, Node | None]]) -> Value:
        words = [f"-{key}" if node is None else self.text(self.value(node)) for key, node in arguments]
        words = [re.sub(r"^-(-?)(?=\w{3,})", "--", one) for one in words]
        if name.startswith("py"):
            if words[:2] != ["-m", "pip"]:
                raise UnsupportedLineError(name)
            words = words[2:]
        self.shell.stdout, self.shell.stderr = [], []
        self.names["$lastexitcode"] = pip(self.shell, ["pip", *words], None)
        self.errors += self.shell.stderr
        return "".join(self.shell.stdout).splitlines()

    def _each(self, code: Value, one: Value) -> list[Value]:
        before, self.names["$_"] = self.names.get("$_"), one
        found = self.block(code[1])
        self.names["$_"] = before
        return found

    def _do_where_object(self, plain: list[Value], named: dict[str, Value], given: list[Value]) -> Value:
        if plain and isinstance(plain[0], tuple):
            return [one for one in given if self.truth(self._each(plain[0], one))]
        if plain and not named:
            return [one for one in given if self.truth(member_of(one, plain[0]))]
        raise UnsupportedLineError("Where-Object")

    def _do_foreach_object(self, plain: list[Value], _: dict[str, Value], given: list[Value]) -> Value:
        if plain and isinstance(plain[0], str):
            return [member_of(one, plain[0]) for one in given]
        return [found for one in given for found in self._each(plain[0], one)]

    def _do_select_object(self, plain: list[Value], named: dict[str, Value], given: list[Value]) -> Value:
        found = given
        if expanded := named.get("expandproperty"):
            found = [value for one in given if (value := member_of(one, expanded)) is not None]
        elif names := as_list(named.get("property") or (plain[0] if plain else None)):
            found = [{str(name): member_of(one, str(name)) for name in names} for one in given]
        if "unique" in named:
            found = [one for number, one in enumerate(found) if one not in found[:number]]
        return found[: int(named["first"])] if "first" in named else found

    def _do_sort_object(self, plain: list[Value], named: dict[str, Value], given: list[Value]) -> Value:
        names = as_list(named.get("property") or (plain[0] if plain else None))

        def key(one: Value) -> list[str]:
            values = [member_of(one, name) for name in names] if names else [one]
            return [self.text(value).lower() for value in values]

        found = sorted(given, key=key, reverse="descending" in named)
        if "unique" in named:
            found = [one for number, one in enumerate(found) if number == 0 or key(one) != key(found[number - 1])]
        return found

    def _do_measure_object(self, _: list[Value], __: dict[str, Value], given: list[Value]) -> Value:
        return {"Count": len(given)}

    def _do_write_output(self, plain: list[Value], _: dict[str, Value], given: list[Value]) -> Value:
        return [one for value in (plain or given) for one in as_list(value)]

    def _do_invoke_expression(self, plain: list[Value], _: dict[str, Value], given: list[Value]) -> Value:
        return self.block(Parser(self.text((plain or given)[0])).script())

    def _do_out_null(self, _: list[Value], __: dict[str, Value], ___: list[Value]) -> Value:
        return None

    def _do_exit(self, plain: list[Value], _: dict[str, Value], __: list[Value]) -> Value:
        raise ScriptEndsError(int(plain[0]) if plain else 0)


def run_list_script(machine: Machine, text: str) -> ScriptRun:
    """Return the course of a script that lists what is installed.

    Raises
    ------
    UnsupportedLineError
        The emulator does not model one of its statements.
    """
    try:
        return Lister(machine).run(text)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, re.error) as error:
        raise UnsupportedLineError(text) from error
