"""How to log in to a VM: its address, port and user, the line that does it, and what to do there.

Network resources are asked for by their ids: none of the SDKs in use has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core import machines, vms
from batchimg_magics.core.azure import dig
from batchimg_magics.core.tables import Table
from batchimg_magics.core.throwaways import NETWORK_API_VERSION
from batchimg_magics.errors import NotFoundError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure import Azure, Json

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
    vm = await vms.find(azure, name)
    windows = str(dig(vm, "properties", "storageProfile", "osDisk", "osType")).lower() == "windows"
    public, private = await _addresses(azure, vm)
    address, user = public or private, dig(vm, "properties", "osProfile", "adminUsername")
    port = RDP_PORT if windows else SSH_PORT
    line = None
    if address:
        line = f"mstsc /v:{address}:{port}" if windows else f"ssh {user}@{address}" if user else f"ssh {address}"
    row = {
        "vm": vm["name"],
        "os": "Windows" if windows else "Linux",
        "power": machines.power(vm) or None,
        "protocol": "RDP" if windows else "SSH",
        "address": address,
        "public": bool(public) if address else None,
        "port": port,
        "user": user,
        "line": line,
        "next": _next(vm, windows=windows, reached=bool(public)),
    }
    return Table.of("vm login", [row], f"VM {vm['name']}: {line or 'it has no address'}")


async def _addresses(azure: Azure, vm: Json) -> tuple[str | None, str | None]:
    """Return a VM's public and private address, as far as it has them and they may be read."""
    nic = await _read(azure, _first(dig(vm, "properties", "networkProfile", "networkInterfaces")))
    configuration = _first(dig(nic, "properties", "ipConfigurations"))
    address = await _read(azure, dig(configuration, "properties", "publicIPAddress"))
    return dig(address, "properties", "ipAddress"), dig(configuration, "properties", "privateIPAddress")


def _first(listed: list[Json] | None) -> Json | None:
    """Return the primary one of a list; where none says that it is, the first."""
    found = listed or []
    return next((one for one in found if dig(one, "properties", "primary")), found[0] if found else None)


async def _read(azure: Azure, reference: Json | None) -> Json | None:
    if reference is None or "id" not in reference:
        return None
    try:
        answer = await azure.get(f"{ResourceId.parse(reference['id'])}?api-version={NETWORK_API_VERSION}")
    except NotFoundError:
        return None
    found: Json = answer.json()
    return found


def _next(vm: Json, *, windows: bool, reached: bool) -> str:
    """Say what to do now. Source: source document, Prepare a VM; FACTS 1.3 and 1.10."""
    if machines.generalized(vm):
        return "Azure marks it generalized, so it starts no more: make the pool of it, or make a VM of its image"
    if machines.power(vm) != "running":
        return f"start it first: az vm start --ids {vm['id']}"
    way = "" if reached else "no public address: go there from its network (VPN, Bastion, another VM); "
    disks = "format and mount its data disks, " if dig(vm, "properties", "storageProfile", "dataDisks") else ""
    keep = "leave drive D: as it is" if windows else "leave the temporary disk (/mnt) as it is"
    return (
        f"{way}install the software, copy the data, {disks}use no Azure extensions, {keep}; "
        f"then %batchimg create POOL --from-vm {vm['name']} --vm-size SIZE"
    )
