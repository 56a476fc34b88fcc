"""The event loop of a session: it runs on a thread of its own, until it is shut down. Verbs are timed on it."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from batchimg_magics.errors import BatchImgError
from batchimg_magics.masking import mask_values

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractContextManager

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table

T = TypeVar("T")

__all__ = ["call_with_service_time", "run_loop", "run_timed", "run_verb", "shut_down"]


def run_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped; the thread ends then.

    SystemExit and KeyboardInterrupt of a task, perhaps of a function of the user, end that task only: whoever waits for
    it gets them.
    """
    asyncio.set_event_loop(loop)
    while True:
        try:
            loop.run_forever()
        except (KeyboardInterrupt, SystemExit):
            continue
        return


def _has_started(task: asyncio.Task[Any]) -> bool:
    coroutine = task.get_coro()
    return not (inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED)


async def shut_down(azure: Azure, advancing_time: Callable[[], AbstractContextManager[None]]) -> None:
    """Cancel what runs on this loop, then close the clients; time advances until then, for those that clean up."""
    with advancing_time():
        await _cancel_all()
    await azure.close()


async def _cancel_all() -> None:
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


async def run_verb(azure: Azure, verb_call: Callable[[Board], Coroutine[Any, Any, Table]], board: Board) -> Table:
    """Run a verb after the service told its time: its duration is measured from then on.

    The first caption after a failure of the local history says so.
    """
    await azure.ask_time()
    board.start()
    table = await run_timed(verb_call(board), board)
    if warning := azure.ledger.take_warning():
        table.caption = "; ".join(filter(None, [table.caption, warning]))
    return table


async def run_timed(running: Coroutine[Any, Any, Table], board: Board) -> Table:
    """Await the table of a verb, and add the one duration that the verb has, also to the table of an error."""
    try:
        table = await running
    except BatchImgError as error:
        seconds = board.finish()
        if error.table is not None:
            error.table.attrs["seconds"] = seconds
        raise
    table.attrs["seconds"] = board.finish()
    return table


async def call_with_service_time(azure: Azure, function: Callable[[Azure], Coroutine[Any, Any, T]]) -> T:
    """Call a function of the connection after the first response of the service."""
    await azure.account()
    return mask_values(await function(azure))  # type: ignore[no-any-return] # of the same type
