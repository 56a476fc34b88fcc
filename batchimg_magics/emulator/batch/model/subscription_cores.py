"""Usage of a subscription's core quotas in a region.

VMs count, and nodes of Batch accounts that allocate pools in the subscription, because those are VMs of it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from batchimg_magics.emulator.arm.resources import document_at
from batchimg_magics.emulator.batch.fleet import nodes
from batchimg_magics.emulator.batch.fleet.nodes import KINDS
from batchimg_magics.emulator.batch.model import accounts, pools
from batchimg_magics.emulator.catalog.regions import region_name
from batchimg_magics.emulator.catalog.vm_sizes import find_size
from batchimg_magics.emulator.compute.model.vm_view import power_state

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.fleet.allocation import NodeKind
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.world.store import Item, Store

#: (Kind of node or VM, VM family) -> cores.
Cores: TypeAlias = "Counter[tuple[NodeKind, str]]"
VMS = "Microsoft.Compute/virtualMachines"
_ACCOUNTS = "Microsoft.Batch/batchAccounts"


def cores_in_region(store: Store, now: float, subscription: str, region: str, *, excluding: str = "") -> Cores:
    """Return the cores that a subscription uses in a region; deallocated VMs use none.

    Parameters
    ----------
    store, now, subscription, region
        The emulator state, the simulated time, the subscription and the region.
    excluding
        Key of a Batch account whose pools do not count.
    """
    under = f"/subscriptions/{subscription}"
    total: Cores = Counter()
    for vm in store.items(VMS, under):
        if (
            document_at(vm, now) is not None
            and region_name(vm.doc["location"]) == region
            and power_state(vm, now) != "deallocated"
        ):
            total += _vm_cores(vm)
    for account in store.items(_ACCOUNTS, under):
        in_this_region = region_name(account.doc["location"]) == region and account.key != excluding
        if in_this_region and allocates_in_subscription(store, account):
            for pool in pools.account_pools(store, now, account):
                total += pool_cores(pool, now)
    return total


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


def _vm_cores(vm: Item) -> Cores:
    properties = vm.doc["properties"]
    size = find_size(str(properties.get("hardwareProfile", {}).get("vmSize", "")))
    kind: NodeKind = "spot" if properties.get("priority") in ("Spot", "Low") else "dedicated"
    return Counter() if size is None else Counter({(kind, size.family): size.vcpus})
