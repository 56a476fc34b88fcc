"""The verb ``profiles``; the session runs it without a connection."""

from __future__ import annotations

from batchimg_magics.verbs.verb import Option, Verb

__all__ = ["VERB"]

VERB = Verb(
    "profiles",
    "List the saved connections, or delete one (--delete)",
    (
        Option(
            "--delete",
            "Delete this saved connection; nothing in Azure is changed",
            metavar="NAME",
            completion="profile",
        ),
    ),
    ("profiles", "profiles --delete lab"),
    returns="One row per saved connection, without secrets.",
    raises=(("NotConnectedError", "There is no such saved connection, or the file cannot be read."),),
)
