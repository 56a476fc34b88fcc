"""What images there are, what they were made from and who uses them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from batchimg_magics.core import galleries, marks, pools
from batchimg_magics.core.azure import dig, region_key
from batchimg_magics.core.tables import Table
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure import Azure, Json


async def table(azure: Azure) -> Table:
    """Return the image versions in the subscription's galleries, one a row; a definition without any is one too."""
    there = asyncio.create_task(pools.listed(azure))
    rows: list[dict[str, Any]] = []
    for gallery in await azure.listed(azure.compute.galleries.list()):
        where = ResourceId.parse(gallery["id"])
        pages = azure.compute.gallery_images.list_by_gallery(where.resource_group, where.name)
        for definition in await azure.listed(pages):
            versions = await galleries.versions(azure, ResourceId.parse(definition["id"]))
            users = await there
            rows += [_row(definition, version, users) for version in versions or [{}]]
    return Table.of("images", rows, f"image versions: {len(rows)}")


def _row(definition: Json, version: Json, there: list[Json]) -> dict[str, Any]:
    where = ResourceId.parse(definition["id"])
    profile = dig(version, "properties", "publishingProfile") or {}
    found = version or definition
    row = {
        "image": where.name,
        "version": version.get("name"),
        "gallery": where.path[0][1],
        "pool": marks.owner(found),
        "used_by": ", ".join(pools.users(there, found["id"])) or None,
        "state": dig(found, "properties", "provisioningState"),
        "os": dig(definition, "properties", "osType"),
        "generation": dig(definition, "properties", "hyperVGeneration"),
        "security": galleries.security_of(definition),
        "published": galleries.published(version) if version else None,
        "id": found["id"],
    }
    if version:
        targets = profile.get("targetRegions") or []
        row["regions"] = ", ".join(f"{region_key(one['name'])}={one.get('regionalReplicaCount', 1)}" for one in targets)
        row["snapshots"] = ", ".join(key.rpartition("/")[2] for key in galleries.sources_of(version)) or None
    return row
