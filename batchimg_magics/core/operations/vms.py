"""`vms`: the VMs of the subscription as image sources, and how to log in to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import resources
from batchimg_magics.core.azure.documents import Json, dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.login_lines import rdp_line, ssh_line
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch.vm_size_names import canonical_size
from batchimg_magics.core.compute import virtual_machines, vm_address
from batchimg_magics.core.compute.virtual_machines import source_of_vm
from batchimg_magics.core.images.stopped_vms import stopped_text
from batchimg_magics.pool_spec.line import magic_word, shell_word
from batchimg_magics.resource_ids import ResourceId, compute_list

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.compute.vm_address import VmAddress

#: The number of VMs that are read at the same time.
AT_ONCE = 16


async def list_vms(azure: Azure) -> Table:
    """Return the VMs of the subscription, one per row."""
    listed, all_disks = await concurrency.gather(
        resources.read_list(azure, compute_list(azure.scope.subscription, "virtualMachines")),
        resources.read_list(azure, compute_list(azure.scope.subscription, "disks")),
    )
    by_id = {disk["id"].lower(): disk for disk in all_disks}
    stopped: list[str] = []

    async def row(listed_vm: Json) -> dict[str, Any] | None:
        found = await virtual_machines.read(azure, ResourceId.parse(listed_vm["id"]))
        if found and (text := stopped_text(found)):
            stopped.append(text)
        return _row(found, by_id) if found else None  # None: it was deleted meanwhile

    rows = [found for found in await concurrency.gather(*(row(vm) for vm in listed), limit=AT_ONCE) if found]
    ready = sum(1 for found in rows if found["generalized"])
    return Table.from_rows("vms", rows, "; ".join([f"VMs: {len(rows)}, generalized: {ready}", *stopped]))


def _row(vm: Json, by_id: dict[str, Json]) -> dict[str, Any]:
    storage = vm["properties"]["storageProfile"]
    # Azure omits the disk sizes of a deallocated VM: read them from the disks.
    attached = [
        (disk, by_id.get(str(dig(disk, "managedDisk", "id")).lower(), {}))
        for disk in (storage["osDisk"], *(storage.get("dataDisks") or []))
    ]
    sizes = [disk.get("diskSizeGB") or dig(resource, "properties", "diskSizeGB") for disk, resource in attached]
    source = source_of_vm(vm, attached[0][1])
    return {
        "vm": vm["name"],
        "resource_group": ResourceId.parse(vm["id"]).resource_group,
        "region": source.region,
        "vm_size": canonical_size(str(dig(vm, "properties", "hardwareProfile", "vmSize"))),
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


SSH_PORT, RDP_PORT = 22, 3389


async def show_login(azure: Azure, name: str) -> Table:
    """Return how to log in to a VM, in one row.

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
    """
    vm = await virtual_machines.find_vm(azure, name)
    windows = str(dig(vm, "properties", "storageProfile", "osDisk", "osType")).lower() == "windows"
    address = await vm_address.read_address(azure, vm, RDP_PORT if windows else SSH_PORT)
    user = dig(vm, "properties", "osProfile", "adminUsername")
    command = _login_command(address, user, windows=windows) if address.address else None
    unread = ", ".join(f"{what} ({why})" for what, why in address.unread.items())
    row = {
        "vm": vm["name"],
        "os": "Windows" if windows else "Linux",
        "power": virtual_machines.power(vm) or None,
        "protocol": "RDP" if windows else "SSH",
        "address": address.address,
        "public": address.public,
        "port": address.port,
        "user": user,
        "command": command,
        "unread": unread or None,
        "next": _next_step_text(
            vm, windows=windows, private=address.public is False or not (address.address or unread)
        ),
    }
    denied = f"; could not read {unread}" if unread else ""
    return Table.from_rows("vm login", [row], f"VM {vm['name']}: {command or 'no known address'}{denied}")


def _login_command(address: VmAddress, user: str | None, *, windows: bool) -> str:
    """Return the command for a terminal."""
    if windows:
        return rdp_line(address.address, address.port)
    return ssh_line(user or "", address.address, None if address.port == SSH_PORT else address.port)


def _next_step_text(vm: Json, *, windows: bool, private: bool) -> str:
    """Return the next step as text. Source: source document, Prepare a VM."""
    if virtual_machines.is_generalized(vm):
        return "the VM is generalized and cannot be started: create the pool from it, or a VM from its image"
    if virtual_machines.power(vm) != "running":
        return f"start the VM first: az vm start --ids {shell_word(vm['id'])}"
    access = "no public address: connect from its network (VPN, Bastion, another VM); " if private else ""
    disks = "format and mount its data disks, " if dig(vm, "properties", "storageProfile", "dataDisks") else ""
    keep = "do not change drive D:" if windows else "do not change the temporary disk (/mnt)"
    # Generalizing removes the admin account with its home directory, and tasks run as another user.
    where = "" if windows else " below /opt or on a data disk, not in your home directory (it is removed)"
    return (
        f"{access}install the software and copy the data{where}, {disks}do not install VM extensions, {keep}; "
        f"then %batchimg create POOL --from-vm {magic_word(vm['name'])} --vm-size SIZE"
    )
