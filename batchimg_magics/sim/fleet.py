"""The nodes of one pool over time: what its resizes asked for, what came, what left, and what was done to single nodes.

Pure functions of a `Fleet` and a moment. A resize knows its end and its errors as soon as it begins, because
allocation is a pure function too; stopping it writes its end anew.

Source: the recorded resizes, stops and removals (FACTS 4 and 5). Resize errors are the wire's own where recorded, else
those of Microsoft's examples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from batchimg_magics.sim import allocation
from batchimg_magics.sim.allocation import ABSENT, CODE, PACE, STATES, Cohort, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KINDS: tuple[Kind, Kind] = ("dedicated", "spot")
#: How error messages call each kind.
_CALLED: dict[Kind, str] = {"dedicated": "dedicated", "spot": "low priority"}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One resize error."""

    code: str
    message: str
    values: tuple[tuple[str, str], ...] = ()


class Resize(msgspec.Struct, frozen=True, omit_defaults=True):
    """One resize.

    Parameters
    ----------
    began, ends
        When it was asked for, and when the pool is steady again.
    timeout_s
        After how long Batch stops asking for nodes.
    dedicated, spot
        The targets.
    option
        What happens to tasks on nodes that leave.
    errors
        What is wrong once it has ended.
    stopped
        When it was stopped, None when it was not.
    since
        When the pool was last resizing for a moment without a resize, None when it never was since `ends`.
    """

    began: float
    ends: float
    timeout_s: float
    dedicated: int
    spot: int
    option: str = "requeue"
    errors: tuple[Problem, ...] = ()
    stopped: float | None = None
    since: float | None = None


class Fleet(msgspec.Struct, omit_defaults=True):
    """The nodes of one pool.

    Parameters
    ----------
    seed
        What its nodes grow from.
    cohorts
        What its resizes asked for; those without a node are forgotten.
    resize
        The last resize.
    ever
        How many nodes it has ever asked for.
    events
        Node id -> (verb, moment) in order of time: reboot, reimage, deallocate, start, disable, enable.
    """

    seed: str
    cohorts: tuple[Cohort, ...] = ()
    resize: Resize | None = None
    ever: int = 0
    events: dict[str, list[tuple[str, float]]] = {}


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a pool gets nodes now.

    Parameters
    ----------
    boot
        Key of `allocation.BOOT_S`: OS and source of the image.
    replicas
        Of a gallery image in the region, None for other images.
    slowed
        What a scenario slows allocation down by.
    unusable, recovering
        Share of nodes whose system never reports, and of those that recover.
    start_task_s, start_task_fails
        As for `allocation.Cohort`.
    preempted_per_h
        How often Azure takes a spot node back.
    room
        How many more nodes of a kind the quotas let in; a kind that is not there has no limit.
    full
        What the quotas' errors are.
    failure
        Why no node can be allocated at all.
    """

    boot: str = "linux/marketplace"
    replicas: int | None = None
    slowed: float = 1.0
    unusable: float = 0.0
    recovering: float = 0.0
    start_task_s: float | None = None
    start_task_fails: bool = False
    preempted_per_h: float = 0.0
    room: dict[Kind, int] = field(default_factory=dict)
    full: dict[Kind, Problem] = field(default_factory=dict)
    failure: Problem | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One node at one moment.

    Parameters
    ----------
    id
        Node id.
    cohort
        Whose it is.
    place
        Its place in the cohort.
    state, since
        Its state, and the moment that began.
    allocated, booted
        When it came, and when its system was last up (None: not yet).
    agent_since
        When its node agent first reported, None while it has not.
    scheduling
        Whether it takes tasks.
    """

    id: str
    cohort: Cohort
    place: int
    state: str
    since: float
    allocated: float
    booted: float | None
    agent_since: float | None
    scheduling: bool


def allocation_state(fleet: Fleet, now: float) -> tuple[str, float]:
    """Return ``steady``, ``resizing`` or ``stopping``, and since when."""
    resize = fleet.resize
    if resize is None:
        return "steady", 0.0
    if now >= resize.ends:
        return "steady", resize.ends
    if resize.stopped is not None and resize.since is None:
        return "stopping", resize.stopped
    return "resizing", resize.began if resize.since is None else resize.since


def errors(fleet: Fleet, now: float) -> tuple[Problem, ...]:
    """Return the last resize's errors: they show when it has ended, and stay until the next one begins."""
    return fleet.resize.errors if fleet.resize is not None and now >= fleet.resize.ends else ()


def current(fleet: Fleet, now: float, kind: Kind, *, leaving: bool = True) -> int:
    """Return how many nodes of a kind there are now, those that are leaving with them or not."""
    total = 0
    for cohort in fleet.cohorts:
        if cohort.kind == kind:
            codes, _ = allocation.at(cohort, now)
            there = codes != ABSENT
            total += int(np.count_nonzero(there if leaving else there & (codes != CODE["leavingpool"])))
    return total


def held(fleet: Fleet, now: float, kind: Kind) -> int:
    """Return how many nodes of a kind there are or are still to come."""
    total = 0
    for cohort in fleet.cohorts:
        if cohort.kind == kind:
            arrival = allocation.table(cohort).times[0]
            total += int(np.count_nonzero((arrival > now) & np.isfinite(arrival)))
    return total + current(fleet, now, kind)


def counts(fleet: Fleet, now: float, kind: Kind) -> dict[str, int]:
    """Return how many nodes of a kind are in each state; states without a node are left out."""
    tally = np.zeros(len(STATES), dtype=np.int64)
    for cohort in fleet.cohorts:
        if cohort.kind == kind:
            codes, _ = allocation.at(cohort, now)
            tally += np.bincount(codes[codes != ABSENT], minlength=len(STATES))
    for node_id in fleet.events:
        node = find(fleet, now, node_id)
        if node is not None and node.cohort.kind == kind:
            row = allocation.place_of(node.cohort, node_id)
            codes, _ = allocation.at(node.cohort, now)
            tally[codes[row]] -= 1
            tally[CODE[node.state]] += 1
    return {state: int(count) for state, count in zip(STATES, tally, strict=True) if count}


def nodes(fleet: Fleet, now: float, after: str = "") -> Iterator[Node]:
    """Yield the nodes that are there now, in order of their ids, those behind an id only."""
    rows: list[tuple[str, int, int]] = []
    states = []
    for number, cohort in enumerate(fleet.cohorts):
        codes, since = allocation.at(cohort, now)
        states.append((codes, since))
        ids = allocation.table(cohort).ids
        here = np.flatnonzero(codes != ABSENT)
        first = np.searchsorted(here, _first_after(ids, after))
        rows.extend((ids[row], number, int(row)) for row in here[first:])
    if len(fleet.cohorts) > 1:
        rows.sort()
    for _, number, row in rows:
        codes, since = states[number]
        yield _node(fleet, now, fleet.cohorts[number], row, STATES[codes[row]], float(since[row]))


def _first_after(ids: list[str], after: str) -> int:
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if ids[middle] <= after else (low, middle)
    return low


def find(fleet: Fleet, now: float, node_id: str) -> Node | None:
    """Return one node at a moment, None when it is not there."""
    for cohort in fleet.cohorts:
        row = allocation.place_of(cohort, node_id)
        if row is not None:
            codes, since = allocation.at(cohort, now)
            if codes[row] == ABSENT:
                return None
            return _node(fleet, now, cohort, row, STATES[codes[row]], float(since[row]))
    return None


def _node(fleet: Fleet, now: float, cohort: Cohort, row: int, state: str, since: float) -> Node:
    table = allocation.table(cohort)
    up = float(table.booted[row])
    agent = up if up <= now and state != "unusable" else None
    booted, scheduling = agent, True
    events = fleet.events.get(table.ids[row])
    if events and state not in ("leavingpool", "preempted"):
        state, since, booted, scheduling = _after_events(events, state, since, booted, now)
    allocated = float(table.times[0, row])
    return Node(table.ids[row], cohort, int(table.index[row]), state, since, allocated, booted, agent, scheduling)


def _after_events(
    done: list[tuple[str, float]], state: str, since: float, booted: float | None, now: float
) -> tuple[str, float, float | None, bool]:
    """Return state, since when, last boot and whether tasks are taken, after what was done to a node."""
    settled, scheduling, switched = state, True, 0.0
    for verb, moment in done:
        if verb in ("disable", "enable"):
            scheduling, switched = verb == "enable", moment
            continue
        state, since = "idle", moment
        for phase, seconds in allocation.VERBS[verb]:
            state = settled if phase == "idle" and settled == "starttaskfailed" else phase
            if now < since + seconds:
                break
            since += seconds
        if state in ("idle", "starttaskfailed") and verb != "deallocate":
            booted = since
    if state in ("deallocated", "deallocating"):
        scheduling = False
    if not scheduling and state == "idle":
        state, since = "offline", max(since, switched)
    return state, since, booted, scheduling


def begin(
    fleet: Fleet, now: float, targets: dict[Kind, int], terms: Terms, *, timeout_s: float, option: str = "requeue"
) -> None:
    """Begin a resize: nodes beyond a target leave, nodes that are missing are asked for."""
    _forget(fleet, now)
    leaving = _shrink(fleet, now, targets)
    problems: list[Problem] = []
    ends = [now + PACE.empty_s, leaving]
    for kind in KINDS:
        missing = targets[kind] - current(fleet, now, kind, leaving=False)
        if missing > 0:
            ends.append(_grow(fleet, now, kind, missing, terms, timeout_s, problems))
    fleet.resize = Resize(now, max(ends), timeout_s, targets["dedicated"], targets["spot"], option, tuple(problems))


def _forget(fleet: Fleet, now: float) -> None:
    """Drop the cohorts that have no node any more, and what was done to nodes that have left."""
    fleet.cohorts = tuple(cohort for cohort in fleet.cohorts if np.any(allocation.at(cohort, now)[0] != ABSENT))
    fleet.events = {node_id: done for node_id, done in fleet.events.items() if find(fleet, now, node_id)}


def _shrink(fleet: Fleet, now: float, targets: dict[Kind, int]) -> float:
    """Let the nodes beyond the targets leave, the newest first; return when they are gone."""
    spare = {kind: max(0, current(fleet, now, kind, leaving=False) - targets[kind]) for kind in KINDS}
    gone = now + allocation.removal_s(sum(spare.values()))
    kept = []
    for cohort in reversed(fleet.cohorts):
        codes, _ = allocation.at(cohort, now)
        here = int(np.count_nonzero((codes != ABSENT) & (codes != CODE["leavingpool"])))
        going = min(here, spare[cohort.kind])
        spare[cohort.kind] -= going
        kept.append(allocation.shrink(cohort, going, now, gone) if going else cohort)
    fleet.cohorts = tuple(reversed(kept))
    return gone


def _grow(
    fleet: Fleet, now: float, kind: Kind, missing: int, terms: Terms, timeout_s: float, problems: list[Problem]
) -> float:
    """Ask for nodes of a kind; note what goes wrong, and return when this part of the resize is over."""
    if terms.failure is not None:
        problems.append(terms.failure)
        return now + min(timeout_s, PACE.failed_s)
    asked = min(missing, max(0, terms.room.get(kind, missing)))
    if asked < missing:
        problems.append(terms.full[kind])
    if not asked:
        return now + PACE.empty_s
    source = terms.boot.partition("/")[2]
    seed = f"{fleet.seed}/{fleet.ever}/{kind}"
    total = asked + sum(current(fleet, now, each) for each in KINDS)
    cohort = Cohort(
        seed=seed,
        kind=kind,
        first=fleet.ever,
        count=asked,
        began=now,
        until=now + timeout_s,
        first_s=allocation.first_s(seed),
        wave_s=allocation.wave_s(source, total, terms.replicas, terms.slowed),
        boot=terms.boot,
        unusable=terms.unusable,
        recovering=terms.recovering,
        start_task_s=terms.start_task_s,
        start_task_fails=terms.start_task_fails,
        preempted_per_h=terms.preempted_per_h if kind == "spot" else 0.0,
    )
    fleet.ever += asked
    fleet.cohorts = (*fleet.cohorts, cohort)
    last = allocation.last_arrival(cohort)
    if last > cohort.until:
        problems.append(_unmet("AllocationTimedout", kind))
        return cohort.until
    return last + PACE.settled_s


def _unmet(code: str, kind: Kind) -> Problem:
    why = {
        "AllocationTimedout": "as the resize timeout was reached",
        "ResizeStopped": "due to a stop resize operation",
    }[code]
    return Problem(code, f"Desired number of {_CALLED[kind]} nodes could not be allocated {why}")


def stop(fleet: Fleet, now: float) -> None:
    """Stop the resize that goes on: nothing more comes, what is leaving goes on leaving."""
    resize = fleet.resize
    if resize is None or now >= resize.ends or resize.stopped is not None:
        return
    cut = tuple(
        msgspec.structs.replace(cohort, until=min(cohort.until, now)) if cohort.began == resize.began else cohort
        for cohort in fleet.cohorts
    )
    short = {kind for kind in KINDS if any(c.kind == kind and allocation.last_arrival(c) > c.until for c in cut)}
    fleet.cohorts = cut
    left = [leave.gone for cohort in cut for leave in cohort.leaves if leave.at >= resize.began]
    kept = [problem for problem in resize.errors if problem.code != "AllocationTimedout"]
    stopped = [_unmet("ResizeStopped", kind) for kind in KINDS if kind in short]
    fleet.resize = msgspec.structs.replace(
        resize, stopped=now, ends=max([now + PACE.stop_s, *left]), errors=(*kept, *stopped)
    )


def stir(fleet: Fleet, now: float, seconds: float) -> None:
    """Let a steady pool read resizing for a moment; the last resize and its errors stay what they are."""
    if fleet.resize is not None:
        fleet.resize = msgspec.structs.replace(fleet.resize, since=now, ends=now + seconds)


def remove(fleet: Fleet, now: float, node_ids: Iterable[str], *, timeout_s: float, option: str) -> dict[Kind, int]:
    """Let single nodes leave, as a resize of its own.

    Returns
    -------
    dict
        How many of each kind leave.

    Raises
    ------
    KeyError
        No such node.
    """
    going: dict[int, list[int]] = {}
    for node_id in node_ids:
        node = find(fleet, now, node_id)
        if node is None:
            raise KeyError(node_id)
        if node.state != "leavingpool":
            going.setdefault(fleet.cohorts.index(node.cohort), []).append(node.place)
    gone = now + allocation.removal_s(sum(len(places) for places in going.values()))
    fleet.cohorts = tuple(
        allocation.remove(cohort, going[number], now, gone) if number in going else cohort
        for number, cohort in enumerate(fleet.cohorts)
    )
    targets = {kind: current(fleet, now, kind, leaving=False) for kind in KINDS}
    ends = max(now + PACE.empty_s, gone)
    fleet.resize = Resize(now, ends, timeout_s, targets["dedicated"], targets["spot"], option)
    return {
        kind: sum(len(places) for number, places in going.items() if fleet.cohorts[number].kind == kind)
        for kind in KINDS
    }


def note(fleet: Fleet, now: float, node_id: str, verb: str) -> None:
    """Note what was done to a node; what is over and changes nothing any more is dropped."""
    done = fleet.events.setdefault(node_id, [])
    if verb in ("disable", "enable"):
        done[:] = [event for event in done if event[0] not in ("disable", "enable")]
    else:
        done[:] = [event for event in done if event[0] in ("disable", "enable")]
    done.append((verb, now))
