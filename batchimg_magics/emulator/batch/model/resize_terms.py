"""The conditions of resizes: image, quotas, limits and scenario of a pool, and when it may be resized.

Source: recorded resizes and quota failures, the source document's limits of managed-image pools, the Batch documents on
Azure Compute Gallery pools, and the REST reference's error codes.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.batch.fleet import nodes, resizing
from batchimg_magics.emulator.batch.fleet.node_times import ALLOCATION_TIMES
from batchimg_magics.emulator.batch.fleet.nodes import KINDS, Problem
from batchimg_magics.emulator.batch.fleet.resizing import AllocationTerms
from batchimg_magics.emulator.batch.model import (
    accounts,
    pool_denials,
    pool_images,
    pools,
    scenarios,
    subscription_cores,
    task_results,
    task_scheduling,
)
from batchimg_magics.emulator.batch.model.pool_rules import check_timeout
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property, refusal
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.catalog.vm_sizes import find_size
from batchimg_magics.emulator.compute.model import core_quotas
from batchimg_magics.emulator.http.dates import duration_s
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.fleet.cohorts import NodeKind
    from batchimg_magics.emulator.batch.model.pool_images import PoolImage
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.catalog.vm_sizes import VmSize
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item, Store

evidence = Evidence("Conditions of a resize")
MANAGED_IMAGE_LIMIT: dict[NodeKind, int] = evidence.documented(
    {"dedicated": 2500, "spot": 1000},
    "nodes",
    "of all pools together that share a managed image",
    "Microsoft's guide to custom images; its quota page says 2,000 dedicated ones",
)
evidence.rule(
    "A resize above a quota allocates the nodes within the quota, with an error for the rest.",
    "in the recorded quota failures no node was allocated",
)
evidence.rule(
    "A start task that fails takes the same time for every retry, and fails each time.",
    "its command is not executed; only its result is derived from the text",
)
evidence.rule(
    "Single nodes of a pool with autoscale cannot be removed.",
    "BatchExplorer #2082 shows an error in that case; ga4gh-tes turns autoscale off before it removes nodes",
)
_OPTIONS = frozenset({"requeue", "terminate", "taskcompletion", "retaineddata"})
#: The options with which nodes stay until their tasks are done.
_WAITING_OPTIONS = frozenset({"taskcompletion", "retaineddata"})
_QUOTAS: dict[NodeKind, str] = {"dedicated": "dedicatedCoreQuota", "spot": "lowPriorityCoreQuota"}
_TARGET_PROPERTIES: dict[NodeKind, str] = {"dedicated": "targetDedicatedNodes", "spot": "targetLowPriorityNodes"}


class Limit(msgspec.Struct, frozen=True):
    """A limit for nodes of one kind.

    Parameters
    ----------
    kind
        The kind of nodes.
    maximum
        The limit: cores, or nodes if `image` is not empty.
    problem
        The text of the error when it is exhausted.
    family
        The VM family that counts, in lower case; empty for all.
    image
        The images and snapshots whose pools count.
    used_elsewhere
        Usage outside of the pools of the account.
    """

    kind: NodeKind
    maximum: int
    problem: Problem
    family: str = ""
    image: frozenset[str] = frozenset()
    used_elsewhere: int = 0


def need_steady(call: Call, pool: Pool) -> None:
    """Refuse a resize of a pool that is being resized, or that has autoscale enabled."""
    if pool.state.auto is not None:
        reason = "The specified pool has AutoScale enabled. It cannot be resized explicitly"
        raise refusal("OperationInvalidForCurrentState", ("Reason", reason))
    if nodes.allocation_state(pool.state.fleet, call.now)[0] != "steady":
        raise refusal("PoolBeingResized")


def begin_pool_resize(
    call: Call,
    account: Item,
    pool: Pool,
    body: dict[str, Any],
    *,
    now: float | None = None,
    timeout_s: float | None = None,
) -> None:
    """Begin a resize.

    Parameters
    ----------
    call, account, pool
        The request, its account and its pool.
    body
        Targets (a missing one is 0); resizeTimeout, which is stored for the next time; nodeDeallocationOption.
    now
        The time, if not that of the request.
    timeout_s
        The resize timeout, if not that of the pool.
    """
    now = call.now if now is None else now
    if "resizeTimeout" in body:
        pool.state.timeout = body["resizeTimeout"]
    option = _option(body)
    targets: dict[NodeKind, int] = {kind: int(body.get(_TARGET_PROPERTIES[kind], 0)) for kind in KINDS}
    resizing.drop_departed_nodes(pool.state.fleet, now)
    scenarios.withdraw_image(call.store, pool, now)
    resizing.begin_resize(
        pool.state.fleet,
        now,
        targets,
        allocation_terms(call, account, pool, now, sum(targets.values())),
        timeout_s=timeout_s or duration_s(pool.state.timeout) or 900.0,
        option=option,
        busy=_task_ends(call, pool, now, option),
    )
    if pool.state.fleet.resize is not None:
        scenarios.withdraw_image(call.store, pool, pool.state.fleet.resize.ends)
    _end_tasks(call, pool, now, option)


def _task_ends(call: Call, pool: Pool, now: float, option: str) -> dict[str, float] | None:
    """Return which nodes stay for their tasks, and until when; None if no node does."""
    return task_scheduling.task_ends_by_node(call.store, pool, now) if option in _WAITING_OPTIONS else None


def _end_tasks(call: Call, pool: Pool, now: float, option: str) -> None:
    if option not in _WAITING_OPTIONS:
        task_scheduling.end_tasks_of_leaving_nodes(call.store, pool, now, option)


def _option(body: dict[str, Any]) -> str:
    """Return the node deallocation option, or refuse it."""
    option = str(body.get("nodeDeallocationOption", "requeue")).lower()
    if option not in _OPTIONS:
        raise bad_property("nodeDeallocationOption", body["nodeDeallocationOption"])
    return option


def stop_pool_resize(call: Call, pool: Pool) -> None:
    """Stop the current resize, if any. The ETag does not change, as recorded."""
    if pool.state.auto is not None:
        reason = "The specified pool has AutoScale enabled. AutoScale resize cannot be stopped"
        raise refusal("OperationInvalidForCurrentState", ("Reason", reason))
    resizing.stop_resize(pool.state.fleet, call.now)
    pools.save(call, pool, new_etag=False)


def check_removal(body: dict[str, Any]) -> None:
    """Refuse a request to remove no nodes, or with a timeout that is too short."""
    if not body["nodeList"]:
        raise missing_property("nodeList")
    if "resizeTimeout" in body:
        check_timeout(body["resizeTimeout"])


def remove_pool_nodes(call: Call, pool: Pool, body: dict[str, Any]) -> None:
    """Remove the nodes in a request, which has been checked."""
    listed = body["nodeList"]
    need_steady(call, pool)
    timeout = duration_s(body.get("resizeTimeout", pools.DEFAULT_TIMEOUT)) or 900.0
    option = _option(body)
    try:
        resizing.remove_nodes(
            pool.state.fleet,
            call.now,
            dict.fromkeys(map(str, listed)),
            timeout_s=timeout,
            option=option,
            busy=_task_ends(call, pool, call.now, option),
        )
    except KeyError:
        raise refusal("NodeNotFound") from None
    _end_tasks(call, pool, call.now, option)
    pools.save(call, pool)


def allocation_terms(call: Call, account: Item, pool: Pool, now: float, nodes: int) -> AllocationTerms:
    """Return the conditions under which a pool with this number of target nodes gets nodes at a time."""
    image = pool_images.read_pool_image(call.store, now, account, pool)
    effects = scenarios.node_effects(call.store)
    seconds, fails = _start_task(call, pool, now, fails=effects.start_tasks_fail)
    available, quota_errors = _available_nodes(call, account, pool, image, now)
    return AllocationTerms(
        boot=image.boot,
        replicas=image.replicas,
        slowed=effects.slowed if nodes > effects.slowed_above else 1.0,
        unusable=1.0 if image.custom and effects.specialized else max(image.unusable, effects.unusable),
        recovering=effects.recovering,
        start_task_s=seconds,
        start_task_fails=fails,
        preempted_per_h=effects.preempted_per_h,
        available=available,
        quota_errors=quota_errors,
        failure=image.failure or pool_denials.denial(call.store, account, pool),
        errors=scenarios.allocation_errors(call.store),
    )


def _start_task(call: Call, pool: Pool, now: float, *, fails: bool) -> tuple[float | None, bool]:
    """Return how long nodes wait for their start task (None: they do not), and whether it fails."""
    task = pool.doc.get("startTask")
    if task is None:
        return None, False
    result = task_results.start_task_result(call.store, now, pool, task, ALLOCATION_TIMES.start_task_s)
    fails = fails or result.exit_code != 0
    waits = task.get("waitForSuccess", True)
    return result.seconds * task_results.start_task_tries(task, fails=fails) if waits else None, fails


def _available_nodes(
    call: Call, account: Item, pool: Pool, image: PoolImage, now: float
) -> tuple[dict[NodeKind, int], dict[NodeKind, Problem]]:
    """Return how many more nodes of each kind the quotas and limits allow, and the errors when they are exhausted."""
    size = find_size(pool.doc["vmSize"])
    if size is None:
        return {}, {}
    limits = _quotas(call.store, account, size) + _regional_quotas(call.store, account, size, now)
    if image.limit_keys:
        values = (("Reason", "The limit of nodes in pools of this custom image has been reached"),)
        limits += [
            Limit(kind, nodes, resizing.allocation_error("AllocationFailed", kind, values), image=image.limit_keys)
            for kind, nodes in MANAGED_IMAGE_LIMIT.items()
        ]
    others = list(pools.account_pools(call.store, now, account))
    available: dict[NodeKind, int] = {}
    quota_errors: dict[NodeKind, Problem] = {}
    for limit in limits:
        used = limit.used_elsewhere + sum(
            _usage(call, account, other, limit, now) for other in others if other.key != pool.key
        )
        used += _usage(call, account, pool, limit, now)
        left = max(0, limit.maximum - used) // (1 if limit.image else size.vcpus)
        if left < available.get(limit.kind, left + 1):
            available[limit.kind], quota_errors[limit.kind] = left, limit.problem
    return available, quota_errors


def _quotas(store: Store, account: Item, size: VmSize) -> list[Limit]:
    """Return the core quotas for nodes of a size; accounts without their own have those of Compute."""
    prefix = "The specified account has reached"
    inner = accounts.current_properties(store, account)
    limits = []
    if (most := inner.get(_QUOTAS["dedicated"])) is not None:
        limits.append(Limit("dedicated", most, Problem("AccountCoreQuotaReached", f"{prefix} core quota")))
    if (most := inner.get(_QUOTAS["spot"])) is not None:
        spot = Problem("AccountLowPriorityCoreQuotaReached", f"{prefix} low priority core quota")
        limits.append(Limit("spot", most, spot))
    if inner.get("dedicatedCoreQuotaPerVMFamilyEnforced"):
        for family in inner.get("dedicatedCoreQuotaPerVMFamily") or ():
            if family["name"].lower() == size.family.lower():
                series = Problem(
                    "AccountVMSeriesCoreQuotaReached", f"{prefix} VM series core quota for {family['name']}"
                )
                limits.append(Limit("dedicated", family["coreQuota"], series, family=size.family.lower()))
    return limits


def _regional_quotas(store: Store, account: Item, size: VmSize, now: float) -> list[Limit]:
    """Return the quotas of Compute for an account that allocates nodes in the user's subscription.

    The texts are Compute's; the numbers are those of its usages.
    """
    inner, region = accounts.current_properties(store, account), account.doc["location"]
    region_name, subscription = regions.region_name(region), account.key.split("/")[2]

    def most(name: str) -> int:
        return core_quotas.limit_of(store, subscription, region_name, name)

    quotas: tuple[tuple[NodeKind, str, int, str], ...] = (
        ("dedicated", "Total Regional Cores", most(core_quotas.REGIONAL), ""),
        ("dedicated", f"{size.family} Cores", most(size.family), size.family.lower()),
        ("spot", "LowPriorityCores", most(core_quotas.SPOT), ""),
    )
    bounded = {kind for kind, name in _QUOTAS.items() if inner.get(name) is not None}
    limits: list[Limit] = []
    if len(bounded) == len(_QUOTAS):
        return limits
    shared: core_quotas.Cores = Counter()
    if subscription_cores.allocates_in_subscription(store, account):
        shared = core_quotas.cores_in_region(store, now, subscription, region_name, excluding=account.key)
    for kind, what, limit, family in quotas:
        message = (
            f"Operation could not be completed as it results in exceeding approved {what} quota. Additional details -"
            f" Deployment Model: Resource Manager, Location: {region}, Current Limit: {limit}"
        )
        values = pool_images.provider_error("OperationNotAllowed", message)
        if kind not in bounded:
            problem = resizing.allocation_error("AllocationFailed", kind, values)
            taken = sum(n for (one, of), n in shared.items() if one == kind and family in ("", of.lower()))
            limits.append(Limit(kind, limit, problem, family=family, used_elsewhere=taken))
    return limits


def _usage(call: Call, account: Item, pool: Pool, limit: Limit, now: float) -> int:
    """Return the usage of a limit by a pool, including nodes that are not allocated yet."""
    size = find_size(pool.doc["vmSize"])
    if size is None or (limit.family and size.family.lower() != limit.family):
        return 0
    if limit.image and not limit.image & pool_images.read_pool_image(call.store, now, account, pool).limit_keys:
        return 0
    return nodes.current_and_pending_nodes(pool.state.fleet, now, limit.kind) * (1 if limit.image else size.vcpus)
