"""What a resize is to reach, and under which policy."""

from __future__ import annotations

from dataclasses import dataclass, field

from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.pool_spec.resize_policy import ResizePolicy


@dataclass(frozen=True, slots=True)
class ResizeRequest:
    """What a resize is to reach.

    Parameters
    ----------
    dedicated, spot
        The requested nodes; None keeps the target of that kind.
    policy
        Its limits: attempts, minutes, money, bad nodes.
    grow_only
        Keep a kind that has more nodes already, and an expiry that the pool has already.
    drain
        What happens to tasks on nodes that are removed; None: Azure's default.
    autoscale_off
        Turn off an autoscale formula that sets the pool's size.
    """

    dedicated: int | None = None
    spot: int | None = None
    policy: ResizePolicy = field(default_factory=ResizePolicy)
    grow_only: bool = False
    drain: str | None = None
    autoscale_off: bool = False

    def target(self, now: Counts) -> Counts:
        """Return the counts to request, for a pool with these targets.

        Dedicated nodes that an earlier run requested instead of spot nodes stay, and so many spot nodes are not
        requested again.
        """

        def one(wanted: int | None, current: int) -> int:
            if wanted is None:
                return current
            return max(wanted, current) if self.grow_only else wanted

        target = Counts(one(self.dedicated, now.dedicated), one(self.spot, now.spot))
        dedicated, spot = self.dedicated or 0, self.spot or 0
        instead = min(now.dedicated - dedicated, self.policy.fallback_dedicated or 0, spot)
        if instead <= 0:
            return target
        return Counts(max(target.dedicated, dedicated + instead), one(spot - instead, now.spot))

    def first_node(self, target: Counts) -> Counts:
        """Return the counts of one node to test first: dedicated, where any are requested. A kind not named is kept."""
        neither = self.dedicated is None and self.spot is None
        dedicated = min(1, target.dedicated) if self.dedicated is not None or neither else target.dedicated
        spot = min(1, target.spot) if self.spot is not None or neither else target.spot
        return Counts(dedicated, 0) if dedicated and (self.spot is not None or neither) else Counts(dedicated, spot)
