"""Network security groups that fence off the machines that this tool starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import api_versions, pages, polling, resources

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.resource_ids import ResourceId

EXPECTED_S = 3.0
#: The priorities that a rule can have. Source: Microsoft.Network, SecurityRule.
FIRST_PRIORITY, LAST_PRIORITY = 100, 4096


def _rule(name: str, direction: str, access: str, priority: int, **changed: str) -> Json:
    anything = {
        "protocol": "*",
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "*",
    }
    properties = {"direction": direction, "access": access, "priority": priority} | anything | changed
    return {"name": name, "properties": properties}


def fence_body(region: str, tags: dict[str, str], *, internet: bool = False) -> Json:
    """Return the body of a group that lets a machine reach Azure's own services on port 443, and nothing else.

    The agent in the machine needs them for a run-command. The host itself, 168.63.129.16, is reachable whatever the
    rules are, also its name server. Source: Microsoft's "Azure network security groups overview".

    Parameters
    ----------
    region, tags
        The region and the tags of the group.
    internet
        Whether the machine reaches web servers on ports 80 and 443, and name servers: package managers need them.
    """
    allowed = {"protocol": "Tcp", "destinationAddressPrefix": "AzureCloud", "destinationPortRange": "443"}
    web = [
        _rule("web-out", "Outbound", "Allow", FIRST_PRIORITY + 10, protocol="Tcp", destinationPortRange="443"),
        _rule("plain-web-out", "Outbound", "Allow", FIRST_PRIORITY + 20, protocol="Tcp", destinationPortRange="80"),
        _rule("names-out", "Outbound", "Allow", FIRST_PRIORITY + 30, destinationPortRange="53"),
    ]
    rules = [
        _rule("azure-out", "Outbound", "Allow", FIRST_PRIORITY, **allowed),
        *(web if internet else []),
        _rule("nothing-else-out", "Outbound", "Deny", LAST_PRIORITY),
        _rule("nothing-in", "Inbound", "Deny", LAST_PRIORITY),
    ]
    return {"location": region, "tags": tags, "properties": {"securityRules": rules}}


async def create_security_group(azure: Azure, group: ResourceId, body: Json) -> bool:
    """Create a network security group unless it exists, and wait for it; return whether it was created."""
    if await resources.read_or_none(azure, group) is not None:
        return False
    begun = polling.begin_put(azure, group, api_versions.NETWORK, body)
    await polling.wait_for_creation(azure, begun, what=f"network security group {group.name}", resource_id=str(group))
    return True


async def list_security_groups(azure: Azure, resource_group: str = "") -> list[Json]:
    """Return the network security groups of a resource group, by its id; empty: of the connection's."""
    top = resource_group or azure.scope.account_id.group
    url = f"{top}/providers/Microsoft.Network/networkSecurityGroups?api-version={api_versions.NETWORK}"
    return await pages.read_all(azure, url)


async def delete_security_group(azure: Azure, group: ResourceId) -> None:
    """Delete a network security group and wait until it is deleted."""
    what = f"network security group {group.name}"
    await polling.delete_by_id(azure, group, api_versions.NETWORK, what=what)
