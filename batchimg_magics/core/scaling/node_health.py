"""Replacing nodes that are paid for and of no use, one rung after the other.

A start task that failed gets one reboot. An unusable node gets time to recover, and what it said last is fetched.
What is bad after that is removed, at most 100 nodes a call, and the pool grows again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import wire
from batchimg_magics.core.base.concurrency import gather
from batchimg_magics.core.batch import nodes, pools
from batchimg_magics.core.scaling import attempt, failures, readiness
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.core.scaling.rounds import live_counts
from batchimg_magics.errors import ConflictError, NotFoundError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.scaling.run import ResizeRun

#: Source: Batch service, removenodes: "A maximum of 100 nodes may be removed per request."
MAX_REMOVED_AT_ONCE = 100
#: Assumed: how long an unusable node is given to come back by itself, in seconds.
RECOVERY_S = 900.0
#: How often bad nodes are replaced: what is bad again after that, is bad by its image.
MAX_REPLACEMENTS = 2
#: Reboots that are asked for at once.
AT_ONCE = 8
_REBOOT = {"nodeRebootOption": "requeue"}


async def repair_nodes(run: ResizeRun) -> None:
    """Replace a pool's bad nodes; each rung is a row of the table.

    Raises
    ------
    ResizeError
        The nodes that are to replace them did not come.
    """
    rebooted: set[str] = set()
    for _ in range(MAX_REPLACEMENTS):
        bad = await _read_bad_nodes(run)
        if not bad:
            return
        failed = [one for one, state in bad.items() if state == "starttaskfailed" and one not in rebooted]
        if failed:
            rebooted |= set(failed)
            await _reboot(run, failed)
        if "unusable" in bad.values():
            await _wait_for_recovery(run)
        bad = await _read_bad_nodes(run)
        if bad:
            await _replace(run, list(bad))


async def _read_bad_nodes(run: ResizeRun) -> dict[str, str]:
    listed = await nodes.read_nodes(run.azure, run.pool, states_only=True)
    return {node.id: node.state for node in listed if node.state in nodes.BAD}


async def _reboot(run: ResizeRun, node_ids: Sequence[str]) -> None:
    """Reboot nodes once; one that cannot be is left to the next rung."""
    started, before = run.azure.now(), live_counts(run.census)
    text = await nodes.read_log_tail(run.azure, run.pool, node_ids[0])
    client = await run.azure.batch()

    async def one(node_id: str) -> bool:
        try:
            # The SDK refuses its own call without a body.
            await run.azure.call(client.begin_reboot_node(run.pool, node_id, wire(_REBOOT)))
        except (ConflictError, NotFoundError):
            return False
        return True

    taken = sum(await gather(*(one(node_id) for node_id in node_ids), limit=AT_ONCE))
    await run.wait_until_settled()
    outcome = ResizeOutcome("repair", None, text or None)
    refused = f", {len(node_ids) - taken} could not be" if taken < len(node_ids) else ""
    run.record_round(started, before, run.target, outcome, action=f"rebooted {taken} failed start tasks{refused}")


async def _wait_for_recovery(run: ResizeRun) -> None:
    """Give unusable nodes time, and keep what they say."""
    started, before = run.azure.now(), live_counts(run.census)
    unusable = frozenset({"unusable"})
    count = run.census.count(unusable)
    text = await nodes.read_failed_node_log(run.azure, run.pool)
    limit_s = min(RECOVERY_S, run.remaining_s())
    try:
        run.census = await readiness.wait_until_settled(
            run.azure,
            run.pool,
            run.board,
            expected=run.target.total,
            limit_s=limit_s,
            until=lambda census: not census.count(unusable) and not census.transitional,
        )
    except WaitTimeoutError:
        run.census = await readiness.count_and_record(run.azure, run.pool)
    left = run.census.count(unusable)
    outcome = ResizeOutcome("repair", None, text or None)
    action = f"waited for {count} unusable nodes: {max(0, count - left)} recovered"
    run.record_round(started, before, run.target, outcome, action=action)


async def _replace(run: ResizeRun, node_ids: list[str]) -> None:
    """Take nodes out, at most so many a call, and grow again."""
    run.azure.ledger.set_wanted_size(run.pool, run.target.dedicated, run.target.spot)
    for start in range(0, len(node_ids), MAX_REMOVED_AT_ONCE):
        await _remove(run, node_ids[start : start + MAX_REMOVED_AT_ONCE])
    await run.resize_to(run.target, why="in place of bad nodes")
    await run.wait_until_settled()


async def _remove(run: ResizeRun, node_ids: Sequence[str]) -> None:
    """Take nodes out and wait until they are gone; what has gone or recovered meanwhile is left alone."""
    started, before = run.azure.now(), live_counts(run.census)
    bad = await _read_bad_nodes(run)
    going = [one for one in node_ids if one in bad]
    if not going:
        return
    state = await run.suspend_expiry()
    outcome = await attempt.request_resize(run.azure, state, lambda: pools.remove_nodes(run.azure, run.pool, going))
    if outcome is None:
        run.state = await attempt.wait_for_end(run.azure, state)
    run.census = await readiness.count_and_record(run.azure, run.pool)
    said = outcome or ResizeOutcome("repair")
    run.record_round(started, before, run.target, said, action=f"removed {len(going)} bad nodes" if not outcome else "")
    if said.kind == "foreign":
        raise failures.target_error(run, said)


async def try_first_node(run: ResizeRun) -> None:
    """Bring one node up, where that is wanted.

    Raises
    ------
    ResizeError
        It is of no use, or did not come; nothing more was asked for.
    WaitTimeoutError
        It takes longer than nodes ever take.
    """
    goal = run.request.first_node(run.target)
    if goal.total >= run.target.total or run.census.ready or not await _is_first_node_wanted(run):
        return
    if not live_counts(run.census).total:
        await run.resize_to(goal, why="one node first")
    run.census = await readiness.wait_until_settled(
        run.azure,
        run.pool,
        run.board,
        expected=1,
        before=run.census,
        limit_s=min(readiness.SETTLE_TIMEOUT_S, run.remaining_s()),
        until=lambda census: census.ready > 0 or (census.bad > 0 and not census.transitional),
    )
    if not run.census.ready:
        raise await failures.bad_nodes_error(
            run, f"the first node is of no use ({run.census}), and no more were asked for"
        )
    run.record_working_image()


async def _is_first_node_wanted(run: ResizeRun) -> bool:
    """Tell whether the image has still to be tried: asked for, or it never had an idle node on this account."""
    if run.request.policy.canary is not None or run.context is None:
        return bool(run.request.policy.canary)
    image = run.context.image
    if image.key is None:  # Microsoft's own, or one that cannot be read
        return False
    if run.azure.ledger.is_working_image(image.key):
        return False
    for pool in run.context.other_pools:
        if (pools.image_of(pool) or "").lower() == (image.id or "").lower() and pool["properties"].get(
            "currentDedicatedNodes", 0
        ) + pool["properties"].get("currentLowPriorityNodes", 0):
            census = await nodes.count_nodes(run.azure, str(pool["name"]))
            if census.ready:
                run.azure.ledger.add_working_image(image.key, run.azure.now())
                return False
    return True
