"""Pools on the data plane of a Batch account.

Source: recorded pools (2024-02-01.19.0 and 2025-06-01) and Microsoft's OpenAPI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.fleet import nodes
from batchimg_magics.emulator.batch.model import (
    accounts,
    autoscale,
    job_schedules,
    network_rules,
    pool_rules,
    pools,
    resize_terms,
    task_scheduling,
)
from batchimg_magics.emulator.batch.model.pool_rules import CHANGEABLE
from batchimg_magics.emulator.batch.rest import api_versions, conditions, paging
from batchimg_magics.emulator.batch.rest.api_versions import from_older, to_older
from batchimg_magics.emulator.batch.rest.bodies import clean
from batchimg_magics.emulator.batch.rest.errors import missing_property, refusal
from batchimg_magics.emulator.http.dates import batch_timestamp, etag, timestamp_of_ticks
from batchimg_magics.emulator.http.messages import Reply, Routes

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.fleet.nodes import Problem
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

routes = Routes("batch", "/pools")
#: The first api-versions with a default order of jobs, and without certificates.
_JOB_ORDER_SINCE = "2025-06-01"
_CERTIFICATES_UNTIL = "2025"
#: The OpenAPI of 2024-02-01.19.0 requires certificates in updateproperties; that of 2024-07-01 has not been seen.
_CERTIFICATES_REQUIRED_UNTIL = "2024-07-01"
#: Recorded up to 2024-07-01: pools with nodes read their mode of communication. The SDKs of 2025-06-01 have none.
_COMMUNICATION_MODES_UNTIL = "2025"
#: The last api-version that can upgrade the operating system of a cloud service. Source: a recorded refusal, and the
#: OpenAPI of that version.
_UPGRADES_UNTIL = "2018-03-01.6.1"
#: The properties that can change since 2024-07-01 while a pool has no nodes.
_PATCHABLE_EMPTY = frozenset(
    {
        "displayName", "vmSize", "taskSlotsPerNode", "taskSchedulingPolicy", "enableInterNodeCommunication",
        "virtualMachineConfiguration", "networkConfiguration", "userAccounts", "mountConfiguration", "upgradePolicy",
        "resourceTags", "applicationLicenses",
    }
)  # fmt: skip


def load(call: Call, *, writing: bool = False) -> tuple[Item, Pool]:
    """Return the account and the pool of a request, with everything done that is due."""
    account = accounts.need(call)
    job_schedules.run_due(call, account)
    pool = pools.need(call, account, call.params["pool"], writing=writing)
    autoscale.run_due_evaluations(call, account, pool)
    task_scheduling.schedule_due_tasks(call.store, pool, call.now)
    return account, pool


def view(call: Call, pool: Pool) -> dict[str, Any]:
    """Return how the data plane shows a pool."""
    state, now = pool.state, call.now
    allocation, since = nodes.allocation_state(state.fleet, now)
    targets = pool.targets
    shown: dict[str, Any] = {
        "id": pool.name,
        "url": f"{call.base}/pools/{pool.name}",
        "eTag": etag(state.modified),
        "lastModified": timestamp_of_ticks(state.modified),
        "creationTime": timestamp_of_ticks(state.created),
        "state": "deleting" if state.deleted is not None else "active",
        "stateTransitionTime": batch_timestamp(state.deleted)
        if state.deleted is not None
        else timestamp_of_ticks(state.created),
        "allocationState": allocation,
        "allocationStateTransitionTime": batch_timestamp(since) if since else timestamp_of_ticks(state.created),
        "resizeTimeout": state.timeout,
        "currentDedicatedNodes": nodes.current_nodes(state.fleet, now, "dedicated"),
        "targetDedicatedNodes": targets["dedicated"],
        "currentLowPriorityNodes": nodes.current_nodes(state.fleet, now, "spot"),
        "targetLowPriorityNodes": targets["spot"],
        "enableAutoScale": state.auto is not None,
    }
    if problems := nodes.resize_errors(state.fleet, now):
        shown["resizeErrors"] = [problem_view(problem) for problem in problems]
    if state.auto is not None:
        shown["autoScaleFormula"] = state.auto.formula
        shown["autoScaleEvaluationInterval"] = state.auto.interval
        shown["autoScaleRun"] = autoscale.run_view(state.auto)
    return shown | _configuration(call, pool, nodes=shown["currentDedicatedNodes"] + shown["currentLowPriorityNodes"])


def _configuration(call: Call, pool: Pool, *, nodes: int) -> dict[str, Any]:
    """Return the configuration of a pool in the format of the api-version."""
    config = to_older(pool.doc, call.api_version, "batch")
    if call.api_version < _CERTIFICATES_UNTIL:
        config.setdefault("certificateReferences", [])
    if call.api_version >= _JOB_ORDER_SINCE:
        config["taskSchedulingPolicy"] = {"jobDefaultOrder": "none", **config.get("taskSchedulingPolicy", {})}
    machine = config.get("virtualMachineConfiguration", {})
    if "osDisk" in machine:
        disk = {"ephemeralOSDiskSettings": {}, **machine["osDisk"]}
        config["virtualMachineConfiguration"] = machine | {"osDisk": disk}
    mode = config.get("targetNodeCommunicationMode")
    if nodes and (mode or call.api_version < _COMMUNICATION_MODES_UNTIL):
        config["currentNodeCommunicationMode"] = mode if mode in ("classic", "simplified") else "simplified"
    return config


def problem_view(problem: Problem) -> dict[str, Any]:
    """Return how the data plane shows a resize error."""
    shown: dict[str, Any] = {"code": problem.code, "message": problem.message}
    if problem.values:
        shown["values"] = [{"name": name, "value": value} for name, value in problem.values]
    return shown


def done(call: Call, status: int, headers: dict[str, str] | None = None) -> Reply:
    """Answer without a body, as the data plane does for actions."""
    return Reply(status, None, {"DataServiceId": f"{call.base}{call.path}"} | (headers or {}))


@routes.on("POST", "")
def add(call: Call) -> Reply:
    """Add a pool."""
    account = accounts.need(call)
    api_versions.check_pool_names(call, call.body, "batch")
    body = pool_rules.pool_body(from_older(call.body, call.api_version, "batch"), call.api_version)
    name = pool_rules.pool_id(body.get("id"))
    existing = pools.find(call, account, name)
    if existing is not None:
        raise refusal("PoolExists" if existing.state.deleted is None else "PoolBeingDeleted")
    pool_rules.check_new_pool(call, account, body, "batch")
    autoscale.run_due_evaluations(call, account)
    config = {key: value for key, value in body.items() if key not in pools.SCALE_SETTINGS}
    pool = pools.new_pool(call, account, pool_rules.with_defaults(config))
    autoscale.apply_scale_settings(call, account, pool, body)
    pools.save(call, pool, new_etag=False)
    where = f"{call.base}/pools/{name}"
    return Reply(201, None, {"Location": where, "DataServiceId": where} | pool.headers())


@routes.on("GET", "")
def list_pools(call: Call) -> Reply:
    """List the pools."""
    account = accounts.need(call)
    job_schedules.run_due(call, account)
    autoscale.run_due_evaluations(call, account)
    listed = list(pools.account_pools(call.store, call.now, account))
    rows = (view(call, pool) for pool in listed)
    return paging.page(call, "pools", rows, key=lambda row: str(row["id"]).lower())


@routes.on("GET", "/{pool}")
def get(call: Call) -> Reply:
    """Answer with a pool."""
    _, pool = load(call)
    conditions.check(call, pool.headers())
    body = {"odata.metadata": f"{call.base}/$metadata#pools/@Element"}
    return Reply(200, body | paging.select_members(call, view(call, pool)), pool.headers())


@routes.on("HEAD", "/{pool}")
def exists(call: Call) -> Reply:
    """Answer whether a pool exists."""
    _, pool = load(call)
    conditions.check(call, pool.headers())
    return Reply(200, None, pool.headers())


@routes.on("DELETE", "/{pool}")
def delete(call: Call) -> Reply:
    """Delete a pool; refused if it is being deleted (documented)."""
    _, pool = load(call, writing=True)
    conditions.check(call, pool.headers())
    pools.delete(call, pool)
    return Reply(202)


@routes.on("PATCH", "/{pool}")
def patch(call: Call) -> Reply:
    """Update a pool."""
    allowed = CHANGEABLE | (_PATCHABLE_EMPTY if call.api_version >= "2024-07-01" else frozenset())
    body = clean(call.body, allowed, "PoolPatchParameter", call.api_version)
    account, pool = load(call, writing=True)
    conditions.check(call, pool.headers())
    _change(call, account, pool, body)
    return done(call, 200, pool.headers())


@routes.on("POST", "/{pool}/updateproperties")
def update_properties(call: Call) -> Reply:
    """Replace the start task, certificates, packages and metadata of a pool; missing ones are removed."""
    body = clean(call.body, CHANGEABLE, "PoolUpdatePropertiesParameter", call.api_version)
    required = ["applicationPackageReferences", "metadata"]
    if call.api_version < _CERTIFICATES_REQUIRED_UNTIL:
        required.append("certificateReferences")
    for name in required:
        if name not in body:
            raise missing_property(name)
    account, pool = load(call, writing=True)
    for name in CHANGEABLE - set(body):
        pool.doc.pop(name, None)
    if call.api_version < _COMMUNICATION_MODES_UNTIL:
        body = {"targetNodeCommunicationMode": "default", **body}
    _change(call, account, pool, body)
    return done(call, 204, pool.headers())


def _change(call: Call, account: Item, pool: Pool, body: dict[str, Any]) -> None:
    """Change a pool: lists and objects are replaced as a whole."""
    pool_rules.check_changes(call.store, account, body)
    config = pool_rules.with_defaults(pool.doc | body)
    pool_rules.check_replaceable(pool, config, call.now)
    if body.keys() - CHANGEABLE:
        pool_rules.check_pool(call, account, config, "batch")
    pool.doc = config
    pools.save(call, pool)


@routes.on("POST", "/{pool}/resize")
def resize(call: Call) -> Reply:
    """Resize a pool; a missing target is 0."""
    allowed = frozenset({"targetDedicatedNodes", "targetLowPriorityNodes", "resizeTimeout", "nodeDeallocationOption"})
    body = clean(call.body or {}, allowed, "PoolResizeParameter")
    if not {"targetDedicatedNodes", "targetLowPriorityNodes"} & set(body):
        raise missing_property("targetDedicatedNodes")
    pool_rules.check_scale(body)
    account, pool = load(call, writing=True)
    conditions.check(call, pool.headers())
    network_rules.check_node_limits(pool.doc, body)
    resize_terms.need_steady(call, pool)
    resize_terms.begin_pool_resize(call, account, pool, body)
    pools.save(call, pool)
    return done(call, 202, pool.headers())


@routes.on("POST", "/{pool}/stopresize")
def stop_resize(call: Call) -> Reply:
    """Stop the current resize."""
    _, pool = load(call, writing=True)
    conditions.check(call, pool.headers())
    resize_terms.stop_pool_resize(call, pool)
    return done(call, 202, pool.headers())


@routes.on("POST", "/{pool}/removenodes")
def remove_nodes(call: Call) -> Reply:
    """Remove single nodes."""
    allowed = frozenset({"nodeList", "resizeTimeout", "nodeDeallocationOption"})
    body = clean(call.body, allowed, "NodeRemoveParameter")
    resize_terms.check_removal(body)
    _, pool = load(call, writing=True)
    conditions.check(call, pool.headers())
    resize_terms.remove_pool_nodes(call, pool, body)
    return done(call, 202, pool.headers())


@routes.on("POST", "/{pool}/enableautoscale")
def enable_auto_scale(call: Call) -> Reply:
    """Enable autoscale, or change its formula or interval."""
    allowed = frozenset({"autoScaleFormula", "autoScaleEvaluationInterval"})
    body = clean(call.body or {}, allowed, "PoolEnableAutoScaleParameter")
    pool_rules.check_scale(body)
    account, pool = load(call, writing=True)
    conditions.check(call, pool.headers())
    autoscale.enable(call, account, pool, body)
    return done(call, 200, pool.headers())


@routes.on("POST", "/{pool}/disableautoscale")
def disable_auto_scale(call: Call) -> Reply:
    """Disable autoscale."""
    _, pool = load(call, writing=True)
    autoscale.disable(call, pool)
    return done(call, 200, pool.headers())


@routes.on("POST", "/{pool}/evaluateautoscale")
def evaluate_auto_scale(call: Call) -> Reply:
    """Answer with the result of a formula now; nothing changes."""
    body = clean(call.body, frozenset({"autoScaleFormula"}), "PoolEvaluateAutoScaleParameter")
    _, pool = load(call)
    run = autoscale.evaluate_once(call, pool, body)
    metadata = f"{call.base}/$metadata#Microsoft.Azure.Batch.Protocol.Entities.AutoScaleRun"
    return Reply(200, {"odata.metadata": metadata} | run, done(call, 200).headers)


@routes.on("POST", "/{pool}/upgradeos", until=_UPGRADES_UNTIL)
def upgrade_os(call: Call) -> Reply:
    """Upgrade the operating system of a cloud-service pool."""
    _, pool = load(call, writing=True)
    wanted: Any = clean(call.body, frozenset({"targetOSVersion"}), "PoolUpgradeOSParameter").get("targetOSVersion")
    if wanted is None:
        raise missing_property("targetOSVersion")
    service = pool.doc.get("cloudServiceConfiguration")
    if service is None:
        raise refusal("PoolNotEligibleForOSVersionUpgrade")
    if wanted == service["osVersion"]:
        raise refusal("PoolVersionEqualsUpgradeVersion")
    pool.doc["cloudServiceConfiguration"] = service | {"osVersion": wanted}
    pools.save(call, pool)
    return done(call, 202, pool.headers())
