"""What the temporary copy of a VM costs, and how to remove what is left of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.images.temporary_vm import VM_STEP
from batchimg_magics.pool_spec.line import magic_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.steps import Step
    from batchimg_magics.core.checks.facts import Facts

__all__ = ["CopyCost", "add_copy_cost", "describe_copy", "read_copy_cost"]

#: The type of the disks of a copy.
_DISK_SKU = "StandardSSD_LRS"


@dataclass(frozen=True, slots=True)
class CopyCost:
    """What a temporary copy of a VM costs, at the list price of the account's region.

    Parameters
    ----------
    size
        Its VM size.
    usd_per_hour
        US dollars per hour for the VM until it is deallocated; None: not known.
    disks_usd_per_month
        US dollars per month for its disks; None: not known.
    """

    size: str
    usd_per_hour: float | None
    disks_usd_per_month: float | None

    def leftovers_text(self, pool: str, vm: str) -> str:
        """Return what is left after an interruption, what it costs, and the command that removes it."""
        running = "" if self.usd_per_hour is None else f", ${self.usd_per_hour:,.2f}/h until it is deallocated"
        disks = "" if self.disks_usd_per_month is None else f", ${self.disks_usd_per_month:,.2f} a month"
        return (
            f"temporary resources are left: VM {vm} ({self.size}{running}), copies of the disks{disks}, and snapshots; "
            f"`%batchimg cleanup --delete --pool {magic_word(pool)} --older-than 0h` removes them"
        )


async def read_copy_cost(azure: Azure, facts: Facts) -> CopyCost | None:
    """Return what a copy of a VM costs; None if none is made."""
    sizes, source = facts.copy_sizes, facts.source
    if sizes is None or not sizes.names or source is None:
        return None
    gib = [dig(disk, "properties", "diskSizeGB") for disk in facts.disks]
    disks = None if len(gib) < len(source.disks) else [prices.NodeDisk(_DISK_SKU, one) for one in gib]
    rates = await prices.read_rates(azure, sizes.names[0], source.os_type, disks)
    hourly = rates.disks_usd_per_hour
    return CopyCost(
        sizes.names[0], rates.dedicated_usd_per_hour, None if hourly is None else hourly * prices.HOURS_A_MONTH
    )


def describe_copy(steps: Sequence[Step], cost: CopyCost | None, pool: str) -> list[Step]:
    """Return steps of which those of a copy tell its size, and what is left if they are interrupted."""
    copy = next((one for one in steps if one.name == VM_STEP), None)
    if copy is None or cost is None:
        return list(steps)
    left = cost.leftovers_text(pool, copy.resource.name)
    return [replace(one, why=f"{one.why}; {cost.size}", leaves=left) if one.name == VM_STEP else one for one in steps]


def add_copy_cost(rows: Iterable[dict[str, Any]], cost: CopyCost | None) -> None:
    """Add what a copy costs per hour to its row of a plan, unless the copy exists."""
    for row in rows:
        if cost is not None and row["step"] == VM_STEP and row["action"] != "exists":
            row["usd_per_hour"] = cost.usd_per_hour
