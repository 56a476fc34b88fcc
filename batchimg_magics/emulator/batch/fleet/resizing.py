"""Changes of the nodes of a pool: resizes, their end, removals of nodes, and actions on nodes.

The end and the errors of a resize are known when it begins, because allocation is a pure function; stop-resize replaces
its end.

Source: the recorded resizes, stops and removals. Resize errors are as recorded, else those of Microsoft's
examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.batch.fleet import cohorts
from batchimg_magics.emulator.batch.fleet.cohorts import Cohort, NodeKind
from batchimg_magics.emulator.batch.fleet.node_times import ALLOCATION_TIMES
from batchimg_magics.emulator.batch.fleet.nodes import KINDS, Fleet, Problem, Resize, current_nodes, find_node
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

evidence = Evidence("Resizes")
evidence.rule(
    "A node that leaves after its tasks is in the state leavingpool until then. If that exceeds the resize timeout, "
    "the resize ends with AllocationTimedout, and the node still leaves after its tasks.",
    "no recorded node had tasks; the documents describe what happens to tasks, but not the state of the node",
)
evidence.rule(
    "retaineddata is the same as taskcompletion: nodes do not wait for the retention time of task data.",
    "a simplification: tasks write no data",
)
#: Why nodes were not allocated, by error code, and how messages name each kind.
_REASONS = {
    "AllocationFailed": "",
    "AllocationTimedout": " as the resize timeout was reached",
    "ResizeStopped": " due to a stop resize operation",
}
_KIND_NAMES: dict[NodeKind, str] = {"dedicated": "dedicated", "spot": "low priority"}


class AllocationTerms(msgspec.Struct, frozen=True):
    """The conditions under which a pool gets nodes now.

    Parameters
    ----------
    boot
        Key of `node_times.BOOT_S`: OS and image source.
    replicas
        Of a gallery image in the region, None for other images.
    slowed
        The factor by which the scenario slows allocation.
    unusable, recovering
        Share of nodes that become unusable, and of those that recover.
    start_task_s, start_task_fails
        As for `cohorts.Cohort`.
    preempted_per_h
        Preemptions of a Spot node in an hour.
    available
        How many more nodes of a kind the quotas allow; a missing kind has no limit.
    quota_errors
        The errors of exhausted quotas.
    failure
        Why no node can be allocated, as the values of the error; None if nothing prevents it.
    errors
        The errors with which every allocation ends, without any node; empty for none.
    """

    boot: str = "linux/marketplace"
    replicas: int | None = None
    slowed: float = 1.0
    unusable: float = 0.0
    recovering: float = 0.0
    start_task_s: float | None = None
    start_task_fails: bool = False
    preempted_per_h: float = 0.0
    available: dict[NodeKind, int] = msgspec.field(default_factory=dict)
    quota_errors: dict[NodeKind, Problem] = msgspec.field(default_factory=dict)
    failure: tuple[tuple[str, str], ...] | None = None
    errors: tuple[Problem, ...] = ()


def begin_resize(
    fleet: Fleet,
    now: float,
    targets: dict[NodeKind, int],
    terms: AllocationTerms,
    *,
    timeout_s: float,
    option: str = "requeue",
    busy: Mapping[str, float] | None = None,
) -> None:
    """Begin a resize: nodes above a target leave, missing nodes are requested.

    Parameters
    ----------
    fleet, now, targets, terms
        The nodes, the time, the targets, and the conditions.
    timeout_s, option
        As in the request.
    busy
        Node id -> end of its tasks, if it stays until then; None: tasks do not delay a node.
    """
    drop_departed_nodes(fleet, now)
    problems: list[Problem] = []
    ends = [now + ALLOCATION_TIMES.empty_s, _shrink(fleet, now, targets, busy or {}, timeout_s, problems)]
    for kind in KINDS:
        missing = targets[kind] - current_nodes(fleet, now, kind, leaving=False)
        if missing > 0:
            ends.append(_grow(fleet, now, kind, missing, terms, timeout_s, problems))
    fleet.resize = Resize(now, max(ends), timeout_s, targets["dedicated"], targets["spot"], option, tuple(problems))


def drop_departed_nodes(fleet: Fleet, now: float) -> None:
    """Drop cohorts without nodes and actions on nodes that have left; earlier requests allocate no more nodes."""
    from batchimg_magics.emulator.batch.fleet import allocation  # numpy

    cut = (msgspec.structs.replace(cohort, until=min(cohort.until, now)) for cohort in fleet.cohorts)
    fleet.cohorts = tuple(cohort for cohort in cut if allocation.count_present(cohort, now, leaving=True))
    fleet.events = {node_id: done for node_id, done in fleet.events.items() if find_node(fleet, now, node_id)}


def _shrink(
    fleet: Fleet,
    now: float,
    targets: dict[NodeKind, int],
    busy: Mapping[str, float],
    timeout_s: float,
    problems: list[Problem],
) -> float:
    """Remove the nodes above the targets, the newest first; return when this part of the resize is done."""
    from batchimg_magics.emulator.batch.fleet import allocation  # numpy

    spare = {kind: max(0, current_nodes(fleet, now, kind, leaving=False) - targets[kind]) for kind in KINDS}
    gone = now + cohorts.removal_s(sum(spare.values()))
    kept, last, ends, overdue_kinds = [], gone, max(gone, now + timeout_s), set[NodeKind]()
    for cohort in reversed(fleet.cohorts):
        going = min(allocation.count_present(cohort, now, leaving=False), spare[cohort.kind])
        spare[cohort.kind] -= going
        left, last_of_it = _leaving(cohort, allocation.newest_indexes(cohort, going, now), now, gone, busy)
        kept.append(left)
        last = max(last, last_of_it)
        overdue_kinds |= {cohort.kind} if last_of_it > ends else set()
    problems += [allocation_error("AllocationTimedout", kind) for kind in KINDS if kind in overdue_kinds]
    fleet.cohorts = tuple(reversed(kept))
    return min(last, ends)


def _leaving(
    cohort: Cohort, indexes: list[int], now: float, gone: float, busy: Mapping[str, float]
) -> tuple[Cohort, float]:
    """Return a cohort whose nodes with these indexes leave, busy ones after their tasks; and when all are gone."""
    if not indexes:
        return cohort, now
    from batchimg_magics.emulator.batch.fleet import allocation  # numpy

    late = {index: busy[name] for index, name in allocation.node_ids(cohort, indexes).items() if name in busy}
    cohort = allocation.without_nodes(cohort, [index for index in indexes if index not in late], now, gone)
    last = gone
    for index, done in late.items():
        last = max(last, alone := max(gone, done + cohorts.removal_s(1)))
        cohort = allocation.without_nodes(cohort, [index], now, alone)
    return cohort, last


def _grow(
    fleet: Fleet,
    now: float,
    kind: NodeKind,
    missing: int,
    terms: AllocationTerms,
    timeout_s: float,
    problems: list[Problem],
) -> float:
    """Request nodes of a kind; add the errors, and return when this part of the resize is done."""
    if terms.errors:
        problems += [error for error in terms.errors if error not in problems]
        return now + min(timeout_s, ALLOCATION_TIMES.failed_s)
    if terms.failure is not None:
        problems.append(allocation_error("AllocationFailed", kind, terms.failure))
        return now + min(timeout_s, ALLOCATION_TIMES.failed_s)
    asked = min(missing, max(0, terms.available.get(kind, missing)))
    if asked < missing:
        problems.append(terms.quota_errors[kind])
    if not asked:
        return now + ALLOCATION_TIMES.empty_s
    source = terms.boot.partition("/")[2]
    seed = f"{fleet.seed}/{fleet.ever}/{kind}"
    total = asked + sum(current_nodes(fleet, now, each) for each in KINDS)
    cohort = Cohort(
        seed=seed,
        kind=kind,
        first=fleet.ever,
        count=asked,
        began=now,
        until=now + timeout_s,
        first_s=cohorts.first_wave_s(seed),
        wave_s=cohorts.wave_interval_s(source, total, terms.replicas, terms.slowed),
        boot=terms.boot,
        unusable=terms.unusable,
        recovering=terms.recovering,
        start_task_s=terms.start_task_s,
        start_task_fails=terms.start_task_fails,
        preempted_per_h=terms.preempted_per_h if kind == "spot" else 0.0,
        place=fleet.ever_spot if kind == "spot" else fleet.ever - fleet.ever_spot,
    )
    fleet.ever += asked
    fleet.ever_spot += asked if kind == "spot" else 0
    fleet.cohorts = (*fleet.cohorts, cohort)
    last = cohorts.last_arrival(cohort)
    if last > cohort.until:
        problems.append(allocation_error("AllocationTimedout", kind))
        return cohort.until
    return last + ALLOCATION_TIMES.settled_s


def allocation_error(code: str, kind: NodeKind, values: tuple[tuple[str, str], ...] = ()) -> Problem:
    """Return the error of a resize that did not get its nodes of a kind."""
    return Problem(code, f"Desired number of {_KIND_NAMES[kind]} nodes could not be allocated{_REASONS[code]}", values)


def stop_resize(fleet: Fleet, now: float) -> None:
    """Stop the current resize: no more nodes are allocated; nodes that are leaving continue to leave."""
    resize = fleet.resize
    if resize is None or now >= resize.ends or resize.stopped is not None:
        return
    short = {c.kind for c in fleet.cohorts if c.began == resize.began and cohorts.last_arrival(c) > now}
    cut = tuple(msgspec.structs.replace(cohort, until=min(cohort.until, now)) for cohort in fleet.cohorts)
    fleet.cohorts = cut
    left = [leave.gone for cohort in cut for leave in cohort.leaves if leave.at >= resize.began]
    kept = [problem for problem in resize.errors if problem.code != "AllocationTimedout"]
    stopped = [allocation_error("ResizeStopped", kind) for kind in KINDS if kind in short]
    fleet.resize = msgspec.structs.replace(
        resize, stopped=now, ends=max([now + ALLOCATION_TIMES.stop_s, *left]), errors=(*kept, *stopped)
    )


def show_resizing(fleet: Fleet, now: float, seconds: float) -> None:
    """Show a steady pool as resizing for a short time; the last resize and its errors stay."""
    if fleet.resize is not None:
        fleet.resize = msgspec.structs.replace(fleet.resize, since=now, ends=now + seconds)


def remove_nodes(
    fleet: Fleet,
    now: float,
    node_ids: Iterable[str],
    *,
    timeout_s: float,
    option: str,
    busy: Mapping[str, float] | None = None,
) -> None:
    """Remove single nodes, as a resize of its own.

    Parameters
    ----------
    fleet, now, timeout_s, option, busy
        As for `begin_resize`.
    node_ids
        The nodes.

    Raises
    ------
    KeyError
        There is no such node.
    """
    going: dict[int, list[int]] = {}
    states: list[str] = []
    for node_id in node_ids:
        node = find_node(fleet, now, node_id)
        if node is None:
            raise KeyError(node_id)
        if node.state != "leavingpool":
            going.setdefault(fleet.cohorts.index(node.cohort), []).append(node.index)
            states.append(node.state)
    gone = now + (cohorts.removal_s(len(states)) if len(states) != 1 else cohorts.removal_of_one_s(states[0]))
    left = [
        _leaving(cohort, going.get(number, []), now, gone, busy or {}) for number, cohort in enumerate(fleet.cohorts)
    ]
    fleet.cohorts = tuple(cohort for cohort, _ in left)
    last = max([gone, *(moment for _, moment in left)])
    over = max(gone, now + timeout_s)
    late = [allocation_error("AllocationTimedout", cohort.kind) for cohort, moment in left if moment > over]
    targets = {kind: current_nodes(fleet, now, kind, leaving=False) for kind in KINDS}
    ends = max(now + ALLOCATION_TIMES.empty_s, min(last, over))
    fleet.resize = Resize(now, ends, timeout_s, targets["dedicated"], targets["spot"], option, tuple(late))


def record_action(fleet: Fleet, now: float, node_id: str, verb: str) -> None:
    """Store an action on a node; earlier actions without an effect are dropped."""
    done = fleet.events.setdefault(node_id, [])
    if verb in ("disable", "enable"):
        done[:] = [event for event in done if event[0] not in ("disable", "enable")]
    else:
        done[:] = [event for event in done if event[0] in ("disable", "enable")]
    done.append((verb, now))
