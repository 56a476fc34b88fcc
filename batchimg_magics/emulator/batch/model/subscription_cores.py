"""Nodes that count towards the core quotas of a subscription: they are VMs of it.

These are the nodes of Batch accounts that allocate pools in the subscription.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from batchimg_magics.emulator.batch.fleet import nodes
from batchimg_magics.emulator.batch.fleet.nodes import KINDS
from batchimg_magics.emulator.batch.model import accounts, pools
from batchimg_magics.emulator.catalog.regions import region_name
from batchimg_magics.emulator.catalog.vm_sizes import find_size
from batchimg_magics.emulator.compute.model import core_quotas

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.compute.model.core_quotas import Cores
    from batchimg_magics.emulator.world.store import Item, Store

_ACCOUNTS = "Microsoft.Batch/batchAccounts"


def _pools_in_region(store: Store, now: float, subscription: str, region: str, excluding: str) -> Cores:
    """Return the cores of the pools whose nodes are VMs of a subscription in a region."""
    total: Cores = Counter()
    for account in store.items(_ACCOUNTS, f"/subscriptions/{subscription}"):
        in_this_region = region_name(account.doc["location"]) == region and account.key != excluding
        if in_this_region and allocates_in_subscription(store, account):
            for pool in pools.account_pools(store, now, account):
                total += pool_cores(pool, now)
    return total


core_quotas.count_with(_pools_in_region)


def allocates_in_subscription(store: Store, account: Item) -> bool:
    """Tell whether the nodes of an account are VMs of its own subscription."""
    return bool(accounts.current_properties(store, account).get("poolAllocationMode") == "UserSubscription")


def pool_cores(pool: Pool, now: float) -> Cores:
    """Return the cores of a pool's nodes, including nodes that are not allocated yet."""
    size = find_size(pool.doc["vmSize"])
    if size is None:
        return Counter()
    return Counter(
        {
            (kind, size.family): nodes.current_and_pending_nodes(pool.state.fleet, now, kind) * size.vcpus
            for kind in KINDS
        }
    )
