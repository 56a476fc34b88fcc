"""What follows from a disk's SKU and size: tier, IOPS, throughput, bytes.

Source: recorded disks (FACTS 4) and Microsoft's table of managed disk types.
"""

from __future__ import annotations

from typing import Any

DISK_SKUS = frozenset(
    {
        "PremiumV2_LRS", "Premium_LRS", "Premium_ZRS", "StandardSSD_LRS", "StandardSSD_ZRS", "Standard_LRS",
        "UltraSSD_LRS",
    }
)  # fmt: skip
SNAPSHOT_SKUS = frozenset({"Standard_LRS", "Premium_LRS", "Standard_ZRS"})
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


def disk_properties(sku: str, size_gib: int) -> dict[str, Any]:
    """Return the properties that a disk of this SKU and size has: speeds, bytes, and the tier of premium ones."""
    known: dict[str, Any] = {"diskIOPSReadWrite": 500, "diskMBpsReadWrite": 60}
    if sku.lower().startswith("premium"):
        _, tier, iops, speed = next(row for row in _PREMIUM if size_gib <= row[0] or row is _PREMIUM[-1])
        known = {"diskIOPSReadWrite": iops, "diskMBpsReadWrite": speed, "tier": tier}
    return known | {"diskSizeBytes": size_gib * 1024**3}
