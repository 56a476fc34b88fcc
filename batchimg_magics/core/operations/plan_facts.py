"""The facts of Azure that a plan rests on, each as a short text: two plans are compared fact by fact.

What `create` itself changes on its way is marked: a plan that was carried out in part still fits.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.azure.tags import digest
from batchimg_magics.core.base.node_counts import Counts, current_or_target
from batchimg_magics.core.batch import node_agents, vm_sizes
from batchimg_magics.core.batch.pools import PoolImage
from batchimg_magics.core.compute import image_versions, subnets, virtual_machines
from batchimg_magics.core.images.origins.generalized_vm import VmOrigin
from batchimg_magics.core.images.stopped_vms import is_stopped_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import Finding
    from batchimg_magics.core.operations.creation import Creation

__all__ = ["Fact", "read_facts"]

#: In place of the id of an image, which may be known only later.
_PLANNED = PoolImage("planned", "planned")
#: Capabilities of a VM size that a pool depends on.
_CAPABILITIES = (
    "vCPUs", "MemoryGB", "HyperVGenerations", "CpuArchitectureType", "MaxDataDiskCount", "MaxResourceVolumeMB",
    "DiskControllerTypes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact.

    Parameters
    ----------
    name, text
        What it is about, and what is so.
    is_own
        Whether `create` has changed it itself, or may have.
    """

    name: str
    text: str
    is_own: bool = False

    @property
    def compared(self) -> str:
        """The part of the text that is compared: of a finding, only its severity, since its words have numbers."""
        return self.text.partition(":")[0] if self.name.startswith("rule ") else self.text


def read_facts(facts: Facts, found: Creation | None, findings: Sequence[Finding]) -> dict[str, Fact]:
    """Return the facts that `create` has read, by name.

    Parameters
    ----------
    facts, found, findings
        What the preflight checks read; the image and the pool, None if they cannot be created; the findings.
    """
    begun = found is not None and _is_begun(facts, found)
    listed = [*_of_account(facts), *_of_source(facts, found, begun=begun), *_of_size(facts), *_of_network(facts)]
    if found is not None:
        listed += [*_of_image(facts, found), *_of_pool(facts, found)]
    shown = [one for one in findings if one.ok is False and (one.is_error or one.is_warning)]
    for rule in dict.fromkeys(one.rule for one in shown):
        of_rule = [one for one in shown if one.rule == rule]
        text = f"{of_rule[0].severity}: {'; '.join(one.found for one in of_rule)}"
        # What a rule finds may change with the first step, for example the power state of a VM.
        listed.append(Fact(f"rule {rule}", text, begun))
    return {one.name: one for one in listed if one.text}


def _is_begun(facts: Facts, found: Creation) -> bool:
    """Tell whether a run has begun to create the image or the pool: there are resources with its tags."""
    image = found.build
    vm = facts.vm or {}
    marks = (virtual_machines.tag(vm, tags.DEPROVISIONING), virtual_machines.tag(vm, tags.DEPROVISIONED))
    return (
        image.version is not None
        or image.has_leftovers
        or image.hash in marks
        or is_stopped_for(vm, found.spec.name)
        or any(dig(one, "tags", tags.IMAGE) == image.hash for one in facts.snapshots)
        or dig(facts.pool, "tags", tags.IMAGE) == image.hash
    )


# -- the account -------------------------------------------------------------------------------------------------


def _of_account(facts: Facts) -> Iterator[Fact]:
    props = facts.account["properties"]
    yield Fact("account", f"{facts.region}, {props.get('poolAllocationMode') or 'BatchService'}")
    yield Fact("pool quota", str(props.get("poolQuota") or ""))
    for quota in facts.headroom.quotas:
        yield Fact(f"quota of {quota.name}", f"{quota.limit:,}")
    yield Fact("nodes that the quotas allow", str(facts.target.minimum(Counts(facts.spec.nodes, facts.spec.spot))))
    yield Fact("spending limit", "" if facts.limit_usd is None else f"${facts.limit_usd:,.2f}/h")
    # Their values may name people.
    shown = f"{', '.join(sorted(facts.resource_tags))} ({digest(dict(facts.resource_tags))})"
    yield Fact("tags of the connection", shown if facts.resource_tags else "")
    yield Fact("locks", _joined(f"{one.get('name')} ({dig(one, 'properties', 'level')})" for one in facts.locks))
    yield Fact("policies", _joined(one.name for one in facts.policies))
    yield Fact("registrations", _joined(f"{key}: {state}" for key, state in facts.registered.items()))
    yield Fact("not readable", _joined(facts.unread))


def _joined(words: Iterable[str]) -> str:
    return ", ".join(sorted(set(words)))


# -- the image and its source ------------------------------------------------------------------------------------


def _of_source(facts: Facts, found: Creation | None, *, begun: bool) -> Iterator[Fact]:
    source = facts.source
    if source is None:
        yield Fact("image source", "does not exist" if facts.problem is None else facts.problem.message)
        return
    yield Fact("image source", source.id)
    yield Fact("unique ID of the image source", source.unique_id)
    kind = (source.os_type, source.generation, source.architecture, source.security_type, source.encryption)
    yield Fact("operating system", " ".join(filter(None, kind)))
    yield Fact("disk controllers", source.controllers)
    yield Fact("Marketplace image", ":".join(source.marketplace or ()))
    yield Fact("purchase plan", ":".join((source.plan or {}).values()))
    yield Fact("missing resources", _joined(facts.missing_ids))
    luns = {disk.id.lower(): disk.description for disk in source.disks}
    for disk in facts.disks:
        yield Fact(luns.get(str(disk["id"]).lower(), "disk"), _disk_text(disk))
    if facts.vm is not None and (found is None or found.build.version is None):
        yield from _of_vm(facts, found, begun=begun)


def _disk_text(disk: Json) -> str:
    props = disk["properties"]
    size, kind = f"{props.get('diskSizeGB')} GiB", str(dig(disk, "sku", "name") or "")
    return ", ".join(filter(None, [str(disk["name"]), size, kind, str(props.get("uniqueId") or "")]))


def _of_vm(facts: Facts, found: Creation | None, *, begun: bool) -> Iterator[Fact]:
    """Yield the state of a VM whose image does not exist yet."""
    vm, power = facts.vm or {}, facts.power
    in_place = facts.spec.capture == "in-place"
    # A generalized VM is deallocated before its disks are captured, and has no tag of it.
    own = begun or in_place or (power == "deallocated" and not _is_copied(found))
    yield Fact("power state of the VM", power, own)
    yield Fact("VM is generalized", "yes" if facts.is_generalized else "no", begun or in_place)
    changed = virtual_machines.changed_at(vm)
    if power == "deallocated" and changed is not None:
        # The disks of a running VM change at any time; those of one that is deallocated do not, until it is started.
        yield Fact(
            "last operation on the VM", f"{dt.datetime.fromtimestamp(int(changed), dt.UTC):%Y-%m-%dT%H:%M:%SZ}", own
        )


def _is_copied(found: Creation | None) -> bool:
    return found is not None and isinstance(found.build.origin, VmOrigin) and found.build.origin.kind.startswith("copy")


def _of_image(facts: Facts, found: Creation) -> Iterator[Fact]:
    image = found.build
    yield Fact("image", image.origin.pinned or image.hash)
    version = image.version or (facts.version if image.origin.pinned else None)
    published = None if version is None else image_versions.published_at(version)
    stated = (
        "" if version is None else f"{version['id']}{'' if published is None else f', {published:%Y-%m-%dT%H:%M:%SZ}'}"
    )
    # Whoever made it: a version with this hash is the one that the plan would make.
    yield Fact("image version", stated or "none", version is not None and not image.origin.pinned)
    yield Fact("replicas", ", ".join(f"{region}={count}" for region, count in sorted(image.regions.items())))
    if facts.copy_sizes is not None and image.version is None:
        own = image.has_leftovers
        yield Fact("VM size of the temporary VM", facts.copy_sizes.names[0] if facts.copy_sizes.names else "none", own)


# -- the nodes ---------------------------------------------------------------------------------------------------


def _of_size(facts: Facts) -> Iterator[Fact]:
    size, sku = facts.size, facts.sku
    can = facts.capabilities
    known = [f"{name} {can[name]}" for name in _CAPABILITIES if name in can]
    family = str((size or {}).get("familyName") or "")
    yield Fact("VM size", "not offered" if size is None else ", ".join([str(size["name"]), family, *known]))
    yield Fact("end of the VM size", "" if size is None else str(vm_sizes.end_of_size(size) or ""))
    yield Fact(
        "restrictions of the VM size",
        _joined(f"{one.get('type')} {one.get('reasonCode')}" for one in (sku or {}).get("restrictions") or []),
    )
    source = facts.source
    agent = facts.spec.node_agent_sku
    if source is not None and source.marketplace is not None and facts.supported_images:
        entries = node_agents.entries_of(facts.supported_images, source.marketplace)
        states = (
            f"{one['nodeAgentSKUId']} {one.get('verificationType')} {str(one.get('batchSupportEndOfLife') or '')[:10]}"
            for one in entries
        )
        yield Fact("Batch's support of the image", _joined(one.strip() for one in states))
    if agent is not None and facts.supported_images:
        yield Fact("end of the node agent", str(node_agents.end_of_agent(facts.supported_images, agent) or ""))


def _of_network(facts: Facts) -> Iterator[Fact]:
    if facts.spec.subnet:
        own = facts.spec.subnet.lower()
        listed = dig(facts.network, "properties", "subnets") or []
        found = next((one for one in listed if str(one["id"]).lower() == own), None)
        yield Fact("subnet", "does not exist" if found is None else _subnet_text(found))
    if facts.copy_subnet is not None:
        yield Fact("subnet of the temporary VM", _subnet_text(facts.copy_subnet))
    if facts.security_group is not None:
        rules = dig(facts.security_group, "properties", "securityRules") or []
        kept = [
            {key: value for key, value in (one.get("properties") or {}).items() if key != "provisioningState"}
            for one in rules
        ]
        yield Fact("rules of the network security group", f"{len(rules)} ({digest(kept)})")
    for key, address in facts.public_addresses.items():
        yield Fact(f"public address {key.rpartition('/')[2]}", str(dig(address, "properties", "ipAddress") or "exists"))


def _subnet_text(subnet: Json) -> str:
    props = subnet.get("properties") or {}
    parts = [
        str(subnet["id"]),
        str(props.get("addressPrefix") or _joined(map(str, props.get("addressPrefixes") or ()))),
        f"out by {_joined(subnets.ways_out(subnet)) or 'nothing'}",
        _joined(subnets.delegations(subnet)),
        str(dig(props, "networkSecurityGroup", "id") or "").rpartition("/")[2],
    ]
    return ", ".join(filter(None, parts))


def _of_pool(facts: Facts, found: Creation) -> Iterator[Fact]:
    yield Fact("node agent", found.agent)
    yield Fact("first node", "one node is started first" if found.first_node else "", is_own=True)
    wanted = found.body(_PLANNED)
    yield Fact("settings of a node", str(dig(wanted, "tags", tags.SPEC)))
    pool = facts.pool
    # A pool that is as the plan wants it is its result, or was it before; one that is to be replaced may be gone.
    if pool is None:
        yield Fact("pool", "does not exist")
        return
    why = found.pool_decision.why if found.pool_decision is not None else ""
    as_planned = found.decision == "exists"
    yield Fact("pool", "is as planned" if as_planned else f"exists: {why}", as_planned)
    yield Fact("nodes of the pool", str(current_or_target(pool)), as_planned)
