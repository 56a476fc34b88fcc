"""Scheduling of tasks: which node runs which task, and when.

A task takes the time that its command line has (`commands`). Tasks are scheduled when a request next reads the pool,
but at the times at which slots were free: the events in between are computed in order, so the result does not depend on
the time of the read. A task whose node leaves is active again.

Source: the task states and counts of the REST reference; the execution of tasks is simulated.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.batch.fleet import nodes
from batchimg_magics.emulator.batch.model.task_dependencies import TaskDependencies, has_dependencies
from batchimg_magics.emulator.catalog import marketplace
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.world.store import Store

JOBS = "microsoft.batch/batchaccounts/jobs"
KIND = f"{JOBS}/tasks"
evidence = Evidence("Tasks")
#: The setting with the process that runs the tasks of the state; missing: nobody does, and their text tells the end.
EXECUTOR = "executor"
PROGRAM_S = evidence.assumed(30.0, "s", "for each program in the command line of a task", "no command is executed")
evidence.rule(
    "A task runs on the node that is free first, regardless of nodeFillType; if its node leaves, it is active again.",
    "the order within a pool is not documented",
)
evidence.rule(
    "A multi-instance task runs on one node, in a pool with communication between nodes, one task slot a node, and as "
    "many nodes as it has instances.",
    "documented: in other pools it stays active; its subtasks are not simulated",
)
#: States of nodes that accept tasks, and those in which running tasks continue.
_ACCEPTING_STATES = frozenset({"idle"})
_SURVIVING_STATES = frozenset({"idle", "offline", "running", "leavingpool"})


class TaskState(msgspec.Struct, omit_defaults=True):
    """The state of a task beside its document.

    Parameters
    ----------
    pool
        Key of its pool.
    priority, number
        Tasks are scheduled in order of the priority of their job, then of their creation.
    added
        Since when it is active.
    seconds, exit_code
        The result of its command.
    slots
        Its task slots.
    created, modified
        In ticks.
    waiting
        Whether its job is active, so that it may be scheduled.
    node, started, ends
        Where and when it runs; the end is known at the start.
    terminated
        Whether a client terminated it.
    requeued
        How often it was requeued because its node left.
    retried
        How often its process was started again after it had failed.
    failure
        Why a task failed that really ran, as code and message; None: its exit code tells it.
    """

    pool: str
    priority: int
    number: int
    added: float
    seconds: float
    exit_code: int
    slots: int
    created: int
    modified: int
    waiting: bool = True
    node: str | None = None
    started: float | None = None
    ends: float | None = None
    terminated: bool = False
    requeued: int = 0
    retried: int = 0
    failure: tuple[str, str] | None = None

    def state(self, now: float) -> str:
        """Return ``active``, ``running`` or ``completed``."""
        if self.ends is not None and now >= self.ends:
            return "completed"
        return "running" if self.started is not None and now >= self.started else "active"


class NodeLoad(msgspec.Struct):
    """The tasks of a node: running tasks and their slots, tasks run so far, and succeeded ones."""

    running: int = 0
    slots: int = 0
    run: int = 0
    succeeded: int = 0


def state_of(item: Item) -> TaskState:
    """Return the state of a task."""
    return msgspec.convert(item.hidden, TaskState)


def instances_of(item: Item) -> int:
    """Return the number of nodes that a task asks for."""
    return int(item.doc.get("multiInstanceSettings", {}).get("numberOfInstances", 1))


def save_task(store: Store, item: Item, state: TaskState) -> None:
    """Store a task."""
    store.put(Item(item.key, KIND, item.doc, msgspec.to_builtins(state)))


def pool_tasks(store: Store, pool: Pool) -> list[tuple[Item, TaskState]]:
    """Return the tasks of a pool's jobs, in the order of scheduling."""
    if not pool.state.tasks:
        return []
    account = pool.key.rpartition("/pools/")[0]
    found = [(item, state_of(item)) for item in store.items(KIND, account)]
    mine = [(item, state) for item, state in found if state.pool == pool.key]
    return sorted(mine, key=lambda pair: (-pair[1].priority, pair[1].number))


def schedule_due_tasks(store: Store, pool: Pool, now: float) -> None:
    """Schedule the tasks that could have started by now, and requeue those whose node left."""
    listed = pool_tasks(store, pool)
    open_tasks = [(item, state) for item, state in listed if state.state(now) != "completed"]
    if not open_tasks:
        return
    nodes_by_id = {node.id: node for node in nodes.nodes(pool.state.fleet, now)}
    changed = [pair for pair in open_tasks if _requeue(pair[1], nodes_by_id, now)]
    changed += _schedule(pool, nodes_by_id, listed, now, really=runs_tasks(store) and _is_linux(pool))
    for item, state in {id(pair[0]): pair for pair in changed}.values():
        save_task(store, item, state)


def runs_tasks(store: Store) -> bool:
    """Tell whether a process runs the tasks of the state."""
    process = store.meta(EXECUTOR)
    if process is None:
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _is_linux(pool: Pool) -> bool:
    machine = pool.doc.get("virtualMachineConfiguration")
    return machine is not None and marketplace.node_agents().get(machine["nodeAgentSKUId"].lower()) != "windows"


def _requeue(state: TaskState, nodes: dict[str, nodes.Node], now: float) -> bool:
    """Requeue a running task if its node is not available any more."""
    if state.node is None or state.started is None:
        return False
    node = nodes.get(state.node)
    if node is not None and (node.state in _SURVIVING_STATES or node.since <= state.started):
        return False
    since = now if node is None else node.since
    if state.ends is not None and state.ends <= since:
        return False
    state.node, state.started, state.ends = None, None, None
    state.added, state.requeued = since, state.requeued + 1
    return True


def _schedule(
    pool: Pool, nodes: dict[str, nodes.Node], listed: list[tuple[Item, TaskState]], now: float, *, really: bool
) -> list[tuple[Item, TaskState]]:
    """Schedule active tasks on the nodes that are free first; return the scheduled ones."""
    slots = int(pool.doc["taskSlotsPerNode"])
    free = {
        node.id: [node.since] * slots for node in nodes.values() if node.scheduling and node.state in _ACCEPTING_STATES
    }
    most = len(free) if slots == 1 and pool.doc.get("enableInterNodeCommunication") else 0
    waiting = [
        pair
        for pair in listed
        if pair[1].node is None
        and pair[1].waiting
        and pair[1].ends is None
        and ("multiInstanceSettings" not in pair[0].doc or instances_of(pair[0]) <= most)
    ]
    for _, state in listed:
        if state.node in free and state.started is not None:
            _occupy(free[state.node], state.slots, math.inf if state.ends is None else state.ends)
    given: list[tuple[Item, TaskState]] = []
    while placed := _place(waiting, free, TaskDependencies(listed), now, really=really):
        given += placed
        waiting = [pair for pair in waiting if pair[1].node is None]
        if not any(has_dependencies(item) for item, _ in waiting):
            break
    return given


def _place(
    waiting: list[tuple[Item, TaskState]],
    free: dict[str, list[float]],
    depends: TaskDependencies,
    now: float,
    *,
    really: bool,
) -> list[tuple[Item, TaskState]]:
    """Give the tasks that can start by now to nodes, and return them."""
    placed = []
    for pair in waiting:
        state = pair[1]
        able = [(times[state.slots - 1], node_id) for node_id, times in free.items() if len(times) >= state.slots]
        if not able:
            continue
        at, node_id = min(able)
        start = max(at, state.added, depends.ready_at(pair[0]))
        if start > now:
            continue
        # When a process ends is known when it has ended.
        state.node, state.started = node_id, now if really else start
        state.ends = None if really else start + state.seconds
        _occupy(free[node_id], state.slots, math.inf if state.ends is None else state.ends)
        placed.append(pair)
    return placed


def _occupy(times: list[float], slots: int, until: float) -> None:
    """Use the slots of a node that are free first; `times` stays in order."""
    times[:slots] = [max(until, time) for time in times[:slots]]
    times.sort()


def task_ends_by_node(store: Store, pool: Pool, now: float) -> dict[str, float]:
    """Return when the currently running tasks end, by node; nodes without one are left out."""
    found: dict[str, float] = {}
    for _, state in pool_tasks(store, pool):
        if state.node is not None and state.ends is not None and state.state(now) == "running":
            found[state.node] = max(found.get(state.node, 0.0), state.ends)
    return found


def end_tasks_of_leaving_nodes(store: Store, pool: Pool, now: float, option: str) -> None:
    """End the tasks on nodes that leave at once: they are requeued (``requeue``) or terminated (``terminate``).

    Source: nodeDeallocationOption of the REST reference.
    """
    running = [(item, state) for item, state in pool_tasks(store, pool) if state.state(now) == "running"]
    if not running:
        return
    going = {node.id for node in nodes.nodes(pool.state.fleet, now) if node.state == "leavingpool"}
    for item, state in running:
        if state.node not in going:
            continue
        if option == "terminate":
            state.ends, state.terminated = now, True
        else:
            state.node, state.started, state.ends = None, None, None
            state.added, state.requeued = now, state.requeued + 1
        save_task(store, item, state)


def node_loads(store: Store, pool: Pool, now: float) -> dict[str, NodeLoad]:
    """Return the tasks of each node that has run one."""
    found: dict[str, NodeLoad] = {}
    for _, state in pool_tasks(store, pool):
        if state.node is None or state.state(now) == "active":
            continue
        node = found.setdefault(state.node, NodeLoad())
        node.run += 1
        if state.state(now) == "running":
            node.running += 1
            node.slots += state.slots
        elif state.exit_code == 0 and not state.terminated:
            node.succeeded += 1
    return found
