"""How the numbers and rules of the emulator are known: recorded traffic, Microsoft's documents, or an assumption.

A module declares its numbers and rules in an `Evidence` of its own, beside the code that uses them;
``docs/assumed.md`` is made of these tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

EvidenceKind = Literal["assumed", "recorded", "documented"]
ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class EvidenceEntry:
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

    kind: EvidenceKind
    meaning: str
    source: str
    value: object = None
    unit: str = ""


class Evidence:
    """What one module takes for true.

    Parameters
    ----------
    about
        What it is about, as a heading.
    """

    def __init__(self, about: str) -> None:
        self.title = about
        self.entries: list[EvidenceEntry] = []

    def assumed(self, value: ValueT, unit: str, what: str, why: str) -> ValueT:
        """Declare a number that nobody has seen and no document tells, and return it."""
        return self._add("assumed", value, unit, what, why)

    def recorded(self, value: ValueT, unit: str, what: str, why: str) -> ValueT:
        """Declare a number of recorded traffic, and return it."""
        return self._add("recorded", value, unit, what, why)

    def documented(self, value: ValueT, unit: str, what: str, why: str) -> ValueT:
        """Declare a number of Microsoft's documents, and return it."""
        return self._add("documented", value, unit, what, why)

    def rule(self, what: str, why: str) -> None:
        """Declare a behaviour that is assumed."""
        self.entries.append(EvidenceEntry("assumed", what, why))

    def _add(self, how: EvidenceKind, value: ValueT, unit: str, what: str, why: str) -> ValueT:
        self.entries.append(EvidenceEntry(how, what, why, value, unit))
        return value
