"""Cores: what the account may use, what its pools hold, what is left.

Azure checks quotas when nodes are allocated, and says so in a resize error half an hour later. Source: FACTS 3 and 4.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core import offers, pools, waiting
from batchimg_magics.core.azure import dig
from batchimg_magics.core.counts import Counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from batchimg_magics.core.azure import Azure, Json


@dataclass(frozen=True, slots=True)
class Quota:
    """A number of cores that nodes of one kind share.

    Parameters
    ----------
    name
        What it is called.
    dedicated
        Whether dedicated nodes or spot nodes count against it.
    limit, used
        Cores in all, and those of other pools' nodes.
    """

    name: str
    dedicated: bool
    limit: int
    used: int

    @property
    def free(self) -> int:
        """Cores that are left."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Room:
    """What the quotas leave to nodes of one VM size.

    Parameters
    ----------
    cores
        Of one node; 0 where Azure does not tell.
    quotas
        Those that its nodes count against; none for accounts that Compute's own quotas bind.
    """

    cores: int
    quotas: tuple[Quota, ...] = ()

    def binding(self, *, dedicated: bool) -> list[Quota]:
        """Return the quotas of one kind of node, the tightest first."""
        return sorted((one for one in self.quotas if one.dedicated == dedicated), key=lambda one: one.free)

    def fits(self, target: Counts) -> Counts:
        """Return how much of a target the quotas allow."""

        def most(wanted: int, *, dedicated: bool) -> int:
            return min([wanted, *(one.free // (self.cores or 1) for one in self.binding(dedicated=dedicated))])

        return Counts(most(target.dedicated, dedicated=True), most(target.spot, dedicated=False))

    def missing(self, target: Counts) -> str:
        """Return which quotas a target breaks, how many cores are missing, and what would fit; else nothing."""
        said = [
            f"{one.name}: {wanted * self.cores} cores needed, {one.free} of {one.limit} free, "
            f"{wanted * self.cores - one.free} missing"
            for dedicated, wanted in ((True, target.dedicated), (False, target.spot))
            for one in self.binding(dedicated=dedicated)
            if one.free < wanted * self.cores
        ]
        return f"{'; '.join(said)}; {self.fits(target)} would fit" if said else ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands with its quotas.

    Parameters
    ----------
    account
        Its properties.
    used
        (VM family in lower case, whether dedicated) to the cores of its pools.
    """

    account: Json
    used: Mapping[tuple[str, bool], int]

    def room(self, size: Json) -> Room:
        """Return what is left to nodes of a size, given as Batch offers it."""
        family, found = str(size.get("familyName") or ""), list[Quota]()
        for key, dedicated in (("dedicatedCoreQuota", True), ("lowPriorityCoreQuota", False)):
            if (limit := self.account.get(key)) is not None:
                name = f"{'dedicated' if dedicated else 'spot'} cores of the account"
                found.append(Quota(name, dedicated, int(limit), self._held(dedicated=dedicated)))
        # A single total binds spot nodes of every family, and so it does dedicated ones where families do not count.
        if self.account.get("dedicatedCoreQuotaPerVMFamilyEnforced"):
            found += [
                Quota(
                    f"dedicated cores of {one['name']}",
                    dedicated=True,
                    limit=int(one["coreQuota"]),
                    used=self._held(family, dedicated=True),
                )
                for one in self.account.get("dedicatedCoreQuotaPerVMFamily") or []
                if str(one["name"]).lower() == family.lower()
            ]
        return Room(offers.vcpus(size), tuple(found))

    def _held(self, of: str = "", *, dedicated: bool) -> int:
        return sum(
            cores for (family, kind), cores in self.used.items() if kind == dedicated and of.lower() in ("", family)
        )


async def standing(azure: Azure, *, but_for: str | None = None) -> Standing:
    """Return how the account stands.

    Parameters
    ----------
    azure
        Whose.
    but_for
        A pool whose own cores do not count: the one that is being sized.
    """
    account, sizes, there = await waiting.together(azure.account(), offers.sizes(azure), pools.listed(azure))
    others = (pool for pool in there if str(pool["name"]).lower() != (but_for or "").lower())
    return Standing(account["properties"], used(others, sizes))


def used(there: Iterable[Json], sizes: Iterable[Json]) -> Mapping[tuple[str, bool], int]:
    """Return (VM family in lower case, whether dedicated) to the cores that pools hold or have been promised."""
    by_name = {str(size["name"]).lower(): size for size in sizes}
    total: Counter[tuple[str, bool]] = Counter()
    for pool in there:
        size = by_name.get(str(dig(pool, "properties", "vmSize")).lower())
        if size is None:
            continue  # a size that Batch no longer offers: nobody can say which family it counts against
        family, counts = str(size.get("familyName") or "").lower(), allotted(pool)
        total[family, True] += counts.dedicated * offers.vcpus(size)
        total[family, False] += counts.spot * offers.vcpus(size)
    return total


def allotted(pool: Json) -> Counts:
    """Return how many nodes a pool has, or has been promised while it is resized."""
    props = pool["properties"]
    now = Counts(props.get("currentDedicatedNodes") or 0, props.get("currentLowPriorityNodes") or 0)
    if str(props.get("allocationState")).lower() == "steady":
        return now
    fixed = dig(props, "scaleSettings", "fixedScale") or {}
    wanted = Counts(fixed.get("targetDedicatedNodes") or 0, fixed.get("targetLowPriorityNodes") or 0)
    return Counts(max(now.dedicated, wanted.dedicated), max(now.spot, wanted.spot))
