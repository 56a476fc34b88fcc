"""The retail price list on its own host, in Azure's format. The prices are the emulator's, and responses say so."""

from __future__ import annotations

import functools
import itertools
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from batchimg_magics.emulator.catalog.regions import DISPLAY_NAMES
from batchimg_magics.emulator.catalog.vm_sizes import VmSize, all_sizes
from batchimg_magics.emulator.http import odata_filter
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Items on one page, as Azure has it.
PAGE_SIZE = 1000
evidence = Evidence("Prices")
_SPOT_SHARE = evidence.assumed(
    0.2, "of the pay-as-you-go price", "that a Spot or low-priority VM costs", "the real share changes all the time"
)
evidence.rule(
    "VM sizes, managed disks, snapshots and addresses cost the same in every region: near the list prices of 2025.",
    "good for comparisons, but not for a bill; responses say so",
)
#: Managed disks in US dollars a month by tier: near the list prices of 2025.
_DISKS = {
    "Premium SSD Managed Disks": {
        "P1": 0.6, "P2": 1.2, "P3": 2.4, "P4": 5.28, "P6": 10.21, "P10": 19.71, "P15": 38.02, "P20": 73.22,
        "P30": 135.17, "P40": 259.05, "P50": 495.57, "P60": 946.08, "P70": 1802.24, "P80": 3604.48,
    },
    "Standard SSD Managed Disks": {
        "E1": 0.3, "E2": 0.6, "E3": 1.2, "E4": 2.4, "E6": 4.8, "E10": 9.6, "E15": 19.2, "E20": 38.4, "E30": 76.8,
        "E40": 153.6, "E50": 307.2, "E60": 614.4, "E70": 1228.8, "E80": 2457.6,
    },
    "Standard HDD Managed Disks": {
        "S4": 1.54, "S6": 3.01, "S10": 5.89, "S15": 11.33, "S20": 21.76, "S30": 40.96, "S40": 77.83, "S50": 143.36,
        "S60": 262.14, "S70": 524.29, "S80": 1048.58,
    },
}  # fmt: skip
#: Snapshots and image versions in US dollars a GiB and month: product, meter, price. The names are the price list's.
_SNAPSHOTS = (
    ("Premium SSD Managed Disks", "LRS Snapshots", 0.12),
    ("Standard SSD Managed Disks", "Snapshots LRS Snapshots", 0.12),
    ("Standard HDD Managed Disks", "ZRS Snapshots", 0.05),
    ("Standard HDD Managed Disks", "LRS Snapshots", 0.05),
)
evidence.rule(
    "Load balancers have their price in the region Global alone, public addresses in each region.",
    "public copies of the price list show it; a pool in Batch's own subscription is billed for both (Azure/Batch #167)",
)
#: Networking: service, product, meter, unit, price, and whether the price is in the region Global alone.
_NETWORKING = (
    ("Virtual Network", "IP Addresses", "Standard IPv4 Static Public IP", "1 Hour", 0.005, False),
    ("Virtual Network", "IP Addresses", "Basic IPv4 Static Public IP", "1 Hour", 0.0036, False),
    ("Load Balancer", "Load Balancer", "Standard Included LB Rules and Outbound Rules", "1 Hour", 0.025, True),
    ("Load Balancer", "Load Balancer", "Standard Overage LB Rules and Outbound Rules", "1 Hour", 0.01, True),
    ("Load Balancer", "Load Balancer", "Standard Data Processed", "1 GB", 0.005, True),
)
_SERVICE_IDS = {"Virtual Network": "DZH314HC0WV9", "Load Balancer": "DZH317W4ZJ0F"}
#: The region of prices that hold everywhere.
_GLOBAL = "Global"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "batchimg-magics/prices")
_ONE_REGION = re.compile(r"armRegionName\s+eq\s+'([^']*)'", re.IGNORECASE)
_MANY = re.compile(r"\b(or|not|ne)\b", re.IGNORECASE)
#: Filter names that differ from the names in items.
_ALIASES = {"priceType": "type"}

routes = Routes("prices", versioned=False)


@routes.on("GET", "/api/retail/prices")
def list_prices(call: Call) -> Reply:
    """Answer with a page of the price list: ``$filter``, ``$skip``, ``$top``, ``currencyCode`` (US dollars only)."""
    currency = call.query.get("currencycode", "USD").strip("'").upper()
    if currency != "USD":
        raise Refusal(400, "BadRequest", f"The emulator has prices in USD only, not in {currency}.")
    text = call.query.get("$filter", "").strip()
    try:
        test = odata_filter.parse(text) if text else None
        skip, top = int(call.query.get("$skip", "0")), min(PAGE_SIZE, int(call.query.get("$top", str(PAGE_SIZE))))
    except ValueError as error:
        raise Refusal(400, "BadRequest", f"Invalid OData parameters supplied: {error}") from error
    if skip < 0 or top < 1:
        raise Refusal(400, "BadRequest", "Invalid OData parameters supplied: $skip and $top have to be positive.")
    rows = (
        row for region in _candidate_regions(text) for row in _region(region) if test is None or test(_aliased(row))
    )
    found = list(itertools.islice(rows, skip, skip + top + 1))
    query = {name: value for name, value in call.query.items() if name not in ("$skip", "$top")}
    following = f"{call.base}{call.path}?{urlencode({**query, '$skip': skip + top})}"
    body = {
        "BillingCurrency": "USD",
        "CustomerEntityId": "Simulated by the emulator: not Microsoft's prices",
        "CustomerEntityType": "Retail",
        "Items": found[:top],
        "NextPageLink": following if len(found) > top else None,
        "Count": len(found[:top]),
    }
    return Reply(200, body, {"x-batchimg-prices": "simulated"})


_REGIONS = (*DISPLAY_NAMES, _GLOBAL)


def _candidate_regions(text: str) -> list[str]:
    """Return the regions that may match a filter, because a search through each of them takes time."""
    one = _ONE_REGION.findall(text)
    if len(one) == 1 and not _MANY.search(text):
        return [name for name in _REGIONS if name.lower() == one[0].lower()]
    return list(_REGIONS)


def _aliased(row: dict[str, Any]) -> dict[str, Any]:
    return row | {alias: row[name] for alias, name in _ALIASES.items()}


@functools.lru_cache(maxsize=64)
def _region(region: str) -> list[dict[str, Any]]:
    if region == _GLOBAL:
        return list(_networking(region))
    return [*_vms(region), *_storage(region), *_networking(region)]


def _vms(region: str) -> Iterator[dict[str, Any]]:
    for size in all_sizes().values():
        words = size.name.partition("_")[2].replace("_", " ")
        tier = " Basic" if size.name.startswith("Basic") else ""
        systems = [("", size.price_per_hour)]
        if size.architecture == "x64":
            systems.append((" Windows", size.price_per_hour + size.windows_surcharge_per_hour))
        for suffix, price in systems:
            kinds = [("", 1.0)] + ([(" Spot", _SPOT_SHARE), (" Low Priority", _SPOT_SHARE)] if size.spot else [])
            for kind, share in kinds:
                names = {
                    "meterName": words + kind,
                    "productName": f"Virtual Machines {_series(size)} Series{tier}{suffix}",
                    "skuName": words + kind,
                    "serviceName": "Virtual Machines",
                    "serviceId": "DZH313Z7MMC8",
                    "serviceFamily": "Compute",
                    "armSkuName": size.name,
                }
                yield _item(region, round(price * share, 6), "1 Hour", names)


def _series(size: VmSize) -> str:
    """Return the series of a size as in product names: ``Dsv5`` for ``Standard_D4s_v5``."""
    parts = size.name.split("_")[1:]
    return re.sub(r"\d+", "", parts[0], count=1) + "".join(parts[1:])


def _storage(region: str) -> Iterator[dict[str, Any]]:
    fixed = {"serviceName": "Storage", "serviceId": "DZH317F1HKN0", "serviceFamily": "Storage", "armSkuName": ""}
    for product, tiers in _DISKS.items():
        for tier, price in tiers.items():
            names = {"productName": product, "skuName": f"{tier} LRS", "meterName": f"{tier} LRS Disk"}
            yield _item(region, price, "1/Month", names | fixed)
    for product, meter, price in _SNAPSHOTS:
        redundancy = "ZRS" if meter.startswith("ZRS") else "LRS"
        names = {"productName": product, "skuName": f"Snapshots {redundancy}", "meterName": meter}
        yield _item(region, price, "1 GB/Month", names | fixed)


def _networking(region: str) -> Iterator[dict[str, Any]]:
    for service, product, meter, unit, price, everywhere in _NETWORKING:
        if everywhere == (region == _GLOBAL):
            names = {
                "meterName": meter,
                "productName": product,
                "skuName": meter.partition(" ")[0],
                "serviceName": service,
                "serviceId": _SERVICE_IDS[service],
                "serviceFamily": "Networking",
                "armSkuName": "",
            }
            yield _item(region, price, unit, names)


def _item(region: str, price: float, unit: str, names: dict[str, str]) -> dict[str, Any]:
    identity = f"{region}/{names['productName']}/{names['skuName']}/{names['meterName']}"
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": price,
        "unitPrice": price,
        "armRegionName": region,
        "location": DISPLAY_NAMES.get(region, region),
        "effectiveStartDate": "2025-01-01T00:00:00Z",
        "meterId": str(uuid.uuid5(_NAMESPACE, identity)),
        "productId": "DZH318Z0" + uuid.uuid5(_NAMESPACE, names["productName"]).hex[:4].upper(),
        "skuId": "DZH318Z0/" + uuid.uuid5(_NAMESPACE, identity).hex[:4].upper(),
        **names,
        "unitOfMeasure": unit,
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
    }
