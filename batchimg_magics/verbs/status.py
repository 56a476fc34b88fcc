"""The verb ``status``; the session runs it without a connection."""

from __future__ import annotations

from batchimg_magics.verbs.verb import Verb

__all__ = ["VERB"]

VERB = Verb(
    "status",
    "List the verbs that run in this kernel, and what came of those started with --no-wait",
    (),
    ("status",),
    returns="One row per verb that runs, and per verb of --no-wait that has ended.",
)
