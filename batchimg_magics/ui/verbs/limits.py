"""The options that say how far a resize may go: those of every verb that brings nodes."""

from __future__ import annotations

from batchimg_magics.ui.verbs.options import Option, parse_count, parse_number, parse_share

__all__ = ["CANARY", "DRAIN", "LIMIT_OPTIONS", "REPAIR", "TAKE_WHAT_FITS", "TTL"]

_DRAINS = ("requeue", "terminate", "taskcompletion", "retaineddata")
LIMIT_OPTIONS = (
    Option("--max-rounds", "rounds that it may take at most (50)", metavar="N", parse=parse_count),
    Option("--max-minutes", "minutes that it may take at most, at least 5", metavar="X", parse=parse_number),
    Option("--max-cost", "US dollars that its rounds may cost at most, with disks", metavar="USD", parse=parse_number),
    Option(
        "--max-unusable", "the share of bad nodes from which it has failed (5%)", metavar="SHARE", parse=parse_share
    ),
)
REPAIR = Option("--repair", "replace bad nodes: one reboot, time to recover, then another node")
CANARY = (
    Option("--canary", "one node first, until it is idle; by default for an image that never had an idle node here"),
    Option("--no-canary", "all nodes at once", dest="canary", const=False),
)
TAKE_WHAT_FITS = Option("--take-what-fits", "fewer nodes are fine where a quota ends")
TTL = Option("--ttl", "how long the pool's nodes live, e.g. 8h: then Azure takes them away", metavar="DURATION")
DRAIN = Option("--drain", "what becomes of tasks on nodes that leave", metavar="HOW", choices=_DRAINS)
