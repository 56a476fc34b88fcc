"""Cores: what the account may use, what its pools hold, what is left.

Azure checks quotas when nodes are allocated, and says so in a resize error half an hour later. Source: FACTS 3 and 4.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchimg_magics.core import offers, pools, waiting
from batchimg_magics.core.azure import dig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure import Azure, Json


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of one quota.

    Parameters
    ----------
    quota
        In words: ``dedicated``, ``spot``, or a VM family.
    cores
        How many may be used.
    free
        How many of them are.
    """

    quota: str
    cores: int
    free: int


@dataclass(frozen=True, slots=True)
class Quotas:
    """The core quotas of a Batch account, and what its pools were asked to hold of them.

    Parameters
    ----------
    dedicated, spot
        Cores in all; None where the account tells none (UserSubscription: the subscription's usages count there).
    families
        VM family to cores; empty where families are not enforced.
    used
        (family, whether dedicated) to the cores of all pools' targets.
    """

    dedicated: int | None
    spot: int | None
    families: Mapping[str, int] = field(default_factory=dict)
    used: Mapping[tuple[str, bool], int] = field(default_factory=dict)

    def left(self, family: str, *, dedicated: bool) -> list[Left]:
        """Return what is left of each quota that nodes of a VM family count against, the tightest first."""
        total = self.dedicated if dedicated else self.spot
        held = sum(cores for (_, kind), cores in self.used.items() if kind == dedicated)
        found = [] if total is None else [Left("dedicated" if dedicated else "spot", total, max(0, total - held))]
        if dedicated and family.lower() in self.families:
            # A single total binds spot nodes of every family.
            cores = self.families[family.lower()]
            found.append(Left(family, cores, max(0, cores - self.used.get((family.lower(), True), 0))))
        return sorted(found, key=lambda one: one.free)


async def read(azure: Azure, *, but_for: str | None = None) -> Quotas:
    """Return the account's quotas with what its pools use of them.

    Parameters
    ----------
    azure
        Whose.
    but_for
        A pool whose own cores do not count: the one that is being sized.
    """
    account, sizes, there = await waiting.together(azure.account(), offers.sizes(azure), pools.listed(azure))
    props = account["properties"]
    enforced = props.get("dedicatedCoreQuotaPerVMFamilyEnforced")
    families = props.get("dedicatedCoreQuotaPerVMFamily") or [] if enforced else []
    return Quotas(
        props.get("dedicatedCoreQuota"),
        props.get("lowPriorityCoreQuota"),
        {str(one["name"]).lower(): int(one["coreQuota"]) for one in families},
        used([pool for pool in there if str(pool["name"]).lower() != (but_for or "").lower()], sizes),
    )


def used(there: list[Json], sizes: list[Json]) -> Mapping[tuple[str, bool], int]:
    """Return (family, whether dedicated) to the cores that the pools are to hold."""
    by_name = {str(size["name"]).lower(): size for size in sizes}
    total: Counter[tuple[str, bool]] = Counter()
    for pool in there:
        size = by_name.get(str(dig(pool, "properties", "vmSize")).lower())
        if size is None:
            continue  # a size that Batch no longer offers: nobody can say which family it counts against
        family, cores = str(size.get("familyName")).lower(), offers.vcpus(size)
        fixed = dig(pool, "properties", "scaleSettings", "fixedScale") or {}
        for key, now, dedicated in (
            ("targetDedicatedNodes", "currentDedicatedNodes", True),
            ("targetLowPriorityNodes", "currentLowPriorityNodes", False),
        ):
            nodes = max(int(fixed.get(key) or 0), int(dig(pool, "properties", now) or 0))
            total[family, dedicated] += nodes * cores
    return total
