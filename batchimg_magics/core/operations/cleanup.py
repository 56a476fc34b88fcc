"""Leftover resources: created by this tool, and not needed by any pool. They cost money."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import allocated_counts
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.core.compute import galleries
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.images import inventory
from batchimg_magics.core.images.usage import ResourceUsage
from batchimg_magics.core.operations import delete
from batchimg_magics.core.operations.delete import KINDS, Deletion, kind_of
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.images.inventory import Inventory


#: Kinds of temporary resources, which are never part of an image.
_TEMPORARY_KINDS = frozenset({"virtualmachines", "networkinterfaces", "disks"})


async def find_leftovers(azure: Azure, *, older_than_s: float = 0.0) -> tuple[Inventory, list[tuple[Json, str]]]:
    """Find leftover resources.

    Parameters
    ----------
    azure
        The connection.
    older_than_s
        Omit younger resources: somebody may be about to use them.

    Returns
    -------
    tuple
        The inventory, and the documents of the leftover resources with the reason of each.
    """
    found, existing = await concurrency.gather(inventory.read_inventory(azure), pools.read_all(azure))
    leftovers = list(_leftovers(azure, found, {str(pool["name"]).lower() for pool in existing}))
    return found, (_old_enough(found, leftovers, azure.now() - older_than_s) if older_than_s else leftovers)


def _old_enough(found: Inventory, leftovers: list[tuple[Json, str]], latest: float) -> list[tuple[Json, str]]:
    """Return the leftovers created by a time; a definition or gallery is as old as the youngest image in it."""
    old = {one["id"].lower() for one, _ in leftovers if (created := created_at(one)) and created.timestamp() <= latest}
    for documents in (found.definitions, found.galleries):
        inside = [*found.versions, *found.definitions]
        for one in documents:
            within = {part["id"].lower() for part in inside if part["id"].lower().startswith(f"{one['id']}/".lower())}
            if within and within <= old:
                old.add(one["id"].lower())
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
    kept: set[str] = set()
    for document, pool in tagged:
        kind = kind_of(document)
        # A temporary VM uses its disks, but nothing uses the VM.
        needed = any(user.id.lower() not in tagged_ids for user in usage.needed_by(document["id"]))
        if needed or (kind == "galleries/images" and pool.lower() in pool_names):
            kept.add(document["id"].lower())
        elif kind in _TEMPORARY_KINDS or dig(document, "tags", tags.TEMPORARY) is not None:
            yield document, "temporary resource of an image build"
        elif pool.lower() in pool_names:
            yield document, f"pool {pool} uses another image"
        else:
            yield document, f"there is no pool {pool}"
    for gallery in found.galleries:
        within = f"{gallery['id']}/images/".lower()
        inside = {one["id"].lower() for one in found.definitions if one["id"].lower().startswith(within)}
        if galleries.is_made_for_account(gallery, account) and inside <= tagged_ids - kept:
            yield gallery, "contains no image that a pool needs"


def created_at(document: Json) -> dt.datetime | None:
    """Return when a resource was created; None if its document does not have the time."""
    props = document["properties"]
    text = props.get("timeCreated") or dig(props, "publishingProfile", "publishedDate")
    return dt.datetime.fromisoformat(text) if text else None


def leftover_rows(leftovers: list[tuple[Json, str]]) -> list[dict[str, Any]]:
    """Return one row per leftover resource."""
    return [
        {
            "resource": "/".join(name for _, name in ResourceId.parse(document["id"]).path),
            "kind": KINDS[kind_of(document)][0],
            "pool": tags.owner_pool(document),
            "why": why,
            "size_gib": _size_gib(document),
            "region": region_key(document["location"]),
            "created": created_at(document),
            "id": document["id"],
        }
        for document, why in leftovers
    ]


def _size_gib(document: Json) -> int | None:
    """Return the billed size: of a disk or snapshot, or of an image version's disks times its replicas."""
    props = document["properties"]
    if kind_of(document) != "galleries/images/versions":
        return int(props["diskSizeGB"]) if "diskSizeGB" in props else None
    storage = props.get("storageProfile") or {}
    disks = [storage.get("osDiskImage") or {}, *(storage.get("dataDiskImages") or [])]
    targets = dig(props, "publishingProfile", "targetRegions") or [{}]
    replicas = sum(int(one.get("regionalReplicaCount") or 1) for one in targets)
    return replicas * sum(int(disk.get("sizeInGB") or 0) for disk in disks)


async def list_leftovers(azure: Azure, *, older_than_s: float = 0.0) -> Table:
    """Return the leftover resources, one per row."""
    found, leftovers = await find_leftovers(azure, older_than_s=older_than_s)
    text = f"leftover resources of this tool: {len(leftovers)}"
    return Table.from_rows(
        "orphans",
        leftover_rows(leftovers),
        f"{text}; {found.unreadable_text}" if found.unreadable else text,
        unreadable=found.unreadable,
    )


async def read_leftovers_deletion(azure: Azure, *, older_than_s: float, blindly: bool) -> Deletion:
    """Return the leftover resources as a deletion.

    Raises
    ------
    ConflictError
        Some resources that might use them could not be read.
    """
    found, leftovers = await find_leftovers(azure, older_than_s=older_than_s)
    if leftovers:
        delete.raise_if_unchecked(found, blindly=blindly)
    return Deletion(None, tuple(document for document, _ in leftovers), found.unreadable_text)


def expiry_of(pool: Json) -> dt.datetime | None:
    """Return when a pool of this tool expires; None: never, or it is not a pool of this tool."""
    if pools.tag_of(pool, tags.POOL) is None:
        return None
    return expiry.parse_tag_time(pools.tag_of(pool, tags.EXPIRES))


async def delete_expired_pools(azure: Azure, board: Board, *, dry_run: bool) -> Table:
    """Delete the expired pools of this tool; return one row each."""
    now = dt.datetime.fromtimestamp(azure.now(), dt.UTC)
    dated = [(pool, expires) for pool in await pools.read_all(azure) if (expires := expiry_of(pool))]
    overdue = [(pool, expires) for pool, expires in dated if expires <= now]
    rows = await concurrency.gather(
        *(_delete_if_expired(azure, board, pool, expires, dry_run=dry_run) for pool, expires in overdue)
    )
    later = sorted(expires for _, expires in dated if expires > now)
    following = f"; the next pool expires at {expiry.format_tag_time(later[0])}" if later else ""
    return Table.from_rows("reap", rows, f"expired pools in account {azure.scope.account}: {len(rows)}{following}")


async def _delete_if_expired(
    azure: Azure, board: Board, pool: Json, expires: dt.datetime, *, dry_run: bool
) -> dict[str, Any]:
    name, current = str(pool["name"]), allocated_counts(pool)
    rates = await prices.read_pool_rates(azure, pool) if current.total else None
    seconds = None
    if not dry_run:
        board.begin(f"delete {name}", expected_s=pools.EXPECTED_S["delete pool"])
        await pools.delete(azure, name)
        seconds = round(board.end(f"delete {name}"), 1)
    return {
        "pool": name,
        "action": "would delete" if dry_run else "deleted",
        "expired": expires,
        "nodes": current.total,
        "usd_per_hour": rates.cost(current.dedicated, current.spot) if rates else 0.0,
        "seconds": seconds,
        "id": pool["id"],
    }
