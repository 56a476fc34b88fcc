"""The public retail price list: asked without credentials, kept with the date on which it was read.

No SDK's client asks it: one would send its bearer token along to whatever host it is sent to (tried).
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from azure.core import AsyncPipelineClient
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import AsyncRetryPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest

from batchimg_magics.core.azure.documents import parse_time
from batchimg_magics.core.azure.pipeline import USER_AGENT
from batchimg_magics.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from azure.core.pipeline.transport import AsyncHttpTransport

    Row = dict[str, Any]

#: Source: Azure Retail Prices overview.
PRICES_URL = "https://prices.azure.com/api/retail/prices"
#: Seconds for which a price is taken as it was read: the list changes with months.
MAX_AGE_S = 24 * 3600.0
#: Seconds for which a list that did not answer is left alone: prices are never worth a long wait.
RETRY_AFTER_FAILURE_S = 600.0
_TIMEOUTS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 15}
#: Pages of one question: a VM size has one, a kind of disk too.
MAX_PAGES = 20
#: What of a row is kept.
_COLUMNS = (
    "productName", "skuName", "meterName", "retailPrice", "unitOfMeasure", "currencyCode", "type", "tierMinimumUnits",
    "effectiveStartDate", "isPrimaryMeterRegion",
)  # fmt: skip


class PriceList:
    """Azure's list prices.

    Parameters
    ----------
    transport
        How requests are sent.
    now
        The service's time.
    file
        Where answers are kept between processes; None: in memory only.
    """

    def __init__(
        self, transport: AsyncHttpTransport[Any, Any], now: Callable[[], float], file: Path | None = None
    ) -> None:
        # No credential, and none of the policies that bring one.
        self._client: AsyncPipelineClient[HttpRequest, Any] = AsyncPipelineClient(
            PRICES_URL, transport=transport, policies=[UserAgentPolicy(USER_AGENT), AsyncRetryPolicy(retry_total=2)]
        )
        self._now = now
        self._file = file
        self._known: dict[str, Any] | None = None
        self._unavailable_until = 0.0
        self._lock = asyncio.Lock()

    async def rows(self, what: str, region: str) -> tuple[list[Row], float | None]:
        """Return rows of the list, and when they were read: those of before where it does not answer now.

        Parameters
        ----------
        what
            An OData filter. Values are told apart by case, as the service does since 2023.
        region
            Programmatic name.
        """
        key = f"{region}: {what}"
        async with self._lock:  # who asks for the same thing at once shall find it
            kept = self._load().get(key)
            if kept and 0 <= self._now() - kept["read"] < MAX_AGE_S:
                return kept["rows"], kept["read"]
            if self._now() >= self._unavailable_until:
                try:
                    rows = await self._fetch(f"{what} and armRegionName eq '{region}' and priceType eq 'Consumption'")
                except ServiceError:
                    self._unavailable_until = self._now() + RETRY_AFTER_FAILURE_S
                else:
                    self._store(key, rows)
                    return rows, self._now()
            return (kept["rows"], kept["read"]) if kept else ([], None)

    async def _fetch(self, condition: str) -> list[Row]:
        rows: list[Row] = []
        url: str | None = f"{PRICES_URL}?{urlencode({'$filter': condition})}"
        for _ in range(MAX_PAGES):
            if not url:
                break
            if urlsplit(url).hostname != urlsplit(PRICES_URL).hostname:
                raise ServiceError("the price list's next page is on another host, and was not asked for")
            try:
                answer = await self._client.send_request(HttpRequest("GET", url), **_TIMEOUTS)
                answer.raise_for_status()
                page = answer.json()
            except (AzureError, ValueError) as error:
                raise ServiceError(f"the price list does not answer: {error}") from error
            rows += [{name: row[name] for name in _COLUMNS if name in row} for row in page["Items"]]
            url = page.get("NextPageLink")
        return rows

    # -- what is kept --------------------------------------------------------------------------------------------

    def _load(self) -> dict[str, Any]:
        if self._known is None:
            self._known = {}
            if self._file is not None and self._file.exists():
                try:
                    self._known = dict(json.loads(self._file.read_text("utf-8")))
                except (OSError, ValueError):
                    self._known = {}  # a cache that cannot be read is none
        return self._known

    def _store(self, key: str, rows: list[Row]) -> None:
        known = self._load()
        known[key] = {"read": self._now(), "rows": rows}
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside = self._file.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps(known), "utf-8")
            beside.replace(self._file)  # other processes read the old file or the new one, whole


# -- reading rows ------------------------------------------------------------------------------------------------


def vm_price(rows: Iterable[Row], now: float, *, windows: bool, kind: str = "") -> float | None:
    """Return a VM's price an hour.

    Parameters
    ----------
    rows
        Of one VM size in one region.
    now
        In seconds since 1970: prices that begin later do not count.
    windows
        Whether the system is Windows, whose licence is in the price.
    kind
        ``Spot`` or ``Low Priority``; empty for pay-as-you-go.
    """

    def fits(row: Row) -> bool:
        product, meter = str(row.get("productName")), str(row.get("meterName"))
        kinds = [word for word in ("Spot", "Low Priority") if meter.endswith(word)]
        others = "expired" in meter.lower() or "cloud" in product.lower()  # "... Series CloudServices"
        return product.endswith("Windows") == windows and kinds == [kind] * bool(kind) and not others

    return _price(filter(fits, rows), now, "1 Hour")


def disk_prices(rows: Iterable[Row], now: float) -> dict[str, float]:
    """Return the price a month of each tier (``P10``) of locally redundant disks, those that nodes have."""
    by_tier: dict[str, list[Row]] = {}
    for row in rows:
        tier, _, redundancy = str(row.get("skuName")).partition(" ")
        # The same SKU has meters for mounts, bursts and operations; the second name is that of older rows.
        if redundancy == "LRS" and row.get("meterName") in (f"{tier} LRS Disk", f"{tier} Disks"):
            by_tier.setdefault(tier, []).append(row)
    found = {tier: _price(those, now, "1/Month") for tier, those in by_tier.items()}
    return {tier: price for tier, price in found.items() if price is not None}


def _price(rows: Iterable[Row], now: float, unit: str) -> float | None:
    """Return the price that holds now: the newest that has begun; of several, the dearest."""

    def counts(row: Row) -> bool:
        usual = row.get("type", "Consumption") == "Consumption" and not row.get("tierMinimumUnits")
        dollars = row.get("currencyCode", "USD") == "USD" and row.get("unitOfMeasure") == unit
        # Rows of 0 stand for meters that have no price of their own.
        return usual and dollars and bool(row.get("retailPrice")) and _began(row) <= now

    usable = [row for row in rows if counts(row)]
    primary = [row for row in usable if row.get("isPrimaryMeterRegion")] or usable
    newest = max(map(_began, primary), default=0.0)
    return max((float(row["retailPrice"]) for row in primary if _began(row) == newest), default=None)


def _began(row: Row) -> float:
    began = parse_time(row.get("effectiveStartDate"))
    return began.timestamp() if began else 0.0
