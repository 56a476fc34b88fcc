"""Azure's public retail price list: requested without credentials, and cached with the time of the read.

No SDK client is used for it: an SDK client sends its bearer token to any host (tried).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from azure.core import AsyncPipelineClient
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import AsyncRetryPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest

from batchimg_magics.core.azure.cloud import AZURE_PUBLIC
from batchimg_magics.core.azure.documents import parse_time
from batchimg_magics.core.azure.pipeline import USER_AGENT
from batchimg_magics.core.base.files import make_private_folder, write_file
from batchimg_magics.errors import ServiceError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from azure.core.pipeline.transport import AsyncHttpTransport

    Row = dict[str, Any]

#: Seconds for which a cached price is valid: the list changes about once a month.
MAX_AGE_S = 24 * 3600.0
#: Seconds after a failure in which the list is not requested again.
RETRY_AFTER_FAILURE_S = 600.0
_TIMEOUTS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 15}
#: Most pages that are read of one query: a VM size and a disk type have one page each.
MAX_PAGES = 20
#: The fields of a row that are cached.
_COLUMNS = (
    "productName", "skuName", "meterName", "retailPrice", "unitOfMeasure", "currencyCode", "type", "tierMinimumUnits",
    "effectiveStartDate", "isPrimaryMeterRegion",
)  # fmt: skip


class PriceList:
    """Azure's list prices.

    Parameters
    ----------
    transport
        Sends the requests.
    now
        Returns the service's time in seconds since 1970.
    file
        The cache file, shared by processes; None: the cache is in memory.
    url
        The URL of the list; None: there is none, and every price is unknown.
    """

    def __init__(
        self,
        transport: AsyncHttpTransport[Any, Any],
        now: Callable[[], float],
        file: Path | None = None,
        *,
        url: str | None = AZURE_PUBLIC.price_list,
    ) -> None:
        self._url = url
        # No credential, and no policy that adds one.
        self._client: AsyncPipelineClient[HttpRequest, Any] = AsyncPipelineClient(
            url or "", transport=transport, policies=[UserAgentPolicy(USER_AGENT), AsyncRetryPolicy(retry_total=2)]
        )
        self._now = now
        self._file = file
        self._known: dict[str, Any] | None = None
        self._unavailable_until = 0.0
        self._lock = asyncio.Lock()

    async def rows(self, what: str, region: str) -> tuple[list[Row], float | None]:
        """Return rows of the list and the time of the read; older rows where the list does not respond now.

        Parameters
        ----------
        what
            An OData filter. The service compares values with case since 2023.
        region
            The programmatic name of the region.
        """
        if self._url is None:
            return [], None
        key = f"{region}: {what}"
        async with self._lock:  # concurrent calls with the same query read it once
            kept = self._load().get(key)
            if kept and 0 <= self._now() - kept["read"] < MAX_AGE_S:
                return kept["rows"], kept["read"]
            if self._now() >= self._unavailable_until:
                try:
                    condition = f"{what} and armRegionName eq '{region}' and priceType eq 'Consumption'"
                    rows = await self._fetch(self._url, condition)
                except ServiceError:
                    self._unavailable_until = self._now() + RETRY_AFTER_FAILURE_S
                else:
                    self._store(key, rows)
                    return rows, self._now()
            return (kept["rows"], kept["read"]) if kept else ([], None)

    async def _fetch(self, first: str, condition: str) -> list[Row]:
        rows: list[Row] = []
        url: str | None = f"{first}?{urlencode({'$filter': condition})}"
        for _ in range(MAX_PAGES):
            if not url:
                break
            if urlsplit(url).netloc != urlsplit(first).netloc:
                raise ServiceError("the next page of the price list is on another host and was not requested")
            try:
                answer = await self._client.send_request(HttpRequest("GET", url), **_TIMEOUTS)
                answer.raise_for_status()
                page = answer.json()
            except (AzureError, ValueError) as error:
                raise ServiceError(f"the price list does not respond: {error}") from error
            rows += [{name: row[name] for name in _COLUMNS if name in row} for row in page["Items"]]
            url = page.get("NextPageLink")
        return rows

    # -- cache ---------------------------------------------------------------------------------------------------

    def _load(self) -> dict[str, Any]:
        if self._known is None:
            self._known = {}
            if self._file is not None and self._file.exists():
                try:
                    self._known = dict(json.loads(self._file.read_text("utf-8")))
                except (OSError, ValueError):
                    self._known = {}  # an unreadable cache is ignored
        return self._known

    def _store(self, key: str, rows: list[Row]) -> None:
        known = self._load()
        known[key] = {"read": self._now(), "rows": rows}
        if self._file is not None:
            # A cache that cannot be kept is read from the service again.
            with contextlib.suppress(OSError, SpecError):
                make_private_folder(self._file.parent)
                write_file(self._file, json.dumps(known), force=True, private=True)


# -- reading rows ------------------------------------------------------------------------------------------------


def vm_price(rows: Iterable[Row], now: float, *, windows: bool, kind: str = "") -> float | None:
    """Return a VM's price in US dollars per hour; None where the list has none.

    Parameters
    ----------
    rows
        The rows of one VM size in one region.
    now
        The time in seconds since 1970; prices that begin later are ignored.
    windows
        Whether the operating system is Windows, whose license is part of the price.
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
    """Return US dollars per month by tier (``P10``) for locally redundant disks, which nodes have."""
    by_tier: dict[str, list[Row]] = {}
    for row in rows:
        tier, _, redundancy = str(row.get("skuName")).partition(" ")
        # The same SKU has meters for mounts, bursts and operations. Older rows use the second name.
        if redundancy == "LRS" and row.get("meterName") in (f"{tier} LRS Disk", f"{tier} Disks"):
            by_tier.setdefault(tier, []).append(row)
    found = {tier: _price(those, now, "1/Month") for tier, those in by_tier.items()}
    return {tier: price for tier, price in found.items() if price is not None}


def meter_price(rows: Iterable[Row], now: float, meter: str, unit: str) -> float | None:
    """Return the price of a meter in US dollars; None where the list has none.

    Parameters
    ----------
    rows
        Rows of one product in one region.
    now
        The time in seconds since 1970; prices that begin later are ignored.
    meter, unit
        ``meterName`` and ``unitOfMeasure``.
    """
    return _price((row for row in rows if row.get("meterName") == meter), now, unit)


def _price(rows: Iterable[Row], now: float, unit: str) -> float | None:
    """Return the price that is valid now: the newest that has begun; the highest of several."""

    def counts(row: Row) -> bool:
        usual = row.get("type", "Consumption") == "Consumption" and not row.get("tierMinimumUnits")
        dollars = row.get("currencyCode", "USD") == "USD" and row.get("unitOfMeasure") == unit
        # A price of 0 means that the meter has no price of its own.
        return usual and dollars and bool(row.get("retailPrice")) and _began(row) <= now

    usable = [row for row in rows if counts(row)]
    primary = [row for row in usable if row.get("isPrimaryMeterRegion")] or usable
    newest = max(map(_began, primary), default=0.0)
    return max((float(row["retailPrice"]) for row in primary if _began(row) == newest), default=None)


def _began(row: Row) -> float:
    began = parse_time(row.get("effectiveStartDate"))
    return began.timestamp() if began else 0.0
