"""The verb ``wait``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.pool_spec.words import UNTIL_STATES
from batchimg_magics.verbs.verb import NAME, UNTIL, Option, Verb, VerbCall, check_choice

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(connection: Connection, name: str, *, until: str = "ready", timeout: str | float | None = None) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.scaling import readiness
    from batchimg_magics.pool_spec.values import parse_duration, pool_name

    limit_s = None if timeout is None else parse_duration(timeout)
    goal = check_choice(until, "--until", UNTIL_STATES)
    pool = pool_name(name)
    return lambda board: readiness.wait_for_pool(connection.azure, pool, board, until=goal, limit_s=limit_s)


VERB = Verb(
    "wait",
    "Wait for the nodes of a pool, and enable its expiry again if Azure does not enforce it",
    (
        NAME,
        UNTIL,
        Option(
            "--timeout",
            "Stop waiting after this time, for example 2h (default: 1 hour after the pool is steady)",
            metavar="DURATION",
        ),
    ),
    ("wait genomics", "wait genomics --until steady --timeout 30m"),
    start,
    returns="One row: the state of the pool.",
    raises=(("WaitTimeoutError", "The pool was not ready in time."),),
)
