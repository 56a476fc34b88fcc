"""Actions on single nodes: the requests, when the state of a node or a pool does not allow them, and Azure's refusals.

Source: Batch REST reference, 2025-06-01, compute nodes; recorded actions and refusals.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Self

from batchimg_magics.core.azure.documents import wire
from batchimg_magics.core.batch import expiry

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.batch.pools import PoolState
    from batchimg_magics.errors import ServiceError

__all__ = ["NodeAction", "refusal_fix", "request_action", "unavailable_reason"]

#: Options with which running tasks end by themselves.
GENTLE_DRAINS = frozenset({"taskcompletion", "retaineddata"})
#: Codes of requests that ask for what is going on or done already, by the action.
_UNCHANGED = {"reboot": "nodebeingrebooted", "reimage": "nodebeingreimaged"}
_IN_TARGET_STATE = "nodealreadyintargetschedulingstate"
#: A node that starts is where a reboot and a reimage lead, for example that of a run that was cut off.
_STARTING = "nodebeingstarted"
#: Why nodes in these states have no action at all.
_GONE = {
    "leavingpool": "the node is leaving the pool",
    "deallocating": "the node is being deallocated",
    "deallocated": "the node is deallocated",
    "preempted": "Azure took the Spot node back",
}
#: Why nodes in these states are neither rebooted nor reimaged. In practice nodes were rebooted while they started.
_BUSY = {
    "rebooting": "the node is being rebooted",
    "reimaging": "the node is being reimaged",
    "upgradingos": "the node is being upgraded",
    "waitingforstarttask": "the start task is still running",
    "unusable": "Azure does not do this with an unusable node; remove it",
}


class _Entry(NamedTuple):
    """One row of the table.

    Parameters
    ----------
    word
        The action, for an option and for the column ``action``.
    done
        Its past participle.
    option
        The property of the request for the tasks that run on the node; empty if there is none.
    drains
        The values of that property.
    minutes
        How long it usually takes until the node is ready again; 0: Azure does it at once.
    """

    word: str
    done: str
    option: str = ""
    drains: tuple[str, ...] = ()
    minutes: float = 0.0


_DRAINS = ("requeue", "terminate", "taskcompletion")


class NodeAction(StrEnum):
    """What can be done with a node."""

    #: Recorded: 65 s on Linux.
    REBOOT = _Entry("reboot", "rebooted", "nodeRebootOption", (*_DRAINS, "retaineddata"), 1.5)
    #: Recorded: 4.6 minutes. Azure takes it since api-version 2024-07-01.
    REIMAGE = _Entry("reimage", "reimaged", "nodeReimageOption", (*_DRAINS, "retaineddata"), 5.0)
    REMOVE = _Entry("remove", "removed", "nodeDeallocationOption", (*_DRAINS, "retaineddata"), 1.0)
    DISABLE = _Entry("disable-scheduling", "closed to new tasks", "nodeDisableSchedulingOption", _DRAINS)
    ENABLE = _Entry("enable-scheduling", "opened to new tasks")

    done: str
    option: str
    drains: tuple[str, ...]
    minutes: float

    def __new__(cls, *fields: object) -> Self:
        """Make a member from its entry, whose fields are passed one by one."""
        entry = _Entry(*fields)  # type: ignore[arg-type] # enum passes the fields of the entry
        member = str.__new__(cls, entry.word)
        member._value_ = entry.word
        member.done, member.option, member.drains, member.minutes = entry[1:]
        return member

    @property
    def restarts(self) -> bool:
        """Whether the node leaves its state for a while and starts again."""
        return self in (NodeAction.REBOOT, NodeAction.REIMAGE)

    def ends_tasks(self, drain: str | None) -> bool:
        """Return whether tasks that run on the node would end early."""
        return bool(self.option) and drain not in GENTLE_DRAINS

    def is_unchanged(self, error: ServiceError) -> bool:
        """Return whether Azure refused the request since the node is, or is getting, what was requested."""
        code = error.code.lower()
        return code in (_UNCHANGED.get(self), _IN_TARGET_STATE) or (self.restarts and code == _STARTING)


async def request_action(azure: Azure, pool: str, node_id: str, action: NodeAction, drain: str | None) -> None:
    """Request an action on one node other than its removal.

    Raises
    ------
    ConflictError
        The state of the node does not allow it.
    NotFoundError
        The node is not in the pool.
    """
    client = await azure.batch()
    # The SDK rejects a reboot without a body.
    body = wire({action.option: drain or "requeue"})
    match action:
        case NodeAction.REBOOT:
            await azure.call(client.begin_reboot_node(pool, node_id, body))
        case NodeAction.REIMAGE:
            await azure.call(client.begin_reimage_node(pool, node_id, body))
        case NodeAction.DISABLE:
            await azure.call(client.disable_node_scheduling(pool, node_id, body))
        case NodeAction.ENABLE:
            await azure.call(client.enable_node_scheduling(pool, node_id))
        case NodeAction.REMOVE:
            raise ValueError("nodes are removed by a request to their pool")


def unavailable_reason(action: NodeAction, state: str, pool: PoolState | None = None) -> str:
    """Return why a node's state, or its pool, does not allow an action now; empty if it does.

    Parameters
    ----------
    action, state
        The action, and the state of the node.
    pool
        The pool; None: not known.
    """
    if state in _GONE and not (action is NodeAction.REMOVE and state != "leavingpool"):
        return _GONE[state]
    if action.restarts and state in _BUSY:
        return _BUSY[state]
    if action is NodeAction.REMOVE and pool is not None:
        if pool.autoscale and not expiry.is_expiry_formula(pool.formula):
            return "an autoscale formula sets the size of the pool"
        if pool.allocation != "steady":
            return f"the pool is {pool.allocation}: Azure removes nodes of a steady pool only"
    return ""


def refusal_fix(pool: str, node_id: str, error: ServiceError) -> str:
    """Return what to do about a refused action."""
    if error.code.lower() == "nodestateunusable":
        return f"remove it: `%batchimg repair {pool} --node {node_id} --remove`"
    return error.hint
