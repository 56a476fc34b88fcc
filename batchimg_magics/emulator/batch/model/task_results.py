"""The results of tasks and start tasks on the nodes of a pool, which depend on what is in its image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.batch.fleet import commands
from batchimg_magics.emulator.batch.model import pool_images, start_task_runs
from batchimg_magics.emulator.compute.model import bootable_images

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.fleet.commands import CommandResult
    from batchimg_magics.emulator.batch.fleet.nodes import Node
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.world.store import Store


def task_result(store: Store, now: float, pool: Pool | None, task: dict[str, Any], program_s: float) -> CommandResult:
    """Return the result of a task.

    Parameters
    ----------
    store, now, pool
        The emulator state, the simulated time, and the pool, None if it is not known.
    task
        The document of the task or start task.
    program_s
        The duration of a program that the emulator does not interpret.
    """
    command = str(task["commandLine"])
    homes = _homes_on_nodes(store, now, pool) if pool is not None and "/home/" in command else None
    user = (task.get("userIdentity") or {}).get("autoUser") or {}
    elevated = str(user.get("elevationLevel", "")).lower() == "admin"
    return commands.command_result(command, program_s, homes=homes, elevated=elevated)


def start_task_result(store: Store, now: float, pool: Pool, task: dict[str, Any], program_s: float) -> CommandResult:
    """Return the result of the start task of a pool: that of its shell, as far as the emulator models it."""
    rough = task_result(store, now, pool, task, program_s)
    run = start_task_runs.run_start_task(store, now, pool, task, program_s)
    if run is None:
        return rough
    seconds = run.seconds if run.whole else min(rough.seconds, run.seconds + program_s)
    return msgspec.structs.replace(rough, seconds=seconds, exit_code=run.exit_code)


class StartTaskRun(msgspec.Struct, frozen=True):
    """The start task of one node.

    Parameters
    ----------
    began
        When it was started first.
    ended
        When it ended, None while it runs.
    exit_code
        Its exit code; 0 while it runs.
    retries, retried
        How often it was started again, and when for the last time.
    """

    began: float
    ended: float | None
    exit_code: int
    retries: int
    retried: float


def start_task_tries(task: dict[str, Any], *, fails: bool) -> int:
    """Return how often a start task is started."""
    return 1 + max(0, task.get("maxTaskRetryCount", 0)) if fails else 1


def start_task_run(task: dict[str, Any], result: CommandResult, node: Node, now: float) -> StartTaskRun:
    """Return the start task of a node that has booted.

    Parameters
    ----------
    task, result
        The start task of the pool, and what its text tells. Whether it fails is that of the node.
    node, now
        The node at the simulated time.
    """
    fails = node.cohort.start_task_fails
    tries = start_task_tries(task, fails=fails)
    began = node.booted if node.booted is not None else node.since
    total = result.seconds * tries if node.cohort.start_task_s is None else node.cohort.start_task_s
    runs = node.state == "waitingforstarttask" or (node.cohort.start_task_s is None and now < began + total)
    each = total / tries
    retries = min(tries - 1, int((now - began) / each) if each else tries - 1) if runs else tries - 1
    code = 0 if runs or not fails else result.exit_code or 1
    return StartTaskRun(began, None if runs else began + total, code, retries, began + each * retries)


def _homes_on_nodes(store: Store, now: float, pool: Pool) -> frozenset[str] | None:
    """Return the accounts with a home directory on the nodes of a pool, None if they are not known."""
    account = store.get(pool.key.rpartition("/pools/")[0])
    image_id = pool_images.image_id_of(pool)
    if account is None or image_id is None:
        return None
    image = bootable_images.resolve_image(store, now, image_id, str(account.doc["location"]))
    return image.homes if isinstance(image, bootable_images.BootableImage) else None
