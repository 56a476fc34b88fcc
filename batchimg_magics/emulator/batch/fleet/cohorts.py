"""Cohorts: the nodes of one kind that one resize requested, and when they are allocated.

The state of each node is computed from these few numbers, in `allocation`, which needs numpy.

Source: the recorded pools. The numbers and their sources are in `node_times`.
"""

from __future__ import annotations

import hashlib
import math
from typing import Literal

import msgspec

from batchimg_magics.emulator.batch.fleet.node_times import ALLOCATION_TIMES

NodeKind = Literal["dedicated", "spot"]

#: Node states as the data plane writes them; the code of a state is its index.
STATES = (
    "creating",
    "starting",
    "waitingforstarttask",
    "starttaskfailed",
    "idle",
    "running",
    "rebooting",
    "reimaging",
    "upgradingos",
    "offline",
    "preempted",
    "unusable",
    "unknown",
    "leavingpool",
    "deallocating",
    "deallocated",
)
STATE_CODES = {state: code for code, state in enumerate(STATES)}
#: The code of a node that is not allocated yet, or has left.
ABSENT = -1


class Removal(msgspec.Struct, frozen=True, array_like=True):
    """The nodes from `low` to `high` (exclusive) of a cohort begin to leave at one time and are gone at another."""

    at: float
    gone: float
    low: int
    high: int


class Cohort(msgspec.Struct, frozen=True, omit_defaults=True):
    """The nodes of one kind that one resize requested.

    Parameters
    ----------
    seed
        Seed of the ids and times of the nodes.
    kind
        ``dedicated`` or ``spot``.
    first
        How many nodes were requested for the pool before.
    count
        How many nodes are requested.
    began, until
        When they were requested, and the time after which none is allocated any more.
    first_s, wave_s
        Seconds to the first wave, and between waves.
    boot
        Key of `BOOT_S`.
    unusable, recovering
        Share of nodes that become unusable, and the share of those that recover.
    start_task_s
        Duration of the start task, None if nodes do not wait for one.
    start_task_fails
        Whether the start task fails.
    preempted_per_h
        Spot: preemptions of a node in an hour.
    leaves
        The removals.
    place
        How many nodes of its kind were requested for the pool before.
    """

    seed: str
    kind: NodeKind
    first: int
    count: int
    began: float
    until: float
    first_s: float
    wave_s: float
    boot: str
    unusable: float = 0.0
    recovering: float = 0.0
    start_task_s: float | None = None
    start_task_fails: bool = False
    preempted_per_h: float = 0.0
    leaves: tuple[Removal, ...] = ()
    place: int = 0

    @property
    def suffix(self) -> str:
        """The suffix of the ids of its nodes."""
        return "_d" if self.kind == "dedicated" else "_p"


def last_arrival(cohort: Cohort) -> float:
    """Return when the last node of a cohort would be allocated without a timeout."""
    waves = max(1, math.ceil(cohort.count / ALLOCATION_TIMES.wave_nodes))
    return cohort.began + cohort.first_s + (waves - 1) * cohort.wave_s


def arrived(cohort: Cohort, now: float) -> int:
    """Return how many nodes of a cohort have been allocated by now."""
    waited = min(now, cohort.until) - cohort.began - cohort.first_s
    if waited < 0:
        return 0
    return min(cohort.count, (math.floor(waited / cohort.wave_s) + 1) * ALLOCATION_TIMES.wave_nodes)


def wave_interval_s(source: str, nodes: int, replicas: int | None, slowed: float = 1.0) -> float:
    """Return the seconds between waves.

    Parameters
    ----------
    source
        ``marketplace``, ``gallery`` or ``managed``.
    nodes
        The number of nodes of the pool after the resize.
    replicas
        Of the gallery image in the region of the pool; None for other images.
    slowed
        The factor of the scenario.
    """
    short = 1.0 if replicas is None else max(1.0, nodes / (max(1, replicas) * ALLOCATION_TIMES.nodes_per_replica))
    return ALLOCATION_TIMES.wave_s[source] * short * slowed


def first_wave_s(seed: str) -> float:
    """Return the seconds to the first wave of a resize."""
    low, high = ALLOCATION_TIMES.first_s
    return low + (high - low) * (hashlib.sha256(seed.encode()).digest()[0] / 255)


def removal_s(nodes: int) -> float:
    """Return the seconds that the removal of so many nodes takes."""
    return ALLOCATION_TIMES.leave_s + ALLOCATION_TIMES.leave_per_node_s * nodes if nodes else 0.0


def removal_of_one_s(state: str) -> float:
    """Return the seconds that removenodes takes for one node in a state."""
    return ALLOCATION_TIMES.leave_alone_s["starting" if state in ("creating", "starting") else "idle"]
