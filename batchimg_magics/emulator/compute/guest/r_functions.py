"""What R says about installed packages, and how it installs them. Source: the reference manual of R."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest import outside
from batchimg_magics.emulator.compute.guest.printf import formatted
from batchimg_magics.emulator.compute.guest.r_language import Frame, Node
from batchimg_magics.emulator.compute.guest.scripts import ScriptEndsError, UnsupportedLineError
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.compute.guest.shell import Shell

Value = list[str] | Frame
_CONSTANTS: dict[str, list[str]] = {"T": ["TRUE"], "F": ["FALSE"], "NULL": []} | {
    name: [name] for name in ("TRUE", "FALSE", "NA")
}
evidence = Evidence("Lists of R")
_INSTALL_S = 60.0
_LIST_S = evidence.assumed(2.0, "s", "that R takes to list its packages", "no recording shows it")


class Run:
    """A program of R that runs."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.names: dict[str, Value] = {}
        self.visible = False

    def program(self, nodes: list[Node]) -> None:
        """Run expressions; what is not assigned is printed."""
        for node in nodes:
            self.visible = node[0] not in ("assign", "for")
            value = self.value(node)
            if self.visible:
                self.show(value, names=True, quote=True)

    # -- expressions ---------------------------------------------------------------------------------------------

    def value(self, node: Node) -> Value:
        """Return the value of an expression."""
        kind = node[0]
        if kind == "text":
            return list(node[1])
        if kind == "name":
            if node[1] in self.names:
                return self.names[node[1]]
            if node[1] in _CONSTANTS:
                return list(_CONSTANTS[node[1]])
            raise UnsupportedLineError(f"R: {node[1]}")
        work: dict[str, Callable[..., Value]] = {
            "assign": self._assign, "column": self._column, "index": self._index, "call": self._call, "for": self._for,
            "block": self._block, "range": self._range, "compare": self._compare, "not": self._not,
            "minus": self._minus,
        }  # fmt: skip
        return work[kind](*node[1:])

    def vector(self, node: Node) -> list[str]:
        """Return the value of an expression that is a vector; a matrix is its columns, one after the other."""
        value = self.value(node)
        return [one for column in value.columns.values() for one in column] if isinstance(value, Frame) else value

    def _assign(self, target: Node, value: Node) -> Value:
        found = self.value(value)
        if target[0] == "name":
            self.names[target[1]] = found
        elif target[0] == "call" and target[1] in (("name", "rownames"), ("name", "row.names")):
            frame = self.value(target[2][0][1])
            if isinstance(frame, Frame):
                frame.rows = (
                    found if isinstance(found, list) and found else [str(n) for n, _ in enumerate(frame.rows, 1)]
                )
        elif target[0] == "index" and target[1][0] == "name" and len(target[2]) == 1 and target[2][0][1] is not None:
            self._assign_places(target[1], target[2][0][1], found)
        else:
            raise UnsupportedLineError("R: an assignment")
        self.visible = False
        return found

    def _assign_places(self, name: Node, places: Node, value: Value) -> None:
        """Assign one value to some places of a vector."""
        vector = self.value(name)
        if isinstance(vector, Frame) or isinstance(value, Frame) or len(value) != 1:
            raise UnsupportedLineError("R: an assignment")
        chosen = self._places(self.vector(places), len(vector), [])
        self.names[name[1]] = [value[0] if place in chosen else one for place, one in enumerate(vector)]

    def _column(self, frame: Node, name: str) -> Value:
        value = self.value(frame)
        if not isinstance(value, Frame) or name not in value.columns:
            return []
        return value.columns[name]

    def _index(self, inside: Node, arguments: list[tuple[str, Node | None]]) -> Value:
        value = self.value(inside)
        places = [node for name, node in arguments if name != "drop"]
        if isinstance(value, list):
            chosen = (
                self._places(self.vector(places[0]), len(value), [])
                if places and places[0] is not None
                else range(len(value))
            )
            return [value[n] for n in chosen if n < len(value)]
        rows, columns = (places[0], places[1]) if len(places) > 1 else (None, places[0])
        frame = value
        if rows is not None:
            frame = frame.select(
                [n for n in self._places(self.vector(rows), len(frame.rows), frame.rows) if n < len(frame.rows)]
            )
        if columns is None:
            return frame
        names = list(frame.columns)
        kept = [names[n] for n in self._places(self.vector(columns), len(names), names)]
        if len(kept) == 1 and not any(name == "drop" for name, _ in arguments):
            return frame.columns[kept[0]]
        return Frame({name: frame.columns[name] for name in kept}, list(frame.rows))

    @staticmethod
    def _places(chosen: list[str], count: int, names: list[str]) -> list[int]:
        """Return the places that an index means: numbers, names, or one truth value each."""
        if len(chosen) == count and all(one in ("TRUE", "FALSE", "NA") for one in chosen):
            return [n for n, one in enumerate(chosen) if one == "TRUE"]
        if all(re.fullmatch(r"-?\d+", one) for one in chosen):
            numbers = [int(one) for one in chosen]
            if any(one < 0 for one in numbers):
                return [n for n in range(count) if -(n + 1) not in numbers]
            return [one - 1 for one in numbers]
        if any(one not in names for one in chosen):
            raise UnsupportedLineError("R: subscript out of bounds")
        return [names.index(one) for one in chosen]

    def _for(self, name: str, values: Node, body: Node) -> Value:
        for one in self.vector(values):
            self.names[name] = [one]
            self.value(body)
        self.visible = False
        return []

    def _block(self, nodes: list[Node]) -> Value:
        found: Value = []
        for one in nodes:
            found = self.value(one)
        return found

    def _range(self, first: Node, last: Node) -> Value:
        return [str(n) for n in range(int(self.vector(first)[0]), int(self.vector(last)[0]) + 1)]

    def _compare(self, sign: str, left: Node, right: Node) -> Value:
        first, second = self.vector(left), self.vector(right)
        if sign == "%in%":
            return [str(one in second).upper() for one in first]
        return [
            str((one == second[n % len(second)]) is (sign == "==")).upper() if second else "NA"
            for n, one in enumerate(first)
        ]

    def _not(self, inside: Node) -> Value:
        return ["FALSE" if one == "TRUE" else "TRUE" for one in self.vector(inside)]

    def _minus(self, inside: Node) -> Value:
        return [f"-{one}" for one in self.vector(inside)]

    # -- functions -----------------------------------------------------------------------------------------------

    def _call(self, function: Node, arguments: list[tuple[str, Node | None]]) -> Value:
        name = str(function[1]).rpartition("::")[2] if function[0] == "name" else ""
        work = _FUNCTIONS.get(name)
        if work is None:
            raise UnsupportedLineError(f"R: {name}()")
        named = {key: node for key, node in arguments if key and node is not None}
        plain = [node for key, node in arguments if not key and node is not None]
        found = work(self, plain, named)
        if name in _SILENT:
            self.visible = False
        return found

    def show(self, value: Value, *, names: bool, quote: bool) -> None:
        """Print a value as R does."""
        if isinstance(value, list):
            shown = [f'"{one}"' if quote else one for one in value]
            width = max((len(one) for one in shown), default=0)
            self.shell.stdout.append("".join(f"[{n}] {one.ljust(width)}\n" for n, one in enumerate(shown, 1)))
            return
        rows = value.rows if names else [""] * len(value.rows)
        widths = {name: max(len(name), *(len(one) for one in column), 0) for name, column in value.columns.items()}
        first = max((len(one) for one in rows), default=0)
        self.shell.stdout.append(" " * first + "".join(f" {name.rjust(widths[name])}" for name in value.columns) + "\n")
        for n, row in enumerate(rows):
            cells = "".join(f" {column[n].rjust(widths[name])}" for name, column in value.columns.items())
            self.shell.stdout.append(f"{row.ljust(first)}{cells}\n")

    def option(self, named: dict[str, Node], name: str, default: str) -> str:
        """Return the first value of a named argument."""
        return (self.vector(named[name]) or [default])[0] if name in named else default


Arguments = list[Node]
Named = dict[str, Node]


def _installed(run: Run, _: Arguments, named: Named) -> Value:
    run.shell.seconds += _LIST_S
    packages = run.shell.packages.installed("r")
    if "priority" in named:
        raise UnsupportedLineError("R: installed.packages(priority)")
    base = {"base", "methods", "stats", "utils"}
    columns = {
        "Package": [one.name for one in packages],
        "LibPath": [one.source for one in packages],
        "Version": [one.version for one in packages],
        "Priority": ["base" if one.name in base else "NA" for one in packages],
        "Depends": ["NA" for _ in packages],
        "License": ["Part of R 4.3.3" if one.name in base else "GPL (>= 2)" for one in packages],
        "Built": ["4.3.3" for _ in packages],
    }
    if "fields" in named:
        if run.vector(named["fields"]) != ["Repository"]:
            raise UnsupportedLineError("R: installed.packages(fields)")
        columns["Repository"] = ["NA" if one.name in base else "CRAN" for one in packages]
    return Frame(columns, [one.name for one in packages])


def _paste(run: Run, plain: Arguments, named: Named) -> Value:
    between = run.option(named, "sep", " ")
    vectors = [one for one in (run.vector(node) for node in plain) if one]
    count = max((len(one) for one in vectors), default=0)
    found = [between.join(one[n % len(one)] for one in vectors) for n in range(count)]
    return [run.option(named, "collapse", "").join(found)] if "collapse" in named else found


def _paste0(run: Run, plain: Arguments, named: Named) -> Value:
    return _paste(run, plain, named | {"sep": ("text", [""])})


def _sprintf(run: Run, plain: Arguments, _: Named) -> Value:
    form, *vectors = [run.vector(node) for node in plain]
    count = max([len(one) for one in vectors], default=1)
    return [formatted(form[0], [one[n % len(one)] for one in vectors])[0] for n in range(count)]


def _cat(run: Run, plain: Arguments, named: Named) -> Value:
    between, text = run.option(named, "sep", " "), ""
    words = [one for node in plain for one in run.vector(node)]
    for number, word in enumerate(words):
        text += word + (between if number < len(words) - 1 else "")
    if "file" in named:
        raise UnsupportedLineError("R: cat(file)")
    run.shell.stdout.append(text)
    return []


def _write_lines(run: Run, plain: Arguments, named: Named) -> Value:
    text = "".join(f"{one}\n" for one in run.vector(plain[0]))
    if len(plain) > 1 or "con" in named:
        path = run.vector(plain[1] if len(plain) > 1 else named["con"])[0]
        run.shell.write(path, text)
    else:
        run.shell.stdout.append(text)
    return []


def _write_table(run: Run, plain: Arguments, named: Named, *, comma: bool = False) -> Value:
    frame = run.value(plain[0])
    if not isinstance(frame, Frame):
        frame = Frame({"x": frame}, [str(n) for n, _ in enumerate(frame, 1)])
    between = "," if comma else run.option(named, "sep", " ")
    quoted = run.option(named, "quote", "TRUE") == "TRUE"
    numbered, headed = (run.option(named, one, "TRUE") == "TRUE" for one in ("row.names", "col.names"))

    def cell(text: str) -> str:
        return f'"{text}"' if quoted and text != "NA" else text

    lines = (
        [between.join(([cell("")] if comma and numbered else []) + [cell(one) for one in frame.columns])]
        if headed
        else []
    )
    for n, row in enumerate(frame.rows):
        lines.append(between.join(([cell(row)] if numbered else []) + [cell(one[n]) for one in frame.columns.values()]))
    text = "".join(f"{line}\n" for line in lines)
    path = run.option(named, "file", run.vector(plain[1])[0] if len(plain) > 1 else "")
    if not path:
        run.shell.stdout.append(text)
    elif not run.shell.write(path, text):
        run.shell.complain(
            'Error in file(file, ifelse(append, "a", "w")) : cannot open the connection\nExecution halted'
        )
        raise ScriptEndsError(1)
    return []


def _show(run: Run, plain: Arguments, named: Named) -> Value:
    value = run.value(plain[0])
    run.show(
        value,
        names=run.option(named, "row.names", "TRUE") == "TRUE",
        quote=run.option(named, "quote", "TRUE") == "TRUE",
    )
    return value


def _install(run: Run, plain: Arguments, _: Named) -> Value:
    shell = run.shell
    if not outside.is_reached(shell):
        shell.complain("Warning: unable to access index for repository https://cloud.r-project.org/src/contrib:\n"
                       "  cannot open URL 'https://cloud.r-project.org/src/contrib/PACKAGES'")  # fmt: skip
        return []
    for name in run.vector(plain[0]):
        known = shell.packages.available("r", name, shell.now())
        if known is None:
            shell.complain(f"Warning message:\npackage \u2018{name}\u2019 is not available for this version of R")
            continue
        shell.set_package("r", name, known.version)
        shell.seconds += _INSTALL_S
        shell.complain(f"* DONE ({name})")
    return []


def _remove(run: Run, plain: Arguments, _: Named) -> Value:
    for name in run.vector(plain[0]):
        run.shell.set_package("r", name, None)
    return []


def _version(run: Run, plain: Arguments, _: Named) -> Value:
    name = run.vector(plain[0])[0]
    known = run.shell.packages.find("r", name)
    if known is None:
        run.shell.complain(
            f'Error in packageVersion("{name}") : there is no package called \u2018{name}\u2019\nExecution halted'
        )
        raise ScriptEndsError(1)
    return [known.version]


def _through(run: Run, plain: Arguments, _: Named) -> Value:
    return run.value(plain[0]) if plain else []


def _order(run: Run, plain: Arguments, _: Named) -> Value:
    vector = run.vector(plain[0])
    return [str(n + 1) for n in sorted(range(len(vector)), key=lambda n: vector[n])]


def _quit(_run: Run, _: Arguments, named: Named) -> Value:
    raise ScriptEndsError(int(_run.option(named, "status", "0")))


def _names(run: Run, plain: Arguments, _: Named) -> Value:
    value = run.value(plain[0])
    return list(value.rows) if isinstance(value, Frame) else value


def _size(run: Run, plain: Arguments, _: Named) -> Value:
    value = run.value(plain[0])
    return [str(len(value.rows) if isinstance(value, Frame) else len(value))]


_FUNCTIONS: dict[str, Callable[[Run, Arguments, Named], Value]] = {
    "installed.packages": _installed,
    "paste": _paste,
    "paste0": _paste0,
    "sprintf": _sprintf,
    "cat": _cat,
    "writeLines": _write_lines,
    "write.table": _write_table,
    "write.csv": lambda run, plain, named: _write_table(run, plain, named, comma=True),
    "print": _show,
    "install.packages": _install,
    "remove.packages": _remove,
    "packageVersion": _version,
    "c": lambda run, plain, _: [one for node in plain for one in run.vector(node)],
    "order": _order,
    "sort": lambda run, plain, _: sorted(run.vector(plain[0])),
    "unique": lambda run, plain, _: list(dict.fromkeys(run.vector(plain[0]))),
    "rownames": _names,
    "row.names": _names,
    "nrow": _size,
    "length": lambda run, plain, _: [str(len(run.vector(plain[0])))],
    "seq_len": lambda run, plain, _: [str(n + 1) for n in range(int(run.vector(plain[0])[0]))],
    "is.na": lambda run, plain, _: [str(one == "NA").upper() for one in run.vector(plain[0])],
    "options": lambda _run, _plain, _named: [],
    "quit": _quit,
    "q": _quit,
    **dict.fromkeys(
        ("as.data.frame", "as.character", "unname", "invisible", "suppressWarnings", "suppressMessages"), _through
    ),
}
_SILENT = frozenset({"cat", "writeLines", "write.table", "write.csv", "print", "install.packages", "remove.packages",
                     "invisible", "options"})  # fmt: skip
