"""The verb ``migrate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError
from batchimg_magics.verbs.verb import NO_WAIT, Option, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table

__all__ = ["VERB"]


def start(
    connection: Connection,
    name: str | None = None,
    *,
    to: str | None = None,
    yes: bool = False,
    delete_old: bool = False,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations import migrate
    from batchimg_magics.pool_spec.values import pool_name

    if name is None:
        if to or yes or delete_old:
            raise SpecError(
                "the pool to migrate was not given", hint="`%batchimg migrate` lists the pools that need migration"
            )
        return lambda _: migrate.list_legacy_pools(connection.azure)
    old, new = pool_name(name), pool_name(to or f"{name}-gallery")
    consent = connection.consent(yes=yes, always=True)

    async def run(board: Board) -> Table:
        table = await migrate.migrate(
            connection.azure, old, new, board, dry_run=consent.shows_only, delete_old=delete_old
        )
        return consent.captioned(table)

    return run


VERB = Verb(
    "migrate",
    "Create a pool from a gallery image to replace a pool from a managed image or VHD",
    (
        Option(
            "name",
            "Name of the pool to migrate (default: list the pools that need migration)",
            metavar="POOL",
            completion="pool",
            optional=True,
        ),
        Option("--to", "Set the name of the new pool (default: the old name followed by -gallery)", metavar="NAME"),
        Option("--yes", "Confirm the migration; without it, the plan is shown"),
        Option("--delete-old", "Delete the old pool when the nodes of the new pool are ready (default: keep it)"),
        NO_WAIT,
    ),
    ("migrate", "migrate genomics", "migrate genomics --to genomics2 --yes"),
    start,
    returns="One row per step; without `name`, one row per pool that needs migration.",
    changes=True,
)
