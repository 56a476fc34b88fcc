"""Batch pools: read, resize, stop and delete them. Resizing uses the data plane, the rest Azure Resource Manager."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from azure.core import MatchConditions

from batchimg_magics.core.azure import polling, read_cache, resources
from batchimg_magics.core.azure.documents import dig, document, format_iso_duration, parse_time, seconds_of, wire
from batchimg_magics.core.base.durations import format_time
from batchimg_magics.core.base.node_counts import Counts, current_counts
from batchimg_magics.errors import ConflictError, NotFoundError
from batchimg_magics.pool_spec.values import is_pattern, suggest_name

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

#: Seconds until a pool of a few nodes is steady, and from a node's allocation until it is idle; until
#: nodes have left a pool. Source: recordings.
EXPECTED_S = {"pool": 5.0, "steady": 70.0, "ready": 240.0, "delete pool": 60.0, "shrink": 95.0}
#: Time between polls of a pool that is resizing. No recorded resize allocated nodes within half a minute, and nodes
#: boot while others are allocated, so that late polls cost little time. Source: recordings, for the times.
RESIZE_POLL_PACE = polling.PollPace(1 / 4, 15.0, 90.0)
#: Seconds before the first poll. A resize without work or without quota ends after 1.4 seconds. Source: recordings.
FIRST_POLL_S = 2.0
#: Source: gallery documents: "at least 15 min per 1,000 nodes"; 20-30 min for pools of custom images.
TIMEOUT_S_PER_NODE, MIN_TIMEOUT_S = 0.9, 1200.0


@dataclass(frozen=True, slots=True)
class PoolState:
    """The state of a pool on the data plane.

    Parameters
    ----------
    name
        The name as Azure spells it.
    allocation, state_since
        The allocation state, and the time of its last change.
    current, target
        Azure's node counts; the current spot count includes preempted nodes.
    autoscale, formula
        Whether autoscale is on, and its formula.
    tags
        The pool's metadata, which has the ownership tags.
    errors
        (code, message, reasons) of the **last** resize; they stay until the next resize.
    deleting
        Whether the pool is being deleted.
    created
        When the pool was created: a later pool of the same name is another one.
    evaluated, interval_s, evaluation_error
        When the formula was last evaluated (None: never), the seconds between two evaluations, and the error of the
        last one, as text; empty: none.
    """

    name: str
    allocation: str
    state_since: dt.datetime | None
    current: Counts
    target: Counts
    autoscale: bool
    formula: str
    tags: Mapping[str, str]
    errors: tuple[tuple[str, str, str], ...]
    deleting: bool
    created: dt.datetime | None = None
    evaluated: dt.datetime | None = None
    interval_s: float | None = None
    evaluation_error: str = ""

    @property
    def remaining(self) -> int:
        """The number of nodes that are still to be added or removed, by Azure's counts."""
        kinds = ((self.current.dedicated, self.target.dedicated), (self.current.spot, self.target.spot))
        return sum(abs(current - target) for current, target in kinds)


@dataclass(frozen=True, slots=True)
class PoolImage:
    """The image of a pool.

    Parameters
    ----------
    id
        Resource id of a gallery image version, or of a managed image.
    hash
        The hash of the facts that the image was created from.
    """

    id: str
    hash: str


def resize_timeout_s(nodes: int) -> float:
    """Return the resize timeout in seconds that a number of nodes of a custom image needs."""
    return max(MIN_TIMEOUT_S, nodes * TIMEOUT_S_PER_NODE)


# -- reading -----------------------------------------------------------------------------------------------------


def not_found_error(azure: Azure, name: str, existing: Iterable[Json], message: str = "") -> NotFoundError:
    """Return the error for a pool that does not exist; its hint suggests the nearest name.

    Parameters
    ----------
    azure, name
        The connection, and the name or pattern that was given.
    existing
        The documents of the account's pools in Azure Resource Manager.
    message
        What is missing; by default, that the account has no such pool.
    """
    what = f"no pool matches {name!r}" if is_pattern(name) else f"there is no pool {name!r}"
    return NotFoundError(
        message or f"{what} in account {azure.scope.account!r}",
        hint=_deletion_text(azure, name)
        or suggest_name(name, [str(pool["name"]) for pool in existing])
        or "`%batchimg pools` lists the pools; `%batchimg create` creates one",
        status_code=404,
        code="PoolNotFound",
    )


def _deletion_text(azure: Azure, name: str) -> str:
    """Return when a pool was deleted, as far as this tool saw it; empty if it did not."""
    if not (at := azure.ledger.deleted_at(name)):
        return ""
    return f"it was deleted on {format_time(at)}; `%batchimg history {name}` shows what it cost"


async def require(azure: Azure, name: str) -> Json:
    """Return a pool's document in Azure Resource Manager.

    Raises
    ------
    NotFoundError
        The pool does not exist; the hint suggests the nearest name.
    """
    if (found := await read(azure, name)) is None:
        raise not_found_error(azure, name, await read_all(azure))
    return found


def find_matches(existing: Iterable[Json], pattern: str) -> list[Json]:
    """Return the pools whose name matches a name or a pattern (``sim-*``), whatever the case, ordered by name."""
    found = [pool for pool in existing if fnmatchcase(str(pool["name"]).lower(), pattern.lower())]
    return sorted(found, key=lambda pool: str(pool["name"]).lower())


async def read_state(azure: Azure, name: str) -> PoolState:
    """Return the state of a pool, from the data plane.

    Raises
    ------
    NotFoundError
        The pool does not exist; the hint suggests the nearest name.
    """
    client = await azure.batch()
    found = await azure.call_or_none(client.get_pool(name))
    if found is None:
        raise not_found_error(azure, name, await read_all(azure))
    return parse_state(document(found))


async def read_state_cached(azure: Azure, name: str) -> PoolState:
    """Return the state of a pool from the cache or from Azure. Errors are those of `read_state`."""
    return await read_cache.get_or_read(azure, _path(name), lambda: read_state(azure, name))


def _path(name: str) -> str:
    """Return a pool's path on the data plane."""
    return f"/pools/{name}"


def parse_state(found: Json) -> PoolState:
    """Return the state of a pool from its document of the data plane."""
    return PoolState(
        name=found["id"],
        allocation=str(found.get("allocationState") or "steady"),
        state_since=parse_time(found.get("allocationStateTransitionTime")),
        current=Counts(found.get("currentDedicatedNodes") or 0, found.get("currentLowPriorityNodes") or 0),
        target=Counts(found.get("targetDedicatedNodes") or 0, found.get("targetLowPriorityNodes") or 0),
        autoscale=bool(found.get("enableAutoScale")),
        formula=str(found.get("autoScaleFormula") or ""),
        tags={str(one.get("name")): str(one.get("value")) for one in found.get("metadata") or []},
        errors=tuple(_error(one) for one in found.get("resizeErrors") or []),
        deleting=found.get("state") == "deleting",
        created=parse_time(found.get("creationTime")),
        evaluated=parse_time(dig(found, "autoScaleRun", "timestamp")),
        interval_s=seconds_of(interval) if (interval := found.get("autoScaleEvaluationInterval")) else None,
        evaluation_error=evaluation_error(found.get("autoScaleRun")),
    )


def evaluation_error(run: Json | None) -> str:
    """Return the error of an evaluation of a formula as text, on either plane; empty where it has none."""
    error = dig(run, "error") or {}
    values = [str(one.get("value") or one.get("message")) for one in error.get("values") or error.get("details") or []]
    more = "; ".join(values)
    return f"{error.get('message')}{f' ({more})' if more else ''}" if error else ""


def raise_if_deleting(state: PoolState) -> None:
    """Raise ConflictError where a pool is being deleted."""
    if state.deleting:
        raise ConflictError(f"pool {state.name!r} is being deleted", hint="wait until it is deleted", status_code=409)


def _error(found: Json) -> tuple[str, str, str]:
    reasons = "; ".join(f"{one.get('name')}: {one.get('value')}" for one in found.get("values") or [])
    return str(found.get("code")), str(found.get("message")), reasons


async def read(azure: Azure, name: str) -> Json | None:
    """Return a pool's document in Azure Resource Manager; None where it does not exist."""
    return await resources.read_or_none(azure, azure.scope.pool_id(name))


async def read_all(azure: Azure) -> list[Json]:
    """Return the documents of all pools of the account in Azure Resource Manager."""
    found = await resources.read_list(azure, f"{azure.scope.account_id}/pools")
    azure.account_cost.note_pools({str(one["name"]): current_counts(one) for one in found})
    return found


async def read_all_cached(azure: Azure) -> list[Json]:
    """Return the documents of all pools of the account from the cache or from Azure Resource Manager."""
    return await read_cache.get_or_read(azure, f"{azure.scope.account_id}/pools", lambda: read_all(azure))


async def read_cached(azure: Azure, name: str) -> Json | None:
    """Return a pool's document from the cache or from Azure Resource Manager; None where it does not exist."""
    return await read_cache.get_from_list(
        azure, azure.scope.pool_id(name), lambda: read_all(azure), lambda: read(azure, name)
    )


def image_of(found: Json) -> str | None:
    """Return the id of a pool's image; None for a Marketplace image."""
    path = ("properties", "deploymentConfiguration", "virtualMachineConfiguration", "imageReference", "id")
    image: str | None = dig(found, *path)
    return image


def tag_of(found: Json, name: str) -> str | None:
    """Return the value of an ownership tag of a pool: from its metadata, which both planes show, or its tags."""
    for pair in dig(found, "properties", "metadata") or []:
        if pair.get("name") == name:
            return str(pair.get("value"))
    tag = dig(found, "tags", name)
    return None if tag is None else str(tag)


# -- changing ----------------------------------------------------------------------------------------------------


async def wait_until_steady(
    azure: Azure, name: str, *, limit_s: float | None = None, first_s: float | None = None
) -> PoolState:
    """Wait until a pool's allocation state is steady, and return its state.

    Parameters
    ----------
    azure, name
        The connection, and the name of the pool.
    limit_s
        The longest wait in seconds; None: no limit.
    first_s
        Seconds before the first poll; None: poll at once.

    Raises
    ------
    ConflictError
        The pool is being deleted.
    WaitTimeoutError
        The wait took longer than `limit_s`.
    """

    async def poll() -> polling.PollResult[PoolState]:
        state = await read_state(azure, name)
        raise_if_deleting(state)
        return polling.PollResult(state.allocation == "steady", state, remaining=state.remaining)

    what = f"steady state of pool {name}"
    state = await polling.poll_until(azure, poll, what=what, first_s=first_s, timeout_s=limit_s, pace=RESIZE_POLL_PACE)
    read_cache.store(azure, _path(name), state)
    return state


async def resize(azure: Azure, name: str, target: Counts, allowed_s: float, drain: str | None = None) -> None:
    """Request a resize, always with both counts: Azure sets a missing count to 0."""
    client = await azure.batch()
    body = {
        "targetDedicatedNodes": target.dedicated,
        "targetLowPriorityNodes": target.spot,
        "resizeTimeout": format_iso_duration(allowed_s),
        **({"nodeDeallocationOption": drain} if drain else {}),
    }
    await azure.call(client.begin_resize_pool(name, wire(body)))


async def patch(azure: Azure, found: Json, body: Json) -> None:
    """Change properties of a pool, unless another client changed it since its document was read.

    Raises
    ------
    ConflictError
        Another client did; or an earlier request of this one, whose answer was lost.
    """
    scope = azure.scope
    call = azure.management.pool.update(
        scope.resource_group,
        scope.account,
        str(found["name"]),
        wire(body),
        etag=found["etag"],
        match_condition=MatchConditions.IfNotModified,
    )
    await azure.call(call)


async def remove_nodes(azure: Azure, name: str, node_ids: Sequence[str], drain: str | None = None) -> None:
    """Request the removal of single nodes; the pool's target becomes the number of remaining nodes."""
    client = await azure.batch()
    body = {"nodeList": list(node_ids), **({"nodeDeallocationOption": drain} if drain else {})}
    await azure.call(client.begin_remove_nodes(name, wire(body)))


async def stop_resize(azure: Azure, name: str) -> bool:
    """Request that a pool's resize stops; return whether the pool was resizing."""
    if (await read_state(azure, name)).allocation != "resizing":
        return False
    client = await azure.batch()
    try:
        await azure.call(client.begin_stop_pool_resize(name))
    except ConflictError:
        if (await read_state(azure, name)).allocation == "resizing":
            raise
        return False  # the resize ended meanwhile
    return True


async def delete(azure: Azure, name: str) -> None:
    """Delete a pool with its nodes and wait until it is deleted."""
    scope = azure.scope
    begin = azure.management.pool.begin_delete(scope.resource_group, scope.account, name, **polling.NO_POLLING)
    await polling.delete_and_wait(azure, begin, what=f"pool {name}", resource_id=str(scope.pool_id(name)))

    async def poll() -> polling.PollResult[None]:
        return polling.PollResult(await read(azure, name) is None, None)

    azure.ledger.end_costs(name, azure.now())  # its nodes are released while the deletion goes on
    await polling.poll_until(azure, poll, what=f"deletion of pool {name}")
    azure.ledger.add_deletion(name, azure.now())
    azure.account_cost.forget(name)


def pools_using(found: list[Json], version_id: str) -> list[str]:
    """Return the names of the pools that use an image version, or the latest version of its definition."""
    definition = version_id.rpartition("/versions/")[0]
    ids = {version_id.lower(), definition.lower()}
    return [pool["name"] for pool in found if (image_of(pool) or "").lower() in ids]


def agent_of(pool: Json | None) -> str:
    """Return a pool's node agent SKU; empty where it has none."""
    path = ("properties", "deploymentConfiguration", "virtualMachineConfiguration", "nodeAgentSkuId")
    return str(dig(pool, *path) or "")
