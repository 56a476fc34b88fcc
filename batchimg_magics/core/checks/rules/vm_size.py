"""Rules about the VM size: whether it is to be had, and whether it can boot the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import pools, vm_sizes
from batchimg_magics.core.checks.rules import sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, unchecked, warned
from batchimg_magics.core.checks.rules.system import check_end_of_support
from batchimg_magics.core.compute import managed_images
from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResult, RuleResults

#: Source: Batch OpenAPI, taskSlotsPerNode: "the smaller value of 4 * number of cores of the vmSize of the pool or 256".
SLOTS_PER_CORE, MOST_SLOTS = 4, 256
#: Security types of a definition whose VMs have to be of that type; `...Supported` ones may be.
_DEMANDING = {"trustedlaunch": "TrustedLaunch", "confidentialvm": "ConfidentialVM"}


_TRY_FIRST = "make a node or two first"


@rule("vm-size", "error", sources.LIFECYCLE, needs=("Batch's VM sizes",))
def vm_size(facts: Facts) -> RuleResults:
    """Batch offers the VM size in the account's region, now and for a while."""
    if not facts.size_named_by_user:
        return None
    try:
        size = vm_sizes.find_size(facts.sizes, facts.spec.vm_size)
    except SpecError as error:
        return failed(error.message, error.hint)
    name, found = str(size["name"]), []
    if ends := size.get("batchSupportEndOfLife"):
        found.append(check_end_of_support(facts, str(ends), f"Batch's support of {name}", "choose a newer --vm-size"))
    if facts.target.spot and facts.capabilities.get("LowPriorityCapable") == "False":
        found.append(failed(f"{name} is not to be had as spot nodes", "--spot 0, or another --vm-size"))
    return found or passed(f"Batch offers {name} in {facts.region}")


@rule("task-slots", "error", sources.API, needs=("Batch's VM sizes",))
def task_slots(facts: Facts) -> RuleResults:
    """A node has at most four task slots for each of its cores."""
    slots = facts.spec.task_slots
    if facts.size is None or slots == 1:
        return None
    most = min(MOST_SLOTS, SLOTS_PER_CORE * vm_sizes.vcpus(facts.size) or MOST_SLOTS)
    if slots <= most:
        return passed(f"{slots} of at most {most}")
    return failed(f"{slots} task slots on a node of size {facts.size['name']}", f"at most {most}: correct --task-slots")


@rule("vm-size-restrictions", "error", sources.LIFECYCLE, needs=("Compute's VM sizes",))
def vm_size_restrictions(facts: Facts) -> RuleResults:
    """Compute offers the VM size to the subscription in the account's region."""
    if facts.size is None:
        return None
    name, fix = str(facts.size["name"]), "another --vm-size, or ask for it: Azure portal, Quotas"
    # Nodes of other accounts are in Batch's own subscriptions, which may be allowed more.
    result = failed if facts.user_subscription else warned
    if facts.sku is None:
        return result(f"Compute does not list {name} in {facts.region} for this subscription", fix)
    everywhere = [one for one in facts.sku.get("restrictions") or [] if one.get("type") == "Location"]
    if everywhere:
        reason = ", ".join(str(one.get("reasonCode")) for one in everywhere)
        return result(f"{name} is restricted in {facts.region} for this subscription: {reason}", fix)
    return passed(f"{name} is not restricted in {facts.region}")


@rule("generation", "error", sources.GALLERY_POOL, needs=("Batch's VM sizes",))
def generation(facts: Facts) -> RuleResults:
    """The VM size boots the image's Hyper-V generation."""
    system, takes = facts.system, facts.capabilities.get("HyperVGenerations")
    if system is None or facts.size is None:
        return None
    if not takes:
        return unchecked(f"Azure does not say which generations {facts.spec.vm_size} takes", _TRY_FIRST)
    if system.generation in takes.split(","):
        return passed(f"{system.generation}, as {facts.spec.vm_size} takes it")
    return failed(
        f"the image is of generation {system.generation}, and {facts.spec.vm_size} takes {takes}",
        f"--vm-size: {facts.similar_sizes(lambda _: True)}",
    )


@rule("architecture", "error", sources.GALLERY_POOL, needs=("Batch's VM sizes",))
def architecture(facts: Facts) -> RuleResults:
    """The VM size's processor is of the image's architecture."""
    system, has = facts.system, facts.capabilities.get("CpuArchitectureType")
    if system is None or facts.size is None:
        return None
    if not has:
        return unchecked(f"Azure does not say which architecture {facts.spec.vm_size} is", _TRY_FIRST)
    if system.architecture.lower() == has.lower():
        return passed(f"{has} both")
    return failed(
        f"the image is for {system.architecture}, and {facts.spec.vm_size} is {has}",
        f"--vm-size: {facts.similar_sizes(lambda _: True)}",
    )


@rule("security-type", "error", sources.TRUSTED, needs=("Batch's VM sizes",))
def security_type(facts: Facts) -> RuleResults:
    """VM size and pool go with the image's security type."""
    system = facts.system
    if system is None:
        return None
    found = [*_check_pool(facts, system.security_type), *_check_managed_image(facts)]
    demanded = _DEMANDING.get(system.security_type.lower())
    if demanded and facts.size is not None:
        size = str(facts.size["name"])
        if system.generation == "V1":
            found.append(
                failed(f"{demanded} needs generation V2, and the image is of V1", "prepare a VM of generation 2")
            )
        if demanded == "TrustedLaunch" and facts.capabilities.get("TrustedLaunchDisabled") == "True":
            found.append(failed(f"the image is of a TrustedLaunch VM, and {size} cannot do that", "another --vm-size"))
        if (
            demanded == "ConfidentialVM"
            and facts.sku is not None
            and not facts.capabilities.get("ConfidentialComputingType")
        ):
            found.append(
                failed(f"the image is of a confidential VM, and {size} is not made for that", "another --vm-size")
            )
    if found:
        return found
    if demanded:
        return passed(f"{demanded}: so will every node be", "make a node or two first")
    return passed(system.security_type)


def _check_managed_image(facts: Facts) -> list[RuleResult]:
    """Judge a road that leads through a managed image, which is of Standard security only."""
    if facts.source is not None and (facts.spec.direct or facts.spec.via == "managed-image"):
        try:
            managed_images.raise_if_unsupported_source(facts.source)
        except SpecError as error:
            return [failed(error.message, error.hint)]
    return []


def _check_pool(facts: Facts, image: str) -> list[RuleResult]:
    """Judge a pool that is there: it says the image's security type where the image demands one, and no other."""
    machine = ("properties", "deploymentConfiguration", "virtualMachineConfiguration")
    if facts.pool is None or facts.kind != "pool" or pools.image_of(facts.pool) is None:
        return []
    says = str(dig(facts.pool, *machine, "securityProfile", "securityType") or "")
    demanded = _DEMANDING.get(image.lower())
    if demanded and says.lower() != demanded.lower():
        return [failed(f"the image demands {demanded}, and the pool says {says or 'nothing'}", _RECREATE)]
    if says and says.lower() not in image.lower():
        return [failed(f"the pool says {says}, and its image is {image}", _RECREATE)]
    return []


_RECREATE = "a pool's security profile cannot be mended while it has nodes: make the pool anew"


@rule("disk-controller", "error", sources.GALLERY_POOL, needs=("Batch's VM sizes", "disks"))
def disk_controller(facts: Facts) -> RuleResults:
    """The image can boot from the disk controller that the VM size has."""
    has = facts.capabilities.get("DiskControllerTypes", "")
    if facts.size is None:
        return None
    if not has:
        return passed("SCSI: the size names no controller")  # as sizes from before NVMe do
    if "SCSI" in has:
        return passed(f"{facts.spec.vm_size} has {has}")
    features = dig(facts.definition, "properties", "features") or []
    text = ", ".join(str(one.get("value")) for one in features if one.get("name") == "DiskControllerTypes")
    # What is in a definition stays there: it decides where there is one, the disk where one is to be made.
    takes = text if facts.definition is not None or facts.source is None else facts.source.controllers
    if has in takes:
        return passed(f"{has}, as {facts.spec.vm_size} has it")
    says = f"takes {takes}" if takes else "does not say that it takes it"
    return failed(
        f"{facts.spec.vm_size} has {has} only, and the image {says}",
        f"--vm-size: {facts.similar_sizes(lambda can: 'SCSI' in can['DiskControllerTypes'])}",
    )


_NEEDS = ("pools", "Batch's VM sizes", "Compute's usages")


_REQUEST_BATCH_QUOTA = "ask for more: Azure portal, the Batch account, Quotas"


_REQUEST_COMPUTE_QUOTA = "ask for more: Azure portal, Quotas, Compute"


def _check_quota(facts: Facts, words: str, *, dedicated: bool, of_family: bool = False) -> RuleResults:
    """Judge whether nodes of the wanted size fit into what is free of a quota."""
    nodes = facts.target.dedicated if dedicated else facts.target.spot
    if not nodes or facts.size is None:
        return None
    headroom = facts.headroom
    quota = headroom.quota(dedicated=dedicated, of_family=of_family)
    if quota is None or not headroom.cores:
        silent = f"the account tells no quota of {words}" if headroom.cores else f"{facts.spec.vm_size} tells no vCPUs"
        return unchecked(silent, _REQUEST_BATCH_QUOTA)
    wanted = nodes * headroom.cores
    text = f"{wanted} {words} wanted, {quota.free} of {quota.limit} free"
    if wanted <= quota.free:
        return passed(text)
    option, more = (
        "--nodes" if dedicated else "--spot",
        _REQUEST_COMPUTE_QUOTA if facts.user_subscription else _REQUEST_BATCH_QUOTA,
    )
    return failed(f"{text}: {wanted - quota.free} missing", f"{option} {quota.free // headroom.cores} fits; or {more}")


@rule("quota-dedicated", "error", sources.QUOTAS, needs=_NEEDS)
def quota_dedicated(facts: Facts) -> RuleResults:
    """The dedicated nodes fit into the quota of dedicated cores, beside those of other pools."""
    return _check_quota(facts, "dedicated cores", dedicated=True)


@rule("quota-family", "error", sources.QUOTAS, needs=_NEEDS)
def quota_family(facts: Facts) -> RuleResults:
    """The dedicated nodes fit into the quota of their VM family, where the account enforces it."""
    family = str((facts.size or {}).get("familyName") or "")
    bound = facts.user_subscription or facts.account["properties"].get("dedicatedCoreQuotaPerVMFamilyEnforced")
    return _check_quota(facts, f"cores of {family}", dedicated=True, of_family=True) if family and bound else None


@rule("quota-spot", "error", sources.QUOTAS, needs=_NEEDS)
def quota_spot(facts: Facts) -> RuleResults:
    """The spot nodes fit into the quota of spot cores, which is one for all families."""
    return _check_quota(facts, "spot cores", dedicated=False)


@rule("pool-quota", "error", sources.QUOTAS, needs=("pools",))
def pool_quota(facts: Facts) -> RuleResults:
    """The account may have one pool more."""
    if facts.kind == "pool" or facts.pool is not None:
        return None
    quota, there = facts.account["properties"].get("poolQuota"), len(facts.pools)
    if quota is None:
        return unchecked("the account tells no quota of pools", _REQUEST_BATCH_QUOTA)
    if there < quota:
        return passed(f"{there} of {quota} pools")
    return failed(
        f"the account has {there} pools of at most {quota}", f"`%batchimg delete NAME` one, or {_REQUEST_BATCH_QUOTA}"
    )
