"""The rule for what Azure retires: VM sizes, node agents, Marketplace images, api-versions and features of pools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import api_versions
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import distributions, node_agents, pools, retirements
from batchimg_magics.core.checks.rules import sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, warned
from batchimg_magics.core.checks.rules.system import choose_node_agent
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.retirements import Kind
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResult, RuleResults

#: Warn if something ends within so many days: pools, images and quotas need time to move.
WARN_DAYS = 365


@dataclass(frozen=True, slots=True)
class _Ending:
    """Something that a pool uses and that ends: its name, its last day, and what to use instead."""

    name: str
    day: dt.date
    use: str


@rule("retiring", "error", sources.RETIREMENTS, needs=("Batch's VM sizes", "supported images"), acceptable=True)
def retiring(facts: Facts) -> RuleResults:
    """Azure has not retired what the pool uses, and will not retire it within twelve months."""
    endings = [*_size_endings(facts), *_system_endings(facts), *_feature_endings(facts)]
    near = [one for one in endings if (one.day - facts.today).days < WARN_DAYS]
    if near:
        return [_result(facts, one) for one in near]
    later = "; ".join(f"{one.name} ends on {one.day}" for one in endings)
    return passed(later or "Azure has announced no retirement of what the pool uses")


def _result(facts: Facts, ending: _Ending) -> RuleResult:
    days = (ending.day - facts.today).days
    if days < 0:
        return failed(f"{ending.name} ended on {ending.day}, {count_text(-days, 'day')} ago", ending.use)
    return warned(f"{ending.name} ends on {ending.day}, in {count_text(days, 'day')}", ending.use)


def _ending(kind: Kind, name: str, shown: str, day: dt.date | None, otherwise: str) -> Iterator[_Ending]:
    """Yield what ends, with the successor and the source of the announcement, where there is one."""
    if day is not None:
        known = retirements.find_retirement(kind, name)
        yield _Ending(shown, day, otherwise if known is None else f"use {known.use}: {known.source}")


def _size_endings(facts: Facts) -> Iterator[_Ending]:
    if not facts.size_named_by_user:
        return
    name = str((facts.size or {}).get("name") or facts.spec.vm_size)
    day = retirements.end_of("vm-size", name, (facts.size or {}).get("batchSupportEndOfLife"))
    if day is not None:
        newer = f"--vm-size: {facts.similar_sizes(lambda _: True)}"
        yield from _ending("vm-size", name, f"VM size {name}", day, newer)


def _system_endings(facts: Facts) -> Iterator[_Ending]:
    """Yield the end of the Marketplace image and of the node agent; where they end together, once."""
    source, images = facts.source, facts.supported_images
    agent = facts.spec.node_agent_sku or pools.agent_of(facts.pool)
    if source is not None:
        try:
            agent = choose_node_agent(facts, source)
        except SpecError:
            agent = facts.spec.node_agent_sku or ""  # rule node-agent reports it
    agent_day = node_agents.end_of_agent(images, agent) if agent else None
    newer = "prepare a VM with a newer operating system"
    if source is not None and (system := distributions.of_agent(agent) if agent else node_agents.system_of(source)):
        named = node_agents.lasting_images(images, source, system)[:1]
        newer += f", for example of {named[0]}" if named else ""
    if source is not None and source.marketplace is not None:
        name = ":".join(source.marketplace)
        day = node_agents.end_of_image(images, source.marketplace)
        yield from _ending("image", name, f"Batch support of {name}", day, newer)
        agent_day = None if day == agent_day else agent_day
    yield from _ending("node-agent", agent, f"Batch support of {agent}", agent_day, newer)


def _feature_endings(facts: Facts) -> Iterator[_Ending]:
    """Yield the features of the pool that Azure retires."""
    names: list[tuple[Kind, str]] = []
    if facts.kind == "pool":
        names += (("feature", name) for name in features_of(facts.pool or {}))
    if facts.spec.direct:
        names.append(("api-version", f"batch {api_versions.LEGACY_POOLS['batch']}"))
    for kind, name in names:
        found = retirements.find_retirement(kind, name)
        if found is not None:
            yield _Ending(found.what, found.date, f"use {found.use}: {found.source}")


def features_of(pool: Json) -> Iterator[str]:
    """Yield the features of a pool that may be retired, by their names in ``data/retirements.json``."""
    props = pool.get("properties") or {}
    deployment = props.get("deploymentConfiguration") or {}
    if deployment.get("cloudServiceConfiguration"):
        yield "cloud-service-pools"
    if props.get("certificates"):
        yield "certificates"
    modes = (props.get("targetNodeCommunicationMode"), props.get("currentNodeCommunicationMode"))
    if any(str(mode).lower() == "classic" for mode in modes):
        yield "classic-node-communication"
    if "/providers/microsoft.compute/images/" in str(pools.image_of(pool)).lower():
        yield "managed-image-pools"
    if dig(props, "scaleSettings", "fixedScale", "nodeDeallocationOption") in ("RetainedData", "retaineddata"):
        yield "node-deallocation-retaineddata"
