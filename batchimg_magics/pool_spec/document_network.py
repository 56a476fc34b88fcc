"""From the network configuration of a REST document to the fields of a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.pool_spec.document_part import integer, without_empty

if TYPE_CHECKING:
    from batchimg_magics.pool_spec.document_part import DocumentPart

__all__ = ["read_network"]


def read_network(network: DocumentPart) -> dict[str, Any]:
    """Return the fields of a spec that a network configuration sets."""
    scope = str(network.take("dynamicVNetAssignmentScope") or "none")
    if scope.lower() != "none":
        network.omit(f"dynamicVNetAssignmentScope {scope}")
    ports = network.part("endpointConfiguration").rows("inboundNATPools")
    addresses = network.part("publicIPAddressConfiguration")
    provision = str(addresses.take("provision") or "").lower()
    tags = {row.take("ipTagType"): row.take("tag") for row in addresses.rows("ipTags")}
    return without_empty(
        {
            "subnet": network.take("subnetId"),
            "accelerated_networking": network.take("enableAcceleratedNetworking"),
            "no_public_address": provision == "nopublicipaddresses",
            "public_addresses": addresses.take("ipAddressIds"),
            "ip_families": addresses.take("ipFamilies"),
            "ip_tags": tags,
            "login_ports": [_login_port(port) for port in ports],
        }
    )


def _login_port(port: DocumentPart) -> dict[str, Any]:
    rules = sorted(port.rows("networkSecurityGroupRules"), key=lambda rule: int(rule.take("priority") or 0))
    return without_empty(
        {
            "name": port.take("name"),
            "protocol": str(port.take("protocol") or "tcp").lower(),
            "port": integer(port.take("backendPort")),
            "first": integer(port.take("frontendPortRangeStart")),
            "last": integer(port.take("frontendPortRangeEnd")),
            "allow": _allowed(port, rules),
        }
    )


def _allowed(port: DocumentPart, rules: list[DocumentPart]) -> list[str]:
    """Return the addresses with access: those of rules that allow, before a last rule that denies all others."""
    found = [(str(rule.take("access")).lower(), str(rule.take("sourceAddressPrefix"))) for rule in rules]
    for rule in rules:
        if rule.take("sourcePortRanges") not in (None, ["*"]):
            rule.omit("sourcePortRanges")
    sources = [source for access, source in found if access == "allow"]
    if found and found != [*(("allow", source) for source in sources), ("deny", "*")] and sources != ["*"]:
        # Without the last rule, Azure's default rules decide about all others.
        port.omit("networkSecurityGroupRules, which are more than addresses with access")
    return [] if sources == ["*"] else sources
