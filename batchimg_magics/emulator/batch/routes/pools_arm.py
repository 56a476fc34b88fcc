"""Pools in Azure Resource Manager: the same pools as on the data plane, in the format of ARM.

Source: recorded pools (2021-06-01, 2024-07-01, 2025-06-01) and Microsoft's OpenAPI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.batch.fleet import nodes
from batchimg_magics.emulator.batch.model import (
    account_rules,
    accounts,
    autoscale,
    job_schedules,
    network_rules,
    pool_rules,
    pools,
    resize_terms,
)
from batchimg_magics.emulator.batch.model.accounts import RETRY_AFTER_S
from batchimg_magics.emulator.batch.rest import api_versions, paging
from batchimg_magics.emulator.batch.rest.api_versions import from_older, to_older
from batchimg_magics.emulator.batch.rest.bodies import checked_body
from batchimg_magics.emulator.batch.rest.dialects import pool_from_arm, pool_to_arm
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property, refusal, with_request_info
from batchimg_magics.emulator.http.dates import batch_timestamp, duration, etag, timestamp_of_ticks
from batchimg_magics.emulator.http.messages import Reply, Routes

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

TYPE = "Microsoft.Batch/batchAccounts/pools"
routes = Routes(
    "arm", "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Batch/batchAccounts/{account}"
)
_JOB_ORDER_SINCE = "2025-06-01"
_OPTIONS = {
    "requeue": "Requeue",
    "terminate": "Terminate",
    "taskcompletion": "TaskCompletion",
    "retaineddata": "RetainedData",
}


def _load(call: Call, *, writing: bool = False) -> tuple[Item, Pool]:
    account = accounts.need(call)
    job_schedules.run_due(call, account)
    pool = pools.need(call, account, call.params["pool"], writing=writing)
    if _is_gone(pool, call.now):
        raise refusal("PoolNotFound")
    autoscale.run_due_evaluations(call, account, pool)
    return account, pool


def _check_condition(call: Call, found: Pool | None) -> None:
    """Refuse a request if its If-Match or If-None-Match does not hold for the pool."""
    if not resources.conditions_hold(call, found.headers(arm=True)["ETag"] if found is not None else None):
        raise refusal("ConditionNotMet")


def _is_gone(pool: Pool, now: float) -> bool:
    """Tell whether a pool is deleted for ARM, which is when its nodes are gone.

    Recorded: one second after the DELETE of an empty pool its operation is done; the data plane shows the pool as
    deleting for some more seconds.
    """
    return pool.state.deleted is not None and not any(
        nodes.current_nodes(pool.state.fleet, now, k) for k in nodes.KINDS
    )


def view(call: Call, pool: Pool) -> dict[str, Any]:
    """Return how ARM shows a pool."""
    state, now = pool.state, call.now
    allocation, since = nodes.allocation_state(state.fleet, now)
    config = to_older(pool.doc, call.api_version, "arm")
    if call.api_version >= _JOB_ORDER_SINCE:
        config["taskSchedulingPolicy"] = {"jobDefaultOrder": "none", **config.get("taskSchedulingPolicy", {})}
    created = timestamp_of_ticks(state.created)
    properties = pool_to_arm(config) | {
        "lastModified": timestamp_of_ticks(state.modified),
        "creationTime": created,
        "provisioningState": "Deleting" if state.deleted is not None else "Succeeded",
        "provisioningStateTransitionTime": batch_timestamp(state.deleted) if state.deleted is not None else created,
        "allocationState": allocation.capitalize(),
        "allocationStateTransitionTime": batch_timestamp(since) if since else created,
        "scaleSettings": _scale(pool),
        "currentDedicatedNodes": nodes.current_nodes(state.fleet, now, "dedicated"),
        "currentLowPriorityNodes": nodes.current_nodes(state.fleet, now, "spot"),
    }
    if (status := _status(pool, now)) is not None:
        properties["resizeOperationStatus"] = status
    if state.auto is not None:
        properties["autoScaleRun"] = autoscale.run_view(state.auto, arm=True)
    node_count = properties["currentDedicatedNodes"] + properties["currentLowPriorityNodes"]
    if node_count and (mode := properties.get("targetNodeCommunicationMode")):
        properties["currentNodeCommunicationMode"] = "Simplified" if mode == "Default" else mode
    tag = f'W/"{etag(state.modified)}"'
    return {"id": state.id, "name": pool.name, "type": TYPE, "etag": tag, "properties": properties, **state.top}


def _scale(pool: Pool) -> dict[str, Any]:
    if (auto := pool.state.auto) is not None:
        return {"autoScale": {"formula": auto.formula, "evaluationInterval": auto.interval}}
    fixed = {
        "targetDedicatedNodes": pool.targets["dedicated"],
        "targetLowPriorityNodes": pool.targets["spot"],
        "resizeTimeout": pool.state.timeout,
    }
    return {"fixedScale": fixed}


def _status(pool: Pool, now: float) -> dict[str, Any] | None:
    """Return the status of the last resize; a change of autoscale alone shows none, as recorded."""
    resize = pool.state.fleet.resize
    if resize is None or (resize.since is not None and now < resize.ends):
        return None
    status: dict[str, Any] = {
        "targetDedicatedNodes": resize.dedicated,
        **({"targetLowPriorityNodes": resize.spot} if resize.spot else {}),
        "nodeDeallocationOption": _OPTIONS[resize.option],
        "resizeTimeout": duration(resize.timeout_s),
        "startTime": batch_timestamp(resize.began),
    }
    if problems := nodes.resize_errors(pool.state.fleet, now):
        status["errors"] = [_problem(problem) for problem in problems]
    return status


def _problem(problem: nodes.Problem) -> dict[str, Any]:
    shown: dict[str, Any] = {"code": problem.code, "message": problem.message}
    if problem.values:
        shown["details"] = [{"code": name, "message": value} for name, value in problem.values]
    return shown


def _show(call: Call, pool: Pool) -> Reply:
    return Reply(200, view(call, pool), pool.headers(arm=True))


def _properties(call: Call) -> dict[str, Any]:
    """Return the checked properties of a body in the format of the data plane."""
    properties = checked_body(call.body).get("properties", {})
    api_versions.check_pool_names(call, properties, "arm")
    pool = pool_from_arm(properties)
    network_rules.require_joins(call, pool)
    return pool_rules.pool_body(from_older(pool, call.api_version, "arm"), call.api_version, "Pool")


def _top(call: Call) -> dict[str, Any]:
    """Return the members of a body beside its properties."""
    body = checked_body(call.body)
    top = {"tags": body["tags"]} if "tags" in body else {}
    if "identity" in body:
        _check_identity(body["identity"])
        top["identity"] = resources.with_identity_ids(call.store, call.path, body["identity"])
    return top


def _check_identity(identity: dict[str, Any]) -> None:
    """Refuse an identity that no pool has: pools have user-assigned identities only."""
    kind = identity.get("type")
    if kind is None:
        raise missing_property("type")
    if str(kind).lower() not in ("none", "userassigned"):
        raise bad_property("type", kind)
    account_rules.check_identities(identity)


@routes.on("PUT", "/pools/{pool}")
@with_request_info
def put(call: Call) -> Reply:
    """Create a pool, or replace all its properties."""
    account = accounts.need_or_create(call)
    name = pool_rules.pool_id(call.params["pool"])
    found = pools.find(call, account, name)
    _check_condition(call, found)
    body = _properties(call)
    pool_rules.check_new_pool(call, account, body, "arm")
    config = pool_rules.with_defaults({key: value for key, value in body.items() if key not in pools.SCALE_SETTINGS})
    if found is not None:
        return _replace(call, account, found, config, body)
    autoscale.run_due_evaluations(call, account)
    pool = pools.new_pool(call, account, config | {"id": name}, top=_top(call))
    autoscale.apply_scale_settings(call, account, pool, body)
    pools.save(call, pool, new_etag=False)
    return _show(call, pool)


def _replace(call: Call, account: Item, pool: Pool, config: dict[str, Any], body: dict[str, Any]) -> Reply:
    if pool.state.deleted is not None:
        raise refusal("PoolBeingDeleted")
    autoscale.run_due_evaluations(call, account, pool)
    pool_rules.check_replaceable(pool, config | {"id": pool.name}, call.now)
    pool.doc = config | {"id": pool.name}
    pool.state.top = _top(call)
    autoscale.apply_scale_settings(call, account, pool, body)
    pools.save(call, pool)
    return _show(call, pool)


@routes.on("PATCH", "/pools/{pool}")
@with_request_info
def patch(call: Call) -> Reply:
    """Update a pool; other scale settings begin a resize."""
    account, pool = _load(call, writing=True)
    _check_condition(call, pool)
    body = _properties(call)
    pool_rules.check_scale(body)
    given = {key: value for key, value in body.items() if key not in pools.SCALE_SETTINGS}
    pool_rules.check_changes(call.store, account, given)
    config = pool_rules.with_defaults(pool.doc | given)
    pool_rules.check_replaceable(pool, config, call.now)
    if given.keys() - pool_rules.CHANGEABLE:
        pool_rules.check_pool(call, account, config, "arm")
    network_rules.check_node_limits(config, body)
    pool.doc = config
    pool.state.top |= _top(call)
    if "enableAutoScale" in body:
        autoscale.apply_scale_settings(call, account, pool, body)
    pools.save(call, pool)
    return _show(call, pool)


@routes.on("GET", "/pools/{pool}")
@with_request_info
def get(call: Call) -> Reply:
    """Answer with a pool."""
    _, pool = _load(call)
    return _show(call, pool)


@routes.on("GET", "/pools")
@with_request_info
def list_pools(call: Call) -> Reply:
    """List the pools of an account."""
    account = accounts.need(call)
    job_schedules.run_due(call, account)
    autoscale.run_due_evaluations(call, account)
    pools_of_account = pools.account_pools(call.store, call.now, account)
    listed = [pool for pool in pools_of_account if not _is_gone(pool, call.now)]
    rows = (view(call, pool) for pool in listed)
    return paging.page(call, "", rows, key=lambda row: str(row["name"]).lower(), plane="arm")


@routes.on("DELETE", "/pools/{pool}")
@with_request_info
def delete(call: Call) -> Reply:
    """Delete a pool; 204 if it does not exist."""
    account = accounts.need(call)
    pool = pools.find(call, account, call.params["pool"])
    if pool is None:
        return Reply(204)
    _check_condition(call, pool)
    if pool.state.deleted is None:
        pools.delete(call, pool)
    return _wait(call, pool.name)


def _wait(call: Call, name: str) -> Reply:
    where = f"{call.base}{accounts.account_id(call)}/poolOperationResults/delete-{name}"
    headers = {"Location": f"{where}?api-version={call.api_version}", "Retry-After": str(RETRY_AFTER_S)}
    return Reply(202, None, headers)


@routes.on("GET", "/poolOperationResults/{operation}")
@with_request_info
def operation_result(call: Call) -> Reply:
    """Answer whether the deletion of a pool is done."""
    account = accounts.need(call)
    name = call.params["operation"].partition("-")[2]
    pool = pools.find(call, account, name)
    going = pool is not None and pool.state.deleted is not None and not _is_gone(pool, call.now)
    return _wait(call, name) if going else Reply(200)


@routes.on("POST", "/pools/{pool}/stopResize")
@with_request_info
def stop_resize(call: Call) -> Reply:
    """Stop the current resize."""
    _, pool = _load(call, writing=True)
    resize_terms.stop_pool_resize(call, pool)
    return _show(call, pool)


@routes.on("POST", "/pools/{pool}/disableAutoScale")
@with_request_info
def disable_auto_scale(call: Call) -> Reply:
    """Disable autoscale."""
    _, pool = _load(call, writing=True)
    autoscale.disable(call, pool)
    return _show(call, pool)
