"""The verb ``resize``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import DRAIN_CHOICES
from batchimg_magics.verbs.resize_options import (
    CANARY,
    DRAIN,
    FALLBACK,
    LIMIT_OPTIONS,
    POOL_OR_PATTERN,
    REPAIR,
    TAKE_WHAT_FITS,
    THEN_ZERO,
    TTL,
)
from batchimg_magics.verbs.verb import (
    DRY_RUN,
    NO_WAIT,
    NODES,
    RESIZE_TIMEOUT,
    SPOT,
    UNTIL,
    Option,
    Verb,
    VerbCall,
    check_choice,
)

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table

__all__ = ["VERB"]


def start(
    connection: Connection,
    name: str,
    *,
    nodes: int | None = None,
    spot: int | None = None,
    drain: str | None = None,
    autoscale_off: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    **policy: Any,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.scaling import controller, several_pools
    from batchimg_magics.core.scaling.request import ResizeRequest
    from batchimg_magics.pool_spec.resize_policy import ResizePolicy
    from batchimg_magics.pool_spec.values import is_pattern, node_count, pool_name

    if nodes is None and spot is None:
        raise SpecError("the number of nodes was not given", hint="add --nodes N, --spot N or both")
    request = ResizeRequest(
        node_count(nodes, "--nodes"),
        node_count(spot, "--spot"),
        ResizePolicy.from_options(**policy),
        drain=None if drain is None else check_choice(drain, "--drain", DRAIN_CHOICES),
        autoscale_off=autoscale_off,
    )
    if request.policy.fallback_dedicated and not (spot and nodes is not None):
        raise SpecError(
            "--fallback-dedicated needs --nodes and --spot",
            hint="for example: --nodes 0 --spot 20 --fallback-dedicated 5",
        )
    azure, consent = connection.azure, connection.consent(yes=yes, dry_run=dry_run)
    pattern = is_pattern(name)
    if not pattern:
        pool_name(name)

    async def run(board: Board) -> Table:
        names = await several_pools.match_pools(azure, name) if pattern else [name]
        if dry_run:
            return await several_pools.preview(azure, names, request, "")
        loss = await several_pools.read_loss(azure, name, request) if consent.withheld and not pattern else ""
        if consent.withheld and (pattern or loss):
            return consent.captioned(await several_pools.preview(azure, names, request, loss and f": {loss}"))
        if pattern:
            return await several_pools.resize_pools(azure, names, request, board)
        return await controller.ResizeController(azure, name, request, board).run()

    return run


VERB = Verb(
    "resize",
    "Grow or shrink a pool, retrying until it has the requested number of nodes",
    (
        POOL_OR_PATTERN,
        replace(NODES, help="Set the number of dedicated nodes (default: unchanged)"),
        replace(SPOT, help="Set the number of Spot nodes, which Azure can evict (default: unchanged)"),
        RESIZE_TIMEOUT,
        UNTIL,
        *LIMIT_OPTIONS,
        REPAIR,
        *CANARY,
        TAKE_WHAT_FITS,
        FALLBACK,
        DRAIN,
        Option("--autoscale-off", "Disable the autoscale formula of the pool first (default: fail if it has one)"),
        TTL,
        THEN_ZERO,
        DRY_RUN,
        Option("--yes", "Confirm; required on Azure to remove nodes, and for a name pattern"),
        NO_WAIT,
    ),
    (
        "resize genomics --nodes 120",
        "resize genomics --nodes 1000 --max-cost 200 --repair",
        "resize 'sim-*' --nodes 200 --dry-run",
        "resize genomics --nodes 0 --spot 0",
    ),
    start,
    returns="One row per resize attempt.",
    raises=(
        ("ResizeError", "The target was not reached; the table of the error has the attempts."),
        ("BudgetError", "The next attempt could cost more than the limit."),
    ),
    changes=True,
)
