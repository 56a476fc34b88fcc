"""The results of tasks and start tasks on the nodes of a pool, which depend on what is in its image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.fleet import commands
from batchimg_magics.emulator.batch.model import pool_images
from batchimg_magics.emulator.compute.model import bootable_images

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.fleet.commands import CommandResult
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


def _homes_on_nodes(store: Store, now: float, pool: Pool) -> frozenset[str] | None:
    """Return the accounts with a home directory on the nodes of a pool, None if they are not known."""
    account = store.get(pool.key.rpartition("/pools/")[0])
    image_id = pool_images.image_id_of(pool)
    if account is None or image_id is None:
        return None
    image = bootable_images.resolve_image(store, now, image_id, str(account.doc["location"]))
    return image.homes if isinstance(image, bootable_images.BootableImage) else None
