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

from batchimg_magics.sim.node_times import BOOT_S, CREATING_S, OUTAGE_S, PACE

Kind = Literal["dedicated", "spot"]
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
CODE = {state: code for code, state in enumerate(STATES)}
#: The code of a node that has not come yet, or has left.
ABSENT = -1
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Leave(msgspec.Struct, frozen=True, array_like=True):
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
    kind: Kind
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
    leaves: tuple[Leave, ...] = ()

    @property
    def suffix(self) -> str:
        """How the ids of its nodes end."""
        return "_d" if self.kind == "dedicated" else "_p"


def last_arrival(cohort: Cohort) -> float:
    """Return when the last of a cohort's nodes would arrive, were there no end to waiting."""
    waves = max(1, math.ceil(cohort.count / PACE.wave_nodes))
    return cohort.began + cohort.first_s + (waves - 1) * cohort.wave_s


def arrived(cohort: Cohort, now: float) -> int:
    """Return how many of a cohort's nodes have ever arrived by now."""
    waited = min(now, cohort.until) - cohort.began - cohort.first_s
    if waited < 0:
        return 0
    return min(cohort.count, (math.floor(waited / cohort.wave_s) + 1) * PACE.wave_nodes)


def wave_s(source: str, nodes: int, replicas: int | None, slowed: float = 1.0) -> float:
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
    short = 1.0 if replicas is None else max(1.0, nodes / (max(1, replicas) * PACE.nodes_per_replica))
    return PACE.wave_s[source] * short * slowed


def first_s(seed: str) -> float:
    """Return the seconds to the first wave of a resize."""
    low, high = PACE.first_s
    return low + (high - low) * (hashlib.sha256(seed.encode()).digest()[0] / 255)


def removal_s(nodes: int) -> float:
    """Return how long it takes so many nodes to leave."""
    return PACE.leave_s + PACE.leave_per_node_s * nodes if nodes else 0.0


@dataclass(frozen=True, slots=True)
class Table:
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
def _names(seed: str, count: int, suffix: str) -> tuple[list[str], npt.NDArray[np.int64], Floats]:
    """Return ids in order, each one's place in the cohort, and four numbers from 0 to 1 for each."""
    digests = [hashlib.sha256(f"{seed}/{place}".encode()).digest() for place in range(count)]
    order = sorted(range(count), key=digests.__getitem__)
    ids = [f"tvmps_{digests[place].hex()}{suffix}" for place in order]
    words = np.frombuffer(b"".join(digests), dtype=">u4").reshape(count, 8)[order, 4:]
    return ids, np.array(order, dtype=np.int64), words.T / 2.0**32


def table(cohort: Cohort) -> Table:
    """Return a cohort as columns; what has left since changes nothing in them."""
    return _table(msgspec.structs.replace(cohort, leaves=()))


@functools.lru_cache(maxsize=512)
def _table(cohort: Cohort) -> Table:
    ids, index, draws = _names(cohort.seed, cohort.count, cohort.suffix)
    arrival = cohort.began + cohort.first_s + (index // PACE.wave_nodes) * cohort.wave_s
    arrival = np.where(arrival <= cohort.until, arrival, np.inf)
    starting = arrival + np.interp(draws[0], _QUANTILES, CREATING_S)
    bad = draws[2] < cohort.unusable
    booted = np.where(
        bad, starting + PACE.unusable_after_s, arrival + np.interp(draws[1], _QUANTILES, BOOT_S[cohort.boot])
    )
    waits = cohort.start_task_s is not None
    ready = booted + (cohort.start_task_s or 0.0)
    final = CODE["starttaskfailed" if cohort.start_task_fails else "idle"]
    recovers = bad & (draws[3] < cohort.recovering)
    never = np.full(cohort.count, np.inf)
    goes = np.isfinite(arrival) & ~bad & (final == CODE["idle"]) & (cohort.preempted_per_h > 0)
    up_s = -np.log1p(-draws[2]) * 3600 / max(cohort.preempted_per_h, 1e-9)
    back_s = np.interp(draws[3], _QUANTILES, OUTAGE_S)
    times = np.stack(
        [
            arrival,
            starting,
            booted,
            np.where(bad, np.where(recovers, booted + PACE.recovery_s, np.inf), ready if waits else np.inf),
            np.where(goes, ready + up_s, never),
            np.where(goes, ready + up_s + back_s, never),
        ]
    )
    codes = np.empty(times.shape, dtype=np.int8)
    codes[0], codes[1], codes[4], codes[5] = CODE["creating"], CODE["starting"], CODE["preempted"], CODE["starting"]
    codes[2] = np.where(bad, CODE["unusable"], CODE["waitingforstarttask"] if waits else final)
    codes[3] = np.where(bad, CODE["idle"], final)
    boot_s = np.where(goes, booted, 0.0) - np.where(goes, arrival, 0.0)
    round_s = np.where(goes, up_s + back_s + boot_s, np.inf)
    return Table(ids, index, times, codes, booted, ready, round_s)


def at(cohort: Cohort, now: float) -> tuple[Codes, Floats]:
    """Return each node's state code (`ABSENT`: not there) and since when, in the order of the table's ids."""
    columns = table(cohort)
    shift = np.zeros(cohort.count)
    if cohort.preempted_per_h:
        over = (now - columns.cycle_from) / columns.cycle_s
        shift = np.where(over >= 1, np.floor(np.maximum(over, 0)) * np.minimum(columns.cycle_s, 1e15), 0.0)
    phase = (columns.times <= now - shift).cumsum(axis=0).argmax(axis=0)
    here = columns.times[0] <= now
    node = np.arange(cohort.count)
    codes = np.where(here, columns.codes[phase, node], np.int8(ABSENT))
    since = columns.times[phase, node] + shift
    for leave in cohort.leaves:
        if leave.at <= now:
            gone = (columns.index >= leave.low) & (columns.index < leave.high) & (codes != ABSENT)
            codes = np.where(gone, np.int8(CODE["leavingpool"] if now < leave.gone else ABSENT), codes)
            since = np.where(gone, leave.at, since)
    return codes, since


@functools.lru_cache(maxsize=16_384)
def tally(cohort: Cohort, now: float) -> npt.NDArray[np.int64]:
    """Return how many nodes are in each state, by the states' codes.

    Formulas look at the same moments of the past again and again.
    """
    codes, _ = at(cohort, now)
    return np.bincount(codes[codes != ABSENT], minlength=len(STATES))


def place_of(cohort: Cohort, node_id: str) -> int | None:
    """Return a node's row in the table of a cohort, None when it is none of its nodes."""
    ids = table(cohort).ids
    row = bisect_left(ids, node_id)
    return row if row < len(ids) and ids[row] == node_id else None


def newest(cohort: Cohort, nodes: int, now: float) -> list[int]:
    """Return the places of that many of a cohort's present nodes, the newest."""
    codes, _ = at(cohort, now)
    places = np.sort(table(cohort).index[(codes != ABSENT) & (codes != CODE["leavingpool"])])
    return [int(place) for place in places[len(places) - nodes :]]


def names(cohort: Cohort, places: list[int]) -> dict[int, str]:
    """Return the ids of the nodes at some places of a cohort."""
    columns = table(cohort)
    rows = np.flatnonzero(np.isin(columns.index, places))
    return {int(columns.index[row]): columns.ids[row] for row in rows}


def remove(cohort: Cohort, places: list[int], now: float, gone: float) -> Cohort:
    """Return the cohort with the nodes at those places leaving; runs of places are one record."""
    runs: list[list[int]] = []
    for place in sorted(places):
        if runs and runs[-1][1] == place:
            runs[-1][1] = place + 1
        else:
            runs.append([place, place + 1])
    leaves = tuple(Leave(now, gone, low, high) for low, high in runs)
    return msgspec.structs.replace(cohort, leaves=cohort.leaves + leaves)
