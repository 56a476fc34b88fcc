"""The verb ``results``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.verbs.verb import Option, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["RUN", "VERB"]

#: The name of a run.
RUN = Option("name", "Name of the run, or the beginning of it", metavar="RUN", completion="run")


def start(connection: Connection, name: str) -> VerbCall:
    """Return the work of the verb."""
    from batchimg_magics.core.operations.results import read_results

    return lambda _: read_results(connection.azure, name)


VERB = Verb(
    "results",
    "Show the table of a run as it is now, in any notebook",
    (RUN,),
    ("results run-3f2a91c04d", "results 3f2a"),
    start,
    returns="One row per row that has a task: the columns of the table with their dtypes, then what came of it.",
    raises=(("NotFoundError", "There is no such run."),),
)
