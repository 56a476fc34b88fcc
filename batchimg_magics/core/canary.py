"""One node first, to idle, before the others are paid for: an image that was never tried may never come up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.batch import nodes as node_pages
from batchimg_magics.core.batch import pools
from batchimg_magics.core.scaling import failures, readiness
from batchimg_magics.core.scaling.rounds import live

if TYPE_CHECKING:
    from batchimg_magics.core.scaling.run import Control


async def first(control: Control) -> None:
    """Bring one node up, where that is wanted.

    Raises
    ------
    ResizeError
        It is of no use, or did not come; nothing more was asked for.
    WaitTimeoutError
        It takes longer than nodes ever take.
    """
    goal = control.wish.first(control.target)
    if goal.total >= control.target.total or control.census.ready or not await _wanted(control):
        return
    if not live(control.census).total:
        await control.reach(goal, why="one node first")
    control.census = await readiness.settled(
        control.azure,
        control.pool,
        control.board,
        expected=1,
        before=control.census,
        limit_s=min(readiness.SETTLE_TIMEOUT_S, control.left_s()),
        until=lambda seen: seen.ready > 0 or (seen.bad > 0 and not seen.on_their_way),
    )
    if not control.census.ready:
        raise await failures.bad(control, f"the first node is of no use ({control.census}), and no more were asked for")
    control.prove()


async def _wanted(control: Control) -> bool:
    """Tell whether the image has still to be tried: asked for, or it never had an idle node on this account."""
    if control.wish.policy.canary is not None or control.around is None:
        return bool(control.wish.policy.canary)
    image = control.around.image
    if image.key is None:  # Microsoft's own, or one that cannot be read
        return False
    if control.azure.ledger.is_proven(image.key):
        return False
    for pool in control.around.others:
        if (pools.image_of(pool) or "").lower() == (image.id or "").lower() and pool["properties"].get(
            "currentDedicatedNodes", 0
        ) + pool["properties"].get("currentLowPriorityNodes", 0):
            census = await node_pages.census(control.azure, str(pool["name"]))
            if census.ready:
                control.azure.ledger.prove(image.key, control.azure.now())
                return False
    return True
