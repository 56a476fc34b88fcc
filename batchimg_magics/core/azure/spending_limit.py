"""What everything in a connection's account may cost, as `Azure` carries it. `money` keeps to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.core.base.node_counts import Counts


@dataclass(slots=True)
class SpendingLimit:
    """What everything in a connection's account may cost.

    Parameters
    ----------
    usd_per_hour
        For all nodes of all pools, with their disks; None: no limit.
    planned
        Pool, in lower case, to the counts that work of this session is bringing it to: who plans beside it knows.
    """

    usd_per_hour: float | None = None
    planned: dict[str, Counts] = field(default_factory=dict)
