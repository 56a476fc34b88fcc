"""What a pool's growth depends on: its image, the account's quotas, other pools, prices. Read before it is paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core import versions
from batchimg_magics.core.azure.documents import document
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import promised
from batchimg_magics.core.batch import pools, quotas, vm_sizes
from batchimg_magics.core.estimates import prices
from batchimg_magics.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.batch.quotas import Room
    from batchimg_magics.core.estimates.prices import Rates
    from batchimg_magics.core.versions import Version


@dataclass(frozen=True, slots=True)
class Surroundings:
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
    others: tuple[Json, ...]
    image: Version
    rates: Rates
    room: Room


async def look(azure: Azure, name: str, promises: Mapping[str, Counts] | None = None) -> Surroundings:
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
    account, listed = await concurrency.together(
        azure.ask(azure.management.batch_account.get(scope.resource_group, scope.account)), pools.listed(azure)
    )
    if promises:
        listed = [promised(one, promises[one["name"]]) if one["name"] in promises else one for one in listed]
    pool = next((one for one in listed if str(one["name"]).lower() == name.lower()), None)
    if pool is None:
        raise NotFoundError(f"there is no pool {name!r}", status_code=404, code="PoolNotFound")
    others = tuple(one for one in listed if one is not pool)
    image = await versions.read(azure, pools.image_of(pool))
    rates, sizes = await concurrency.together(prices.of_pool(azure, pool), vm_sizes.sizes(azure))
    size: Json = next((one for one in sizes if one["name"].lower() == pool["properties"]["vmSize"].lower()), {})
    usages = await quotas.known_usages(azure, document(account))
    standing = quotas.standing_of(document(account), listed, sizes, usages, but_for=name)
    return Surroundings(pool, others, image, rates, standing.room(size))
