"""What goes wrong on purpose: named scenarios that a world is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.sim.world import World

#: The scenarios by name, and what goes wrong in each.
SCENARIOS = {
    "calm": "nothing goes wrong",
    "slow-large": "a resize by 1,000 nodes or more times out twice before it gets there",
    "quota": "the account's core quotas are small",
    "image-deleted": "the image of a pool is gone by the time of its next allocation",
    "flaky": "answers of 429, 500 and 503, dropped connections, and answers lost after the work was done",
    "preemption": "spot nodes are taken away, and come back",
    "bad-start-task": "every start task fails",
    "no-replica": "a gallery image version has no usable replica in the account's region",
    "stuck-replication": "replication of a gallery image version never ends in one region",
    "not-deprovisioned": "the furnished VMs look prepared, and their systems were never deprovisioned",
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
    return bool((world.meta("scenario") or "calm") == name)
