"""The verb ``runs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError
from batchimg_magics.verbs.verb import Option, Verb, VerbCall, parse_count

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]

_LIMIT = 20


def start(connection: Connection, pool: str | None = None, *, limit: int | None = None) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations.runs import list_runs
    from batchimg_magics.pool_spec.values import pool_name

    if pool is not None:
        pool_name(pool)
    if limit is not None and limit < 1:
        raise SpecError(f"--limit is {limit}", hint="expected a whole number, 1 or more")
    return lambda _: list_runs(connection.azure, pool, limit or _LIMIT)


VERB = Verb(
    "runs",
    "List the runs of the account, with their counts and what they cost",
    (
        Option("--pool", "Show the runs of this pool only (default: all)", metavar="POOL", completion="pool"),
        Option("--limit", f"Show this many runs, the newest first (default {_LIMIT})", metavar="N", parse=parse_count),
    ),
    ("runs", "runs --pool genomics"),
    start,
    returns="One row per run.",
)
