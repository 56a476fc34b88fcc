"""Whether a network interface has a way out to Azure: without one, run-command cannot return results.

Source: Microsoft's pages on run-command, default outbound access, and network security groups.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.emulator.world.store import Store

_PORT = 443
#: The destinations of a rule that contain the public addresses of Azure.
_DESTINATIONS = frozenset({"*", "0.0.0.0/0", "any", "internet", "azurecloud"})
_INTERNET = _DESTINATIONS - {"azurecloud"}
#: The sources of a rule that contain every address of a virtual network.
_SOURCES = frozenset({"*", "0.0.0.0/0", "any", "virtualnetwork"})
evidence = Evidence("Outbound access of VMs")
evidence.rule(
    "A route table is a way out; where its routes lead is not followed.", "it may lead to a firewall that lets all out"
)
evidence.rule(
    "Run-command needs TCP to AzureCloud 443; rules that allow a part of AzureCloud only are not enough.",
    "Microsoft names AzureCloud; which addresses the agent needs is not published",
)


def has_way_out(store: Store, now: float, nic_ids: list[str]) -> bool:
    """Tell whether one of a VM's network interfaces has a way out; a VM without interfaces is not judged."""
    found = [one for one in (find_document(store, now, key) for key in nic_ids) if one is not None]
    return not found or any(_interface_has_way_out(store, now, one) for one in found)


def reaches_internet(store: Store, now: float, nic_ids: list[str]) -> bool:
    """Tell whether one of a VM's network interfaces reaches what is not Azure; one without interfaces is not judged."""
    found = [one for one in (find_document(store, now, key) for key in nic_ids) if one is not None]
    return not found or any(_interface_has_way_out(store, now, one, internet=True) for one in found)


def find_document(store: Store, now: float, key: str) -> dict[str, Any] | None:
    """Return the document of a network resource, also of one that is nested in its parent's; None without it."""
    item = resources.find(store, now, key)
    if item is not None:
        return resources.document_at(item, now)
    above, _, name = key.rpartition("/")
    above, _, word = above.rpartition("/")
    parent = resources.find(store, now, above) if above.count("/") >= 8 else None
    listed = [] if parent is None else _members(parent.doc["properties"], word)
    return next((one for one in listed if str(one.get("name", "")).lower() == name.lower()), None)


def _members(properties: dict[str, Any], word: str) -> list[dict[str, Any]]:
    found = next((value for name, value in properties.items() if name.lower() == word.lower()), None)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _reference(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    return str(value.get("id") or "") if isinstance(value, dict) else ""


def _interface_has_way_out(store: Store, now: float, nic: dict[str, Any], *, internet: bool = False) -> bool:
    properties = nic.get("properties") or {}
    own_group = _reference(properties, "networkSecurityGroup")
    for configuration in _members(properties, "ipConfigurations"):
        inside = configuration.get("properties") or {}
        subnet = find_document(store, now, _reference(inside, "subnet"))
        settings = (subnet or {}).get("properties") or {}
        groups = [own_group, _reference(settings, "networkSecurityGroup")]
        address = str(inside.get("privateIPAddress") or "")
        if _is_routed(store, now, inside, settings) and all(
            _lets_out(store, now, group, address, internet=internet) for group in groups if group
        ):
            return True
    return False


def _is_routed(store: Store, now: float, configuration: dict[str, Any], subnet: dict[str, Any]) -> bool:
    """Tell whether packets of an interface leave its virtual network."""
    if _reference(configuration, "publicIPAddress") or isinstance(
        (configuration.get("publicIPAddress") or {}).get("properties"), dict
    ):
        return True
    if _reference(subnet, "natGateway") or _reference(subnet, "routeTable"):
        return True
    pools = _members(configuration, "loadBalancerBackendAddressPools")
    if any(_balancer_lets_out(store, now, str(pool.get("id") or "")) for pool in pools):
        return True
    return has_default_access(store, subnet)


def has_default_access(store: Store, subnet: dict[str, Any]) -> bool:
    """Tell whether a subnet has default outbound access; in the scenario ``private-subnets`` none has."""
    private = scenarios.current(store).private_subnets
    return not private and subnet.get("defaultOutboundAccess") is not False


def shown_network(store: Store, document: dict[str, Any]) -> dict[str, Any]:
    """Return a virtual network or a subnet as answers show it: in the scenario ``private-subnets`` subnets are private.

    Other documents are returned as they are.
    """
    kind, inner = str(document.get("type") or document.get("id")).lower(), document.get("properties")
    if not isinstance(inner, dict) or not scenarios.current(store).private_subnets:
        return document
    if "/subnets" in kind:
        return document | {"properties": inner | {"defaultOutboundAccess": False}}
    if "/virtualnetworks" in kind:
        listed = [shown_network(store, one) for one in _members(inner, "subnets")]
        return document | {"properties": inner | {"subnets": listed}}
    return document


def _balancer_lets_out(store: Store, now: float, pool: str) -> bool:
    balancer = find_document(store, now, pool.partition("/backendAddressPools/")[0])
    properties = (balancer or {}).get("properties") or {}
    rules = _members(properties, "loadBalancingRules")
    return bool(_members(properties, "outboundRules")) or any(
        not (rule.get("properties") or {}).get("disableOutboundSnat") for rule in rules
    )


# -- security groups ---------------------------------------------------------------------------------------------


def _lets_out(store: Store, now: float, group: str, address: str, *, internet: bool) -> bool:
    """Tell whether a security group lets TCP out to Azure, or to the internet: its first rule that matches decides."""
    document = find_document(store, now, group)
    if document is None:
        return True
    rules = sorted(_outbound_rules(document["properties"]), key=lambda rule: int(rule.get("priority") or 0))
    for rule in rules:
        if _matches(rule, address, internet=internet):
            return str(rule.get("access", "")).lower() != "deny"
    return True  # AllowInternetOutBound, one of the default rules


def _outbound_rules(properties: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for rule in _members(properties, "securityRules"):
        inside = rule.get("properties") or {}
        if str(inside.get("direction", "")).lower() == "outbound":
            yield inside


def _matches(rule: dict[str, Any], address: str, *, internet: bool) -> bool:
    denies = str(rule.get("access", "")).lower() == "deny"
    return (
        str(rule.get("protocol", "*")).lower() in ("*", "tcp", "any")
        and any(_has_port(one) for one in _values(rule, "destinationPortRange"))
        and any(
            one in _INTERNET if internet else _is_azure(one, part=denies)
            for one in _values(rule, "destinationAddressPrefix", "destinationAddressPrefixes")
        )
        and any(_is_source(one, address) for one in _values(rule, "sourceAddressPrefix", "sourceAddressPrefixes"))
    )


def _values(rule: dict[str, Any], one: str, many: str = "") -> list[str]:
    """Return the values of a property that exists for one value and for several."""
    listed = rule.get(many or f"{one}s") or []
    single = [rule[one]] if rule.get(one) else []
    return [str(value).lower() for value in (*single, *listed)] or ["*"]


def _has_port(text: str) -> bool:
    if text in ("*", "any"):
        return True
    low, _, high = text.partition("-")
    return low.isdigit() and int(low) <= _PORT <= int(high if high.isdigit() else low)


def _is_azure(text: str, *, part: bool) -> bool:
    """Tell whether a destination contains the public addresses of Azure, or for `part` some of them."""
    return text in _DESTINATIONS or (part and (text.startswith("azurecloud.") or text in ("azurestorage", "storage")))


def _is_source(text: str, address: str) -> bool:
    if text in _SOURCES:
        return True
    try:
        return bool(address) and ipaddress.ip_address(address) in ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
