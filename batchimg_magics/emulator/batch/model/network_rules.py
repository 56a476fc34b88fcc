"""The rules for the network of a pool: inbound NAT pools, their security rules, and public addresses.

Source: Microsoft's OpenAPI (2024-02-01.19.0): InboundNATPool, NetworkSecurityGroupRule, PublicIPAddressConfiguration.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import permissions, resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

_MOST_NAT_POOLS, _MOST_RULES, _LEAST_PORTS = 5, 25, 40
_PRIORITIES = range(150, 4097)
_RESERVED = frozenset({29876, 29877})
#: Reserved ports for SSH and RDP until this api-version: since it a pool can ask for them itself.
_LOGIN_PORTS, _LOGIN_PORTS_SINCE = frozenset({22, 3389}), "2024-07-01"
_RESERVED_FRONTEND = range(50_000, 55_001)
#: The actions that the caller needs. Source: "Create an Azure Batch pool in a virtual network".
_JOIN_SUBNET = "Microsoft.Network/virtualNetworks/subnets/join/action"
_JOIN_ADDRESS = "Microsoft.Network/publicIPAddresses/join/action"
_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]{0,75}\w)?", re.ASCII)
_ADDRESS_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/publicIPAddresses/[^/]+", re.IGNORECASE
)
#: Nodes of a kind for each public address of a pool's own. Source: the OpenAPI.
NODES_PER_ADDRESS = 100
evidence = Evidence("Networks of pools")
evidence.rule(
    "A pool with public addresses of its own is refused if it has no subnet, or if an address does not exist, is in "
    "another subscription or region, is not static, has no Standard SKU, or is attached already.",
    "documented as prerequisites; no recording shows how Batch refuses them",
)
evidence.rule(
    "A pool with communication between nodes cannot have dedicated and spot nodes.",
    "reported in 2017, with the text of the refusal; the documents do not say it",
)
evidence.rule(
    "IP families are IPv4, or IPv4 and IPv6; others are refused.",
    "the SDKs call these the expected values; no recording has them",
)
evidence.rule(
    "A pool that asks for more nodes than its own public addresses or its inbound NAT ports allow is refused.",
    "the limits are documented; no recording shows the refusal",
)


def require_joins(call: Call, pool: Any) -> None:  # noqa: ANN401 - any JSON
    """Refuse a pool in a subnet, or with public addresses, that the caller may not join."""
    network = pool.get("networkConfiguration") if isinstance(pool, dict) else None
    if not isinstance(network, dict):
        return
    links = [(str(network["subnetId"]), _JOIN_SUBNET)] if network.get("subnetId") else []
    addresses = network.get("publicIPAddressConfiguration")
    listed = addresses.get("ipAddressIds") if isinstance(addresses, dict) else None
    links += [(str(one), _JOIN_ADDRESS) for one in listed] if isinstance(listed, list) else []
    permissions.require_linked(call, *links)


def check_network(call: Call, account: Item, pool: dict[str, Any]) -> None:
    """Refuse a network configuration that the service would not accept."""
    network = pool.get("networkConfiguration", {})
    addresses = network.get("publicIPAddressConfiguration", {})
    _check_nat_pools(call, network.get("endpointConfiguration", {}).get("inboundNATPools", []), addresses)
    _check_addresses(call, account, network)


# -- inbound NAT pools --------------------------------------------------------------------------------------------


def _check_nat_pools(call: Call, rows: list[dict[str, Any]], addresses: dict[str, Any]) -> None:
    if rows and addresses.get("provision") == "nopublicipaddresses":
        raise bad_property("inboundNATPools", None, "It cannot be specified if there are no public IP addresses")
    if len(rows) > _MOST_NAT_POOLS:
        raise bad_property(
            "inboundNATPools", len(rows), f"The maximum number of inbound NAT pools is {_MOST_NAT_POOLS}"
        )
    reserved = _RESERVED if call.api_version >= _LOGIN_PORTS_SINCE else _RESERVED | _LOGIN_PORTS
    for row in rows:
        if not _NAME.fullmatch(str(row["name"])):
            raise bad_property("name", row["name"], "The name of the inbound NAT pool is invalid")
        if str(row["protocol"]).lower() not in ("tcp", "udp"):
            raise bad_property("protocol", row["protocol"])
        if not 1 <= row["backendPort"] <= 65_535 or row["backendPort"] in reserved:
            raise bad_property("backendPort", row["backendPort"], "The port is reserved or out of range")
        _check_frontend(row)
    _check_distinct(rows)
    _check_security_rules([rule for row in rows for rule in row.get("networkSecurityGroupRules", [])])


def _check_frontend(row: dict[str, Any]) -> None:
    first, last = row["frontendPortRangeStart"], row["frontendPortRangeEnd"]
    if not 1 <= first <= last <= 65_534:
        raise bad_property("frontendPortRangeStart", first, "The range of frontend ports is invalid")
    if first <= _RESERVED_FRONTEND[-1] and last >= _RESERVED_FRONTEND[0]:
        raise bad_property("frontendPortRangeStart", first, "The ports from 50000 to 55000 are reserved")
    if last - first + 1 < _LEAST_PORTS:
        raise bad_property("frontendPortRangeEnd", last, f"Each range must contain at least {_LEAST_PORTS} ports")


def _check_distinct(rows: list[dict[str, Any]]) -> None:
    names = [str(row["name"]).lower() for row in rows]
    ports = [(row["backendPort"], str(row["protocol"]).lower()) for row in rows]
    if len(set(names)) < len(names):
        raise bad_property("name", None, "The names of inbound NAT pools must be unique")
    if len(set(ports)) < len(ports):
        raise bad_property("backendPort", None, "The backend ports of inbound NAT pools must be unique")
    spans = sorted((row["frontendPortRangeStart"], row["frontendPortRangeEnd"]) for row in rows)
    if any(later[0] <= earlier[1] for earlier, later in pairwise(spans)):
        raise bad_property("frontendPortRangeStart", None, "The ranges of frontend ports must not overlap")


def _check_security_rules(rules: list[dict[str, Any]]) -> None:
    if len(rules) > _MOST_RULES:
        raise bad_property("networkSecurityGroupRules", len(rules), f"The maximum number of rules is {_MOST_RULES}")
    priorities = [rule["priority"] for rule in rules]
    for rule in rules:
        if rule["priority"] not in _PRIORITIES or priorities.count(rule["priority"]) > 1:
            raise bad_property("priority", rule["priority"], "Priorities must be unique and between 150 and 4096")
        if not _is_prefix(str(rule["sourceAddressPrefix"])):
            raise bad_property("sourceAddressPrefix", rule["sourceAddressPrefix"])
        _check_ports(rule.get("sourcePortRanges", []))


def _check_ports(rows: list[str]) -> None:
    """Refuse source ports that are not ``*``, a port or a range of ports, or that overlap."""
    spans = sorted(_span(row) for row in rows)
    if any(later[0] <= earlier[1] for earlier, later in pairwise(spans)):
        raise bad_property("sourcePortRanges", None, "The source port ranges must not overlap")


def _span(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    if text == "*":
        return 0, 65_535
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not 0 <= first <= last <= 65_535:
        raise bad_property("sourcePortRanges", text, "The ports must be in the range of 0 to 65535")
    return first, last


def _is_prefix(text: str) -> bool:
    """Tell whether a source is an address, a range, ``*`` or a service tag."""
    if text == "*" or re.fullmatch(r"[A-Za-z][\w.]*", text):
        return True
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


# -- public addresses ---------------------------------------------------------------------------------------------


def _check_families(families: list[str]) -> None:
    """Refuse IP families that are neither those of one stack nor those of two."""
    if families and sorted(families) not in (["IPv4"], ["IPv4", "IPv6"]):
        reason = "The expected values are IPv4 for single-stack, IPv4 and IPv6 for dual-stack pools"
        raise bad_property("ipFamilies", ", ".join(families), reason)


def _check_addresses(call: Call, account: Item, network: dict[str, Any]) -> None:
    configuration = network.get("publicIPAddressConfiguration", {})
    _check_families(configuration.get("ipFamilies", []))
    ids, managed = configuration.get("ipAddressIds", []), configuration.get("provision", "batchmanaged")
    if managed == "usermanaged" and not ids:
        raise missing_property("ipAddressIds")
    if not ids:
        return
    if managed != "usermanaged":
        raise bad_property("ipAddressIds", None, "It can be specified only if the provisioning type is UserManaged")
    if not network.get("subnetId"):
        raise missing_property("subnetId")
    for one in ids:
        _check_address(call, account, str(one))


def _check_address(call: Call, account: Item, key: str) -> None:
    if not _ADDRESS_ID.fullmatch(key):
        raise bad_property("ipAddressIds", key, "The value is not the resource id of a public IP address")
    if key.split("/")[2].lower() != account.doc["id"].split("/")[2].lower():
        raise bad_property("ipAddressIds", key, "The public IP address is in a different subscription")
    if is_open(call.store):
        return
    found = resources.find(call.store, call.now, key)
    if found is None:
        raise bad_property("ipAddressIds", key, "The specified public IP address could not be found")
    properties = found.doc.get("properties", {})
    if found.doc.get("location") != account.doc.get("location"):
        raise bad_property("ipAddressIds", key, "The public IP address is in a different region")
    if str(found.doc.get("sku", {}).get("name", "Basic")) != "Standard":
        raise bad_property("ipAddressIds", key, "The public IP address must have the Standard SKU")
    if properties.get("publicIPAllocationMethod") != "Static":
        raise bad_property("ipAddressIds", key, "The public IP address must be static")
    if properties.get("ipConfiguration"):
        raise bad_property("ipAddressIds", key, "The public IP address is in use by another resource")


def check_node_limits(pool: dict[str, Any], targets: dict[str, Any]) -> None:
    """Refuse targets for which the pool has too few public addresses or frontend ports of its own."""
    network = pool.get("networkConfiguration", {})
    dedicated, spot = (int(targets.get(name) or 0) for name in ("targetDedicatedNodes", "targetLowPriorityNodes"))
    if dedicated and spot and pool.get("enableInterNodeCommunication"):
        both = "both TargetDedicatedNodes and TargetLowPriorityNodes"
        reason = f"Pool cannot have {both} specified if communication is enabled"
        raise bad_property("targetLowPriorityNodes", spot, reason)
    if ids := network.get("publicIPAddressConfiguration", {}).get("ipAddressIds"):
        most = NODES_PER_ADDRESS * len(ids)
        if max(dedicated, spot) > most:
            raise bad_property("ipAddressIds", None, f"{len(ids)} public IP addresses limit the pool to {most} nodes")
    for row in network.get("endpointConfiguration", {}).get("inboundNATPools", []):
        ports = row["frontendPortRangeEnd"] - row["frontendPortRangeStart"] + 1
        if max(dedicated, spot) > ports:
            raise bad_property("frontendPortRangeEnd", row["frontendPortRangeEnd"], f"{ports} ports are too few")
