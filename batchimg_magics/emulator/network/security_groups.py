"""Network security groups: their rules, and where they are in use.

Source: Microsoft's pages on network security groups and their default rules; the refusal to delete a group in use as
Azure's users quote it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies, resource_types, resources
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.http.messages import Call, Refusal, Routes
from batchimg_magics.emulator.network import nested
from batchimg_magics.emulator.network.etags import new_etag
from batchimg_magics.emulator.network.references import GROUPS, interfaces_with, subnets_with
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item

#: Name, priority, direction, access, source and destination of the rules that every group has.
_DEFAULT_RULES = (
    ("AllowVnetInBound", 65000, "Inbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
    ("AllowAzureLoadBalancerInBound", 65001, "Inbound", "Allow", "AzureLoadBalancer", "*"),
    ("DenyAllInBound", 65500, "Inbound", "Deny", "*", "*"),
    ("AllowVnetOutBound", 65000, "Outbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
    ("AllowInternetOutBound", 65001, "Outbound", "Allow", "*", "Internet"),
    ("DenyAllOutBound", 65500, "Outbound", "Deny", "*", "*"),
)
_PROTOCOLS = ("Tcp", "Udp", "Icmp", "Esp", "Ah", "*")
#: Priorities of rules that users make.
_LOWEST, _HIGHEST = 100, 4096
evidence = Evidence("Network security groups")
evidence.rule("The refusals of invalid rules have the emulator's own texts.", "no recording shows them")

routes = Routes("arm")


def _build(call: Call, old: Item | None) -> BuildResult:
    key = resources.resource_id(call, GROUPS)
    asked = call.body["properties"]
    rules = [_rule(one, key) for one in bodies.parts(asked.get("securityRules"), "securityRules")]
    _refuse_conflicts(rules)
    guid = old.doc["properties"].get("resourceGuid") if old is not None else None
    properties = {
        "resourceGuid": guid or call.store.new_guid("security group"),
        "securityRules": rules,
        "defaultSecurityRules": [_default_rule(key, *one) for one in _DEFAULT_RULES],
    }
    return BuildResult(properties, top_level={"etag": new_etag(call)})


def _rule(asked: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a rule with the members that Azure adds, or refuse it."""
    name = bodies.text(asked.get("name"), "securityRules.name")
    inside = bodies.part(asked.get("properties"), "securityRules.properties")
    priority = bodies.whole(inside.get("priority"), "securityRules.priority", least=_LOWEST)
    if priority > _HIGHEST:
        message = f"Security rule has invalid priority. Value provided: {priority}. Allowed range {_LOWEST}-{_HIGHEST}."
        raise Refusal(400, "SecurityRuleInvalidPriority", message)
    words = {
        "direction": bodies.one_of(inside.get("direction"), "securityRules.direction", ("Inbound", "Outbound")),
        "access": bodies.one_of(inside.get("access"), "securityRules.access", ("Allow", "Deny")),
        "protocol": bodies.one_of(inside.get("protocol"), "securityRules.protocol", _PROTOCOLS),
    }
    for end in ("source", "destination"):
        groups = inside.get(f"{end}ApplicationSecurityGroups")
        if not (inside.get(f"{end}AddressPrefix") or inside.get(f"{end}AddressPrefixes") or groups):
            raise bodies.missing(f"securityRules.{end}AddressPrefix")
    if not (inside.get("destinationPortRange") or inside.get("destinationPortRanges")):
        raise bodies.missing("securityRules.destinationPortRange")
    lists = {
        f"{end}{what}": inside.get(f"{end}{what}") or []
        for end in ("source", "destination")
        for what in ("PortRanges", "AddressPrefixes")
    }
    return {
        "name": name,
        "id": f"{key}/securityRules/{name}",
        "type": f"{GROUPS}/securityRules",
        "properties": inside | words | lists | {"priority": priority, "provisioningState": "Succeeded"},
    }


def _refuse_conflicts(rules: list[dict[str, Any]]) -> None:
    taken: dict[tuple[str, int], str] = {}
    for rule in rules:
        place = rule["properties"]["direction"], rule["properties"]["priority"]
        if place in taken:
            message = (
                f"Security rule {rule['name']} conflicts with rule {taken[place]}. Rules cannot have the same Priority "
                "and Direction."
            )
            raise Refusal(400, "SecurityRuleConflict", message)
        taken[place] = rule["name"]


def _default_rule(
    key: str, name: str, priority: int, direction: str, access: str, source: str, destination: str
) -> dict[str, Any]:
    return {
        "name": name,
        "id": f"{key}/defaultSecurityRules/{name}",
        "type": f"{GROUPS}/defaultSecurityRules",
        "properties": {
            "provisioningState": "Succeeded",
            "protocol": "*",
            "sourcePortRange": "*",
            "destinationPortRange": "*",
            "sourceAddressPrefix": source,
            "destinationAddressPrefix": destination,
            "access": access,
            "priority": priority,
            "direction": direction,
            "sourcePortRanges": [],
            "destinationPortRanges": [],
            "sourceAddressPrefixes": [],
            "destinationAddressPrefixes": [],
        },
    }


def users_of(call: Call, group: Item) -> list[str]:
    """Return the ids of the network interfaces and subnets that a group is assigned to."""
    return [
        *interfaces_with(call, "networkSecurityGroup", group.key),
        *subnets_with(call, "networkSecurityGroup", group.key),
    ]


def _refuse_in_use(call: Call, group: Item) -> None:
    if users := users_of(call, group):
        message = (
            f"Network security group {group.doc['id']} cannot be deleted because it is in use by the following "
            f"resources: {', '.join(users)}. In order to delete the Network security group, remove the association "
            "with the resource(s). To learn how to do this, see aka.ms/deletensg."
        )
        raise Refusal(400, "InUseNetworkSecurityGroupCannotBeDeleted", message)


_KIND = ResourceType(GROUPS, _build, "network", "network deletion", refuse_delete=_refuse_in_use)
resource_types.register_writes(routes, _KIND)
nested.register(routes, _KIND, "securityRules")
