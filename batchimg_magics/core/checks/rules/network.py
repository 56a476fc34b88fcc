"""Rules for the subnet of the nodes."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.base.node_counts import current_counts
from batchimg_magics.core.checks.rules import fixes, sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, warned
from batchimg_magics.core.compute import subnets
from batchimg_magics.core.compute.security_groups import FIRST_PRIORITY, LAST_PRIORITY
from batchimg_magics.pool_spec.line import shell_word
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResults

#: Addresses that Azure reserves in each subnet. Source: Azure virtual network documents.
RESERVED = 5
#: The application id of Microsoft Azure Batch in every tenant. Source: Batch documents, user subscription mode.
BATCH_APPLICATION = "ddbf3205-c6bd-46ae-8127-60eb93363864"
_NEEDS = ("the virtual network",)


def _subnet(facts: Facts) -> Json | None:
    subnets = dig(facts.network, "properties", "subnets") or []
    return next((one for one in subnets if is_same_resource(one["id"], facts.spec.subnet or "")), None)


@rule("subnet", "error", sources.NETWORK, needs=_NEEDS)
def subnet(facts: Facts) -> RuleResults:
    """The subnet exists, in the subscription and region of the Batch account."""
    if not facts.spec.subnet:
        return None
    if _subnet(facts) is None:
        return failed(f"there is no subnet {facts.spec.subnet}", _list_subnets_command(facts.spec.subnet))
    where = region_key(str(dig(facts.network, "location")))
    home = ResourceId.parse(facts.spec.subnet).subscription
    if where != facts.region or home.lower() != facts.scope.subscription.lower():
        return failed(
            f"the subnet is in {where}, subscription {home}; the Batch account is in {facts.region}, subscription "
            f"{facts.scope.subscription}",
            "both must be the same: choose another --subnet",
        )
    return passed(f"in {where}, the region of the Batch account")


@rule("subnet-addresses", "error", sources.NETWORK, needs=_NEEDS)
def subnet_addresses(facts: Facts) -> RuleResults:
    """The subnet has a free address for every node."""
    found = _subnet(facts)
    if found is None:
        return None
    props = found["properties"]
    ranges = props.get("addressPrefixes") or [props.get("addressPrefix")]
    networks = [ipaddress.ip_network(str(one), strict=False) for one in ranges if one]
    total = sum(max(0, one.num_addresses - RESERVED) for one in networks if one.version == 4)
    # The addresses of the pool's own nodes are in use, and stay in use by them.
    own = (
        current_counts(facts.pool).total if facts.pool and is_same_resource(_subnet_of(facts.pool), found["id"]) else 0
    )
    free = total - max(0, len(props.get("ipConfigurations") or []) - own)
    nodes = facts.target.total
    if nodes <= free:
        return passed(f"addresses free: {free:,} of {total:,}, for {count_text(nodes, 'node')}")
    return failed(
        f"the subnet has {free:,} of {total:,} addresses free; the pool will have {count_text(nodes, 'node')}",
        "choose a larger --subnet: Batch stops at the last free address with a resize error",
    )


def _subnet_of(pool: Json) -> str:
    return str(dig(pool, "properties", "networkConfiguration", "subnetId") or "")


@rule("subnet-delegation", "error", sources.NETWORK, needs=_NEEDS)
def subnet_delegation(facts: Facts) -> RuleResults:
    """The subnet is not delegated to a service: Batch cannot create nodes in a delegated subnet."""
    found = _subnet(facts)
    if found is None:
        return None
    services = subnets.delegations(found)
    if not services:
        return passed("not delegated to a service")
    return failed(
        f"the subnet is delegated to {', '.join(services)}: every allocation of nodes would fail",
        f"choose another --subnet: {_list_subnets_command(str(facts.spec.subnet))}",
    )


@rule("subnet-outbound", "error", sources.NETWORK, needs=(*_NEEDS, "the network security group"), acceptable=True)
def subnet_outbound(facts: Facts) -> RuleResults:
    """The subnet allows outbound traffic to BatchNodeManagement on port 443, and has a way out for it."""
    found = _subnet(facts)
    if found is None:
        return None
    service_tag = f"BatchNodeManagement.{facts.region}"
    denying = _first_match(facts.security_group, service_tag)
    if denying is not None and str(dig(denying, "properties", "access")).lower() == "deny":
        group, priority = str(dig(facts.security_group, "name")), _free_priority(facts.security_group, denying)
        located = fixes.az_location_options(str(dig(facts.security_group, "id")))
        allow = (
            f"`az network nsg rule create {located} --nsg-name {shell_word(group)} "
            f"--name batch-out --direction Outbound --priority {priority} --access Allow "
            f"--protocol Tcp --destination-address-prefixes {service_tag} --destination-port-ranges 443`"
        )
        return warned(
            f"rule {denying['name']} of network security group {group} denies outbound traffic to {service_tag}, port "
            "443",
            allow if priority else f"give {denying['name']} a higher number, and add a rule before it that allows this",
        )
    if facts.spec.no_public_address and not dig(found, "properties", "natGateway"):
        kind, result = ("subnet", warned) if subnets.ways_out(found) else ("private subnet", failed)
        return result(
            f"nodes without a public address cannot connect to {service_tag}, port 443: the {kind} has no NAT gateway",
            "add a NAT gateway, or a private endpoint for the node management of the Batch account; see Batch: pools "
            "without public IP addresses",
        )
    route = "; the route table of the subnet must allow this" if dig(found, "properties", "routeTable") else ""
    return passed(
        f"nodes must be able to connect to {service_tag}, port 443, and to what the start task downloads from{route}"
    )


@rule("subnet-role", "info", sources.NETWORK)
def subnet_role(facts: Facts) -> RuleResults:
    """The Batch service can have a role in the virtual network of the nodes."""
    if not facts.spec.subnet:
        return None
    network, _, _ = facts.spec.subnet.partition("/subnets/")
    return passed(
        "you need the permission subnets/join/action: see the rule `permissions`",
        "if allocation fails with LinkedAuthorizationFailed: `az role assignment create --role "
        f"'Classic Virtual Machine Contributor' --assignee {BATCH_APPLICATION} --scope {shell_word(network)}`",
    )


def _list_subnets_command(subnet: str) -> str:
    network = ResourceId.parse(subnet).path[0][1]
    where = f"{fixes.az_location_options(subnet)} --vnet-name {shell_word(network)}"
    return f"`az network vnet subnet list {where}` lists the subnets"


def _free_priority(group: Json | None, rule: Json) -> int | None:
    """Return an unused outbound priority before the priority of a rule; None if there is none."""
    taken = {
        int(dig(one, "properties", "priority") or 0)
        for one in dig(group, "properties", "securityRules") or []
        if str(dig(one, "properties", "direction")).lower() == "outbound"
    }
    last = min(int(dig(rule, "properties", "priority")), LAST_PRIORITY + 1)
    return next((one for one in range(last - 1, FIRST_PRIORITY - 1, -1) if one not in taken), None)


def _first_match(group: Json | None, service_tag: str) -> Json | None:
    """Return the rule that applies to TCP port 443 of a service tag: the first that matches, by priority."""
    rules = [
        *(dig(group, "properties", "securityRules") or []),
        *(dig(group, "properties", "defaultSecurityRules") or []),
    ]
    ordered = sorted(rules, key=lambda one: int(dig(one, "properties", "priority") or 0))
    return next((one for one in ordered if _matches(one["properties"], service_tag)), None)


def _matches(props: dict[str, Any], service_tag: str) -> bool:
    tags = {"*", "0.0.0.0/0", "internet", "azurecloud", service_tag.lower(), service_tag.partition(".")[0].lower()}
    prefixes = [props.get("destinationAddressPrefix"), *(props.get("destinationAddressPrefixes") or [])]
    ports = [props.get("destinationPortRange"), *(props.get("destinationPortRanges") or [])]
    return (
        str(props.get("direction")).lower() == "outbound"
        and str(props.get("protocol")).lower() in ("*", "tcp")
        and any(str(one).lower() in tags for one in prefixes if one)
        and any(_has_443(str(one)) for one in ports if one)
    )


def _has_443(ports: str) -> bool:
    low, _, high = ports.partition("-")
    return ports == "*" or (low.isdigit() and int(low) <= 443 <= int(high or low))
