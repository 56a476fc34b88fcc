"""Public IP addresses: create, change, delete.

Source: Microsoft's pages on public IP addresses and the retirement of their Basic SKU; the refusals as Azure's users
quote them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from batchimg_magics.emulator.arm import bodies, resource_types, resources
from batchimg_magics.emulator.arm.open_world import has_retired
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.catalog.regions import region_name
from batchimg_magics.emulator.http.messages import Call, Refusal, Routes
from batchimg_magics.emulator.network.etags import new_etag
from batchimg_magics.emulator.network.references import ADDRESSES, users_of_address
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

_SKUS, _METHODS, _TIERS = ("Basic", "Standard"), ("Dynamic", "Static"), ("Regional", "Global")
_LABEL = r"^[a-z][a-z0-9-]{1,61}[a-z0-9]$"
#: Source: "Upgrade to Standard SKU public IP addresses in Azure by September 30, 2025".
BASIC_END = datetime(2025, 9, 30, tzinfo=UTC).timestamp()
#: The networks that are reserved for documentation: no host has such an address.
_BLOCKS = ("203.0.113", "198.51.100", "192.0.2")
evidence = Evidence("Public IP addresses")
evidence.rule("Public addresses are of the blocks for documentation.", "no real host must be reached by them")
evidence.rule(
    "A public address without a SKU is a Basic one.", "the OpenAPI document says so; Azure refuses new ones of it"
)

routes = Routes("arm")


def _build(call: Call, old: Item | None) -> BuildResult:
    key = resources.resource_id(call, ADDRESSES)
    asked, before = call.body["properties"], old.doc["properties"] if old is not None else {}
    sku = _sku(call, old)
    default = "Static" if sku["name"] == "Standard" else "Dynamic"
    method = asked.get("publicIPAllocationMethod") or before.get("publicIPAllocationMethod") or default
    method = bodies.one_of(method, "publicIPAllocationMethod", _METHODS)
    if sku["name"] == "Standard" and method != "Static":
        message = f"Standard sku publicIp {key} must have AllocationMethod set to Static."
        raise Refusal(400, "StandardSkuPublicIPAddressMustBeStatic", message)
    version = bodies.one_of(asked.get("publicIPAddressVersion") or "IPv4", "publicIPAddressVersion", ("IPv4", "IPv6"))
    timeout = bodies.whole(asked.get("idleTimeoutInMinutes") or 4, "idleTimeoutInMinutes", least=4)
    if timeout > 30:
        raise bodies.invalid("idleTimeoutInMinutes", f"The idle timeout {timeout} is out of range: 4 to 30 minutes.")
    kept = {
        name: one for name, one in asked.items() if one is not None and name not in ("ipAddress", "ipConfiguration")
    }
    properties = {
        "ipTags": [],
        "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
        **kept,
        "publicIPAddressVersion": version,
        "publicIPAllocationMethod": method,
        "idleTimeoutInMinutes": timeout,
        "resourceGuid": before.get("resourceGuid") or call.store.new_guid("public address"),
    }
    if method == "Static":
        properties["ipAddress"] = before.get("ipAddress") or new_address(call, version)
    if settings := bodies.part(asked.get("dnsSettings"), "dnsSettings"):
        properties["dnsSettings"] = _dns(call, key, settings)
    return BuildResult(properties, top_level={"sku": sku, "etag": new_etag(call)})


def _sku(call: Call, old: Item | None) -> dict[str, str]:
    asked = bodies.part(call.body.get("sku"), "sku")
    before = (old.doc.get("sku") or {}) if old is not None else {}
    name = bodies.one_of(asked.get("name") or before.get("name") or "Basic", "sku.name", _SKUS)
    tier = bodies.one_of(asked.get("tier") or before.get("tier") or "Regional", "sku.tier", _TIERS)
    if before and name != before.get("name"):
        message = (
            f"Sku of public IP address {resources.resource_id(call, ADDRESSES)} cannot be changed while it is used."
        )
        if users_of_address(call, resources.resource_id(call, ADDRESSES)):
            raise Refusal(400, "PublicIPAddressSkuCannotBeUpdated", message)
    if not before and name == "Basic" and has_retired(call.store, "basic_public_addresses", call.now, BASIC_END):
        message = (
            "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription in this region. Basic "
            "SKU public IP addresses are retired: use the Standard SKU."
        )
        raise Refusal(400, "IPv4BasicSkuPublicIpCountLimitReached", message)
    return {"name": name, "tier": tier}


def new_address(call: Call, version: str = "IPv4") -> str:
    """Return a public address that no other resource has."""
    taken = {str(one.doc["properties"].get("ipAddress")) for one in call.store.items(ADDRESSES, "/subscriptions")}
    start = int(call.store.new_token("public address")[:8], 16) % 250
    for step in range(250 * len(_BLOCKS)):
        block, host = divmod((start + step) % (250 * len(_BLOCKS)), 250)
        address = f"{_BLOCKS[block]}.{host + 4}" if version == "IPv4" else f"2001:db8::{start + step:x}"
        if address not in taken:
            return address
    message = "Cannot create more than 750 public IP addresses for this subscription in this region."
    raise Refusal(400, "PublicIPCountLimitReached", message)


def _dns(call: Call, key: str, settings: dict[str, Any]) -> dict[str, Any]:
    label = bodies.text(settings.get("domainNameLabel"), "dnsSettings.domainNameLabel")
    if not re.fullmatch(_LABEL, label):
        message = (
            f"The domain name label {label} is invalid. It must conform to the following regular expression: {_LABEL}."
        )
        raise Refusal(400, "InvalidDomainNameLabel", message)
    name = f"{label}.{region_name(call.body['location'])}.cloudapp.azure.com"
    for other in call.store.items(ADDRESSES, "/subscriptions"):
        known = (other.doc["properties"].get("dnsSettings") or {}).get("fqdn")
        if known == name and other.key != key.lower() and resources.document_at(other, call.now) is not None:
            raise Refusal(400, "DnsRecordInUse", f"DNS record {name} is already used by another public IP.")
    return settings | {"fqdn": name}


def _refuse_in_use(call: Call, address: Item) -> None:
    if users := users_of_address(call, str(address.doc["id"])):
        message = (
            f"Public IP address {address.doc['id']} can not be deleted since it is still allocated to resource "
            f"{users[0]}. In order to delete the public IP, disassociate/detach the Public IP address from the "
            "resource.  To learn how to do this, see aka.ms/deletepublicip."
        )
        raise Refusal(400, "PublicIPAddressCannotBeDeleted", message)


def refuse_other_user(call: Call, address: str, configuration: str) -> None:
    """Refuse to give a public address to an IP configuration if something else has it."""
    others = [one for one in users_of_address(call, address) if one.lower() != configuration.lower()]
    if others:
        message = (
            f"Resource {configuration} is referencing public IP address {address} that is already allocated to "
            f"resource {others[0]}."
        )
        raise Refusal(400, "PublicIPAddressInUse", message)


def create_with_vm(call: Call, name: str, asked: dict[str, Any], group: str) -> str:
    """Create the public address that the body of a VM describes, and return its id."""
    key = f"{group}/providers/{ADDRESSES}/{name}"
    inside = bodies.part(asked.get("properties"), "publicIPAddressConfiguration.properties")
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "publicIPAllocationMethod": "Static",
        "publicIPAddressVersion": "IPv4",
        "idleTimeoutInMinutes": 4,
        "ipAddress": new_address(call),
    }
    if option := inside.get("deleteOption"):
        properties["deleteOption"] = option
    document: dict[str, Any] = {"name": name, "id": key, "type": ADDRESSES, "location": call.body["location"]}
    document |= {"sku": {"name": "Standard", "tier": "Regional"}, "properties": properties}
    call.store.put(Item(key.lower(), ADDRESSES.lower(), document))
    return key


resource_types.register_writes(
    routes, ResourceType(ADDRESSES, _build, "network", "network deletion", refuse_delete=_refuse_in_use)
)
