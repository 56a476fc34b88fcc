"""The verb ``show``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.verbs.verb import NAME, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(connection: Connection, name: str) -> VerbCall:
    """Return the work of the verb."""
    from batchimg_magics.core.operations import show
    from batchimg_magics.pool_spec.values import pool_name

    pool = pool_name(name)
    portal = connection.azure.cloud.portal if connection.is_billed else None
    return lambda _: show.show_pool(connection.azure, pool, portal=portal)


VERB = Verb(
    "show",
    "Show everything about a pool: nodes, cost so far, image, network, start task, quota, jobs",
    (NAME,),
    ("show genomics",),
    start,
    returns=(
        'One row per property that has a value. ``attrs["values"]`` has the values by property, with numbers as '
        "numbers."
    ),
    raises=(("NotFoundError", "There is no such pool; the hint has what a deleted pool of that name cost."),),
)
