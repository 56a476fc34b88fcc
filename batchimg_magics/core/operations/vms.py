"""VMs and their disks, as sources of images."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import Json, dig, document
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.compute import virtual_machines
from batchimg_magics.core.compute.virtual_machines import find, source, source_of
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.compute.image_source import Source

#: How many VMs are asked about at once.
AT_ONCE = 16


async def read(azure: Azure, name: str) -> Source:
    """Read a VM and its OS disk, as `find` finds it.

    Raises
    ------
    NotFoundError
        There is no such VM, or its OS disk is gone.
    SpecError
        An id that is not a VM's.
    """
    return await source(azure, await find(azure, name))


async def table(azure: Azure) -> Table:
    """Return the VMs of the subscription, one a row."""
    listed, every = await concurrency.together(
        azure.listed(azure.compute.virtual_machines.list_all()), azure.listed(azure.compute.disks.list())
    )
    by_id = {disk["id"].lower(): disk for disk in every}
    gate = asyncio.Semaphore(AT_ONCE)

    async def row(listed_vm: Json) -> dict[str, Any] | None:
        where = ResourceId.parse(listed_vm["id"])
        async with gate:
            call = azure.compute.virtual_machines.get(where.resource_group, where.name, expand="instanceView")
            found = await azure.find(call)
        return _row(document(found), by_id) if found else None  # none: it was deleted while we looked

    rows = [found for found in await concurrency.together(*(row(vm) for vm in listed)) if found]
    ready = sum(1 for found in rows if found["generalized"])
    return Table.of("vms", rows, f"VMs: {len(rows)}, of them generalized: {ready}")


def _row(vm: Json, by_id: dict[str, Json]) -> dict[str, Any]:
    storage = vm["properties"]["storageProfile"]
    # Azure leaves the sizes out of a deallocated VM: the disks tell them.
    attached = [
        (disk, by_id.get(str(dig(disk, "managedDisk", "id")).lower(), {}))
        for disk in (storage["osDisk"], *(storage.get("dataDisks") or []))
    ]
    sizes = [disk.get("diskSizeGB") or dig(resource, "properties", "diskSizeGB") for disk, resource in attached]
    source = source_of(vm, attached[0][1])
    return {
        "vm": vm["name"],
        "resource_group": ResourceId.parse(vm["id"]).resource_group,
        "region": source.region,
        "vm_size": dig(vm, "properties", "hardwareProfile", "vmSize"),
        "os": source.os_type,
        "image": ":".join(source.marketplace) if source.marketplace else None,
        "power": virtual_machines.power(vm) or None,
        "generalized": source.generalized,
        "generation": source.generation,
        "security": source.security_type,
        "data_disks": len(storage.get("dataDisks") or []),
        "disks_gib": None if None in sizes else sum(sizes),
        "id": vm["id"],
    }
