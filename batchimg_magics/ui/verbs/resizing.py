"""The verbs that change how many nodes a pool has, and look at how it went."""

from __future__ import annotations

from batchimg_magics.ui.verbs.limits import CANARY, DRAIN, LIMIT_OPTIONS, REPAIR, TAKE_WHAT_FITS, TTL
from batchimg_magics.ui.verbs.options import (
    DRY_RUN,
    NAME,
    NO_WAIT,
    NODES,
    RESIZE_TIMEOUT,
    SPOT,
    UNTIL,
    YES,
    Option,
    Verb,
    parse_count,
    parse_number,
    parse_share,
    read_text_or_file,
)

__all__ = ["VERBS"]

_NAMES = Option("name", "the pool's name, or a pattern of names: 'sim-*'", metavar="NAME", completion="pool")
_PRESET_LIMITS = (
    Option(
        "--nodes",
        "dedicated nodes that a preset gives at most; by default those there are",
        metavar="N",
        parse=parse_count,
    ),
    Option(
        "--spot", "spot nodes that a preset gives at most; by default those there are", metavar="N", parse=parse_count
    ),
)

VERBS: tuple[Verb, ...] = (
    Verb(
        "resize",
        "bring a pool to another number of nodes, in rounds; a kind that is not named stays as it is",
        (
            _NAMES,
            NODES,
            SPOT,
            RESIZE_TIMEOUT,
            UNTIL,
            *LIMIT_OPTIONS,
            REPAIR,
            *CANARY,
            TAKE_WHAT_FITS,
            DRAIN,
            Option("--autoscale-off", "turn a formula off that sets the pool's size"),
            TTL,
            DRY_RUN,
            Option("--yes", "really do it, on a real connection, to a pattern of pools or to nodes that run tasks"),
            NO_WAIT,
        ),
        (
            "resize genomics --nodes 120",
            "resize genomics --nodes 1000 --max-cost 200 --repair",
            "resize 'sim-*' --nodes 200 --dry-run",
            "resize genomics --nodes 0 --spot 0",
        ),
    ),
    Verb(
        "repair",
        "replace a pool's bad nodes: one reboot, time to recover, then another node",
        (NAME, RESIZE_TIMEOUT, *LIMIT_OPTIONS, NO_WAIT),
        ("repair genomics",),
    ),
    Verb(
        "wait",
        "wait until a pool's nodes are there; an expiry that a broken-off resize left loose is kept again",
        (NAME, UNTIL, Option("--timeout", "give up after so long, e.g. 2h", metavar="DURATION")),
        ("wait genomics", "wait genomics --until steady --timeout 30m"),
    ),
    Verb("stop", "stop a pool's resize: the nodes that are there stay", (_NAMES,), ("stop genomics", "stop 'sim-*'")),
    Verb(
        "autoscale",
        "let a formula of Azure's set a pool's size, show it, try it, or turn it off",
        (
            NAME,
            Option("--formula", "the formula, or @FILE that has it", metavar="TEXT", parse=read_text_or_file),
            Option(
                "--preset",
                "pending-tasks: as many nodes as tasks wait for; working-hours: Monday to Friday, 8 to 18 UTC; "
                "expiry: until --ttl is over",
                metavar="NAME",
                choices=("pending-tasks", "working-hours", "expiry"),
            ),
            *_PRESET_LIMITS,
            TTL,
            Option("--interval", "how often Azure evaluates it, e.g. 15m; at least 5m", metavar="DURATION"),
            Option("--off", "turn it off: the pool keeps the nodes that it has, and does not expire any more"),
            Option("--evaluate", "only show what the formula comes to now, one row a variable"),
        ),
        (
            "autoscale genomics",
            "autoscale genomics --preset pending-tasks --nodes 100",
            "autoscale genomics --evaluate",
            "autoscale genomics --off",
        ),
    ),
    Verb(
        "reap",
        "delete the pools that are past their expiry",
        (DRY_RUN, YES, NO_WAIT),
        ("reap --dry-run", "reap --yes"),
    ),
    Verb(
        "history",
        "show all rounds that there ever were, of one pool or of all",
        (
            Option("name", "the pool's name", metavar="NAME", completion="pool", optional=True),
            Option(
                "--plot", "draw nodes by state over time (needs the extra plot); a command line writes NAME-nodes.png"
            ),
        ),
        ("history genomics", "history genomics --plot"),
    ),
    Verb(
        "size",
        "say how many nodes the work needs, for a deadline or a budget",
        (
            Option("name", "the pool that is to do it", metavar="NAME", completion="pool", optional=True),
            Option("--tasks", "how many tasks there are", metavar="N", parse=parse_count),
            Option("--minutes", "how long one takes", metavar="M", parse=parse_number),
            Option(
                "--slots", "tasks that run on a node at once; by default one a vCPU", metavar="N", parse=parse_count
            ),
            Option("--deadline", "be done by then, e.g. 4h", metavar="DURATION"),
            Option("--budget", "cost no more, in US dollars", metavar="USD", parse=parse_number),
            Option("--vm-size", "only sizes like this, e.g. 'Standard_D*s_v5'", metavar="SIZE", completion="vm_size"),
            Option("--kind", "only dedicated or only spot nodes", metavar="KIND", choices=("dedicated", "spot")),
            Option(
                "--evictions",
                "spot nodes that are taken away an hour; assumed to be 10%",
                metavar="SHARE",
                parse=parse_share,
            ),
            Option("--windows", "the nodes run Windows, which costs more"),
            Option("--rows", "how many options to show", metavar="N", parse=parse_count),
        ),
        (
            "size --tasks 10000 --minutes 12 --slots 4 --deadline 4h",
            "size genomics --tasks 10000 --minutes 12 --budget 200 --kind spot",
        ),
    ),
    Verb(
        "panel",
        "show a pool on a panel: its size with a forecast, its nodes as they come",
        (Option("name", "the pool's name", metavar="NAME", completion="pool", optional=True),),
        ("panel genomics", "panel"),
    ),
)
