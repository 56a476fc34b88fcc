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
from batchimg_magics.emulator.batch.model import task_results
from batchimg_magics.emulator.batch.model.task_index import current_index
from batchimg_magics.emulator.batch.model.task_placement import Placement
from batchimg_magics.emulator.batch.model.task_states import KIND, TaskState, state_of
from batchimg_magics.emulator.catalog import marketplace
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.batch.model.task_index import Entry, NodeLoad, PoolTasks, TaskIndex
    from batchimg_magics.emulator.world.store import Store

evidence = Evidence("Tasks")
#: The setting with the process that runs the tasks of the state; missing: nobody does, and their text tells the end.
EXECUTOR = "executor"
PROGRAM_S = evidence.assumed(30.0, "s", "for each program in the command line of a task", "no command is executed")
evidence.rule(
    "A task runs on the node that is free first; of several, on the one with the fewest tasks (spread) or the most "
    "(pack); if its node leaves, it is active again.",
    "nodeFillType is documented, the order of nodes is not",
)
evidence.rule(
    "A job manager task with runExclusive uses all task slots of its node, and is counted with all of them.",
    "documented: no other task runs on the node; how it is counted is not",
)
evidence.rule(
    "A multi-instance task runs on one node, in a pool with communication between nodes, one task slot a node, and as "
    "many nodes as it has instances.",
    "documented: in other pools it stays active; its subtasks are not simulated",
)
evidence.rule(
    "Nodes take no task of a job whose preparation task fails, unless waitForSuccess is false; failed tries are not "
    "listed.",
    "documented, but for the list of nodes",
)
#: States of nodes in which running tasks continue.
_SURVIVING_STATES = frozenset({"idle", "offline", "running", "leavingpool"})


def task_index(store: Store) -> TaskIndex:
    """Return the tasks of a state."""
    return current_index(store)


def save_task(store: Store, item: Item, state: TaskState) -> None:
    """Store a task."""
    index = task_index(store)
    store.put(Item(item.key, KIND, item.doc, msgspec.to_builtins(state)))
    index.put(item.key, item.doc, msgspec.structs.replace(state))  # the caller may change its own
    index.revision = store.revision(KIND)


def save_state(store: Store, key: str, state: TaskState) -> None:
    """Store the new state of a task whose document stays as it is."""
    index = task_index(store)
    store.put_hidden(key, msgspec.to_builtins(state))
    index.put(key, None, state)
    index.revision = store.revision(KIND)


def delete_task(store: Store, key: str) -> None:
    """Delete a task."""
    index = task_index(store)
    store.delete(key)
    index.remove(key)
    index.revision = store.revision(KIND)


def running_tasks(store: Store, pool: Pool) -> list[tuple[Item, TaskState]]:
    """Return the tasks of a pool that really run: nobody knows when they end."""
    running = task_index(store).pools[pool.key].running.values()
    return _with_items(store, [entry for entry in running if entry.state.ends is None])


def node_tasks(store: Store, pool: Pool, node: str, now: float) -> list[tuple[Item, TaskState]]:
    """Return the tasks that ran on a node, or run there."""
    known = task_index(store).pool(pool.key, now).nodes.get(node)
    return _with_items(store, list(known.entries.values()) if known else [])


def _with_items(store: Store, entries: list[Entry]) -> list[tuple[Item, TaskState]]:
    found = (store.get(entry.key) for entry in sorted(entries, key=lambda entry: entry.order))
    return [(item, state_of(item)) for item in found if item is not None]


def schedule_due_tasks(store: Store, pool: Pool, now: float) -> None:
    """Schedule the tasks that could have started by now, and requeue those whose node left."""
    if not pool.state.tasks:
        return
    index = task_index(store)
    tasks = index.pools[pool.key]
    if not (tasks.running or tasks.plain or tasks.special):
        return
    nodes_by_id = {node.id: node for node in nodes.nodes(pool.state.fleet, now)}
    for entry in list(tasks.running.values()):
        if (since := _left(entry.state, nodes_by_id, now)) is not None:
            save_state(store, entry.key, requeued(entry.state, since))
    if tasks.plain or tasks.special:
        really = runs_tasks(store) and _is_linux(pool)
        jobs = _waiting_jobs(store, tasks)
        parallel = {job.key: job.doc["maxParallelTasks"] for job in jobs if job.doc.get("maxParallelTasks", -1) > 0}
        results = {
            job.key: task_results.task_result(store, now, pool, job.doc["jobPreparationTask"], PROGRAM_S)
            for job in jobs
            if job.doc.get("jobPreparationTask", {}).get("waitForSuccess", "jobPreparationTask" in job.doc)
        }
        # Nodes on which the preparation of a job fails take none of its tasks, and here it fails on all or on none.
        parallel |= {job: 0 for job, result in results.items() if result.exit_code and not really}
        preparing = {job: result.seconds for job, result in results.items()}
        placement = Placement(pool, nodes_by_id, index, now, really=really, parallel=parallel, preparing=preparing)
        for entry, state in placement.tasks():
            save_state(store, entry.key, state)


def _waiting_jobs(store: Store, tasks: PoolTasks) -> list[Item]:
    """Return the jobs that have waiting tasks."""
    waiting = {job for _, job in tasks.queues} | {entry.job for entry in tasks.special.values()}
    return [job for key in sorted(waiting) if (job := store.get(key)) is not None]


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


def _left(state: TaskState, nodes: dict[str, nodes.Node], now: float) -> float | None:
    """Return since when the node of a running task is not available, None if it is or was until the task ended."""
    node = nodes.get(str(state.node))
    if node is not None and (node.state in _SURVIVING_STATES or node.since <= (state.started or 0.0)):
        return None
    since = now if node is None else node.since
    return None if state.ends is not None and state.ends <= since else since


def requeued(state: TaskState, since: float) -> TaskState:
    """Return the state of a task that is active again."""
    return msgspec.structs.replace(
        state, node=None, started=None, ends=None, prepares=0.0, added=since, requeued=state.requeued + 1
    )


def task_ends_by_node(store: Store, pool: Pool, now: float) -> dict[str, float]:
    """Return when the currently running tasks end, by node; nodes without one are left out.

    The end of a task that really runs is not known: it is infinite.
    """
    found: dict[str, float] = {}
    for entry in task_index(store).pool(pool.key, now).running.values():
        state = entry.state
        node, ends = str(state.node), math.inf if state.ends is None else state.ends
        found[node] = max(found.get(node, 0.0), ends)
    return found


def end_tasks_of_leaving_nodes(store: Store, pool: Pool, now: float, option: str) -> None:
    """End the tasks on nodes that leave at once: they are requeued (``requeue``) or terminated (``terminate``).

    Source: nodeDeallocationOption of the REST reference.
    """
    running = list(task_index(store).pool(pool.key, now).running.values())
    if not running:
        return
    going = {node.id for node in nodes.nodes(pool.state.fleet, now) if node.state == "leavingpool"}
    for entry in running:
        if entry.state.node not in going:
            continue
        if option == "terminate":
            state = msgspec.structs.replace(entry.state, ends=now, terminated=True)
        else:
            state = requeued(entry.state, now)
        save_state(store, entry.key, state)


def node_loads(store: Store, pool: Pool, now: float) -> dict[str, NodeLoad]:
    """Return the tasks of each node that has run one."""
    return {node: tasks.load for node, tasks in task_index(store).pool(pool.key, now).nodes.items()}


def busy_nodes(store: Store, pool: Pool, now: float) -> set[str]:
    """Return the ids of the nodes that ran a task at a time, which may be in the past."""
    running = task_index(store).pool(pool.key, now).running.values()
    return {str(entry.state.node) for entry in running if (entry.state.started or 0.0) <= now}
