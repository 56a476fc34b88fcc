"""The effects of the current scenario on the nodes of pools, and the change of the scenario.

The scenario is one of `http.scenarios.SCENARIOS`. The setting ``allocation`` of the emulator state overrides single
effects, by the names of the fields of `NodeEffects`. Both are read when a resize begins; nodes that were allocated
before keep their effects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.batch.fleet.nodes import Problem
from batchimg_magics.emulator.batch.model import accounts, pool_images, pools
from batchimg_magics.emulator.compute.model import replication
from batchimg_magics.emulator.http import scenarios

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.world.store import Store


class NodeEffects(msgspec.Struct, frozen=True):
    """How nodes fail.

    Parameters
    ----------
    slowed, slowed_above
        The factor by which allocation is slower, in pools with more target nodes than this.
    unusable, recovering
        Share of nodes that become unusable, and the share of those that recover later.
    specialized
        Whether the operating systems of custom images are treated as not generalized.
    preempted_per_h
        Preemptions of each spot node in an hour, on average.
    start_tasks_fail
        Whether every start task fails.
    image_gone
        Whether custom images are withdrawn once a pool has had nodes.
    autoscale_sticks
        Whether Batch stops to evaluate the formula of a pool after a resize that ended with errors.
    """

    slowed: float = 1.0
    slowed_above: int = 0
    unusable: float = 0.0
    recovering: float = 0.0
    specialized: bool = False
    preempted_per_h: float = 0.0
    start_tasks_fail: bool = False
    image_gone: bool = False
    autoscale_sticks: bool = False


def allocation_errors(store: Store) -> tuple[Problem, ...]:
    """Return the errors with which every allocation ends, as the control API has set them."""
    listed = (store.meta("allocation") or {}).get("errors") or []
    return tuple(
        Problem(one["code"], one["message"], tuple((value["name"], value["value"]) for value in one.get("values", [])))
        for one in listed
    )


def set_scenario(store: Store, now: float, name: str) -> None:
    """Set the current scenario, and end the former one: its images are there again, its replications complete.

    Raises
    ------
    ValueError
        There is no scenario of that name.
    """
    scenarios.set_scenario(store, name)
    apply_to_images(store, now)
    if scenarios.current(store).replication != "last-region-never-ends":
        replication.end_stuck_replications(store, now)


def apply_to_images(store: Store, now: float) -> None:
    """Withdraw the images of the pools that have had nodes, or restore the withdrawn ones, as is asked for now."""
    if not node_effects(store).image_gone:
        pool_images.restore_images(store)
        return
    for account in store.items(accounts.KIND):
        for pool in pools.account_pools(store, now, account):
            withdraw_image(store, pool, now)


def withdraw_image(store: Store, pool: Pool, at: float) -> None:
    """Let the image of a pool be gone from a time on, if that is asked for and the pool has had nodes."""
    if pool.state.fleet.ever and node_effects(store).image_gone:
        pool_images.withdraw_image(store, pool, at)


def node_effects(store: Store) -> NodeEffects:
    """Return the effects on nodes that are asked for now."""
    known = {field.name for field in msgspec.structs.fields(NodeEffects)}
    changes: dict[str, Any] = {**scenarios.current(store).allocation, **(store.meta("allocation") or {})}
    return NodeEffects(**{name: value for name, value in changes.items() if name in known})
