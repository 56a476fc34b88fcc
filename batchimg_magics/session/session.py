"""`Session`: one connection, its event loop's thread, and the verbs as plain synchronous calls.

A session runs core's coroutines on one daemon thread and answers with DataFrames. It starts without a connection: the
first verb connects to the local Azure in the user's world file. Work goes on while its process lives, whoever waits:
the same line joins it.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import weakref
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self, TypeVar

from batchimg_magics import jobs
from batchimg_magics.connection import connection, profiles
from batchimg_magics.connection.connection import Link, Target
from batchimg_magics.core.base.progress import Board
from batchimg_magics.errors import BatchImgError, ConflictError, NotConnectedError
from batchimg_magics.session.methods import Verbs
from batchimg_magics.session.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    import pandas as pd

    from batchimg_magics.connection.connection import Transport
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.scaling.watch import Sight, Watch

T = TypeVar("T")

__all__ = ["Session"]

#: Real seconds that a completion may take to ask the service.
NAMES_PATIENCE_S = 0.5
#: Real seconds at least between two looks at a pool in a local Azure, whose hours may be minutes here.
SECONDS_BETWEEN_LOOKS = 0.5
#: Verbs that change a pool: one at a time for each.
_CHANGING = frozenset({"create", "resize", "repair", "autoscale", "delete", "migrate"})


class Session(Verbs):
    """One connection to a Batch account, local or real.

    Every verb is a method that returns a pandas DataFrame; the columns are those of the reference.

    Parameters
    ----------
    through
        Wraps the transport of the connections that the session opens: to count requests, to log them, to lose them.

    Raises
    ------
    BatchImgError
        Each verb raises one of its kinds, with a hint.
    """

    def __init__(self, *, through: Callable[[Transport], Transport] | None = None) -> None:
        self._through = through
        self._link: Link | None = None
        self._thread: threading.Thread | None = None
        self._works: dict[str, Work] = {}
        self._watchings: weakref.WeakSet[Watching] = weakref.WeakSet()
        self._names: dict[str, list[str]] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the connection ------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether there is a connection yet."""
        return self._link is not None

    @property
    def label(self) -> str:
        """``LOCAL`` when nothing is real, else ``azure``."""
        return self._link.label if self._link else "LOCAL"

    @property
    def connection(self) -> object:
        """What stands for the connection that is open: another object as soon as it is another connection."""
        return self._link

    def _linked(self) -> Link:
        with self._lock:
            if self._link is None:
                return self._use(connection.open_link(Target(), self._through))
            if self._link.failed:
                raise NotConnectedError(
                    "the last `connect` failed",
                    hint="connect again; `%batchimg connect` alone leads to the local Azure",
                )
            return self._link

    def _use(self, link: Link) -> Link:
        """Make this the connection; the one before is closed."""
        self.close()
        self._link = link
        self._thread = threading.Thread(target=_run, args=(link.loop,), name="batchimg", daemon=True)
        self._thread.start()
        return link

    def open(self, **target: Any) -> None:
        """Open a connection without a look at it: the first verb finds out whether it leads anywhere.

        Parameters
        ----------
        **target
            The fields of `connecting.Target`.

        Raises
        ------
        SpecError, NotConnectedError
            The options make no connection.
        """
        with self._lock:
            self._use(connection.open_link(Target(**target), self._through))

    def close(self) -> None:
        """Let the connection go: work on it is interrupted, Azure goes on with what it was asked for."""
        with self._lock:
            link, self._link = self._link, None
            if link is None or self._thread is None:
                return
            for work in self._works.values():
                work.interrupt()
            self._works.clear()
            self._watchings.clear()
            self._names.clear()
            asyncio.run_coroutine_threadsafe(_shut(link.azure), link.loop).result()
            link.loop.call_soon_threadsafe(link.loop.stop)
            self._thread.join()
            link.loop.close()
            if link.local is not None:
                link.local.close()

    # -- work ----------------------------------------------------------------------------------------------------

    def begin(self, verb: str, /, **options: Any) -> Work:
        """Start a verb, or join the same one that is going on already, and return at once.

        Parameters
        ----------
        verb
            One of the verbs.
        **options
            The verb's.

        Raises
        ------
        SpecError
            The options make no sense; nothing was started.
        ConflictError
            Another verb changes the same pool right now.
        """
        if verb == "connect":
            return self._connect(Target(**options))
        link = self._linked()
        job = jobs.find(verb)(link, **{key: value for key, value in options.items() if key != "wait"})
        with self._lock:
            self._works = {key: work for key, work in self._works.items() if not (work.done() or work.interrupted)}
            work = Work(verb, options, Board(link.azure.now), link.loop, link.moving)
            if (same := self._works.get(work.resume_line)) is not None:
                return same
            self._refuse_crossing(work)
            self._works[work.resume_line] = work
        work.start(_informed(link.azure, job, work.board))
        if verb in _CHANGING:
            for watching in list(self._watchings):
                if fnmatchcase(watching.pool.lower(), str(options.get("name", "")).lower()):
                    watching.hurry()
        return work

    def _refuse_crossing(self, new: Work) -> None:
        name = str(new.options.get("name", "")).lower()
        sweeps = new.verb == "orphans" and new.options.get("delete")
        for work in self._works.values():
            both = {work.verb, new.verb} <= _CHANGING
            other = str(work.options.get("name", "")).lower()
            same = both and (fnmatchcase(other, name) or fnmatchcase(name, other))
            # What is being made for a pool that is not there yet looks like an orphan.
            if same or (sweeps and work.verb in _CHANGING):
                raise ConflictError(
                    f"`{work.resume_line}` is still going on",
                    hint=f"wait for it (the same line joins it), or `{work.stop_line}` first",
                )

    def _connect(self, target: Target) -> Work:
        if running := [work.label for work in self._works.values() if not work.done()]:
            raise ConflictError(f"{', '.join(running)}: still going on over this connection", hint="wait for it first")
        with self._lock:
            if target.is_local and self._link is not None and self._link.local is not None:
                self.close()  # the world may be the one that is open, held by us alone
            link = self._use(connection.open_link(target, self._through))
        work = Work("connect", {}, Board(link.azure.now), link.loop, link.moving)
        work.start(connection.table(link))
        return work

    def run(self, verb: str, /, **options: Any) -> Table:
        """Run a verb to its end and return its table as plain columns.

        Raises
        ------
        DetachedError
            It was interrupted from the keyboard.
        """
        work = self.begin(verb, **options)
        try:
            return work.result()
        except KeyboardInterrupt:
            work.interrupt()
            raise work.detached() from None

    # -- for front ends ------------------------------------------------------------------------------------------

    def submit(self, question: Callable[[Azure], Coroutine[Any, Any, T]]) -> Future[T]:
        """Ask something on the session's loop, and return at once.

        Parameters
        ----------
        question
            Given the connection's clients, a coroutine that answers.
        """
        link = self._linked()
        return asyncio.run_coroutine_threadsafe(_of_known_time(link.azure, question), link.loop)

    def ask(self, question: Callable[[Azure], Coroutine[Any, Any, T]]) -> T:
        """Ask something on the session's loop and wait for the answer.

        Raises
        ------
        BatchImgError
            What the question raised.
        """
        link = self._linked()

        async def asked(azure: Azure) -> T:
            # Held on the loop's own thread: before the first sleep, and no longer than until the answer.
            with link.moving():
                return await question(azure)

        return self.submit(asked).result()

    def watch(self, name: str, tell: Callable[[Sight], None]) -> Watching:
        """Look at a pool again and again until told to stop.

        Parameters
        ----------
        name
            The pool's.
        tell
            Called with each sight, on the session's thread.
        """
        from batchimg_magics.core.scaling.watch import Watch  # panels only

        link = self._linked()
        pace_s = SECONDS_BETWEEN_LOOKS * (link.local.speed or 0.0) if link.local else 0.0
        watch = Watch(link.azure, name, tell, pace_s=pace_s)
        watching = Watching(watch, asyncio.run_coroutine_threadsafe(watch.run(), link.loop), link.loop)
        self._watchings.add(watching)
        return watching

    def going_on(self, name: str) -> Work | None:
        """Return the work that changes a pool right now in this session, or None."""
        # Without the lock: a session that is being closed holds it while it waits for the loop, which may ask this.
        works = [work for work in list(self._works.values()) if work.verb in _CHANGING and not work.done()]
        return next((work for work in works if str(work.options.get("name", "")).lower() == name.lower()), None)

    def _frame(self, verb: str, /, **options: Any) -> pd.DataFrame:
        from batchimg_magics.session import frames  # pandas, which the command line does without

        wait = options.pop("wait", True)
        return frames.frame(self.run(verb, **options) if wait else self.begin(verb, **options).begun())

    def names(self, kind: str) -> list[str]:
        """Return names for completion: what there is, or what there was when it was last seen.

        Parameters
        ----------
        kind
            ``pool``, ``vm``, ``checkable``, ``vm_size`` or ``profile``.

        Returns
        -------
        list of str
            Empty where there is no connection, or where the service takes too long.
        """
        if kind == "profile":
            return sorted(profiles.saved())
        if self._link is None:
            return []
        from batchimg_magics.session.names import NAMES  # completion only

        future = asyncio.run_coroutine_threadsafe(NAMES[kind](self._link.azure), self._link.loop)
        try:
            self._names[kind] = sorted(future.result(NAMES_PATIENCE_S))
        except (TimeoutError, BatchImgError):
            future.cancel()
        return self._names.get(kind, [])


class Watching:
    """A pool that is being watched.

    Parameters
    ----------
    watch, future, loop
        What watches, as what it runs, and where.
    """

    def __init__(self, watch: Watch, future: Future[None], loop: asyncio.AbstractEventLoop) -> None:
        self._watch = watch
        self._future = future
        self._loop = loop

    @property
    def pool(self) -> str:
        """The pool's name."""
        return self._watch.pool

    def hurry(self) -> None:
        """Look at once; a connection that was closed has nothing to look at any more."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._watch.hurry)

    def hide(self, hidden: bool) -> None:  # noqa: FBT001 - one word says it
        """Look less often while nobody looks on, and at once when somebody does again."""
        before, self._watch.hidden = self._watch.hidden, hidden
        if before and not hidden:
            self.hurry()

    def expect(self, expecting: bool) -> None:  # noqa: FBT001 - one word says it
        """Look as often as at a pool that changes, although Azure does not show yet that it does; or no longer."""
        self._watch.expecting = expecting

    def stop(self) -> None:
        """Stop watching. Nothing else is stopped."""
        self._future.cancel()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


async def _informed(azure: Azure, job: Callable[[Board], Coroutine[Any, Any, Table]], board: Board) -> Table:
    """Do a job once the service has answered for the first time: only then is its clock known."""
    await azure.account()
    return await job(board)


async def _of_known_time(azure: Azure, question: Callable[[Azure], Coroutine[Any, Any, T]]) -> T:
    await azure.account()
    return await question(azure)


def _has_begun(task: asyncio.Task[Any]) -> bool:
    coroutine = task.get_coro()
    return not (inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED)


async def _shut(azure: Azure) -> None:
    """End what runs on this loop, then let the clients go."""
    cancelled: set[asyncio.Task[Any]] = set()
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        # What is cancelled before it began leaves what it was going to await unawaited.
        begun = {task for task in others if _has_begun(task)}
        for task in begun - cancelled:
            task.cancel()
        cancelled |= begun
        await (asyncio.wait(others) if begun == others else asyncio.sleep(0))
    await azure.close()
