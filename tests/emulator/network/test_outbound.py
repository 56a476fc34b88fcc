"""Whether a VM has a way out, so that its run-commands return results."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.http.scenarios import set_scenario
from batchimg_magics.emulator.network.outbound import has_way_out
from tests.support.compute_emulator import NETWORK, SUBNET, ComputeEmulator, resource
from tests.support.emulator_client import IN_GROUP, EmulatorClient
from tests.support.network_bodies import interface, machine, rule

GROUP = f"{NETWORK}/networkSecurityGroups/fence"
NAT, ROUTES = ({"id": f"{NETWORK}/{kind}/x"} for kind in ("natGateways", "routeTables"))
BALANCER = f"{NETWORK}/loadBalancers/lb"
DENY_ALL = rule("none", 4000, access="Deny", protocol="*", destinationAddressPrefix="*", destinationPortRange="*")


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def change_subnet(compute: ComputeEmulator, **properties: Any) -> None:
    network = compute.store.get(SUBNET.partition("/subnets/")[0])
    assert network is not None
    network.doc["properties"]["subnets"][0]["properties"] |= properties
    compute.store.put(network)


def lets_out(compute: ComputeEmulator, **properties: Any) -> bool:
    """Tell whether a new interface without a public address has a way out."""
    return has_way_out(compute.store, compute.clock.now(), [compute.nic(**properties)])


@pytest.mark.parametrize(
    ("subnet", "out"),
    [
        ({}, True),
        ({"defaultOutboundAccess": True}, True),
        ({"defaultOutboundAccess": False}, False),
        ({"defaultOutboundAccess": False, "natGateway": NAT}, True),
        ({"defaultOutboundAccess": False, "routeTable": ROUTES}, True),
    ],
)
def test_a_private_subnet_needs_a_gateway(compute: ComputeEmulator, subnet: dict[str, Any], *, out: bool) -> None:
    change_subnet(compute, **subnet)
    assert lets_out(compute) is out


def test_a_public_address_is_a_way_out(compute: ComputeEmulator) -> None:
    set_scenario(compute.store, "private-subnets")
    assert not lets_out(compute)
    assert has_way_out(compute.store, compute.clock.now(), [f"{NETWORK}/networkInterfaces/desk-vm-nic"])


@pytest.mark.parametrize(
    ("rules", "out"),
    [
        ({"outboundRules": [{"name": "out", "properties": {}}]}, True),
        ({"loadBalancingRules": [{"name": "in", "properties": {"disableOutboundSnat": False}}]}, True),
        ({"loadBalancingRules": [{"name": "in", "properties": {"disableOutboundSnat": True}}]}, False),
        ({}, False),
    ],
)
def test_a_load_balancer_may_let_out(compute: ComputeEmulator, rules: dict[str, Any], *, out: bool) -> None:
    change_subnet(compute, defaultOutboundAccess=False)
    ends = {"frontendIPConfigurations": [], "backendAddressPools": []}
    document = {"id": BALANCER, "location": "eastus", "properties": ends | rules}
    compute.ask("POST", "https://management.azure.com/_sim/import", {"resources": [document]})
    pools = [{"id": f"{BALANCER}/backendAddressPools/nodes"}]
    inside = {"subnet": {"id": SUBNET}, "loadBalancerBackendAddressPools": pools}
    assert lets_out(compute, ipConfigurations=[{"name": "ip", "properties": inside}]) is out


@pytest.mark.parametrize(
    ("rules", "out"),
    [
        ([], True),
        ([rule()], True),
        ([rule(), DENY_ALL], True),
        ([DENY_ALL], False),
        ([rule(priority=4001), DENY_ALL], False),
        ([rule(destinationPortRange="80"), DENY_ALL], False),
        ([rule(destinationPortRange="400-500"), DENY_ALL], True),
        ([rule(destinationPortRange=None, destinationPortRanges=["80", "443"]), DENY_ALL], True),
        ([rule(destinationAddressPrefix="Storage"), DENY_ALL], False),
        ([rule(destinationAddressPrefix=None, destinationAddressPrefixes=["Storage", "AzureCloud"]), DENY_ALL], True),
        ([rule(protocol="Udp"), DENY_ALL], False),
        ([rule(direction="Inbound"), DENY_ALL], False),
        ([rule(access="Deny", destinationAddressPrefix="Internet")], False),
        ([rule(access="Deny", destinationAddressPrefix="10.0.0.0/8")], True),
        ([rule(access="Deny", sourceAddressPrefix="10.9.0.0/16")], True),
    ],
)
@pytest.mark.parametrize("where", ["interface", "subnet"])
def test_a_security_group_decides_by_its_first_rule(
    compute: ComputeEmulator, rules: list[dict[str, Any]], where: str, *, out: bool
) -> None:
    compute.make(GROUP, {"securityRules": rules}, version="2024-05-01")
    reference = {"networkSecurityGroup": {"id": GROUP}}
    if where == "subnet":
        change_subnet(compute, **reference)
    assert lets_out(compute, **(reference if where == "interface" else {})) is out


@pytest.mark.parametrize(("rules", "status"), [([rule(), DENY_ALL], "Succeeded"), ([DENY_ALL], "InProgress")])
def test_results_come_back_through_a_fence_for_azure_only(
    compute: ComputeEmulator, rules: list[dict[str, Any]], status: str
) -> None:
    compute.make(GROUP, {"securityRules": rules}, version="2024-05-01")
    configuration = {"name": "nic", "properties": interface(networkSecurityGroup={"id": GROUP})}
    compute.make(
        resource("virtualMachines/vm"),
        machine(networkApiVersion="2022-11-01", networkInterfaceConfigurations=[configuration]),
    )
    body = {"commandId": "RunShellScript", "script": ["echo a"]}
    begun = compute.ask("POST", "virtualMachines/vm/runCommand", body)
    compute.clock.advance(600)
    assert compute.ask("GET", begun.headers["Azure-AsyncOperation"]).body["status"] == status


def test_private_subnets_are_shown_as_private() -> None:
    azure = EmulatorClient()
    networks = f"{IN_GROUP}/providers/Microsoft.Network/virtualNetworks"
    for scenario, shown in (("calm", None), ("private-subnets", False)):
        set_scenario(azure.store, scenario)
        (network,) = azure.ask("GET", networks, version="2024-05-01").body["value"]
        subnet = azure.ask("GET", f"{networks}/{network['name']}/subnets/default", version="2024-05-01").body
        for one in (network["properties"]["subnets"][0], subnet):
            assert one["properties"].get("defaultOutboundAccess") is shown
