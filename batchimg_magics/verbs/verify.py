"""The verb ``verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.verbs.verb import Option, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(connection: Connection, file: str, *, strict: bool = False) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations import verify

    verify.read_lock_file(file)  # a file that is no lock fails before anything is read
    return lambda _: verify.verify(connection.azure, file, strict=strict)


VERB = Verb(
    "verify",
    "Compare a lock file with Azure: what is the same, changed, gone, newer or ends soon",
    (
        Option("file", "Lock file that `lock` wrote", metavar="FILE", completion="file"),
        Option("--strict", "Fail if something changed, is gone or cannot be read (default: show the table)"),
    ),
    ("verify genomics.lock.toml", "verify genomics.lock.toml --strict"),
    start,
    returns=(
        "One row per fact, problems first. On the command line, the exit status is 1 if something changed or is gone. "
        '``attrs["differing"]`` is the number of such facts.'
    ),
    raises=(
        ("SpecError", "The file cannot be read, or is no lock file."),
        ("ConflictError", "With --strict: something differs; the table of the error has all facts."),
    ),
)
