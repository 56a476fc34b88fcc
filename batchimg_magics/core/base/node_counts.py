"""Nodes of both kinds, counted; and how many of them a pool's document in Azure Resource Manager speaks of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Counts:
    """Nodes of both kinds."""

    dedicated: int = 0
    spot: int = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.dedicated + self.spot

    def maximum(self, other: Counts) -> Counts:
        """Return the larger count of each kind."""
        return Counts(max(self.dedicated, other.dedicated), max(self.spot, other.spot))

    def minimum(self, other: Counts) -> Counts:
        """Return the smaller count of each kind."""
        return Counts(min(self.dedicated, other.dedicated), min(self.spot, other.spot))

    def covers(self, other: Counts) -> bool:
        """Tell whether there are at least as many of each kind."""
        return self.dedicated >= other.dedicated and self.spot >= other.spot

    def __str__(self) -> str:
        parts = [f"{self.dedicated} dedicated"] if self.dedicated or not self.spot else []
        return " + ".join([*parts, *([f"{self.spot} spot"] if self.spot else [])])


def current_counts(pool: Mapping[str, Any]) -> Counts:
    """Return how many nodes a pool has."""
    props = pool["properties"]
    return Counts(props.get("currentDedicatedNodes") or 0, props.get("currentLowPriorityNodes") or 0)


def target_counts(pool: Mapping[str, Any]) -> Counts:
    """Return how many nodes a pool of a fixed size is to have; none under a formula."""
    fixed = (pool["properties"].get("scaleSettings") or {}).get("fixedScale") or {}
    return Counts(fixed.get("targetDedicatedNodes") or 0, fixed.get("targetLowPriorityNodes") or 0)


def current_or_target(pool: Mapping[str, Any]) -> Counts:
    """Return how many nodes a pool has or is to have, whichever is more."""
    return current_counts(pool).maximum(target_counts(pool))


def with_targets(pool: Mapping[str, Any], counts: Counts) -> dict[str, Any]:
    """Return a pool's document as it will read while the pool is resized to so many nodes."""
    fixed = {"targetDedicatedNodes": counts.dedicated, "targetLowPriorityNodes": counts.spot}
    goes = {"allocationState": "Resizing", "scaleSettings": {"fixedScale": fixed}}
    return {**pool, "properties": {**pool["properties"], **goes}}


def allocated_counts(pool: Mapping[str, Any]) -> Counts:
    """Return how many nodes a pool has, or has been promised while it is resized."""
    now = current_counts(pool)
    return now if str(pool["properties"].get("allocationState")).lower() == "steady" else current_or_target(pool)
