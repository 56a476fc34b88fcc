"""Run several coroutines at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


async def gather(*calls: Awaitable[Any], limit: int | None = None) -> list[Any]:
    """Await several calls concurrently and return their results in order; the first failure cancels the others.

    Parameters
    ----------
    *calls
        What to await.
    limit
        How many run at the same time; None: all of them.
    """
    gate = asyncio.Semaphore(limit or len(calls) or 1)
    failure: BaseException | None = None
    tasks: list[asyncio.Task[Any]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(_awaited(call, gate)) for call in calls]
            # Whoever is cancelled right here lets them begin first: what never began was never awaited.
            await asyncio.sleep(0)
    except BaseExceptionGroup as failures:
        # One error says what went wrong; the others are what came of stopping.
        failure = failures.exceptions[0]
    # Out here, so that the group is no context of it: IPython shows whatever has one as a traceback.
    if failure is not None:
        raise failure
    return [task.result() for task in tasks]


async def _awaited(call: Awaitable[T], gate: asyncio.Semaphore) -> T:
    try:
        async with gate:
            return await call
    finally:
        if asyncio.iscoroutine(call):
            call.close()  # one that was cancelled before its turn was never awaited
