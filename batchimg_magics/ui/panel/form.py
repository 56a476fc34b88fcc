"""The form of a resize: node counts and options, and what they are limited to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.batch.pools import resize_timeout_s
from batchimg_magics.core.estimates.forecast import Forecast, ForecastInputs, forecast
from batchimg_magics.pool_spec.values import MAX_NODES

if TYPE_CHECKING:
    from batchimg_magics.core.batch.quotas import QuotaHeadroom

__all__ = ["DRAIN_LABELS", "ResizeForm"]

#: Azure's value, and its effect on the tasks of nodes that are removed. Source: Batch service, nodeDeallocationOption.
DRAIN_LABELS = {
    "requeue": "end running tasks and requeue them",
    "terminate": "end running tasks, without a retry",
    "taskcompletion": "wait for running tasks",
    "retaineddata": "wait for running tasks and for the retention time of their files",
}
#: Upper end of a timeout in minutes: a week, as Batch allows it.
MAX_TIMEOUT_MINUTES = 10_080
#: A slider ends at the quota, unless that is more than so many times the pool: then it would be too coarse.
_COARSE, _FINE = 10, 400
_SMALLEST_SLIDER = 20


@dataclass(slots=True)
class ResizeForm:
    """The node counts and the options of a resize.

    Parameters
    ----------
    nodes, spot
        Node counts.
    timeout
        Resize timeout in minutes; None: the recommended one, which follows the size.
    repair, canary
        Whether unusable nodes are repaired, and whether one node is tested first.
    drain
        Azure's node deallocation option.
    yes
        Whether the user confirmed that nodes are removed, on a connection that is billed.
    is_edited
        Whether the user changed a count since the last resize was started.
    context
        Facts that the forecast depends on; None: not read yet.
    now, at
        The current nodes, and when they were read, in seconds of the service's time.
    """

    nodes: int = 0
    spot: int = 0
    timeout: int | None = None
    repair: bool = False
    canary: bool = False
    drain: str = "requeue"
    yes: bool = False
    is_edited: bool = False
    context: ForecastInputs | None = None
    now: Counts = field(default_factory=Counts)
    at: float = 0.0

    @property
    def target(self) -> Counts:
        """The node counts of the form."""
        return Counts(self.nodes, self.spot)

    @property
    def removes_nodes(self) -> bool:
        """Whether nodes of one kind at least would be removed."""
        return not self.target.covers(self.now)

    @property
    def recommended_timeout(self) -> int:
        """The recommended resize timeout in minutes."""
        return round(resize_timeout_s(self.target.total) / 60)

    @property
    def options(self) -> dict[str, Any]:
        """The options of `resize`; default values are left out."""
        options: dict[str, Any] = {"nodes": self.nodes, "spot": self.spot}
        if self.timeout is not None:
            options["timeout"] = f"{self.timeout}m"
        options |= {name: True for name in ("repair", "canary", "yes") if getattr(self, name)}
        if self.drain != "requeue" and self.removes_nodes:
            options["drain"] = self.drain
        return options

    def update(self, values: dict[str, Any]) -> None:
        """Change fields as a front end asks; unknown fields and values of another type are ignored."""
        for name, value in values.items():
            match name, value:
                case ("nodes" | "spot", int()) if not isinstance(value, bool):
                    setattr(self, name, max(0, min(MAX_NODES, value)))
                    self.yes = False  # another size is another question
                case ("timeout", int()) if not isinstance(value, bool):
                    self.timeout = max(0, min(MAX_TIMEOUT_MINUTES, value))
                    # The recommended value is no timeout of the user's: it continues to follow the size.
                    self.timeout = None if self.timeout == self.recommended_timeout else self.timeout
                case ("timeout", None):
                    self.timeout = None
                case ("repair" | "canary" | "yes", bool()):
                    setattr(self, name, value)
                case ("drain", str()) if value in DRAIN_LABELS:
                    self.drain = value
                case _:
                    continue
            self.is_edited = True

    def follow(self, target: Counts) -> None:
        """Set the counts to the pool's target, unless the user changed them."""
        if not self.is_edited:
            self.nodes, self.spot = target.dedicated, target.spot

    def forecast(self, blocker: str = "") -> Forecast | None:
        """Return the forecast; None: its inputs were not read yet.

        Parameters
        ----------
        blocker
            Why the pool cannot be resized at all; empty: it can.
        """
        if self.context is None:
            return None
        timeout_s = None if self.timeout is None else self.timeout * 60.0
        result = forecast(self.context, self.now, self.target, timeout_s=timeout_s, at=self.at)
        return replace(result, blockers=(blocker,)) if blocker else result

    def state(self) -> dict[str, Any]:
        """Return the fields as the front end shows them."""
        return {
            "nodes": self.nodes, "spot": self.spot, "timeout": self.timeout, "repair": self.repair,
            "canary": self.canary, "drain": self.drain, "yes": self.yes,
            "recommended_timeout": self.recommended_timeout,
        }  # fmt: skip


def quota_nodes(headroom: QuotaHeadroom, *, dedicated: bool) -> int | None:
    """Return how many nodes of a kind the quotas allow for the pool; None: not known."""
    quotas = headroom.binding(dedicated=dedicated)
    return quotas[0].free // headroom.cores if quotas and headroom.cores else None


def slider_max(now: int, target: int, quota: int | None) -> int:
    """Return the upper end of a slider: the quota, or less where the quota is far above the pool's size."""
    size = max(now, target, _SMALLEST_SLIDER)
    if quota is not None and size <= quota <= max(_FINE, _COARSE * size):
        return quota
    return _rounded(max(now, target, min(quota or 0, _COARSE * size), 5 * _SMALLEST_SLIDER))


def _rounded(value: int) -> int:
    step = int(10 ** max(1, len(str(value)) - 1))
    return -(-value // step) * step
