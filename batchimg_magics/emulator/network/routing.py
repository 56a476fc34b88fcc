"""NAT gateways, and route tables with their routes: create, change, delete.

Source: Microsoft's pages on NAT gateways and on routing; the refusals as Azure's users quote them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies, resource_types, resources
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.http.messages import Call, Refusal, Routes
from batchimg_magics.emulator.network import address_ranges, nested
from batchimg_magics.emulator.network.etags import new_etag
from batchimg_magics.emulator.network.public_addresses import refuse_other_user
from batchimg_magics.emulator.network.references import GATEWAYS, TABLES, check_reference, subnets_with
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item

_JOIN_ADDRESS = "Microsoft.Network/publicIPAddresses/join/action"
_HOPS = ("VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None")
evidence = Evidence("NAT gateways and route tables")
evidence.rule(
    "The refusals of a NAT gateway without a Standard SKU, and of one in use, have the emulator's own texts.",
    "no recording shows them",
)

routes = Routes("arm")


def _gateway(call: Call, old: Item | None) -> BuildResult:
    key = resources.resource_id(call, GATEWAYS)
    asked, before = call.body["properties"], old.doc["properties"] if old is not None else {}
    sku = bodies.part(call.body.get("sku"), "sku").get("name") or (old.doc.get("sku") or {} if old else {}).get("name")
    name = bodies.one_of(sku, "sku.name", ("Standard", "StandardV2"))
    for one in bodies.parts(asked.get("publicIpAddresses"), "publicIpAddresses"):
        address = bodies.text(one.get("id"), "publicIpAddresses.id")
        check_reference(call, key, address, _JOIN_ADDRESS)
        refuse_other_user(call, address, key)
    timeout = bodies.whole(asked.get("idleTimeoutInMinutes") or 4, "idleTimeoutInMinutes", least=4)
    if timeout > 120:
        raise bodies.invalid("idleTimeoutInMinutes", f"The idle timeout {timeout} is out of range: 4 to 120 minutes.")
    properties = {
        **{word: one for word, one in asked.items() if word not in ("provisioningState", "subnets")},
        "idleTimeoutInMinutes": timeout,
        "resourceGuid": before.get("resourceGuid") or call.store.new_guid("gateway"),
    }
    return BuildResult(properties, top_level={"sku": {"name": name}, "etag": new_etag(call)})


def _refuse_gateway(call: Call, item: Item) -> None:
    if users := subnets_with(call, "natGateway", str(item.doc["id"])):
        message = f"NAT gateway {item.doc['id']} cannot be deleted because it is in use by {', '.join(users)}."
        raise Refusal(400, "InUseNatGatewayCannotBeDeleted", message)


def _table(call: Call, old: Item | None) -> BuildResult:
    key = resources.resource_id(call, TABLES)
    asked, before = call.body["properties"], old.doc["properties"] if old is not None else {}
    listed = [_route(call, key, one) for one in bodies.parts(asked.get("routes"), "routes")]
    prefixes: dict[str, str] = {}
    for one in listed:
        prefix = one["properties"]["addressPrefix"]
        if prefix in prefixes:
            message = f"Routes {prefixes[prefix]} and {one['name']} have the same address prefix {prefix}."
            raise Refusal(400, "RouteConflict", message)
        prefixes[prefix] = one["name"]
    properties = {
        "disableBgpRoutePropagation": False,
        **{word: one for word, one in asked.items() if word not in ("provisioningState", "subnets")},
        "routes": listed,
        "resourceGuid": before.get("resourceGuid") or call.store.new_guid("route table"),
    }
    return BuildResult(properties, top_level={"etag": new_etag(call)})


def _route(call: Call, key: str, asked: dict[str, Any]) -> dict[str, Any]:
    name = bodies.text(asked.get("name"), "routes.name")
    inside = bodies.part(asked.get("properties"), "routes.properties")
    hop = bodies.one_of(inside.get("nextHopType"), "routes.nextHopType", _HOPS)
    prefix = bodies.text(inside.get("addressPrefix"), "routes.addressPrefix")
    if prefix[0].isdigit() or ":" in prefix:  # otherwise a service tag
        address_ranges.parse_prefix(prefix, f"{key}/routes/{name}")
    if hop == "VirtualAppliance":
        bodies.text(inside.get("nextHopIpAddress"), "routes.nextHopIpAddress")
    elif inside.get("nextHopIpAddress"):
        message = f"Route {name} cannot have a next hop IP address: its next hop type is {hop}."
        raise Refusal(400, "NextHopIpAddressMustBeEmpty", message)
    shown = inside | {"addressPrefix": prefix, "nextHopType": hop, "provisioningState": "Succeeded"}
    top = {"name": name, "id": f"{key}/routes/{name}", "etag": new_etag(call)}
    return {**top, "properties": {"hasBgpOverride": False, **shown}, "type": f"{TABLES}/routes"}


def _refuse_table(call: Call, item: Item) -> None:
    if users := subnets_with(call, "routeTable", str(item.doc["id"])):
        message = f"Route table {item.doc['name']} is in use by {users[0]} and cannot be deleted."
        raise Refusal(400, "InUseRouteTableCannotBeDeleted", message)


_TABLE = ResourceType(TABLES, _table, "network", "network deletion", refuse_delete=_refuse_table)
resource_types.register_writes(routes, _TABLE)
nested.register(routes, _TABLE, "routes")
resource_types.register_writes(
    routes, ResourceType(GATEWAYS, _gateway, "network", "network deletion", refuse_delete=_refuse_gateway)
)
