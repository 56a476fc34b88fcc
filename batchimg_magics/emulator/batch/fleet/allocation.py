"""Allocation: the state of each node of a cohort at each time.

All facts about a node - its id, allocation time, boot time, later
states - are derived from a hash of the seed of the cohort and the index of the node. So they are a pure function: the
same in every process and at every time, with nothing running in between. A cohort of thousands of nodes is computed as
columns.

Source: the recorded pools. The numbers and their sources are in `node_times`.
"""

from __future__ import annotations

import functools
import hashlib
from bisect import bisect_left

import msgspec
import numpy as np
import numpy.typing as npt

from batchimg_magics.emulator.batch.fleet.cohorts import ABSENT, STATE_CODES, STATES, Cohort, Removal
from batchimg_magics.emulator.batch.fleet.node_times import ALLOCATION_TIMES, BOOT_S, CREATING_S, OUTAGE_S

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int8]
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


class NodeTable(msgspec.Struct, frozen=True):
    """The nodes of a cohort as columns, in order of their ids.

    Parameters
    ----------
    ids
        Node ids, ascending.
    index
        Index of a node in the cohort, from 0.
    times, codes
        Rows of phases: when each begins (infinite: never) and the code of its state.
    booted
        When the operating system started first.
    cycle_from, cycle_s
        Preempted Spot nodes: since when, and how long a cycle of preemption and recovery is (infinite: never).
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
    """Return ids in order, the index of each node, and four numbers from 0 to 1 for each node."""
    digests = [hashlib.sha256(f"{seed}/{index}".encode()).digest() for index in range(count)]
    order = sorted(range(count), key=digests.__getitem__)
    ids = [f"tvmps_{digests[index].hex()}{suffix}" for index in order]
    words = np.frombuffer(b"".join(digests), dtype=">u4").reshape(count, 8)[order, 4:]
    return ids, np.array(order, dtype=np.int64), words.T / 2.0**32


def clear_caches() -> None:
    """Forget the computed nodes. They are computed again, with the same result, when they are next read."""
    _node_ids.cache_clear()
    _table.cache_clear()


def node_table(cohort: Cohort) -> NodeTable:
    """Return the table of a cohort; removals do not change it."""
    return _table(msgspec.structs.replace(cohort, leaves=()))


@functools.lru_cache(maxsize=512)
def _table(cohort: Cohort) -> NodeTable:
    ids, index, draws = _node_ids(cohort.seed, cohort.count, cohort.suffix)
    arrival = cohort.began + cohort.first_s + (index // ALLOCATION_TIMES.wave_nodes) * cohort.wave_s
    arrival = np.where(arrival <= cohort.until, arrival, np.inf)
    starting = arrival + np.interp(draws[0], _QUANTILES, CREATING_S[cohort.kind])
    bad = draws[2] < cohort.unusable
    booted = np.where(
        bad,
        starting + ALLOCATION_TIMES.unusable_after_s,
        arrival + np.interp(draws[1], _QUANTILES, BOOT_S[cohort.boot]),
    )
    waits = cohort.start_task_s is not None
    ready = booted + (cohort.start_task_s or 0.0)
    final = STATE_CODES["starttaskfailed" if waits and cohort.start_task_fails else "idle"]
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
    """Return the state code of each node (`ABSENT`: none) and since when, in the order of the ids in the table."""
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


def count_present(cohort: Cohort, now: float, *, leaving: bool) -> int:
    """Return the number of existing nodes, with or without those that are leaving."""
    columns = node_table(cohort)
    present = columns.times[0] <= now
    for leave in cohort.leaves:
        if leave.at <= now and not (leaving and now < leave.gone):
            present &= (columns.index < leave.low) | (columns.index >= leave.high)
    return int(np.count_nonzero(present))


def count_pending(cohort: Cohort, now: float) -> int:
    """Return the number of nodes that are still to be allocated."""
    arrival = node_table(cohort).times[0]
    return int(np.count_nonzero((arrival > now) & np.isfinite(arrival)))


def present_rows(codes: Codes, first: int) -> list[int]:
    """Return the rows, from the given one, of the nodes that exist."""
    present = np.flatnonzero(codes != ABSENT)
    found: list[int] = present[np.searchsorted(present, first) :].tolist()
    return found


@functools.lru_cache(maxsize=4096)
def count_states(cohort: Cohort, now: float) -> tuple[int, ...]:
    """Return the number of nodes in each state, by the codes of the states.

    The results are kept: formulas, and the pages of node counts, read the same times again.
    """
    codes, _ = states_at(cohort, now)
    return tuple(np.bincount(codes[codes != ABSENT], minlength=len(STATES)).tolist())


def find_row(cohort: Cohort, node_id: str) -> int | None:
    """Return the row of a node in the table of a cohort, None if the cohort does not have it."""
    ids = node_table(cohort).ids
    row = bisect_left(ids, node_id)
    return row if row < len(ids) and ids[row] == node_id else None


def newest_indexes(cohort: Cohort, nodes: int, now: float) -> list[int]:
    """Return the indexes of the newest existing nodes of a cohort."""
    codes, _ = states_at(cohort, now)
    indexes = np.sort(node_table(cohort).index[(codes != ABSENT) & (codes != STATE_CODES["leavingpool"])])
    return [int(index) for index in indexes[len(indexes) - nodes :]]


def node_ids(cohort: Cohort, indexes: list[int]) -> dict[int, str]:
    """Return the ids of the nodes with these indexes in a cohort."""
    columns = node_table(cohort)
    rows = np.flatnonzero(np.isin(columns.index, indexes))
    return {int(columns.index[row]): columns.ids[row] for row in rows}


def without_nodes(cohort: Cohort, indexes: list[int], now: float, gone: float) -> Cohort:
    """Return a cohort whose nodes with these indexes leave; consecutive indexes are one record."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][1] == index:
            runs[-1][1] = index + 1
        else:
            runs.append([index, index + 1])
    leaves = tuple(Removal(now, gone, low, high) for low, high in runs)
    return msgspec.structs.replace(cohort, leaves=cohort.leaves + leaves)
