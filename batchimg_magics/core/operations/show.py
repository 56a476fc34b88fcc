"""`show`: everything about one pool, one row per property. What cannot be read is a row that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.base.node_counts import current_counts
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.operations import pool_facts, pool_properties

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure

__all__ = ["show_pool"]


async def show_pool(azure: Azure, name: str, *, portal: str | None = None) -> Table:
    """Return everything about a pool, one row per property.

    Parameters
    ----------
    azure, name
        The connection and the name of the pool.
    portal
        The URL of the portal of the cloud; None: there is none, as in the emulator.

    Returns
    -------
    Table
        ``attrs["values"]`` has the values by property, with numbers as numbers.

    Raises
    ------
    NotFoundError
        There is no such pool. The hint has what it cost, where it was deleted.
    """
    facts = await pool_facts.read_facts(azure, name)
    rows = pool_properties.rows(facts, azure, portal)
    nodes_text = str(facts.census or current_counts(facts.pool))
    caption = f"pool {facts.pool['name']}: {nodes_text}"
    if facts.unread:
        caption += f"; could not be read: {', '.join(facts.unread)}"
    values = {row["property"]: row.pop("raw") for row in rows}
    return Table.from_rows("show", rows, caption, values=values)
