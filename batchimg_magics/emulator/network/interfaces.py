"""Network interfaces: their subnets and security groups, by request and with the VM that they are created with."""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.arm import bodies, permissions, resource_types, resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.catalog.regions import region_name
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.network.outbound import find_document
from batchimg_magics.emulator.network.security_groups import NICS
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

ADDRESSES = "Microsoft.Network/publicIPAddresses"
_JOIN_SUBNET = "Microsoft.Network/virtualNetworks/subnets/join/action"
_JOIN_GROUP = "Microsoft.Network/networkSecurityGroups/join/action"
_JOIN_ADDRESS = "Microsoft.Network/publicIPAddresses/join/action"
evidence = Evidence("Network interfaces")
evidence.rule("A network interface is deleted at once.", "no recording shows it")
evidence.rule(
    "A subnet or a security group in another subscription or region is refused like a missing one.",
    "Azure's text asks for resources that exist and are in the same region; no recording shows another subscription",
)

routes = Routes("arm")


# -- creation ----------------------------------------------------------------------------------------------------


def _build(call: Call, old: Item | None) -> BuildResult:
    key = resources.resource_id(call, NICS)
    before = old.doc["properties"] if old is not None else {}
    owner = before.get("virtualMachine")
    properties = interface_properties(call, key, call.body["properties"])
    return BuildResult(properties | ({"virtualMachine": owner} if owner else {}))


def interface_properties(call: Call, key: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of a network interface, after checking what it refers to.

    Parameters
    ----------
    call
        The request; the region is that of its body.
    key, asked
        The id of the interface, and its properties in the body.
    """
    listed = bodies.parts(asked.get("ipConfigurations"), "ipConfigurations")
    if not listed:
        raise bodies.missing("networkInterface.properties.ipConfigurations")
    group = _reference(asked, "networkSecurityGroup")
    if group:
        _check_reference(call, key, group, _JOIN_GROUP)
    settled = {name: one for name, one in asked.items() if name not in ("provisioningState", "deleteOption", "primary")}
    return settled | {
        "ipConfigurations": [_configuration(call, key, one, number) for number, one in enumerate(listed)],
        "enableAcceleratedNetworking": bool(asked.get("enableAcceleratedNetworking")),
        "provisioningState": "Succeeded",
    }


def _configuration(call: Call, key: str, asked: dict[str, Any], number: int) -> dict[str, Any]:
    name = asked.get("name") or f"ipconfig{number + 1}"
    inside = bodies.part(asked.get("properties"), "ipConfigurations.properties")
    subnet = _reference(inside, "subnet")
    if not subnet:
        raise bodies.missing("ipConfigurations.properties.subnet")
    _check_reference(call, key, subnet, _JOIN_SUBNET)
    settled = dict(inside)
    if wanted := bodies.part(settled.pop("publicIPAddressConfiguration", None), "publicIPAddressConfiguration"):
        settled["publicIPAddress"] = {"id": _create_address(call, key, wanted)}
    elif address := _reference(inside, "publicIPAddress"):
        _check_reference(call, key, address, _JOIN_ADDRESS)
    # A fictitious private address.
    host = call.store.new_token("address")[:8]
    return {
        "name": name,
        "id": f"{key}/ipConfigurations/{name}",
        "properties": {
            "privateIPAddress": f"10.0.1.{int(host, 16) % 250 + 4}",
            "privateIPAllocationMethod": "Dynamic",
            "primary": number == 0,
            **settled,
            "provisioningState": "Succeeded",
        },
    }


def _create_address(call: Call, key: str, asked: dict[str, Any]) -> str:
    """Create the public address that the body of a VM describes, and return its id."""
    name = f"{bodies.text(asked.get('name'), 'publicIPAddressConfiguration.name')}-{key.rpartition('-')[2]}"
    address = f"{key.partition('/providers/')[0]}/providers/{ADDRESSES}/{name}"
    host = int(call.store.new_token("public address")[:8], 16) % 200 + 20
    # 203.0.113.0/24 is reserved for documentation: no host has such an address.
    properties = {
        "provisioningState": "Succeeded",
        "publicIPAllocationMethod": "Static",
        "ipAddress": f"203.0.113.{host}",
    }
    document = {"name": name, "id": address, "type": ADDRESSES, "location": call.body["location"]}
    document |= {"sku": {"name": "Standard", "tier": "Regional"}, "properties": properties}
    call.store.put(Item(address.lower(), ADDRESSES.lower(), document))
    return address


def create_with_vm(call: Call, vm_id: str, configuration: dict[str, Any]) -> str:
    """Create a network interface that the body of a VM describes, and return its id."""
    name = bodies.text(configuration.get("name"), "networkInterfaceConfigurations.name")
    inside = bodies.part(configuration.get("properties"), "networkInterfaceConfigurations.properties")
    key = f"{vm_id.partition('/providers/')[0]}/providers/{NICS}/{name}-{call.store.new_token('interface')[:8]}"
    properties = interface_properties(call, key, inside) | {"virtualMachine": {"id": vm_id}}
    document = {"name": key.rpartition("/")[2], "id": key, "type": NICS, "location": call.body["location"]}
    bodies.check_tags(tags := configuration.get("tags"))
    document |= {"tags": tags} if tags else {}
    call.store.put(Item(key.lower(), NICS.lower(), document | {"properties": properties}, {"created": call.now}))
    return key


def attach_to_vm(call: Call, vm_id: str, key: str) -> None:
    """Attach an existing network interface to a VM that is created, or refuse."""
    item = resources.find(call.store, call.now, key)
    if item is None:
        if is_open(call.store):
            return
        message = f"Resource {key} referenced by resource {vm_id} was not found."
        raise Refusal(404, "InvalidResourceReference", message)
    if region_name(item.doc["location"]) != region_name(call.body["location"]) or _subscription(key) != _subscription(
        vm_id
    ):
        raise _bad_reference(vm_id, key)
    owner = _reference(item.doc["properties"], "virtualMachine")
    if owner and owner.lower() != vm_id.lower() and resources.find(call.store, call.now, owner) is not None:
        message = f"Network interface {key} is associated with VM {owner} already."
        raise Refusal(400, "NicInUse", message)
    permissions.require_linked(call, (key, f"{NICS}/join/action"))
    item.doc["properties"]["virtualMachine"] = {"id": vm_id}
    call.store.put(item)


# -- references --------------------------------------------------------------------------------------------------


def _reference(document: dict[str, Any], name: str) -> str:
    return str(bodies.part(document.get(name), name).get("id") or "")


def _subscription(key: str) -> str:
    return key.lower().partition("/resourcegroups/")[0]


def _check_reference(call: Call, key: str, other: str, action: str) -> None:
    """Refuse a reference to a resource that is missing, or in another subscription or region."""
    permissions.require_linked(call, (other, action))
    document = find_document(call.store, call.now, other)
    if document is None:
        if is_open(call.store):
            return
        raise _bad_reference(key, other)
    place = document.get("location")
    if place is None:  # a subnet is where its virtual network is
        place = (find_document(call.store, call.now, other.rpartition("/subnets/")[0]) or {}).get("location")
    elsewhere = place is not None and region_name(place) != region_name(call.body["location"])
    if elsewhere or _subscription(other) != _subscription(key):
        raise _bad_reference(key, other)


def _bad_reference(key: str, other: str) -> Refusal:
    message = (
        f"Resource {other} referenced by resource {key} was not found. Please make sure that the referenced resource "
        "exists, and that both resources are in the same region."
    )
    return Refusal(400, "InvalidResourceReference", message)


# -- deletion ----------------------------------------------------------------------------------------------------


def delete(call: Call) -> Reply:
    """Delete a network interface; 204 if it does not exist. Source of the refusal: Azure's own text."""
    item = resources.find(call.store, call.now, resources.resource_id(call, NICS))
    if item is None:
        resources.need_group(call)
        return Reply(204)
    owner = _reference(item.doc["properties"], "virtualMachine")
    if owner and resources.find(call.store, call.now, owner) is not None:
        message = (
            f"Network Interface {item.doc['id']} is used by existing resource {owner}. In order to delete the network "
            "interface, it must be dissociated from the resource."
        )
        raise Refusal(400, "NicInUse", message)
    call.store.delete(item.key)
    return Reply(200)


def delete_with_vm(call: Call, vm: Item) -> None:
    """Delete the network interfaces with the delete option of a VM that is being deleted."""
    profile = vm.doc["properties"].get("networkProfile") or {}
    for interface in profile.get("networkInterfaces") or []:
        option = str((interface.get("properties") or {}).get("deleteOption", ""))
        item = call.store.get(str(interface.get("id", "")))
        if item is not None and option.lower() == "delete":
            ends = vm.hidden["work"]["end"]
            item.hidden["work"] = {"kind": "Deleting", "begin": call.now, "end": ends, "doc": None}
            call.store.put(item)


resource_types.register_writes(
    routes, ResourceType(NICS, _build, "network", "network deletion"), methods=("PUT", "PATCH")
)
routes.on("DELETE", resources.path_of(NICS))(delete)
