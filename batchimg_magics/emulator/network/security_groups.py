"""Network security groups: create with their rules, change tags, delete unless they are in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies, resource_types, resources
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.http.messages import Call, Refusal, Routes
from batchimg_magics.emulator.network.interfaces import NICS
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item

SECURITY_GROUPS = "Microsoft.Network/networkSecurityGroups"
_NETWORKS = "Microsoft.Network/virtualNetworks"
#: Source: Microsoft.Network, SecurityRulePropertiesFormat.
_PROTOCOLS = ("Tcp", "Udp", "Icmp", "Esp", "Ah", "*")
_PRIORITIES = range(100, 4097)
_ENDS = ("sourceAddressPrefix", "destinationAddressPrefix", "sourcePortRange", "destinationPortRange")
#: The rules of every group. Source: Microsoft's "Network security groups", default security rules.
_DEFAULT_RULES = (
    ("AllowVnetInBound", "Inbound", "Allow", 65000, "VirtualNetwork", "VirtualNetwork"),
    ("AllowAzureLoadBalancerInBound", "Inbound", "Allow", 65001, "AzureLoadBalancer", "*"),
    ("DenyAllInBound", "Inbound", "Deny", 65500, "*", "*"),
    ("AllowVnetOutBound", "Outbound", "Allow", 65000, "VirtualNetwork", "VirtualNetwork"),
    ("AllowInternetOutBound", "Outbound", "Allow", 65001, "*", "Internet"),
    ("DenyAllOutBound", "Outbound", "Deny", 65500, "*", "*"),
)
evidence = Evidence("Network security groups")
evidence.rule("A network interface names a group of its own subscription and region.", "from Microsoft's documents")

routes = Routes("arm")


def _build(call: Call, _: Item | None) -> BuildResult:
    rules = bodies.parts(call.body["properties"].get("securityRules"), "securityRules")
    key = resources.resource_id(call, SECURITY_GROUPS)
    taken: dict[tuple[str, int], str] = {}
    shown = []
    for one in rules:
        name = bodies.text(one.get("name"), "securityRules.name")
        properties = _rule(bodies.part(one.get("properties"), "securityRules.properties"))
        place = (properties["direction"], properties["priority"])
        if other := taken.get(place):
            message = (
                f"Security rule {name} conflicts with rule {other}. Rules cannot have the same Priority and Direction. "
            )
            raise Refusal(400, "SecurityRuleConflict", message)
        taken[place] = name
        shown.append({"name": name, "id": f"{key}/securityRules/{name}", "properties": properties})
    return BuildResult(
        {"securityRules": shown, "defaultSecurityRules": [_default_rule(key, *one) for one in _DEFAULT_RULES]}
    )


def _rule(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of a security rule, or refuse it."""
    bodies.one_of(asked.get("protocol"), "protocol", _PROTOCOLS)
    direction = bodies.one_of(asked.get("direction"), "direction", ("Inbound", "Outbound"))
    access = bodies.one_of(asked.get("access"), "access", ("Allow", "Deny"))
    priority = bodies.whole(asked.get("priority"), "priority")
    if priority not in _PRIORITIES:
        message = f"Security rule has invalid Priority. Value provided: {priority} Allowed range 100-4096."
        raise Refusal(400, "SecurityRuleInvalidPriority", message)
    for end in _ENDS:
        if not (asked.get(end) or asked.get(f"{end}es") or asked.get(f"{end}s")):
            raise Refusal(400, "SecurityRuleParameterMissing", f"Security rule is missing parameter {end}.")
    return {**asked, "direction": direction, "access": access, "priority": priority, "provisioningState": "Succeeded"}


def _default_rule(
    key: str, name: str, direction: str, access: str, priority: int, source: str, destination: str
) -> dict[str, Any]:
    properties = {
        "provisioningState": "Succeeded",
        "protocol": "*",
        "sourcePortRange": "*",
        "destinationPortRange": "*",
        "sourceAddressPrefix": source,
        "destinationAddressPrefix": destination,
        "access": access,
        "priority": priority,
        "direction": direction,
    }
    return {"name": name, "id": f"{key}/defaultSecurityRules/{name}", "properties": properties}


def _refuse_delete(call: Call, item: Item) -> None:
    """Refuse to delete a group that an interface or a subnet has. Source: Azure's own text in issue threads."""
    users = [
        str(found.doc["id"])
        for kind in (NICS, _NETWORKS)
        for found in call.store.items(kind.lower(), f"/subscriptions/{call.params['subscription']}")
        if resources.document_at(found, call.now) is not None and _names(found.doc["properties"], item.key)
    ]
    if users:
        message = (
            f"Network security group {item.doc['id']} cannot be deleted because it is in use by the following "
            f"resources: {', '.join(users)}."
        )
        raise Refusal(400, "InUseNetworkSecurityGroupCannotBeDeleted", message)


def _names(properties: dict[str, Any], key: str) -> bool:
    """Tell whether the properties of an interface or a network refer to a group."""
    inside = [properties, *(one.get("properties") or {} for one in properties.get("subnets") or [])]
    return any(str((one.get("networkSecurityGroup") or {}).get("id", "")).lower() == key.lower() for one in inside)


def need_group_for_interface(call: Call, inside: dict[str, Any]) -> dict[str, Any]:
    """Return the reference of an interface to its security group, empty without one; refuse one of another place."""
    reference = bodies.part(inside.get("networkSecurityGroup"), "networkSecurityGroup")
    if not reference:
        return {}
    key = bodies.text(reference.get("id"), "networkSecurityGroup.id")
    item = resources.find(call.store, call.now, key)
    if item is None:
        message = f"Resource {key} referenced by the network interface was not found."
        raise Refusal(404, "InvalidResourceReference", message)
    own = call.params["subscription"].lower()
    same_region = str(item.doc["location"]).lower() == str(call.body["location"]).replace(" ", "").lower()
    if key.split("/")[2].lower() != own or not same_region:
        message = f"Network security group {key} is not in the subscription and location of the network interface."
        raise Refusal(400, "InvalidResourceReference", message)
    return {"networkSecurityGroup": {"id": item.doc["id"]}}


resource_types.register(
    routes,
    ResourceType(
        SECURITY_GROUPS,
        _build,
        "security group",
        "security group",
        creating_state="Updating",
        refuse_delete=_refuse_delete,
    ),
)
