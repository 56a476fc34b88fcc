"""The event loop of a session: it runs on a thread of its own, until it is shut down."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure

__all__ = ["run_loop", "shut_down"]


def run_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped; the thread ends then."""
    asyncio.set_event_loop(loop)
    loop.run_forever()


def _has_started(task: asyncio.Task[Any]) -> bool:
    coroutine = task.get_coro()
    return not (inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED)


async def shut_down(azure: Azure) -> None:
    """Cancel what runs on this loop, then close the clients."""
    cancelled: set[asyncio.Task[Any]] = set()
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        # A task that is cancelled before it starts would leave its coroutine never awaited.
        # One that was interrupted before is finishing, perhaps with a request that stops what costs money.
        started = {task for task in others if _has_started(task)}
        cancelled |= {task for task in started if task.cancelling()}
        for task in started - cancelled:
            task.cancel()
        cancelled |= started
        await (asyncio.wait(others) if started == others else asyncio.sleep(0))
    await azure.close()
