"""Rules about the system on an image: prepared as Batch wants it, and known to Batch."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig, parse_time
from batchimg_magics.core.batch import node_agents, pools
from batchimg_magics.core.checks.rules import fixes, sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, unchecked, unchecked_content, warned
from batchimg_magics.core.compute import galleries, virtual_machines
from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResult, RuleResults

#: From how many days before its end support is worth a warning: assumed, about the time that a project needs to move.
WARN_DAYS = 90
#: GiB that an OS disk should have where a node has no other place for tasks: assumed, twice Ubuntu's own 30.
LEAST_OS_DISK_GIB = 64


@rule("road", "error", sources.GENERALIZE)
def image_origin(facts: Facts) -> RuleResults:
    """There is a road from it to an image."""
    if facts.source is None:
        return None
    if facts.problem is not None:
        return failed(facts.problem.message, facts.problem.hint)
    if facts.warning:
        return warned(f"{facts.source.description}: {facts.warning}", "make a node or two first")
    return passed(f"from {facts.source.description}")


@rule("generalized", "error", sources.GENERALIZE)
def generalized(facts: Facts) -> RuleResults:
    """The system was deprovisioned, or will be on the way: nodes from any other come up unusable, and are billed."""
    source, spec = facts.source, facts.spec
    if source is None or facts.kind == "image":
        return None
    if facts.vm is not None and source.generalized:
        return passed("Azure marks it generalized")
    if spec.generalized:
        return passed("you say that it was deprovisioned")
    if spec.capture == "in-place":
        return warned(
            f"{source.description} is not generalized: it is deprovisioned itself, which ruins it for other work",
            "leave --capture out: a throwaway copy of it is deprovisioned instead",
        )
    return passed(
        f"{source.description} is not generalized: a throwaway copy of it is deprovisioned, and it stays as it is"
    )


@rule("os-state", "error", sources.GALLERY_POOL)
def os_state(facts: Facts) -> RuleResults:
    """The image is of a generalized system: Batch makes no nodes of a specialized one."""
    if facts.kind not in ("image", "pool") or (facts.managed_image or facts.definition) is None:
        return None
    state = dig(facts.managed_image, "properties", "storageProfile", "osDisk", "osState") or dig(
        facts.definition, "properties", "osState"
    )
    if state == "Generalized":
        return passed("it is an image of a generalized system")
    return failed(
        f"the image's system is {state or 'of no known state'}",
        f"make an image of a generalized VM: {fixes.rebuild_command(facts)}",
    )


@rule("deallocated", "warning", sources.GENERALIZE)
def deallocated(facts: Facts) -> RuleResults:
    """The VM is deallocated when snapshots of its disks are taken: else they are as after a power cut."""
    spec, source = facts.spec, facts.source
    if facts.vm is None or source is None:
        return None
    if not facts.power:
        return unchecked("the VM tells no power state", f"`az vm get-instance-view --ids {facts.vm['id']}`")
    if facts.power == "deallocated":
        return passed("it is")
    if source.generalized or spec.generalized or spec.capture == "in-place":
        return passed(f"it is {facts.power}, and is deallocated first")
    if spec.stop:
        return passed(f"it is {facts.power}, and is stopped for the time of the snapshots")
    return warned(
        f"{source.description} is {facts.power}: its disks are copied while it may write to them",
        "--stop stops it for a minute, for disks that agree with each other",
    )


@rule("image-age", "warning", sources.DOCUMENT, needs=("snapshots", "image versions"))
def image_age(facts: Facts) -> RuleResults:
    """The image is not older than the VM's last start: what was installed since is not in it."""
    published = dig(facts.version, "properties", "publishingProfile", "publishedDate")
    taken = [str(dig(one, "properties", "timeCreated") or "") for one in facts.snapshots]
    made = max(taken, default="") or str(published or "")
    if facts.vm is None or facts.version is None or not made or facts.spec.new_image:
        return None
    changed = _last_changed_at(facts)
    # A pool of nodes keeps its image: with the new one it is made anew, which is shown before it is done.
    again = fixes.create_command(facts, new_image=True, **({"replace": True} if facts.pool else {}))
    if changed is None:
        return unchecked("Azure does not tell when the VM was last started", again)
    if changed <= parse_time(made):
        return passed(f"made {format_day(parse_time(made))}, after the VM was last started or deallocated")
    return warned(
        f"made {format_day(parse_time(made))}; the VM was started or deallocated after that, on {format_day(changed)}",
        f"if it changed: {again}",
    )


def _last_changed_at(facts: Facts) -> dt.datetime | None:
    """Return when the VM was last started or deallocated: its OS disk tells; where not, its last operation."""
    if moment := dig(facts.os_disk, "properties", "LastOwnershipUpdateTime"):
        return parse_time(str(moment))
    seconds = virtual_machines.changed_at(facts.vm or {})
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)


def format_day(moment: dt.datetime) -> str:
    """Return a moment as people read it."""
    return f"{moment:%Y-%m-%d %H:%M}Z"


@rule("extensions", "error", sources.DOCUMENT)
def extensions(facts: Facts) -> RuleResults:
    """The VM has no Azure extensions: with one in its image Batch may fail to deploy nodes."""
    if facts.vm is None:
        return unchecked_content(facts, "whether its VM had extensions")
    found = [one for one in facts.vm.get("resources") or [] if str(one.get("type", "")).lower().endswith("/extensions")]
    inside = [
        str(one.get("name") or one.get("type"))
        for one in dig(facts.vm, "properties", "instanceView", "extensions") or []
    ]
    names = list(dict.fromkeys([*(str(one.get("name") or one.get("id")).split("/")[-1] for one in found), *inside]))
    if not names:
        return passed("it has none")
    ids = " ".join(f"{facts.vm['id']}/extensions/{name}" for name in names)
    return failed(
        f"VM {facts.vm['name']!r} has Azure extensions: {', '.join(names)}", f"`az vm extension delete --ids {ids}`"
    )


@rule("base-image", "error", sources.DOCUMENT, needs=("supported images",))
def base_image(facts: Facts) -> RuleResults:
    """The system goes back to a first-party Marketplace image that Batch supports."""
    source = facts.source
    if source is None:
        return None
    if source.marketplace is None:
        return unchecked(
            f"{source.description} goes back to no Marketplace image that is known",
            "make sure that it goes back to an image of `az batch pool supported-images list`",
        )
    name, listed = ":".join(source.marketplace), node_agents.entries_of(facts.supported_images, source.marketplace)
    if listed:
        return passed(f"{name} is on Batch's list")
    says = f"Batch does not support the image that {source.description} was made from: {name}"
    if facts.spec.node_agent_sku:
        return warned(says, "make sure that the node agent fits its system; a few nodes first will tell")
    return failed(says, "make the VM from an image of `az batch pool supported-images list`")


@rule("node-agent", "error", sources.DOCUMENT, needs=("supported images",))
def node_agent(facts: Facts) -> RuleResults:
    """There is a Batch node agent for the system: chosen by its Marketplace image, or asked for."""
    source = facts.source
    if source is None:
        return _check_agent_of_pool(facts)
    try:
        agent = node_agents.choose_node_agent(facts.supported_images, source, facts.spec.node_agent_sku)
    except SpecError as error:
        ranked = ranked_agents(facts)
        first = f"--node-agent-sku {ranked[0]!r}" if ranked else "--node-agent-sku"
        hint = error.hint if facts.spec.node_agent_sku else f"give {first}; the nearest first: {', '.join(ranked)}"
        return failed(error.message, hint)
    how = "as asked for" if facts.spec.node_agent_sku else "as its Marketplace image wants it"
    return passed(f"{agent}, {how}")


def _check_agent_of_pool(facts: Facts) -> RuleResults:
    agent = pools.agent_of(facts.pool)
    if not agent:
        return None
    if _images_of(facts, agent):
        return passed(f"{agent} is on Batch's list")
    return warned(f"{agent} is not on Batch's list any more", "make a new pool from a newer system")


def _images_of(facts: Facts, agent: str) -> list[Json]:
    return [one for one in facts.supported_images if one["nodeAgentSKUId"].lower() == agent.lower()]


def ranked_agents(facts: Facts) -> list[str]:
    """Return the node agents for the VM's operating system, those that look like its system first."""
    source = facts.source
    if source is None:
        return []
    view = dig(facts.vm, "properties", "instanceView") or {}
    name, version = str(view.get("osName") or "").lower(), str(view.get("osVersion") or "").lower()
    arm = source.architecture.lower() == "arm64"

    def fits(agent: str) -> tuple[int, str]:
        text = agent.lower()
        close = 2 * (bool(name) and name in text) + (bool(version) and version in text.split("-")[0].split())
        return -close - 4 * (text.endswith("arm64") == arm), text

    system = source.os_type.lower()
    return sorted({one["nodeAgentSKUId"] for one in facts.supported_images if one["osType"] == system}, key=fits)


@rule("agent-support", "warning", sources.LIFECYCLE, needs=("supported images",))
def agent_support(facts: Facts) -> RuleResults:
    """Batch goes on supporting the system and its node agent for a while."""
    source, agent = facts.source, pools.agent_of(facts.pool)
    if source is not None and source.marketplace is not None and not facts.spec.node_agent_sku:
        images, what = node_agents.entries_of(facts.supported_images, source.marketplace), ":".join(source.marketplace)
    else:
        what = facts.spec.node_agent_sku or agent
        images = _images_of(facts, what) if what else []
    if not images:
        return None
    ends = [str(one.get("batchSupportEndOfLife") or "") for one in images]
    if not all(ends):
        return passed(f"{what}: Batch names no end of its support")
    return check_end_of_support(facts, max(ends), f"Batch's support of {what}", "prepare a VM with a newer system")


def check_end_of_support(facts: Facts, ends: str, what: str, fix: str) -> RuleResult:
    """Judge an end of support: over, near, or far enough."""
    days = facts.days_until(ends)
    if days < 0:
        return warned(f"{what} ended on {ends[:10]}, {-days} days ago", fix)
    text = f"{what} ends on {ends[:10]}, {days} days from now"
    return warned(text, fix) if days < WARN_DAYS else passed(text)


_TERMS = "accept its terms: `az vm image terms accept --publisher PUBLISHER --offer PRODUCT --plan NAME`"


@rule("purchase-plan", "error", sources.DOCUMENT)
def purchase_plan(facts: Facts) -> RuleResults:
    """The system comes without a purchase plan, or the image definition carries it."""
    if facts.kind not in ("vm", "disks"):
        if facts.definition is None:
            return None
        carried = galleries.plan_words(dig(facts.definition, "properties", "purchasePlan"))
        return passed(f"its definition carries the plan {carried}", _TERMS) if carried else passed("it has none")
    if facts.source is None:
        return None
    if facts.source.plan is None:
        return passed("it has none")
    words = galleries.plan_words(facts.source.plan)
    text = f"{facts.source.description} goes back to an image with a purchase plan: {words}"
    if facts.spec.direct or facts.spec.via == "managed-image":
        return failed(f"{text}, which a managed image cannot carry", "leave out --direct and --via managed-image")
    return warned(f"{text}; its gallery definition carries it, where the owner's terms allow that", _TERMS)


@rule("temp-drive", "warning", sources.DOCUMENT, needs=("Batch's VM sizes",))
def temp_drive(facts: Facts) -> RuleResults:
    """The node agent works on the temporary drive; where a size has none, the OS disk is large enough for it."""
    system, room = facts.system, facts.capabilities.get("MaxResourceVolumeMB")
    if system is None or facts.size is None:
        return None
    size = str(facts.size["name"])
    inside = "leave its place (/mnt, D:) as the Marketplace image has it: from outside it cannot be seen"
    if room is None:
        return unchecked(f"Azure does not say whether {size} has a temporary drive", "make a node or two first")
    if float(room) > 0:
        return passed(f"{size} has a temporary drive of {float(room) / 1024:.0f} GiB", inside)
    works = f"{size} has no temporary drive, so Batch works on the OS disk"
    has = facts.spec.os_disk_gib or system.os_disk_gib
    if has is None:
        return unchecked(f"{works}, whose size nothing tells", _sizes_with_drive(facts))
    if has < LEAST_OS_DISK_GIB:
        return warned(f"{works}, which has {has} GiB", _sizes_with_drive(facts))
    return passed(f"{works}, which has {has} GiB")


def _sizes_with_drive(facts: Facts) -> str:
    sizes = facts.similar_sizes(lambda can: float(can.get("MaxResourceVolumeMB", 0)) > 0)
    return f"a size that has one ({sizes}), or --os-disk-gib {2 * LEAST_OS_DISK_GIB}"
