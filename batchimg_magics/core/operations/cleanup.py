"""Leftover resources, which this tool created and no pool needs any more, and expired pools: both cost money."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import read_cache, tags
from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.durations import format_time
from batchimg_magics.core.base.node_counts import allocated_counts
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.core.compute import galleries, image_versions
from batchimg_magics.core.compute.lineage import source_ids
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.images import inventory, stopped_vms
from batchimg_magics.core.images.usage import ResourceUsage
from batchimg_magics.core.operations import delete, resource_ages
from batchimg_magics.core.operations.delete import KINDS, Deletion, kind_of
from batchimg_magics.errors import BatchImgError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.consent import Consent
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.images.inventory import Inventory
    from batchimg_magics.core.images.stopped_vms import StoppedVm


#: Seconds after which nothing of an image build is in use any more: the longest recorded step takes 13 minutes.
SAFE_AGE_S = 2 * 3600.0
#: The kind of a row about a VM that was stopped for a copy.
STOPPED_VM = "stopped VM"
#: Kinds of temporary resources, which are never part of an image.
_TEMPORARY_KINDS = frozenset({"virtualmachines", "networkinterfaces", "networksecuritygroups", "disks"})


async def list_unneeded(azure: Azure, *, older_than_s: float = 0.0, pool: str | None = None) -> Table:
    """Return leftover resources and expired pools, one per row; nothing is changed.

    Parameters
    ----------
    azure
        The connection.
    older_than_s
        Omit younger leftover resources: somebody may be about to use them.
    pool
        Only what belongs to this pool; None: everything.
    """
    with read_cache.share_reads():
        (found, leftovers), (expired, next_expiry) = await concurrency.gather(
            find_leftovers(azure, older_than_s=older_than_s, pool=pool), _read_expired(azure, pool)
        )
        stopped = await _find_stopped(azure, found, older_than_s, pool)
    rows = [*leftover_rows(leftovers), *map(_stopped_row, stopped)]
    return _cleanup_table(found, rows, expired, next_expiry)


async def delete_unneeded(
    azure: Azure, board: Board, *, older_than_s: float | None, consent: Consent, pool: str | None = None
) -> Table:
    """Delete leftover resources and expired pools.

    Parameters
    ----------
    azure, board
        The connection, and where progress is reported.
    older_than_s
        Omit younger leftover resources: somebody may be about to use them. None: keep what may belong to an image
        build that is running, and say so.
    consent
        Whether they may be deleted, and leftover resources also where not all of their users can be read.
    pool
        Only what belongs to this pool; None: everything.

    Returns
    -------
    Table
        One row per resource and pool, with its action.

    Raises
    ------
    ConflictError
        Not all users of the leftover resources can be read. Nothing was deleted.
    """
    with read_cache.share_reads():
        (found, leftovers), (expired, next_expiry) = await concurrency.gather(
            find_leftovers(azure, older_than_s=older_than_s or 0.0, pool=pool), _read_expired(azure, pool)
        )
        # A run that is not over may have stopped a VM just now.
        stopped = await _find_stopped(azure, found, SAFE_AGE_S if older_than_s is None else older_than_s, pool)
    leftovers, young = (leftovers, []) if older_than_s is not None else await _split_young(azure, leftovers)
    if leftovers:
        delete.raise_if_unchecked(found, blindly=consent.yes or consent.shows_only)
    rows, kept, started = leftover_rows(leftovers), _kept_rows(young), [_stopped_row(one) for one in stopped]
    if consent.shows_only:
        for row in (*rows, *expired):
            row["action"] = "would delete"
        for row in started:
            row["action"] = "would change"
        rows += started
        return consent.captioned(_cleanup_table(found, [*rows, *kept], expired, next_expiry, len(kept)))
    await concurrency.gather(*(_start_vm(azure, one, row) for one, row in zip(stopped, started, strict=True)))
    await concurrency.gather(*(_delete_pool(azure, board, row) for row in expired))
    deletion = Deletion(None, tuple(document for document, _ in leftovers), found.unreadable_text)
    try:
        deleted = await delete.delete_resources(azure, deletion, board, what="leftover resources", dry_run=False)
    except BatchImgError as error:
        if error.table is not None:
            rows = [*_with_results(rows, error.table), *started]
            error.table = _cleanup_table(found, [*rows, *kept], expired, next_expiry, len(kept))
        raise
    rows = [*_with_results(rows, deleted), *started, *kept]
    return _cleanup_table(found, rows, expired, next_expiry, len(kept))


async def _split_young(
    azure: Azure, leftovers: list[tuple[Json, str]]
) -> tuple[list[tuple[Json, str]], list[tuple[Json, str]]]:
    created = await resource_ages.read_creation_times(azure, (document for document, _ in leftovers))
    return resource_ages.split_young(leftovers, created, azure.now() - SAFE_AGE_S)


def _kept_rows(young: list[tuple[Json, str]]) -> list[dict[str, Any]]:
    """Return the rows of leftover resources that are not deleted because of their age."""
    detail = f"a build of this image may be running: it or another part is younger than {SAFE_AGE_S / 3600:.0f} h"
    return [row | {"action": "kept", "detail": detail} for row in leftover_rows(young)]


def _with_results(rows: list[dict[str, Any]], deleted: Table) -> list[dict[str, Any]]:
    """Return rows with the results of the deletion."""
    results = {row["id"].lower(): row for row in deleted.rows()}
    return [row | {key: results[row["id"].lower()][key] for key in ("action", "seconds", "detail")} for row in rows]


def _cleanup_table(
    found: Inventory,
    leftovers: list[dict[str, Any]],
    expired: list[dict[str, Any]],
    next_expiry: dt.datetime | None,
    kept: int = 0,
) -> Table:
    done = [row for row in (*leftovers, *expired) if row.get("action") == "deleted"]
    stopped = sum(row["kind"] == STOPPED_VM for row in leftovers)
    text = f"leftover resources: {len(leftovers) - stopped}; expired pools: {len(expired)}"
    if stopped:
        text += f"; VMs that were stopped for a copy and not started again: {stopped}"
    if next_expiry is not None:
        text += f"; the next pool expires at {expiry.format_tag_time(next_expiry)}"
    if done:
        text += f"; deleted: {len(done)}"
    if kept:
        text += f"; kept, since younger than {SAFE_AGE_S / 3600:.0f} h: {kept} (--older-than 0s deletes them)"
    return Table.from_rows(
        "cleanup",
        [*leftovers, *expired],
        f"{text}; {found.unreadable_text}" if found.unreadable else text,
        unreadable=found.unreadable,
    )


async def _find_stopped(azure: Azure, found: Inventory, older_than_s: float, pool: str | None) -> list[StoppedVm]:
    """Return the VMs that this tool stopped long ago and did not start again."""
    stopped = await stopped_vms.find_stopped(azure, found.machines, pool)
    return [one for one in stopped if one.changed_at is None or one.changed_at <= azure.now() - older_than_s]


def _stopped_row(vm: StoppedVm) -> dict[str, Any]:
    return {
        "resource": vm.id.name,
        "kind": STOPPED_VM,
        "type": "VM",
        "pool": vm.pool,
        "why": "it was stopped for a copy, and the run that would start it again was interrupted; --delete starts it",
        "region": region_key(vm.region),
        "id": str(vm.id),
    }


async def _start_vm(azure: Azure, vm: StoppedVm, row: dict[str, Any]) -> None:
    """Start a VM and note the result in its row."""
    try:
        await stopped_vms.restart_vm(azure, vm.id, vm.pool)
    except BatchImgError as error:
        row |= {"action": "kept", "detail": f"it cannot be started: {error.message}"}
    else:
        row |= {"action": "changed", "detail": "it is started again"}


async def find_leftovers(
    azure: Azure, *, older_than_s: float = 0.0, pool: str | None = None
) -> tuple[Inventory, list[tuple[Json, str]]]:
    """Find leftover resources.

    Parameters
    ----------
    azure
        The connection.
    older_than_s
        Omit younger resources: somebody may be about to use them.
    pool
        Only what belongs to this pool; None: everything.

    Returns
    -------
    tuple
        The inventory, and the documents of the leftover resources with the reason of each.
    """
    found, existing = await concurrency.gather(inventory.read_inventory(azure), pools.read_all_cached(azure))
    leftovers = [
        (one, why)
        for one, why in _leftovers(azure, found, {str(pool["name"]).lower() for pool in existing})
        if pool is None or (tags.owner_pool(one) or "").lower() == pool.lower()
    ]
    if not older_than_s:
        return found, leftovers
    created = await resource_ages.read_creation_times(azure, (document for document, _ in leftovers))
    old = {key for key, moment in created.items() if moment.timestamp() <= azure.now() - older_than_s}
    return found, _old_enough(found, leftovers, old)


def _old_enough(found: Inventory, leftovers: list[tuple[Json, str]], old: set[str]) -> list[tuple[Json, str]]:
    """Return the leftovers that are old; a definition or gallery is as old as the youngest image in it."""
    for documents in (found.definitions, found.galleries):
        inside = [*found.versions, *found.definitions]
        for one in documents:
            within = {part["id"].lower() for part in inside if part["id"].lower().startswith(f"{one['id']}/".lower())}
            if within and within <= old:
                old.add(one["id"].lower())
            elif within:
                old.discard(one["id"].lower())
    return [(one, why) for one, why in leftovers if one["id"].lower() in old]


def _leftovers(azure: Azure, found: Inventory, pool_names: set[str]) -> Iterator[tuple[Json, str]]:
    usage, account = ResourceUsage(found, azure.scope.account_id), azure.scope.account
    tagged = [
        (document, pool)
        for document in found.all_resources
        if (pool := tags.owner_pool(document))
        and tags.is_tagged_for(document, pool, account)
        and delete.is_in_scope(azure, document)
    ]
    tagged_ids = {document["id"].lower() for document, _ in tagged}
    # An update keeps the version before it, for the way back.
    kept = {key for document, pool in tagged if pool.lower() in pool_names for key in _kept_until_end(azure, document)}
    for document, pool in tagged:
        kind = kind_of(document)
        # A temporary VM uses its disks, but nothing uses the VM.
        needed = any(user.id.lower() not in tagged_ids for user in usage.needed_by(document["id"]))
        if document["id"].lower() in kept or needed or (kind == "galleries/images" and pool.lower() in pool_names):
            kept.add(document["id"].lower())
        elif kind in _TEMPORARY_KINDS or dig(document, "tags", tags.TEMPORARY) is not None:
            yield document, "temporary resource of an image build"
        elif pool.lower() in pool_names:
            end = image_versions.end_of_life(document)
            yield document, f"pool {pool} uses another image{'' if end is None else f'; end of life {end:%Y-%m-%d}'}"
        else:
            yield document, f"there is no pool {pool}"
    for gallery in found.galleries:
        within = f"{gallery['id']}/images/".lower()
        inside = {one["id"].lower() for one in found.definitions if one["id"].lower().startswith(within)}
        if galleries.is_made_for_account(gallery, account) and inside <= tagged_ids - kept:
            yield gallery, "contains no image that a pool needs"


def _kept_until_end(azure: Azure, document: Json) -> list[str]:
    """Return the ids of a version with an end of life that is to come, and of what it was made from; else nothing."""
    end = image_versions.end_of_life(document)
    if end is None or end.timestamp() <= azure.now():
        return []
    return [str(document["id"]).lower(), *(one.lower() for one in source_ids(document))]


def leftover_rows(leftovers: list[tuple[Json, str]]) -> list[dict[str, Any]]:
    """Return one row per leftover resource."""
    return [
        {
            "resource": "/".join(name for _, name in ResourceId.parse(document["id"]).path),
            "kind": "leftover",
            "type": KINDS[kind_of(document)][0],
            "pool": tags.owner_pool(document),
            "why": why,
            "size_gib": _size_gib(document),
            "region": region_key(document["location"]),
            "created": resource_ages.created_at(document),
            "id": document["id"],
        }
        for document, why in leftovers
    ]


def _size_gib(document: Json) -> int | None:
    """Return the billed size: of a disk or snapshot, or of an image version's disks times its replicas."""
    props = document.get("properties") or {}
    if kind_of(document) != "galleries/images/versions":
        return int(props["diskSizeGB"]) if "diskSizeGB" in props else None
    storage = props.get("storageProfile") or {}
    disks = [storage.get("osDiskImage") or {}, *(storage.get("dataDiskImages") or [])]
    targets = dig(props, "publishingProfile", "targetRegions") or [{}]
    replicas = sum(int(one.get("regionalReplicaCount") or 1) for one in targets)
    return replicas * sum(int(disk.get("sizeInGB") or 0) for disk in disks)


def expiry_of(pool: Json) -> dt.datetime | None:
    """Return when a pool of this tool expires; None: never, or it is not a pool of this tool."""
    if pools.tag_of(pool, tags.POOL) is None:
        return None
    return expiry.expires_of(pool)


async def _read_expired(azure: Azure, only: str | None = None) -> tuple[list[dict[str, Any]], dt.datetime | None]:
    """Return the expired pools of this tool, one per row, and when the next one expires."""
    now = dt.datetime.fromtimestamp(azure.now(), dt.UTC)
    dated = [
        (pool, expires)
        for pool in await pools.read_all_cached(azure)
        if (expires := expiry_of(pool)) and (only is None or str(pool["name"]).lower() == only.lower())
    ]
    rows = await concurrency.gather(*(_expired_row(azure, pool, expires) for pool, expires in dated if expires <= now))
    return list(rows), min((expires for _, expires in dated if expires > now), default=None)


async def _expired_row(azure: Azure, pool: Json, expires: dt.datetime) -> dict[str, Any]:
    current = allocated_counts(pool)
    rates = await prices.read_pool_rates(azure, pool) if current.total else None
    return {
        "resource": str(pool["name"]),
        "kind": "expired pool",
        "type": "pool",
        "pool": str(pool["name"]),
        "why": _expired_text(pool, azure.now()),
        "nodes": current.total,
        "usd_per_hour": rates.known_cost(current.dedicated, current.spot) if rates else 0.0,
        "expired": expires,
        "id": pool["id"],
    }


def _expired_text(pool: Json, now: float) -> str:
    """Return why an expired pool is listed, and why it may still have nodes."""
    text, evaluated = "the pool is past its expiry", expiry.evaluated_of(pool)
    if not allocated_counts(pool).total:
        return text
    if evaluated is None:
        return f"{text}, and no formula removes its nodes"
    if expiry.is_evaluation_overdue(pool, now):
        return f"{text}, and Azure has not evaluated its formula since {format_time(evaluated)}"
    return text


async def _delete_pool(azure: Azure, board: Board, row: dict[str, Any]) -> None:
    """Delete an expired pool and note the result in its row."""
    name = row["pool"]
    board.begin(f"delete {name}", expected_s=pools.EXPECTED_S["delete pool"])
    await pools.delete(azure, name)
    row |= {"action": "deleted", "seconds": round(board.end(f"delete {name}"), 1)}
