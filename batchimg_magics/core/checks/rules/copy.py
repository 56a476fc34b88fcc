"""Rules for the temporary copy of a VM, which is generalized instead of it, and for what generalizing removes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.checks.rules import fixes, sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, warned
from batchimg_magics.core.compute import subnets, virtual_machines
from batchimg_magics.core.images import deprovision_scripts, stopped_vms
from batchimg_magics.pool_spec.line import shell_word
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResults

_SIZES, _SUBNET = "the VM sizes and quotas for a copy", "the subnet of the copy"


def _makes_copy(facts: Facts) -> bool:
    """Tell whether a copy is made: not if the image exists."""
    return facts.copy_sizes is not None and _is_new(facts)


def _is_new(facts: Facts) -> bool:
    return facts.version is None or facts.spec.new_image


@rule("copy-size", "error", sources.GENERALIZE, needs=(_SIZES,))
def copy_size(facts: Facts) -> RuleResults:
    """The VM size that --copy-size names can boot the copied disks."""
    sizes = facts.copy_sizes
    if sizes is None or not sizes.wanted or not _makes_copy(facts):
        return None
    if sizes.problem:
        return failed(f"--copy-size: {sizes.problem}", sizes.hint)
    return passed(f"{sizes.wanted} can boot the disks of the VM")


@rule("copy-quota", "error", sources.QUOTAS, needs=(_SIZES,))
def copy_quota(facts: Facts) -> RuleResults:
    """The region has free cores for a temporary copy of the VM."""
    sizes = facts.copy_sizes
    if sizes is None or sizes.problem or not _makes_copy(facts):
        return None
    if sizes.names:
        return passed(f"a copy of {sizes.names[0]} fits into the quotas of the region")
    full = "; ".join(map(str, sizes.full))
    vm = ResourceId.parse(str((facts.vm or {}).get("id")))
    where = f"--location {shell_word(dig(facts.vm, 'location'))} --subscription {shell_word(vm.subscription)}"
    usages = f"`az vm list-usage {where}` lists them"
    return failed(
        f"there are no free cores for a copy of the VM: {full}",
        "leave out --copy-size, or choose another family"
        if sizes.wanted
        else f"request quota for one family of small VMs, or delete VMs (deallocated VMs count too): {usages}",
    )


@rule("copy-subnet", "error", sources.NETWORK, needs=(_SUBNET,))
def copy_subnet(facts: Facts) -> RuleResults:
    """The copy of the VM is in a subnet that takes VMs and has a way out."""
    if not facts.subnet or not _makes_copy(facts):
        return None
    found = facts.copy_subnet
    where, vm = ResourceId.parse(facts.subnet), ResourceId.parse(str((facts.vm or {}).get("id")))
    named = "--copy-subnet" if facts.spec.copy_subnet else "the subnet of the VM"
    if found is None:
        return failed(f"there is no subnet {facts.subnet}", f"choose another {named}")
    if where.subscription.lower() != vm.subscription.lower():
        text = f"{named} is in subscription {where.subscription}, the VM in {vm.subscription}"
        return failed(text, "choose a subnet of the VM's subscription and region")
    if services := subnets.delegations(found):
        text = f"{named} is delegated to {', '.join(services)}: Azure puts no VM into it"
        return failed(text, "choose another subnet with --copy-subnet")
    if not (ways := subnets.ways_out(found)):
        return warned(
            f"{named} ({where.name}) is private, and has no NAT gateway or route: the result of the command that "
            "generalizes the copy cannot come back, so a script that fails is noticed at the deadline only",
            f"add a NAT gateway to it, or choose another subnet: {fixes.create_command(facts, copy_subnet='ID')}",
        )
    return passed(f"{named} has a way out: {', '.join(ways)}")


@rule("stopped-vm", "warning", sources.GENERALIZE)
def stopped_vm(facts: Facts) -> RuleResults:
    """A VM that was stopped for its copy was started again."""
    if facts.vm is None or not virtual_machines.tag(facts.vm, tags.STOPPED):
        return None
    if text := stopped_vms.stopped_text(facts.vm):
        what, _, how = text.partition(": ")
        return warned(what, how)
    return passed("the VM runs; the mark of an earlier stop is out of date")


@rule("homes", "warning", sources.GENERALIZE)
def homes(facts: Facts) -> RuleResults:
    """Generalizing removes the home directory of the admin account: software and data are elsewhere."""
    source = facts.source
    generalizes = facts.vm is not None and not facts.is_generalized and _is_new(facts)
    if source is None or source.os_type != "Linux" or not generalizes:
        return None
    user = dig(facts.vm, "properties", "osProfile", "adminUsername")
    home = f"/home/{user}" if user else "the home directory of the admin account"
    if facts.spec.keep_users:
        return passed("--keep-users: accounts and home directories stay; keys and passwords are removed")
    whose = "the VM" if facts.spec.capture == "in-place" else "its copy"
    return warned(
        f"{deprovision_scripts.work_of('Linux', keep_users=False)} on {whose} removes {home} with all files in it, so "
        "the nodes do not have them",
        "move software and data to /opt or a data disk (tasks run as another user and cannot read that home), or add "
        "--keep-users",
    )
