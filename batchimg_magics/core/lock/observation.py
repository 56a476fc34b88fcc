"""What Azure shows of the subjects of a lock now, as the document of a lock."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import api_versions
from batchimg_magics.core.azure.documents import dig, without_empty
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.batch import node_agents, node_pages, pools, quotas, retirements, vm_sizes
from batchimg_magics.core.batch.vm_size_names import canonical_size
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.images import packages
from batchimg_magics.core.lock import facts
from batchimg_magics.core.lock.lock_file import FORMAT, hash_spec
from batchimg_magics.core.lock.pool_settings import read_settings
from batchimg_magics.core.lock.resources_read import Found, ResourceReader
from batchimg_magics.errors import ServiceError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.base.package_list import PackageList
    from batchimg_magics.core.estimates.prices import Rates
    from batchimg_magics.core.lock.subjects import Subjects

__all__ = ["NodeNeeds", "Observation", "needs_of_pool", "observe", "observe_quota"]

_NO_PACKAGES = "no node and no file on this computer has the list; `batchimg images --packages` says why"
#: Digits of a price in US dollars an hour.
_PRICE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class NodeNeeds:
    """What the nodes are made with, where the pool itself may be gone.

    Parameters
    ----------
    vm_size, agent
        VM size and node agent SKU.
    """

    vm_size: str
    agent: str


@dataclass(slots=True)
class Observation:
    """What was read.

    Parameters
    ----------
    tables
        The tables of a lock.
    gone
        Paths of subjects that do not exist.
    unread
        Path to the reason why it could not be read.
    newest_base
        The newest version of the Marketplace image; empty: not known.
    offers
        Path of the VM size and of the node agent SKU to whether Batch offers it.
    packages
        The list of the packages in the image; None: it is not known.
    package_changes
        What differs from the locked list, as text.
    beside
        Whether the list of packages beside the lock file is the locked one; None: it was not compared.
    today
        The service's date.
    """

    today: dt.date
    tables: Json = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)
    newest_base: str = ""
    offers: dict[str, bool] = field(default_factory=dict)
    packages: PackageList | None = None
    package_changes: str = ""
    beside: bool | None = None

    def put(self, path: str, found: Found, convert: Callable[[Any], object] = lambda value: value) -> bool:
        """Put what came of a read at a path; return whether there is something."""
        if found.is_gone:
            self.gone.add(path)
        elif found.reason:
            self.unread[path] = found.reason
        elif found.value is not None:
            self._place(path, convert(found.value))
            return True
        return False

    def _place(self, path: str, value: object) -> None:
        *parents, last = path.split(".")
        table = self.tables
        for name in parents:
            table = table.setdefault(name, {})
        if isinstance(value, dict) and isinstance(table.get(last), dict):
            table[last] |= value
        elif value not in (None, "", {}):
            table[last] = value


async def observe(reader: ResourceReader, subjects: Subjects, needs: NodeNeeds) -> Observation:
    """Read everything that a lock has; what is gone or not readable is part of the result.

    Parameters
    ----------
    reader
        Reads each resource once.
    subjects, needs
        What is read, and what the nodes are made with if the pool does not exist.

    Raises
    ------
    ServiceError
        The user is not signed in, or Azure does not respond.
    """
    azure = reader.azure
    await azure.account()  # its response tells the time
    seen = Observation(dt.datetime.fromtimestamp(azure.now(), dt.UTC).date(), {"format": FORMAT, **facts.tool_facts()})
    await concurrency.gather(
        _observe_pool(reader, subjects, needs, seen),
        _observe_image(reader, subjects, seen),
        _observe_origin(reader, subjects, seen),
        _observe_base(reader, subjects, seen),
        _observe_batch(reader, subjects, needs, seen),
        _observe_packages(reader, subjects, seen),
    )
    version = retirements.end_of("api-version", f"batch {api_versions.BATCH}")
    seen.put("ends.api_version", Found(facts.end_text(version)))
    return seen


async def _observe_pool(reader: ResourceReader, subjects: Subjects, needs: NodeNeeds, seen: Observation) -> None:
    azure = reader.azure
    found = await reader.read(subjects.pool)
    pool = found.value
    seen.put("pool", found, facts.pool_facts)
    node = {
        "vm_size": canonical_size(needs.vm_size),
        "account": str(azure.scope.account_id),
        "region": await azure.region(),
        "pool_allocation_mode": dig(await azure.account(), "properties", "poolAllocationMode"),
        "node_agent_sku": needs.agent,
    }
    seen.put("node", Found(without_empty(node)))
    await _observe_prices(reader, pool, needs, seen)
    if pool is None:
        return
    settings = read_settings(pool)
    seen.put("spec", Found(settings.spec))
    seen.put("secrets", Found(settings.secrets))
    seen.put("pool.spec_hash", Found(hash_spec(settings.spec)))
    seen.unread |= settings.unknown
    own = str(azure.scope.pool_id(str(pool["name"]))).lower() == subjects.pool.lower()
    if not own:
        seen.unread["node.node_agent_version"] = "the pool is of another Batch account"
        return
    versions = await reader.attempt(_read_agent_versions(azure, str(pool["name"])))
    if versions.value == "":
        versions = Found(reason="no node reports it")
    seen.put("node.node_agent_version", versions)


async def _read_agent_versions(azure: Azure, pool: str) -> str:
    """Return the versions of the node agent that the nodes of the first page report, as text."""
    async for nodes in node_pages.read_pages(azure, pool, node_pages.Node):
        found = {one.node_agent_info.version or "" for one in nodes if one.node_agent_info is not None}
        return ", ".join(sorted(found - {""}))
    return ""


async def _observe_prices(reader: ResourceReader, pool: Json | None, needs: NodeNeeds, seen: Observation) -> None:
    """Read the prices of the locked VM size, and of the disks of the pool's nodes."""
    found = await reader.attempt(_read_rates(reader.azure, pool, needs))
    seen.put("prices", found, _price_facts)
    if found.value is not None and "prices" not in seen.tables:
        seen.unread["prices"] = "the price list has no price, or did not respond"


async def _read_rates(azure: Azure, pool: Json | None, needs: NodeNeeds) -> Rates:
    machine = dig(pool, "properties", "deploymentConfiguration", "virtualMachineConfiguration")
    disks = None if machine is None else await prices.read_node_disks(azure, machine)
    return await prices.read_rates(azure, needs.vm_size, node_agents.os_type_of(needs.agent), disks)


def _price_facts(rates: Rates) -> Json:
    known = {
        "dedicated_vm_usd_per_hour": rates.dedicated_usd_per_hour,
        "spot_vm_usd_per_hour": rates.spot_usd_per_hour,
        "node_disks_usd_per_hour": rates.disks_usd_per_hour,
    }
    rounded = {name: round(usd, _PRICE_DIGITS) for name, usd in known.items() if usd is not None}
    as_of = None if rates.as_of is None else rates.as_of.astimezone(dt.UTC).date().isoformat()
    return {**without_empty({"as_of": as_of}), **rounded} if rounded else {}


async def _observe_image(reader: ResourceReader, subjects: Subjects, seen: Observation) -> None:
    for path, resource, convert in (
        ("image", subjects.image, facts.image_facts),
        ("definition", subjects.definition, facts.definition_facts),
        ("gallery", subjects.gallery, facts.gallery_facts),
    ):
        if resource:
            found = await reader.read(resource)
            seen.put(path, found, convert)
            if path == "image" and found.value is not None and subjects.definition:
                ends = dig(found.value, "properties", "publishingProfile", "endOfLifeDate")
                seen.put("ends.image", Found(facts.end_text(ends)))
            if path == "definition" and found.value is not None:
                ends = dig(found.value, "properties", "endOfLifeDate")
                seen.put("ends.image_definition", Found(facts.end_text(ends)))


async def _observe_packages(reader: ResourceReader, subjects: Subjects, seen: Observation) -> None:
    """Read the list of packages: by the tag of the image, or from a node that has it."""
    image = (await reader.read(subjects.image)).value if subjects.image else None
    if image is None:
        return
    try:
        seen.packages = await packages.read_packages(reader.azure, str(image["id"]))
    except (ServiceError, SpecError):
        tagged = await reader.attempt(packages.tagged(reader.azure, str(image["id"])))
        if tagged.value is not None:
            seen.put("packages", Found({"sha256": tagged.value[1], "count": tagged.value[0]}))
        # The reason names nodes, which change: a lock that is written again must not differ for that.
        else:
            seen.unread["packages"] = _NO_PACKAGES
        return
    known = {
        "sha256": seen.packages.sha256,
        "count": seen.packages.count,
        "managers": list(seen.packages.managers),
    }
    seen.put("packages", Found(known))


async def _observe_origin(reader: ResourceReader, subjects: Subjects, seen: Observation) -> None:
    """Read the snapshots and disks that the image was made from, and the VM."""
    wanted: list[tuple[str, str, Callable[[Json], Json]]] = []
    wanted += [(f"snapshots.{role}", one, facts.snapshot_facts) for role, one in sorted(subjects.snapshots.items())]
    wanted += [(f"disks.{role}", one, facts.disk_facts) for role, one in sorted(subjects.disks.items())]
    wanted += [("vm", subjects.vm, facts.vm_facts)] if subjects.vm else []
    results = await concurrency.gather(*(reader.read(one) for _, one, _ in wanted))
    for (path, _, convert), found in zip(wanted, results, strict=True):
        seen.put(path, found, convert)


async def _observe_base(reader: ResourceReader, subjects: Subjects, seen: Observation) -> None:
    """Read the versions of the Marketplace image, and whether the publisher has deprecated the one in use."""
    base, azure = subjects.base, reader.azure
    if base is None:
        return
    names = {"publisher": base.publisher, "offer": base.offer, "sku": base.sku, "version": base.version}
    seen.put("base_image", Found(without_empty(names)))
    where = f"/subscriptions/{azure.scope.subscription}/providers/Microsoft.Compute/locations/{await azure.region()}"
    path = f"{where}/publishers/{base.publisher}/artifacttypes/vmimage/offers/{base.offer}/skus/{base.sku}/versions"
    query = f"api-version={api_versions.api_version(path)}"
    listed = await reader.attempt(_read_json(azure, f"{path}?{query}"))
    if not isinstance(listed.value, list):
        if listed.is_gone:
            seen.gone.add("base_image")
        seen.unread["ends.base_image"] = listed.reason or "the Marketplace does not have the image any more"
        return
    known = sorted((str(one.get("name")) for one in listed.value), key=facts.version_key)
    seen.newest_base = known[-1] if known else ""
    if base.version and base.version not in known:
        seen.gone.add("base_image")
    asked = base.version if base.version in known else seen.newest_base
    found = await reader.attempt(_read_json(azure, f"{path}/{asked}?{query}"))
    seen.put("ends.base_image", found, _deprecation)


async def _read_json(azure: Azure, url: str) -> Any:  # noqa: ANN401 - JSON
    return (await azure.get(url)).json()


def _deprecation(version: Json) -> str:
    """Return when the publisher takes a version away, or that it did. Source: Compute, ImageDeprecationStatus."""
    status = dig(version, "properties", "imageDeprecationStatus") or {}
    state, day = str(status.get("imageState") or "Active"), status.get("scheduledDeprecationTime")
    return facts.end_text(day) if day else facts.NO_END if state.lower() == "active" else state.lower()


async def _observe_batch(reader: ResourceReader, subjects: Subjects, needs: NodeNeeds, seen: Observation) -> None:
    """Read whether Batch offers the VM size and the node agent SKU, and until when."""
    sizes, images = await concurrency.gather(
        reader.attempt(vm_sizes.read_sizes(reader.azure)),
        reader.attempt(node_agents.read_supported_images(reader.azure)),
    )
    if sizes.value is not None:
        size = next((one for one in sizes.value if str(one["name"]).lower() == needs.vm_size.lower()), None)
        seen.offers["node.vm_size"] = size is not None
        ends = retirements.end_of("vm-size", needs.vm_size, (size or {}).get("batchSupportEndOfLife"))
        seen.put("ends.vm_size", Found(facts.end_text(ends)))
    else:
        seen.unread["ends.vm_size"] = sizes.reason
    if images.value:
        seen.offers["node.node_agent_sku"] = any(node_agents.is_of_agent(one, needs.agent) for one in images.value)
        ends = node_agents.end_of_agent(images.value, needs.agent)
        seen.put("ends.node_agent", Found(facts.end_text(ends)))
        if subjects.base is not None:
            ends = node_agents.end_of_image(images.value, subjects.base.names)
            seen.put("ends.base_image_in_batch", Found(facts.end_text(ends)))
    else:
        seen.unread["ends.node_agent"] = images.reason or "Batch lists no images"


async def observe_quota(reader: ResourceReader, name: str, size: str, counts: Counts, seen: Observation) -> None:
    """Read whether the quotas of the account allow the nodes of a pool, beside those of other pools.

    Parameters
    ----------
    reader, seen
        The reader, and where the result belongs: empty text if they do.
    name, size, counts
        The pool, the VM size of its nodes, and how many there are to be.
    """
    found = await reader.attempt(quotas.read_usage(reader.azure, but_for=name))
    sizes = await reader.attempt(vm_sizes.read_sizes(reader.azure))
    offered = next((one for one in sizes.value or [] if str(one["name"]).lower() == size.lower()), None)
    if found.value is None or sizes.value is None:
        seen.unread["quota"] = found.reason or sizes.reason or "the account was not found"
    elif offered is not None:
        seen.tables["quota"] = found.value.headroom(offered).shortfall(counts)


def needs_of_pool(pool: Json) -> NodeNeeds:
    """Return what the nodes of a pool are made with."""
    return NodeNeeds(str(dig(pool, "properties", "vmSize") or ""), pools.agent_of(pool))
