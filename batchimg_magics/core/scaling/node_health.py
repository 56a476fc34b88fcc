"""Bad nodes, which are billed and run no tasks: reboot them, wait for them, and test an image with one node first.

A failed start task gets one reboot. An unusable node gets time to recover, and the end of its log is read. The loop in
`controller` removes nodes that are still bad after that, at most 100 per request, and resizes the pool again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import wire
from batchimg_magics.core.base.concurrency import gather
from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.batch import nodes
from batchimg_magics.core.batch.node_actions import NodeAction
from batchimg_magics.core.scaling import context, planned_steps, readiness
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.errors import ConflictError, NotFoundError, WaitTimeoutError
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.batch.nodes import Census
    from batchimg_magics.core.scaling.run import ResizeRun

#: Source: Batch service, removenodes: "A maximum of 100 nodes may be removed per request."
MAX_REMOVED_AT_ONCE = 100
#: Assumed: seconds in which an unusable node may recover by itself.
RECOVERY_S = 900.0
#: How often bad nodes are replaced. Nodes that are bad again after that have a cause in the image.
MAX_REPLACEMENTS = 2
#: Concurrent reboot requests.
MAX_CONCURRENT_REBOOTS = 8
_REBOOT = {"nodeRebootOption": "requeue"}


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about bad nodes.

    Parameters
    ----------
    action
        For the column ``action``.
    log
        The end of a node's log; empty where it could not be read.
    """

    action: str
    log: str = ""

    @property
    def outcome(self) -> ResizeOutcome:
        """The outcome, for the row of the table."""
        return ResizeOutcome(OutcomeClass.REPAIR, None, self.log or None)


async def read_bad_nodes(run: ResizeRun) -> dict[str, str]:
    """Return the ids of the pool's bad nodes, and their states."""
    found = await nodes.read_nodes(run.azure, run.pool, states_only=True)
    return {node.id: node.state for node in found if node.state in nodes.BAD}


async def reboot(run: ResizeRun, node_ids: Sequence[str]) -> Repair:
    """Reboot nodes; those that cannot be rebooted are only counted."""
    log = await nodes.read_log_tail(run.azure, run.pool, node_ids[0])
    client = await run.azure.batch()

    async def one(node_id: str) -> bool:
        try:
            # The SDK rejects this call without a body.
            await run.azure.call(client.begin_reboot_node(run.pool, node_id, wire(_REBOOT)))
        except (ConflictError, NotFoundError) as error:
            # It is rebooting: perhaps since the answer to an earlier request was lost.
            return NodeAction.REBOOT.is_unchanged(error)
        return True

    rebooted = sum(await gather(*(one(node_id) for node_id in node_ids), limit=MAX_CONCURRENT_REBOOTS))
    rejected = f"; {len(node_ids) - rebooted} could not be rebooted" if rebooted < len(node_ids) else ""
    return Repair(f"rebooted {count_text(rebooted, 'node')} with a failed start task{rejected}", log)


async def wait_for_recovery(run: ResizeRun) -> tuple[Census, Repair]:
    """Give unusable nodes time to recover; return the nodes after that."""
    unusable = frozenset({"unusable"})
    count = run.census.count(unusable)
    log = await nodes.read_failed_node_log(run.azure, run.pool)
    try:
        census = await readiness.wait_until_settled(
            run.azure,
            run.pool,
            run.board,
            expected=run.target.total,
            limit_s=min(RECOVERY_S, run.remaining_s()),
            until=lambda census: not census.count(unusable) and not census.transitional,
        )
    except WaitTimeoutError:
        census = await readiness.count_and_record(run.azure, run.pool)
    recovered = max(0, count - census.count(unusable))
    return census, Repair(f"waited for {count_text(count, 'unusable node')}: {recovered} recovered", log)


async def wait_for_first_node(run: ResizeRun) -> Census:
    """Wait until one node is ready, or is bad and stays so; return the pool's nodes.

    Raises
    ------
    WaitTimeoutError
        It takes longer than nodes ever take.
    """
    return await readiness.wait_until_settled(
        run.azure,
        run.pool,
        run.board,
        expected=1,
        before=run.census,
        limit_s=min(readiness.SETTLE_TIMEOUT_S, run.remaining_s()),
        until=lambda census: census.ready > 0 or (census.bad > 0 and not census.transitional),
        shown=planned_steps.first_node(run),
    )


async def settle(run: ResizeRun, before: Census | None = None) -> None:
    """Wait until no node is in a transitional state; `before`: the last count, where nothing was requested since."""
    run.census = await readiness.wait_until_settled(
        run.azure,
        run.pool,
        run.board,
        expected=run.target.total,
        before=before,
        shown=planned_steps.settling(run),
        limit_s=min(readiness.SETTLE_TIMEOUT_S, run.remaining_s()),
    )
    run.record_working_image()


async def is_first_node_wanted(run: ResizeRun) -> bool:
    """Return whether one node is to be started first: by ``--canary``, or because none like it ever started."""
    found = run.context
    if run.request.first_node(run.target).total >= run.target.total or run.census.ready:
        return False
    if run.request.policy.canary is not None or found is None:
        return bool(run.request.policy.canary)
    return await context.is_first_node_wanted(run.azure, found.pool, found.image, found.other_pools)
