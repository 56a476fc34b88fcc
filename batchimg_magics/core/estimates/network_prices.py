"""The cost of a pool's load balancers and public addresses per hour.

Batch makes them, in its own subscription too, and bills them to the account. Source: Azure/Batch #167, "Pricing change
for pools": standard load balancers, which require standard static IP addresses. Data that passes them is not counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import price_list
from batchimg_magics.core.azure.documents import dig

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

#: Nodes of a kind that share a load balancer and an address. Source: Batch, "Create a pool with specified public IP
#: addresses": one load balancer for each 100 dedicated nodes, one public IP address for each 100 VMs. The two kinds of
#: nodes do not share them. Where Batch needs fewer, the cost is an upper bound.
NODES_PER_LOAD_BALANCER = 100
_LOAD_BALANCER_METER = "Standard Included LB Rules and Outbound Rules"
_ADDRESS_METER = "Standard IPv4 Static Public IP"
#: The price list has load balancers under this region, and not under most others.
_EVERYWHERE = "Global"


@dataclass(frozen=True, slots=True)
class NetworkRates:
    """The cost of the load balancers and public addresses of a pool, in US dollars per hour. None: not known.

    Parameters
    ----------
    load_balancer_usd_per_hour, address_usd_per_hour
        One of them.
    addresses
        Number of public addresses that the user gave; None: as many as load balancers; 0: the pool has none.
    """

    load_balancer_usd_per_hour: float | None
    address_usd_per_hour: float | None
    addresses: int | None = None

    def cost(self, dedicated: int, spot: int) -> float | None:
        """Return US dollars per hour for these node counts, at most; None where a price is not known."""
        balancers = sum(math.ceil(count / NODES_PER_LOAD_BALANCER) for count in (dedicated, spot))
        if not balancers:
            return 0.0
        addresses = balancers if self.addresses is None else self.addresses
        parts = ((balancers, self.load_balancer_usd_per_hour), (addresses, self.address_usd_per_hour))
        if any(price is None for count, price in parts if count):
            return None
        return sum(count * price for count, price in parts if price is not None)

    @property
    def unknown(self) -> str:
        """What has no price, in words; empty: nothing."""
        words = ["load balancers"] if self.load_balancer_usd_per_hour is None else []
        words += ["public addresses"] if self.address_usd_per_hour is None and self.addresses != 0 else []
        return " and ".join(words)


async def read_network_rates(azure: Azure, network: Json | None) -> NetworkRates:
    """Return the prices of a pool's load balancers and public addresses in the account's region.

    Parameters
    ----------
    azure
        The connection.
    network
        A pool's ``networkConfiguration`` in Azure Resource Manager.
    """
    region, now = await azure.region(), azure.now()
    balancer = await _price(azure, "Load Balancer", "Load Balancer", _LOAD_BALANCER_METER, (_EVERYWHERE, region), now)
    public = dig(network, "publicIPAddressConfiguration") or {}
    if str(public.get("provision", "")).lower() == "nopublicipaddresses":
        return NetworkRates(balancer, None, 0)
    address = await _price(azure, "Virtual Network", "IP Addresses", _ADDRESS_METER, (region,), now)
    given = public.get("ipAddressIds")
    return NetworkRates(balancer, address, len(given) if given else None)


async def _price(
    azure: Azure, service: str, product: str, meter: str, regions: tuple[str, ...], now: float
) -> float | None:
    for region in regions:
        rows, _ = await azure.prices.rows(f"serviceName eq '{service}' and productName eq '{product}'", region)
        if (found := price_list.meter_price(rows, now, meter, "1 Hour")) is not None:
            return found
    return None
