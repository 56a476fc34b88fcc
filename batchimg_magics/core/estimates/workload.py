"""How many nodes: the arithmetic between tasks, nodes, time, cores and money. Pure functions, no request.

The model is plain on purpose, and errs towards more time: tasks begin when the last node is ready, run in waves of as
many as there are slots, and every node is paid for from the request to the last wave's end.

    start(n)    = ALLOCATION_S_PER_NODE * n + READY_S            seconds until n nodes are ready
    waves(n)    = ceil(tasks / (slots * n))
    makespan(n) = start(n) + waves(n) * task_s
    cost(n)     = n * rate * makespan(n)

Spot nodes are taken away now and then, and a task that was running begins anew. With an eviction rate of r an hour, a
task of t hours takes (exp(r * t) - 1) / r hours on average until it comes through (the mean of a job that restarts from
its beginning under exponential failures), and a node is missing for READY_S after each eviction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Source: gallery documents, FACTS 1.6: "at least 15 min per 1,000 nodes".
ALLOCATION_S_PER_NODE = 0.9
#: From a node's allocation until it is idle. Source: recordings, FACTS 6, the median.
READY_S = 240.0
#: **Assumed**: the eviction rate of spot nodes, an hour. Azure publishes rates by size and region in buckets of five
#: percent (0-5, 5-10, ... 20+), and none by API; this is the upper end of the second.
EVICTIONS_PER_HOUR = 0.10
#: A single resize brings about so many nodes of a custom image. Source: FACTS 1.6, "above 300 nodes expect several".
NODES_PER_ROUND = 300
#: More nodes than any pool has.
MAX_NODES = 100_000


@dataclass(frozen=True, slots=True)
class Workload:
    """What there is to do.

    Parameters
    ----------
    tasks
        How many tasks.
    task_s
        How long one takes, in seconds.
    slots
        How many run on a node at once.
    evictions_per_hour
        How often a node is taken away; 0 for dedicated nodes.
    """

    tasks: int
    task_s: float
    slots: int
    evictions_per_hour: float = 0.0

    @property
    def effective_task_s(self) -> float:
        """How long a task takes with what evictions cost it, on average."""
        if not self.evictions_per_hour:
            return self.task_s
        hours = self.task_s / 3600
        rate = self.evictions_per_hour
        # A task that is evicted more often than it ever ends has no mean worth naming: it never comes through.
        if rate * hours > math.log(MAX_NODES):
            return math.inf
        return 3600 * math.expm1(rate * hours) / rate * (1 + rate * READY_S / 3600)

    @property
    def most_useful_nodes(self) -> int:
        """Nodes beyond which some would have nothing to do."""
        return min(MAX_NODES, math.ceil(self.tasks / self.slots))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What so many nodes would do.

    Parameters
    ----------
    nodes
        How many.
    start_s
        Until they are ready.
    makespan_s
        From the request until the last task's end.
    usd
        What that costs; None where no price is known.
    """

    nodes: int
    start_s: float
    makespan_s: float
    usd: float | None


def start_s(nodes: int) -> float:
    """Return the seconds until so many nodes are ready."""
    return ALLOCATION_S_PER_NODE * nodes + READY_S if nodes else 0.0


def expected_rounds(nodes: int) -> int:
    """Return how many resizes it probably takes to bring so many nodes of a custom image."""
    return math.ceil(nodes / NODES_PER_ROUND)


def estimate(workload: Workload, nodes: int, usd_per_hour: float | None) -> Estimate:
    """Return what so many nodes at that rate would do with the load."""
    waves = math.ceil(workload.tasks / (workload.slots * nodes))
    whole = start_s(nodes) + waves * workload.effective_task_s
    return Estimate(nodes, start_s(nodes), whole, None if usd_per_hour is None else nodes * usd_per_hour * whole / 3600)


def _candidate_counts(workload: Workload) -> Iterator[int]:
    """Yield the counts at which another wave is saved, from few nodes to many: all others only cost more."""
    nodes, most = 1, workload.most_useful_nodes
    while nodes <= most:
        waves = math.ceil(workload.tasks / (workload.slots * nodes))
        # The fewest nodes that do it in so many waves, and then the fewest that do it in one less.
        yield math.ceil(workload.tasks / (workload.slots * waves))
        if waves == 1:
            return
        nodes = math.ceil(workload.tasks / (workload.slots * (waves - 1)))


def nodes_for_deadline(workload: Workload, deadline_s: float, usd_per_hour: float | None) -> Estimate | None:
    """Return the fewest nodes that are done by then; None where no number is."""
    found = (estimate(workload, nodes, usd_per_hour) for nodes in _candidate_counts(workload))
    return next((one for one in found if one.makespan_s <= deadline_s), None)


def nodes_for_budget(
    workload: Workload, usd: float, usd_per_hour: float, *, deadline_s: float = math.inf, most: int = MAX_NODES
) -> Estimate | None:
    """Return the number of nodes that is done first and costs no more; None where none does.

    Parameters
    ----------
    load, usd_per_hour
        What there is to do, and what a node costs.
    usd
        What may be spent.
    deadline_s
        When it has to be done.
    most
        More nodes than these cannot be had.
    """
    found = (estimate(workload, nodes, usd_per_hour) for nodes in _candidate_counts(workload) if nodes <= most)
    fitting = [one for one in found if one.usd is not None and one.usd <= usd and one.makespan_s <= deadline_s]
    return min(fitting, key=lambda one: (one.makespan_s, one.nodes), default=None)
