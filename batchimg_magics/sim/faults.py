"""What goes wrong on purpose: named scenarios that a world is in. What each does to nodes is in `pool_scenarios`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.sim.world import World

#: The scenarios by name, and what goes wrong in each.
SCENARIOS = {
    "calm": "nothing goes wrong",
    "slow-large": "nodes of large pools come so late that a resize to 1,000 times out twice",
    "image-deleted": "the image of a pool is gone by the time of its next allocation",
    "preemption": "spot nodes are taken away, and come back",
    "bad-start-task": "every start task fails",
    "no-replica": "the copy of a gallery image version into the region of a Batch account fails",
    "stuck-replication": "the copy of a gallery image version into its last region never ends",
    "not-deprovisioned": "VMs look prepared, and their systems were never deprovisioned",
}


def set_scenario(world: World, name: str) -> None:
    """Put the world into a scenario.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    if name not in SCENARIOS:
        raise ValueError(f"no scenario is called {name!r}; there are {', '.join(SCENARIOS)}")
    world.set_meta("scenario", name)


def active(world: World, name: str) -> bool:
    """Tell whether the world is in the scenario of that name."""
    return bool(world.meta("scenario") == name)
