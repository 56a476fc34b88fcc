"""Virtual networks and their subnets: create, change, delete.

Source: Microsoft's pages on virtual networks, default outbound access and subnet delegation; the refusals as Azure's
users quote them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies, resource_types, resources
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.network import address_ranges, nested
from batchimg_magics.emulator.network.etags import new_etag
from batchimg_magics.emulator.network.references import (
    NETWORKS,
    check_reference,
    configurations_in,
    reference,
    users_of_subnet,
)
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.network.address_ranges import Network
    from batchimg_magics.emulator.world.store import Item

SUBNETS = f"{NETWORKS}/subnets"
#: From this api-version on, new subnets have no default outbound access unless the body says so.
_PRIVATE_SINCE = "2025-07-01"
#: What a subnet may refer to, and the action that the caller needs on it.
_REFERENCES = {
    "networkSecurityGroup": "Microsoft.Network/networkSecurityGroups/join/action",
    "routeTable": "Microsoft.Network/routeTables/join/action",
    "natGateway": "Microsoft.Network/natGateways/join/action",
}
#: How many free addresses are suggested in place of one that is not free.
_SUGGESTED = 5
_POLICIES = {"privateEndpointNetworkPolicies": "Disabled", "privateLinkServiceNetworkPolicies": "Enabled"}
evidence = Evidence("Virtual networks")
evidence.rule(
    "The refusals of overlapping address prefixes of one virtual network, and of ranges from IP address management, "
    "have the emulator's own texts.",
    "no recording shows them",
)
evidence.rule(
    "A subnet in use keeps its address prefix, and cannot be delegated.",
    "Azure's users quote the refusals of some of these changes; no document lists them",
)

routes = Routes("arm")


def _build(call: Call, old: Item | None) -> BuildResult:
    key = resources.resource_id(call, NETWORKS)
    asked = call.body["properties"]
    space = bodies.part(asked.get("addressSpace"), "virtualNetwork.properties.addressSpace")
    outer = address_ranges.parse_prefixes(space.get("addressPrefixes"), key, "addressSpace.addressPrefixes")
    before = old.doc["properties"] if old is not None else {}
    known = {str(one["name"]).lower(): one for one in before.get("subnets") or []}
    subnets = [
        _subnet(call, key, one, known)
        for one in bodies.parts(asked.get("subnets"), "virtualNetwork.properties.subnets")
    ]
    _check_ranges(key.rpartition("/")[2], subnets, outer)
    _refuse_changes_in_use(call, known, subnets)
    properties = {
        "virtualNetworkPeerings": [],
        "enableDdosProtection": False,
        **{name: one for name, one in asked.items() if name not in ("provisioningState", "resourceGuid")},
        "addressSpace": space | {"addressPrefixes": [str(one) for one in outer]},
        "subnets": subnets,
        "resourceGuid": before.get("resourceGuid") or call.store.new_guid("virtual network"),
    }
    return BuildResult(properties, top_level={"etag": new_etag(call)})


def _subnet(call: Call, key: str, asked: dict[str, Any], known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a subnet with the members that Azure adds, or refuse it."""
    name = bodies.text(asked.get("name"), "subnets.name")
    resource_types.check_name(name, resource_types.NAME_RULE)
    own, before = f"{key}/subnets/{name}", known.get(name.lower(), {}).get("properties") or {}
    inside = bodies.part(asked.get("properties"), "subnets.properties")
    listed = inside.get("addressPrefixes") or [one for one in (inside.get("addressPrefix"),) if one]
    prefixes = address_ranges.parse_prefixes(listed, own, "subnets.properties.addressPrefix")
    for word, action in _REFERENCES.items():
        if (other := reference(inside, word)) and other.lower() != reference(before, word).lower():
            check_reference(call, own, other, action)
    if not before and call.api_version >= _PRIVATE_SINCE:
        inside = {"defaultOutboundAccess": False} | inside
    if "defaultOutboundAccess" in before:
        inside = {"defaultOutboundAccess": before["defaultOutboundAccess"]} | inside
    settled = {word: one for word, one in inside.items() if one is not None and word != "ipConfigurations"}
    many = len(prefixes) > 1 or "addressPrefixes" in settled
    ranges = {"addressPrefixes": [str(one) for one in prefixes]} if many else {"addressPrefix": str(prefixes[0])}
    return {
        "name": name,
        "id": own,
        "etag": new_etag(call),
        "properties": _POLICIES
        | settled
        | ranges
        | {"delegations": _delegations(call, own, settled), "provisioningState": "Succeeded"},
        "type": SUBNETS,
    }


def _delegations(call: Call, key: str, properties: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for one in bodies.parts(properties.get("delegations"), "subnets.properties.delegations"):
        name = bodies.text(one.get("name"), "delegations.name")
        inside = bodies.part(one.get("properties"), "delegations.properties")
        service = bodies.text(inside.get("serviceName"), "delegations.properties.serviceName")
        shown = {"serviceName": service, "actions": inside.get("actions") or [], "provisioningState": "Succeeded"}
        top = {"name": name, "id": f"{key}/delegations/{name}", "etag": new_etag(call), "properties": shown}
        found.append({**top, "type": f"{SUBNETS}/delegations"})
    return found


def ranges_of(subnet: dict[str, Any]) -> list[Network]:
    """Return the address prefixes of a subnet."""
    inside = subnet.get("properties") or {}
    listed = inside.get("addressPrefixes") or [one for one in (inside.get("addressPrefix"),) if one]
    return [address_ranges.parse_prefix(one, str(subnet.get("id"))) for one in listed]


def _check_ranges(network: str, subnets: list[dict[str, Any]], outer: list[Network]) -> None:
    taken: list[tuple[str, Network]] = []
    names: set[str] = set()
    for one in subnets:
        name, prefixes = str(one["name"]), ranges_of(one)
        if name.lower() in names:
            raise bodies.invalid("subnets.name", f"The virtual network '{network}' has two subnets '{name}'.")
        names.add(name.lower())
        address_ranges.check_subnet(name, network, prefixes, outer)
        if any(address_ranges.overlap(prefix, other) for _, other in taken for prefix in prefixes):
            message = (
                f"Subnet '{name}' is not valid because its IP address range overlaps with that of an existing subnet "
                f"in virtual network '{network}'."
            )
            raise Refusal(400, "NetcfgSubnetRangesOverlap", message)
        taken += [(name, prefix) for prefix in prefixes]


# -- in use ------------------------------------------------------------------------------------------------------


def _refuse_changes_in_use(call: Call, known: dict[str, dict[str, Any]], subnets: list[dict[str, Any]]) -> None:
    """Refuse to remove a subnet that is in use, to change its range, or to delegate it."""
    left = {str(one["name"]).lower(): one for one in subnets}
    for name, before in known.items():
        after = left.get(name)
        if after is None:
            refuse_in_use(call, before)
            continue
        gone = [one for one in ranges_of(before) if one not in ranges_of(after)]
        delegated = after["properties"]["delegations"] and not before["properties"].get("delegations")
        if (gone or delegated) and users_of_subnet(call, str(before["id"])):
            what = f"IpPrefix {gone[0]} on Subnet {before['name']}" if gone else f"Subnet {before['name']}"
            message = f"{what} has active allocations and cannot be {'deleted' if gone else 'delegated'}."
            raise Refusal(400, "InUsePrefixCannotBeDeleted" if gone else "InUseSubnetCannotBeUpdated", message)


def refuse_in_use(call: Call, subnet: dict[str, Any]) -> None:
    """Refuse to delete a subnet that something is in."""
    if users := users_of_subnet(call, str(subnet["id"])):
        message = (
            f"Subnet {subnet['name']} is in use by {users[0]} and cannot be deleted. In order to delete the subnet, "
            "delete all the resources within the subnet. See aka.ms/deletesubnet."
        )
        raise Refusal(400, "InUseSubnetCannotBeDeleted", message)


def _refuse_delete(call: Call, network: Item) -> None:
    for subnet in network.doc["properties"].get("subnets") or []:
        refuse_in_use(call, subnet)


_KIND = ResourceType(NETWORKS, _build, "network", "network deletion", refuse_delete=_refuse_delete)
resource_types.register_writes(routes, _KIND)
nested.register(routes, _KIND, "subnets")


@routes.on("GET", f"{resources.path_of(NETWORKS)}/CheckIPAddressAvailability")
def check_address(call: Call) -> Reply:
    """Answer whether an address of a virtual network is free, and with other addresses that are."""
    network = resources.need(call, resources.resource_id(call, NETWORKS))
    text = bodies.text(call.query.get("ipaddress"), "ipAddress")
    subnets = network.doc["properties"].get("subnets") or []
    home = [one for one in subnets if address_ranges.problem_of_address(text, ranges_of(one)) is None]
    if home and text not in taken_addresses(call, str(home[0]["id"])):
        return Reply(200, {"available": True, "availableIPAddresses": [], "isPlatformReserved": False})
    free: list[str] = []
    for subnet in home or subnets:
        prefixes, taken = ranges_of(subnet), taken_addresses(call, str(subnet["id"]))
        while len(free) < _SUGGESTED and (one := address_ranges.free_address(prefixes, taken | {*free})):
            free.append(one)
    return Reply(200, {"available": False, "availableIPAddresses": free, "isPlatformReserved": False})


def taken_addresses(call: Call, subnet: str, *, but: str = "") -> set[str]:
    """Return the addresses that interfaces have in a subnet, without those of one interface."""
    return {
        str((one.get("properties") or {}).get("privateIPAddress"))
        for one in configurations_in(call, subnet)
        if not (but and str(one.get("id", "")).lower().startswith(f"{but.lower()}/"))
    }
