"""Pools: their stored state, for both planes.

A pool is one `Item`, by its ARM id. Its document is the configuration in the format of the data plane; `PoolState` has
the rest: its nodes, autoscale, the last change. Both planes load and save it here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm.open_world import has_retired
from batchimg_magics.emulator.batch.fleet import nodes, resizing
from batchimg_magics.emulator.batch.fleet.cohorts import Cohort, NodeKind
from batchimg_magics.emulator.batch.fleet.node_times import ALLOCATION_TIMES
from batchimg_magics.emulator.batch.fleet.nodes import Fleet, Problem, Resize
from batchimg_magics.emulator.batch.model import accounts
from batchimg_magics.emulator.batch.rest.dialects import pool_from_arm
from batchimg_magics.emulator.batch.rest.errors import refusal
from batchimg_magics.emulator.http.dates import change_ticks, duration_s, etag, header_date, ticks
from batchimg_magics.emulator.world.clock import parse_timestamp
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Store

KIND = "microsoft.batch/batchaccounts/pools"
#: The properties of a request beside the configuration; they are stored in `PoolState`.
SCALE_SETTINGS = frozenset(
    {
        "targetDedicatedNodes", "targetLowPriorityNodes", "resizeTimeout", "nodeDeallocationOption", "enableAutoScale",
        "autoScaleFormula", "autoScaleEvaluationInterval",
    }
)  # fmt: skip
DEFAULT_TIMEOUT = "PT15M"
#: From this api-version on, and for all pools from this day on, remote access exists only if a pool requests it.
#: Source: Batch, "Configure remote access to compute nodes in an Azure Batch pool".
REMOTE_LOGIN_UNTIL = "2024-07-01"
REMOTE_LOGIN = "remote_login_by_default"
REMOTE_LOGIN_END = datetime(2025, 12, 1, tzinfo=UTC).timestamp()


class AutoScale(msgspec.Struct, omit_defaults=True):
    """Autoscale of a pool.

    Parameters
    ----------
    formula, interval
        The formula and its evaluation interval.
    enabled
        When it was turned on; a new formula does not change it.
    evaluated, results, error
        The last evaluation.
    stuck
        Whether Batch does not evaluate it any more until it is turned off and on.
    """

    formula: str
    interval: str
    enabled: float
    evaluated: float
    results: str = ""
    error: Problem | None = None
    stuck: bool = False


class PoolState(msgspec.Struct, omit_defaults=True):
    """The state of a pool beside its configuration.

    Parameters
    ----------
    id
        Its ARM id, with the case of its creation.
    created, modified
        In ticks (`http.dates`).
    fleet
        Its nodes.
    timeout
        The resize timeout, as it was sent.
    auto
        Autoscale, None if it is disabled.
    enabled_at, asked_at
        When autoscale was last enabled, and when by a call of its own.
    deleted, gone
        When its deletion began and when it ends.
    top
        The members of ARM beside ``properties``: tags, identity.
    remote
        Whether its nodes have remote access by default.
    tasks
        Whether any of its jobs has had a task.
    """

    id: str
    created: int
    modified: int
    fleet: Fleet
    timeout: str = DEFAULT_TIMEOUT
    auto: AutoScale | None = None
    enabled_at: float = 0.0
    asked_at: float | None = None
    deleted: float | None = None
    gone: float | None = None
    top: dict[str, Any] = {}
    remote: bool = False
    tasks: bool = False


class Pool(msgspec.Struct):
    """A pool.

    Parameters
    ----------
    key
        ARM id in lower case.
    doc
        Configuration in the format of the data plane, with ``id`` and ``vmSize``.
    state
        The rest.
    """

    key: str
    doc: dict[str, Any]
    state: PoolState

    @property
    def name(self) -> str:
        """Its id, with the case of its creation."""
        return str(self.doc["id"])

    @property
    def targets(self) -> dict[NodeKind, int]:
        """Its target numbers of nodes, by kind."""
        resize = self.state.fleet.resize
        return {"dedicated": resize.dedicated if resize else 0, "spot": resize.spot if resize else 0}

    def headers(self, *, arm: bool = False) -> dict[str, str]:
        """Return ETag and Last-Modified."""
        tag = etag(self.state.modified)
        return {"ETag": f'W/"{tag}"' if arm else tag, "Last-Modified": header_date(self.state.modified)}


def pool_key(account: Item, name: str) -> str:
    """Return the key of a pool of an account; ids of pools are case-insensitive."""
    return f"{account.key}/pools/{name.lower()}"


def load(item: Item) -> Pool:
    """Return the pool that an item stores."""
    if "fleet" not in item.hidden:
        return _from_imported(item)
    return Pool(item.key, item.doc, msgspec.convert(item.hidden, PoolState))


def find(call: Call, account: Item, name: str) -> Pool | None:
    """Return a pool of an account, None if it does not exist (any more)."""
    item = call.store.get(pool_key(account, name))
    if item is None:
        return None
    pool = load(item)
    return pool if pool.state.gone is None or call.now < pool.state.gone else None


def need(call: Call, account: Item, name: str, *, writing: bool = False) -> Pool:
    """Return a pool of an account, or refuse; a pool that is being deleted can be read, but not changed."""
    pool = find(call, account, name)
    if pool is None:
        raise refusal("PoolNotFound")
    if writing and pool.state.deleted is not None:
        raise refusal("PoolBeingDeleted")
    return pool


def account_pools(store: Store, now: float, account: Item) -> Iterator[Pool]:
    """Yield the pools of an account in order of their ids."""
    for item in store.items(KIND, account.key):
        pool = load(item)
        if pool.state.gone is None or now < pool.state.gone:
            yield pool


def new_pool(call: Call, account: Item, doc: dict[str, Any], *, top: dict[str, Any] | None = None) -> Pool:
    """Return a new pool without nodes, not saved yet."""
    for item in call.store.items(KIND, account.key):
        gone = item.hidden.get("gone")
        if gone is not None and gone <= call.now:
            call.store.delete(item.key)
    taken = sum(1 for _ in account_pools(call.store, call.now, account))
    if taken >= accounts.current_properties(call.store, account).get("poolQuota", 100):
        raise refusal("PoolQuotaReached")
    key = pool_key(account, doc["id"])
    now = ticks(call.now)
    name = f"{account.doc['id']}/pools/{doc['id']}"
    remote = (
        "virtualMachineConfiguration" in doc
        and call.api_version < REMOTE_LOGIN_UNTIL
        and not has_retired(call.store, REMOTE_LOGIN, call.now, REMOTE_LOGIN_END)
    )
    state = PoolState(name, now, now + 1, Fleet(call.store.new_token(key)), top=top or {}, remote=remote)
    return Pool(key, doc, state)


def save(call: Call, pool: Pool, *, new_etag: bool = True) -> None:
    """Store a pool; with `new_etag` its ETag changes."""
    if new_etag:
        pool.state.modified = change_ticks(call.now, pool.state.modified)
    call.store.put(Item(pool.key, KIND, pool.doc, msgspec.to_builtins(pool.state)))


def fail_start_tasks(store: Store, pool: Pool) -> None:
    """Let the start task of a pool fail on the nodes that it has: they wait for its success, or nothing changes."""
    if (item := store.get(pool.key)) is None:
        return
    found = load(item)
    fleet = found.state.fleet
    fleet.cohorts = tuple(msgspec.structs.replace(one, start_task_fails=True) for one in fleet.cohorts)
    store.put(Item(found.key, KIND, found.doc, msgspec.to_builtins(found.state)))


def delete(call: Call, pool: Pool) -> None:
    """Begin to delete a pool: its nodes leave, then it is deleted."""
    state = pool.state
    none: dict[NodeKind, int] = {"dedicated": 0, "spot": 0}
    had = sum(nodes.current_nodes(state.fleet, call.now, kind) for kind in nodes.KINDS)
    was_stopping = nodes.allocation_state(state.fleet, call.now)[0] == "stopping"
    resizing.stop_resize(state.fleet, call.now)
    resizing.begin_resize(
        state.fleet, call.now, none, resizing.AllocationTerms(), timeout_s=duration_s(state.timeout) or 900.0
    )
    resize = state.fleet.resize
    if was_stopping and resize is not None:  # recorded: it stays in this state
        state.fleet.resize = resize = msgspec.structs.replace(resize, stopped=call.now)
    state.deleted = call.now
    ends = resize.ends + ALLOCATION_TIMES.delete_s if had and resize is not None else None
    state.gone = ends or call.now + ALLOCATION_TIMES.empty_delete_s
    state.auto = None
    save(call, pool)


def _from_imported(item: Item) -> Pool:
    """Return the pool for an imported ARM document: steady, with its nodes and its errors."""
    properties = item.doc["properties"]
    config = pool_from_arm(properties)
    created = properties.get("creationTime", "2020-01-01T00:00:00Z")
    modified = properties.get("lastModified", created)
    since = parse_timestamp(properties.get("allocationStateTransitionTime", modified))
    status = properties.get("resizeOperationStatus", {})
    problems = tuple(
        Problem(error["code"], error["message"], tuple((v["code"], v["message"]) for v in error.get("details", [])))
        for error in status.get("errors", [])
    )
    resize = Resize(
        parse_timestamp(status.get("startTime", modified)),
        since,
        duration_s(status.get("resizeTimeout", DEFAULT_TIMEOUT)) or 900.0,
        config.get("targetDedicatedNodes", 0),
        config.get("targetLowPriorityNodes", 0),
        errors=problems,
    )
    pool_fleet = Fleet(item.key, resize=resize)
    for kind, name in zip(nodes.KINDS, ("currentDedicatedNodes", "currentLowPriorityNodes"), strict=True):
        if count := properties.get(name, 0):
            _add_present(pool_fleet, kind, count, since)
    state = PoolState(item.doc["id"], ticks(parse_timestamp(created)), ticks(parse_timestamp(modified)), pool_fleet)
    state.timeout = config.get("resizeTimeout", DEFAULT_TIMEOUT)
    state.top = {name: item.doc[name] for name in ("tags", "identity") if name in item.doc}
    if config.get("enableAutoScale"):
        interval = config.get("autoScaleEvaluationInterval", DEFAULT_TIMEOUT)
        run = properties.get("autoScaleRun", {})
        evaluated = parse_timestamp(run["evaluationTime"]) if "evaluationTime" in run else since
        state.auto = AutoScale(config["autoScaleFormula"], interval, evaluated, evaluated, run.get("results", ""))
    doc = {name: value for name, value in config.items() if name not in SCALE_SETTINGS}
    doc |= {"id": item.doc["name"], "vmSize": doc["vmSize"].lower()}
    doc.setdefault("taskSchedulingPolicy", {"nodeFillType": "Spread"})  # older documents do not have it
    return Pool(item.key, doc, state)


def _add_present(nodes: Fleet, kind: NodeKind, count: int, since: float) -> None:
    seed = f"{nodes.seed}/{kind}"
    # Long enough ago that all of them have started.
    began = since - 24 * 3600.0
    cohort = Cohort(seed, kind, nodes.ever, count, began, since, 0.0, 1e-3, "linux/marketplace")
    nodes.cohorts = (*nodes.cohorts, cohort)
    nodes.ever += count
    nodes.ever_spot += count if kind == "spot" else 0
