"""Public IP addresses: made, refused, given to one interface, and deleted with a VM."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.compute_emulator import NETWORK, SUBNET, ComputeEmulator, EmulatorResponse, resource
from tests.support.network_bodies import interface, machine

ADDRESS = f"{NETWORK}/publicIPAddresses/ip"
NIC = f"{NETWORK}/networkInterfaces/one"
STANDARD = {"name": "Standard"}


@pytest.fixture
def azure() -> ComputeEmulator:
    return ComputeEmulator()


def put(azure: ComputeEmulator, path: str, properties: Any, **top: Any) -> EmulatorResponse:
    response = azure.ask("PUT", path, {"location": "eastus", **top, "properties": properties}, "2024-05-01")
    azure.clock.advance(60)
    return response


def with_address(address: str = ADDRESS) -> dict[str, Any]:
    body = interface(SUBNET)
    body["ipConfigurations"][0]["properties"]["publicIPAddress"] = {"id": address}
    return body


def test_an_address_is_made_and_given_to_one_interface(azure: ComputeEmulator) -> None:
    named = {"publicIPAllocationMethod": "Static", "dnsSettings": {"domainNameLabel": "my-vm"}}
    assert put(azure, ADDRESS, named, sku=STANDARD).status == 201
    shown = azure.ask("GET", ADDRESS, version="2024-05-01")
    assert shown.properties["ipAddress"].startswith("203.0.113.")
    assert shown.properties["dnsSettings"]["fqdn"] == "my-vm.eastus.cloudapp.azure.com"
    assert shown.body["sku"] == {"name": "Standard", "tier": "Regional"}
    assert put(azure, f"{ADDRESS}2", named, sku=STANDARD).code == "DnsRecordInUse"
    assert put(azure, NIC, with_address()).status == 201
    assert put(azure, f"{NIC}2", with_address()).code == "PublicIPAddressInUse"
    assert put(azure, f"{NIC}2", with_address(f"{ADDRESS}9")).code == "InvalidResourceReference"
    refused = azure.ask("DELETE", ADDRESS, version="2024-05-01")
    assert (refused.status, refused.code) == (400, "PublicIPAddressCannotBeDeleted")
    used = azure.ask("GET", ADDRESS, version="2024-05-01").properties
    assert used["ipConfiguration"] == {"id": f"{NIC}/ipConfigurations/ip"}
    assert used["ipAddress"] == shown.properties["ipAddress"]
    azure.ask("DELETE", NIC, version="2024-05-01")
    azure.clock.advance(60)
    assert azure.ask("DELETE", ADDRESS, version="2024-05-01").status == 202


@pytest.mark.parametrize(
    ("properties", "sku", "code"),
    [
        ({}, {"name": "Basic"}, "IPv4BasicSkuPublicIpCountLimitReached"),
        ({}, None, "IPv4BasicSkuPublicIpCountLimitReached"),
        ({"publicIPAllocationMethod": "Dynamic"}, STANDARD, "StandardSkuPublicIPAddressMustBeStatic"),
        ({"publicIPAllocationMethod": "Any"}, STANDARD, "InvalidParameter"),
        ({"dnsSettings": {"domainNameLabel": "My-VM"}}, STANDARD, "InvalidDomainNameLabel"),
        ({"idleTimeoutInMinutes": 31}, STANDARD, "InvalidParameter"),
    ],
)
def test_invalid_addresses_are_refused(
    azure: ComputeEmulator, properties: dict[str, Any], sku: dict[str, str] | None, code: str
) -> None:
    refused = put(azure, ADDRESS, properties, sku=sku)
    assert (refused.status, refused.code) == (400, code)


@pytest.mark.parametrize("option", ["Delete", "Detach"])
def test_the_address_of_a_vm_is_deleted_with_it_if_set(azure: ComputeEmulator, option: str) -> None:
    inside = interface(SUBNET, deleteOption="Delete")
    wanted = {"name": "ip", "properties": {"deleteOption": option}}
    inside["ipConfigurations"][0]["properties"]["publicIPAddressConfiguration"] = wanted
    body = machine(
        networkApiVersion="2022-11-01", networkInterfaceConfigurations=[{"name": "nic", "properties": inside}]
    )
    azure.make(resource("virtualMachines/vm"), body)
    (nic,) = azure.ask("GET", "virtualMachines/vm").properties["networkProfile"]["networkInterfaces"]
    shown = azure.ask("GET", nic["id"], version="2024-05-01").properties
    assert shown["virtualMachine"]["id"] == resource("virtualMachines/vm")
    assert shown["macAddress"].startswith("00-22-48-")
    address = shown["ipConfigurations"][0]["properties"]["publicIPAddress"]["id"]
    azure.ask("DELETE", "virtualMachines/vm")
    azure.clock.advance(600)
    assert azure.ask("GET", address, version="2024-05-01").status == (404 if option == "Delete" else 200)
