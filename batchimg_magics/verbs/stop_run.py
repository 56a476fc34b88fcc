"""The verb ``stop-run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.verbs.results import RUN
from batchimg_magics.verbs.verb import Option, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(connection: Connection, name: str, *, yes: bool = False) -> VerbCall:
    """Return the work of the verb."""
    from batchimg_magics.core.operations.stop_run import stop_run

    consent = connection.consent(yes=yes)
    return lambda _: stop_run(connection.azure, name, consent)


VERB = Verb(
    "stop-run",
    "Stop a run: its running tasks end, and those that wait do not begin",
    (RUN, Option("--yes", "Confirm; required on Azure to end running tasks")),
    ("stop-run run-3f2a91c04d",),
    start,
    returns="One row: the run and its counts.",
    raises=(("NotFoundError", "There is no such run."),),
)
