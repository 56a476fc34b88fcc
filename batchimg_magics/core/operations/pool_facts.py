"""Everything that is known of one pool, read concurrently. What cannot be read is noted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.partial_reads import PartialReader
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.durations import format_time
from batchimg_magics.core.batch import node_agents, nodes, pool_jobs, pools, quotas, vm_sizes
from batchimg_magics.core.estimates import prices, spending
from batchimg_magics.core.images import health
from batchimg_magics.core.scaling import context, rounds
from batchimg_magics.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.nodes import Census
    from batchimg_magics.core.batch.pool_jobs import PoolJobs
    from batchimg_magics.core.batch.pools import PoolState
    from batchimg_magics.core.batch.quotas import QuotaHeadroom
    from batchimg_magics.core.compute.image_versions import ImageState
    from batchimg_magics.core.estimates.prices import Rates
    from batchimg_magics.core.estimates.spending import PoolCost

__all__ = ["PoolFacts", "read_facts", "read_state_and_cost"]


@dataclass(slots=True)
class PoolFacts:
    """What is known of a pool; None where it could not be read, which `unread` tells.

    Parameters
    ----------
    pool
        Its document in Azure Resource Manager.
    state
        Its state on the data plane.
    census
        Its nodes by state and kind.
    rates
        The prices of its nodes, disks and network.
    usd_since_allocation
        The cost of its present nodes, each since its allocation.
    cost
        What it has cost, as far as this tool saw it.
    size
        The document of its VM size.
    image, image_state
        The document of its image, and whether nodes can be made from it.
    supported_images
        Batch's list of Marketplace images with their node agents.
    headroom
        The quotas that its nodes count against, without their own cores.
    jobs
        Its active jobs.
    last_attempt
        Its last resize attempt by this tool; None where there is none.
    unread
        What could not be read, each with the status and the code of the error.
    now
        When it was read, in seconds since 1970.
    """

    pool: Json
    now: float
    state: PoolState | None = None
    census: Census | None = None
    rates: Rates | None = None
    usd_since_allocation: float | None = None
    cost: PoolCost | None = None
    size: Json | None = None
    image: Json | None = None
    image_state: ImageState | None = None
    supported_images: list[Json] = field(default_factory=list)
    headroom: QuotaHeadroom | None = None
    jobs: PoolJobs | None = None
    last_attempt: Mapping[str, Any] | None = None
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def usd_so_far(self) -> float | None:
        """What the pool has cost at least: as this tool saw it, or its present nodes since their allocation."""
        seen = self.cost.usd if self.cost is not None else None
        known = [one for one in (seen, self.usd_since_allocation) if one is not None]
        return max(known, default=None)


async def read_facts(azure: Azure, name: str) -> PoolFacts:
    """Read everything about a pool.

    Raises
    ------
    NotFoundError
        There is no such pool. The hint has what it cost, where it was deleted.
    """
    try:
        pool = await pools.require(azure, name)
    except NotFoundError as error:
        raise _with_past_cost(azure, name, error) from None
    facts, reader = PoolFacts(pool, azure.now()), PartialReader(azure)
    await concurrency.gather(
        _read_states(azure, facts, reader),
        _read_money(azure, facts, reader),
        _read_image(azure, facts, reader),
        _read_limits(azure, facts, reader),
    )
    attempts = rounds.last_rounds(azure, str(pool["name"]), 1).rows()
    facts.last_attempt = attempts[0] if attempts else None
    facts.unread, facts.now = reader.unread, azure.now()
    return facts


async def read_state_and_cost(azure: Azure, name: str) -> PoolFacts:
    """Read the state, the nodes and the cost of a pool: fewer requests than `read_facts`.

    Raises
    ------
    NotFoundError
        There is no such pool.
    """
    facts, reader = PoolFacts(await pools.require(azure, name), azure.now()), PartialReader(azure)
    await concurrency.gather(_read_states(azure, facts, reader), _read_money(azure, facts, reader))
    facts.unread, facts.now = reader.unread, azure.now()
    return facts


async def _read_states(azure: Azure, facts: PoolFacts, reader: PartialReader) -> None:
    name = str(facts.pool["name"])
    facts.state = await reader.read("state on the data plane", pools.read_state(azure, name), None)
    facts.census = await reader.read("nodes", nodes.count_nodes(azure, name), None)
    facts.jobs = await reader.read("jobs", pool_jobs.read_jobs(azure, name), None)


async def _read_money(azure: Azure, facts: PoolFacts, reader: PartialReader) -> None:
    facts.rates = await reader.read("prices", prices.read_pool_rates(azure, facts.pool), None)
    if facts.rates is None:
        return
    spending.note_pool(azure, facts.pool, facts.rates)
    facts.cost = spending.cost_of(azure, facts.pool)
    reading = context.read_usd_since_allocation(azure, str(facts.pool["name"]), facts.rates)
    facts.usd_since_allocation = await reader.read("allocation times of nodes", reading, None)


async def _read_image(azure: Azure, facts: PoolFacts, reader: PartialReader) -> None:
    if (image := pools.image_of(facts.pool)) is not None:
        states = await reader.read("state of the image", health.read_image_states(azure, [facts.pool]), {})
        facts.image_state = states.get(image.lower())
        facts.image = await reader.read("image", health.read_resource(azure, image), None)
    facts.supported_images = await reader.read("supported images", node_agents.read_supported_images(azure), [])


async def _read_limits(azure: Azure, facts: PoolFacts, reader: PartialReader) -> None:
    wanted = str(facts.pool["properties"]["vmSize"])
    sizes: list[Json] = await reader.read("VM sizes", vm_sizes.read_sizes(azure), [])
    facts.size = next((one for one in sizes if str(one["name"]).lower() == wanted.lower()), None)
    usage = await reader.read("quotas", quotas.read_usage(azure, but_for=str(facts.pool["name"])), None)
    if usage is not None and facts.size is not None:
        facts.headroom = usage.headroom(facts.size)


def _with_past_cost(azure: Azure, name: str, error: NotFoundError) -> NotFoundError:
    """Return the error for a pool that does not exist, with what a deleted pool of the name has cost."""
    past = [one for one in spending.costs_of(azure, name, exists=False) if one.usd is not None]
    if not past:
        return error
    last = past[-1]
    what = "it was deleted" if last.deleted else "it was last seen"
    cost = f"{what} on {format_time(last.until)} and cost about ${last.usd:,.2f}"
    hint = f"{cost}; `%batchimg history {name}` lists its resize attempts"
    return NotFoundError(error.message, hint=hint, status_code=error.status_code, code=error.code)
