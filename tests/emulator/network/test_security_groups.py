"""Network security groups and interfaces: made, refused, joined, and in use."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.services.roles import DEFINITIONS
from tests.support.compute_emulator import NETWORK, SUBNET, ComputeEmulator, EmulatorResponse, resource
from tests.support.network_bodies import interface, machine, rule

GROUP = f"{NETWORK}/networkSecurityGroups/fence"
NIC = f"{NETWORK}/networkInterfaces/one"
OTHER = "00000000-1111-4222-8333-444444444444"


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def put(compute: ComputeEmulator, path: str, properties: dict[str, Any], location: str = "eastus") -> EmulatorResponse:
    return compute.ask("PUT", path, {"location": location, "properties": properties})


def test_a_group_is_made_changed_listed_and_deleted(compute: ComputeEmulator) -> None:
    made = put(compute, GROUP, {"securityRules": [rule()]})
    assert (made.status, made.properties["provisioningState"]) == (201, "Creating")
    operation = made.headers["Azure-AsyncOperation"]
    assert "/providers/Microsoft.Network/locations/eastus/operations/" in operation
    compute.clock.advance(30)
    assert compute.ask("GET", operation).body["status"] == "Succeeded"
    found = compute.ask("GET", GROUP, version="2024-05-01")
    (shown,) = found.properties["securityRules"]
    assert shown["id"] == f"{GROUP}/securityRules/azure"
    assert [one["name"] for one in found.properties["defaultSecurityRules"]][-1] == "DenyAllOutBound"
    assert compute.ask("GET", shown["id"], version="2024-05-01").body["name"] == "azure"
    tagged = compute.ask("PATCH", GROUP, {"tags": {"a": "b"}}, "2024-05-01")
    assert (tagged.status, tagged.body["tags"]) == (200, {"a": "b"})
    compute.clock.advance(30)
    listed = compute.ask("GET", GROUP.rpartition("/")[0], version="2024-05-01").body["value"]
    assert [(one["name"], len(one["properties"]["securityRules"])) for one in listed] == [("fence", 1)]
    assert compute.ask("DELETE", GROUP, version="2024-05-01").status == 202
    compute.clock.advance(30)
    assert compute.ask("GET", GROUP, version="2024-05-01").status == 404
    assert compute.ask("DELETE", GROUP, version="2024-05-01").status == 204


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([rule(), rule("other")], "SecurityRuleConflict"),
        ([rule(priority=5000)], "SecurityRuleInvalidPriority"),
        ([rule(priority=1)], "InvalidParameter"),
        ([rule(direction="Sideways")], "InvalidParameter"),
        ([rule(destinationAddressPrefix=None)], "InvalidParameter"),
        ([{"properties": rule()["properties"]}], "InvalidParameter"),
    ],
)
def test_rules_are_checked(compute: ComputeEmulator, rules: list[dict[str, Any]], code: str) -> None:
    response = put(compute, GROUP, {"securityRules": rules})
    assert (response.status, response.code) == (400, code)


def test_rules_of_both_directions_may_have_one_priority(compute: ComputeEmulator) -> None:
    assert put(compute, GROUP, {"securityRules": [rule(), rule("in", direction="Inbound")]}).status == 201


def test_a_group_in_use_stays_until_its_interface_is_gone(compute: ComputeEmulator) -> None:
    put(compute, GROUP, {})
    compute.clock.advance(30)
    made = put(compute, NIC, interface(networkSecurityGroup={"id": GROUP}))
    assert made.status == 201
    compute.clock.advance(30)
    refused = compute.ask("DELETE", GROUP, version="2024-05-01")
    assert (refused.status, refused.code) == (400, "InUseNetworkSecurityGroupCannotBeDeleted")
    assert NIC in refused.message
    assert compute.ask("DELETE", NIC, version="2024-05-01").status == 202
    compute.clock.advance(30)
    assert compute.ask("DELETE", GROUP, version="2024-05-01").status == 202


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize(
    ("subnet", "group", "location"),
    [
        (f"{SUBNET}-none", "", "eastus"),
        (SUBNET.replace("research-vnet", "no-vnet"), "", "eastus"),
        (SUBNET, f"{GROUP}-none", "eastus"),
        (SUBNET, GROUP, "westus"),
        (SUBNET, "", "westus"),
        ("other subscription", "", "eastus"),
    ],
)
def test_what_an_interface_refers_to_has_to_be_near(
    compute: ComputeEmulator, *, subnet: str, group: str, location: str, inline: bool
) -> None:
    put(compute, GROUP, {})
    compute.clock.advance(30)
    if subnet == "other subscription":
        network = compute.ask("GET", SUBNET.partition("/subnets/")[0], version="2024-05-01").body
        moved = SUBNET.split("/")[2], OTHER
        network = {**network, "id": network["id"].replace(*moved)}
        subnet = SUBNET.replace(*moved)
        network["properties"]["subnets"][0]["id"] = subnet
        compute.ask("POST", "https://management.azure.com/_sim/import", {"resources": [network]})
    properties = interface(subnet, **({"networkSecurityGroup": {"id": group}} if group else {}))
    if inline:
        configuration = {"name": "nic", "properties": properties}
        body = machine(networkApiVersion="2022-11-01", networkInterfaceConfigurations=[configuration])
        refused = put(compute, resource("virtualMachines/vm"), body, location)
    else:
        refused = put(compute, NIC, properties, location)
    assert (refused.status, refused.code) == (400, "InvalidResourceReference")
    assert "was not found. Please make sure that the referenced resource exists" in refused.message


def test_a_vm_takes_an_interface_that_exists_and_is_free(compute: ComputeEmulator) -> None:
    assert put(compute, GROUP, {"securityRules": [rule()]}).status == 201
    compute.clock.advance(30)
    put(compute, NIC, interface(networkSecurityGroup={"id": GROUP}))
    compute.clock.advance(30)
    vm = resource("virtualMachines/vm")
    body = machine(networkInterfaces=[{"id": NIC}])
    assert put(compute, vm, body).status == 201
    compute.clock.advance(300)
    shown = compute.ask("GET", NIC, version="2024-05-01").properties
    assert shown["virtualMachine"]["id"] == vm
    assert shown["networkSecurityGroup"]["id"] == GROUP
    refused = put(compute, resource("virtualMachines/second"), body)
    assert (refused.status, refused.code) == (400, "NicInUse")
    body = machine(networkInterfaces=[{"id": f"{NIC}-none"}])
    assert put(compute, resource("virtualMachines/third"), body).code == "InvalidResourceReference"


def test_an_interface_of_a_vm_has_the_group_and_the_address_of_its_configuration(compute: ComputeEmulator) -> None:
    put(compute, GROUP, {})
    compute.clock.advance(30)
    inside = interface(networkSecurityGroup={"id": GROUP}, deleteOption="Delete")
    inside["ipConfigurations"][0]["properties"]["publicIPAddressConfiguration"] = {"name": "ip"}
    body = machine(
        networkApiVersion="2022-11-01", networkInterfaceConfigurations=[{"name": "nic", "properties": inside}]
    )
    compute.make(resource("virtualMachines/vm"), body)
    (nic,) = compute.ask("GET", "virtualMachines/vm").properties["networkProfile"]["networkInterfaces"]
    shown = compute.ask("GET", nic["id"], version="2024-05-01").properties
    assert shown["networkSecurityGroup"]["id"] == GROUP
    address = shown["ipConfigurations"][0]["properties"]["publicIPAddress"]["id"]
    assert compute.ask("GET", address, version="2024-05-01").properties["ipAddress"].startswith("203.0.113.")
    assert compute.ask("DELETE", GROUP, version="2024-05-01").code == "InUseNetworkSecurityGroupCannotBeDeleted"


def test_joining_needs_a_permission(compute: ComputeEmulator) -> None:
    put(compute, GROUP, {})
    compute.clock.advance(30)
    denied = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    allow_all_but(compute, denied)
    refused = put(compute, NIC, interface())
    assert (refused.status, refused.code) == (403, "LinkedAuthorizationFailed")
    assert f"perform action(s) '{denied[0]}' on the linked scope(s) '{SUBNET}'" in refused.message
    allow_all_but(compute, ["Microsoft.Network/networkSecurityGroups/join/action"])
    assert put(compute, NIC, interface()).status == 201
    refused = put(compute, f"{NIC}2", interface(networkSecurityGroup={"id": GROUP}))
    assert refused.code == "LinkedAuthorizationFailed"


def allow_all_but(compute: ComputeEmulator, denied: list[str]) -> None:
    """Assign a role that allows everything but some actions."""
    scope = "/".join(NIC.split("/")[:3])
    role = f"{scope}/providers/{DEFINITIONS}/most"
    permissions = [{"actions": ["*"], "notActions": denied}]
    compute.ask("PUT", role, {"properties": {"roleName": "most", "permissions": permissions}})
    assignment = f"{scope}/providers/Microsoft.Authorization/roleAssignments/mine"
    compute.ask("PUT", assignment, {"properties": {"roleDefinitionId": role}})
