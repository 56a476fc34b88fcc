"""The verb ``panel``; the notebook's session shows it."""

from __future__ import annotations

from batchimg_magics.verbs.verb import Option, Verb

__all__ = ["VERB"]

VERB = Verb(
    "panel",
    "Show an interactive dashboard of a pool: its size with a forecast, and its nodes",
    (
        Option(
            "name", "Name of the pool (default: choose from a list)", metavar="NAME", completion="pool", optional=True
        ),
    ),
    ("panel genomics", "panel"),
)
