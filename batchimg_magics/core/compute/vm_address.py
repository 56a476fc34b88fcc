"""Where a VM answers: a public address of its own, a load balancer's inbound NAT rule, or its private address.

Network resources are asked for by their ids: none of the SDKs in use has them.
Source: Microsoft.Network's documents of network interfaces, public IP addresses and load balancers. Inbound NAT rules
for a backend pool give its machines ports from a range, and none of these says which: they are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.azure.partial_reads import PartialReader
from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

#: Protocols of a rule that carry a login.
_TCP_PROTOCOLS = ("tcp", "all")


@dataclass(frozen=True, slots=True)
class VmAddress:
    """Where a VM answers.

    Parameters
    ----------
    address, port
        Where to go; None where it has no address that could be read.
    public
        Whether one can go there from anywhere; None: something that could not be read may say so.
    unread
        What could not be read, and why.
    """

    address: str | None
    port: int
    public: bool | None
    unread: Mapping[str, str]


async def read_address(azure: Azure, vm: Json, port: int) -> VmAddress:
    """Find where a port of a VM is reached.

    Parameters
    ----------
    azure, vm
        Where, and the VM's document.
    port
        The port that it listens on.
    """
    reader = PartialReader(azure)
    nic = await _read(
        reader, "network interface", _primary(dig(vm, "properties", "networkProfile", "networkInterfaces"))
    )
    configuration = dig(_primary(dig(nic, "properties", "ipConfigurations")), "properties") or {}
    found = await _public_ip_address(reader, configuration, port) or await _nat_rule_address(
        reader, configuration, port
    )
    if found is None:
        private = configuration.get("privateIPAddress")
        found = VmAddress(private, port, None if reader.unread or not private else False, {})
    return replace(found, unread=reader.unread)


async def _public_ip_address(reader: PartialReader, configuration: Json, port: int) -> VmAddress | None:
    """Return the public address that an IP configuration has."""
    address = await _public_address(reader, configuration.get("publicIPAddress"))
    return VmAddress(address, port, public=True, unread={}) if address else None


async def _nat_rule_address(reader: PartialReader, configuration: Json, port: int) -> VmAddress | None:
    """Return the public frontend that a load balancer forwards from to the port."""
    for reference in configuration.get("loadBalancerInboundNatRules") or []:
        key = str(reference["id"])
        balancer = await _read(reader, "load balancer", {"id": key.rsplit("/", 2)[0]})
        rule = _part_by_id(balancer, "inboundNatRules", key)
        if rule.get("backendPort") != port or str(rule.get("protocol")).lower() not in _TCP_PROTOCOLS:
            continue
        frontend = _part_by_id(balancer, "frontendIPConfigurations", str(dig(rule, "frontendIPConfiguration", "id")))
        if address := await _public_address(reader, frontend.get("publicIPAddress")):
            return VmAddress(address, int(rule["frontendPort"]), public=True, unread={})
    return None


async def _public_address(reader: PartialReader, reference: Json | None) -> str | None:
    found = await _read(reader, "public address", reference)
    address = dig(found, "properties", "ipAddress")
    return str(address) if address else None


async def _read(reader: PartialReader, what: str, reference: Json | None) -> Json | None:
    """Return the document that a reference is to; what may not be read is noted."""
    if not reference or "id" not in reference:
        return None
    key = ResourceId.parse(reference["id"])
    return await reader.read(f"{what} {key.name}", reader.read_document(str(key)), None)


def _primary(listed: list[Json] | None) -> Json | None:
    """Return the primary one of a list; where none says that it is, the first."""
    found = listed or []
    return next((one for one in found if dig(one, "properties", "primary")), found[0] if found else None)


def _part_by_id(whole: Json | None, kind: str, key: str) -> Json:
    """Return the properties of one of a resource's parts by its id."""
    parts = dig(whole, "properties", kind) or []
    return next((one.get("properties") or {} for one in parts if is_same_resource(str(one.get("id")), key)), {})
