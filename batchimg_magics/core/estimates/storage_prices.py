"""The cost per month of what is stored: snapshots, image versions and their replicas, managed images, disks.

Azure bills snapshots and image versions for the used part of their disks, which no API tells: the cost is an upper
bound, for the whole size. Source: Azure's price pages of managed disks; replicas of image versions are billed as
snapshots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import price_list
from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.estimates import prices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

_HDD, _SSD = "Standard HDD Managed Disks", "Premium SSD Managed Disks"
_UNIT = "1 GB/Month"


async def read_snapshot_usd(azure: Azure, region: str, storage: str = "Standard_LRS") -> float | None:
    """Return the cost of a GiB of a snapshot or image version in US dollars per month; None where it is not known.

    Parameters
    ----------
    azure
        The connection.
    region
        The programmatic name of the region.
    storage
        ``Standard_LRS``, ``Standard_ZRS`` or ``Premium_LRS``.
    """
    kind, _, redundancy = storage.upper().partition("_")
    product = _SSD if kind == "PREMIUM" else _HDD
    rows, _ = await prices.read_storage_rows(azure, product, region)
    return price_list.meter_price(rows, azure.now(), f"{redundancy or 'LRS'} Snapshots", _UNIT)


async def version_usd_per_month(azure: Azure, gib: int | None, targets: Mapping[str, tuple[int, str]]) -> float | None:
    """Return the cost of an image version with all its replicas in US dollars per month, at most.

    Parameters
    ----------
    azure
        The connection.
    gib
        The size of all its disks; None: not known.
    targets
        Region to the number of replicas and their storage account type.
    """
    if gib is None:
        return None
    return prices.sum_or_none(
        [
            None if (usd := await read_snapshot_usd(azure, region, storage)) is None else usd * gib * replicas
            for region, (replicas, storage) in targets.items()
        ]
    )


async def usd_per_month(azure: Azure, document: Json) -> float | None:
    """Return the cost of storing a resource in US dollars per month, at most; None where it is not known.

    Parameters
    ----------
    azure
        The connection.
    document
        A snapshot, disk, managed image or image version in Azure Resource Manager.
    """
    kind, gib = str(document["id"]).lower(), size_gib(document)
    storage = str(dig(document, "sku", "name") or "Standard_LRS")
    if "/versions/" in kind:
        targets = dig(document, "properties", "publishingProfile", "targetRegions") or []
        return await version_usd_per_month(azure, gib, {region_key(one["name"]): _replicas(one) for one in targets})
    region = region_key(str(document["location"]))
    if "/disks/" in kind:
        return await prices.read_disk_usd_per_month(azure, region, prices.NodeDisk(storage, gib))
    if "/images/" in kind:
        storage = "Standard_LRS"
    return await version_usd_per_month(azure, gib, {region: (1, storage)})


def _replicas(target: Json) -> tuple[int, str]:
    return int(target.get("regionalReplicaCount") or 1), str(target.get("storageAccountType") or "Standard_LRS")


def size_gib(document: Json) -> int | None:
    """Return the size of all disks of a snapshot, disk, managed image or image version; None where it is not known."""
    storage = dig(document, "properties", "storageProfile")
    if storage is None:
        sizes = [dig(document, "properties", "diskSizeGB")]
    else:
        parts = [
            storage.get("osDiskImage") or storage.get("osDisk") or {},
            *(storage.get("dataDiskImages") or storage.get("dataDisks") or []),
        ]
        sizes = [one.get("sizeInGB") or one.get("diskSizeGB") for one in parts]
    return None if None in sizes else sum(int(one) for one in sizes)
