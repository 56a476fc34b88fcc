"""Throttling of Resource Manager: buckets by kind, principal, subscription and region."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.furnish import ACCOUNT, REGION, SUBSCRIPTION
from batchimg_magics.emulator.http.throttling import Throttle
from tests.support.emulator_client import ARM, TOP, EmulatorClient

GROUPS = f"{TOP}/resourcegroups"
REMAINING = "x-ms-ratelimit-remaining-subscription-{}"


@pytest.fixture
def client() -> EmulatorClient:
    return EmulatorClient(throttle=Throttle())


def many(client: EmulatorClient, count: int, method: str = "GET", url: str = GROUPS, **more: Any) -> list[int]:
    return [client.ask(method, url, version="2021-04-01", **more).status for _ in range(count)]


def test_reads_run_out_and_are_refilled(client: EmulatorClient) -> None:
    assert many(client, 252) == [200] * 250 + [429] * 2
    response = client.ask("GET", GROUPS, version="2021-04-01")
    assert (response.code, response.headers["Retry-After"]) == ("SubscriptionRequestsThrottled", "1")
    assert response.headers[REMAINING.format("reads")] == "0"
    assert SUBSCRIPTION in response.message
    assert "Bearer" not in response.message
    client.clock.advance(2)
    assert many(client, 51) == [200] * 50 + [429]


@pytest.mark.parametrize(("method", "kind"), [("PUT", "writes"), ("DELETE", "deletes")])
def test_writes_and_deletes_have_their_own_buckets(client: EmulatorClient, method: str, kind: str) -> None:
    url = f"{TOP}/resourceGroups/research/providers/Microsoft.Compute/disks/none"
    assert 429 not in many(client, 200, method, url, body={})
    response = client.ask(method, url, {}, version="2021-04-01")
    assert response.status == 429
    assert response.headers[REMAINING.format(kind)] == "0"
    assert groups_left(client) == 249
    client.clock.advance(1)
    assert many(client, 11, method, url, body={}).count(429) == 1


def groups_left(client: EmulatorClient, **more: Any) -> int:
    response = client.ask("GET", GROUPS, version="2021-04-01", **more)
    return int(response.headers[REMAINING.format("reads")])


def test_buckets_are_of_one_principal_subscription_and_region(client: EmulatorClient) -> None:
    many(client, 10)
    assert groups_left(client) == 239
    assert groups_left(client, headers={"Authorization": "Bearer other"}) == 249
    other = client.ask("GET", f"{ARM}/subscriptions", version="2021-04-01")
    assert other.headers[REMAINING.format("reads")] == "249"
    regional = client.ask("GET", GROUPS.replace("https://", "https://westus."), version="2021-04-01")
    assert regional.headers[REMAINING.format("reads")] == "249"


def test_bucket_never_holds_more_than_it_can(client: EmulatorClient) -> None:
    client.clock.advance(1000)
    assert groups_left(client) == 249
    client.clock.advance(1000)
    assert groups_left(client) == 249


def test_batch_plane_has_no_buckets(client: EmulatorClient) -> None:
    pools = f"https://{ACCOUNT}.{REGION}.batch.azure.com/pools"
    response = [client.ask("GET", pools, version="2025-06-01") for _ in range(300)]
    assert {one.status for one in response} == {200}
    assert not any(name.startswith("x-ms-ratelimit") for name in response[0].headers)


def test_without_a_throttle_no_request_is_throttled() -> None:
    assert set(many(EmulatorClient(), 400)) == {200}
