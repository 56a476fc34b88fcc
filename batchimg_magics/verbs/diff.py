"""The verb ``diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.verbs.verb import Option, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(connection: Connection, old: str, new: str) -> VerbCall:
    """Return the work of the verb."""
    from batchimg_magics.core.operations import packages

    return lambda _: packages.diff_packages(connection.azure, old, new)


_WHAT = "pool, image version (ID, NAME/1.0.2 or 1.0.2), lock file, or .tsv file with a list of packages"
VERB = Verb(
    "diff",
    "Compare the packages of two images: what was added, removed and changed",
    (
        Option("old", f"The first image: {_WHAT}", metavar="OLD", completion="image"),
        Option("new", f"The second image: {_WHAT}", metavar="NEW", completion="image"),
    ),
    ("diff genomics genomics2", "diff genomics/1.0.0 genomics/1.0.1", "diff genomics.lock genomics"),
    start,
    returns="One row per package that differs.",
    raises=(
        ("SpecError", "A file cannot be read, or it is not clear which image is meant."),
        ("NotFoundError", "There is no such image, or its packages are not known; the hint has how to get them."),
    ),
)
