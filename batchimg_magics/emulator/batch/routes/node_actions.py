"""Actions on single nodes on the data plane: reboot, reimage, deallocate, start, scheduling, remote login.

Source: recorded actions (2024-02-01.19.0, 2024-07-01.20.0, 2025-06-01), recorded refusals of reimage up to 2023, and
the REST reference's codes for nodes in the wrong state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.fleet import resizing
from batchimg_magics.emulator.batch.model import pools
from batchimg_magics.emulator.batch.rest.bodies import clean
from batchimg_magics.emulator.batch.rest.errors import bad_property, refusal
from batchimg_magics.emulator.batch.routes import nodes
from batchimg_magics.emulator.batch.routes.pools import done, load
from batchimg_magics.emulator.http.messages import Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.fleet.nodes import Node
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call

routes = Routes("batch", "/pools/{pool}/nodes/{node}")
#: The last api-version without reimage of nodes of a virtual machine pool.
_REIMAGE_SINCE = "2024-07-01"
#: State -> error of an action on a node in that state.
_STATE_ERRORS = {
    "leavingpool": "NodeNotFound",
    "unusable": "NodeStateUnusable",
    "rebooting": "NodeBeingRebooted",
    "reimaging": "NodeBeingReimaged",
    "starting": "NodeBeingStarted",
    "creating": "NodeBeingCreated",
    "waitingforstarttask": "NodeBeingStarted",
    "deallocating": "OperationInvalidForCurrentState",
    "deallocated": "OperationInvalidForCurrentState",
    "preempted": "OperationInvalidForCurrentState",
}
#: Recorded: nodes were rebooted in the states creating and starting.
_EXTRA_STATES = {"reboot": ("creating", "starting"), "start": ("deallocated",)}
#: Action -> the name of its option in the body, and its values.
_OPTIONS = {
    "reboot": "nodeRebootOption",
    "reimage": "nodeReimageOption",
    "deallocate": "nodeDeallocateOption",
    "disable": "nodeDisableSchedulingOption",
}
_WORDS = frozenset({"requeue", "terminate", "taskcompletion", "retaineddata"})
evidence = Evidence("Actions on nodes")
evidence.rule(
    "A node is rebooted, reimaged or deallocated at once, regardless of the option for its tasks.",
    "a simplification: no recorded node had tasks",
)
evidence.rule(
    "A preempted node has no actions, and a deallocated one can only be started.",
    "the REST reference has no code for them; the one for a wrong state is used",
)


def _load(call: Call, verb: str) -> tuple[Pool, Node]:
    """Return the node of a request for an action, or refuse."""
    name = _OPTIONS.get(verb)
    body = clean(call.body or {}, frozenset({name} if name else set()), "NodeOption")
    for option, word in body.items():
        if str(word).lower() not in _WORDS:
            raise bad_property(option, word)
    _, pool = load(call, writing=True)
    return pool, nodes.need(call, pool)


def _record(call: Call, pool: Pool, node: Node, verb: str, status: int) -> Reply:
    resizing.record_action(pool.state.fleet, call.now, node.id, verb)
    pools.save(call, pool, new_etag=False)
    return done(call, status)


def _power(call: Call, verb: str) -> Reply:
    """Do an action on the VM of a node."""
    pool, node = _load(call, verb)
    if node.state in _STATE_ERRORS and node.state not in _EXTRA_STATES.get(verb, ()):
        reason = f"The node is {node.state}"
        raise refusal(_STATE_ERRORS[node.state], ("Reason", reason))
    if verb == "start" and node.state != "deallocated":
        raise refusal("OperationInvalidForCurrentState", ("Reason", "The node is not deallocated"))
    return _record(call, pool, node, verb, 202)


@routes.on("POST", "/reboot")
def reboot(call: Call) -> Reply:
    """Restart a node."""
    return _power(call, "reboot")


@routes.on("POST", "/reimage")
def reimage(call: Call) -> Reply:
    """Reimage a node."""
    _, pool = load(call, writing=True)
    if "cloudServiceConfiguration" not in pool.doc and call.api_version < _REIMAGE_SINCE:
        reason = "Operation reimage can be invoked only on pools created with cloudServiceConfiguration"
        raise refusal("OperationNotValidOnNode", ("Reason", reason))
    return _power(call, "reimage")


@routes.on("POST", "/deallocate", since=_REIMAGE_SINCE)
def deallocate(call: Call) -> Reply:
    """Deallocate a node; it stays in the pool."""
    return _power(call, "deallocate")


@routes.on("POST", "/start", since=_REIMAGE_SINCE)
def start(call: Call) -> Reply:
    """Start a deallocated node."""
    return _power(call, "start")


@routes.on("POST", "/disablescheduling")
def disable_scheduling(call: Call) -> Reply:
    """Disable task scheduling on a node."""
    return _schedule(call, "disable")


@routes.on("POST", "/enablescheduling")
def enable_scheduling(call: Call) -> Reply:
    """Enable task scheduling on a node."""
    return _schedule(call, "enable")


def _schedule(call: Call, verb: str) -> Reply:
    pool, node = _load(call, verb)
    if node.scheduling == (verb == "enable"):
        raise refusal("NodeAlreadyInTargetSchedulingState")
    return _record(call, pool, node, verb, 200)


@routes.on("GET", "/remoteloginsettings")
def remote_login(call: Call) -> Reply:
    """Answer with the settings for remote login to a node by SSH or RDP."""
    _, pool = load(call)
    node = nodes.need(call, pool)
    where = nodes.remote_login(call, pool, node)
    if where is None:
        reason = "The pool has no endpoint for remote login; add one to its endpointConfiguration"
        raise refusal("OperationNotValidOnNode", ("Reason", reason))
    body: dict[str, Any] = {"odata.metadata": f"{call.base}/$metadata#Microsoft.Azure.Batch.Protocol.Entities"}
    return Reply(200, body | where, done(call, 200).headers)
