"""`VerbRun`: one verb that runs on the event loop of the session."""

from __future__ import annotations

import os
import shlex
import threading
from contextlib import nullcontext
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, cast

from batchimg_magics.core.base.progress import Board
from batchimg_magics.core.base.table import Table
from batchimg_magics.errors import BatchImgError, ConflictError, DetachedError
from batchimg_magics.masking import mask_tokens, mask_values
from batchimg_magics.pool_spec.line import format_line, needs_body, pool_names
from batchimg_magics.session import forked
from batchimg_magics.verbs.registry import load_verb

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from contextlib import AbstractContextManager

    from batchimg_magics.core.base.progress import Progress

#: A wait is divided into slices of this many real seconds, so that an interrupt is noticed between two of them.
WAIT_SLICE_S = 0.1
#: Options that set who waits, not what is done: the same command with or without them is the same work.
_WAIT_OPTIONS = frozenset({"wait"})
OWN_THREAD_TEXT = "a synchronous call on the event loop of the session would wait for itself; await the coroutine"


class VerbRun:
    """A verb that is running or has ended.

    Parameters
    ----------
    verb, options
        The verb and its options.
    board
        Its progress.
    loop
        The event loop that runs it.
    advancing_time
        Returns a context in which the time of the loop advances; with real time, the context does nothing.
    status
        What it does before its first step, as one word.

    Attributes
    ----------
    label
        A short name, for example ``create genomics``.
    interrupted
        Whether it was interrupted; it cannot be joined then.
    is_told
        Whether somebody has got its result.
    is_recorded
        Whether the result of somebody who waited for it has its record.
    """

    def __init__(
        self,
        verb: str,
        options: Mapping[str, Any],
        board: Board,
        loop: asyncio.AbstractEventLoop,
        advancing_time: Callable[[], AbstractContextManager[None]],
        status: str = "reading",
    ) -> None:
        self.verb = verb
        self.options = {key: value for key, value in options.items() if key not in _WAIT_OPTIONS}
        self.board = board
        self.label = " ".join([verb, *pool_names(options)])
        self.interrupted = False
        self._status = status
        self.is_told = False
        self.is_recorded = False
        self._loop = loop
        self._process_id = os.getpid()
        self._advancing_time = advancing_time
        self._task: asyncio.Task[Table] | None = None
        self._time_block: AbstractContextManager[None] | None = None
        self._table: Table | None = None
        self._error: BaseException | None = None
        self._is_done = False
        self._callbacks: list[Callable[[], None]] = []
        # Released at the end. A plain lock waits in one step of the interpreter: a Ctrl-C inside the Python code of an
        # Event or a Future could leave its lock in a broken state, or held for ever.
        self._done_lock = threading.Lock()
        self._done_lock.acquire()

    @property
    def resume_line(self) -> str:
        """The line that resumes it."""
        named = {key: value for key, value in self.options.items() if key != "spec"}
        return format_line(self.verb, named, cell=bool(self.options.get("spec")))

    def is_same(self, other: VerbRun) -> bool:
        """Tell whether another one is the same work: its line and its body are the same."""
        return self.resume_line == other.resume_line and self._body == other._body

    def concerns(self, name: str) -> bool:
        """Tell whether a pool is one of those of its line; both can be patterns."""
        pairs = ((one.lower(), name.lower()) for one in pool_names(self.options))
        return any(fnmatchcase(own, other) or fnmatchcase(other, own) for own, other in pairs)

    @property
    def changes_pool(self) -> bool:
        """Whether it changes a pool: only one such verb runs for a pool."""
        return load_verb(self.verb).changes

    def refuse_conflicts(self, running: Iterable[VerbRun]) -> None:
        """Check that none of the running verbs changes the same pool.

        Raises
        ------
        ConflictError
            One does.
        """
        cleans_up = self.verb == "cleanup" and self.options.get("delete")
        for other in running:
            same = self.changes_pool and any(map(other.concerns, pool_names(self.options)))
            # Resources for a pool that does not exist yet look like leftover resources.
            if other.changes_pool and (same or cleans_up):
                other_body = other.resume_line == self.resume_line
                joined_by = "the same command with the same body" if other_body else "the same command"
                raise ConflictError(
                    f"`{other.resume_line}` is still running{' with another body' if other_body else ''}",
                    hint=f"wait until it ends ({joined_by} joins it), or run `{other.stop_line}` first",
                )

    @property
    def _body(self) -> dict[str, Any]:
        """What its line does not show: the body of a cell, and what belongs there."""
        found = {
            key: value
            for key, value in self.options.items()
            if key == "spec" or needs_body(key, value) or hasattr(value, "on_line")
        }
        return {key: value.strip() if isinstance(value, str) else value for key, value in found.items()}

    @property
    def stop_line(self) -> str:
        """The line that stops its operations in Azure."""
        if self.board.stop_line:
            return self.board.stop_line
        return f"%batchimg stop-resize {shlex.quote(str(self.options.get('name', '')))}"

    @classmethod
    def finished(cls, verb: str, options: Mapping[str, Any], table: Table) -> VerbRun:
        """Return a verb that needed no connection, and has ended with a table."""
        # Without a loop: nothing of it runs.
        run = cls(verb, options, Board(lambda: 0.0), cast("asyncio.AbstractEventLoop", None), nullcontext)
        run._table, run._is_done = table.masked(), True
        run._done_lock.release()
        return run

    @property
    def has_stop_line(self) -> bool:
        """Whether `stop_line` stops it: a resize that it may have begun, or a run."""
        if self.board.stop_line:
            return True
        return self.changes_pool and bool(self.options.get("name")) and not self._creates_image

    @property
    def _creates_image(self) -> bool:
        """Whether it has not come to the nodes yet: `create` makes the pool when its image exists."""
        return self.verb in ("create", "migrate", "update") and all(
            one.name != "nodes" for one in self.board.activities()
        )

    @property
    def error(self) -> BaseException | None:
        """Why it failed; None while it runs, and after success."""
        return self._error

    @property
    def table(self) -> Table | None:
        """Its table; None before its end, and if it failed."""
        return self._table

    @property
    def caption(self) -> str:
        """The caption of its table; empty before its end."""
        return "" if self._table is None else self._table.caption

    def start(self, coroutine: Coroutine[Any, Any, Table]) -> None:
        """Start it; to be called once."""
        self._loop.call_soon_threadsafe(self._start, coroutine)

    def _start(self, coroutine: Coroutine[Any, Any, Table]) -> None:
        self._task = self._loop.create_task(coroutine)
        self._task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[Table]) -> None:
        # On the thread of the loop: its time stops at the moment at which the work ends, whoever waits.
        if self._time_block is not None:
            self._time_block.__exit__(None, None, None)
            self._time_block = None
        self._error = self.detached_error() if task.cancelled() else task.exception()
        # Here the answers of `core` reach the front ends: what the service says may have a secret in it.
        if self._error is not None:
            _mask_error(self._error)
        self._table = None if self._error else task.result().masked()
        self._is_done = True
        self._done_lock.release()
        for call in self._callbacks:
            self._loop.call_soon(call)  # each for itself: one that fails does not keep the others from being called

    def detached_error(self) -> DetachedError:
        """Return the error of a wait that ended early: how to resume, how to stop, and what is not cleaned up."""
        creates = self._creates_image  # without a pool there is no resize to stop
        pending = f"; until then, {self.board.pending_cleanup}" if self.board.pending_cleanup else ""
        stop = f", or stop with `{self.stop_line}`"
        if creates:
            line = f"%batchimg cleanup --delete --pool {shlex.quote(str(self.options.get('name', '')))} --older-than 0h"
            begun = self.verb == "create" and self.board.activities()
            stop = f", or delete what it has created with `{line}`" if begun and not pending else ""
        see = f"see it with `{self.board.see_line}`, " if self.board.see_line else ""
        return DetachedError(
            f"{self.label}: interrupted. Operations that were already started continue in Azure",
            hint=f"{see}resume with `{self.resume_line}`{stop}{pending}",
        )

    def _enter_time_block(self) -> None:
        if self._time_block is None and not self._is_done:
            self._time_block = self._advancing_time()
            self._time_block.__enter__()

    def progress(self) -> Progress:
        """Return how far it is, for a display."""
        return self.board.progress(self.label, self._status if self.board.has_started else "connecting")

    def started_table(self) -> Table:
        """Return the table of a verb that runs in the background: no rows, and the command that joins it."""
        return Table.from_rows(self.verb, [], f"{self.label}: started; `{self.resume_line}` waits for it")

    @property
    def outcome(self) -> str:
        """How it is: ``running``, ``done``, ``failed`` or ``interrupted``."""
        if not self._is_done:
            return "interrupted" if self.interrupted else "running"
        return "done" if self._table is not None else "interrupted" if self.interrupted else "failed"

    def done(self) -> bool:
        """Tell whether it has ended."""
        return self._is_done

    def add_done_callback(self, call: Callable[[], None]) -> None:
        """Call a function on the thread of the loop when it ends; immediately if it has ended."""
        self._loop.call_soon_threadsafe(lambda: call() if self._is_done else self._callbacks.append(call))

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end for at most this many real seconds, and tell whether it has ended.

        Raises
        ------
        RuntimeError
            The call comes from the thread of the loop and would wait for itself.
        """
        if self._is_done:
            return True
        self._refuse_endless_wait()
        self._loop.call_soon_threadsafe(self._enter_time_block)
        if self._done_lock.acquire(timeout=timeout_s):
            self._done_lock.release()  # for other waiters
        return self._is_done

    def result(self) -> Table:
        """Wait for its end and return its table.

        Raises
        ------
        BatchImgError
            The verb failed.
        RuntimeError
            The call comes from the thread of the loop.
        """
        if not self._is_done:
            self._refuse_endless_wait()
        while not self._is_done:
            self.wait(WAIT_SLICE_S)
        self.is_told = True
        if self._table is None:
            raise self._error or self.detached_error()
        return self._table

    def _refuse_endless_wait(self) -> None:
        if threading.get_ident() == getattr(self._loop, "_thread_id", None):
            raise RuntimeError(OWN_THREAD_TEXT)
        forked.check_process(self._process_id)

    def interrupt(self) -> None:
        """Start no further operation; those that were started continue in Azure."""
        self.interrupted = True
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()


def _mask_error(error: BaseException) -> None:
    """Mask an error and those that led to it; the messages of `BatchImgError` are masked from the beginning."""
    left, seen = [error], set()
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        left += [other for other in (one.__cause__, one.__context__) if other is not None]
        if isinstance(one, BatchImgError):
            one.table = None if one.table is None else one.table.masked()
            continue
        one.args = tuple(mask_values(one.args))
        if isinstance(message := getattr(one, "message", None), str):
            one.message = mask_tokens(message)  # type: ignore[attr-defined] # of azure-core's errors
