"""References between network resources: what a request may refer to, and who refers to a resource.

Source: the refusals as Azure's users quote them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies, permissions, resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.catalog.regions import region_name
from batchimg_magics.emulator.http.messages import Call, Refusal
from batchimg_magics.emulator.network.outbound import find_document
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESSES = "Microsoft.Network/publicIPAddresses"
GATEWAYS = "Microsoft.Network/natGateways"
GROUPS = "Microsoft.Network/networkSecurityGroups"
NETWORKS = "Microsoft.Network/virtualNetworks"
NICS = "Microsoft.Network/networkInterfaces"
TABLES = "Microsoft.Network/routeTables"
_POOLS = "microsoft.batch/batchaccounts/pools"
evidence = Evidence("References between network resources")
evidence.rule(
    "A subnet or a security group in another subscription or region is refused like a missing one.",
    "Azure's text asks for resources that exist and are in the same region; no recording shows another subscription",
)


def reference(document: dict[str, Any], name: str) -> str:
    """Return the id in a reference ``{"id": ...}``, empty without one."""
    return str(bodies.part(document.get(name), name).get("id") or "")


def subscription_of(key: str) -> str:
    """Return the beginning of an id with its subscription, in lower case."""
    return key.lower().partition("/resourcegroups/")[0]


def check_reference(call: Call, key: str, other: str, action: str) -> dict[str, Any] | None:
    """Return a resource that another one refers to, or refuse; None in open mode if it does not exist.

    Parameters
    ----------
    call, key
        The request, whose body has the region, and the id of the resource that refers.
    other, action
        The id that it refers to, and the action that the caller needs on it.
    """
    permissions.require_linked(call, (other, action))
    document = find_document(call.store, call.now, other)
    if document is None:
        if is_open(call.store):
            return None
        raise bad_reference(key, other)
    owner = other if "location" in document else other.rpartition("/subnets/")[0]
    place = (find_document(call.store, call.now, owner) or {}).get("location")
    elsewhere = place is not None and region_name(place) != region_name(call.body["location"])
    if elsewhere or subscription_of(other) != subscription_of(key):
        raise bad_reference(key, other)
    _refuse_unfinished(call, key, owner)
    return document


def _refuse_unfinished(call: Call, key: str, owner: str) -> None:
    item = call.store.get(owner)
    if item is not None and (state := resources.current_operation(item, call.now)):
        message = (
            f"Cannot proceed with operation because resource {owner} used by resource {key} is not in Succeeded state. "
            f"Resource is in {state} state."
        )
        raise Refusal(429, "ReferencedResourceNotProvisioned", message, headers={"Retry-After": "10"})


def bad_reference(key: str, other: str) -> Refusal:
    """Return the refusal of a reference to a resource that does not exist there."""
    message = (
        f"Resource {other} referenced by resource {key} was not found. Please make sure that the referenced resource "
        "exists, and that both resources are in the same region."
    )
    return Refusal(400, "InvalidResourceReference", message)


# -- who refers to a resource ------------------------------------------------------------------------------------


def configurations(call: Call, under: str) -> Iterator[dict[str, Any]]:
    """Yield the IP configurations of the network interfaces below a subscription."""
    for nic in call.store.items(NICS, under):
        if resources.document_at(nic, call.now) is not None:
            yield from nic.doc["properties"].get("ipConfigurations") or []


def configurations_in(call: Call, subnet: str) -> list[dict[str, Any]]:
    """Return the IP configurations in a subnet."""
    return [
        one
        for one in configurations(call, subscription_of(subnet))
        if _refers(one.get("properties") or {}, "subnet", subnet)
    ]


def users_of_subnet(call: Call, subnet: str) -> list[str]:
    """Return the ids of what is in a subnet: IP configurations, and Batch pools with their nodes."""
    found = [str(one["id"]) for one in configurations_in(call, subnet)]
    for pool in call.store.items(_POOLS, subscription_of(subnet)):
        settings = (pool.doc.get("properties") or pool.doc).get("networkConfiguration") or {}
        if str(settings.get("subnetId") or "").lower() == subnet.lower():
            found.append(str(pool.doc.get("id") or pool.key))
    return found


def users_of_address(call: Call, address: str) -> list[str]:
    """Return the ids of the IP configurations and NAT gateways that have a public address."""
    under = subscription_of(address)
    found = [
        str(one["id"])
        for one in configurations(call, under)
        if _refers(one.get("properties") or {}, "publicIPAddress", address)
    ]
    for gateway in call.store.items(GATEWAYS, under):
        listed = gateway.doc["properties"].get("publicIpAddresses") or []
        if resources.document_at(gateway, call.now) is not None and any(_is(one, address) for one in listed):
            found.append(str(gateway.doc["id"]))
    return found


def subnets_with(call: Call, name: str, key: str) -> list[str]:
    """Return the ids of the subnets that refer to a resource by a property of that name."""
    found = []
    for network in call.store.items(NETWORKS, subscription_of(key)):
        if resources.document_at(network, call.now) is not None:
            subnets = network.doc["properties"].get("subnets") or []
            found += [str(one["id"]) for one in subnets if _refers(one.get("properties") or {}, name, key)]
    return found


def interfaces_with(call: Call, name: str, key: str) -> list[str]:
    """Return the ids of the network interfaces that refer to a resource by a property of that name."""
    return [
        str(nic.doc["id"])
        for nic in call.store.items(NICS, subscription_of(key))
        if resources.document_at(nic, call.now) is not None and _refers(nic.doc["properties"], name, key)
    ]


def _refers(properties: dict[str, Any], name: str, key: str) -> bool:
    return _is(properties.get(name), key)


def _is(found: object, key: str) -> bool:
    return isinstance(found, dict) and str(found.get("id", "")).lower() == key.lower()
