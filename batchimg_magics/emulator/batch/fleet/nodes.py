"""The nodes of a pool at a time: a pure function of its resizes and actions (`resizing`) and of the time.

Source: the recorded pools and nodes.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.batch.fleet import node_times
from batchimg_magics.emulator.batch.fleet.cohorts import ABSENT, STATE_CODES, STATES, Cohort, NodeKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.emulator.batch.fleet.allocation import NodeTable

KINDS: tuple[NodeKind, NodeKind] = ("dedicated", "spot")
#: The states of a node until its operating system runs.
_BOOTING = frozenset({"rebooting", "reimaging", "starting"})


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
        When it was requested, and when the pool is steady again.
    timeout_s
        The resize timeout.
    dedicated, spot
        The targets.
    option
        The node deallocation option: what happens to tasks on nodes that leave.
    errors
        The resize errors when it has ended.
    stopped
        When it was stopped, None if it was not.
    since
        When the pool was last in the state resizing without a resize, None if never since `ends`.
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
        Seed of its nodes.
    cohorts
        The cohorts of its resizes, without those that have no node any more.
    resize
        The last resize.
    ever, ever_spot
        How many nodes were requested so far, and how many of them were spot nodes.
    events
        Node id -> (action, time) in order of time: reboot, reimage, deallocate, start, disable, enable.
    """

    seed: str
    cohorts: tuple[Cohort, ...] = ()
    resize: Resize | None = None
    ever: int = 0
    ever_spot: int = 0
    events: dict[str, list[tuple[str, float]]] = {}


class Node(msgspec.Struct, frozen=True):
    """One node at one time.

    Parameters
    ----------
    id
        Node id.
    cohort
        Its cohort.
    index
        Its index in the cohort.
    state, since
        Its state, and when the state began.
    allocated, booted
        When it was allocated, and when its operating system started last (None: not yet).
    agent_since
        When its node agent first reported, None if it has not.
    scheduling
        Whether tasks are scheduled on it.
    """

    id: str
    cohort: Cohort
    index: int
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


def resize_errors(fleet: Fleet, now: float) -> tuple[Problem, ...]:
    """Return the errors of the last resize: they exist from its end to the beginning of the next one."""
    return fleet.resize.errors if fleet.resize is not None and now >= fleet.resize.ends else ()


def current_nodes(fleet: Fleet, now: float, kind: NodeKind, *, leaving: bool = True) -> int:
    """Return the current number of nodes of a kind, with or without those that are leaving."""
    from batchimg_magics.emulator.batch.fleet import allocation  # numpy

    ours = (cohort for cohort in fleet.cohorts if cohort.kind == kind)
    return sum(allocation.count_present(cohort, now, leaving=leaving) for cohort in ours)


def current_and_pending_nodes(fleet: Fleet, now: float, kind: NodeKind) -> int:
    """Return the number of nodes of a kind that exist or will be allocated."""
    from batchimg_magics.emulator.batch.fleet import allocation  # numpy

    pending = sum(allocation.count_pending(cohort, now) for cohort in fleet.cohorts if cohort.kind == kind)
    return pending + current_nodes(fleet, now, kind)


def counts_by_state(fleet: Fleet, now: float, kind: NodeKind) -> dict[str, int]:
    """Return the number of nodes of a kind in each state; states without a node are left out."""
    from batchimg_magics.emulator.batch.fleet import allocation  # numpy

    tally = [0] * len(STATES)
    for cohort in fleet.cohorts:
        if cohort.kind != kind:
            continue
        tally = [sum(both) for both in zip(tally, allocation.count_states(cohort, now), strict=True)]
        if not fleet.events:
            continue
        codes, since = allocation.states_at(cohort, now)
        for node_id in fleet.events:
            row = allocation.find_row(cohort, node_id)
            if row is not None and codes[row] != ABSENT:
                table = allocation.node_table(cohort)
                node = _node(fleet, now, cohort, table, row, STATES[codes[row]], float(since[row]))
                tally[codes[row]] -= 1
                tally[STATE_CODES[node.state]] += 1
    return {state: count for state, count in zip(STATES, tally, strict=True) if count}


def nodes(fleet: Fleet, now: float, after: str = "") -> Iterator[Node]:
    """Yield the current nodes in order of their ids, only those after an id."""
    from batchimg_magics.emulator.batch.fleet import allocation  # numpy

    rows: list[tuple[str, int, int]] = []
    states, tables = [], []
    for number, cohort in enumerate(fleet.cohorts):
        codes, since = allocation.states_at(cohort, now)
        states.append((codes, since))
        tables.append(allocation.node_table(cohort))
        ids = tables[-1].ids
        rows.extend((ids[row], number, row) for row in allocation.present_rows(codes, bisect_right(ids, after)))
    if len(fleet.cohorts) > 1:
        rows.sort()
    for _, number, row in rows:
        codes, since = states[number]
        state = STATES[codes[row]]
        yield _node(fleet, now, fleet.cohorts[number], tables[number], row, state, float(since[row]))


def find_node(fleet: Fleet, now: float, node_id: str) -> Node | None:
    """Return one node at a time, None if it does not exist."""
    from batchimg_magics.emulator.batch.fleet import allocation  # numpy

    for cohort in fleet.cohorts:
        row = allocation.find_row(cohort, node_id)
        if row is not None:
            codes, since = allocation.states_at(cohort, now)
            if codes[row] == ABSENT:
                return None
            table = allocation.node_table(cohort)
            return _node(fleet, now, cohort, table, row, STATES[codes[row]], float(since[row]))
    return None


def _node(fleet: Fleet, now: float, cohort: Cohort, table: NodeTable, row: int, state: str, since: float) -> Node:
    up = float(table.booted[row])
    agent = up if up <= now and state != "unusable" else None
    booted, scheduling = agent, True
    events = fleet.events.get(table.ids[row])
    if events and state not in ("leavingpool", "preempted"):
        state, since, booted, scheduling = _after_events(cohort, events, state, since, booted, up, now)
    allocated = float(table.times[0, row])
    return Node(table.ids[row], cohort, int(table.index[row]), state, since, allocated, booted, agent, scheduling)


def _after_events(
    cohort: Cohort,
    done: list[tuple[str, float]],
    state: str,
    since: float,
    booted: float | None,
    boots_until: float,
    now: float,
) -> tuple[str, float, float | None, bool]:
    """Return state, since when, last boot and scheduling of a node after the actions on it."""
    scheduling, switched = True, 0.0
    for verb, moment in done:
        if moment > now:
            break  # formulas and counts use times in the past
        if verb in ("disable", "enable"):
            scheduling, switched = verb == "enable", moment
            continue
        since = moment
        phases = _phases(cohort, "reboot of a starting node" if verb == "reboot" and moment < boots_until else verb)
        boots_until = moment + sum(seconds for phase, seconds in phases if phase in _BOOTING)
        for phase, seconds in phases:
            state = phase
            if now < since + seconds:
                break
            since += seconds
        if state in ("waitingforstarttask", "starttaskfailed", "idle") and verb != "deallocate":
            booted = since
    if state in ("deallocated", "deallocating"):
        scheduling = False
    if not scheduling and state == "idle":
        state, since = "offline", max(since, switched)
    return state, since, booted, scheduling


def _phases(cohort: Cohort, verb: str) -> tuple[tuple[str, float], ...]:
    """Return the states after an action; a start task with wait-for-success runs again after every boot."""
    phases = node_times.ACTION_STATES[verb]
    if phases[-1][0] != "idle" or cohort.start_task_s is None:
        return phases
    ends = "starttaskfailed" if cohort.start_task_fails else "idle"
    return (*phases[:-1], ("waitingforstarttask", cohort.start_task_s), (ends, math.inf))
