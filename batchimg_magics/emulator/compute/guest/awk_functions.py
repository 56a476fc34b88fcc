"""The functions of awk: of text and numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.awk_state import Numeric, as_number, as_text
from batchimg_magics.emulator.compute.guest.printf import formatted
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.compute.guest.awk_state import AwkState, Value
    from batchimg_magics.emulator.compute.guest.awk_syntax import Node


def _text(awk: AwkState, node: Node) -> str:
    return as_text(awk.value(node))


def _substr(awk: AwkState, nodes: list[Node]) -> str:
    text, start = _text(awk, nodes[0]), int(as_number(awk.value(nodes[1])))
    end = start + int(as_number(awk.value(nodes[2]))) if len(nodes) > 2 else len(text) + 1
    return text[max(0, start - 1) : max(0, end - 1)]


def _replace(awk: AwkState, nodes: list[Node], count: int) -> float:
    target: Node = nodes[2] if len(nodes) > 2 else ("field", ("text", 0.0))
    other = _text(awk, nodes[1])

    def filled(match: re.Match[str]) -> str:
        return re.sub(r"\\\\&|\\&|&", lambda one: match[0] if one[0] == "&" else "&", other)

    text, found = awk.pattern(nodes[0]).subn(filled, _text(awk, target), count=count)
    if found:
        awk.store(target, text)
    return float(found)


def _split(awk: AwkState, nodes: list[Node]) -> float:
    text, mark = _text(awk, nodes[0]), nodes[2] if len(nodes) > 2 else ("text", awk.names["FS"])
    if mark == ("text", " "):
        parts = text.split()
    elif not text:
        parts = []
    elif mark[0] == "text" and len(str(mark[1])) == 1:
        parts = text.split(str(mark[1]))
    else:
        parts = awk.pattern(mark).split(text)
    awk.arrays[nodes[1][1]] = {str(number): Numeric(one) for number, one in enumerate(parts, 1)}
    return float(len(parts))


def _match(awk: AwkState, nodes: list[Node]) -> float:
    found = awk.pattern(nodes[1]).search(_text(awk, nodes[0]))
    awk.names["RSTART"] = float(found.start() + 1) if found else 0.0
    awk.names["RLENGTH"] = float(found.end() - found.start()) if found else -1.0
    return float(found.start() + 1) if found else 0.0


def _length(awk: AwkState, nodes: list[Node]) -> float:
    if nodes and nodes[0][0] == "name" and nodes[0][1] in awk.arrays:
        return float(len(awk.arrays[nodes[0][1]]))
    return float(len(_text(awk, nodes[0]) if nodes else awk.fields[0]))


def _index(awk: AwkState, nodes: list[Node]) -> float:
    return float(_text(awk, nodes[0]).find(_text(awk, nodes[1])) + 1)


def _sprintf(awk: AwkState, nodes: list[Node]) -> str:
    form, *rest = [_text(awk, one) for one in nodes]
    return formatted(form, rest)[0]


_FUNCTIONS: dict[str, Callable[[AwkState, list[Node]], Value]] = {
    "length": _length,
    "substr": _substr,
    "sub": lambda awk, nodes: _replace(awk, nodes, 1),
    "gsub": lambda awk, nodes: _replace(awk, nodes, 0),
    "split": _split,
    "match": _match,
    "index": _index,
    "sprintf": _sprintf,
    "tolower": lambda awk, nodes: _text(awk, nodes[0]).lower(),
    "toupper": lambda awk, nodes: _text(awk, nodes[0]).upper(),
    "int": lambda awk, nodes: float(int(as_number(awk.value(nodes[0])))),
}


def call(awk: AwkState, name: str, nodes: list[Node]) -> Value:
    """Return the value of a call."""
    if name not in _FUNCTIONS:
        raise UnsupportedLineError(f"awk: {name}()")
    return _FUNCTIONS[name](awk, nodes)
