"""Cores: what the account may use, what its pools hold, what is left.

Azure checks quotas when nodes are allocated, and says so in a resize error half an hour later. Source: FACTS 3 and 4.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import Counts, allocated_counts, current_counts
from batchimg_magics.core.batch import pools, vm_sizes
from batchimg_magics.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json


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
    family
        The VM family that it is of; empty: it is of all families.
    """

    name: str
    dedicated: bool
    limit: int
    used: int
    family: str = ""

    @property
    def free(self) -> int:
        """Cores that are left."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class QuotaHeadroom:
    """What the quotas leave to nodes of one VM size.

    Parameters
    ----------
    cores
        Of one node; 0 where Azure does not tell.
    quotas
        Those that its nodes count against.
    """

    cores: int
    quotas: tuple[Quota, ...] = ()

    def binding(self, *, dedicated: bool) -> list[Quota]:
        """Return the quotas of one kind of node, the tightest first."""
        return sorted((one for one in self.quotas if one.dedicated == dedicated), key=lambda one: one.free)

    def quota(self, *, dedicated: bool, of_family: bool = False) -> Quota | None:
        """Return the quota of one kind of node in all, or of the size's family; None where there is none."""
        kind = (dedicated, of_family)
        return next((one for one in self.quotas if (one.dedicated, bool(one.family)) == kind), None)

    def fitting(self, target: Counts) -> Counts:
        """Return how much of a target the quotas allow."""

        def most(wanted: int, *, dedicated: bool) -> int:
            return min([wanted, *(one.free // (self.cores or 1) for one in self.binding(dedicated=dedicated))])

        return Counts(most(target.dedicated, dedicated=True), most(target.spot, dedicated=False))

    def shortfall(self, target: Counts) -> str:
        """Return which quotas a target breaks, how many cores are missing, and what would fit; else nothing."""
        parts = [
            f"{one.name}: {wanted * self.cores} cores needed, {one.free} of {one.limit} free, "
            f"{wanted * self.cores - one.free} missing"
            for dedicated, wanted in ((True, target.dedicated), (False, target.spot))
            for one in self.binding(dedicated=dedicated)
            if one.free < wanted * self.cores
        ]
        return f"{'; '.join(parts)}; {self.fitting(target)} would fit" if parts else ""


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """How an account stands with its quotas.

    Parameters
    ----------
    account
        Its properties.
    used
        (VM family in lower case, whether dedicated) to the cores of other pools.
    usages
        For accounts whose nodes are VMs of their own subscription, which Compute's quotas bind: name of a quota in
        lower case to its limit and what others use of it; None: Batch's own quotas bind.
    """

    account: Json
    used: Mapping[tuple[str, bool], int]
    usages: Mapping[str, tuple[int, int]] | None = None

    def headroom(self, size: Json) -> QuotaHeadroom:
        """Return what is left to nodes of a size, given as Batch offers it."""
        family = str(size.get("familyName") or "")
        found = self._of_batch(family) if self.usages is None else self._of_compute(self.usages, family)
        return QuotaHeadroom(vm_sizes.vcpus(size), tuple(found))

    def _of_batch(self, family: str) -> Iterator[Quota]:
        for key, dedicated in (("dedicatedCoreQuota", True), ("lowPriorityCoreQuota", False)):
            if (limit := self.account.get(key)) is not None:
                name = f"{'dedicated' if dedicated else 'spot'} cores of the account"
                yield Quota(name, dedicated, int(limit), self._used_by_pools(dedicated=dedicated))
        # A single total binds spot nodes of every family, and so it does dedicated ones where families do not count.
        if not self.account.get("dedicatedCoreQuotaPerVMFamilyEnforced"):
            return
        for one in self.account.get("dedicatedCoreQuotaPerVMFamily") or []:
            if str(one["name"]).lower() == family.lower():
                held = self._used_by_pools(family, dedicated=True)
                words = f"dedicated cores of {one['name']}"
                yield Quota(words, dedicated=True, limit=int(one["coreQuota"]), used=held, family=family)

    @staticmethod
    def _of_compute(usages: Mapping[str, tuple[int, int]], family: str) -> Iterator[Quota]:
        for name, words, dedicated in (
            ("cores", "cores of the subscription", True),
            (family, f"cores of {family}", True),
            ("lowPriorityCores", "spot cores of the subscription", False),
        ):
            if (found := usages.get(name.lower())) is not None:
                yield Quota(f"{words} in the region", dedicated, *found, family=name if name == family else "")

    def _used_by_pools(self, of: str = "", *, dedicated: bool) -> int:
        return sum(
            cores for (family, kind), cores in self.used.items() if kind == dedicated and of.lower() in ("", family)
        )


async def read_usage(azure: Azure, *, but_for: str | None = None) -> QuotaUsage:
    """Return how the account stands.

    Parameters
    ----------
    azure
        Whose.
    but_for
        A pool whose own cores do not count: the one that is being sized.
    """
    account = await azure.account()
    sizes, there, usages = await concurrency.gather(
        vm_sizes.read_sizes(azure), pools.read_all(azure), read_usages_if_allowed(azure, account)
    )
    return usage_of(account, there, sizes, usages, but_for=but_for)


async def read_compute_usages(azure: Azure, account: Json) -> list[Json]:
    """Return how much of Compute's quotas is in use in the account's region; none where they do not bind it."""
    if not is_user_subscription(account):
        return []
    return await azure.list_documents(azure.compute.usage.list(await azure.region()))


async def read_usages_if_allowed(azure: Azure, account: Json) -> list[Json]:
    """Return the same; none to a caller who may not read them, and learns from Azure's own answer to a resize."""
    try:
        return await read_compute_usages(azure, account)
    except ServiceError as error:
        if error.status_code != 403:
            raise
        return []


def is_user_subscription(account: Json) -> bool:
    """Tell whether nodes are VMs of the account's own subscription, and count against its Compute quotas."""
    return bool(dig(account, "properties", "poolAllocationMode") == "UserSubscription")


def usage_of(
    account: Json, existing: Iterable[Json], sizes: Iterable[Json], usages: Iterable[Json], *, but_for: str | None
) -> QuotaUsage:
    """Return how an account stands.

    Parameters
    ----------
    account, there, sizes, usages
        Its document, its pools, the VM sizes that Batch offers it, and Compute's usages where they bind it.
    but_for
        A pool whose own cores do not count.
    """
    known = {str(size["name"]).lower(): size for size in sizes}
    own: list[Json] = []
    others: list[Json] = []
    for pool in existing:
        (own if str(pool["name"]).lower() == (but_for or "").lower() else others).append(pool)
    if not is_user_subscription(account):
        return QuotaUsage(account["properties"], _cores(others, known, allocated_counts))
    # Compute counts every VM that is there, and so this pool's own nodes, which are wanted again.
    mine = _cores(own, known, current_counts)
    spot = sum(cores for (_, dedicated), cores in mine.items() if not dedicated)
    back = {family: cores for (family, dedicated), cores in mine.items() if dedicated}
    back |= {"cores": sum(back.values()), "lowprioritycores": spot}
    # What other pools are promised, and do not have yet, Compute does not count yet.
    came = _cores(others, known, current_counts)
    for (family, dedicated), cores in _cores(others, known, allocated_counts).items():
        for name in (family, "cores") if dedicated else ("lowprioritycores",):
            back[name] = back.get(name, 0) - max(0, cores - came[family, dedicated])
    found = {
        name: (int(one["limit"]), max(0, int(one["currentValue"]) - back.get(name, 0)))
        for one in usages
        if (name := str(dig(one, "name", "value")).lower())
    }
    return QuotaUsage(account["properties"], {}, found)


def _cores(
    existing: Iterable[Json], sizes: Mapping[str, Json], count: Callable[[Json], Counts]
) -> Mapping[tuple[str, bool], int]:
    """Return (VM family in lower case, whether dedicated) to the cores of pools' nodes."""
    total: Counter[tuple[str, bool]] = Counter()
    for pool in existing:
        size = sizes.get(str(dig(pool, "properties", "vmSize")).lower())
        if size is None:
            continue  # a size that Batch no longer offers: nobody can say which family it counts against
        family, counts = str(size.get("familyName") or "").lower(), count(pool)
        total[family, True] += counts.dedicated * vm_sizes.vcpus(size)
        total[family, False] += counts.spot * vm_sizes.vcpus(size)
    return total
