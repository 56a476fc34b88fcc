"""How to log in to a VM: its address, port and user, the line that does it, and what to do there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.compute import virtual_machines, vm_address

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.vm_address import Door

SSH_PORT, RDP_PORT = 22, 3389


async def table(azure: Azure, name: str) -> Table:
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
    vm = await virtual_machines.find(azure, name)
    windows = str(dig(vm, "properties", "storageProfile", "osDisk", "osType")).lower() == "windows"
    door = await vm_address.of_vm(azure, vm, RDP_PORT if windows else SSH_PORT)
    user = dig(vm, "properties", "osProfile", "adminUsername")
    line = _line(door, user, windows=windows) if door.address else None
    unread = ", ".join(f"{what} ({why})" for what, why in door.unread.items())
    row = {
        "vm": vm["name"],
        "os": "Windows" if windows else "Linux",
        "power": virtual_machines.power(vm) or None,
        "protocol": "RDP" if windows else "SSH",
        "address": door.address,
        "public": door.public,
        "port": door.port,
        "user": user,
        "line": line,
        "unread": unread or None,
        "next": _next(vm, windows=windows, inside=door.public is False or not (door.address or unread)),
    }
    barred = f"; could not read {unread}" if unread else ""
    return Table.of("vm login", [row], f"VM {vm['name']}: {line or 'no address is known'}{barred}")


def _line(door: Door, user: str | None, *, windows: bool) -> str:
    """Return what to type in a terminal."""
    if windows:
        return f"mstsc /v:{door.address}:{door.port}"
    port = "" if door.port == SSH_PORT else f"-p {door.port} "
    return f"ssh {port}{f'{user}@' if user else ''}{door.address}"


def _next(vm: Json, *, windows: bool, inside: bool) -> str:
    """Say what to do now. Source: source document, Prepare a VM; FACTS 1.3 and 1.10."""
    if virtual_machines.generalized(vm):
        return "Azure marks it generalized, so it starts no more: make the pool of it, or make a VM of its image"
    if virtual_machines.power(vm) != "running":
        return f"start it first: az vm start --ids {vm['id']}"
    way = "no public address: go there from its network (VPN, Bastion, another VM); " if inside else ""
    disks = "format and mount its data disks, " if dig(vm, "properties", "storageProfile", "dataDisks") else ""
    keep = "leave drive D: as it is" if windows else "leave the temporary disk (/mnt) as it is"
    return (
        f"{way}install the software, copy the data, {disks}use no Azure extensions, {keep}; "
        f"then %batchimg create POOL --from-vm {vm['name']} --vm-size SIZE"
    )
