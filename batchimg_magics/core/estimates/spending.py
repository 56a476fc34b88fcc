"""What a pool has cost so far, as far as this tool saw it, also of a pool that was deleted.

Azure has no API that tells the cost of a pool: its cost analysis knows Batch accounts, and a day later. So each verb
that counts the nodes of a pool notes what they cost per hour, and the sum over time is what the pool has cost. Between
two counts the earlier cost holds; within a resize, where nodes are counted often, the larger one of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.base.node_counts import current_counts
from batchimg_magics.core.batch.expiry import created_of

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.estimates.prices import Rates

#: Counts of nodes that are not further apart belong to one operation.
_CLOSE_S = 900.0
#: Seconds after the creation of a pool within which its first cost must be seen, so that the sum is complete.
_FIRST_SEEN_S = 900.0


@dataclass(frozen=True, slots=True)
class PoolCost:
    """What a pool has cost.

    Parameters
    ----------
    usd
        US dollars, as far as it was seen; None where a price is not known.
    since, until
        The first time and the last time of the sum, in seconds since 1970.
    deleted
        Whether the pool was deleted at the last time.
    """

    usd: float | None
    since: float
    until: float
    deleted: bool

    def is_complete_since(self, created: float | None) -> bool:
        """Tell whether the sum begins with the creation of the pool."""
        return created is not None and self.since <= created + _FIRST_SEEN_S


def note_counts(azure: Azure, name: str, counts: Counts) -> None:
    """Note what a pool with these nodes costs now; nothing where its prices were not read."""
    if (cost := azure.account_cost.cost_of(name)) is not None:
        azure.ledger.add_cost(name, azure.now(), cost(counts.dedicated, counts.spot))


def note_pool(azure: Azure, pool: Json, rates: Rates) -> None:
    """Note what a pool costs now, by its document in Azure Resource Manager."""
    name, counts, created = str(pool["name"]), current_counts(pool), created_of(pool)
    azure.ledger.add_cost(name, azure.now(), rates.known_cost(counts.dedicated, counts.spot), created=created)


def cost_of(azure: Azure, pool: Json) -> PoolCost | None:
    """Return what a pool that exists has cost until now; None where none of its costs was seen."""
    found = costs_of(azure, str(pool["name"]), exists=True)
    return found[-1] if found and not found[-1].deleted else None


def costs_of(azure: Azure, name: str, *, exists: bool) -> list[PoolCost]:
    """Return what all pools of a name have cost, oldest first.

    Parameters
    ----------
    azure, name
        The connection, and the name of the pools.
    exists
        Whether the last one exists: it costs money until now, otherwise until it was last seen.
    """
    found: list[PoolCost] = []
    entries: list[tuple[float, float, float | None, bool]] = []
    for entry in azure.ledger.costs(name):
        entries.append(entry)
        if entry[3]:
            found.append(_sum(entries, entry[0], deleted=True))
            entries = []
    if entries:
        found.append(_sum(entries, azure.now() if exists else entries[-1][1], deleted=False))
    return found


def _sum(entries: list[tuple[float, float, float | None, bool]], until: float, *, deleted: bool) -> PoolCost:
    total: float | None = 0.0
    ends = [(at, usd) for at, _, usd, _ in entries[1:]]
    for (at, seen, usd, _), (end, following) in zip(entries, [*ends, (until, None)], strict=False):
        if usd is None:
            total = None
        if total is None:
            break
        # While a resize counts the nodes, those of the next count were allocated before it.
        rate = max(usd or 0.0, following or 0.0) if end - seen <= _CLOSE_S else usd or 0.0
        total += (usd or 0.0) * (seen - at) / 3600 + rate * max(0.0, end - seen) / 3600
    return PoolCost(total, entries[0][0], until, deleted)
