"""How the numbers and rules of the emulator are known: from recorded traffic, Microsoft's documents, or an assumption.

A module declares its numbers and rules in an `Evidence`, beside the code that uses them; ``docs/assumed.md`` is
generated from these tables.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

EvidenceKind = Literal["assumed", "recorded", "documented"]
ValueT = TypeVar("ValueT")


class EvidenceEntry(msgspec.Struct, frozen=True):
    """One number or rule.

    Parameters
    ----------
    kind
        How it is known.
    meaning
        What the number or rule stands for.
    source
        The recordings, the document, or the reason for the assumption.
    value, unit
        The number, or several in order or by name; a rule has neither.
    """

    kind: EvidenceKind
    meaning: str
    source: str
    value: object = None
    unit: str = ""


class Evidence:
    """The numbers and rules of one module, with their sources.

    Parameters
    ----------
    title
        The heading in the generated page.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.entries: list[EvidenceEntry] = []

    def assumed(self, value: ValueT, unit: str, what: str, why: str) -> ValueT:
        """Declare a number that is neither recorded nor documented, and return it."""
        return self._add("assumed", value, unit, what, why)

    def recorded(self, value: ValueT, unit: str, what: str, why: str) -> ValueT:
        """Declare a number from recorded traffic, and return it."""
        return self._add("recorded", value, unit, what, why)

    def documented(self, value: ValueT, unit: str, what: str, why: str) -> ValueT:
        """Declare a number from Microsoft's documents, and return it."""
        return self._add("documented", value, unit, what, why)

    def rule(self, what: str, why: str) -> None:
        """Declare an assumed behavior."""
        self.entries.append(EvidenceEntry("assumed", what, why))

    def _add(self, how: EvidenceKind, value: ValueT, unit: str, what: str, why: str) -> ValueT:
        self.entries.append(EvidenceEntry(how, what, why, value, unit))
        return value
