"""The model of a workload: tasks, nodes, time and cost. Pure functions without requests.

The model is simple and tends to overestimate the time: tasks begin when the last node is ready, run in waves of as many
as there are slots, and every node is billed from the request to the end of the last wave.

    start(n)    = allocation(n) + boot(n)                        seconds until n nodes are ready
    waves(n)    = ceil(tasks / (slots * n))
    makespan(n) = start(n) + waves(n) * task_s
    cost(n)     = (n * rate + network(n)) * makespan(n)      load balancers and addresses are the pool's, not a node's

Azure can evict spot nodes, and a task on an evicted node starts again. With an eviction rate of r per hour, a task of t
hours takes (exp(r * t) - 1) / r hours on average (the mean of a job that restarts from its beginning under exponential
failures), and a node is missing for READY_S seconds after each eviction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds from a resize to its first nodes. Source: recordings, 36 to 96 s.
FIRST_NODES_S = 65.0
#: Source: gallery documents: "at least 15 min per 1,000 nodes".
ALLOCATION_S_PER_NODE = 0.9
#: Seconds from the allocation of a node of a gallery image until it is idle, by operating system: usually, and for the
#: slowest quarter of nodes, on which a pool waits. Source: recordings, 240 and 456 s for Linux, of all kinds of images;
#: Microsoft says that a gallery image takes up to 30 % less. Windows: 136 to 456 s.
BOOT_S = {"linux": (168.0, 319.0), "windows": (240.0, 456.0)}
#: Median seconds from a node's allocation until it is idle. Source: recordings.
READY_S = 240.0
#: **Assumed**: evictions of a spot node per hour. Azure publishes rates by size and region in steps of five percent
#: (0-5, 5-10, ... 20+), but not by API; this is the upper end of the second step.
EVICTIONS_PER_HOUR = 0.10
#: Nodes of a custom image that one resize attempt brings. Source: source document, "above 300 nodes expect several".
NODES_PER_ROUND = 300
#: More nodes than any pool has.
MAX_NODES = 100_000


@dataclass(frozen=True, slots=True)
class Workload:
    """The tasks to run.

    Parameters
    ----------
    tasks
        Number of tasks.
    task_s
        Duration of a task in seconds.
    slots
        Tasks that run on a node at the same time.
    evictions_per_hour
        Evictions of a node per hour; 0 for dedicated nodes.
    """

    tasks: int
    task_s: float
    slots: int
    evictions_per_hour: float = 0.0

    @property
    def effective_task_s(self) -> float:
        """The mean duration of a task in seconds, evictions included."""
        if not self.evictions_per_hour:
            return self.task_s
        hours = self.task_s / 3600
        rate = self.evictions_per_hour
        # A task that is nearly always evicted before its end never ends.
        if rate * hours > math.log(MAX_NODES):
            return math.inf
        return 3600 * math.expm1(rate * hours) / rate * (1 + rate * READY_S / 3600)

    @property
    def most_useful_nodes(self) -> int:
        """The number of nodes above which some have no task."""
        return min(MAX_NODES, math.ceil(self.tasks / self.slots))


@dataclass(frozen=True, slots=True)
class Estimate:
    """The time and cost of a workload on a number of nodes.

    Parameters
    ----------
    nodes
        Number of nodes.
    start_s
        Seconds until they are ready.
    makespan_s
        Seconds from the request to the end of the last task.
    usd
        Cost in US dollars; None where the price is not known.
    """

    nodes: int
    start_s: float
    makespan_s: float
    usd: float | None


def allocation_s(nodes: int) -> float:
    """Return the usual seconds from a resize until a number of nodes is allocated."""
    return FIRST_NODES_S + ALLOCATION_S_PER_NODE * (nodes - 1) if nodes else 0.0


def boot_s(nodes: int, os_type: str = "linux") -> float:
    """Return the usual seconds from the allocation of nodes until the last one is ready."""
    usual_s, slowest_s = BOOT_S.get(os_type.lower(), BOOT_S["linux"])
    return slowest_s - (slowest_s - usual_s) / nodes if nodes else 0.0


def start_s(nodes: int, os_type: str = "linux", *, first_node: bool = False) -> float:
    """Return the usual seconds until a number of nodes is ready; `first_node`: one of them is started first."""
    if first_node and nodes > 1:
        return start_s(1, os_type) + start_s(nodes - 1, os_type)
    return allocation_s(nodes) + boot_s(nodes, os_type)


def expected_rounds(nodes: int) -> int:
    """Return the expected number of resize attempts for a number of nodes of a custom image."""
    return math.ceil(nodes / NODES_PER_ROUND)


def no_network(_nodes: int) -> float:
    """Return 0 for any number of nodes: load balancers and addresses are not counted."""
    return 0.0


def estimate(
    workload: Workload, nodes: int, usd_per_hour: float | None, network: Callable[[int], float] = no_network
) -> Estimate:
    """Return time and cost of a workload on a number of nodes.

    Parameters
    ----------
    workload, nodes
        The tasks, and the number of nodes.
    usd_per_hour
        The cost of a node in US dollars per hour; None: not known.
    network
        Returns the cost of the pool's load balancers and addresses in US dollars per hour for a number of nodes.
    """
    waves = math.ceil(workload.tasks / (workload.slots * nodes))
    whole = start_s(nodes) + waves * workload.effective_task_s
    usd = None if usd_per_hour is None else (nodes * usd_per_hour + network(nodes)) * whole / 3600
    return Estimate(nodes, start_s(nodes), whole, usd)


def _candidate_counts(workload: Workload) -> Iterator[int]:
    """Yield the node counts that need one wave less than the count before; other counts only cost more."""
    nodes, most = 1, workload.most_useful_nodes
    while nodes <= most:
        waves = math.ceil(workload.tasks / (workload.slots * nodes))
        # The fewest nodes for this number of waves, then the fewest for one wave less.
        yield math.ceil(workload.tasks / (workload.slots * waves))
        if waves == 1:
            return
        nodes = math.ceil(workload.tasks / (workload.slots * (waves - 1)))


def nodes_for_deadline(
    workload: Workload,
    deadline_s: float,
    usd_per_hour: float | None,
    network: Callable[[int], float] = no_network,
) -> Estimate | None:
    """Return the fewest nodes that finish by the deadline; None where no number does."""
    found = (estimate(workload, nodes, usd_per_hour, network) for nodes in _candidate_counts(workload))
    return next((one for one in found if one.makespan_s <= deadline_s), None)


def nodes_for_budget(
    workload: Workload,
    usd: float,
    usd_per_hour: float,
    *,
    deadline_s: float = math.inf,
    most: int = MAX_NODES,
    network: Callable[[int], float] = no_network,
) -> Estimate | None:
    """Return the number of nodes that finishes first within a budget; None where no number does.

    Parameters
    ----------
    workload, usd_per_hour
        The tasks, and the cost of a node in US dollars per hour.
    usd
        The budget in US dollars.
    deadline_s
        The latest end in seconds from now.
    most
        The greatest possible number of nodes.
    network
        As in `estimate`.
    """
    found = (estimate(workload, nodes, usd_per_hour, network) for nodes in _candidate_counts(workload) if nodes <= most)
    fitting = [one for one in found if one.usd is not None and one.usd <= usd and one.makespan_s <= deadline_s]
    return min(fitting, key=lambda one: (one.makespan_s, one.nodes), default=None)
