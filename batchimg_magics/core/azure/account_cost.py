"""What the pools of a Batch account cost per hour, as far as the verbs of a connection have read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchimg_magics.core.base.node_counts import Counts


@dataclass(slots=True)
class AccountCost:
    """The cost of all pools of an account per hour. It is put together from other reads and causes no request.

    The keys are names of pools in lower case.
    """

    _counts: dict[str, Counts] | None = None
    _costs: dict[str, Callable[[int, int], float | None]] = field(default_factory=dict)

    def note_pools(self, counts: Mapping[str, Counts]) -> None:
        """Keep the nodes of all pools of the account."""
        self._counts = {name.lower(): one for name, one in counts.items()}

    def note_counts(self, name: str, counts: Counts) -> None:
        """Keep the nodes of one pool, which may be new."""
        if self._counts is not None:
            self._counts[name.lower()] = counts

    def note_cost(self, name: str, cost: Callable[[int, int], float | None]) -> None:
        """Keep what dedicated and spot nodes of a pool cost."""
        self._costs[name.lower()] = cost

    def cost_of(self, name: str) -> Callable[[int, int], float | None] | None:
        """Return what dedicated and spot nodes of a pool cost per hour; None where its prices were not read."""
        return self._costs.get(name.lower())

    def counts_of(self, name: str) -> Counts | None:
        """Return the nodes of a pool; None where the pools, or this one, were not read."""
        return (self._counts or {}).get(name.lower())

    def usd_of(self, name: str) -> float | None:
        """Return what the nodes of a pool cost per hour; None where they, or their price, were not read."""
        counts, cost = self.counts_of(name), self._costs.get(name.lower())
        return cost(counts.dedicated, counts.spot) if counts is not None and cost is not None else None

    def forget(self, name: str) -> None:
        """Forget a pool that was deleted."""
        if self._counts is not None:
            self._counts.pop(name.lower(), None)
        self._costs.pop(name.lower(), None)

    @property
    def usd_per_hour(self) -> float | None:
        """US dollars per hour; None where pools, or the price of a pool that has nodes, were not read."""
        if self._counts is None:
            return None
        usd = 0.0
        for name, counts in self._counts.items():
            if not counts.total:
                continue
            cost = self._costs[name](counts.dedicated, counts.spot) if name in self._costs else None
            if cost is None:
                return None
            usd += cost
        return usd
