"""Network interfaces of the VMs that this tool creates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import api_versions, pages, polling, resources
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.resource_ids import ResourceId


async def subnet_of(azure: Azure, vm: Json) -> str:
    """Return the id of the subnet that a VM's first network interface is in.

    Raises
    ------
    SpecError
        It has no network interface in a subnet.
    """
    interfaces = dig(vm, "properties", "networkProfile", "networkInterfaces") or []
    interfaces = sorted(interfaces, key=lambda one: not dig(one, "properties", "primary"))
    for interface in interfaces[:1]:
        found = await resources.read(azure, interface["id"])
        subnet = dig(found, "properties", "ipConfigurations", 0, "properties", "subnet", "id")
        if subnet:
            return str(subnet)
    raise SpecError(
        f"VM {vm['name']!r} is in no subnet, and its temporary copy needs one",
        hint="add a network interface to it; or generalize it and add --generalized; or add --capture in-place --yes",
    )


async def list_interfaces(azure: Azure, group: str = "") -> list[Json]:
    """Return the network interfaces of a resource group, by its id; empty: of the connection's."""
    top = group or azure.scope.account_id.group
    url = f"{top}/providers/Microsoft.Network/networkInterfaces?api-version={api_versions.NETWORK}"
    return await pages.read_all(azure, url)


async def delete_interface(azure: Azure, interface: ResourceId) -> None:
    """Delete a network interface and wait until it is deleted."""
    what = f"network interface {interface.name}"
    await polling.delete_by_id(azure, interface, api_versions.NETWORK, what=what)
