"""The verb ``repair``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.verbs.resize_options import LIMIT_OPTIONS
from batchimg_magics.verbs.verb import NAME, NO_WAIT, RESIZE_TIMEOUT, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(connection: Connection, name: str, **policy: Any) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.scaling import controller
    from batchimg_magics.core.scaling.request import ResizeRequest
    from batchimg_magics.pool_spec.resize_policy import ResizePolicy
    from batchimg_magics.pool_spec.values import pool_name

    request = ResizeRequest(policy=ResizePolicy.from_options(repair=True, canary=False, **policy))
    pool = pool_name(name)
    return lambda board: controller.ResizeController(connection.azure, pool, request, board, verb="repair").run()


VERB = Verb(
    "repair",
    "Reboot or replace unusable nodes and nodes with a failed start task",
    (NAME, RESIZE_TIMEOUT, *LIMIT_OPTIONS, NO_WAIT),
    ("repair genomics",),
    start,
    returns="One row per repair attempt.",
    raises=(("ResizeError", "Too many nodes are still unusable; the table of the error has the attempts."),),
    changes=True,
)
