"""How it is known what the simulator takes for true: seen in recorded traffic, documented by Microsoft, or assumed.

A module declares its numbers and rules in a `Basis` of its own, beside the code that goes by them; ``docs/assumed.md``
is made of these tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

How = Literal["assumed", "seen", "documented"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """One number or rule.

    Parameters
    ----------
    how
        How it is known.
    what
        What it stands for.
    why
        Where it comes from: the recordings, the document, or the reason to assume it.
    value, unit
        The number, or numbers in order or by name; a rule has neither.
    """

    how: How
    what: str
    why: str
    value: object = None
    unit: str = ""


class Basis:
    """What one module takes for true.

    Parameters
    ----------
    about
        What it is about, as a heading.
    """

    def __init__(self, about: str) -> None:
        self.about = about
        self.table: list[Entry] = []

    def assumed(self, value: T, unit: str, what: str, why: str) -> T:
        """Declare a number that nobody has seen and no document tells, and return it."""
        return self._keep("assumed", value, unit, what, why)

    def seen(self, value: T, unit: str, what: str, why: str) -> T:
        """Declare a number of recorded traffic, and return it."""
        return self._keep("seen", value, unit, what, why)

    def documented(self, value: T, unit: str, what: str, why: str) -> T:
        """Declare a number of Microsoft's documents, and return it."""
        return self._keep("documented", value, unit, what, why)

    def rule(self, what: str, why: str) -> None:
        """Declare a behaviour that is assumed."""
        self.table.append(Entry("assumed", what, why))

    def _keep(self, how: How, value: T, unit: str, what: str, why: str) -> T:
        self.table.append(Entry(how, what, why, value, unit))
        return value
