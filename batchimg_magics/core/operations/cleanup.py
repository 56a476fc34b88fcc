"""What bears our marks and no pool needs: it costs money, and nobody would miss it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, parse_time, region_key
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


#: Kinds that no image is.
_TEMPORARY_KINDS = frozenset({"virtualmachines", "networkinterfaces", "disks"})


async def find_leftovers(azure: Azure, *, older_than_s: float = 0.0) -> tuple[Inventory, list[tuple[Json, str]]]:
    """Find what no pool needs.

    Parameters
    ----------
    azure
        Where.
    older_than_s
        Leave out what is younger: somebody may be about to use it.

    Returns
    -------
    tuple
        What was looked at, and the documents of orphans with why they are.
    """
    found, there = await concurrency.gather(inventory.read_inventory(azure), pools.read_all(azure))
    leftovers = list(_leftovers(azure, found, {str(pool["name"]).lower() for pool in there}))
    return found, (_old_enough(found, leftovers, azure.now() - older_than_s) if older_than_s else leftovers)


def _old_enough(found: Inventory, leftovers: list[tuple[Json, str]], latest: float) -> list[tuple[Json, str]]:
    """Return the orphans that are no younger than a moment; what tells no age is as old as what is in it."""
    old = {one["id"].lower() for one, _ in leftovers if (made := created_at(one)) and made.timestamp() <= latest}
    for documents in (found.definitions, found.galleries):
        inside = [*found.versions, *found.definitions]
        for one in documents:
            within = {part["id"].lower() for part in inside if part["id"].lower().startswith(f"{one['id']}/".lower())}
            if within and within <= old:
                old.add(one["id"].lower())
    return [(one, why) for one, why in leftovers if one["id"].lower() in old]


def _leftovers(azure: Azure, found: Inventory, there: set[str]) -> Iterator[tuple[Json, str]]:
    usage, account = ResourceUsage(found, azure.scope.account_id), azure.scope.account
    ours = [
        (document, pool)
        for document in found.all_resources
        if (pool := tags.owner_pool(document))
        and tags.is_tagged_for(document, pool, account)
        and delete.is_in_scope(azure, document)
    ]
    going = {document["id"].lower() for document, _ in ours}
    kept: set[str] = set()
    for document, pool in ours:
        kind = kind_of(document)
        # A throwaway VM needs its disks, and nobody needs the VM.
        needed = any(user.id.lower() not in going for user in usage.needed_by(document["id"]))
        if needed or (kind == "galleries/images" and pool.lower() in there):
            kept.add(document["id"].lower())
        elif kind in _TEMPORARY_KINDS or dig(document, "tags", tags.TEMPORARY) is not None:
            yield document, "was made on the way to an image"
        elif pool.lower() in there:
            yield document, f"pool {pool} uses another image"
        else:
            yield document, f"there is no pool {pool}"
    for gallery in found.galleries:
        within = f"{gallery['id']}/images/".lower()
        inside = {one["id"].lower() for one in found.definitions if one["id"].lower().startswith(within)}
        if galleries.is_made_for_account(gallery, account) and inside <= going - kept:
            yield gallery, "holds no image that a pool needs"


def created_at(document: Json) -> dt.datetime | None:
    """Return when a resource was made, where its document tells."""
    props = document["properties"]
    text: str | None = props.get("timeCreated") or dig(props, "publishingProfile", "publishedDate")
    return parse_time(text)


def leftover_rows(leftovers: list[tuple[Json, str]]) -> list[dict[str, Any]]:
    """Return orphans, one a row."""
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
    """Return what is paid for: a disk's or a snapshot's size, a version's disks times its replicas."""
    props = document["properties"]
    if kind_of(document) != "galleries/images/versions":
        return int(props["diskSizeGB"]) if "diskSizeGB" in props else None
    storage = props.get("storageProfile") or {}
    disks = [storage.get("osDiskImage") or {}, *(storage.get("dataDiskImages") or [])]
    targets = dig(props, "publishingProfile", "targetRegions") or [{}]
    replicas = sum(int(one.get("regionalReplicaCount") or 1) for one in targets)
    return replicas * sum(int(disk.get("sizeInGB") or 0) for disk in disks)


async def list_leftovers(azure: Azure, *, older_than_s: float = 0.0) -> Table:
    """Return what no pool needs, one a row."""
    found, leftovers = await find_leftovers(azure, older_than_s=older_than_s)
    text = f"resources with this tool's marks that no pool needs: {len(leftovers)}"
    return Table.from_rows(
        "orphans",
        leftover_rows(leftovers),
        f"{text}; {found.unreadable_text}" if found.unreadable else text,
        unreadable=found.unreadable,
    )


async def read_leftovers_deletion(azure: Azure, *, older_than_s: float, blindly: bool) -> Deletion:
    """Return what no pool needs, to be deleted.

    Raises
    ------
    ConflictError
        Not all that might use it could be looked at.
    """
    found, leftovers = await find_leftovers(azure, older_than_s=older_than_s)
    if leftovers:
        delete.raise_if_unchecked(found, blindly=blindly)
    return Deletion(None, tuple(document for document, _ in leftovers), found.unreadable_text)


def expiry_of(pool: Json) -> dt.datetime | None:
    """Return when a pool of ours expires; None: never, or it is not ours."""
    if pools.tag_of(pool, tags.POOL) is None:
        return None
    return expiry.parse_tag_time(pools.tag_of(pool, tags.EXPIRES))


async def delete_expired_pools(azure: Azure, board: Board, *, dry_run: bool) -> Table:
    """Delete the pools of ours that are past their expiry; one row each."""
    now = dt.datetime.fromtimestamp(azure.now(), dt.UTC)
    dated = [(pool, moment) for pool in await pools.read_all(azure) if (moment := expiry_of(pool))]
    overdue = [(pool, moment) for pool, moment in dated if moment <= now]
    rows = await concurrency.gather(
        *(_delete_if_expired(azure, board, pool, moment, dry_run=dry_run) for pool, moment in overdue)
    )
    later = sorted(moment for _, moment in dated if moment > now)
    following = f"; the next expires at {expiry.format_tag_time(later[0])}" if later else ""
    return Table.from_rows(
        "reap", rows, f"pools past their expiry in account {azure.scope.account}: {len(rows)}{following}"
    )


async def _delete_if_expired(
    azure: Azure, board: Board, pool: Json, moment: dt.datetime, *, dry_run: bool
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
        "expired": moment,
        "nodes": current.total,
        "usd_per_hour": rates.cost(current.dedicated, current.spot) if rates else 0.0,
        "seconds": seconds,
        "id": pool["id"],
    }
