"""VMs and their disks, as sources of images."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import polling
from batchimg_magics.core.azure.client import Json, dig, document, region_key
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.compute import disks, lineage, virtual_machines
from batchimg_magics.core.compute.image_source import STANDARD, Disk, Source, controllers_of, plan_of
from batchimg_magics.errors import NotFoundError, SpecError
from batchimg_magics.resource_ids import ResourceId
from batchimg_magics.spec import closest

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure

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


async def find(azure: Azure, name: str) -> Json:
    """Return a VM's document, with how it is.

    Parameters
    ----------
    azure
        Where.
    name
        The VM's name in the connection's resource group, or its resource id.

    Raises
    ------
    NotFoundError
        There is no such VM.
    SpecError
        An id that is not a VM's.
    """
    target = ResourceId.parse(name) if "/" in name else azure.scope.compute_id(("virtualMachines", name))
    if target.type.lower() != "microsoft.compute/virtualmachines":
        raise SpecError(f"{name} is not a VM", hint="give a VM's name or its resource id")
    found = await virtual_machines.read(azure, target)
    if found is None:
        there = azure.compute_of(target).virtual_machines.list(target.resource_group)
        known = [vm["name"] for vm in await azure.listed(there)]
        raise NotFoundError(
            f"there is no VM {target.name!r} in resource group {target.resource_group!r}",
            hint=closest(target.name, known) or "`%batchimg vms` lists them",
            status_code=404,
        )
    return found


async def source(azure: Azure, vm: Json) -> Source:
    """Read off a VM's document, and its OS disk's, what an image of it will be.

    Raises
    ------
    NotFoundError
        Its OS disk is gone.
    """
    return source_of(vm, await _os_disk(azure, vm))


async def _os_disk(azure: Azure, vm: Json) -> Json:
    """Return the document of a VM's OS disk; empty where it is not managed."""
    disk_id = dig(vm, "properties", "storageProfile", "osDisk", "managedDisk", "id")
    if disk_id is None:
        return {}
    disk = ResourceId.parse(disk_id)
    found = await disks.seen(azure, disk)
    if found is None:
        raise NotFoundError(
            f"the OS disk of VM {vm['name']!r} is gone: {disk.name}",
            hint="a VM without its disk cannot be an image",
            status_code=404,
        )
    return found


def source_of(vm: Json, os_disk: Json) -> Source:
    """Read off a VM's and its OS disk's documents what an image of it will be."""
    props = vm["properties"]
    storage = props["storageProfile"]
    disks, unmanaged = _disks(storage)
    security = (
        dig(props, "securityProfile", "securityType") or dig(os_disk, "properties", "securityProfile", "securityType")
    ) or STANDARD
    return Source(
        id=vm["id"],
        unique_id=str(props.get("vmId", "")),
        region=region_key(vm["location"]),
        os_type=str(dig(storage, "osDisk", "osType") or dig(os_disk, "properties", "osType")),
        generation=_generation(props, os_disk),
        architecture=str(dig(os_disk, "properties", "supportedCapabilities", "architecture") or "x64"),
        security_type="ConfidentialVM" if security.lower().startswith("confidentialvm") else security,
        uefi=dig(props, "securityProfile", "uefiSettings"),
        marketplace=lineage.marketplace_of(vm) or lineage.marketplace_of(os_disk),
        generalized=virtual_machines.generalized(vm),
        disks=disks,
        unmanaged=unmanaged,
        plan=plan_of(vm, os_disk),
        controllers=controllers_of(os_disk),
    )


def _generation(props: Json, os_disk: Json) -> str:
    """Return the Hyper-V generation: the disk is the authority, a running VM tells it too, and V1 goes unsaid."""
    return str(dig(os_disk, "properties", "hyperVGeneration") or dig(props, "instanceView", "hyperVGeneration") or "V1")


def _disks(storage: Json) -> tuple[tuple[Disk, ...], tuple[str, ...]]:
    managed, unmanaged = [], []
    data = sorted(storage.get("dataDisks") or [], key=lambda disk: int(disk["lun"]))
    for disk in (storage["osDisk"], *data):
        if disk_id := dig(disk, "managedDisk", "id"):
            lun = None if disk is storage["osDisk"] else int(disk["lun"])
            managed.append(Disk(disk_id, lun, str(disk.get("caching") or "None")))
        else:
            unmanaged.append(str(disk.get("name")))
    return tuple(managed), tuple(unmanaged)


async def table(azure: Azure) -> Table:
    """Return the VMs of the subscription, one a row."""
    listed, every = await polling.together(
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

    rows = [found for found in await polling.together(*(row(vm) for vm in listed)) if found]
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
