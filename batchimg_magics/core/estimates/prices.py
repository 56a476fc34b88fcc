"""The cost of pools per hour, from the public retail price list.

Azure bills every node by the hour in any state, and its OS and data disks, the load balancers and addresses too. A
price that is not known is None in every result: it never becomes 0.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import price_list
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import node_agents, pools, vm_sizes
from batchimg_magics.core.compute import image_versions
from batchimg_magics.core.estimates import network_prices

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.estimates.network_prices import NetworkRates

#: Source: Azure's price pages: a month is 730 hours.
HOURS_A_MONTH = 730.0
#: Disk type to its product in the price list, and the letter of its tiers.
_DISK_PRODUCTS = {
    "premium": ("Premium SSD Managed Disks", "P"),
    "standardssd": ("Standard SSD Managed Disks", "E"),
    "standard": ("Standard HDD Managed Disks", "S"),
}
#: Largest size in GiB to tier number: a disk is billed for its whole tier. Source: documents of managed disks.
_TIERS = {
    4: 1, 8: 2, 16: 3, 32: 4, 64: 6, 128: 10, 256: 15, 512: 20, 1024: 30, 2048: 40, 4096: 50, 8192: 60, 16384: 70,
    32767: 80,
}  # fmt: skip
#: Standard HDDs have no tier below S4.
_LEAST_HDD_TIER = 4
#: The type of a disk whose type is not known: the most expensive one that Batch attaches.
DEAREST_DISK_SKU = "Premium_LRS"
#: Source: Batch service, DataDisk, storageAccountType: "If omitted, the default is "standard_lrs"".
_DATA_DISK = "Standard_LRS"


@dataclass(frozen=True, slots=True)
class NodeDisk:
    """A managed disk of each node.

    Parameters
    ----------
    sku
        Its storage account type, e.g. ``Premium_LRS`` or ``premium_lrs``.
    size_gib
        Its size; None where it is not known.
    """

    sku: str
    size_gib: int | None

    @property
    def product(self) -> str | None:
        """Its product in the price list; None for a type without tiers."""
        return _DISK_PRODUCTS[self._kind][0] if self._kind in _DISK_PRODUCTS else None

    @property
    def tier(self) -> str | None:
        """The tier that it is billed for, e.g. ``P10``; None where it is not known."""
        if self._kind not in _DISK_PRODUCTS or not self.size_gib:
            return None
        least = _LEAST_HDD_TIER if self._kind == "standard" else 0
        fitting = (tier for gib, tier in _TIERS.items() if gib >= (self.size_gib or 0) and tier >= least)
        tier = next(fitting, None)
        return None if tier is None else f"{_DISK_PRODUCTS[self._kind][1]}{tier}"

    @property
    def _kind(self) -> str:
        return self.sku.lower().partition("_")[0]


@dataclass(frozen=True, slots=True)
class Rates:
    """The cost of one node in US dollars per hour. None: not known.

    Parameters
    ----------
    dedicated_usd_per_hour, spot_usd_per_hour
        The VM alone.
    disks_usd_per_hour
        All managed disks of one node.
    as_of
        When the oldest of these prices was read, in UTC.
    network
        The load balancers and public addresses of the pool; None: not counted.
    """

    dedicated_usd_per_hour: float | None = None
    spot_usd_per_hour: float | None = None
    disks_usd_per_hour: float | None = None
    as_of: dt.datetime | None = None
    network: NetworkRates | None = None

    def node_usd_per_hour(self, *, dedicated: bool) -> float | None:
        """Return US dollars per hour for a node of a kind, disks included."""
        return sum_or_none(
            (self.dedicated_usd_per_hour if dedicated else self.spot_usd_per_hour, self.disks_usd_per_hour)
        )

    def cost(self, dedicated: int, spot: int) -> float | None:
        """Return US dollars per hour for these node counts; None where a needed price is not known."""
        network = 0.0 if self.network is None else self.network.cost(dedicated, spot)
        return sum_or_none((self.nodes_cost(dedicated, spot), network))

    def known_cost(self, dedicated: int, spot: int) -> float | None:
        """Return `cost`, without the load balancers and addresses where their price is not known (`not_in_cost`)."""
        whole = self.cost(dedicated, spot)
        return self.nodes_cost(dedicated, spot) if whole is None and self.not_in_cost else whole

    @property
    def not_in_cost(self) -> str:
        """What `known_cost` does not contain, in words; empty: everything that is billed per hour is in it."""
        return "" if self.network is None else self.network.unknown

    def nodes_cost(self, dedicated: int, spot: int) -> float | None:
        """Return US dollars per hour for these nodes with their disks alone; None where a price is not known."""
        kinds = ((dedicated, self.node_usd_per_hour(dedicated=True)), (spot, self.node_usd_per_hour(dedicated=False)))
        return sum_or_none(None if rate is None else count * rate for count, rate in kinds if count)


#: What the cost of a pool per hour consists of.
INCLUDED = "nodes, OS and data disks, load balancers and public addresses"


def included_text(rates: Iterable[Rates]) -> str:
    """Return what the costs of pools contain and what they do not, for a caption."""
    missing = sorted({one.not_in_cost for one in rates} - {""})
    if not missing:
        return INCLUDED
    return f"nodes, OS and data disks; without {', '.join(missing)}, for which the price list has no price"


def sum_or_none(parts: Iterable[float | None]) -> float | None:
    """Return the sum; None where a part is None."""
    total = 0.0
    for part in parts:
        if part is None:
            return None
        total += part
    return total


def usd_for(usd_per_hour: float | None, seconds: float) -> float | None:
    """Return the cost in US dollars of a rate for a number of seconds."""
    return None if usd_per_hour is None else usd_per_hour * seconds / 3600


async def read_rates(azure: Azure, size: str, os_type: str, disks: Sequence[NodeDisk] | None = ()) -> Rates:
    """Return the cost of a node in the account's region.

    Parameters
    ----------
    azure
        The connection.
    size
        VM size; case is ignored.
    os_type
        ``Linux`` or ``Windows``; case is ignored.
    disks
        The managed disks of one node; None: not known.
    """
    region = await azure.region()
    # The price list compares names with case.
    size = await vm_sizes.read_size_name(azure, size)
    rows, read = await azure.prices.rows(f"serviceName eq 'Virtual Machines' and armSkuName eq '{size}'", region)
    windows, now = os_type.lower() == "windows", azure.now()
    dates, by_tier = [read], dict[str, float]()
    for product in sorted({disk.product for disk in disks or () if disk.product}):
        found, when = await read_storage_rows(azure, product, region)
        by_tier |= price_list.disk_prices(found, now)
        dates.append(when)
    months = None if disks is None else sum_or_none(by_tier.get(disk.tier or "") for disk in disks)
    spot = price_list.vm_price(rows, now, windows=windows, kind="Spot")
    if spot is None:
        # Batch's low-priority nodes are spot nodes since March 2026; some sizes have the older meter only.
        spot = price_list.vm_price(rows, now, windows=windows, kind="Low Priority")
    known = [date for date in dates if date is not None]
    return Rates(
        price_list.vm_price(rows, now, windows=windows),
        spot,
        None if months is None else months / HOURS_A_MONTH,
        dt.datetime.fromtimestamp(min(known), dt.UTC) if known else None,
    )


async def read_disk_usd_per_month(azure: Azure, region: str, disk: NodeDisk) -> float | None:
    """Return the cost of a managed disk in US dollars per month; None where it is not known."""
    if disk.product is None:
        return None
    found, _ = await read_storage_rows(azure, disk.product, region)
    return price_list.disk_prices(found, azure.now()).get(disk.tier or "")


async def read_storage_rows(azure: Azure, product: str, region: str) -> tuple[list[price_list.Row], float | None]:
    """Return the rows of a storage product in a region, and the time of the read."""
    return await azure.prices.rows(f"serviceName eq 'Storage' and productName eq '{product}'", region)


# -- of a pool ---------------------------------------------------------------------------------------------------


async def read_pool_rates(azure: Azure, pool: Json) -> Rates:
    """Return the cost of a node of a pool.

    Parameters
    ----------
    azure
        The connection.
    pool
        The pool's document in Azure Resource Manager.
    """
    machine = dig(pool, "properties", "deploymentConfiguration", "virtualMachineConfiguration") or {}
    os_type = node_agents.os_type_of(pools.agent_of(pool))
    rates = await read_rates(azure, str(pool["properties"]["vmSize"]), os_type, await read_node_disks(azure, machine))
    found = await with_network(azure, rates, dig(pool, "properties", "networkConfiguration"))
    if "name" in pool:
        azure.account_cost.note_cost(str(pool["name"]), found.known_cost)
    return found


async def with_network(azure: Azure, rates: Rates, network: Json | None) -> Rates:
    """Return rates with the prices of a pool's load balancers and public addresses.

    Parameters
    ----------
    azure, rates
        The connection, and the cost of a node.
    network
        A pool's ``networkConfiguration`` in Azure Resource Manager; None: the default, addresses that Azure chooses.
    """
    return replace(rates, network=await network_prices.read_network_rates(azure, network))


async def read_node_disks(azure: Azure, machine: Json) -> list[NodeDisk] | None:
    """Return the managed disks of a node; None where the OS disk's size is not known.

    A disk of unknown type counts as Premium SSD, the most expensive one that Batch attaches.

    Parameters
    ----------
    azure
        The connection.
    machine
        A pool's ``virtualMachineConfiguration`` in Azure Resource Manager.
    """
    return node_disks(machine, await image_versions.read_disk_sizes(azure, dig(machine, "imageReference", "id")))


def node_disks(machine: Json, image: Sequence[int | None]) -> list[NodeDisk] | None:
    """Return the managed disks of a node; None where the OS disk's size is not known.

    Parameters
    ----------
    machine
        A pool's ``virtualMachineConfiguration`` in Azure Resource Manager, at least its disks.
    image
        The sizes of the image's disks in GiB, the OS disk first.
    """
    system = machine.get("osDisk") or {}
    disks = [NodeDisk(_sku(one, _DATA_DISK), one.get("diskSizeGB")) for one in machine.get("dataDisks") or []]
    disks += [NodeDisk(DEAREST_DISK_SKU, size_gib) for size_gib in image[1:]]
    if not dig(system, "ephemeralOSDiskSettings", "placement"):  # an ephemeral OS disk is free
        size_gib = system.get("diskSizeGB") or next(iter(image), None)
        if size_gib is None:
            return None
        disks.insert(0, NodeDisk(_sku(system, DEAREST_DISK_SKU), size_gib))
    return disks


def _sku(disk: Json, default: str) -> str:
    return str(dig(disk, "managedDisk", "storageAccountType") or disk.get("storageAccountType") or default)
