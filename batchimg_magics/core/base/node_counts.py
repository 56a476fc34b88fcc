"""Counts of dedicated and spot nodes, and how to read them from a pool's document in Azure Resource Manager."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Counts:
    """A number of dedicated nodes and a number of spot nodes."""

    dedicated: int = 0
    spot: int = 0

    @property
    def total(self) -> int:
        """The sum of both."""
        return self.dedicated + self.spot

    def maximum(self, other: Counts) -> Counts:
        """Return the larger count of each kind."""
        return Counts(max(self.dedicated, other.dedicated), max(self.spot, other.spot))

    def minimum(self, other: Counts) -> Counts:
        """Return the smaller count of each kind."""
        return Counts(min(self.dedicated, other.dedicated), min(self.spot, other.spot))

    def covers(self, other: Counts) -> bool:
        """Tell whether each count is at least the other's."""
        return self.dedicated >= other.dedicated and self.spot >= other.spot

    @property
    def text(self) -> str:
        """The counts with the word nodes: ``20 dedicated + 5 spot nodes``."""
        return f"{self} {'node' if self.total == 1 else 'nodes'}"

    def __str__(self) -> str:
        parts = [f"{self.dedicated} dedicated"] if self.dedicated or not self.spot else []
        return " + ".join([*parts, *([f"{self.spot} spot"] if self.spot else [])])


def current_counts(pool: Mapping[str, Any]) -> Counts:
    """Return the current node counts of a pool."""
    props = pool["properties"]
    return Counts(props.get("currentDedicatedNodes") or 0, props.get("currentLowPriorityNodes") or 0)


def target_counts(pool: Mapping[str, Any]) -> Counts:
    """Return the target node counts of a pool; under an autoscale formula those of its last resize."""
    props = pool["properties"]
    scale = props.get("scaleSettings") or {}
    targets = scale.get("fixedScale") or (props.get("resizeOperationStatus") if "autoScale" in scale else None) or {}
    return Counts(targets.get("targetDedicatedNodes") or 0, targets.get("targetLowPriorityNodes") or 0)


def current_or_target(pool: Mapping[str, Any]) -> Counts:
    """Return the larger of the current and the target count of each kind."""
    return current_counts(pool).maximum(target_counts(pool))


def with_targets(pool: Mapping[str, Any], counts: Counts) -> dict[str, Any]:
    """Return a pool's document as Azure shows it while the pool is resized to these counts."""
    fixed = {"targetDedicatedNodes": counts.dedicated, "targetLowPriorityNodes": counts.spot}
    resizing = {"allocationState": "Resizing", "scaleSettings": {"fixedScale": fixed}}
    return {**pool, "properties": {**pool["properties"], **resizing}}


def allocated_counts(pool: Mapping[str, Any]) -> Counts:
    """Return the node counts that use quota: the current ones, and the target ones while the pool is resized."""
    steady = str(pool["properties"].get("allocationState")).lower() == "steady"
    return current_counts(pool) if steady else current_or_target(pool)
