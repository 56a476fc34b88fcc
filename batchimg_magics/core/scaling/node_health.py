"""Replacing nodes that are paid for and of no use, one rung after the other.

A start task that failed gets one reboot. An unusable node gets time to recover, and what it said last is fetched.
What is bad after that is removed, at most 100 nodes a call, and the pool grows again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import wire
from batchimg_magics.core.batch import nodes, pools
from batchimg_magics.core.batch import nodes as node_pages
from batchimg_magics.core.scaling import attempt, failures, readiness
from batchimg_magics.core.scaling.outcomes import Verdict
from batchimg_magics.core.scaling.rounds import live
from batchimg_magics.errors import ConflictError, NotFoundError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.scaling.run import Control

#: Source: Batch service, removenodes: "A maximum of 100 nodes may be removed per request."
REMOVED_AT_ONCE = 100
#: Assumed: how long an unusable node is given to come back by itself, in seconds.
RECOVERY_S = 900.0
#: How often bad nodes are replaced: what is bad again after that, is bad by its image.
REPLACEMENTS = 2
#: Reboots that are asked for at once.
AT_ONCE = 8
_REBOOT = {"nodeRebootOption": "requeue"}


async def mend(control: Control) -> None:
    """Replace a pool's bad nodes; each rung is a row of the table.

    Raises
    ------
    ResizeError
        The nodes that are to replace them did not come.
    """
    rebooted: set[str] = set()
    for _ in range(REPLACEMENTS):
        bad = await _bad(control)
        if not bad:
            return
        failed = [one for one, state in bad.items() if state == "starttaskfailed" and one not in rebooted]
        if failed:
            rebooted |= set(failed)
            await _reboot(control, failed)
        if "unusable" in bad.values():
            await _let_recover(control)
        bad = await _bad(control)
        if bad:
            await _replace(control, list(bad))


async def _bad(control: Control) -> dict[str, str]:
    listed = await node_pages.listed(control.azure, control.pool, states_only=True)
    return {node.id: node.state for node in listed if node.state in node_pages.BAD}


async def _reboot(control: Control, node_ids: Sequence[str]) -> None:
    """Reboot nodes once; one that cannot be is left to the next rung."""
    started, before = control.azure.now(), live(control.census)
    said = await nodes.tail(control.azure, control.pool, node_ids[0])
    gate = asyncio.Semaphore(AT_ONCE)
    client = await control.azure.batch()

    async def one(node_id: str) -> bool:
        async with gate:
            try:
                # The SDK refuses its own call without a body.
                await control.azure.ask(client.begin_reboot_node(control.pool, node_id, wire(_REBOOT)))
            except (ConflictError, NotFoundError):
                return False
        return True

    taken = sum(await asyncio.gather(*(one(node_id) for node_id in node_ids)))
    await control.settle()
    verdict = Verdict("repair", None, said or None)
    refused = f", {len(node_ids) - taken} could not be" if taken < len(node_ids) else ""
    control.note(started, before, control.target, verdict, action=f"rebooted {taken} failed start tasks{refused}")


async def _let_recover(control: Control) -> None:
    """Give unusable nodes time, and keep what they say."""
    started, before = control.azure.now(), live(control.census)
    unusable = frozenset({"unusable"})
    count = control.census.count(unusable)
    said = await nodes.of_bad(control.azure, control.pool)
    limit_s = min(RECOVERY_S, control.left_s())
    try:
        control.census = await readiness.settled(
            control.azure,
            control.pool,
            control.board,
            expected=control.target.total,
            limit_s=limit_s,
            until=lambda seen: not seen.count(unusable) and not seen.on_their_way,
        )
    except WaitTimeoutError:
        control.census = await readiness.census(control.azure, control.pool)
    left = control.census.count(unusable)
    verdict = Verdict("repair", None, said or None)
    action = f"waited for {count} unusable nodes: {max(0, count - left)} recovered"
    control.note(started, before, control.target, verdict, action=action)


async def _replace(control: Control, node_ids: list[str]) -> None:
    """Take nodes out, at most so many a call, and grow again."""
    control.azure.ledger.want(control.pool, control.target.dedicated, control.target.spot)
    for start in range(0, len(node_ids), REMOVED_AT_ONCE):
        await _remove(control, node_ids[start : start + REMOVED_AT_ONCE])
    await control.reach(control.target, why="in place of bad nodes")
    await control.settle()


async def _remove(control: Control, node_ids: Sequence[str]) -> None:
    """Take nodes out and wait until they are gone; what has gone or recovered meanwhile is left alone."""
    started, before = control.azure.now(), live(control.census)
    bad = await _bad(control)
    going = [one for one in node_ids if one in bad]
    if not going:
        return
    state = await control.lift()
    verdict = await attempt.ask(control.azure, state, lambda: pools.remove(control.azure, control.pool, going))
    if verdict is None:
        control.state = await attempt.ended(control.azure, state)
    control.census = await readiness.census(control.azure, control.pool)
    said = verdict or Verdict("repair")
    control.note(started, before, control.target, said, action=f"removed {len(going)} bad nodes" if not verdict else "")
    if said.kind == "foreign":
        raise failures.failed(control, said)


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
