"""Reaping: pools that are past their expiry are deleted. Their images stay."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import allotted
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.core.estimates import prices

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.progress import Board


def expires(pool: Json) -> dt.datetime | None:
    """Return when a pool of ours expires; None: never, or it is not ours."""
    if pools.mark_of(pool, tags.POOL) is None:
        return None
    return expiry.read(pools.mark_of(pool, tags.EXPIRES))


async def reap(azure: Azure, board: Board, *, dry_run: bool) -> Table:
    """Delete the pools of ours that are past their expiry; one row each."""
    now = dt.datetime.fromtimestamp(azure.now(), dt.UTC)
    dated = [(pool, moment) for pool in await pools.listed(azure) if (moment := expires(pool))]
    overdue = [(pool, moment) for pool, moment in dated if moment <= now]
    rows = await concurrency.together(*(_one(azure, board, pool, moment, dry_run=dry_run) for pool, moment in overdue))
    later = sorted(moment for _, moment in dated if moment > now)
    following = f"; the next expires at {expiry.written(later[0])}" if later else ""
    return Table.of("reap", rows, f"pools past their expiry in account {azure.scope.account}: {len(rows)}{following}")


async def _one(azure: Azure, board: Board, pool: Json, moment: dt.datetime, *, dry_run: bool) -> dict[str, Any]:
    name, there = str(pool["name"]), allotted(pool)
    rates = await prices.of_pool(azure, pool) if there.total else None
    seconds = None
    if not dry_run:
        board.begin(f"delete {name}", expected_s=pools.EXPECTED_S["delete pool"])
        await pools.delete(azure, name)
        seconds = round(board.end(f"delete {name}"), 1)
    return {
        "pool": name,
        "action": "would delete" if dry_run else "deleted",
        "expired": moment,
        "nodes": there.total,
        "usd_per_hour": rates.cost(there.dedicated, there.spot) if rates else 0.0,
        "seconds": seconds,
        "id": pool["id"],
    }
