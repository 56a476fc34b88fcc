"""Core quotas: the limits of the account, the cores that its pools use, and the cores that are free.

Azure checks quotas when it allocates nodes, and reports them in a resize error half an hour later. Source: recordings.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import resources
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import Counts, allocated_counts, current_counts
from batchimg_magics.core.batch import pools, vm_sizes
from batchimg_magics.errors import ServiceError
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.resource_ids import compute_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json


@dataclass(frozen=True, slots=True)
class Quota:
    """A core quota for nodes of one kind.

    Parameters
    ----------
    name
        Its name in messages.
    dedicated
        Whether it is for dedicated nodes; else it is for spot nodes.
    limit, used
        The limit in cores, and the cores of other pools' nodes.
    family
        The VM family that it is for; empty: all families.
    """

    name: str
    dedicated: bool
    limit: int
    used: int
    family: str = ""

    @property
    def free(self) -> int:
        """The number of free cores."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class QuotaHeadroom:
    """The free cores for nodes of one VM size.

    Parameters
    ----------
    cores
        vCPUs of one node; 0 where they are not known.
    quotas
        The quotas that its nodes count against.
    """

    cores: int
    quotas: tuple[Quota, ...] = ()

    def binding(self, *, dedicated: bool) -> list[Quota]:
        """Return the quotas of one kind of node, the one with the fewest free cores first."""
        return sorted((one for one in self.quotas if one.dedicated == dedicated), key=lambda one: one.free)

    def quota(self, *, dedicated: bool, of_family: bool = False) -> Quota | None:
        """Return the total quota of one kind of node, or the one of the size's family; None where there is none."""
        kind = (dedicated, of_family)
        return next((one for one in self.quotas if (one.dedicated, bool(one.family)) == kind), None)

    def fitting(self, target: Counts) -> Counts:
        """Return the largest part of a target that the quotas allow."""

        def most(wanted: int, *, dedicated: bool) -> int:
            return min([wanted, *(one.free // (self.cores or 1) for one in self.binding(dedicated=dedicated))])

        return Counts(most(target.dedicated, dedicated=True), most(target.spot, dedicated=False))

    def shortfall(self, target: Counts) -> str:
        """Return which quotas a target exceeds, the missing cores, and what fits, as text; empty where it fits."""
        parts = [
            f"{one.name}: {count_text(wanted * self.cores, 'core')} needed, {one.free:,} of {one.limit:,} free, "
            f"{wanted * self.cores - one.free:,} missing"
            for dedicated, wanted in ((True, target.dedicated), (False, target.spot))
            for one in self.binding(dedicated=dedicated)
            if one.free < wanted * self.cores
        ]
        return f"{'; '.join(parts)}; {self.fitting(target)} would fit" if parts else ""


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """The core quotas of an account and their usage.

    Parameters
    ----------
    account
        The properties of the account.
    used
        (VM family in lower case, whether dedicated) to the cores of other pools.
    usages
        For accounts in user subscription mode, where Compute's quotas apply: name of a quota in lower case to its limit
        and the cores that others use; None: Batch's quotas apply.
    """

    account: Json
    used: Mapping[tuple[str, bool], int]
    usages: Mapping[str, tuple[int, int]] | None = None

    def headroom(self, size: Json) -> QuotaHeadroom:
        """Return the free cores for nodes of a VM size, given its document."""
        family = str(size.get("familyName") or "")
        found = self._of_batch(family) if self.usages is None else self._of_compute(self.usages, family)
        return QuotaHeadroom(vm_sizes.vcpus(size), tuple(found))

    def _of_batch(self, family: str) -> Iterator[Quota]:
        for key, dedicated in (("dedicatedCoreQuota", True), ("lowPriorityCoreQuota", False)):
            if (limit := self.account.get(key)) is not None:
                name = f"{'dedicated' if dedicated else 'spot'} cores of the account"
                yield Quota(name, dedicated, int(limit), self._used_by_pools(dedicated=dedicated))
        # One total applies to spot nodes of all families, and to dedicated nodes where family quotas are not enforced.
        if not self.account.get("dedicatedCoreQuotaPerVMFamilyEnforced"):
            return
        for one in self.account.get("dedicatedCoreQuotaPerVMFamily") or []:
            if str(one["name"]).lower() == family.lower():
                held = self._used_by_pools(family, dedicated=True)
                name = f"dedicated cores of {one['name']}"
                yield Quota(name, dedicated=True, limit=int(one["coreQuota"]), used=held, family=family)

    @staticmethod
    def _of_compute(usages: Mapping[str, tuple[int, int]], family: str) -> Iterator[Quota]:
        for name, label, dedicated in (
            ("cores", "cores of the subscription", True),
            (family, f"cores of {family}", True),
            ("lowPriorityCores", "spot cores of the subscription", False),
        ):
            if (found := usages.get(name.lower())) is not None:
                yield Quota(f"{label} in the region", dedicated, *found, family=name if name == family else "")

    def _used_by_pools(self, of: str = "", *, dedicated: bool) -> int:
        return sum(
            cores for (family, kind), cores in self.used.items() if kind == dedicated and of.lower() in ("", family)
        )


async def read_usage(azure: Azure, *, but_for: str | None = None) -> QuotaUsage:
    """Return the quotas of the account and their usage, from Azure.

    Parameters
    ----------
    azure
        The connection.
    but_for
        A pool whose own cores are not counted: the one to be resized.
    """
    account = await azure.account()
    sizes, existing, usages = await concurrency.gather(
        vm_sizes.read_sizes(azure), pools.read_all(azure), read_usages_if_allowed(azure, account)
    )
    return usage_of(account, existing, sizes, usages, but_for=but_for)


async def read_compute_usages(azure: Azure, account: Json) -> list[Json]:
    """Return the usage of Compute's quotas in the account's region; empty where they do not apply to it."""
    if not is_user_subscription(account):
        return []
    path = compute_list(azure.scope.subscription, f"locations/{await azure.region()}/usages")
    return await resources.read_list(azure, path)


async def read_usages_if_allowed(azure: Azure, account: Json) -> list[Json]:
    """Return the same; empty where the caller may not read it: then only a resize shows the limits."""
    try:
        return await read_compute_usages(azure, account)
    except ServiceError as error:
        if error.status_code != 403:
            raise
        return []


def is_user_subscription(account: Json) -> bool:
    """Tell whether the account is in user subscription mode, where nodes count against Compute's quotas."""
    return str(dig(account, "properties", "poolAllocationMode")).lower() == "usersubscription"


def usage_of(
    account: Json, existing: Iterable[Json], sizes: Iterable[Json], usages: Iterable[Json], *, but_for: str | None
) -> QuotaUsage:
    """Return the quotas of an account and their usage.

    Parameters
    ----------
    account, existing, sizes, usages
        The documents of the account, its pools, the VM sizes that Batch offers, and Compute's usages where they apply.
    but_for
        A pool whose own cores are not counted; None: all pools are counted.
    """
    known = {str(size["name"]).lower(): size for size in sizes}
    own: list[Json] = []
    others: list[Json] = []
    for pool in existing:
        (own if str(pool["name"]).lower() == (but_for or "").lower() else others).append(pool)
    if not is_user_subscription(account):
        return QuotaUsage(account["properties"], _cores(others, known, allocated_counts))
    # Compute counts every VM, and so this pool's own nodes, which are subtracted.
    own_cores = _cores(own, known, current_counts)
    spot = sum(cores for (_, dedicated), cores in own_cores.items() if not dedicated)
    subtracted = {family: cores for (family, dedicated), cores in own_cores.items() if dedicated}
    subtracted |= {"cores": sum(subtracted.values()), "lowprioritycores": spot}
    # Compute does not count the nodes that other pools requested and do not have yet.
    allocated = _cores(others, known, current_counts)
    for (family, dedicated), cores in _cores(others, known, allocated_counts).items():
        for name in (family, "cores") if dedicated else ("lowprioritycores",):
            subtracted[name] = subtracted.get(name, 0) - max(0, cores - allocated[family, dedicated])
    found = {
        name: (int(one["limit"]), max(0, int(one["currentValue"]) - subtracted.get(name, 0)))
        for one in usages
        if (name := str(dig(one, "name", "value")).lower())
    }
    return QuotaUsage(account["properties"], {}, found)


def _cores(
    existing: Iterable[Json], sizes: Mapping[str, Json], count: Callable[[Json], Counts]
) -> Mapping[tuple[str, bool], int]:
    """Return the cores of pools' nodes by VM family in lower case and whether they are dedicated."""
    total: Counter[tuple[str, bool]] = Counter()
    for pool in existing:
        size = sizes.get(str(dig(pool, "properties", "vmSize")).lower())
        if size is None:
            continue  # Batch does not offer the size any more: its family is not known
        family, counts = str(size.get("familyName") or "").lower(), count(pool)
        total[family, True] += counts.dedicated * vm_sizes.vcpus(size)
        total[family, False] += counts.spot * vm_sizes.vcpus(size)
    return total
