"""Nodes of a pool on the data plane: list, get, counts.

Source: recorded nodes (2024-02-01.19.0, 2024-07-01.20.0, 2025-06-01), node counts, and Microsoft's OpenAPI for the
parts that no recording has (errors, startTaskInfo).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.batch.fleet import nodes
from batchimg_magics.emulator.batch.fleet.cohorts import STATES
from batchimg_magics.emulator.batch.fleet.node_times import ALLOCATION_TIMES
from batchimg_magics.emulator.batch.model import (
    accounts,
    autoscale,
    job_schedules,
    pool_images,
    pools,
    task_results,
    task_scheduling,
)
from batchimg_magics.emulator.batch.model.task_index import NodeLoad
from batchimg_magics.emulator.batch.rest import paging
from batchimg_magics.emulator.batch.rest.errors import refusal
from batchimg_magics.emulator.batch.routes.pools import load
from batchimg_magics.emulator.catalog import marketplace
from batchimg_magics.emulator.http.dates import batch_timestamp
from batchimg_magics.emulator.http.messages import Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.batch.fleet.cohorts import NodeKind
    from batchimg_magics.emulator.batch.fleet.commands import CommandResult
    from batchimg_magics.emulator.batch.fleet.nodes import Node
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call

routes = Routes("batch", "/pools/{pool}/nodes")
count_routes = Routes("batch")
evidence = Evidence("Nodes on the data plane")
COUNTS_PAGE = evidence.documented(
    10, "pools", "on a page of node counts, at most", "the OpenAPI of 2024; the documentation of the SDK differs"
)
COUNTS_LAG_S = evidence.assumed(
    5.0, "s", "that node counts lag behind the states of nodes", "that they lag is documented, how much is not"
)
evidence.rule(
    "Nodes of pools with the IP families IPv4 and IPv6 have an IPv6 address, remote login settings for it, and "
    "each endpoint for both addresses, with the same name and port.",
    "azure-batch's own tests see two endpoints for a NAT pool; no recording has such a pool",
)
evidence.rule(
    "A pool without an endpoint for SSH or RDP refuses remote login settings with OperationNotValidOnNode.",
    "that such pools have none is documented, the answer is not",
)
evidence.rule(
    "The errors of an unusable node, and of a failed start task, have the emulator's own texts.",
    "no recording shows such a node",
)
#: The node agent of nodes recorded in 2026.
AGENT_VERSION = "1.12.39"
_CERTIFICATES_UNTIL = "2025"
#: The first api-version with task slots. Source: the change log of azure-batch (10.0.0).
_SLOTS_SINCE = "2020-09-01"
#: The first api-version with a state.
_STATE_SINCE = {"deallocated": "2024-07-01", "deallocating": "2024-07-01"}
_SUFFIXES: dict[NodeKind, str] = {"dedicated": "_d", "spot": "_p"}
_NO_LOAD = NodeLoad()
_COUNT_NAMES = {
    **{state: state for state in STATES},
    "leavingpool": "leavingPool",
    "starttaskfailed": "startTaskFailed",
    "upgradingos": "upgradingOS",
    "waitingforstarttask": "waitingForStartTask",
}
#: The default endpoints of nodes by OS, if a pool has none: name, protocol, private port, first public port.
_REMOTE = {"linux": ("SSHRule", "tcp", 22, 50_000, 5_001), "windows": ("RDPRule", "tcp", 3389, 50_000, 5_001)}
_LOGIN_PORTS = (22, 3389)
#: The public addresses of pools. Addresses for documentation belong to no host.
_PUBLIC_NET, _PUBLIC_NET_6 = "203.0.113", "2001:db8"
#: The first api-version with pools of two IP stacks.
_IPV6_SINCE = "2025-06-01"


def os_of(pool: Pool) -> str:
    """Return ``linux`` or ``windows``: the OS of the node agent of a pool."""
    machine = pool.doc.get("virtualMachineConfiguration")
    return marketplace.node_agents().get(machine["nodeAgentSKUId"].lower(), "linux") if machine else "windows"


class NodeViews:
    """The nodes of a pool as the data plane shows them; what they have in common is computed once."""

    def __init__(self, call: Call, pool: Pool) -> None:
        self._call, self._pool = call, pool
        self._url = f"{call.base}/pools/{pool.name}/nodes/"
        self._common: dict[str, Any] = {"vmSize": pool.doc["vmSize"]}
        self._endpoints = _endpoints(call, pool)
        reference = pool_images.reference_of(pool)
        exact = {} if "virtualMachineImageId" in reference else {"exactVersion": "latest"}
        self._machine = {"imageReference": reference | exact} if reference else None
        self._dual_stack = is_dual_stack(pool) and call.api_version >= _IPV6_SINCE
        self._slots = call.api_version >= _SLOTS_SINCE
        self._certificates = call.api_version < _CERTIFICATES_UNTIL
        task = pool.doc.get("startTask")
        self._start_task = (
            task_results.start_task_result(call.store, call.now, pool, task, ALLOCATION_TIMES.start_task_s)
            if task
            else None
        )
        self._busy = task_scheduling.node_loads(call.store, pool, call.now)

    def view(self, node: Node) -> dict[str, Any]:
        """Return how the data plane shows a node."""
        load = self._busy.get(node.id, _NO_LOAD)
        shown: dict[str, Any] = {
            "id": node.id,
            "url": self._url + node.id,
            "state": "running" if node.state == "idle" and load.running else node.state,
            "schedulingState": "enabled" if node.scheduling else "disabled",
            "stateTransitionTime": batch_timestamp(node.since),
        }
        booted = None if node.booted is None else batch_timestamp(node.booted)
        if booted is not None:
            shown["lastBootTime"] = booted
        number = node.cohort.first + node.index
        shown |= {
            "allocationTime": batch_timestamp(node.allocated),
            "ipAddress": address(number),
            **({"ipv6Address": address_6(number)} if self._dual_stack else {}),
            "affinityId": f"TVM:{node.id}",
            **self._common,
            "totalTasksRun": load.run,
            "totalTasksSucceeded": load.succeeded,
            "runningTasksCount": load.running,
        }
        if self._slots:
            shown["runningTaskSlotsCount"] = load.slots
        if self._start_task is not None and node.booted is not None:
            shown |= {
                "startTask": self._pool.doc["startTask"],
                "startTaskInfo": _start_task_info(self._pool, self._start_task, node, self._call.now),
            }
        if self._certificates and node.booted is not None:
            shown["certificateReferences"] = []
        if problems := _problems(node):
            shown["errors"] = problems
        shown["isDedicated"] = node.cohort.kind == "dedicated"
        if self._endpoints is not None:
            shown["endpointConfiguration"] = {"inboundEndpoints": self._endpoints(node)}
        if node.agent_since is not None:
            updated = booted if node.agent_since == node.booted else batch_timestamp(node.agent_since)
            shown["nodeAgentInfo"] = {"lastUpdateTime": updated, "version": AGENT_VERSION}
        if self._machine is not None:
            shown["virtualMachineInfo"] = self._machine
        return shown


def address(number: int) -> str:
    """Return the private address of a node; Azure reserves the first four of a subnet."""
    high, low = divmod(number + 4, 256)
    return f"10.{high // 256}.{high % 256}.{low}"


def address_6(number: int) -> str:
    """Return the private IPv6 address of a node of a dual-stack pool."""
    return f"fd00:db8:deca::{number + 4:x}"


def is_dual_stack(pool: Pool) -> bool:
    """Tell whether the nodes of a pool have IPv6 addresses, too."""
    addresses = pool.doc.get("networkConfiguration", {}).get("publicIPAddressConfiguration", {})
    return "IPv6" in addresses.get("ipFamilies", ())


def _public_seed(pool: Pool, kind: NodeKind) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, pool.key if kind == "dedicated" else f"{pool.key}/{kind}")


def _public_addresses(pool: Pool, kind: NodeKind) -> tuple[str, str]:
    """Return the public IPv4 address of a kind of nodes, and the IPv6 address of a dual-stack pool."""
    last = 1 + _public_seed(pool, kind).int % 254
    return f"{_PUBLIC_NET}.{last}", f"{_PUBLIC_NET_6}::{last:x}"


def _endpoints(call: Call, pool: Pool) -> Callable[[Node], list[dict[str, Any]]] | None:
    """Return a function from a node to its endpoints; None if the pool has none.

    Recorded: each kind of nodes has a public address of its own, and counts the ports from the start of the range.
    """
    rules = _rules(pool)
    if not rules:
        return None
    region = accounts.need(call).doc["location"]
    both = is_dual_stack(pool) and call.api_version >= _IPV6_SINCE
    outside = {
        kind: [
            {
                "publicIPAddress": address,
                "publicFQDN": f"dns{_public_seed(pool, kind)}-azurebatch-cloudservice.{region}.cloudapp.azure.com",
            }
            for address in _public_addresses(pool, kind)[: 2 if both else 1]
        ]
        for kind in nodes.KINDS
    }

    def of(node: Node) -> list[dict[str, Any]]:
        number = node.cohort.place + node.index
        return [
            {"name": f"{rule.name}.{number % rule.ports}", "protocol": rule.protocol}
            | address
            | {"frontendPort": rule.first_port + number % rule.ports, "backendPort": rule.backend_port}
            for rule in rules
            for address in outside[node.cohort.kind]
        ]

    return of


class NatPool(msgspec.Struct, frozen=True):
    """An inbound NAT pool: the public ports for one port of every node."""

    name: str
    protocol: str
    backend_port: int
    first_port: int
    ports: int


def _rules(pool: Pool) -> list[NatPool]:
    endpoint = pool.doc.get("networkConfiguration", {}).get("endpointConfiguration", {})
    own = [
        NatPool(
            rule["name"],
            rule["protocol"],
            rule["backendPort"],
            rule["frontendPortRangeStart"],
            rule["frontendPortRangeEnd"] - rule["frontendPortRangeStart"] + 1,
        )
        for rule in endpoint.get("inboundNATPools", ())
    ]
    return own or ([NatPool(*_REMOTE[os_of(pool)])] if pool.state.remote else [])


def remote_login(call: Call, pool: Pool, node: Node) -> dict[str, Any] | None:
    """Return address and port for remote login to a node, None if it has no such endpoint."""
    endpoints = _endpoints(call, pool)
    wanted = _REMOTE[os_of(pool)][2]
    # Recorded: a Linux pool with a NAT pool to port 3389 has remote login settings, too.
    found = [one for one in endpoints(node) if one["backendPort"] in _LOGIN_PORTS] if endpoints is not None else []
    if not found:
        return None
    endpoint = min(found, key=lambda one: bool(one["backendPort"] != wanted))
    shown = {"remoteLoginIPAddress": endpoint["publicIPAddress"], "remoteLoginPort": endpoint["frontendPort"]}
    if is_dual_stack(pool) and call.api_version >= _IPV6_SINCE:
        public = _public_addresses(pool, node.cohort.kind)[1]
        shown |= {"ipv6RemoteLoginIPAddress": public, "ipv6RemoteLoginPort": endpoint["frontendPort"]}
    return shown


def _start_task_info(pool: Pool, result: CommandResult, node: Node, now: float) -> dict[str, Any]:
    """Return the state of the start task of a node that has booted."""
    run = task_results.start_task_run(pool.doc["startTask"], result, node, now)
    info: dict[str, Any] = {"state": "running", "startTime": batch_timestamp(run.began), "retryCount": run.retries}
    if run.retries:
        info["lastRetryTime"] = batch_timestamp(run.retried)
    if run.ended is None:
        return info
    info |= {"state": "completed", "endTime": batch_timestamp(run.ended), "exitCode": run.exit_code}
    info["result"] = "failure" if run.exit_code else "success"
    if run.exit_code:
        info["failureInfo"] = {
            "category": "usererror",
            "code": "FailureExitCode",
            "message": "The task exited with an exit code representing a failure",
            "details": [{"name": "Message", "value": "The task exited with an exit code representing a failure"}],
        }
    return info


def _problems(node: Node) -> list[dict[str, Any]]:
    """Return the errors of a node."""
    if node.state == "unusable":
        message = "The virtual machine allocated for the node has not reported to the Batch service."
        reason = "The node agent did not start. Make sure that the image was generalized and its system can boot."
        return [
            {"code": "NodeNotReady", "message": message, "errorDetails": [{"name": "Reason", "value": reason}]},
        ]
    if node.state == "starttaskfailed":
        return [{"code": "StartTaskFailed", "message": "The start task of the node has failed."}]
    return []


@routes.on("GET", "")
def list_nodes(call: Call) -> Reply:
    """List a pool's nodes."""
    _, pool = load(call)
    views = NodeViews(call, pool)
    rows = (views.view(node) for node in nodes.nodes(pool.state.fleet, call.now, paging.last_key(call)))
    return paging.page(call, "nodes", rows, key=lambda row: str(row["id"]))


@routes.on("GET", "/{node}")
def get_node(call: Call) -> Reply:
    """Answer with a node."""
    _, pool = load(call)
    shown = NodeViews(call, pool).view(need(call, pool))
    return Reply(200, {"odata.metadata": f"{call.base}/$metadata#nodes/@Element"} | paging.select_members(call, shown))


def need(call: Call, pool: Pool) -> Node:
    """Return the node of a request, or refuse."""
    node = nodes.find_node(pool.state.fleet, call.now, call.params["node"])
    if node is None:
        raise refusal("NodeNotFound")
    return node


@count_routes.on("GET", "/nodecounts")
def node_counts(call: Call) -> Reply:
    """Answer with the number of nodes of each pool by state."""
    account = accounts.need(call)
    job_schedules.run_due(call, account)
    autoscale.run_due_evaluations(call, account)
    after = paging.last_key(call)
    listed = pools.account_pools(call.store, call.now, account)
    rows = (_counts(call, pool) for pool in listed if pool.name.lower() > after)  # earlier pages are not counted again
    return paging.page(call, "poolnodecounts", rows, key=lambda row: str(row["poolId"]).lower(), most=COUNTS_PAGE)


def _counts(call: Call, pool: Pool) -> dict[str, Any]:
    moment = call.now - COUNTS_LAG_S
    counted = {state: name for state, name in _COUNT_NAMES.items() if call.api_version >= _STATE_SINCE.get(state, "")}
    at_work = task_scheduling.busy_nodes(call.store, pool, moment)

    def of(kind: NodeKind) -> dict[str, int]:
        found = nodes.counts_by_state(pool.state.fleet, moment, kind)
        running = sum(node_id.endswith(_SUFFIXES[kind]) for node_id in at_work)
        found |= {"idle": found.get("idle", 0) - running, "running": running}
        return {name: found.get(state, 0) for state, name in counted.items()} | {"total": sum(found.values())}

    return {"poolId": pool.name, "dedicated": of("dedicated"), "lowPriority": of("spot")}
