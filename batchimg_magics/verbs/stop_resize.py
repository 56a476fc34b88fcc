"""The verb ``stop-resize``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.verbs.resize_options import POOL_OR_PATTERN
from batchimg_magics.verbs.verb import Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table

__all__ = ["VERB"]


def start(connection: Connection, name: str) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.scaling import expiry_run, readiness, several_pools
    from batchimg_magics.pool_spec.values import is_pattern, pool_name

    azure, pattern = connection.azure, is_pattern(name)
    if not pattern:
        pool_name(name)

    async def one(pool: str, board: Board, *, is_whole: bool) -> Table:
        stopped = await expiry_run.stop_resize(azure, pool, board)
        table = await readiness.wait_for_pool(azure, pool, board, until="steady", verb="stop-resize", is_whole=is_whole)
        return table if stopped else replace(table, caption=f"{table.caption}; there was no resize to stop")

    async def run(board: Board) -> Table:
        if not pattern:
            return await one(name, board, is_whole=True)
        found = [await one(pool, board, is_whole=False) for pool in await several_pools.match_pools(azure, name)]
        caption = "; ".join(table.caption for table in found)
        return Table.from_rows("stop-resize", [row for table in found for row in table.rows()], caption)

    return run


VERB = Verb(
    "stop-resize",
    "Stop the resize of a pool; nodes that are already allocated stay",
    (POOL_OR_PATTERN,),
    ("stop-resize genomics", "stop-resize 'sim-*'"),
    start,
    returns="One row per pool: its state after the resize was stopped.",
)
