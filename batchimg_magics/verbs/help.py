"""The verb ``help``; the front ends answer it."""

from __future__ import annotations

from batchimg_magics.verbs.verb import Option, Verb

__all__ = ["VERB"]

VERB = Verb(
    "help",
    "List the verbs, or the options of one verb",
    (Option("verb", "Name of the verb (default: list all verbs)", metavar="VERB", completion="verb", optional=True),),
    ("help", "help create"),
)
