"""Network interfaces: their subnets and security groups, by request and with the VM that they are created with."""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.arm import bodies, permissions, resource_types, resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.catalog.regions import region_name
from batchimg_magics.emulator.http.messages import Call, Refusal, Routes
from batchimg_magics.emulator.network import address_ranges, public_addresses
from batchimg_magics.emulator.network.etags import new_etag
from batchimg_magics.emulator.network.references import (
    NICS,
    bad_reference,
    check_reference,
    reference,
    subscription_of,
)
from batchimg_magics.emulator.network.virtual_networks import ranges_of, taken_addresses
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

_JOIN_SUBNET = "Microsoft.Network/virtualNetworks/subnets/join/action"
_JOIN_GROUP = "Microsoft.Network/networkSecurityGroups/join/action"
_JOIN_ADDRESS = "Microsoft.Network/publicIPAddresses/join/action"
evidence = Evidence("Network interfaces")
#: What a body may have, and the document has elsewhere or not at all.
_NOT_KEPT = frozenset({"deleteOption", "macAddress", "primary", "provisioningState", "resourceGuid", "virtualMachine"})
_DEFAULTS: dict[str, Any] = {
    "enableIPForwarding": False,
    "disableTcpStateTracking": False,
    "nicType": "Standard",
    "auxiliaryMode": "None",
    "auxiliarySku": "None",
    "hostedWorkloads": [],
    "tapConfigurations": [],
}
evidence.rule(
    "An interface in a subnet that is delegated is refused in the emulator's own words.",
    "Azure's users quote several refusals, by the service",
)

routes = Routes("arm")


# -- creation ----------------------------------------------------------------------------------------------------


def _build(call: Call, old: Item | None) -> BuildResult:
    key = resources.resource_id(call, NICS)
    before = old.doc["properties"] if old is not None else {}
    owner = before.get("virtualMachine")
    properties = interface_properties(call, key, call.body["properties"])
    properties["resourceGuid"] = before.get("resourceGuid") or call.store.new_guid("interface")
    return BuildResult(properties | ({"virtualMachine": owner} if owner else {}), top_level={"etag": new_etag(call)})


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
    group = reference(asked, "networkSecurityGroup")
    if group:
        check_reference(call, key, group, _JOIN_GROUP)
    used: dict[str, set[str]] = {}
    settled = {name: one for name, one in asked.items() if one is not None and name not in _NOT_KEPT}
    names = bodies.part(asked.get("dnsSettings"), "dnsSettings")
    return (
        _DEFAULTS
        | settled
        | {
            "ipConfigurations": [_configuration(call, key, one, number, used) for number, one in enumerate(listed)],
            "enableAcceleratedNetworking": bool(asked.get("enableAcceleratedNetworking")),
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": []} | names,
            "provisioningState": "Succeeded",
        }
    )


def _configuration(
    call: Call, key: str, asked: dict[str, Any], number: int, used: dict[str, set[str]]
) -> dict[str, Any]:
    name = asked.get("name") or f"ipconfig{number + 1}"
    inside = bodies.part(asked.get("properties"), "ipConfigurations.properties")
    subnet = reference(inside, "subnet")
    if not subnet:
        raise bodies.missing("ipConfigurations.properties.subnet")
    home = check_reference(call, key, subnet, _JOIN_SUBNET)
    _refuse_delegated(key, home)
    own = f"{key}/ipConfigurations/{name}"
    settled = {word: one for word, one in inside.items() if one is not None and word != "provisioningState"}
    if wanted := bodies.part(settled.pop("publicIPAddressConfiguration", None), "publicIPAddressConfiguration"):
        title = bodies.text(wanted.get("name"), "publicIPAddressConfiguration.name")
        group = key.partition("/providers/")[0]
        address = public_addresses.create_with_vm(call, f"{title}-{key.rpartition('-')[2]}", wanted, group)
        settled["publicIPAddress"] = {"id": address}
    elif address := reference(inside, "publicIPAddress"):
        check_reference(call, key, address, _JOIN_ADDRESS)
        public_addresses.refuse_other_user(call, address, own)
    settled |= _private_address(call, key, own, settled, home, used.setdefault(subnet.lower(), set()))
    return {
        "name": name,
        "id": own,
        "etag": new_etag(call),
        "type": f"{NICS}/ipConfigurations",
        "properties": {"primary": number == 0, **settled, "provisioningState": "Succeeded"},
    }


def _refuse_delegated(key: str, subnet: dict[str, Any] | None) -> None:
    delegations = ((subnet or {}).get("properties") or {}).get("delegations") or []
    if subnet is not None and delegations:
        service = (delegations[0].get("properties") or {}).get("serviceName", "")
        message = f"Subnet {subnet['id']} is delegated to {service}: {key} cannot be in it."
        raise Refusal(400, "SubnetWithDelegationCannotBeUsedByResource", message)


def _private_address(
    call: Call, key: str, own: str, asked: dict[str, Any], subnet: dict[str, Any] | None, used: set[str]
) -> dict[str, Any]:
    """Return the private address of an IP configuration, which keeps the one that it has."""
    method = asked.get("privateIPAllocationMethod") or "Dynamic"
    method = bodies.one_of(method, "privateIPAllocationMethod", ("Dynamic", "Static"))
    version = asked.get("privateIPAddressVersion") or "IPv4"
    version = bodies.one_of(version, "privateIPAddressVersion", ("IPv4", "IPv6"))
    shown = {"privateIPAllocationMethod": method, "privateIPAddressVersion": version}
    if subnet is None:  # open mode
        host = int(call.store.new_token("address")[:8], 16) % 250 + 4
        return shown | {"privateIPAddress": asked.get("privateIPAddress") or f"10.0.1.{host}"}
    prefixes = [one for one in ranges_of(subnet) if one.version == int(version[-1])]
    taken = taken_addresses(call, str(subnet["id"]), but=key) | used
    wanted = _known_address(call, key, own, str(subnet["id"])) if method == "Dynamic" else asked.get("privateIPAddress")
    if method == "Static":
        wanted = bodies.text(wanted, "ipConfigurations.properties.privateIPAddress")
        if problem := address_ranges.problem_of_address(wanted, prefixes):
            raise Refusal(400, *problem)
        if wanted in taken:
            message = f"IP configuration {own} is using the private IP address {wanted} which is already allocated."
            raise Refusal(400, "PrivateIPAddressIsAllocated", message)
    address = wanted or address_ranges.free_address(prefixes, taken)
    if address is None:
        message = (
            f"Subnet {subnet['name']} with address prefix {', '.join(map(str, prefixes)) or 'of ' + version} does not "
            "have enough capacity for 1 IP addresses."
        )
        raise Refusal(400, "SubnetIsFull", message)
    used.add(address)
    return shown | {"privateIPAddress": address}


def _known_address(call: Call, key: str, own: str, subnet: str) -> str | None:
    """Return the address that an IP configuration has already in a subnet."""
    item = resources.find(call.store, call.now, key)
    for one in item.doc["properties"].get("ipConfigurations") or [] if item is not None else ():
        inside = one.get("properties") or {}
        if str(one.get("id")).lower() == own.lower() and reference(inside, "subnet").lower() == subnet.lower():
            return str(inside.get("privateIPAddress") or "") or None
    return None


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
    if region_name(item.doc["location"]) != region_name(call.body["location"]) or subscription_of(
        key
    ) != subscription_of(vm_id):
        raise bad_reference(vm_id, key)
    owner = reference(item.doc["properties"], "virtualMachine")
    if owner and owner.lower() != vm_id.lower() and resources.find(call.store, call.now, owner) is not None:
        message = f"Network interface {key} is associated with VM {owner} already."
        raise Refusal(400, "NicInUse", message)
    permissions.require_linked(call, (key, f"{NICS}/join/action"))
    item.doc["properties"]["virtualMachine"] = {"id": vm_id}
    call.store.put(item)


# -- deletion ----------------------------------------------------------------------------------------------------


def _refuse_in_use(call: Call, item: Item) -> None:
    """Refuse to delete the network interface of a VM. Source: Azure's own text."""
    owner = reference(item.doc["properties"], "virtualMachine")
    if owner and resources.find(call.store, call.now, owner) is not None:
        message = (
            f"Network Interface {item.doc['id']} is used by existing resource {owner}. In order to delete the network "
            "interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic."
        )
        raise Refusal(400, "NicInUse", message)


def delete_with_vm(call: Call, vm: Item) -> None:
    """Delete the network interfaces with the delete option of a VM that is being deleted."""
    profile = vm.doc["properties"].get("networkProfile") or {}
    for interface in profile.get("networkInterfaces") or []:
        option = str((interface.get("properties") or {}).get("deleteOption", ""))
        item = call.store.get(str(interface.get("id", "")))
        if item is not None and option.lower() == "delete":
            ends = vm.hidden["work"]["end"]
            resources.delete_until(call.store, item, call.now, ends)
            _delete_addresses(call, item, ends)


def _delete_addresses(call: Call, nic: Item, ends: float) -> None:
    """Delete the public addresses with the delete option of an interface that is deleted with its VM."""
    for one in nic.doc["properties"].get("ipConfigurations") or []:
        shown = (one.get("properties") or {}).get("publicIPAddress") or {}
        item = call.store.get(str(shown.get("id") or ""))
        inside = shown.get("properties") or {}
        option = inside.get("deleteOption") or (item.doc["properties"].get("deleteOption") if item else "")
        if item is not None and str(option).lower() == "delete":
            resources.delete_until(call.store, item, call.now, ends)


resource_types.register_writes(
    routes, ResourceType(NICS, _build, "network", "network deletion", refuse_delete=_refuse_in_use)
)
