"""Subnets: whether machines without a public address have a way out, and which service a subnet is delegated to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import resources
from batchimg_magics.core.azure.documents import dig

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json


async def read_subnet(azure: Azure, subnet: str) -> Json | None:
    """Return a subnet's document by its id; None where it does not exist."""
    return await resources.read_or_none(azure, subnet)


def ways_out(subnet: Json) -> list[str]:
    """Return how machines without a public address reach the internet, as text; empty for a subnet without a way out.

    Source: Microsoft's "Default outbound access". A subnet is private where ``defaultOutboundAccess`` is false, which
    is the default of networks that are created with api-version 2025-07-01 or later. A route table can lead to a
    firewall, which this tool cannot see.
    """
    found = []
    if dig(subnet, "properties", "natGateway"):
        found.append("NAT gateway")
    if dig(subnet, "properties", "routeTable"):
        found.append("route table")
    if dig(subnet, "properties", "defaultOutboundAccess") is not False:
        found.append("default outbound access")
    return found


def delegations(subnet: Json) -> list[str]:
    """Return the services that a subnet is delegated to, e.g. ``Microsoft.ContainerInstance/containerGroups``."""
    listed = dig(subnet, "properties", "delegations") or []
    # The Azure CLI prints the properties of nested resources on one level with their names.
    return [str(dig(one, "properties", "serviceName") or one.get("serviceName") or one.get("name")) for one in listed]
