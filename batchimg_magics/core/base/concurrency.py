"""Run several coroutines concurrently."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


async def gather(*calls: Coroutine[Any, Any, Any], limit: int | None = None) -> list[Any]:
    """Await several calls concurrently and return their results in order; the first failure cancels the others.

    Parameters
    ----------
    *calls
        What to await.
    limit
        How many run at the same time; None: all of them.
    """
    gate = asyncio.Semaphore(limit) if limit else None
    failure: BaseException | None = None
    tasks: list[asyncio.Task[Any]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(_limited(call, gate) if gate else call) for call in calls]
            # Every task starts before a cancellation can arrive: a coroutine that never starts was never awaited.
            await asyncio.sleep(0)
    except BaseExceptionGroup as failures:
        # The first error is the cause; the others follow from the cancellation.
        failure = failures.exceptions[0]
    # Raised outside of the handler, so that it has no context: IPython would show the context as a traceback.
    if failure is not None:
        raise failure
    return [task.result() for task in tasks]


async def _limited(call: Coroutine[Any, Any, T], gate: asyncio.Semaphore) -> T:
    try:
        async with gate:
            return await call
    finally:
        call.close()  # a call that is cancelled before its turn was never awaited
