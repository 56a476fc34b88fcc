"""Prices are read from the public price list, without credentials; an unknown price is missing."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ServiceRequestError

from batchimg_magics.core.azure import price_list
from batchimg_magics.core.azure.client import Azure, Scope
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.estimates.prices import NodeDisk, Rates
from batchimg_magics.emulator.emulator import open_emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

NOW = 1_780_000_000.0


class Listener:
    """A transport that notes what passes, and may be cut off from the price list."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.prices: list[Any] = []
        self.cut = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def send(self, request: Any, **kwargs: Any) -> Any:
        if "prices.azure.com" in request.url:
            self.prices.append(request)
            if self.cut:
                raise ServiceRequestError("no route")
        return await self.inner.send(request, **kwargs)


def asked(work: Callable[[Azure, Listener], Coroutine[Any, Any, Any]], cache: Path | None = None) -> Any:
    """Run work on a fresh local Azure."""
    local = open_emulator(":memory:")
    loop = local.new_event_loop()
    listener = Listener(local.transport)
    scope = Scope(local.subscription_id, local.resource_group, local.account)
    azure = Azure(scope, local.credential, listener, cache=cache)  # type: ignore[arg-type] # a stand-in
    try:
        with local.advancing_time():
            return loop.run_until_complete(work(azure, listener))
    finally:
        loop.close()
        local.close()


def test_a_node_costs_its_vm_and_its_disks() -> None:
    async def work(azure: Azure, listener: Listener) -> Rates:
        linux = await prices.read_rates(azure, "STANDARD_D4S_V5", "linux", [NodeDisk("premium_lrs", 30)])
        windows = await prices.read_rates(azure, "Standard_D4s_v5", "Windows")
        assert (windows.dedicated_usd_per_hour or 0) > (linux.dedicated_usd_per_hour or 0)
        assert (linux.spot_usd_per_hour or 1) < (linux.dedicated_usd_per_hour or 0)
        assert all("authorization" not in {name.lower() for name in one.headers} for one in listener.prices)
        assert len(listener.prices) == 2
        assert "armSkuName+eq+%27Standard_D4s_v5%27" in listener.prices[0].url
        return linux

    rates = asked(work)
    assert rates.disks_usd_per_hour == pytest.approx(5.28 / 730)
    assert rates.node_usd_per_hour(dedicated=True) == pytest.approx(rates.dedicated_usd_per_hour + 5.28 / 730)
    assert rates.cost(2, 3) == pytest.approx(
        2 * rates.node_usd_per_hour(dedicated=True) + 3 * rates.node_usd_per_hour(dedicated=False)
    )
    assert rates.as_of.isoformat().startswith("2026-07-01T09:00")


def test_what_is_not_known_stays_unknown() -> None:
    async def work(azure: Azure, _: Listener) -> tuple[Rates, ...]:
        return (
            await prices.read_rates(azure, "Standard_Nothing", "Linux"),
            await prices.read_rates(azure, "Standard_D4s_v5", "Linux", None),
            await prices.read_rates(azure, "Standard_D4s_v5", "Linux", [NodeDisk("UltraSSD_LRS", 100)]),
            await prices.read_rates(azure, "Standard_D4s_v5", "Linux", [NodeDisk("Premium_LRS", None)]),
        )

    nothing, *others = asked(work)
    assert nothing.dedicated_usd_per_hour is nothing.spot_usd_per_hour is None
    assert nothing.cost(1, 0) is None
    assert nothing.cost(0, 0) == 0
    for one in others:
        assert one.dedicated_usd_per_hour is not None
        assert one.disks_usd_per_hour is one.cost(1, 0) is None
    assert prices.usd_for(None, 3600) is None
    assert prices.usd_for(2.0, 1800) == 1.0


def test_prices_are_kept_with_their_date_and_used_when_the_list_is_silent(tmp_path: Path) -> None:
    async def read(azure: Azure, _: Listener) -> Rates:
        return await prices.read_rates(azure, "Standard_D4s_v5", "Linux")

    async def silent(azure: Azure, listener: Listener) -> tuple[Rates, Rates, int]:
        fresh = await prices.read_rates(azure, "Standard_D4s_v5", "Linux")
        listener.cut = True
        assert not listener.prices
        await azure.sleep(2 * price_list.MAX_AGE_S)
        stale = await prices.read_rates(azure, "Standard_D4s_v5", "Linux")
        other = await prices.read_rates(azure, "Standard_D8s_v5", "Linux")
        assert other.node_usd_per_hour(dedicated=True) is other.as_of is None
        return fresh, stale, len(listener.prices)

    first = asked(read, tmp_path)
    fresh, stale, tries = asked(silent, tmp_path)
    assert first.dedicated_usd_per_hour == fresh.dedicated_usd_per_hour == stale.dedicated_usd_per_hour
    assert first.as_of == fresh.as_of == stale.as_of
    assert tries == 3, "a list that is silent is not asked by every verb"
    (tmp_path / "prices.json").write_text("{ torn")
    assert asked(read, tmp_path).dedicated_usd_per_hour == first.dedicated_usd_per_hour
    assert json.loads((tmp_path / "prices.json").read_text())


def test_asked_at_once_asked_once() -> None:
    async def work(azure: Azure, listener: Listener) -> int:
        await asyncio.gather(*(prices.read_rates(azure, "Standard_D4s_v5", "Linux") for _ in range(5)))
        return len(listener.prices)

    assert asked(work) == 1


@pytest.mark.parametrize(
    ("sku", "size_gib", "tier"),
    [
        ("Premium_LRS", 1, "P1"),
        ("premium_lrs", 128, "P10"),
        ("Premium_LRS", 129, "P15"),
        ("StandardSSD_LRS", 30, "E4"),
        ("Standard_LRS", 4, "S4"),
        ("Standard_LRS", 32767, "S80"),
        ("Standard_LRS", 40000, None),
        ("UltraSSD_LRS", 10, None),
        ("Premium_LRS", None, None),
    ],
)
def test_disks_pay_for_their_whole_tier(sku: str, size_gib: int | None, tier: str | None) -> None:
    assert NodeDisk(sku, size_gib).tier == tier


def row(**parts: Any) -> dict[str, Any]:
    return {
        "productName": "Virtual Machines Dsv5 Series",
        "meterName": "D4s v5",
        "unitOfMeasure": "1 Hour",
        "retailPrice": 0.2,
        "type": "Consumption",
        "tierMinimumUnits": 0.0,
        "effectiveStartDate": "2024-01-01T00:00:00Z",
        "isPrimaryMeterRegion": True,
        **parts,
    }


@pytest.mark.parametrize(
    "other",
    [
        row(retailPrice=0.0, effectiveStartDate="2025-01-01T00:00:00Z"),
        row(retailPrice=9.0, effectiveStartDate="2029-01-01T00:00:00Z"),
        row(retailPrice=9.0, effectiveStartDate="2020-01-01T00:00:00Z"),
        row(retailPrice=9.0, type="DevTestConsumption"),
        row(retailPrice=9.0, type="Reservation"),
        row(retailPrice=9.0, meterName="D4s v5 Spot"),
        row(retailPrice=9.0, meterName="D4s v5 - Expired"),
        row(retailPrice=9.0, productName="Virtual Machines Dsv5 Series Windows"),
        row(retailPrice=9.0, productName="Dsv5 Series CloudServices"),
        row(retailPrice=9.0, unitOfMeasure="1/Month"),
        row(retailPrice=9.0, tierMinimumUnits=10.0),
        row(retailPrice=9.0, isPrimaryMeterRegion=False),
        row(retailPrice=9.0, currencyCode="EUR"),
    ],
)
def test_only_the_price_that_holds_now_counts(other: dict[str, Any]) -> None:
    assert price_list.vm_price([other, row()], NOW, windows=False) == 0.2
    assert price_list.vm_price([row(), other], NOW, windows=False) == 0.2


def test_of_two_prices_that_hold_the_dearer_counts() -> None:
    assert price_list.vm_price([row(), row(retailPrice=0.3)], NOW, windows=False) == 0.3


def test_a_pool_pays_for_load_balancers_and_addresses_by_hundreds_of_a_kind() -> None:
    private = {"publicIPAddressConfiguration": {"provision": "NoPublicIPAddresses"}}
    own = {"publicIPAddressConfiguration": {"provision": "UserManaged", "ipAddressIds": ["/a", "/b", "/c"]}}

    async def work(azure: Azure, listener: Listener) -> list[Rates]:
        node = await prices.read_rates(azure, "Standard_D4s_v5", "Linux")
        found = [await prices.with_network(azure, node, one) for one in (None, private, own)]
        asked_for = [one.url for one in listener.prices]
        assert any("armRegionName+eq+%27Global%27" in url and "Load+Balancer" in url for url in asked_for)
        return [node, *found]

    node, usual, without, given = asked(work)
    assert node.cost(0, 0) == usual.cost(0, 0) == 0.0
    for dedicated, spot, balancers in ((1, 0, 1), (100, 0, 1), (101, 0, 2), (1, 1, 2), (150, 201, 5)):
        nodes = node.cost(dedicated, spot)
        assert usual.cost(dedicated, spot) == pytest.approx(nodes + balancers * (0.025 + 0.005))
        assert without.cost(dedicated, spot) == pytest.approx(nodes + balancers * 0.025)
        assert given.cost(dedicated, spot) == pytest.approx(nodes + balancers * 0.025 + 3 * 0.005)
    assert usual.not_in_cost == ""
    assert prices.included_text([usual]) == "nodes, OS and data disks, load balancers and public addresses"


def test_what_has_no_price_is_said_and_does_not_become_0(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(azure: Azure, _: Listener) -> Rates:
        rows = azure.prices.rows

        async def without_networking(what: str, region: str) -> Any:
            return ([], None) if "Load Balancer" in what or "Virtual Network" in what else await rows(what, region)

        monkeypatch.setattr(azure.prices, "rows", without_networking)
        return await prices.with_network(azure, await prices.read_rates(azure, "Standard_D4s_v5", "Linux"), None)

    rates = asked(work)
    assert rates.cost(2, 0) is None, "a limit cannot be kept with it"
    assert rates.known_cost(2, 0) == pytest.approx(2 * rates.dedicated_usd_per_hour)
    assert rates.not_in_cost == "load balancers and public addresses"
    assert prices.included_text([rates]).endswith(
        "without load balancers and public addresses, for which the price list has no price"
    )
