"""What the parts of the resize controller see of it: each is a module of its own, and stands below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.batch.nodes import Census
    from batchimg_magics.core.batch.pools import PoolState
    from batchimg_magics.core.scaling.context import PoolContext
    from batchimg_magics.core.scaling.outcomes import ResizeOutcome
    from batchimg_magics.core.scaling.request import ResizeRequest
    from batchimg_magics.core.scaling.rounds import Round


class ResizeRun(Protocol):
    """Brings one pool to its target, round by round; `resize.Controller` is the one there is.

    Attributes
    ----------
    azure, pool
        Which.
    wish
        What is wanted.
    board
        Told how it goes.
    target
        What it is to reach.
    cut
        What a quota does not let in, in words, where that is fine; else empty.
    around
        What the pool's growth depends on; None: nobody looked.
    tries
        The rounds that were asked of Azure for the target.
    census
        The pool's nodes when they were last seen.
    state
        The pool when it was last seen.
    """

    azure: Azure
    pool: str
    request: ResizeRequest
    board: Board
    target: Counts
    quota_shortfall: str
    context: PoolContext | None
    attempts: list[Round]
    census: Census
    state: PoolState

    def remaining_s(self) -> float:
        """Return how many seconds are left of what it may take."""

    async def suspend_expiry(self) -> PoolState:
        """Turn our expiry's formula off, where it is on, and return the pool as it is before something is asked."""

    async def resize_to(self, goal: Counts, step: str = "", why: str = "") -> None:
        """Go from round to round until these nodes are there."""

    async def wait_until_settled(self, before: Census | None = None) -> None:
        """Wait until no node is on its way any more."""

    def record_working_image(self) -> None:
        """Remember that this image's nodes come up, when one has."""

    def record_round(
        self,
        started: float,
        before: Counts,
        target: Counts,
        outcome: ResizeOutcome,
        *,
        why: str = "",
        action: str = "",
        timeout_s: float | None = None,
    ) -> None:
        """Put a round that is over into the table and into the ledger."""
