"""Virtual networks, subnets and the addresses in them: made, changed, refused, and in use."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.furnish import SUBSCRIPTION
from tests.support.compute_emulator import NETWORK, SUBNET, ComputeEmulator, EmulatorResponse
from tests.support.network_bodies import interface

NET = f"{NETWORK}/virtualNetworks/net"
A, B = f"{NET}/subnets/a", f"{NET}/subnets/b"
NIC = f"{NETWORK}/networkInterfaces/one"


def space(*prefixes: str, **subnets: str) -> dict[str, Any]:
    listed = [{"name": name, "properties": {"addressPrefix": prefix}} for name, prefix in subnets.items()]
    return {"addressSpace": {"addressPrefixes": list(prefixes)}, "subnets": listed}


@pytest.fixture
def azure() -> ComputeEmulator:
    made = ComputeEmulator()
    assert put(made, NET, space("10.9.0.0/16", a="10.9.1.0/24")).status == 201
    return made


def put(
    azure: ComputeEmulator, path: str, properties: Any, *, version: str = "2024-05-01", **top: Any
) -> EmulatorResponse:
    """Send a PUT, and wait until it is done."""
    response = azure.ask("PUT", path, {"location": "eastus", **top, "properties": properties}, version)
    azure.clock.advance(60)
    return response


def get(azure: ComputeEmulator, path: str) -> EmulatorResponse:
    return azure.ask("GET", path, version="2024-05-01")


def test_a_network_is_made_changed_and_deleted(azure: ComputeEmulator) -> None:
    network = get(azure, NET)
    assert network.properties["provisioningState"] == "Succeeded"
    assert network.headers["ETag"] == network.body["etag"]
    (subnet,) = network.properties["subnets"]
    assert (subnet["id"], subnet["properties"]["provisioningState"]) == (A, "Succeeded")
    begun = azure.ask("PUT", B, {"properties": {"addressPrefix": "10.9.2.0/24"}}, "2024-05-01")
    assert (begun.status, begun.properties["provisioningState"]) == (201, "Updating")
    busy = azure.ask("PUT", A, {"properties": {"addressPrefix": "10.9.1.0/24"}}, "2024-05-01")
    assert (busy.status, busy.code) == (429, "AnotherOperationInProgress")
    early = azure.ask("PUT", NIC, {"location": "eastus", "properties": interface(A)}, "2024-05-01")
    assert (early.status, early.code) == (429, "ReferencedResourceNotProvisioned")
    azure.clock.advance(60)
    assert azure.ask("GET", begun.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"
    listed = get(azure, f"{NET}/subnets").body["value"]
    assert [one["name"] for one in listed] == ["a", "b"]
    assert (
        put(azure, B, {"addressPrefix": "10.9.2.0/24", "serviceEndpoints": [{"service": "Microsoft.Storage"}]}).status
        == 200
    )
    assert azure.ask("DELETE", B, version="2024-05-01").status == 202
    azure.clock.advance(60)
    assert (get(azure, B).status, azure.ask("DELETE", B, version="2024-05-01").status) == (404, 204)
    assert put(azure, f"{NET}-none/subnets/a", {"addressPrefix": "10.9.1.0/24"}).code == "ParentResourceNotFound"
    tagged = azure.ask("PATCH", NET, {"tags": {"a": "b"}}, "2024-05-01")
    assert tagged.body["tags"] == {"a": "b"}
    azure.clock.advance(60)
    assert azure.ask("DELETE", NET, version="2024-05-01").status == 202


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({}, "InvalidParameter"),
        (space(), "InvalidParameter"),
        (space("10.9.0.0"), "InvalidAddressPrefixFormat"),
        (space("10.9.0.0/99"), "InvalidAddressPrefixFormat"),
        (space("10.9.0.0/255.255.0.0"), "InvalidAddressPrefixFormat"),
        (space("10.9.0.1/16"), "InvalidCIDRNotation"),
        (space("10.9.0.0/16", "10.9.1.0/24"), "AddressPrefixesOverlap"),
        (space("10.9.0.0/16", a="10.8.0.0/24"), "NetcfgSubnetRangeOutsideVnet"),
        (space("10.9.0.0/16", a="10.9.0.0/30"), "NetcfgInvalidSubnet"),
        (space("10.9.0.0/16", a="10.9.0.0/24", b="10.9.0.128/25"), "NetcfgSubnetRangesOverlap"),
        (space("10.9.0.0/16", a="10.9.0.0/24", A="10.9.1.0/24"), "InvalidParameter"),
        (space("10.9.0.0/16", **{"-a": "10.9.0.0/24"}), "InvalidParameter"),
    ],
)
def test_invalid_ranges_are_refused(azure: ComputeEmulator, properties: dict[str, Any], code: str) -> None:
    refused = put(azure, f"{NET}2", properties)
    assert (refused.status, refused.code) == (400, code)


def test_new_subnets_are_private_since_2025_07(azure: ComputeEmulator) -> None:
    put(azure, f"{NET}2", space("10.8.0.0/16", a="10.8.1.0/24"), version="2025-07-01")
    private = get(azure, f"{NET}2/subnets/a").properties
    assert private["defaultOutboundAccess"] is False
    assert "defaultOutboundAccess" not in get(azure, A).properties
    put(azure, A, {"addressPrefix": "10.9.1.0/24"}, version="2025-07-01")
    assert "defaultOutboundAccess" not in get(azure, A).properties
    put(azure, B, {"addressPrefix": "10.9.2.0/24", "defaultOutboundAccess": True}, version="2025-07-01")
    assert get(azure, B).properties["defaultOutboundAccess"] is True


def test_what_is_in_use_stays(azure: ComputeEmulator) -> None:
    assert put(azure, NIC, interface(A)).status == 201
    for path in (NET, A):
        refused = azure.ask("DELETE", path, version="2024-05-01")
        assert (refused.status, refused.code) == (400, "InUseSubnetCannotBeDeleted")
        assert f"{NIC}/ipConfigurations/ip" in refused.message
    assert put(azure, NET, space("10.9.0.0/16")).code == "InUseSubnetCannotBeDeleted"
    assert put(azure, A, {"addressPrefix": "10.9.7.0/24"}).code == "InUsePrefixCannotBeDeleted"
    delegation = [{"name": "d", "properties": {"serviceName": "Microsoft.Web/serverFarms"}}]
    assert (
        put(azure, A, {"addressPrefix": "10.9.1.0/24", "delegations": delegation}).code == "InUseSubnetCannotBeUpdated"
    )
    assert get(azure, A).properties["ipConfigurations"] == [{"id": f"{NIC}/ipConfigurations/ip"}]
    assert put(azure, B, {"addressPrefix": "10.9.2.0/24", "delegations": delegation}).status == 201
    assert put(azure, f"{NIC}2", interface(B)).code == "SubnetWithDelegationCannotBeUsedByResource"


def static(address: str | None, subnet: str = A) -> dict[str, Any]:
    inner = {"subnet": {"id": subnet}, "privateIPAllocationMethod": "Static", "privateIPAddress": address}
    return {"ipConfigurations": [{"name": "ip", "properties": inner}]}


def address_of(azure: ComputeEmulator, path: str) -> str:
    (one,) = get(azure, path).properties["ipConfigurations"]
    return str(one["properties"]["privateIPAddress"])


def test_interfaces_get_the_lowest_free_addresses_of_their_subnet(azure: ComputeEmulator) -> None:
    put(azure, B, {"addressPrefix": "10.9.2.0/29"})
    put(azure, f"{NIC}1", static("10.9.2.5", B))
    put(azure, f"{NIC}2", interface(B))
    put(azure, f"{NIC}3", interface(B))
    assert [address_of(azure, f"{NIC}{number}") for number in (1, 2, 3)] == ["10.9.2.5", "10.9.2.4", "10.9.2.6"]
    full = put(azure, f"{NIC}4", interface(B))
    assert (full.status, full.code) == (400, "SubnetIsFull")
    put(azure, f"{NIC}2", interface(B, enableIPForwarding=True))
    assert address_of(azure, f"{NIC}2") == "10.9.2.4"
    taken = get(azure, f"{NET}/CheckIPAddressAvailability?ipAddress=10.9.2.4").body
    assert (taken["available"], taken["availableIPAddresses"]) == (False, [])
    assert get(azure, f"{NET}/CheckIPAddressAvailability?ipAddress=10.9.1.9").body["available"] is True
    outside = get(azure, f"{NET}/CheckIPAddressAvailability?ipAddress=10.9.0.0").body
    assert (outside["available"], outside["availableIPAddresses"][0]) == (False, "10.9.1.4")
    usages = get(azure, f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/locations/eastus/usages").body[
        "value"
    ]
    assert {one["name"]["value"]: one["currentValue"] for one in usages}["VirtualNetworks"] == 2


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (None, "InvalidParameter"),
        ("10.9.1", "InvalidIPAddressFormat"),
        ("10.9.2.9", "PrivateIPAddressNotInSubnet"),
        ("10.9.1.3", "PrivateIPAddressInReservedRange"),
        ("10.9.1.255", "PrivateIPAddressInReservedRange"),
    ],
)
def test_static_addresses_have_to_be_in_the_subnet(azure: ComputeEmulator, address: str | None, code: str) -> None:
    assert put(azure, NIC, static(address)).code == code


def test_a_static_address_is_given_once(azure: ComputeEmulator) -> None:
    put(azure, NIC, static("10.9.1.9"))
    assert put(azure, f"{NIC}2", static("10.9.1.9")).code == "PrivateIPAddressIsAllocated"
    assert get(azure, SUBNET).status == 200


# -- what subnets refer to ---------------------------------------------------------------------------------------


def test_groups_tables_and_gateways_of_subnets_stay_until_they_are_free(azure: ComputeEmulator) -> None:
    group, table, gateway, address = (
        f"{NETWORK}/{one}"
        for one in ("networkSecurityGroups/g", "routeTables/t", "natGateways/n", "publicIPAddresses/p")
    )
    put(azure, group, {})
    put(azure, f"{group}/securityRules/ssh", {
        "priority": 300, "direction": "Inbound", "access": "Allow", "protocol": "tcp", "sourceAddressPrefix": "*",
        "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRange": "22",
    })  # fmt: skip
    assert [one["name"] for one in get(azure, f"{group}/securityRules").body["value"]] == ["ssh"]
    put(azure, table, {})
    assert put(azure, f"{table}/routes/out", {"addressPrefix": "0.0.0.0/0", "nextHopType": "Internet"}).status == 201
    double = put(azure, f"{table}/routes/second", {"addressPrefix": "0.0.0.0/0", "nextHopType": "None"})
    assert double.code == "RouteConflict"
    put(azure, address, {"publicIPAllocationMethod": "Static"}, sku={"name": "Standard"})
    assert put(azure, gateway, {"publicIpAddresses": [{"id": address}]}, sku={"name": "Standard"}).status == 201
    refers = {"networkSecurityGroup": {"id": group}, "routeTable": {"id": table}, "natGateway": {"id": gateway}}
    assert put(azure, A, {"addressPrefix": "10.9.1.0/24", **refers}).status == 200
    for path, code in (
        (group, "InUseNetworkSecurityGroupCannotBeDeleted"),
        (table, "InUseRouteTableCannotBeDeleted"),
        (gateway, "InUseNatGatewayCannotBeDeleted"),
        (address, "PublicIPAddressCannotBeDeleted"),
    ):
        assert azure.ask("DELETE", path, version="2024-05-01").code == code
        word = "natGateway" if path == address else "subnets"
        assert get(azure, path).properties[word] in ([{"id": A}], {"id": gateway})
    missing = put(azure, A, {"addressPrefix": "10.9.1.0/24", "routeTable": {"id": f"{table}2"}})
    assert missing.code == "InvalidResourceReference"
    assert put(azure, A, {"addressPrefix": "10.9.1.0/24"}).status == 200
    assert azure.ask("DELETE", group, version="2024-05-01").status == 202
    assert azure.ask("DELETE", f"{group}/securityRules/none", version="2024-05-01").status == 429
