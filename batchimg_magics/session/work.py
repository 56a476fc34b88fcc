"""Work: one verb that goes on on the session's loop, as whoever waits for it sees it."""

from __future__ import annotations

import shlex
import threading
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.table import Table
from batchimg_magics.errors import DetachedError
from batchimg_magics.pool_spec.line import format_line, pool_names

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Mapping
    from contextlib import AbstractContextManager

    from batchimg_magics.core.base.progress import Board

#: Waits on the loop's thread are cut into slices of so many real seconds: an interrupt is heard between two.
WAIT_SLICE_S = 0.1
#: Options that say where the waiting is done, not what is done: no part of what a line means.
_WAIT_OPTIONS = frozenset({"wait"})


class VerbRun:
    """A verb that is going on, or has ended.

    Parameters
    ----------
    verb, options
        What was asked for.
    board
        What it says of itself.
    loop
        Where it runs.
    moving
        A block inside which the loop's time moves on; for a loop of real time, one that does nothing.

    Attributes
    ----------
    label
        What it is, e.g. ``create genomics``.
    interrupted
        Whether it was told to begin nothing new; nobody joins it then.
    """

    def __init__(
        self,
        verb: str,
        options: Mapping[str, Any],
        board: Board,
        loop: asyncio.AbstractEventLoop,
        advancing_time: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.verb = verb
        self.options = {key: value for key, value in options.items() if key not in _WAIT_OPTIONS}
        self.board = board
        self.label = " ".join([verb, *pool_names(options)])
        self.interrupted = False
        self._loop = loop
        self._advancing_time = advancing_time
        self._task: asyncio.Task[Table] | None = None
        self._time_block: AbstractContextManager[None] | None = None
        self._table: Table | None = None
        self._error: BaseException | None = None
        self._is_done = False
        self._callbacks: list[Callable[[], None]] = []
        # Open once it is over. A bare lock, whose waiting is one step of the interpreter: a Ctrl-C in the midst of an
        # Event's or a Future's own Python code would leave their locks broken, or held for ever.
        self._done_lock = threading.Lock()
        self._done_lock.acquire()

    @property
    def resume_line(self) -> str:
        """The line that goes on with it."""
        named = {key: value for key, value in self.options.items() if key != "spec"}
        return format_line(self.verb, named, cell=bool(self.options.get("spec")))

    @property
    def stop_line(self) -> str:
        """The line that stops what Azure goes on with."""
        return f"%batchimg stop-resize {shlex.quote(str(self.options.get('name', '')))}"

    def start(self, coroutine: Coroutine[Any, Any, Table]) -> None:
        """Begin; to be called once."""
        self._loop.call_soon_threadsafe(self._start, coroutine)

    def _start(self, coroutine: Coroutine[Any, Any, Table]) -> None:
        self._task = self._loop.create_task(coroutine)
        self._task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[Table]) -> None:
        # On the loop's thread: its time stops at the very moment at which the work is over, whoever waits.
        if self._time_block is not None:
            self._time_block.__exit__(None, None, None)
            self._time_block = None
        self._error = self.detached_error() if task.cancelled() else task.exception()
        self._table = None if self._error else task.result()
        self._is_done = True
        self._done_lock.release()
        for call in self._callbacks:
            call()

    def detached_error(self) -> DetachedError:
        """Return the error for whoever waits no longer: how to go on, how to stop, what is not as it should be."""
        pending = f"; until one of them is through, {self.board.pending_cleanup}" if self.board.pending_cleanup else ""
        return DetachedError(
            f"{self.label}: interrupted. Azure goes on with what it was asked for; nothing new was begun",
            hint=f"go on with `{self.resume_line}`, or stop with `{self.stop_line}`{pending}",
        )

    def _enter_time_block(self) -> None:
        if self._time_block is None and not self._is_done:
            self._time_block = self._advancing_time()
            self._time_block.__enter__()

    def started_table(self) -> Table:
        """Return the table of somebody who does not wait: no row yet, and how to join."""
        return Table.from_rows(self.verb, [], f"{self.label}: going on; `{self.resume_line}` joins it")

    def done(self) -> bool:
        """Tell whether it has ended."""
        return self._is_done

    def add_done_callback(self, call: Callable[[], None]) -> None:
        """Call something on the loop's thread once this is over; at once where it is."""
        self._loop.call_soon_threadsafe(lambda: call() if self._is_done else self._callbacks.append(call))

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end for so many real seconds at most, and tell whether it has ended.

        Raises
        ------
        RuntimeError
            The call comes from the loop's own thread, and would wait for itself.
        """
        self._refuse_own_thread()
        self._loop.call_soon_threadsafe(self._enter_time_block)
        if self._done_lock.acquire(timeout=timeout_s):
            self._done_lock.release()  # for whoever else waits
        return self._is_done

    def result(self) -> Table:
        """Wait for its end and return its table.

        Raises
        ------
        BatchImgError
            What went wrong.
        RuntimeError
            The call comes from the loop's own thread.
        """
        if not self._is_done:
            self._refuse_own_thread()
        while not self._is_done:
            self.wait(WAIT_SLICE_S)
        if self._table is None:
            raise self._error or self.detached_error()
        return self._table

    def _refuse_own_thread(self) -> None:
        if threading.get_ident() == getattr(self._loop, "_thread_id", None):
            raise RuntimeError(
                "a synchronous call on the session's own loop would wait for itself; await the coroutine"
            )

    def interrupt(self) -> None:
        """Begin nothing new; Azure goes on with what it was asked for."""
        self.interrupted = True
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
