"""Options that limit a resize, shared by all verbs that add nodes to a pool."""

from __future__ import annotations

from batchimg_magics.pool_spec.words import DRAIN_CHOICES
from batchimg_magics.verbs.verb import Option, parse_count, parse_number, parse_share

__all__ = [
    "CANARY",
    "DRAIN",
    "FALLBACK",
    "LIMIT_OPTIONS",
    "POOL_OR_PATTERN",
    "REPAIR",
    "TAKE_WHAT_FITS",
    "THEN_ZERO",
    "TTL",
]

LIMIT_OPTIONS = (
    Option("--max-rounds", "Limit the number of resize attempts (default 50)", metavar="N", parse=parse_count),
    Option(
        "--max-minutes",
        "Limit the total time in minutes (default: no limit; minimum 5)",
        metavar="X",
        parse=parse_number,
    ),
    Option(
        "--max-cost",
        "Limit the cost of all resize attempts in USD, including disks (default: no limit)",
        metavar="USD",
        parse=parse_number,
    ),
    Option(
        "--max-unusable",
        "Fail if more than this share of the nodes is unusable, for example 5% or 0.05 (default 5%)",
        metavar="SHARE",
        parse=parse_share,
    ),
)
REPAIR = Option("--repair", "Reboot or replace unusable nodes and nodes with a failed start task (default: leave them)")
CANARY = (
    Option(
        "--canary",
        "Start one node first and wait until it is idle (default: only for an image without an idle node so far)",
    ),
    Option("--no-canary", "Start all nodes at once, without a first test node", dest="canary", const=False),
)
TAKE_WHAT_FITS = Option("--take-what-fits", "Accept fewer nodes if a quota is reached (default: fail)")
FALLBACK = Option(
    "--fallback-dedicated",
    "Request up to N dedicated nodes instead of Spot nodes that a quota or capacity does not allow (default: none)",
    metavar="N",
    parse=parse_count,
)
TTL = Option(
    "--ttl",
    "Remove all nodes after this time, for example 8h; Azure enforces it (default: never; minimum 1m)",
    metavar="DURATION",
)
THEN_ZERO = Option(
    "--then-zero",
    "Also remove all nodes while no task is left, from one hour after; --ttl, or 7d, is then the latest end",
)
DRAIN = Option(
    "--drain",
    "Set the node deallocation option: requeue (Azure default), terminate, taskcompletion; retaineddata is deprecated",
    metavar="HOW",
    choices=DRAIN_CHOICES,
)
POOL_OR_PATTERN = Option("name", "Name of the pool, or a pattern such as 'sim-*'", metavar="NAME", completion="pool")
