"""Who asks Resource Manager too much waits: buckets by kind, principal, subscription and region."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.furnish import ACCOUNT, REGION, SUBSCRIPTION
from batchimg_magics.emulator.http.throttling import Throttle
from tests.support.emulator_client import ARM, TOP, EmulatorClient

GROUPS = f"{TOP}/resourcegroups"
REMAINING = "x-ms-ratelimit-remaining-subscription-{}"


@pytest.fixture
def frame() -> EmulatorClient:
    return EmulatorClient(throttle=Throttle())


def many(frame: EmulatorClient, count: int, method: str = "GET", url: str = GROUPS, **more: Any) -> list[int]:
    return [frame.ask(method, url, version="2021-04-01", **more).status for _ in range(count)]


def test_reads_run_out_and_are_refilled(frame: EmulatorClient) -> None:
    assert many(frame, 252) == [200] * 250 + [429] * 2
    told = frame.ask("GET", GROUPS, version="2021-04-01")
    assert (told.code, told.headers["Retry-After"]) == ("SubscriptionRequestsThrottled", "1")
    assert told.headers[REMAINING.format("reads")] == "0"
    assert SUBSCRIPTION in told.message
    assert "Bearer" not in told.message
    frame.clock.advance(2)
    assert many(frame, 51) == [200] * 50 + [429]


@pytest.mark.parametrize(("method", "kind"), [("PUT", "writes"), ("DELETE", "deletes")])
def test_writes_and_deletes_have_their_own_buckets(frame: EmulatorClient, method: str, kind: str) -> None:
    url = f"{TOP}/resourceGroups/research/providers/Microsoft.Compute/disks/none"
    assert 429 not in many(frame, 200, method, url, body={})
    told = frame.ask(method, url, {}, version="2021-04-01")
    assert told.status == 429
    assert told.headers[REMAINING.format(kind)] == "0"
    assert groups_left(frame) == 249
    frame.clock.advance(1)
    assert many(frame, 11, method, url, body={}).count(429) == 1


def groups_left(frame: EmulatorClient, **more: Any) -> int:
    told = frame.ask("GET", GROUPS, version="2021-04-01", **more)
    return int(told.headers[REMAINING.format("reads")])


def test_buckets_are_of_one_principal_subscription_and_region(frame: EmulatorClient) -> None:
    many(frame, 10)
    assert groups_left(frame) == 239
    assert groups_left(frame, headers={"Authorization": "Bearer other"}) == 249
    other = frame.ask("GET", f"{ARM}/subscriptions", version="2021-04-01")
    assert other.headers[REMAINING.format("reads")] == "249"
    regional = frame.ask("GET", GROUPS.replace("https://", "https://westus."), version="2021-04-01")
    assert regional.headers[REMAINING.format("reads")] == "249"


def test_bucket_never_holds_more_than_it_can(frame: EmulatorClient) -> None:
    frame.clock.advance(1000)
    assert groups_left(frame) == 249
    frame.clock.advance(1000)
    assert groups_left(frame) == 249


def test_batch_plane_has_no_buckets(frame: EmulatorClient) -> None:
    pools = f"https://{ACCOUNT}.{REGION}.batch.azure.com/pools"
    told = [frame.ask("GET", pools, version="2025-06-01") for _ in range(300)]
    assert {one.status for one in told} == {200}
    assert not any(name.startswith("x-ms-ratelimit") for name in told[0].headers)


def test_without_a_throttle_nobody_is_too_fast() -> None:
    assert set(many(EmulatorClient(), 400)) == {200}
