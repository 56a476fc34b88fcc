"""What a resize is to reach, and on what terms."""

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
        How many nodes; None keeps the kind's target.
    policy
        How far it may go for it.
    grow_only
        Leave a kind alone that has more already, and an expiry that the pool has already.
    drain
        What becomes of tasks on nodes that leave; None: as Azure does.
    autoscale_off
        Turn a formula off that sets the pool's size.
    """

    dedicated: int | None = None
    spot: int | None = None
    policy: ResizePolicy = field(default_factory=ResizePolicy)
    grow_only: bool = False
    drain: str | None = None
    autoscale_off: bool = False

    def target(self, now: Counts) -> Counts:
        """Return the counts to ask for, where the pool's targets are these."""

        def one(wanted: int | None, there: int) -> int:
            if wanted is None:
                return there
            return max(wanted, there) if self.grow_only else wanted

        return Counts(one(self.dedicated, now.dedicated), one(self.spot, now.spot))

    def first_node(self, target: Counts) -> Counts:
        """Return the counts of one node to try, dedicated where there are to be any; a kind not named is left alone."""
        neither = self.dedicated is None and self.spot is None
        dedicated = min(1, target.dedicated) if self.dedicated is not None or neither else target.dedicated
        spot = min(1, target.spot) if self.spot is not None or neither else target.spot
        return Counts(dedicated, 0) if dedicated and (self.spot is not None or neither) else Counts(dedicated, spot)
