"""The verbs and their options: one table that the magic, the command line, completion and the reference all read."""

from __future__ import annotations

from batchimg_magics.ui.verbs import checks, connection, images, pools, resizing
from batchimg_magics.ui.verbs.options import JSON, PROFILE, Option, Verb

__all__ = ["JSON", "PROFILE", "VERBS", "Option", "Verb"]

#: In the order in which help lists them.
VERBS: tuple[Verb, ...] = (
    *connection.VERBS,
    *images.VERBS,
    *checks.VERBS,
    *pools.VERBS,
    *resizing.VERBS,
    Verb(
        "help",
        "list the verbs, or the options of one",
        (Option("verb", "the verb", metavar="VERB", completion="verb", optional=True),),
        ("help", "help create"),
    ),
)
