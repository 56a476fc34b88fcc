"""What changes the nodes of a pool: resizes, their end, single nodes that are removed or told something.

A resize knows its end and its errors as soon as it begins, because allocation is a pure function; stopping it writes
its end anew.

Source: the recorded resizes, stops and removals (FACTS 4 and 5). Resize errors are the wire's own where recorded, else
those of Microsoft's examples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from batchimg_magics.sim import allocation
from batchimg_magics.sim.allocation import ABSENT, CODE, Cohort, Kind
from batchimg_magics.sim.basis import Basis
from batchimg_magics.sim.fleet import KINDS, Fleet, Problem, Resize, current, find
from batchimg_magics.sim.node_times import PACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

basis = Basis("Resizes")
basis.rule(
    "A node that leaves once its tasks are done reads leavingpool all that time; where that is beyond the resize's "
    "timeout, the resize ends with AllocationTimedout, and the node leaves when its tasks are done all the same.",
    "no recorded node had tasks; the documents say what becomes of tasks, not how the node reads meanwhile",
)
basis.rule(
    "retaineddata is as taskcompletion: nobody waits for the retention of the tasks' data.",
    "a simplification: nothing is written here",
)
#: Why nodes were not allocated, by error code, and what messages call each kind.
_WHY = {
    "AllocationFailed": "",
    "AllocationTimedout": " as the resize timeout was reached",
    "ResizeStopped": " due to a stop resize operation",
}
_CALLED: dict[Kind, str] = {"dedicated": "dedicated", "spot": "low priority"}


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a pool gets nodes now.

    Parameters
    ----------
    boot
        Key of `node_times.BOOT_S`: OS and source of the image.
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
        Why no node can be allocated at all, as the values of the error; None when nothing is in the way.
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
    failure: tuple[tuple[str, str], ...] | None = None


def begin(
    fleet: Fleet,
    now: float,
    targets: dict[Kind, int],
    terms: Terms,
    *,
    timeout_s: float,
    option: str = "requeue",
    busy: Mapping[str, float] | None = None,
) -> None:
    """Begin a resize: nodes beyond a target leave, nodes that are missing are asked for.

    Parameters
    ----------
    fleet, now, targets, terms
        Whose, when, to how many, on what terms.
    timeout_s, option
        As the request says.
    busy
        Node to when its tasks are done, where it stays until then; None: tasks keep no node.
    """
    settle(fleet, now)
    problems: list[Problem] = []
    ends = [now + PACE.empty_s, _shrink(fleet, now, targets, busy or {}, timeout_s, problems)]
    for kind in KINDS:
        missing = targets[kind] - current(fleet, now, kind, leaving=False)
        if missing > 0:
            ends.append(_grow(fleet, now, kind, missing, terms, timeout_s, problems))
    fleet.resize = Resize(now, max(ends), timeout_s, targets["dedicated"], targets["spot"], option, tuple(problems))


def settle(fleet: Fleet, now: float) -> None:
    """Drop what has no node any more, and what was done to nodes that have left; nothing asked for before comes now."""
    cut = (msgspec.structs.replace(cohort, until=min(cohort.until, now)) for cohort in fleet.cohorts)
    fleet.cohorts = tuple(cohort for cohort in cut if np.any(allocation.at(cohort, now)[0] != ABSENT))
    fleet.events = {node_id: done for node_id, done in fleet.events.items() if find(fleet, now, node_id)}


def _shrink(
    fleet: Fleet,
    now: float,
    targets: dict[Kind, int],
    busy: Mapping[str, float],
    timeout_s: float,
    problems: list[Problem],
) -> float:
    """Let the nodes beyond the targets leave, the newest first; return when this part of the resize is over."""
    spare = {kind: max(0, current(fleet, now, kind, leaving=False) - targets[kind]) for kind in KINDS}
    gone = now + allocation.removal_s(sum(spare.values()))
    kept, last, ends, late = [], gone, max(gone, now + timeout_s), set[Kind]()
    for cohort in reversed(fleet.cohorts):
        codes, _ = allocation.at(cohort, now)
        here = int(np.count_nonzero((codes != ABSENT) & (codes != CODE["leavingpool"])))
        going = min(here, spare[cohort.kind])
        spare[cohort.kind] -= going
        left, last_of_it = _leaving(cohort, allocation.newest(cohort, going, now), now, gone, busy)
        kept.append(left)
        last = max(last, last_of_it)
        late |= {cohort.kind} if last_of_it > ends else set()
    problems += [unmet("AllocationTimedout", kind) for kind in KINDS if kind in late]
    fleet.cohorts = tuple(reversed(kept))
    return min(last, ends)


def _leaving(
    cohort: Cohort, places: list[int], now: float, gone: float, busy: Mapping[str, float]
) -> tuple[Cohort, float]:
    """Return a cohort whose nodes at these places leave, those that are busy when they are done; and when all have."""
    if not places:
        return cohort, now
    late = {place: busy[name] for place, name in allocation.names(cohort, places).items() if name in busy}
    cohort = allocation.remove(cohort, [place for place in places if place not in late], now, gone)
    last = gone
    for place, done in late.items():
        last = max(last, alone := max(gone, done + allocation.removal_s(1)))
        cohort = allocation.remove(cohort, [place], now, alone)
    return cohort, last


def _grow(
    fleet: Fleet, now: float, kind: Kind, missing: int, terms: Terms, timeout_s: float, problems: list[Problem]
) -> float:
    """Ask for nodes of a kind; note what goes wrong, and return when this part of the resize is over."""
    if terms.failure is not None:
        problems.append(unmet("AllocationFailed", kind, terms.failure))
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
        problems.append(unmet("AllocationTimedout", kind))
        return cohort.until
    return last + PACE.settled_s


def unmet(code: str, kind: Kind, values: tuple[tuple[str, str], ...] = ()) -> Problem:
    """Return the error of a resize that did not get its nodes of a kind."""
    return Problem(code, f"Desired number of {_CALLED[kind]} nodes could not be allocated{_WHY[code]}", values)


def stop(fleet: Fleet, now: float) -> None:
    """Stop the resize that goes on: nothing more comes, what is leaving goes on leaving."""
    resize = fleet.resize
    if resize is None or now >= resize.ends or resize.stopped is not None:
        return
    short = {c.kind for c in fleet.cohorts if c.began == resize.began and allocation.last_arrival(c) > now}
    cut = tuple(msgspec.structs.replace(cohort, until=min(cohort.until, now)) for cohort in fleet.cohorts)
    fleet.cohorts = cut
    left = [leave.gone for cohort in cut for leave in cohort.leaves if leave.at >= resize.began]
    kept = [problem for problem in resize.errors if problem.code != "AllocationTimedout"]
    stopped = [unmet("ResizeStopped", kind) for kind in KINDS if kind in short]
    fleet.resize = msgspec.structs.replace(
        resize, stopped=now, ends=max([now + PACE.stop_s, *left]), errors=(*kept, *stopped)
    )


def stir(fleet: Fleet, now: float, seconds: float) -> None:
    """Let a steady pool read resizing for a moment; the last resize and its errors stay what they are."""
    if fleet.resize is not None:
        fleet.resize = msgspec.structs.replace(fleet.resize, since=now, ends=now + seconds)


def remove(
    fleet: Fleet,
    now: float,
    node_ids: Iterable[str],
    *,
    timeout_s: float,
    option: str,
    busy: Mapping[str, float] | None = None,
) -> None:
    """Let single nodes leave, as a resize of its own.

    Parameters
    ----------
    fleet, now, timeout_s, option, busy
        As for `begin`.
    node_ids
        Which.

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
    left = [
        _leaving(cohort, going.get(number, []), now, gone, busy or {}) for number, cohort in enumerate(fleet.cohorts)
    ]
    fleet.cohorts = tuple(cohort for cohort, _ in left)
    last = max([gone, *(moment for _, moment in left)])
    over = max(gone, now + timeout_s)
    late = [unmet("AllocationTimedout", cohort.kind) for cohort, moment in left if moment > over]
    targets = {kind: current(fleet, now, kind, leaving=False) for kind in KINDS}
    ends = max(now + PACE.empty_s, min(last, over))
    fleet.resize = Resize(now, ends, timeout_s, targets["dedicated"], targets["spot"], option, tuple(late))


def note(fleet: Fleet, now: float, node_id: str, verb: str) -> None:
    """Note what was done to a node; what is over and changes nothing any more is dropped."""
    done = fleet.events.setdefault(node_id, [])
    if verb in ("disable", "enable"):
        done[:] = [event for event in done if event[0] not in ("disable", "enable")]
    else:
        done[:] = [event for event in done if event[0] in ("disable", "enable")]
    done.append((verb, now))
