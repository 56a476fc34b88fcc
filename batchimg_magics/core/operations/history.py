"""`history`: the resize attempts of pools, and what the pools have cost, also those that were deleted."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.durations import format_time
from batchimg_magics.core.batch import pools
from batchimg_magics.core.estimates import spending
from batchimg_magics.core.scaling import rounds
from batchimg_magics.errors import ServiceError
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.table import Table

__all__ = ["read_history"]

#: Pools whose cost is in the caption, at most; `attrs` has all.
_MAX_SHOWN = 5


async def read_history(azure: Azure, pool: str | None) -> Table:
    """Return the resize attempts in the local history file, with the costs of the pools.

    Returns
    -------
    Table
        ``attrs["costs"]`` has one entry per pool, also of deleted ones, the newest last: ``pool``, ``since``,
        ``until``, ``deleted``, and ``usd``, which is None where a price is not known.
    """
    table = rounds.history(azure, pool)
    costs = await _read_costs(azure, pool)
    table.attrs["costs"] = costs
    table.caption += _text(costs, named=pool is not None)
    if azure.ledger.problem:
        azure.ledger.take_warning()  # it is told here, every time
        table.caption += f"; {azure.ledger.problem}"
    return table


async def _read_costs(azure: Azure, pool: str | None) -> list[dict[str, Any]]:
    names = [pool] if pool is not None else azure.ledger.pools_with_costs()
    try:
        existing = {str(one["name"]).lower() for one in await pools.read_all(azure)} if names else set()
    except ServiceError:
        existing = set()  # then the cost is that until each pool was last seen
    found = [
        {
            "pool": name,
            "usd": None if one.usd is None else round(one.usd, 4),
            "since": _iso(one.since),
            "until": _iso(one.until),
            "deleted": one.deleted,
        }
        for name in names
        for one in spending.costs_of(azure, name, exists=name.lower() in existing)
    ]
    return sorted(found, key=lambda one: str(one["until"]))


def _iso(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="seconds")


def _text(costs: list[dict[str, Any]], *, named: bool) -> str:
    """Return the costs for the caption."""
    if not costs:
        return ""
    parts = []
    for one in costs[-_MAX_SHOWN:]:
        usd = "price not available" if one["usd"] is None else f"${one['usd']:,.2f}"
        when = format_time(dt.datetime.fromisoformat(one["until"]))
        ended = f"deleted {when}" if one["deleted"] else f"until {when}"
        parts.append(f"{'' if named else one['pool'] + ': '}{usd} ({ended})")
    earlier = f"; {count_text(len(costs) - _MAX_SHOWN, 'earlier pool')} in attrs" if len(costs) > _MAX_SHOWN else ""
    return f"; cost so far, as seen from this computer: {', '.join(parts)}{earlier}"
