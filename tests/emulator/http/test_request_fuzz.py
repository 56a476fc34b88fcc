"""Every request gets a response in Azure's format: any host, path, header, token and bytes."""

from __future__ import annotations

import copy
import os
from collections import Counter
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchimg_magics.emulator import app
from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, REGION, SUBSCRIPTION
from batchimg_magics.emulator.http.messages import ConnectionDroppedError, Route
from batchimg_magics.emulator.http.tokens import TENANT
from tests.support.api_versions import version_for
from tests.support.emulator_client import ARM, COMPUTE, EmulatorClient

HOSTS = {"arm": "management.azure.com", "prices": "prices.azure.com", "login": "login.microsoftonline.com"}
NAMED = {"subscription": SUBSCRIPTION, "group": GROUP, "name1": "desk-vm", "location": REGION, "tenant": TENANT}
NAMED |= {"namespace": "Microsoft.Storage", "kind1": "storageAccounts", "provider": "Microsoft.Compute"}
#: The package whose bodies are put to the test elsewhere, kind by kind.
ELSEWHERE = "batch.routes"
NICS = f"{COMPUTE.removeprefix(ARM)}".replace("Microsoft.Compute", "Microsoft.Network/networkInterfaces/desk-vm-nic")
IMAGE = {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
MACHINE = {
    "location": REGION,
    "tags": {"a": "b"},
    "properties": {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {
            "imageReference": IMAGE,
            "osDisk": {"createOption": "FromImage", "managedDisk": {"storageAccountType": "Premium_LRS"}},
            "dataDisks": [{"lun": 0, "createOption": "Empty", "diskSizeGB": 8}],
        },
        "osProfile": {
            "computerName": "x",
            "adminUsername": "u",
            "adminPassword": "not-a-Secret-1",
            "linuxConfiguration": {"patchSettings": {"patchMode": "ImageDefault"}},
        },
        "securityProfile": {"securityType": "TrustedLaunch", "uefiSettings": {"secureBootEnabled": True}},
        "networkProfile": {
            "networkInterfaces": [{"id": NICS, "properties": {"primary": True}}],
            "networkApiVersion": "2022-11-01",
            "networkInterfaceConfigurations": [
                {"name": "n", "properties": {"ipConfigurations": [{"name": "i", "properties": {}}]}}
            ],
        },
    },
}
_IN_GROUP = COMPUTE.partition("/providers/")[0]
_ROLES = f"{_IN_GROUP}/providers/Microsoft.Authorization"
_ROLE = {"roleName": "r", "permissions": [{"actions": ["*"], "notActions": []}], "assignableScopes": ["/"]}
_TAGGED = {"operation": "Merge", "properties": {"tags": {"a": "b"}}}
_ASSIGNED = {"roleDefinitionId": "acdd72a7-3385-48ef-bd42-f606fba81ae7", "principalId": SUBSCRIPTION}
SERVICES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("PUT", f"{_ROLES}/roleDefinitions/{SUBSCRIPTION}", "2022-04-01", {"properties": _ROLE}),
    ("PUT", f"{_ROLES}/roleAssignments/{SUBSCRIPTION}", "2022-04-01", {"properties": _ASSIGNED}),
    ("PUT", f"{_ROLES}/locks/keep", "2016-09-01", {"properties": {"level": "ReadOnly", "notes": "n", "owners": []}}),
    ("PATCH", f"{COMPUTE}/disks/desk-vm_OsDisk_1/providers/Microsoft.Resources/tags/default", "2021-04-01", _TAGGED),
    ("PATCH", _IN_GROUP, "2021-04-01", {"tags": {"a": "b"}}),
]
_NETWORK = f"{_IN_GROUP}/providers/Microsoft.Network"
_SUBNET = f"{_NETWORK.removeprefix(ARM)}/virtualNetworks/research-vnet/subnets/default"
_RULE = {"priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp", "sourcePortRange": "*"}
_RULE |= {"destinationPortRange": "22", "sourceAddressPrefix": "*", "destinationAddressPrefixes": ["10.0.0.0/24"]}
_IN_SUBNET = {"name": "s", "properties": {"addressPrefix": "10.9.0.0/24", "delegations": []}}
_DELEGATED = {"name": "d", "properties": {"serviceName": "Microsoft.Web/serverFarms", "actions": []}}
_TEMPLATE = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {"n": {"type": "string", "defaultValue": "x"}},
    "variables": {"v": "[concat(parameters('n'), 'y')]"},
    "resources": [
        {
            "type": "Microsoft.Network/publicIPAddresses",
            "apiVersion": "2024-05-01",
            "name": "[variables('v')]",
            "location": REGION,
            "dependsOn": [],
            "properties": {},
        }
    ],
    "outputs": {"o": {"type": "string", "value": "[resourceGroup().id]"}},
}


def _made(kind: str, **properties: Any) -> tuple[str, str, str, dict[str, Any]]:
    body = {"location": REGION, "tags": {"a": "b"}, "sku": {"name": "Standard"}, "properties": properties}
    return "PUT", f"{_NETWORK}/{kind}", "2024-05-01", body


_IP = {"subnet": {"id": _SUBNET}, "privateIPAddress": "10.0.0.99", "privateIPAllocationMethod": "Static"}
#: Of these, another part of the places is tried on each run without a campaign.
LARGE: list[tuple[str, str, str, dict[str, Any]]] = [
    _made("virtualNetworks/n", addressSpace={"addressPrefixes": ["10.9.0.0/16"]}, subnets=[_IN_SUBNET]),
    _made("virtualNetworks/research-vnet/subnets/new", addressPrefix="10.0.99.0/24", delegations=[_DELEGATED]),
    _made("virtualNetworks/research-vnet/subnets/other", addressPrefixes=["10.0.98.0/24"]),
    _made("networkSecurityGroups/n", securityRules=[{"name": "r", "properties": _RULE}]),
    _made("publicIPAddresses/n", publicIPAllocationMethod="Static", dnsSettings={"domainNameLabel": "xyz"}),
    _made("networkInterfaces/n", ipConfigurations=[{"name": "c", "properties": _IP}], dnsSettings={"dnsServers": []}),
    _made("natGateways/n", publicIpAddresses=[], idleTimeoutInMinutes=4),
    _made("routeTables/n", routes=[{"name": "r", "properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "None"}}]),
    (
        "PUT",
        f"{_IN_GROUP}/providers/Microsoft.Resources/deployments/d",
        "2021-04-01",
        {"properties": {"mode": "Incremental", "template": _TEMPLATE, "parameters": {"n": {"value": "z"}}}},
    ),
    (
        "PUT",
        f"{COMPUTE}/virtualMachines/desk-vm/extensions/e",
        "2024-07-01",
        {
            "location": REGION,
            "properties": {
                "publisher": "Microsoft.Azure.Extensions",
                "type": "CustomScript",
                "typeHandlerVersion": "2.1",
                "settings": {"commandToExecute": "true", "fileUris": []},
                "protectedSettings": {"script": "eA=="},
            },
        },
    ),
]
EXAMPLES = int(os.environ.get("BATCHIMG_FUZZ", "0"))
#: Requests with good bodies; each test puts something else somewhere into one.
GOOD: list[tuple[str, str, str, dict[str, Any]]] = [
    ("PUT", f"{COMPUTE}/virtualMachines/new", "2024-07-01", MACHINE),
    ("PATCH", f"{COMPUTE}/virtualMachines/desk-vm", "2024-07-01", {"tags": {}, "properties": MACHINE["properties"]}),
    (
        "POST",
        f"{COMPUTE}/virtualMachines/desk-vm/runCommand",
        "2024-07-01",
        {"commandId": "RunShellScript", "script": ["sudo waagent -deprovision+user -force"], "parameters": []},
    ),
    (
        "POST",
        f"{COMPUTE}/virtualMachines/gen1-vm/capture",
        "2024-07-01",
        {"vhdPrefix": "v", "destinationContainerName": "c", "overwriteVhds": True},
    ),
    (
        "PUT",
        f"{ARM}/subscriptions/{SUBSCRIPTION}/resourcegroups/new",
        "2021-04-01",
        {"location": REGION, "tags": {"a": "b"}},
    ),
    *SERVICES,
    ("POST", f"{ARM}/_sim/advance", "", {"seconds": 1}),
    (
        "POST",
        f"{ARM}/_sim/import",
        "",
        {"resources": [MACHINE | {"id": f"{COMPUTE.removeprefix(ARM)}/virtualMachines/i"}], "deprovisioned": True},
    ),
    (
        "POST",
        f"{ARM}/_sim/faults",
        "",
        {"scenario": "calm", "faults": [{"path": "^x$", "status": 503, "times": 2}], "allocation": {"unusable": 0.1}},
    ),
]
SOMETHING = [
    *(None, True, 0, -1, 2**70, 0.5, 1e308, "", "x", "1", "\ud800".encode("utf-8", "replace").decode(), "é" * 300),
    *([], [None], [{}], [[1]], {}, {"id": "x"}, {"id": 7}, {"": {}}),
    f"{COMPUTE.removeprefix(ARM)}/disks/desk-vm_OsDisk_1",
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of each part of a body, and that of the whole."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    return [path, *(found for key, inner in inside for found in places(inner, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = changed(value[path[0]], path[1:], new)
    return value


def in_shape(response: Any) -> bool:
    """Tell whether an answer is one that a service would give: no 500, and errors with code and message."""
    if response.status < 400 or response.body is None:
        return response.status < 500 or response.status == 501
    inner = response.body.get("error", response.body)
    return response.status in (*range(400, 500), 501) and bool(inner["code"]) and bool(inner["message"])


@pytest.mark.parametrize(("method", "url", "version", "body"), GOOD, ids=[f"{one[0]} {one[1][-30:]}" for one in GOOD])
def test_something_else_anywhere_in_a_body(method: str, url: str, version: str, body: dict[str, Any]) -> None:
    for path in places(body):
        client = EmulatorClient()
        for new in SOMETHING:
            response = client.ask(method, url, changed(body, path, new), version=version)
            assert in_shape(response), (path, new, response)
            client.clock.advance(200)
            client.ask("POST", f"{ARM}/_sim/faults", {"scenario": "calm", "faults": []})
            assert in_shape(client.ask("GET", f"{COMPUTE}/virtualMachines?$expand=instanceView", version="2024-07-01"))


@pytest.mark.parametrize(("method", "url", "version", "body"), LARGE, ids=[f"{one[0]} {one[1][-30:]}" for one in LARGE])
def test_something_else_in_a_large_body(
    furnished: EmulatorClient, method: str, url: str, version: str, body: dict[str, Any]
) -> None:
    made = furnished.ask(method, url, body, version=version)
    assert made.status < 300, made.body
    for number, path in enumerate(places(body)):
        for new in SOMETHING if EXAMPLES else SOMETHING[number % 3 :: 3]:
            response = furnished.ask(method, url, changed(body, path, new), version=version)
            assert in_shape(response), (path, new, response)
            furnished.clock.advance(200)
    assert in_shape(furnished.ask("GET", url, version=version))
    assert in_shape(furnished.ask("GET", url.rpartition("/")[0], version=version))


def routes() -> list[Route]:
    packages = tuple(package for package in app.ROUTE_PACKAGES if package != ELSEWHERE)
    found = [route for table in app.provider_routes(packages) for route in table.table]
    # One function answers for every scope of roles, locks and tags: two of them are enough.
    seen = Counter[object]()
    kept = []
    for route in reversed(found):
        seen[route.handler] += 1
        kept += [route] if seen[route.handler] <= 2 else []
    return kept


ODD = st.text(min_size=1, max_size=12) | st.sampled_from(["..", "%2F", "'", "a" * 300, "$", "\x00", "İ"])
VALUES = ODD | st.sampled_from(["location eq 'eastus'", "armSkuName eq", "((", "-1", "instanceView", "not not"])
QUERIES = st.dictionaries(
    st.sampled_from(["$filter", "$expand", "$skip", "$top", "currencyCode", "api-version", "monitor"]), VALUES
)
BODIES = st.binary(max_size=30) | st.sampled_from(
    [
        *(b"{}", b"[]", b"null", b"7", b'{"properties":[]}', b'{"tags":[7]}', b"a=b&grant_type=x"),
        *(b'{"location":"eastus","properties":{}}', b'{"location":7}', b'{"location":"nowhere","properties":{"a":{}}}'),
        *(b'{"operation":"Merge","properties":{"tags":{"a":7}}}', b'{"properties":{"tags":{"a":"b"},"level":{}}}'),
        b'{"properties":{"roleDefinitionId":["x"],"principalId":7,"roleName":{},"permissions":[[]]}}',
        b'{"name":"x","type":7}',
    ]
)


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.path[-40:]}")
@settings(max_examples=6, deadline=None, derandomize=True)
@given(odd=st.dictionaries(st.sampled_from(sorted(NAMED)), ODD), query=QUERIES, body=BODIES)
def test_any_name_query_and_bytes_on_any_route(
    furnished: EmulatorClient, route: Route, odd: dict[str, str], query: dict[str, str], body: bytes
) -> None:
    names = NAMED | odd
    parts = [names.get(part[1:-1], "x") if part.startswith("{") else part for part in route.path.split("/")]
    words = {"api-version": version_for("/".join(parts).replace("?", ""))} | query
    text = "&".join(f"{name}={quote(value)}" for name, value in words.items())
    url = f"https://{HOSTS[route.plane]}{'/'.join(quote(part, safe='') for part in parts)}?{text}"
    answer = furnished.app.answer(route.method, url, {"authorization": "Bearer any"}, body)
    assert answer.status < 500 or answer.status == 501, answer


@pytest.fixture(scope="module")
def furnished() -> EmulatorClient:
    return EmulatorClient()


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "x"]),
    host=st.sampled_from(
        [*HOSTS.values(), "localhost", "[::1]", f"{ACCOUNT}.{REGION}.batch.azure.com", "x.azure.com", "x"]
    ),
    path=st.lists(
        ODD | st.sampled_from(["subscriptions", SUBSCRIPTION, "providers", "_sim", ACCOUNT, "pools"]), max_size=8
    ),
    query=st.text(max_size=20),
    headers=st.dictionaries(
        st.sampled_from(["authorization", "if-match", "x-ms-client-request-id", "return-client-request-id", "host"]),
        st.sampled_from(["", "Bearer", "Bearer a.b.c", "SharedKey x:y", "*", "true", "é"]),
    ),
    body=BODIES,
)
def test_any_request_at_all_is_answered(
    furnished: EmulatorClient, method: str, host: str, path: list[str], query: str, headers: dict[str, str], body: bytes
) -> None:
    url = f"https://{host}/{'/'.join(quote(part, safe='') for part in path)}?{quote(query, safe='=&')}"
    try:
        answer = furnished.app.answer(method, url, headers, body)
    except ConnectionDroppedError:  # a fault that an earlier request asked for
        return
    assert answer.status < 500 or answer.status == 501
    assert int(answer.headers["Content-Length"]) == len(answer.body) or method == "HEAD"
    if answer.body:
        assert msgspec.json.decode(answer.body) is not None
