"""The verb ``history``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError
from batchimg_magics.verbs.verb import Option, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(connection: Connection, name: str | None = None, *, plot: bool = False) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations import history
    from batchimg_magics.pool_spec.values import pool_name

    pool = None if name is None else pool_name(name)
    if plot and pool is None:
        raise SpecError("--plot needs the name of a pool", hint="`%batchimg history NAME --plot`")

    return lambda _: history.read_history(connection.azure, pool)


VERB = Verb(
    "history",
    "List the resize attempts of one pool or of all pools, and what the pools cost, also deleted ones",
    (
        Option("name", "Name of the pool (default: all pools)", metavar="NAME", completion="pool", optional=True),
        Option(
            "--plot", "Plot the nodes by state over time (needs the plot extra); the command line writes NAME-nodes.png"
        ),
    ),
    ("history genomics", "history genomics --plot"),
    start,
    returns='One row per resize attempt; ``attrs["samples"]`` has the node counts over time, and deletions.',
)
