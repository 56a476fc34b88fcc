"""`images`: the images of the subscription, their sources and their users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, parse_time, region_key
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.compute import galleries, image_versions
from batchimg_magics.core.compute.lineage import source_ids
from batchimg_magics.core.estimates import storage_prices
from batchimg_magics.core.images import inventory
from batchimg_magics.core.images.usage import ResourceUsage
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.images.inventory import Inventory


async def list_images(azure: Azure, *, with_sources: bool = False) -> Table:
    """Return the images of the subscription, one per row, with image definitions that have no version.

    Parameters
    ----------
    azure
        The connection.
    with_sources
        Whether to add rows for their sources: snapshots and disks that an image uses or that have ownership tags.
    """
    found = await inventory.read_inventory(azure)
    usage = ResourceUsage(found, azure.scope.account_id)
    rows = [*_gallery_rows(found), *(_managed_image_row(one) for one in found.managed_images)]
    if with_sources:
        used_ids = {
            source.lower()
            for one in (*found.versions, *found.managed_images, *found.snapshots)
            for source in source_ids(one)
        }
        candidates = [*found.snapshots, *found.disks]
        rows += [_source(one) for one in candidates if one["id"].lower() in used_ids or tags.owner_pool(one)]
    stored = (*found.versions, *found.managed_images, *found.snapshots, *found.disks)
    documents = {one["id"].lower(): one for one in stored}
    for row in rows:
        if (document := documents.get(row["id"].lower())) is not None:
            row["size_gib"] = storage_prices.size_gib(document)
            row["usd_per_month"] = await storage_prices.usd_per_month(azure, document)
        row["used_by"] = ", ".join(user.name for user in usage.users_of(row["id"])) or None
    caption = f"images: {len([*found.versions, *found.managed_images])}{_cost_text(rows)}"
    return Table.from_rows(
        "images",
        rows,
        f"{caption}; {found.unreadable_text}" if found.unreadable else caption,
        unreadable=found.unreadable,
    )


def _cost_text(rows: list[dict[str, Any]]) -> str:
    """Return the cost of the shown images and sources per month, and what is not in it."""
    stored = [row for row in rows if row["kind"] != "definition"]
    known = [row["usd_per_month"] for row in stored if row.get("usd_per_month") is not None]
    if not stored:
        return ""
    unknown = len(stored) - len(known)
    text = f"; up to ${sum(known):,.2f} a month for the replicas of versions, images, snapshots and disks shown"
    return f"{text}, without {unknown} of unknown size or price" if unknown else text


def _source_names(document: Json) -> str | None:
    return ", ".join(source.rpartition("/")[2] for source in source_ids(document)) or None


def _gallery_rows(found: Inventory) -> Iterator[dict[str, Any]]:
    for definition in found.definitions:
        within = f"{definition['id']}/versions/".lower()
        versions = [one for one in found.versions if one["id"].lower().startswith(within)]
        for version in versions or [{}]:
            yield _version_row(definition, version)


def _version_row(definition: Json, version: Json) -> dict[str, Any]:
    where = ResourceId.parse(definition["id"])
    profile = dig(version, "properties", "publishingProfile") or {}
    found = version or definition
    row = {
        "image": where.name,
        "kind": "version" if version else "definition",
        "version": version.get("name"),
        "gallery": where.path[0][1],
        "pool": tags.owner_pool(found),
        "state": dig(found, "properties", "provisioningState"),
        "os": dig(definition, "properties", "osType"),
        "generation": dig(definition, "properties", "hyperVGeneration"),
        "security": galleries.security_of(definition),
        "published": image_versions.published_at(version) if version else None,
        "end_of_life": image_versions.end_of_life(version) if version else None,
        "id": found["id"],
    }
    if version:
        targets = profile.get("targetRegions") or []
        row["regions"] = ", ".join(f"{region_key(one['name'])}={one.get('regionalReplicaCount', 1)}" for one in targets)
        row["made_from"] = _source_names(version)
    return row


def _managed_image_row(image: Json) -> dict[str, Any]:
    props = image["properties"]
    return {
        "image": image["name"],
        "kind": "managed image",
        "pool": tags.owner_pool(image),
        "state": props.get("provisioningState"),
        "os": dig(props, "storageProfile", "osDisk", "osType"),
        "generation": props.get("hyperVGeneration"),
        "security": "Standard",  # a managed image has no other security type
        "regions": region_key(image["location"]),
        "made_from": _source_names(image),
        "id": image["id"],
    }


def _source(disk: Json) -> dict[str, Any]:
    props = disk["properties"]
    created = props.get("timeCreated")
    return {
        "image": disk["name"],
        "kind": "snapshot" if "/snapshots/" in disk["id"].lower() else "disk",
        "pool": tags.owner_pool(disk),
        "state": props.get("provisioningState"),
        "os": props.get("osType"),
        "generation": props.get("hyperVGeneration"),
        "security": dig(props, "securityProfile", "securityType"),
        "regions": region_key(disk["location"]),
        "made_from": _source_names(disk),
        "published": parse_time(created),
        "id": disk["id"],
    }
