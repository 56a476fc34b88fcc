"""Rules about quotas: cores in all, by family and for spot nodes, and pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.checks.rules import sources
from batchimg_magics.core.checks.rules.rule import broken, kept, rule, unknown

if TYPE_CHECKING:
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import Found

_NEEDS = ("pools", "Batch's VM sizes", "Compute's usages")
_MORE = "ask for more: Azure portal, the Batch account, Quotas"
_MORE_OF_COMPUTE = "ask for more: Azure portal, Quotas, Compute"


def _judge(facts: Facts, words: str, *, dedicated: bool, of_family: bool = False) -> Found:
    """Judge whether nodes of the wanted size fit into what is free of a quota."""
    nodes = facts.target.dedicated if dedicated else facts.target.spot
    if not nodes or facts.size is None:
        return None
    room = facts.room
    quota = room.quota(dedicated=dedicated, of_family=of_family)
    if quota is None or not room.cores:
        silent = f"the account tells no quota of {words}" if room.cores else f"{facts.spec.vm_size} tells no vCPUs"
        return unknown(silent, _MORE)
    wanted = nodes * room.cores
    said = f"{wanted} {words} wanted, {quota.free} of {quota.limit} free"
    if wanted <= quota.free:
        return kept(said)
    option, more = "--nodes" if dedicated else "--spot", _MORE_OF_COMPUTE if facts.user_subscription else _MORE
    return broken(f"{said}: {wanted - quota.free} missing", f"{option} {quota.free // room.cores} fits; or {more}")


@rule("quota-dedicated", "error", sources.QUOTAS, needs=_NEEDS)
def quota_dedicated(facts: Facts) -> Found:
    """The dedicated nodes fit into the quota of dedicated cores, beside those of other pools."""
    return _judge(facts, "dedicated cores", dedicated=True)


@rule("quota-family", "error", sources.QUOTAS, needs=_NEEDS)
def quota_family(facts: Facts) -> Found:
    """The dedicated nodes fit into the quota of their VM family, where the account enforces it."""
    family = str((facts.size or {}).get("familyName") or "")
    bound = facts.user_subscription or facts.account["properties"].get("dedicatedCoreQuotaPerVMFamilyEnforced")
    return _judge(facts, f"cores of {family}", dedicated=True, of_family=True) if family and bound else None


@rule("quota-spot", "error", sources.QUOTAS, needs=_NEEDS)
def quota_spot(facts: Facts) -> Found:
    """The spot nodes fit into the quota of spot cores, which is one for all families."""
    return _judge(facts, "spot cores", dedicated=False)


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
