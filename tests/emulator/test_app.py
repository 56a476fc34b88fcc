"""The app of the emulator: hosts, routes, api-versions, bodies, headers, import and time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from batchimg_magics.emulator import create_app
from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, REGION, SUBSCRIPTION
from batchimg_magics.emulator.world.database import StateError
from tests.support.emulator_client import ARM, COMPUTE, IN_GROUP, TOP, EmulatorClient

if TYPE_CHECKING:
    from batchimg_magics.emulator.app import HttpResponse

BATCH = f"https://{ACCOUNT}.{REGION}.batch.azure.com"
GROUPS = "2022-09-01"
NETWORK = f"{IN_GROUP}/providers/Microsoft.Network"
PERMISSIONS = "providers/Microsoft.Authorization/permissions"


@pytest.fixture
def azure() -> EmulatorClient:
    return EmulatorClient()


@pytest.mark.parametrize(
    "host",
    [ARM, "https://eastus.management.azure.com", "https://sanitized.azure.com", "http://localhost:9", "http://[::1]:9"],
)
def test_arm_answers_at_all_its_hosts(azure: EmulatorClient, host: str) -> None:
    response = azure.ask("GET", f"{host}/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}", version=GROUPS)
    assert (response.status, response.body["name"]) == (200, GROUP)


def test_a_host_that_is_no_service_is_refused_by_name(azure: EmulatorClient) -> None:
    response = azure.ask("GET", "https://example.com/subscriptions", version=GROUPS)
    assert (response.status, response.code) == (501, "NotImplemented")
    assert "example.com/subscriptions" in response.message


def test_an_unknown_route_names_itself_in_the_shape_of_its_plane(azure: EmulatorClient) -> None:
    arm = azure.ask("POST", f"{COMPUTE}/disks/d/melt", version="2023-10-02")
    assert (arm.status, arm.code) == (501, "NotImplemented")
    assert "POST" in arm.message
    assert "/disks/d/melt (api-version 2023-10-02)" in arm.message
    batch = azure.ask("GET", f"{BATCH}/melt", version="2025-06-01")
    assert (batch.status, batch.body["code"]) == (501, "NotImplemented")
    assert "GET /melt" in batch.body["message"]["value"]


@pytest.mark.parametrize(
    ("url", "version", "code"),
    [
        (IN_GROUP, "", "MissingApiVersionParameter"),
        (IN_GROUP, "latest", "InvalidApiVersionParameter"),
        (f"{BATCH}/pools", "", "MissingRequiredQueryParameter"),
        (f"{BATCH}/pools", "1", "InvalidQueryParameterValue"),
        (IN_GROUP, "2025-02-30", "InvalidApiVersionParameter"),
        (f"{BATCH}/pools", "2025-13-01", "InvalidQueryParameterValue"),
        (f"{BATCH}/pools", "2024-07-01", "InvalidQueryParameterValue"),
        (f"{BATCH}/pools", "2025-06-01.21.0", "InvalidQueryParameterValue"),
    ],
)
def test_an_api_version_has_to_be_there_and_be_one(azure: EmulatorClient, url: str, version: str, code: str) -> None:
    response = azure.ask("GET", url, version=version)
    assert response.status == 400
    assert (response.body["code"] if "batch" in url else response.code) == code


def test_a_body_that_is_no_json_is_refused_in_the_shape_of_its_plane(azure: EmulatorClient) -> None:
    arm = azure.ask("PUT", f"{COMPUTE}/disks/d", b"{", version="2023-10-02")
    assert (arm.status, arm.code) == (400, "InvalidRequestContent")
    batch = azure.ask("POST", f"{BATCH}/pools", b"{", version="2025-06-01")
    assert (batch.status, batch.body["code"]) == (400, "InvalidRequestBody")
    huge = azure.ask("PUT", f"{COMPUTE}/disks/d", b" " * 4_200_000 + b"1", version="2023-10-02")
    assert huge.status == 413


@pytest.mark.parametrize("deep", [b"[" * 9000 + b"]" * 9000, b'{"a":' * 65 + b"1" + b"}" * 65])
def test_a_body_that_is_nested_too_deeply_is_refused(azure: EmulatorClient, deep: bytes) -> None:
    arm = azure.ask("PUT", f"{COMPUTE}/disks/d", deep, version="2023-10-02")
    assert (arm.status, arm.code) == (400, "InvalidRequestContent")
    batch = azure.ask("POST", f"{BATCH}/pools", deep, version="2025-06-01")
    assert (batch.status, batch.body["code"]) == (400, "InvalidRequestBody")


def test_batch_takes_a_timeout_that_is_one(azure: EmulatorClient) -> None:
    assert azure.ask("GET", f"{BATCH}/pools?timeout=3600", version="2025-06-01").status == 200
    for text in ("-1", "soon", "1.5", ""):
        response = azure.ask("GET", f"{BATCH}/pools?timeout={text}", version="2025-06-01")
        assert (response.status, response.body["code"]) == (400, "InvalidQueryParameterValue")


def test_responses_have_the_simulated_time_and_their_ids(azure: EmulatorClient) -> None:
    arm = azure.ask("GET", IN_GROUP, version=GROUPS).headers
    assert arm["Date"] == "Wed, 01 Jul 2026 09:00:00 GMT"
    azure.clock.advance(61.9)
    batch = azure.ask("GET", f"{BATCH}/pools", version="2025-06-01").headers
    assert (batch["Date"], batch["DataServiceVersion"]) == ("Wed, 01 Jul 2026 09:01:01 GMT", "3.0")
    assert batch["Content-Type"] == "application/json;odata=minimalmetadata"
    assert arm["x-ms-request-id"] != batch["request-id"]


def test_batch_gives_the_clients_request_id_back_on_demand(azure: EmulatorClient) -> None:
    headers = {"Authorization": "Bearer x", "client-request-id": "mine", "return-client-request-id": "true"}
    assert (
        azure.ask("GET", f"{BATCH}/pools", version="2025-06-01", headers=headers).headers["client-request-id"] == "mine"
    )


def test_arm_gives_the_clients_request_id_back_on_demand(azure: EmulatorClient) -> None:
    headers = {"Authorization": "Bearer x", "x-ms-client-request-id": "mine"}
    assert "x-ms-client-request-id" not in azure.ask("GET", IN_GROUP, version=GROUPS, headers=headers).headers
    headers["x-ms-return-client-request-id"] = "true"
    assert azure.ask("GET", IN_GROUP, version=GROUPS, headers=headers).headers["x-ms-client-request-id"] == "mine"


def test_the_same_seed_gives_the_same_ids() -> None:
    one, other = (EmulatorClient().ask("GET", IN_GROUP, version=GROUPS).headers["x-ms-request-id"] for _ in range(2))
    assert one == other


def test_a_head_has_the_headers_and_no_body(azure: EmulatorClient) -> None:
    there = azure.app.answer(
        "HEAD", f"{COMPUTE}/disks/prep-vm_OsDisk_1?api-version=2023-10-02", {"Authorization": "Bearer x"}
    )
    gone = azure.app.answer("HEAD", f"{COMPUTE}/disks/none?api-version=2023-10-02", {"Authorization": "Bearer x"})
    assert (there.status, there.body, gone.status, gone.body) == (200, b"", 404, b"")


def test_paths_are_distinguished_in_any_case_and_encoding(azure: EmulatorClient) -> None:
    response = azure.ask(
        "GET", COMPUTE.replace("Microsoft", "MICROSOFT") + "/DISKS/PREP%2DVM_osdisk_1", version="2023-10-02"
    )
    assert response.body["name"] == "prep-vm_OsDisk_1"


# -- groups ------------------------------------------------------------------------------------------------------


def test_resource_groups_are_made_listed_and_kept_where_they_are(azure: EmulatorClient) -> None:
    group = f"{TOP}/resourceGroups/second"
    assert azure.ask("GET", group, version=GROUPS).code == "ResourceGroupNotFound"
    assert azure.ask("HEAD", group, version=GROUPS).status == 404
    assert azure.ask("PUT", group, {}, version=GROUPS).code == "LocationRequired"
    assert azure.ask("PUT", group, {"location": "westus", "tags": {"a": "b"}}, version=GROUPS).status == 201
    assert azure.ask("PUT", group, {"location": "westus"}, version=GROUPS).status == 200
    assert azure.ask("PUT", group, {"location": "eastus"}, version=GROUPS).code == "InvalidResourceGroupLocation"
    assert azure.ask("HEAD", group, version=GROUPS).status == 204
    names = [row["name"] for row in azure.ask("GET", f"{TOP}/resourceGroups", version=GROUPS).body["value"]]
    assert names == [GROUP, "second"]


def test_nothing_is_created_in_a_missing_group(azure: EmulatorClient) -> None:
    url = f"{TOP}/resourceGroups/none/providers/Microsoft.Compute/disks"
    assert azure.ask("GET", url, version="2023-10-02").code == "ResourceGroupNotFound"
    assert azure.ask("PUT", f"{url}/d", {"location": "eastus"}, version="2023-10-02").code == "ResourceGroupNotFound"


def test_the_outermost_missing_resource_is_named(azure: EmulatorClient) -> None:
    elsewhere = COMPUTE.replace(SUBSCRIPTION, "11111111-1111-1111-1111-111111111111")
    for url in (f"{elsewhere}/disks", f"{elsewhere}/disks/d"):
        assert azure.ask("GET", url, version="2023-10-02").code == "SubscriptionNotFound"
    nested = azure.ask("GET", f"{COMPUTE}/galleries/g/images/i/versions/1.0.0", version="2023-07-03")
    assert nested.message.startswith("The Resource 'Microsoft.Compute/galleries/g/images/i/versions/1.0.0' under")


def test_open_mode_has_the_groups_that_requests_name() -> None:
    def ask(method: str, path: str, body: bytes = b"") -> HttpResponse:
        url = f"{ARM}/subscriptions/s/resourceGroups/fakename/providers/Microsoft.Compute/{path}?api-version=2023-04-02"
        return app.answer(method, url, {"Authorization": "Bearer x"}, body)

    app = create_app()
    response = ask("GET", "disks")
    assert (response.status, b"Resource group 'fakename' could not be found." in response.body) == (404, True)
    empty = b'{"location": "eastus", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}'
    assert ask("PUT", "disks/d", empty).status == 202
    assert ask("GET", "disks").status == 200
    assert ask("GET", "snapshots").status == 200


def test_the_network_around_a_vm_can_be_read(azure: EmulatorClient) -> None:
    nic = azure.ask("GET", f"{NETWORK}/networkInterfaces/prep-vm-nic", version="2024-05-01").body
    address = nic["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"]["id"]
    response = azure.ask("GET", ARM + address, version="2024-05-01").body["properties"]["ipAddress"]
    assert response.startswith("203.0.113.")
    assert azure.ask("GET", f"{NETWORK}/networkInterfaces/none", version="2024-05-01").code == "ResourceNotFound"
    everywhere = azure.ask("GET", f"{TOP}/providers/Microsoft.Network/publicIPAddresses", version="2024-05-01").body
    assert address in [row["id"] for row in everywhere["value"]]
    permissions = f"{IN_GROUP}/{PERMISSIONS}"
    assert azure.ask("GET", permissions, version="2022-04-01").body["value"][0]["actions"] == ["*"]


def test_permissions_are_asked_of_resources_that_are_there(azure: EmulatorClient) -> None:
    response = azure.ask("GET", f"{COMPUTE}/virtualMachines/none/{PERMISSIONS}", version="2022-04-01")
    assert (response.status, response.code) == (404, "ResourceNotFound")
    subnets = f"{NETWORK}/virtualNetworks/research-vnet/subnets"
    response = azure.ask("GET", f"{subnets}/default/{PERMISSIONS}", version="2022-04-01")
    assert response.body["value"][0]["actions"] == ["*"]
    assert azure.ask("GET", f"{subnets}/none/{PERMISSIONS}", version="2022-04-01").status == 404


def test_subnets_are_read_from_their_network(azure: EmulatorClient) -> None:
    subnets = f"{NETWORK}/virtualNetworks/research-vnet/subnets"
    (row,) = azure.ask("GET", subnets, version="2024-05-01").body["value"]
    assert row == azure.ask("GET", f"{subnets}/Default", version="2024-05-01").body
    assert row["properties"]["addressPrefix"] == "10.0.0.0/20"
    assert azure.ask("GET", f"{subnets}/none", version="2024-05-01").code == "ResourceNotFound"


def test_a_load_balancer_is_read_with_its_parts(azure: EmulatorClient) -> None:
    key = f"{NETWORK}/loadBalancers/gate".removeprefix(ARM)
    rule = {"id": f"{key}/inboundNatRules/ssh", "name": "ssh", "properties": {"frontendPort": 50001, "backendPort": 22}}
    front = {"id": f"{key}/frontendIPConfigurations/out", "name": "out", "properties": {}}
    properties = {"frontendIPConfigurations": [front], "inboundNatRules": [rule]}
    document = {"id": key, "location": "eastus", "sku": {"name": "Standard"}, "properties": properties}
    assert azure.ask("POST", f"{ARM}/_sim/import", {"resources": [document]}).status == 200
    balancer = azure.ask("GET", f"{NETWORK}/loadBalancers/gate", version="2024-05-01").body
    assert balancer["properties"] == {**properties, "provisioningState": "Succeeded"}
    assert azure.ask("GET", f"{NETWORK}/loadBalancers", version="2024-05-01").body["value"] == [balancer]
    assert azure.ask("GET", f"{ARM}{rule['id']}", version="2024-05-01").body == rule
    parts = azure.ask("GET", f"{NETWORK}/loadBalancers/gate/frontendIPConfigurations", version="2024-05-01").body
    assert parts["value"] == [front]
    assert azure.ask("GET", f"{NETWORK}/loadBalancers/gate/inboundNatRules/none", version="2024-05-01").status == 404


# -- control -----------------------------------------------------------------------------------------------------


def test_time_advances_on_request_and_never_decreases(azure: EmulatorClient) -> None:
    assert azure.ask("POST", f"{ARM}/_sim/advance", {"seconds": 90}).body["now"] == "2026-07-01T09:01:30.0000000Z"
    for seconds in (-1, "soon", None):
        assert azure.ask("POST", f"{ARM}/_sim/advance", {"seconds": seconds}).status == 400
    assert azure.ask("GET", IN_GROUP, version=GROUPS).headers["Date"] == "Wed, 01 Jul 2026 09:01:30 GMT"


def test_documents_of_any_type_can_be_put_in_and_read(azure: EmulatorClient) -> None:
    key = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/s"
    document = {
        "id": key,
        "name": "s",
        "type": "Microsoft.Storage/storageAccounts",
        "location": "eastus",
        "properties": {},
    }
    assert azure.ask("GET", ARM + key, version="2023-01-01").code == "ResourceNotFound"
    assert azure.ask("POST", f"{ARM}/_sim/import", {"resources": [document]}).body == {"ids": [key]}
    assert azure.ask("GET", ARM + key, version="2023-01-01").body["name"] == "s"


@pytest.mark.parametrize("body", [{"resources": [{"name": "x"}]}, {"resources": 1}, [], {"resources": ["x"]}])
def test_what_is_no_document_is_not_taken(azure: EmulatorClient, body: Any) -> None:
    assert azure.ask("POST", f"{ARM}/_sim/import", body).code == "InvalidRequestContent"


# -- the ASGI face -----------------------------------------------------------------------------------------------


def test_it_speaks_asgi() -> None:
    async def work() -> httpx.Response:
        transport = httpx.ASGITransport(app=create_app())  # type: ignore[arg-type] # its own types for the same thing
        async with httpx.AsyncClient(transport=transport) as client:
            url = (
                f"{ARM}/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/a%2Db?api-version=2023-10-02"
            )
            body = {"location": "eastus", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
            return await client.put(url, json=body, headers={"Authorization": "Bearer x"})

    answer = asyncio.run(work())
    assert (answer.status_code, answer.json()["name"]) == (202, "a-b")
    assert answer.headers["content-length"] == str(len(answer.content))


def test_it_takes_part_in_the_lifespan_of_a_server() -> None:
    sent: list[str] = []
    messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, Any]:
        return {"type": next(messages)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    asyncio.run(create_app()({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_state_that_cannot_be_used_is_said_in_the_shape_of_each_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app()

    def fail(**_: Any) -> None:
        raise StateError("lab.db", "database or disk is full")

    async def ask(url: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type] # its own types for the same thing
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.get(url, headers={"Authorization": "Bearer t"})

    monkeypatch.setattr(app.store, "transaction", fail)
    for url in (f"{ARM}/subscriptions?api-version={GROUPS}", f"{BATCH}/pools?api-version=2025-06-01"):
        answer = asyncio.run(ask(url))
        assert answer.status_code == 500
        assert "disk is full" in answer.text
        assert answer.json().get("error", answer.json())["code"] == "InternalServerError"
