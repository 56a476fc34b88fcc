"""The verbs that change how many nodes a pool has."""

from __future__ import annotations

from batchimg_magics.ui.verbs.options import NAME, NO_WAIT, NODES, RESIZE_TIMEOUT, SPOT, UNTIL, Option, Verb

__all__ = ["VERBS"]

VERBS: tuple[Verb, ...] = (
    Verb(
        "resize",
        "give a pool another number of nodes; a kind that is not named stays as it is",
        (NAME, NODES, SPOT, RESIZE_TIMEOUT, UNTIL, NO_WAIT),
        ("resize genomics --nodes 120", "resize genomics --nodes 0 --spot 0"),
    ),
    Verb(
        "wait",
        "wait until a pool's nodes are there",
        (NAME, UNTIL, Option("--timeout", "give up after so long, e.g. 2h", metavar="DURATION")),
        ("wait genomics", "wait genomics --until steady --timeout 30m"),
    ),
    Verb("stop", "stop a pool's resize: the nodes that are there stay", (NAME,), ("stop genomics",)),
)
