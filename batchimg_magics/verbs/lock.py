"""The verb ``lock``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.verbs.verb import NAME, Option, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(connection: Connection, name: str, file: str | None = None, *, force: bool = False) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations import lock
    from batchimg_magics.pool_spec.values import pool_name

    pool = pool_name(name)
    return lambda _: lock.lock_pool(connection.azure, pool, file, force=force)


VERB = Verb(
    "lock",
    "Write down what a pool is made of in a lock file, to verify it later or to create it again",
    (
        NAME,
        Option(
            "file",
            "Lock file (default: NAME.lock.toml); a lock of the same pool is replaced",
            metavar="FILE",
            completion="file",
            optional=True,
        ),
        Option("--force", "Replace the file also if it is not a lock of this pool"),
    ),
    ("lock genomics", "lock genomics locks/genomics-2026.toml"),
    start,
    returns=(
        'One row per fact, and one per fact that could not be read. ``attrs["lock"]`` has the whole lock, '
        '``attrs["resources"]`` the resource IDs by role.'
    ),
    raises=(
        ("NotFoundError", "There is no such pool; nothing was written."),
        ("SpecError", "The file exists and is no lock of this pool, or it cannot be written."),
    ),
)
