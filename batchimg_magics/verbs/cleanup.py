"""The verb ``cleanup``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.verbs.verb import NO_WAIT, Option, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(
    connection: Connection,
    *,
    delete: bool = False,
    older_than: str | float | None = None,
    pool: str | None = None,
    yes: bool = False,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations import cleanup
    from batchimg_magics.pool_spec.values import parse_duration

    age_s = None if older_than is None else parse_duration(older_than)
    if not delete:
        return lambda _: cleanup.list_unneeded(connection.azure, older_than_s=age_s or 0.0, pool=pool)
    consent = connection.consent(yes=yes)
    return lambda board: cleanup.delete_unneeded(
        connection.azure, board, older_than_s=age_s, consent=consent, pool=pool
    )


VERB = Verb(
    "cleanup",
    "List leftover resources and expired pools, or delete them with --delete",
    (
        Option("--delete", "Delete the listed resources and pools (default: list them only)"),
        Option(
            "--older-than",
            "Skip leftover resources younger than this, e.g. 30m (default: list all, but delete none under 2h)",
            metavar="DURATION",
        ),
        Option("--pool", "Limit it to what belongs to this pool", metavar="NAME", completion="pool"),
        Option("--yes", "Confirm the deletion; required on Azure, and if not all users of a resource can be read"),
        NO_WAIT,
    ),
    ("cleanup", "cleanup --delete --older-than 1h"),
    start,
    returns="One row per leftover resource and per expired pool.",
    raises=(("ConflictError", "Not all users of a resource can be read, and `yes` is False; nothing was deleted."),),
)
