"""The variables of an awk program that runs, and their values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.awk_syntax import Node
    from batchimg_magics.emulator.compute.guest.shell import Shell

Value = str | float
NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")


def as_number(value: Value) -> float:
    """Return a value as a number."""
    if isinstance(value, float):
        return value
    match = NUMBER.match(value)
    return float(match[1]) if match else 0.0


def as_text(value: Value) -> str:
    """Return a value as text."""
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) else f"{value:.6g}"


class Numeric(str):
    """A text from the input: it is compared as a number if it looks like one."""

    __slots__ = ()


class AwkState:
    """The state of a program; `Awk` runs it."""

    def __init__(self, shell: Shell, variables: dict[str, Value]) -> None:
        self.shell = shell
        self.names: dict[str, Value] = {
            "FS": " ",
            "OFS": " ",
            "ORS": "\n",
            "NR": 0.0,
            "NF": 0.0,
            "SUBSEP": "\x1c",
            "RS": "\n",
        }
        self.names |= variables
        self.arrays: dict[str, dict[str, Value]] = {}
        self.fields: list[str] = [""]
        self.files: set[str] = set()
        self.ranges: set[int] = set()
        self.out = ""
        self.steps = 0

    def value(self, node: Node) -> Value:
        """Return the value of an expression."""
        raise NotImplementedError

    def store(self, target: Node, value: Value) -> Value:
        """Set a variable, an item or a field."""
        raise NotImplementedError

    def pattern(self, node: Node) -> re.Pattern[str]:
        """Return the pattern that an expression is."""
        raise NotImplementedError
