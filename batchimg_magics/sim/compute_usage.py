"""Cores in use of what Compute lets a subscription have in a region.

By its VMs, and by the nodes of Batch accounts that allocate pools in it: those are its VMs too.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from batchimg_magics.sim import batch_accounts, fleet, pools
from batchimg_magics.sim.arm import region, shown
from batchimg_magics.sim.fleet import KINDS
from batchimg_magics.sim.sizes import find_size
from batchimg_magics.sim.vm_view import power

if TYPE_CHECKING:
    from batchimg_magics.sim.allocation import Kind
    from batchimg_magics.sim.pools import Pool
    from batchimg_magics.sim.world import Item, World

#: (Kind of node or VM, VM family) to cores.
Cores: TypeAlias = "Counter[tuple[Kind, str]]"
VMS = "Microsoft.Compute/virtualMachines"
_ACCOUNTS = "Microsoft.Batch/batchAccounts"


def in_region(world: World, now: float, subscription: str, place: str, *, but_for: str = "") -> Cores:
    """Return the cores that a subscription uses in a region; deallocated VMs use nothing.

    Parameters
    ----------
    world, now, subscription, place
        Whose, when and where.
    but_for
        Key of a Batch account whose pools do not count.
    """
    under = f"/subscriptions/{subscription}"
    total: Cores = Counter()
    for vm in world.items(VMS, under):
        if shown(vm, now) is not None and region(vm.doc["location"]) == place and power(vm, now) != "deallocated":
            total += _of_vm(vm)
    for account in world.items(_ACCOUNTS, under):
        here = region(account.doc["location"]) == place and account.key != but_for
        if here and lives_in_subscription(world, account):
            for pool in pools.of_account(world, now, account):
                total += of_pool(pool, now)
    return total


def lives_in_subscription(world: World, account: Item) -> bool:
    """Tell whether the nodes of an account are VMs of its own subscription."""
    return bool(batch_accounts.properties(world, account).get("poolAllocationMode") == "UserSubscription")


def of_pool(pool: Pool, now: float) -> Cores:
    """Return the cores of a pool's nodes, with those that are still to come."""
    size = find_size(pool.doc["vmSize"])
    if size is None:
        return Counter()
    return Counter({(kind, size.family): fleet.held(pool.state.fleet, now, kind) * size.vcpus for kind in KINDS})


def _of_vm(vm: Item) -> Cores:
    properties = vm.doc["properties"]
    size = find_size(str(properties.get("hardwareProfile", {}).get("vmSize", "")))
    kind: Kind = "spot" if properties.get("priority") in ("Spot", "Low") else "dedicated"
    return Counter() if size is None else Counter({(kind, size.family): size.vcpus})
