"""The verbs that change how many nodes a pool has."""

from __future__ import annotations

from batchimg_magics.ui.verbs.options import (
    NAME,
    NO_WAIT,
    NODES,
    RESIZE_TIMEOUT,
    SPOT,
    UNTIL,
    Option,
    Verb,
    count,
    number,
    share,
)

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
    Verb(
        "size",
        "say how many nodes the work needs, for a deadline or a budget",
        (
            Option("name", "the pool that is to do it", metavar="NAME", offer="pool", optional=True),
            Option("--tasks", "how many tasks there are", metavar="N", read=count),
            Option("--minutes", "how long one takes", metavar="M", read=number),
            Option("--slots", "tasks that run on a node at once; by default one a vCPU", metavar="N", read=count),
            Option("--deadline", "be done by then, e.g. 4h", metavar="DURATION"),
            Option("--budget", "cost no more, in US dollars", metavar="USD", read=number),
            Option("--vm-size", "only sizes like this, e.g. 'Standard_D*s_v5'", metavar="SIZE", offer="vm_size"),
            Option("--kind", "only dedicated or only spot nodes", metavar="KIND", words=("dedicated", "spot")),
            Option(
                "--evictions", "spot nodes that are taken away an hour; assumed to be 10%", metavar="SHARE", read=share
            ),
            Option("--windows", "the nodes run Windows, which costs more"),
            Option("--rows", "how many options to show", metavar="N", read=count),
        ),
        (
            "size --tasks 10000 --minutes 12 --slots 4 --deadline 4h",
            "size genomics --tasks 10000 --minutes 12 --budget 200 --kind spot",
        ),
    ),
    Verb(
        "panel",
        "show a pool on a panel: its size with a forecast, its nodes as they come",
        (Option("name", "the pool's name", metavar="NAME", offer="pool", optional=True),),
        ("panel genomics", "panel"),
    ),
)
