"""The address of a VM for a login: a public IP address, an inbound NAT rule of a load balancer, or a private address.

Network resources are read by their ids, without an SDK client.
Source: Microsoft.Network's documents of network interfaces, public IP addresses and load balancers. Inbound NAT rules
of a backend pool map a range of ports to its VMs, and no document has the mapping: they are not read.
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

#: Protocols of a rule that a login can use.
_TCP_PROTOCOLS = ("tcp", "all")


@dataclass(frozen=True, slots=True)
class VmAddress:
    """The address of a port of a VM.

    Parameters
    ----------
    address, port
        The address and the port to connect to; the address is None where none can be read.
    public
        Whether the address is public; None: not known, since something could not be read.
    unread
        What could not be read, each with the status and the code of the error.
    """

    address: str | None
    port: int
    public: bool | None
    unread: Mapping[str, str]


async def read_address(azure: Azure, vm: Json, port: int) -> VmAddress:
    """Return the address at which a port of a VM can be reached.

    Parameters
    ----------
    azure, vm
        The connection, and the VM's document.
    port
        The port on the VM.
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
    """Return the public IP address of an IP configuration, or None."""
    address = await _public_address(reader, configuration.get("publicIPAddress"))
    return VmAddress(address, port, public=True, unread={}) if address else None


async def _nat_rule_address(reader: PartialReader, configuration: Json, port: int) -> VmAddress | None:
    """Return the public frontend of a load balancer that forwards to the port, or None."""
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
    """Return the document that a reference names; the reader notes what cannot be read."""
    if not reference or "id" not in reference:
        return None
    key = ResourceId.parse(reference["id"])
    return await reader.read(f"{what} {key.name}", reader.read_document(str(key)), None)


def _primary(listed: list[Json] | None) -> Json | None:
    """Return the primary item of a list; where none is marked primary, the first."""
    found = listed or []
    return next((one for one in found if dig(one, "properties", "primary")), found[0] if found else None)


def _part_by_id(whole: Json | None, kind: str, key: str) -> Json:
    """Return the properties of a child of a resource by the child's id."""
    parts = dig(whole, "properties", kind) or []
    return next((one.get("properties") or {} for one in parts if is_same_resource(str(one.get("id")), key)), {})
