"""What a pool's growth depends on: its image, the account's quotas, other pools, prices. Read before it is paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, document, region_key
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import with_targets
from batchimg_magics.core.batch import expiry, node_pages, nodes, pools, quotas, vm_sizes
from batchimg_magics.core.compute import image_versions
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.estimates.forecast import ForecastInputs
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.batch.quotas import QuotaHeadroom
    from batchimg_magics.core.compute.image_versions import ImageVersion
    from batchimg_magics.core.estimates.prices import Rates


@dataclass(frozen=True, slots=True)
class PoolContext:
    """What there is around a pool.

    Parameters
    ----------
    pool, others
        Documents of Azure Resource Manager: the pool's, and those of the account's other pools.
    image
        The image version that its nodes are made from.
    rates
        What a node of it costs.
    room
        What the quotas leave to it.
    """

    pool: Json
    other_pools: tuple[Json, ...]
    image: ImageVersion
    rates: Rates
    headroom: QuotaHeadroom


async def read_context(azure: Azure, name: str, promises: Mapping[str, Counts] | None = None) -> PoolContext:
    """Read what is around a pool, as it is now.

    Parameters
    ----------
    azure, name
        Which.
    promises
        Other pools, as Azure spells them, to what they will be resized to before this one.

    Raises
    ------
    NotFoundError
        There is no such pool.
    """
    scope = azure.scope
    # Quotas change while a session lives: the account is read anew.
    account, listed = await concurrency.gather(
        azure.call(azure.management.batch_account.get(scope.resource_group, scope.account)), pools.read_all(azure)
    )
    if promises:
        listed = [with_targets(one, promises[one["name"]]) if one["name"] in promises else one for one in listed]
    pool = next((one for one in listed if str(one["name"]).lower() == name.lower()), None)
    if pool is None:
        raise pools.not_found_error(azure, name, listed)
    others = tuple(one for one in listed if one is not pool)
    image = await image_versions.read_image_version(azure, pools.image_of(pool))
    rates, sizes = await concurrency.gather(prices.read_pool_rates(azure, pool), vm_sizes.read_sizes(azure))
    size: Json = next((one for one in sizes if one["name"].lower() == pool["properties"]["vmSize"].lower()), {})
    usages = await quotas.read_usages_if_allowed(azure, document(account))
    usage = quotas.usage_of(document(account), listed, sizes, usages, but_for=name)
    return PoolContext(pool, others, image, rates, usage.headroom(size))


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """The image that a pool's nodes are made from.

    Parameters
    ----------
    name
        In words, as short as tells it.
    published
        When the version was published; None: not told.
    replicas
        Replicas in the account's region; None: not told.
    """

    name: str
    published: dt.datetime | None = None
    replicas: int | None = None


async def read_usd_since_allocation(azure: Azure, name: str, rates: Rates) -> float | None:
    """Return what the nodes that a pool has now have cost since each was allocated; None where no price is known.

    Raises
    ------
    NotFoundError
        There is no such pool.
    """
    seconds = {True: 0.0, False: 0.0}
    async for page in node_pages.read_pages(azure, name, node_pages.NodeAllocation):
        for node in page:
            if node.allocation_time is not None and node.state not in nodes.LEAVING:
                seconds[node.is_dedicated] += max(0.0, azure.now() - node.allocation_time.timestamp())
    kinds = ((took, rates.node_usd_per_hour(dedicated=dedicated)) for dedicated, took in seconds.items() if took)
    return prices.sum_or_none(prices.usd_for(rate, took) for took, rate in kinds)


async def read_forecast_inputs(azure: Azure, name: str) -> tuple[ForecastInputs, ImageSummary]:
    """Read what a pool's size depends on.

    Raises
    ------
    NotFoundError
        There is no such pool; the hint names the nearest.
    """
    pool = await pools.require(azure, name)
    image, rates, usage, sizes = await concurrency.gather(
        _read_image_summary(azure, pool),
        prices.read_pool_rates(azure, pool),
        quotas.read_usage(azure, but_for=name),
        vm_sizes.read_sizes(azure),
    )
    wanted = str(pool["properties"]["vmSize"])
    # A size that Batch offers no longer still has its pools: nothing is known of its cores then.
    size = next((one for one in sizes if str(one["name"]).lower() == wanted.lower()), {"name": wanted})
    formula = str(dig(pool, "properties", "scaleSettings", "autoScale", "formula") or "")
    inputs = ForecastInputs(
        vm_size=str(size["name"]),
        headroom=usage.headroom(size),
        rates=rates,
        memory_gib=vm_sizes.memory_gib(size),
        replicas=image.replicas,
        usd_per_hour_limit=azure.spending_limit.usd_per_hour,
        expires=expiry.parse_tag_time(pools.tag_of(pool, tags.EXPIRES)),
        expiry_enforced=not expiry.is_unenforced(pool),
        # The formula of an expiry is no obstacle: a resize lifts and restores it.
        autoscale=bool(formula) and not expiry.is_expiry_formula(formula),
    )
    return inputs, image


async def _read_image_summary(azure: Azure, pool: Json) -> ImageSummary:
    reference = (
        dig(pool, "properties", "deploymentConfiguration", "virtualMachineConfiguration", "imageReference") or {}
    )
    image_id = reference.get("id")
    if not image_id:
        return ImageSummary(":".join(str(reference.get(key)) for key in ("publisher", "offer", "sku")))
    short = "/".join(name for _, name in ResourceId.parse(image_id).path[-2:])
    if "/versions/" not in image_id.lower():
        return ImageSummary(short)
    version = (await image_versions.read_image_version(azure, image_id)).document
    if version is None:
        return ImageSummary(f"{short} (gone, or not to be seen)", replicas=0)
    here = await azure.region()
    counts = {
        region_key(str(one["name"])): int(one.get("regionalReplicaCount") or 1)
        for one in dig(version, "properties", "publishingProfile", "targetRegions") or []
    }
    return ImageSummary(short, image_versions.published_at(version), counts.get(here, 0))
