"""What a pool's growth depends on: its image, its VM size, the account's quotas, other pools, prices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import resources, tags
from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import allocated_counts, current_counts, with_targets
from batchimg_magics.core.batch import expiry, machine_settings, node_agents, node_pages, nodes, pools, quotas, vm_sizes
from batchimg_magics.core.batch.vm_size_names import canonical_size
from batchimg_magics.core.compute import image_versions
from batchimg_magics.core.compute.image_versions import ImageState
from batchimg_magics.core.estimates import prices, spending
from batchimg_magics.core.estimates.forecast import ForecastInputs
from batchimg_magics.errors import ServiceError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.batch.quotas import QuotaHeadroom
    from batchimg_magics.core.compute.image_versions import ImageVersion
    from batchimg_magics.core.estimates.prices import Rates


@dataclass(frozen=True, slots=True)
class PoolContext:
    """A pool, and what its growth depends on.

    Parameters
    ----------
    account, pool, other_pools
        Documents of Azure Resource Manager: the Batch account's, the pool's, and those of the account's other pools.
    image
        The image version of its nodes.
    size
        Its VM size, as Batch lists it; only the name where Batch does not list it any more.
    rates
        The price of a node.
    headroom
        What the quotas leave to it.
    """

    account: Json
    pool: Json
    other_pools: tuple[Json, ...]
    image: ImageVersion
    size: Json
    rates: Rates
    headroom: QuotaHeadroom

    @property
    def region(self) -> str:
        """The account's region, as a key."""
        return region_key(str(self.account["location"]))

    @property
    def start_key(self) -> str | None:
        """What decides whether nodes start."""
        return start_key(self.pool, self.image)

    def forecast_inputs(self, usd_per_hour_limit: float | None, now: float, *, first_node: bool) -> ForecastInputs:
        """Return what a forecast is computed from."""
        formula = machine_settings.formula(self.pool) or ""
        return ForecastInputs(
            vm_size=str(self.size["name"]),
            headroom=self.headroom,
            rates=self.rates,
            memory_gib=vm_sizes.memory_gib(self.size),
            replicas=self.image_summary().replicas,
            usd_per_hour_limit=usd_per_hour_limit,
            expires=expiry.expires_of(self.pool),
            expiry_enforced=not expiry.is_unenforced(self.pool, now),
            first_node=first_node,
            # A resize changes the number in the formula of an expiry.
            autoscale=bool(formula) and not expiry.is_expiry_formula(formula),
        )

    def image_summary(self) -> ImageSummary:
        """Return the image in short."""
        machine = dig(self.pool, "properties", "deploymentConfiguration", "virtualMachineConfiguration")
        reference = dig(machine, "imageReference") or {}
        image_id = reference.get("id")
        if not image_id:
            return ImageSummary(":".join(str(reference.get(key)) for key in ("publisher", "offer", "sku")))
        name = "/".join(part for _, part in ResourceId.parse(image_id).path[-2:])
        if self.image.id is None:
            return ImageSummary(name)
        if self.image.state is not ImageState.AVAILABLE or self.image.document is None:
            return ImageSummary(f"{name} ({self.image.state})", replicas=0)
        replicas = {
            region_key(str(one["name"])): int(one.get("regionalReplicaCount") or 1)
            for one in dig(self.image.document, "properties", "publishingProfile", "targetRegions") or []
        }
        published = image_versions.published_at(self.image.document)
        return ImageSummary(name, published, replicas.get(self.region, 0))


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """The image of a pool's nodes, in short.

    Parameters
    ----------
    name
        Its short name.
    published
        When the version was published; None: not known.
    replicas
        Replicas in the account's region; None: not known.
    agent_ends
        The last day on which Batch supports the pool's node agent; None: no end is announced, or it was not read.
    """

    name: str
    published: dt.datetime | None = None
    replicas: int | None = None
    agent_ends: dt.date | None = None


def start_key(pool: Json, image: ImageVersion) -> str | None:
    """Return what decides whether nodes start: the image, and the start task if there is one; None: it is not known."""
    task = dig(pool, "properties", "startTask")
    name = image.key or (pools.image_of(pool) or "").lower() or None
    return f"{name} start task {tags.digest(task)}" if name and task else image.key


def have_same_start(one: Json, other: Json) -> bool:
    """Return whether the nodes of two pools have the same image and start task."""
    images = [(pools.image_of(pool) or "").lower() for pool in (one, other)]
    tasks = [dig(pool, "properties", "startTask") for pool in (one, other)]
    return bool(images[0]) and images[0] == images[1] and tasks[0] == tasks[1]


async def read_context(azure: Azure, name: str, planned: Mapping[str, Counts] | None = None) -> PoolContext:
    """Read a pool's context.

    Parameters
    ----------
    azure, name
        The connection and the pool's name.
    planned
        Other pools, as Azure spells them, and the counts that they will be resized to before this one.

    Raises
    ------
    NotFoundError
        There is no such pool; the hint suggests a similar name.
    """
    # Quotas can change during a session: the account is read again.
    account, listed = await concurrency.gather(resources.read(azure, azure.scope.account_id), pools.read_all(azure))
    if planned:
        listed = [with_targets(one, planned[one["name"]]) if one["name"] in planned else one for one in listed]
    pool = next((one for one in listed if str(one["name"]).lower() == name.lower()), None)
    if pool is None:
        raise pools.not_found_error(azure, name, listed)
    image, rates, sizes, usages = await concurrency.gather(
        image_versions.read_image_version(azure, pools.image_of(pool)),
        prices.read_pool_rates(azure, pool),
        vm_sizes.read_sizes(azure),
        quotas.read_usages_if_allowed(azure, account),
    )
    spending.note_pool(azure, pool, rates)
    vm_size = canonical_size(str(pool["properties"]["vmSize"]))
    size: Json = next((one for one in sizes if str(one["name"]).lower() == vm_size.lower()), {"name": vm_size})
    headroom = quotas.usage_of(account, listed, sizes, usages, but_for=name).headroom(size)
    others = tuple(one for one in listed if one is not pool)
    return PoolContext(account, pool, others, image, size, rates, headroom)


async def read_rates(azure: Azure, name: str) -> Rates | None:
    """Return the price of a node of a pool; None where it cannot be read."""
    try:
        pool = await pools.read(azure, name)
        return None if pool is None else await prices.read_pool_rates(azure, pool)
    except ServiceError:
        return None  # the cost of a row is not worth an error


async def read_forecast_inputs(azure: Azure, name: str) -> tuple[ForecastInputs, ImageSummary]:
    """Read a pool's context, and return what a forecast is computed from, and the pool's image.

    Raises
    ------
    NotFoundError
        There is no such pool; the hint suggests a similar name.
    """
    found = await read_context(azure, name)
    first_node, others_usd, agent_ends = await concurrency.gather(
        is_first_node_wanted(azure, found.pool, found.image, found.other_pools),
        _read_others_usd_per_hour(azure, found.other_pools),
        _read_end_of_agent(azure, found.pool),
    )
    inputs = found.forecast_inputs(azure.spending_limit.usd_per_hour, azure.now(), first_node=first_node)
    return replace(inputs, others_usd_per_hour=others_usd), replace(found.image_summary(), agent_ends=agent_ends)


async def _read_others_usd_per_hour(azure: Azure, others: Iterable[Json]) -> float | None:
    """Return the cost of the account's other pools, which the spending limit counts; None: no limit, or no price."""
    if azure.spending_limit.usd_per_hour is None:
        return None
    costs = []
    for pool in others:
        counts = allocated_counts(pool)
        if (planned := azure.spending_limit.planned.get(str(pool["name"]).lower())) is not None:
            counts = counts.maximum(planned)
        if counts.total:
            rates = await prices.read_pool_rates(azure, pool)
            costs.append(rates.cost(counts.dedicated, counts.spot))
    return prices.sum_or_none(costs)


async def _read_end_of_agent(azure: Azure, pool: Json) -> dt.date | None:
    """Return the last day on which Batch supports a pool's node agent; None: no end is announced, or not readable."""
    try:
        images = await node_agents.read_supported_images(azure)
    except ServiceError:
        return None
    return node_agents.end_of_agent(images, pools.agent_of(pool))


async def is_first_node_wanted(azure: Azure, pool: Json, image: ImageVersion, others: Iterable[Json]) -> bool:
    """Return whether one node is to be started first, because no node with this image and start task ever started.

    They are known to work if the local history file has a ready node of them, or if another pool of the account has
    ready nodes of them.

    Parameters
    ----------
    azure, pool, image
        The connection, the pool's document in Azure Resource Manager, and its image.
    others
        The documents of the account's other pools.
    """
    key = start_key(pool, image)
    if key is None:  # a Marketplace image, or one that cannot be read
        return False
    if azure.ledger.is_working_image(key):
        return False
    for other in others:
        if have_same_start(pool, other) and current_counts(other).total:
            census = await nodes.count_nodes(azure, str(other["name"]))
            if census.ready:
                azure.ledger.add_working_image(key, azure.now())
                return False
    return True


async def read_usd_since_allocation(azure: Azure, name: str, rates: Rates) -> float | None:
    """Return the cost of a pool's present nodes, each since its allocation; None where a price is not known.

    Raises
    ------
    NotFoundError
        There is no such pool.
    """
    seconds: dict[bool, list[float]] = {True: [], False: []}
    async for page in node_pages.read_pages(azure, name, node_pages.NodeAllocation):
        for node in page:
            if node.allocation_time is not None and node.state not in nodes.LEAVING:
                seconds[node.is_dedicated].append(max(0.0, azure.now() - node.allocation_time.timestamp()))
    kinds = ((sum(took), rates.node_usd_per_hour(dedicated=dedicated)) for dedicated, took in seconds.items() if took)
    of_nodes = prices.sum_or_none(prices.usd_for(rate, took_s) for took_s, rate in kinds)
    # Load balancers and addresses are there as long as the first of their nodes.
    network = 0.0
    for took in seconds.values():
        if took and rates.network is not None:
            network += prices.usd_for(rates.network.cost(len(took), 0), max(took)) or 0.0
    return None if of_nodes is None else of_nodes + network
