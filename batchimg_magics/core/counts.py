"""Nodes of both kinds, counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Nodes of both kinds."""

    dedicated: int = 0
    spot: int = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.dedicated + self.spot

    def most(self, other: Counts) -> Counts:
        """Return the larger count of each kind."""
        return Counts(max(self.dedicated, other.dedicated), max(self.spot, other.spot))

    def least(self, other: Counts) -> Counts:
        """Return the smaller count of each kind."""
        return Counts(min(self.dedicated, other.dedicated), min(self.spot, other.spot))

    def covers(self, other: Counts) -> bool:
        """Tell whether there are at least as many of each kind."""
        return self.dedicated >= other.dedicated and self.spot >= other.spot

    def __str__(self) -> str:
        parts = [f"{self.dedicated} dedicated"] if self.dedicated or not self.spot else []
        return " + ".join([*parts, *([f"{self.spot} spot"] if self.spot else [])])
