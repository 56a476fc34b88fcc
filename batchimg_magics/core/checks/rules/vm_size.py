"""Rules for the VM size: it is available, it can boot the image, and the quota is sufficient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import pools, vm_sizes
from batchimg_magics.core.checks.rules import fixes, sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, unchecked, warned
from batchimg_magics.core.compute import managed_images
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import OWN_VM_SIZE, count_text

if TYPE_CHECKING:
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResult, RuleResults

#: Source: Batch OpenAPI, taskSlotsPerNode: "the smaller value of 4 * number of cores of the vmSize of the pool or 256".
SLOTS_PER_CORE, MOST_SLOTS = 4, 256
#: Security types of a definition that its VMs must have. With a `...Supported` type they may have it.
_REQUIRED_SECURITY = {"trustedlaunch": "TrustedLaunch", "confidentialvm": "ConfidentialVM"}
_NODES_WILL = {"TrustedLaunch": "use Trusted Launch", "ConfidentialVM": "be confidential VMs"}


@rule("vm-size", "error", sources.LIFECYCLE, needs=("Batch's VM sizes",))
def vm_size(facts: Facts) -> RuleResults:
    """Batch offers the VM size in the region of the account."""
    if not facts.size_named_by_user or facts.spec.vm_size == OWN_VM_SIZE:
        return None  # without a VM, that is the error
    try:
        size = vm_sizes.find_size(facts.sizes, facts.spec.vm_size)
    except SpecError as error:
        return failed(error.message, error.hint)
    name = str(size["name"])
    if facts.target.spot and facts.capabilities.get("LowPriorityCapable") == "False":
        return failed(f"{name} is not available for spot nodes", "--spot 0, or another --vm-size")
    return passed(f"Batch offers {name} in {facts.region}")


@rule("task-slots", "error", sources.API, needs=("Batch's VM sizes",))
def task_slots(facts: Facts) -> RuleResults:
    """A node has at most four task slots per core."""
    slots = facts.spec.task_slots
    if facts.size is None or slots == 1:
        return None
    most = min(MOST_SLOTS, SLOTS_PER_CORE * vm_sizes.vcpus(facts.size) or MOST_SLOTS)
    if slots <= most:
        return passed(f"task slots: {slots} of at most {most}")
    return failed(
        f"{count_text(slots, 'task slot')} on a node of size {facts.size['name']}", f"--task-slots: at most {most}"
    )


@rule("vm-size-restrictions", "error", sources.LIFECYCLE, needs=("Compute's VM sizes",), acceptable=True)
def vm_size_restrictions(facts: Facts) -> RuleResults:
    """Compute offers the VM size to the subscription in the account's region."""
    if facts.size is None:
        return None
    name, fix = str(facts.size["name"]), "choose another --vm-size, or request access: Azure portal, Quotas"
    # In Batch service mode nodes are in Batch's own subscriptions, which may have fewer restrictions.
    result = failed if facts.user_subscription else warned
    if facts.sku is None:
        return result(f"Compute does not list {name} in {facts.region} for this subscription", fix)
    restrictions = [one for one in facts.sku.get("restrictions") or [] if one.get("type") == "Location"]
    if restrictions:
        reason = ", ".join(str(one.get("reasonCode")) for one in restrictions)
        return result(f"{name} is restricted in {facts.region} for this subscription: {reason}", fix)
    return passed(f"{name} is not restricted in {facts.region}")


@rule("generation", "error", sources.GALLERY_POOL, needs=("Batch's VM sizes",))
def generation(facts: Facts) -> RuleResults:
    """The VM size supports the Hyper-V generation of the image."""
    system, supported = facts.system, facts.capabilities.get("HyperVGenerations")
    if system is None or facts.size is None:
        return None
    if not supported:
        return unchecked(f"Azure does not report which generations {facts.spec.vm_size} supports", fixes.TEST_FIRST)
    if system.generation in supported.split(","):
        return passed(f"image is {system.generation}, which {facts.spec.vm_size} supports")
    return failed(
        f"the image is of generation {system.generation}, and {facts.spec.vm_size} supports {supported}",
        f"--vm-size: {facts.similar_sizes(lambda _: True)}",
    )


@rule("architecture", "error", sources.GALLERY_POOL, needs=("Batch's VM sizes",))
def architecture(facts: Facts) -> RuleResults:
    """The VM size has the processor architecture of the image."""
    system, of_size = facts.system, facts.capabilities.get("CpuArchitectureType")
    if system is None or facts.size is None:
        return None
    if not of_size:
        return unchecked(f"Azure does not report the architecture of {facts.spec.vm_size}", fixes.TEST_FIRST)
    if system.architecture.lower() == of_size.lower():
        return passed(f"image and VM size are {of_size}")
    return failed(
        f"the image is for {system.architecture}, and {facts.spec.vm_size} is {of_size}",
        f"--vm-size: {facts.similar_sizes(lambda _: True)}",
    )


@rule("security-type", "error", sources.TRUSTED, needs=("Batch's VM sizes",))
def security_type(facts: Facts) -> RuleResults:
    """The VM size and the pool support the security type of the image."""
    system = facts.system
    if system is None:
        return None
    found = [*_check_pool(facts, system.security_type), *_check_managed_image(facts)]
    required = _REQUIRED_SECURITY.get(system.security_type.lower())
    if required and facts.size is not None:
        size = str(facts.size["name"])
        if system.generation == "V1":
            found.append(failed(f"{required} requires generation V2; the image is V1", "prepare a VM of generation 2"))
        if required == "TrustedLaunch" and facts.capabilities.get("TrustedLaunchDisabled") == "True":
            found.append(
                failed(f"the image requires Trusted Launch, and {size} does not support it", "choose another --vm-size")
            )
        if (
            required == "ConfidentialVM"
            and facts.sku is not None
            and not facts.capabilities.get("ConfidentialComputingType")
        ):
            found.append(
                failed(f"the image is of a confidential VM, and {size} does not support it", "choose another --vm-size")
            )
    if found:
        return found
    if required:
        return passed(f"nodes will {_NODES_WILL[required]}", fixes.TEST_FIRST)
    return passed(system.security_type)


def _check_managed_image(facts: Facts) -> list[RuleResult]:
    """Check a source that goes through a managed image, whose security type is always Standard."""
    if facts.source is not None and (facts.spec.direct or facts.spec.via == "managed-image"):
        try:
            managed_images.raise_if_unsupported_source(facts.source)
        except SpecError as error:
            return [failed(error.message, error.hint)]
    return []


def _check_pool(facts: Facts, image: str) -> list[RuleResult]:
    """Check an existing pool: its security type must be the one that the image requires, and no other."""
    machine = ("properties", "deploymentConfiguration", "virtualMachineConfiguration")
    if facts.pool is None or facts.kind != "pool" or pools.image_of(facts.pool) is None:
        return []
    of_pool = str(dig(facts.pool, *machine, "securityProfile", "securityType") or "")
    required = _REQUIRED_SECURITY.get(image.lower())
    if required and of_pool.lower() != required.lower():
        return [failed(f"the image requires {required}, and the pool has {of_pool or 'no security type'}", _RECREATE)]
    if of_pool and of_pool.lower() not in image.lower():
        return [failed(f"the pool has {of_pool}, and its image has {image}", _RECREATE)]
    return []


_RECREATE = "the security profile of a pool with nodes cannot be changed: delete the pool and create it again"


@rule("disk-controller", "error", sources.GALLERY_POOL, needs=("Batch's VM sizes", "disks"))
def disk_controller(facts: Facts) -> RuleResults:
    """The image can boot from the disk controller of the VM size."""
    controllers = facts.capabilities.get("DiskControllerTypes", "")
    if facts.size is None:
        return None
    if not controllers:
        return passed("SCSI: Azure reports no controller for the VM size")  # as for sizes older than NVMe
    if "SCSI" in controllers:
        return passed(f"{facts.spec.vm_size} has {controllers}")
    supported = facts.needs.controllers
    if controllers in supported:
        return passed(f"image supports {controllers}, the controller of {facts.spec.vm_size}")
    problem = f"supports {supported}" if supported else "is not marked as supporting it"
    return failed(
        f"{facts.spec.vm_size} has {controllers} only, and the image {problem}",
        f"--vm-size: {facts.similar_sizes(lambda can: 'SCSI' in can['DiskControllerTypes'])}",
    )


_NEEDS = ("pools", "Batch's VM sizes", "Compute's usages")
_REQUEST_BATCH_QUOTA = "request more quota: Azure portal, the Batch account, Quotas"
_REQUEST_COMPUTE_QUOTA = "request more quota: Azure portal, Quotas, Compute"


def _check_quota(facts: Facts, words: str, *, dedicated: bool, of_family: bool = False) -> RuleResults:
    """Check whether the free quota is enough for the requested nodes."""
    nodes = facts.requested.dedicated if dedicated else facts.requested.spot
    if not nodes or facts.size is None:
        return None
    headroom = facts.headroom
    quota = headroom.quota(dedicated=dedicated, of_family=of_family)
    if quota is None or not headroom.cores:
        missing = f"quota of {words} is" if headroom.cores else f"number of vCPUs of {facts.spec.vm_size} is"
        return unchecked(f"the {missing} unknown", _REQUEST_BATCH_QUOTA)
    needed = nodes * headroom.cores
    text = f"{needed:,} {words} needed, {quota.free:,} of {quota.limit:,} free"
    if needed <= quota.free:
        return passed(text)
    more = _REQUEST_COMPUTE_QUOTA if facts.user_subscription else _REQUEST_BATCH_QUOTA
    missing = f"{text}: {needed - quota.free:,} missing"
    if facts.spec.fallback_dedicated and not dedicated:
        most = facts.spec.fallback_dedicated
        return warned(f"{missing}; --fallback-dedicated: up to {count_text(most, 'dedicated node')} instead", more)
    if facts.spec.take_what_fits and facts.target.total:
        return warned(f"{missing}; --take-what-fits: the pool gets {facts.target}", more)
    return failed(missing, more)


@rule("quota-dedicated", "error", sources.QUOTAS, needs=_NEEDS)
def quota_dedicated(facts: Facts) -> RuleResults:
    """The quota of dedicated cores is enough for this and all other pools."""
    return _check_quota(facts, "dedicated cores", dedicated=True)


@rule("quota-family", "error", sources.QUOTAS, needs=_NEEDS)
def quota_family(facts: Facts) -> RuleResults:
    """The dedicated core quota of the VM family is enough, if the account enforces it."""
    family = str((facts.size or {}).get("familyName") or "")
    enforced = facts.user_subscription or facts.account["properties"].get("dedicatedCoreQuotaPerVMFamilyEnforced")
    return _check_quota(facts, f"cores of {family}", dedicated=True, of_family=True) if family and enforced else None


@rule("quota-spot", "error", sources.QUOTAS, needs=_NEEDS)
def quota_spot(facts: Facts) -> RuleResults:
    """The quota of spot cores, which is one for all VM families, is enough."""
    return _check_quota(facts, "spot cores", dedicated=False)


@rule("pool-quota", "error", sources.QUOTAS, needs=("pools",))
def pool_quota(facts: Facts) -> RuleResults:
    """The pool quota of the account allows one more pool."""
    if facts.kind == "pool" or facts.pool is not None:
        return None
    quota, count = facts.account["properties"].get("poolQuota"), len(facts.pools)
    if quota is None:
        return unchecked("the pool quota of the account is unknown", _REQUEST_BATCH_QUOTA)
    if count < quota:
        return passed(f"pools: {count} of at most {quota}")
    return failed(
        f"the account has {count_text(count, 'pool')}, and its quota is {quota}",
        f"delete a pool with `%batchimg delete NAME`, or {_REQUEST_BATCH_QUOTA}",
    )
