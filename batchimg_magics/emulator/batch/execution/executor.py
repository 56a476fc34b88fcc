"""Runs the tasks of a state as processes of this machine, on a thread beside the requests.

The model schedules tasks, and this executor starts what is scheduled, and stores how it ended. It is the only one of a
state: `task_scheduling.EXECUTOR` names its process, so that other processes with the state leave the end of tasks to
it. While processes run, time runs at real speed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from batchimg_magics.emulator.batch.execution import processes, transfers
from batchimg_magics.emulator.batch.execution.folders import NodeFolder
from batchimg_magics.emulator.batch.model import accounts, pools, task_scheduling, task_states
from batchimg_magics.emulator.http.dates import duration_s
from batchimg_magics.emulator.world.clock import AcceleratedClock
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.execution.processes import TaskProcess
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.batch.model.task_states import TaskState
    from batchimg_magics.emulator.world.clock import Clock
    from batchimg_magics.emulator.world.store import Item, Store

evidence = Evidence("Tasks that really run")
evidence.rule(
    "With --run-tasks, a start task runs before the first task of a node; if it fails, it has failed on all nodes.",
    "it would fail on each of them; Batch runs it when a node boots",
)
evidence.rule(
    "Users, elevation, containers and multi-instance tasks are not simulated by --run-tasks.",
    "the processes run as the user of the emulator, on one machine",
)
#: Real seconds between two looks, while tasks run and otherwise.
_BUSY_S, _IDLE_S = 0.05, 0.5
#: The end of the name of the folder with the files of nodes, beside a state file.
FOLDER_SUFFIX = ".nodes"


class ExecutorTakenError(Exception):
    """Another process runs the tasks of the state."""


class TaskExecutor:
    """Runs tasks until it is closed.

    Parameters
    ----------
    store, clock
        The emulator state, and the simulated time.
    most
        Processes that run at the same time; None: as many as this machine has cores.

    Raises
    ------
    ExecutorTakenError
        Another process runs the tasks of the state.
    """

    def __init__(self, store: Store, clock: Clock, most: int | None = None) -> None:
        self._store, self._clock = store, clock
        self._most = most or os.cpu_count() or 1
        self._temporary = store.path == ":memory:"
        base = tempfile.mkdtemp(prefix="batchimg-nodes-") if self._temporary else f"{store.path}{FOLDER_SUFFIX}"
        self.folder = Path(base)
        self._running: dict[tuple[str, float], tuple[TaskProcess, Path]] = {}
        self._prepared: dict[Path, int] = {}
        self._wake, self._closing = threading.Event(), False
        self._is_due = self._is_looking = False
        self._speed: float | None = None
        with store.transaction(write=True):
            if task_scheduling.runs_tasks(store):
                raise ExecutorTakenError
            store.set_meta(task_scheduling.EXECUTOR, os.getpid())
        store.task_folder = self.folder
        self._thread = threading.Thread(target=self._work, name="tasks", daemon=True)
        self._thread.start()

    def notice(self) -> None:
        """Look soon: a request may have changed the tasks."""
        self._is_due = True
        self._wake.set()

    @property
    def is_busy(self) -> bool:
        """Whether processes run, or may be started soon: then time runs at real speed."""
        return self._is_due or self._is_looking or bool(self._running)

    def close(self) -> None:
        """End all processes; their tasks are active again when somebody runs the tasks of the state."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        for process, _ in self._running.values():
            process.end()
            process.process.wait()
        with self._store.transaction(write=True):
            self._requeue_running()
            self._store.set_meta(task_scheduling.EXECUTOR, None)
        self._store.task_folder = None
        self._hold_time(hold=False)
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- the thread ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        with self._store.transaction(write=True):
            self._requeue_running()  # those of a process that was killed
        while not self._closing:
            self._wake.wait(_BUSY_S if self._running else _IDLE_S)
            self._wake.clear()
            self._is_looking, self._is_due = True, False
            self._step()
            self._is_looking = False

    def _step(self) -> None:
        """Store the ends of processes, end those that are not wanted, and start those that are due."""
        with self._store.transaction(write=True):
            wanted = self._scheduled()
        for key in [key for key in self._running if key not in wanted]:
            process, _ = self._running.pop(key)
            process.end()
            process.process.wait()
        for key, (process, folder) in list(self._running.items()):
            if (code := process.poll()) is not None:
                del self._running[key]
                pool, item, state = wanted.pop(key)
                self._finish(pool, item, state, code, folder, timed_out=process.timed_out)
                self.notice()  # its slots are free
        for key, (pool, item, state) in wanted.items():
            if key not in self._running and len(self._running) < self._most:
                self._begin(pool, item, state)
        self._hold_time(hold=bool(self._running))

    def _scheduled(self) -> dict[tuple[str, float], tuple[Pool, Item, TaskState]]:
        """Schedule what is due, and return the tasks that run, by their keys and starts."""
        now, found = self._clock.now(), {}
        for account in self._store.items(accounts.KIND, "/subscriptions"):
            for pool in pools.account_pools(self._store, now, account):
                if not pool.state.tasks:
                    continue
                task_scheduling.schedule_due_tasks(self._store, pool, now)
                for item, state in task_scheduling.running_tasks(self._store, pool):
                    found[item.key, state.started or now] = (pool, item, state)
        return found

    def _requeue_running(self) -> None:
        now = self._clock.now()
        for _, item, state in self._scheduled().values():
            state.node, state.started, state.added = None, None, now
            state.requeued += 1
            task_scheduling.save_task(self._store, item, state)

    # -- one task --------------------------------------------------------------------------------------------------

    def _begin(self, pool: Pool, item: Item, state: TaskState) -> None:
        node = NodeFolder.of(self.folder, pool, str(state.node))
        folder = node.task(item)
        job = self._store.get(item.key.partition("/tasks/")[0])
        settings = [*((job.doc.get("commonEnvironmentSettings") or []) if job else [])]
        settings += item.doc.get("environmentSettings") or []
        names = self._names(pool, str(state.node)) | {
            "AZ_BATCH_JOB_ID": str(job.doc["id"]) if job else "",
            "AZ_BATCH_TASK_ID": str(item.doc["id"]),
        }
        if self._prepare(pool, node, str(state.node)):
            # Its nodes take no tasks any more, and this one waits again.
            with self._store.transaction(write=True):
                pools.fail_start_tasks(self._store, pool)
                if self._is_current(item, state):
                    state = task_scheduling.requeued(state, self._clock.now())
                    task_scheduling.save_task(self._store, item, state)
            return
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "wd").mkdir(mode=0o700, parents=True)
        try:
            transfers.download(item.doc.get("resourceFiles") or [], folder / "wd")
        except transfers.TransferError as error:
            self._end(item, state, 1, (error.code, str(error)))
            return
        limit = _limit_s(item)
        environment = processes.task_environment(names, node.root, folder, settings)
        process = processes.start(str(item.doc["commandLine"]), folder, environment, limit)
        if isinstance(process, int):
            self._finish(pool, item, state, process, folder)
            return
        self._running[item.key, state.started or 0.0] = (process, folder)

    def _names(self, pool: Pool, node: str) -> dict[str, str]:
        account = pool.key.rpartition("/pools/")[0].rpartition("/")[2]
        return {
            "AZ_BATCH_ACCOUNT_NAME": account,
            "AZ_BATCH_POOL_ID": pool.name,
            "AZ_BATCH_NODE_ID": node,
            "AZ_BATCH_NODE_IS_DEDICATED": str(node.endswith("_d")).lower(),
        }

    def _prepare(self, pool: Pool, node: NodeFolder, node_id: str) -> int:
        """Run the start task of a node before its first task; return its exit code if no tasks run after it."""
        if node.root in self._prepared:
            return self._prepared[node.root]
        node.make()
        task, code = pool.doc.get("startTask"), 0
        if task is not None:
            settings = task.get("environmentSettings") or []
            environment = processes.task_environment(self._names(pool, node_id), node.root, node.startup, settings)
            try:
                transfers.download(task.get("resourceFiles") or [], node.startup / "wd")
            except transfers.TransferError:
                code = 1
            else:
                started = processes.start(str(task["commandLine"]), node.startup, environment)
                code = started if isinstance(started, int) else started.process.wait()
        self._prepared[node.root] = code if task is not None and task.get("waitForSuccess", True) else 0
        return self._prepared[node.root]

    def _finish(
        self, pool: Pool, item: Item, state: TaskState, code: int, folder: Path, *, timed_out: bool = False
    ) -> None:
        """Store the end of a process; start the task again if it has a try left."""
        failure: tuple[str, str] | None = None
        if timed_out:
            failure = ("TaskEnded", "The task exceeded its maximum wall clock time")
        limits = item.doc.get("constraints") or {}
        tries = int(limits.get("maxTaskRetryCount") or 0)
        if code and not timed_out and (tries < 0 or state.retried < tries):
            state.retried += 1
            with self._store.transaction(write=True):
                if self._is_current(item, state):
                    task_scheduling.save_task(self._store, item, state)
                    self._begin(pool, item, state)
            return
        try:
            transfers.upload(item.doc.get("outputFiles") or [], folder / "wd", succeeded=code == 0)
        except transfers.TransferError as error:
            failure, code = (error.code, str(error)), code or 1
        self._end(item, state, code, failure)

    def _end(self, item: Item, state: TaskState, code: int, failure: tuple[str, str] | None) -> None:
        state.exit_code, state.failure = code, failure
        with self._store.transaction(write=True):
            state.ends = max(self._clock.now(), state.started or 0.0)
            if self._is_current(item, state):
                task_scheduling.save_task(self._store, item, state)

    def _is_current(self, item: Item, state: TaskState) -> bool:
        """Tell whether a task is still the one that was started: nobody deleted or ended it meanwhile."""
        found = self._store.get(item.key)
        if found is None:
            return False
        known = task_states.state_of(found)
        return known.started == state.started and known.node == state.node and not known.terminated

    # -- time ------------------------------------------------------------------------------------------------------

    def _hold_time(self, *, hold: bool) -> None:
        """Let accelerated time run at real speed while processes run; instant time asks `is_busy` itself."""
        if not isinstance(self._clock, AcceleratedClock) or hold == (self._speed is not None):
            return
        with self._store.transaction(write=True):
            if self._speed is None:
                self._speed = self._clock.set_speed(1.0)
            else:
                self._clock.set_speed(self._speed)
                self._speed = None


def _limit_s(item: Item) -> float | None:
    text = (item.doc.get("constraints") or {}).get("maxWallClockTime")
    seconds = duration_s(str(text)) if text else None
    return seconds if seconds is not None and seconds < threading.TIMEOUT_MAX else None
