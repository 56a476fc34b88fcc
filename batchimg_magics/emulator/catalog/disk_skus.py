"""Properties that follow from the SKU and size of a disk: tier, IOPS, throughput, bytes.

Source: recorded disks and Microsoft's table of managed disk types.
"""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.world.evidence import Evidence

DISK_SKUS = (
    "Standard_LRS",
    "StandardSSD_LRS",
    "StandardSSD_ZRS",
    "Premium_LRS",
    "Premium_ZRS",
    "PremiumV2_LRS",
    "UltraSSD_LRS",
)
SNAPSHOT_SKUS = ("Standard_LRS", "Standard_ZRS", "Premium_LRS")
#: SKUs with adjustable speeds, and their defaults: IOPS, MB/s.
ADJUSTABLE_SPEEDS = {"PremiumV2_LRS": (3000, 125), "UltraSSD_LRS": (500, 8)}
#: Premium SSD: up to GiB, tier, IOPS, MB/s.
_PREMIUM = (
    (4, "P1", 120, 25),
    (8, "P2", 120, 25),
    (16, "P3", 120, 25),
    (32, "P4", 120, 25),
    (64, "P6", 240, 50),
    (128, "P10", 500, 100),
    (256, "P15", 1100, 125),
    (512, "P20", 2300, 150),
    (1024, "P30", 5000, 200),
    (2048, "P40", 7500, 250),
    (4096, "P50", 7500, 250),
    (8192, "P60", 16000, 500),
    (16384, "P70", 18000, 750),
    (32767, "P80", 20000, 900),
)
#: The others: up to GiB, IOPS, MB/s.
_STANDARD = {
    "StandardSSD": ((4096, 500, 100), (8192, 2000, 400), (16384, 4000, 600), (32767, 6000, 750)),
    "Standard": ((4096, 500, 60), (8192, 1300, 300), (32767, 2000, 500)),
}
_TIERS = {"StandardSSD": "Standard", "PremiumV2": "Premium", "UltraSSD": "Ultra"}
#: The largest disk.
MAX_DISK_GIB = 65_536
evidence = Evidence("Sizes of disks")
OS_DISK_GIB = evidence.documented(
    {"Linux": 30, "Windows": 127}, "GiB", "of the OS disk of a Marketplace image", "the images' own documents"
)
DEFAULT_DISK_GIB = evidence.assumed(
    30, "GiB", "of a disk of an image or image version whose size is not known", "for example the size of a blob"
)


def premium_tier(size_gib: int) -> str:
    """Return the performance tier of a premium disk of a size."""
    return next((row for row in _PREMIUM if size_gib <= row[0]), _PREMIUM[-1])[1]


def disk_properties(sku: str, size_gib: int, tier: str = "") -> dict[str, Any]:
    """Return the properties of a disk of this SKU and size: speeds, bytes, and the tier of premium disks.

    Parameters
    ----------
    sku, size_gib
        Of the disk.
    tier
        The requested performance tier; a premium disk never has a lower tier than that of its size.
    """
    family = sku.partition("_")[0]
    known: dict[str, Any] = {"diskSizeBytes": size_gib * 1024**3}
    if sku in ADJUSTABLE_SPEEDS:
        iops, speed = ADJUSTABLE_SPEEDS[sku]
    elif family == "Premium":
        own = next((row for row in _PREMIUM if size_gib <= row[0]), _PREMIUM[-1])
        asked = next((row for row in _PREMIUM if row[1] == tier), own)
        _, known["tier"], iops, speed = max(own, asked)
    else:
        rows = _STANDARD[family]
        _, iops, speed = next((row for row in rows if size_gib <= row[0]), rows[-1])
    return known | {"diskIOPSReadWrite": iops, "diskMBpsReadWrite": speed}


def sku_document(name: str) -> dict[str, str]:
    """Return a SKU with its tier, in the format of documents."""
    family = name.partition("_")[0]
    return {"name": name, "tier": _TIERS.get(family, family)}
