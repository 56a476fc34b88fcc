"""Rules for the operating system of an image: it is prepared for Batch, and Batch supports it."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig, parse_time
from batchimg_magics.core.base.durations import format_time
from batchimg_magics.core.batch import distributions, node_agents, pools, vm_sizes
from batchimg_magics.core.checks.rules import fixes, sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, unchecked, unchecked_content, warned
from batchimg_magics.core.compute import galleries, virtual_machines
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.line import shell_word
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.distributions import Distribution
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResult, RuleResults
    from batchimg_magics.core.compute.image_source import Source

#: Warn if support ends within so many days. Assumed: about the time that a project needs to move.
WARN_DAYS = 90


@rule("image-origin", "error", sources.GENERALIZE)
def image_origin(facts: Facts) -> RuleResults:
    """An image can be made from the source."""
    if facts.problem is not None:
        return failed(facts.problem.message, facts.problem.hint)
    if facts.source is None:
        return None
    if facts.warning:
        return warned(f"{facts.source.description}: {facts.warning}", fixes.TEST_FIRST)
    return passed(f"image source is {facts.source.description}")


@rule("generalized", "error", sources.GENERALIZE)
def generalized(facts: Facts) -> RuleResults:
    """The system is generalized, or this tool generalizes it: otherwise nodes are unusable, and are billed."""
    source, spec = facts.source, facts.spec
    if source is None or facts.kind == "image":
        return None
    if facts.vm is not None and source.generalized:
        return passed("VM is generalized")
    if spec.generalized:
        return passed("--generalized: you state that the system is generalized")
    if spec.capture == "in-place":
        return warned(
            f"{source.description} is not generalized: --capture in-place generalizes it, which is irreversible",
            "omit --capture: a temporary copy is generalized instead, and the VM is not modified",
        )
    return passed(
        f"{source.description} is not generalized: a temporary copy is generalized, and the VM is not modified"
    )


@rule("os-state", "error", sources.GALLERY_POOL)
def os_state(facts: Facts) -> RuleResults:
    """The image is of a generalized system: Batch cannot create nodes from a specialized image."""
    if facts.kind not in ("image", "pool") or (facts.managed_image or facts.definition) is None:
        return None
    state = dig(facts.managed_image, "properties", "storageProfile", "osDisk", "osState") or dig(
        facts.definition, "properties", "osState"
    )
    if state == "Generalized":
        return passed("image is generalized")
    return failed(
        f"the OS state of the image is {state or 'unknown'}; Batch requires Generalized",
        f"create an image from a generalized VM: {fixes.rebuild_command(facts)}",
    )


@rule("deallocated", "warning", sources.GENERALIZE)
def deallocated(facts: Facts) -> RuleResults:
    """The VM is deallocated when its disks are captured: otherwise the snapshots are only crash-consistent."""
    spec, source = facts.spec, facts.source
    if facts.vm is None or source is None:
        return None
    if not facts.power:
        return unchecked(
            "Azure reports no power state of the VM", f"`az vm get-instance-view --ids {shell_word(facts.vm['id'])}`"
        )
    if facts.power == "deallocated":
        return passed("VM is deallocated")
    if source.generalized or spec.generalized or spec.capture == "in-place":
        return passed(f"VM is {facts.power} and is deallocated first")
    if spec.stop:
        return passed(f"VM is {facts.power} and is stopped while its snapshots are taken")
    return warned(
        f"{source.description} is {facts.power}: a disk in use cannot be captured consistently",
        "--stop stops the VM for about a minute to take consistent snapshots",
    )


#: How long after the snapshots `--stop` may start the VM again, with an interruption in between.
_RESTART = dt.timedelta(hours=1)


@rule("image-age", "warning", sources.DOCUMENT, needs=("snapshots", "image versions"))
def image_age(facts: Facts) -> RuleResults:
    """The image is newer than the last start of the VM: software installed later is not in the image."""
    published = dig(facts.version, "properties", "publishingProfile", "publishedDate")
    taken = [str(dig(one, "properties", "timeCreated") or "") for one in facts.snapshots]
    created = max(taken, default="") or str(published or "")
    if facts.vm is None or facts.version is None or not created or facts.spec.new_image:
        return None
    changed = _last_changed_at(facts)
    # A pool with nodes keeps its image: a new image needs --replace, which is confirmed separately.
    command = fixes.create_command(facts, new_image=True, **({"replace": True} if facts.pool else {}))
    if changed is None:
        return unchecked("Azure does not report when the VM was last started", command)
    image_time = format_time(parse_time(created))
    if changed <= parse_time(created):
        return passed(f"image is from {image_time}, after the VM was last started or deallocated")
    if facts.spec.stop and changed <= parse_time(created) + _RESTART:
        return passed(f"image is from {image_time}; then --stop started the VM again")
    return warned(
        f"image is from {image_time}; the VM was started or deallocated later, on {format_time(changed)}",
        f"if the VM has changed: {command}",
    )


def _last_changed_at(facts: Facts) -> dt.datetime | None:
    """Return when the VM was last started or deallocated: from its OS disk, else from its last operation."""
    if time := dig(facts.os_disk, "properties", "LastOwnershipUpdateTime"):
        return parse_time(str(time))
    seconds = virtual_machines.changed_at(facts.vm or {})
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)


@rule("extensions", "error", sources.DOCUMENT, acceptable=True)
def extensions(facts: Facts) -> RuleResults:
    """The VM has no VM extensions, or a temporary copy without them is captured: Batch may fail to deploy nodes."""
    if facts.vm is None:
        return unchecked_content(facts, "whether its VM had extensions")
    names = extension_names(facts.vm)
    if not names:
        return passed("no VM extensions")
    ids = " ".join(shell_word(f"{facts.vm['id']}/extensions/{name.partition(' ')[0]}") for name in names)
    text, fix = (
        f"VM {facts.vm['name']!r} has VM extensions: {', '.join(names)}",
        f"`az vm extension delete --ids {ids}`",
    )
    if not facts.captures_copy or facts.spec.direct:
        return failed(f"{text}; Batch may fail to deploy nodes from an image with extensions", fix)
    # A copy has no extension resources, and `waagent -deprovision` deletes /var/lib/waagent, where their files are.
    return warned(
        f"{text}; a temporary copy has none, and generalizing it deletes their files",
        f"if nodes do not start: {fix}. A policy of the subscription can install extensions again",
    )


#: Handlers of run commands, which are no extensions that somebody installed.
_RUN_COMMAND = re.compile(r"run-?command", re.IGNORECASE)


def extension_names(vm: Json) -> list[str]:
    """Return the extensions of a VM, from its child resources, its instance view and its agent, each once.

    A name that does not contain the type of the extension is followed by the type.
    """
    view = dig(vm, "properties", "instanceView") or {}
    found: dict[str, str] = {}
    for one in vm.get("resources") or dig(vm, "properties", "resources") or []:
        if "/extensions" in f"{one.get('type', '')} {one.get('id', '')}".lower():
            kind = dig(one, "properties", "type") or one.get("typePropertiesType")
            found[str(one.get("name") or one.get("id")).split("/")[-1]] = str(kind or "")
    for one in view.get("extensions") or []:
        found.setdefault(str(one.get("name") or one.get("type")), str(one.get("type") or "").split(".")[-1])
    known = {word.lower() for pair in found.items() for word in pair}
    for one in dig(view, "vmAgent", "extensionHandlers") or []:
        if (name := str(one.get("type")).split(".")[-1]).lower() not in known:
            found[name] = ""
    named = [name if kind.lower() in name.lower() else f"{name} ({kind})" for name, kind in found.items()]
    return [one for one in named if not _RUN_COMMAND.search(one)]


@rule("base-image", "error", sources.DOCUMENT, needs=("supported images",))
def base_image(facts: Facts) -> RuleResults:
    """The system is based on a first-party Marketplace image that Batch supports."""
    source = facts.source
    if source is None:
        return None
    if source.marketplace is None:
        return unchecked(
            f"the Marketplace image of {source.description} is unknown",
            "make sure that it is based on an image that `az batch pool supported-images list` returns",
        )
    name, listed = ":".join(source.marketplace), node_agents.entries_of(facts.supported_images, source.marketplace)
    if listed:
        return passed(f"Batch supports {name}")
    problem = f"Batch does not support {name}, the Marketplace image of {source.description}"
    if facts.spec.node_agent_sku:
        return warned(problem, f"make sure that the node agent matches the operating system; {fixes.TEST_FIRST}")
    # The hint of rule node-agent: two rules must not give two ways out.
    return failed(problem, node_agents.hint(facts.supported_images, source, _system_in_vm(facts), facts.today))


@rule("node-agent", "error", sources.DOCUMENT, needs=("supported images",))
def node_agent(facts: Facts) -> RuleResults:
    """A Batch node agent SKU for the system is known from its Marketplace image, or is given."""
    source = facts.source
    if source is None:
        return _check_agent_of_pool(facts)
    try:
        agent = choose_node_agent(facts, source)
    except SpecError as error:
        return failed(error.message, error.hint)
    if facts.spec.node_agent_sku:
        return passed(f"{agent}, as specified")
    runs_on, inside = distributions.of_agent(agent), _system_in_vm(facts)
    if runs_on and inside and not runs_on.runs(inside):
        return warned(
            f"{agent} is for the Marketplace image, and the VM reports {inside}: its system was upgraded",
            f"give the node agent of the new system with --node-agent-sku; {fixes.TEST_FIRST}",
        )
    return passed(f"{agent}, for its Marketplace image")


def choose_node_agent(facts: Facts, source: Source) -> str:
    """Return the node agent SKU of a source, with what the VM's own agent reports; errors are those of the choice."""
    asked, inside = facts.spec.node_agent_sku, _system_in_vm(facts)
    return node_agents.choose_node_agent(facts.supported_images, source, asked, inside, facts.today)


def _system_in_vm(facts: Facts) -> Distribution | None:
    """Return the distribution that the agent in the VM reports; None where it does not."""
    view = dig(facts.vm, "properties", "instanceView") or {}
    return distributions.of_system(str(view.get("osName") or ""), str(view.get("osVersion") or ""))


def _check_agent_of_pool(facts: Facts) -> RuleResults:
    agent = pools.agent_of(facts.pool)
    if not agent:
        return None
    if any(node_agents.is_of_agent(one, agent) for one in facts.supported_images):
        return passed(f"Batch supports {agent}")
    return warned(f"Batch no longer supports {agent}", "create a new pool with a newer operating system")


def check_end_of_support(facts: Facts, ends: str, what: str, fix: str) -> RuleResult:
    """Warn if an end of support has passed or is near."""
    days = facts.days_until(ends)
    if days < 0:
        return warned(f"{what} ended on {ends[:10]}, {count_text(-days, 'day')} ago", fix)
    text = f"{what} ends on {ends[:10]}, in {count_text(days, 'day')}"
    return warned(text, fix) if days < WARN_DAYS else passed(text)


_TERMS = "accept the terms of the plan: `az vm image terms accept --publisher PUBLISHER --offer PRODUCT --plan NAME`"


@rule("purchase-plan", "error", sources.DOCUMENT)
def purchase_plan(facts: Facts) -> RuleResults:
    """The system has no purchase plan, or the image definition has the same plan."""
    if facts.kind not in ("vm", "disks"):
        if facts.definition is None:
            return None
        carried = galleries.plan_words(dig(facts.definition, "properties", "purchasePlan"))
        return passed(f"image definition has the plan {carried}", _TERMS) if carried else passed("no purchase plan")
    if facts.source is None:
        return None
    if facts.source.plan is None:
        return passed("no purchase plan")
    plan = galleries.plan_words(facts.source.plan)
    text = f"{facts.source.description} is based on an image with the purchase plan {plan}"
    if facts.spec.direct or facts.spec.via == "managed-image":
        return failed(f"{text}; a managed image cannot have a plan", "omit --direct and --via managed-image")
    return warned(f"{text}; the image definition gets the plan, if the terms of the publisher allow it", _TERMS)


_LARGER_OS_DISK = f"--os-disk-gib {2 * vm_sizes.LEAST_OS_DISK_GIB}"


@rule("temp-drive", "warning", sources.DOCUMENT, needs=("Batch's VM sizes",))
def temp_drive(facts: Facts) -> RuleResults:
    """Nodes have a temporary disk for the node agent; without one, the OS disk has at least 64 GiB."""
    system, temporary_mb = facts.system, facts.capabilities.get("MaxResourceVolumeMB")
    if system is None or facts.size is None:
        return None
    size = str(facts.size["name"])
    path_hint = "keep its default path (/mnt, D:) in the VM; this cannot be checked from outside"
    if temporary_mb is None:
        return unchecked(f"Azure does not report whether {size} has a temporary disk", fixes.TEST_FIRST)
    if float(temporary_mb) > 0:
        return passed(f"{size} has a temporary disk of {float(temporary_mb) / 1024:.0f} GiB", path_hint)
    text = f"{size} has no temporary disk; Batch uses the OS disk"
    os_disk_gib = facts.spec.os_disk_gib or system.os_disk_gib
    if os_disk_gib is None:
        return unchecked(f"{text}, whose size is unknown", _LARGER_OS_DISK)
    if os_disk_gib < vm_sizes.LEAST_OS_DISK_GIB:
        return warned(f"{text}, which has {os_disk_gib} GiB", _LARGER_OS_DISK)
    return passed(f"{text}, which has {os_disk_gib} GiB")
