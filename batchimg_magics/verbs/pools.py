"""The verb ``pools``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.verbs.verb import Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(connection: Connection) -> VerbCall:
    """Return the work of the verb."""
    from batchimg_magics.core.operations import pools

    return lambda _: pools.list_pools(connection.azure)


VERB = Verb("pools", "List the pools of the Batch account", (), ("pools",), start, returns="One row per pool.")
