"""The verb ``delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.verbs.verb import NO_WAIT, Option, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table

__all__ = ["VERB"]


def start(
    connection: Connection, name: str, *, image: bool = False, dry_run: bool = False, yes: bool = False
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations import delete
    from batchimg_magics.pool_spec.values import pool_name
    from batchimg_magics.resource_ids import ResourceId

    what = str(ResourceId.parse(name)) if "/" in name else pool_name(name)
    consent = connection.consent(yes=yes, dry_run=dry_run)

    async def run(board: Board) -> Table:
        table = await delete.delete(connection.azure, what, board, image=image, dry_run=consent.shows_only, blindly=yes)
        return consent.captioned(table)

    return run


VERB = Verb(
    "delete",
    "Delete a pool (and its image with --image), or one image, version, snapshot or disk",
    (
        Option(
            "name",
            "Name of the pool, or the resource ID of an image, version, snapshot or disk",
            metavar="NAME",
            completion="pool",
        ),
        Option("--image", "Delete everything that was created for the image of the pool, too"),
        Option("--dry-run", "Show what would be deleted, without deleting it"),
        Option("--yes", "Confirm the deletion; required on Azure, and if not all users of a resource can be read"),
        NO_WAIT,
    ),
    ("delete genomics --dry-run --image", "delete genomics --image", "delete $snapshot_id"),
    start,
    returns="One row per resource.",
    raises=(
        ("InUseError", "Another resource uses it; `users` of the error has their IDs. Nothing was deleted."),
        ("NotFoundError", "There is no such pool or resource."),
    ),
    changes=True,
)
