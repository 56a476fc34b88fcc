"""What a scenario does to the nodes that pools are given.

The world's setting ``scenario`` names one; its setting ``allocation`` may set single numbers of it anew, by their
names here. Both are read when a resize begins: what a cohort got stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from batchimg_magics.emulator.batch.fleet.node_times import ALLOCATION_TIMES
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store


@dataclass(frozen=True, slots=True)
class NodeEffects:
    """What goes other than well.

    Parameters
    ----------
    slowed, slowed_above
        By what factor nodes come later, in pools that are to have more nodes than this.
    unusable, recovering
        Share of nodes whose system never reports, and the share of those that recover after a while.
    specialized
        Whether the systems of custom images are taken for ones that were never deprovisioned.
    preempted_per_h
        How often Azure takes a spot node back.
    start_tasks_fail
        Whether start tasks fail whatever they do.
    image_gone
        Whether custom images are gone once a pool has had its first nodes.
    """

    slowed: float = 1.0
    slowed_above: int = 0
    unusable: float = 0.0
    recovering: float = 0.0
    specialized: bool = False
    preempted_per_h: float = 0.0
    start_tasks_fail: bool = False
    image_gone: bool = False


evidence = Evidence("Scenarios: nodes")
_SLOW_WAVE_S = evidence.assumed(
    330.0,
    "s",
    "from one wave of a gallery image's nodes to the next in the scenario `slow-large`",
    "1,000 nodes then time out twice, given the 20 minutes that custom images want",
)
_SLOW_ABOVE = evidence.assumed(
    300,
    "nodes",
    "above which pools are slow in the scenario `slow-large`",
    "Microsoft tells to expect several resizes above that many",
)
_PREEMPTED_PER_H = evidence.assumed(
    1.0,
    "an hour",
    "that each spot node is taken away in the scenario `preemption`, on average",
    "often enough to be seen; Azure tells ranges by size and region, and promises nothing",
)
evidence.rule(
    "Outside of scenarios no spot node is ever taken away, and only its image makes a node unusable.",
    "Azure has rates of both that nobody publishes",
)
#: The scenarios that have to do with allocation.
SCENARIOS = {
    "slow-large": NodeEffects(slowed=_SLOW_WAVE_S / ALLOCATION_TIMES.wave_s["gallery"], slowed_above=_SLOW_ABOVE),
    "preemption": NodeEffects(preempted_per_h=_PREEMPTED_PER_H),
    "bad-start-task": NodeEffects(start_tasks_fail=True),
    "not-deprovisioned": NodeEffects(specialized=True),
    "image-deleted": NodeEffects(image_gone=True),
}


def node_effects(store: Store) -> NodeEffects:
    """Return what the world's scenario does to nodes that are asked for now."""
    named = SCENARIOS.get(str(store.meta("scenario")), NodeEffects())
    known = {field.name for field in fields(NodeEffects)}
    changes = {name: value for name, value in (store.meta("allocation") or {}).items() if name in known}
    return replace(named, **changes) if changes else named
