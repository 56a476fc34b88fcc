"""Rules about quotas: cores in all, by family and for spot nodes, and pools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import dig
from batchimg_magics.core.facts import capabilities, targets_of
from batchimg_magics.core.rules import sources
from batchimg_magics.core.rules.rule import broken, kept, rule, unknown

if TYPE_CHECKING:
    from batchimg_magics.core.azure import Json
    from batchimg_magics.core.facts import Facts
    from batchimg_magics.core.rules.rule import Found

_NEEDS = ("pools", "Batch's VM sizes", "Compute's usages")
_MORE = "ask for more: Azure portal, the Batch account, Quotas"
_MORE_OF_COMPUTE = "ask for more: Azure portal, Quotas, Compute"


@dataclass(frozen=True, slots=True)
class _Room:
    """A quota, and what others use of it."""

    quota: int
    used: int

    @property
    def free(self) -> int:
        return max(0, self.quota - self.used)


def _judge(facts: Facts, nodes: int, option: str, words: str, room: _Room | None) -> Found:
    """Judge whether nodes of the wanted size fit into what is free of a quota."""
    cores = facts.can.get("vCPUs")
    if not nodes or facts.size is None:
        return None
    if room is None or cores is None:
        what = "the account tells no quota" if cores else f"Azure does not say how many cores {facts.spec.vm_size} has"
        return unknown(what, _MORE)
    wanted = nodes * int(float(cores))
    said = f"{wanted} {words} wanted, {room.free} of {room.quota} free"
    if wanted <= room.free:
        return kept(said)
    fits = room.free // int(float(cores))
    more = _MORE_OF_COMPUTE if facts.user_subscription else _MORE
    return broken(f"{said}: {wanted - room.free} missing", f"{option} {fits} fits; or {more}")


@rule("quota-dedicated", "error", sources.QUOTAS, needs=_NEEDS)
def quota_dedicated(facts: Facts) -> Found:
    """The dedicated nodes fit into the quota of dedicated cores, beside those of other pools."""
    room = _usage(facts, "cores") if facts.user_subscription else _quota(facts, "dedicatedCoreQuota", _cores(facts))
    return _judge(facts, facts.target.dedicated, "--nodes", "dedicated cores", room)


@rule("quota-family", "error", sources.QUOTAS, needs=_NEEDS)
def quota_family(facts: Facts) -> Found:
    """The dedicated nodes fit into the quota of their VM family, where the account enforces it."""
    family = str((facts.size or {}).get("familyName") or "")
    if not family:
        return None
    words, props = f"cores of {family}", facts.account["properties"]
    if facts.user_subscription:
        return _judge(facts, facts.target.dedicated, "--nodes", words, _usage(facts, family))
    if not props.get("dedicatedCoreQuotaPerVMFamilyEnforced"):
        return None
    quotas = props.get("dedicatedCoreQuotaPerVMFamily") or []
    quota = next((int(one["coreQuota"]) for one in quotas if one["name"].lower() == family.lower()), 0)
    return _judge(facts, facts.target.dedicated, "--nodes", words, _Room(quota, _cores(facts, family)))


@rule("quota-spot", "error", sources.QUOTAS, needs=_NEEDS)
def quota_spot(facts: Facts) -> Found:
    """The spot nodes fit into the quota of spot cores, which is one for all families."""
    room = (
        _usage(facts, "lowPriorityCores")
        if facts.user_subscription
        else _quota(facts, "lowPriorityCoreQuota", _cores(facts, spot=True))
    )
    return _judge(facts, facts.target.spot, "--spot", "spot cores", room)


@rule("pool-quota", "error", sources.QUOTAS, needs=("pools",))
def pool_quota(facts: Facts) -> Found:
    """The account may have one pool more."""
    if facts.kind == "pool" or facts.pool is not None:
        return None
    quota, there = facts.account["properties"].get("poolQuota"), len(facts.pools)
    if quota is None:
        return unknown("the account tells no quota of pools", _MORE)
    if there < quota:
        return kept(f"{there} of {quota} pools")
    return broken(f"the account has {there} pools of at most {quota}", f"`%batchimg delete NAME` one, or {_MORE}")


def _quota(facts: Facts, name: str, used: int) -> _Room | None:
    quota = facts.account["properties"].get(name)
    return None if quota is None else _Room(int(quota), used)


def _usage(facts: Facts, name: str) -> _Room | None:
    """Return a quota of Compute's, where nodes are VMs of the account's own subscription.

    The pool's own nodes are among what is used, and are wanted again.
    """
    found = next((one for one in facts.usages if str(dig(one, "name", "value")).lower() == name.lower()), None)
    if found is None:
        return None
    props = (facts.pool or {}).get("properties") or {}
    own = props.get("currentLowPriorityNodes" if name == "lowPriorityCores" else "currentDedicatedNodes") or 0
    return _Room(int(found["limit"]), max(0, int(found["currentValue"]) - own * _vcpus(facts.size)))


def _cores(facts: Facts, family: str = "", *, spot: bool = False) -> int:
    """Return the cores that the account's other pools have or are to have, of one family or of all."""
    total = 0
    for pool in facts.others:
        size, nodes = facts.size_named(str(pool["properties"].get("vmSize"))), targets_of(pool)
        if not family or str((size or {}).get("familyName")).lower() == family.lower():
            total += _vcpus(size) * (nodes.spot if spot else nodes.dedicated)
    return total


def _vcpus(size: Json | None) -> int:
    return int(float(capabilities(size).get("vCPUs", 0)))
