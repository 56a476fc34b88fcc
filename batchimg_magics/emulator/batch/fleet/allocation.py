"""How allocation goes: which node of a resize is in which state at which moment.

A resize asks for a cohort of nodes of one kind. Everything about a node of a cohort - its id, when it arrives, how
long it boots, what becomes of it - is read from one hash of the cohort's seed and the node's place in it, so it is a
pure function: the same in every process, at every moment, with nothing running in between. A cohort of thousands is
computed as columns.

Source: the recorded pools (FACTS 4 and 6). The numbers are in `node_times`, with how each is known.
"""

from __future__ import annotations

import functools
import hashlib
import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from batchimg_magics.emulator.batch.fleet.node_times import ALLOCATION_TIMES, BOOT_S, CREATING_S, OUTAGE_S

NodeKind = Literal["dedicated", "spot"]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int8]

#: Node states as the data plane writes them; a state's code is its place here.
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
#: The code of a node that has not come yet, or has left.
ABSENT = -1
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Removal(msgspec.Struct, frozen=True, array_like=True):
    """Nodes `low` to `high` (not included) of a cohort leave at a moment, and are gone at a later one."""

    at: float
    gone: float
    low: int
    high: int


class Cohort(msgspec.Struct, frozen=True, omit_defaults=True):
    """The nodes of one kind that one resize asked for.

    Parameters
    ----------
    seed
        What the nodes' ids and times grow from.
    kind
        ``dedicated`` or ``spot``.
    first
        How many nodes the pool had ever had before.
    count
        How many were asked for.
    began, until
        When they were asked for, and the moment after which none arrives any more.
    first_s, wave_s
        Seconds to the first wave, and between waves.
    boot
        Key of `BOOT_S`.
    unusable, recovering
        Share of nodes whose system never reports, and the share of those that recover.
    start_task_s
        How long the start task takes, None when there is none to wait for.
    start_task_fails
        Whether it ends in failure.
    preempted_per_h
        Spot: how often Azure takes a node back.
    leaves
        What has left.
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

    @property
    def suffix(self) -> str:
        """How the ids of its nodes end."""
        return "_d" if self.kind == "dedicated" else "_p"


def last_arrival(cohort: Cohort) -> float:
    """Return when the last of a cohort's nodes would arrive, were there no end to waiting."""
    waves = max(1, math.ceil(cohort.count / ALLOCATION_TIMES.wave_nodes))
    return cohort.began + cohort.first_s + (waves - 1) * cohort.wave_s


def arrived(cohort: Cohort, now: float) -> int:
    """Return how many of a cohort's nodes have ever arrived by now."""
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
        How many nodes the pool then has.
    replicas
        Of the gallery image in the pool's region; None where there are none.
    slowed
        What a scenario slows it down by.
    """
    short = 1.0 if replicas is None else max(1.0, nodes / (max(1, replicas) * ALLOCATION_TIMES.nodes_per_replica))
    return ALLOCATION_TIMES.wave_s[source] * short * slowed


def first_wave_s(seed: str) -> float:
    """Return the seconds to the first wave of a resize."""
    low, high = ALLOCATION_TIMES.first_s
    return low + (high - low) * (hashlib.sha256(seed.encode()).digest()[0] / 255)


def removal_s(nodes: int) -> float:
    """Return how long it takes so many nodes to leave."""
    return ALLOCATION_TIMES.leave_s + ALLOCATION_TIMES.leave_per_node_s * nodes if nodes else 0.0


@dataclass(frozen=True, slots=True)
class NodeTable:
    """A cohort's nodes as columns, in order of their ids.

    Parameters
    ----------
    ids
        Node ids, ascending.
    index
        A node's place in the cohort, from 0.
    times, codes
        Rows of phases: when each begins (infinite: never) and its state's code.
    booted
        When the system was first up.
    cycle_from, cycle_s
        Spot nodes that Azure takes back and gives again: since when, and how long one round is (infinite: never).
    """

    ids: list[str]
    index: npt.NDArray[np.int64]
    times: Floats
    codes: Codes
    booted: Floats
    cycle_from: Floats
    cycle_s: Floats


@functools.lru_cache(maxsize=512)
def _node_ids(seed: str, count: int, suffix: str) -> tuple[list[str], npt.NDArray[np.int64], Floats]:
    """Return ids in order, each one's place in the cohort, and four numbers from 0 to 1 for each."""
    digests = [hashlib.sha256(f"{seed}/{index}".encode()).digest() for index in range(count)]
    order = sorted(range(count), key=digests.__getitem__)
    ids = [f"tvmps_{digests[index].hex()}{suffix}" for index in order]
    words = np.frombuffer(b"".join(digests), dtype=">u4").reshape(count, 8)[order, 4:]
    return ids, np.array(order, dtype=np.int64), words.T / 2.0**32


def node_table(cohort: Cohort) -> NodeTable:
    """Return a cohort as columns; what has left since changes nothing in them."""
    return _table(msgspec.structs.replace(cohort, leaves=()))


@functools.lru_cache(maxsize=512)
def _table(cohort: Cohort) -> NodeTable:
    ids, index, draws = _node_ids(cohort.seed, cohort.count, cohort.suffix)
    arrival = cohort.began + cohort.first_s + (index // ALLOCATION_TIMES.wave_nodes) * cohort.wave_s
    arrival = np.where(arrival <= cohort.until, arrival, np.inf)
    starting = arrival + np.interp(draws[0], _QUANTILES, CREATING_S)
    bad = draws[2] < cohort.unusable
    booted = np.where(
        bad,
        starting + ALLOCATION_TIMES.unusable_after_s,
        arrival + np.interp(draws[1], _QUANTILES, BOOT_S[cohort.boot]),
    )
    waits = cohort.start_task_s is not None
    ready = booted + (cohort.start_task_s or 0.0)
    final = STATE_CODES["starttaskfailed" if cohort.start_task_fails else "idle"]
    recovers = bad & (draws[3] < cohort.recovering)
    never = np.full(cohort.count, np.inf)
    is_preempted = np.isfinite(arrival) & ~bad & (final == STATE_CODES["idle"]) & (cohort.preempted_per_h > 0)
    up_s = -np.log1p(-draws[2]) * 3600 / max(cohort.preempted_per_h, 1e-9)
    back_s = np.interp(draws[3], _QUANTILES, OUTAGE_S)
    times = np.stack(
        [
            arrival,
            starting,
            booted,
            np.where(bad, np.where(recovers, booted + ALLOCATION_TIMES.recovery_s, np.inf), ready if waits else np.inf),
            np.where(is_preempted, ready + up_s, never),
            np.where(is_preempted, ready + up_s + back_s, never),
        ]
    )
    codes = np.empty(times.shape, dtype=np.int8)
    codes[0], codes[1], codes[4], codes[5] = (
        STATE_CODES["creating"],
        STATE_CODES["starting"],
        STATE_CODES["preempted"],
        STATE_CODES["starting"],
    )
    codes[2] = np.where(bad, STATE_CODES["unusable"], STATE_CODES["waitingforstarttask"] if waits else final)
    codes[3] = np.where(bad, STATE_CODES["idle"], final)
    boot_s = np.where(is_preempted, booted, 0.0) - np.where(is_preempted, arrival, 0.0)
    round_s = np.where(is_preempted, up_s + back_s + boot_s, np.inf)
    return NodeTable(ids, index, times, codes, booted, ready, round_s)


def states_at(cohort: Cohort, now: float) -> tuple[Codes, Floats]:
    """Return each node's state code (`ABSENT`: not there) and since when, in the order of the table's ids."""
    columns = node_table(cohort)
    shift = np.zeros(cohort.count)
    if cohort.preempted_per_h:
        over = (now - columns.cycle_from) / columns.cycle_s
        shift = np.where(over >= 1, np.floor(np.maximum(over, 0)) * np.minimum(columns.cycle_s, 1e15), 0.0)
    phase = (columns.times <= now - shift).cumsum(axis=0).argmax(axis=0)
    arrived_nodes = columns.times[0] <= now
    node = np.arange(cohort.count)
    codes = np.where(arrived_nodes, columns.codes[phase, node], np.int8(ABSENT))
    since = columns.times[phase, node] + shift
    for leave in cohort.leaves:
        if leave.at <= now:
            leaving = (columns.index >= leave.low) & (columns.index < leave.high) & (codes != ABSENT)
            codes = np.where(leaving, np.int8(STATE_CODES["leavingpool"] if now < leave.gone else ABSENT), codes)
            since = np.where(leaving, leave.at, since)
    return codes, since


@functools.lru_cache(maxsize=16_384)
def count_states(cohort: Cohort, now: float) -> npt.NDArray[np.int64]:
    """Return how many nodes are in each state, by the states' codes.

    Formulas look at the same moments of the past again and again.
    """
    codes, _ = states_at(cohort, now)
    return np.bincount(codes[codes != ABSENT], minlength=len(STATES))


def find_row(cohort: Cohort, node_id: str) -> int | None:
    """Return a node's row in the table of a cohort, None when it is none of its nodes."""
    ids = node_table(cohort).ids
    row = bisect_left(ids, node_id)
    return row if row < len(ids) and ids[row] == node_id else None


def newest_indexes(cohort: Cohort, nodes: int, now: float) -> list[int]:
    """Return the places of that many of a cohort's present nodes, the newest."""
    codes, _ = states_at(cohort, now)
    indexes = np.sort(node_table(cohort).index[(codes != ABSENT) & (codes != STATE_CODES["leavingpool"])])
    return [int(index) for index in indexes[len(indexes) - nodes :]]


def node_ids(cohort: Cohort, indexes: list[int]) -> dict[int, str]:
    """Return the ids of the nodes at some places of a cohort."""
    columns = node_table(cohort)
    rows = np.flatnonzero(np.isin(columns.index, indexes))
    return {int(columns.index[row]): columns.ids[row] for row in rows}


def without_nodes(cohort: Cohort, indexes: list[int], now: float, gone: float) -> Cohort:
    """Return the cohort with the nodes at those places leaving; runs of places are one record."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][1] == index:
            runs[-1][1] = index + 1
        else:
            runs.append([index, index + 1])
    leaves = tuple(Removal(now, gone, low, high) for low, high in runs)
    return msgspec.structs.replace(cohort, leaves=cohort.leaves + leaves)
