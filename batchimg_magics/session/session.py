"""`Session`: one connection, the thread of its event loop, and the verbs as synchronous calls.

A session runs the coroutines of `core` on one daemon thread and returns DataFrames. It starts without a connection: the
first verb connects to the emulator with the state file of the user. Work continues as long as the process runs, also if
no call waits for it: the same command joins it.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Self, TypeVar

from batchimg_magics.connection import connection, profiles
from batchimg_magics.connection.clouds import CLOUD_NAMES
from batchimg_magics.connection.options import ConnectionOptions
from batchimg_magics.core.base.progress import Board
from batchimg_magics.errors import ConflictError, NotConnectedError, SpecError
from batchimg_magics.pool_spec.line import pool_names
from batchimg_magics.session import forked, input_tables, local_verbs
from batchimg_magics.session.loop import call_with_service_time, run_loop, run_timed, run_verb, shut_down
from batchimg_magics.session.name_cache import NameCache
from batchimg_magics.session.pool_watch import PoolWatch
from batchimg_magics.session.python_calls import PythonCalls
from batchimg_magics.session.remaining_nodes import remaining_nodes_text
from batchimg_magics.session.work import OWN_THREAD_TEXT, VerbRun
from batchimg_magics.verbs.registry import LOCAL_VERBS, load_verb

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from batchimg_magics.connection.connection import Connection, Transport
    from batchimg_magics.connection.sign_in import SignInPrompt
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.scaling.watch import PoolSnapshot
    from batchimg_magics.session.pool import Pool
    from batchimg_magics.session.progress import ProgressSetting

T = TypeVar("T")

__all__ = ["Session"]

#: The kinds of names that are read from the service, without those that belong to a pool.
_READ_KINDS = frozenset({"checkable", "image", "pool", "run", "vm", "vm_size"})
#: Minimum real seconds between two reads of a pool in the emulator, where an hour may take a minute.
MIN_POLL_INTERVAL_S = 0.5


class Session(PythonCalls):
    """One connection to a Batch account, in the emulator or in Azure.

    Every verb is a method that returns a pandas DataFrame; docs/reference.md lists the columns.

    Parameters
    ----------
    wrap_transport
        Wraps the HTTP transport of each connection of the session, for example to count or to log requests.
    credential
        Signs in to Azure: a credential of azure-identity, synchronous or asynchronous. The session does not close it.
        None: `connect` chooses one.
    progress
        None or True: show bars in notebooks and terminals. False: show none. A function: it is called with a
        `ProgressEvent` a few times a second, and when a verb has ended.

    Raises
    ------
    BatchImgError
        Every verb raises a subclass of it, with a hint.
    """

    def __init__(
        self,
        *,
        wrap_transport: Callable[[Transport], Transport] | None = None,
        credential: object | None = None,
        progress: ProgressSetting = None,
    ) -> None:
        self._progress = progress
        if credential is not None:
            from batchimg_magics.connection.sign_in import check_credential

            check_credential(credential)
        self._wrap_transport = wrap_transport
        self._credential = credential
        self._connection: Connection | None = None
        self._thread: threading.Thread | None = None
        self._verb_runs: list[VerbRun] = []
        #: The last verbs that were started without waiting for them.
        self.background: deque[VerbRun] = deque(maxlen=20)
        self._pool_watches: weakref.WeakSet[PoolWatch] = weakref.WeakSet()
        self._names: NameCache | None = None
        self._changed_pools: set[str] = set()
        self._lock = threading.RLock()
        self._process_id = forked.register(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if text := remaining_nodes_text(self._connection, self._changed_pools):
            sys.stderr.write(f"{text}\n")
        self.close()

    # -- the connection ------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether a connection is open."""
        return self._connection is not None

    @property
    def label(self) -> str:
        """The label of captions: ``LOCAL`` for the emulator, ``AZURE`` and the account for Azure."""
        return self._connection.label if self._connection else "LOCAL"

    @property
    def connection(self) -> Connection | None:
        """The open connection, or None before the first verb. Every `connect` opens a new object."""
        return self._connection

    def _require_connection(self) -> Connection:
        with self._lock:
            if self._connection is None:
                forked.check_process(self._process_id)
                return self._set_connection(self._open_connection(ConnectionOptions()))
            if self._connection.failed:
                raise NotConnectedError(
                    "the last `connect` failed",
                    hint="connect again; `%batchimg connect` without options connects to the emulator",
                )
            return self._connection

    def _open_connection(self, options: ConnectionOptions) -> Connection:
        return connection.open_connection(
            options, self._wrap_transport, credential=self._credential, show_sign_in=self.show_sign_in
        )

    def show_sign_in(self, prompt: SignInPrompt) -> None:
        """Show what a person must do to sign in. It is called on a thread of its own."""
        sys.stderr.write(f"{prompt.text}\n")
        sys.stderr.flush()

    def _set_connection(self, connection: Connection) -> Connection:
        """Set the connection, and close the previous one."""
        self.close()
        self._process_id = forked.register(self)
        self._connection = connection
        self._names = NameCache(connection)
        self._thread = threading.Thread(target=run_loop, args=(connection.loop,), name="batchimg", daemon=True)
        self._thread.start()
        return connection

    def open(self, **target: Any) -> None:
        """Open a connection without a request: the first verb finds out whether it works.

        Parameters
        ----------
        **target
            The fields of `ConnectionOptions`.

        Raises
        ------
        SpecError, NotConnectedError
            The options are not valid.
        """
        with self._lock:
            self._set_connection(self._open_connection(ConnectionOptions(**target)))

    def close(self) -> None:
        """Close the connection and interrupt its work. Operations that were started continue in Azure.

        Raises
        ------
        RuntimeError
            The call comes from the thread of the event loop, which would wait for itself.
        """
        self._refuse_own_thread()
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is None or self._thread is None:
                return
            for verb_run in self._verb_runs:
                verb_run.interrupt()
            self._verb_runs.clear()
            self._changed_pools.clear()
            self._pool_watches.clear()
            if self._names is not None:
                self._names.close()
                self._names = None
            closing = shut_down(connection.azure, connection.advancing_time)
            asyncio.run_coroutine_threadsafe(closing, connection.loop).result()
            connection.loop.call_soon_threadsafe(connection.loop.stop)
            self._thread.join()
            connection.close()

    def leave_to_parent(self) -> object:
        """Give the connection up in a child process, and return what belongs to the parent."""
        left = (self._connection, self._thread, self._names, self._verb_runs, list(self._pool_watches))
        self._connection = self._thread = self._names = None
        self._verb_runs = []
        self._changed_pools, self._pool_watches = set(), weakref.WeakSet()
        self._lock = threading.RLock()  # another thread of the parent may hold it
        return left

    def is_own_thread(self) -> bool:
        """Tell whether the caller is on the thread of the event loop, where a wait would be for itself."""
        return threading.current_thread() is self._thread

    def _refuse_own_thread(self) -> None:
        if self.is_own_thread():
            raise RuntimeError(OWN_THREAD_TEXT)

    # -- work ----------------------------------------------------------------------------------------------------

    def begin(self, verb: str, /, **options: Any) -> VerbRun:
        """Start a verb, or join the same verb if it is already running, and return immediately.

        Parameters
        ----------
        verb
            The name of the verb.
        **options
            The options of the verb.

        Raises
        ------
        SpecError
            The options are not valid; nothing was started.
        ConflictError
            Another verb is changing the same pool.
        """
        if verb == "connect":
            return self._connect(ConnectionOptions(**options))
        if verb in LOCAL_VERBS:
            return local_verbs.run(verb, options, self._verb_runs, self.background)
        connection = self._require_connection()
        entry = load_verb(verb)
        if entry.start is None:
            raise SpecError(f"{verb} is available in a notebook or on the command line only")
        options = input_tables.plain_tables(verb, options)
        options = options if entry.complete is None else entry.complete(options)
        verb_call = entry.start(connection, **{key: value for key, value in options.items() if key != "wait"})
        with self._lock:
            self._verb_runs = [one for one in self._verb_runs if not (one.done() or one.interrupted)]
            verb_run = VerbRun(
                verb,
                options,
                Board(connection.azure.now, connection.time_note),
                connection.loop,
                connection.advancing_time,
                "checking" if entry.changes else "reading",
            )
            if (same := next(filter(verb_run.is_same, self._verb_runs), None)) is not None:
                return same
            verb_run.refuse_conflicts(self._verb_runs)
            self._verb_runs.append(verb_run)
        verb_run.start(run_verb(connection.azure, verb_call, verb_run.board))
        if entry.changes:
            self._changed_pools.update(pool_names(options))
            for watching in list(self._pool_watches):
                if verb_run.concerns(watching.pool):
                    watching.poll_now()
        return verb_run

    def _connect(self, connection_options: ConnectionOptions) -> VerbRun:
        self._refuse_own_thread()
        if running := [verb_run.label for verb_run in self._verb_runs if not verb_run.done()]:
            raise ConflictError(f"{', '.join(running)}: still running on this connection", hint="wait until it ends")
        connection.check_options(connection_options)  # before the present connection is closed
        with self._lock:
            if (
                connection_options.is_emulator
                and self._connection is not None
                and self._connection.emulator is not None
            ):
                self.close()  # the new connection may use the same state file, which is locked
            opened = self._set_connection(self._open_connection(connection_options))
        verb_run = VerbRun("connect", {}, Board(opened.azure.now), opened.loop, opened.advancing_time)
        verb_run.start(run_timed(connection.connection_table(opened, verb_run.board), verb_run.board))
        return verb_run

    def run_table(self, verb: str, /, **options: Any) -> Table:
        """Run a verb to its end and return its table.

        Raises
        ------
        DetachedError
            The user pressed Ctrl-C.
        """
        verb_run = self.begin(verb, **options)
        try:
            return verb_run.result()
        except KeyboardInterrupt:
            verb_run.interrupt()
            raise verb_run.detached_error() from None

    # -- for front ends ------------------------------------------------------------------------------------------

    def submit(self, function: Callable[[Azure], Coroutine[Any, Any, T]]) -> Future[T]:
        """Start a coroutine on the event loop of the session, and return its future.

        Parameters
        ----------
        function
            Returns the coroutine, given the clients of the connection.
        """
        connection = self._require_connection()
        return asyncio.run_coroutine_threadsafe(call_with_service_time(connection.azure, function), connection.loop)

    def call(self, function: Callable[[Azure], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the event loop of the session and return its result.

        Raises
        ------
        BatchImgError
            The coroutine raised it.
        RuntimeError
            The call comes from the thread of the event loop, which would wait for itself.
        """
        self._refuse_own_thread()
        return self.start_call(function).result()

    def start_call(self, function: Callable[[Azure], Coroutine[Any, Any, T]]) -> Future[T]:
        """Start a coroutine on the event loop of the session, whose time advances until it ends; return its future."""
        connection = self._require_connection()

        async def call_function(azure: Azure) -> T:
            # Entered on the thread of the loop, before the first sleep, and left with the result.
            with connection.advancing_time():
                return await function(azure)

        return self.submit(call_function)

    def watch(self, name: str, on_snapshot: Callable[[PoolSnapshot], None]) -> PoolWatch:
        """Poll a pool until the returned watch is stopped.

        Parameters
        ----------
        name
            The name of the pool.
        on_snapshot
            Called with each snapshot, on the thread of the session.
        """
        from batchimg_magics.core.scaling.watch import PoolWatcher  # panels only

        connection = self._require_connection()
        pace_s = MIN_POLL_INTERVAL_S * (connection.emulator.speed or 0.0) if connection.emulator else 0.0
        watcher = PoolWatcher(connection.azure, name, on_snapshot, pace_s=pace_s)
        future = asyncio.run_coroutine_threadsafe(watcher.run(), connection.loop)
        pool_watch = PoolWatch(watcher, future, connection.loop)
        self._pool_watches.add(pool_watch)
        return pool_watch

    def pool(self, name: str) -> Pool:
        """Return a handle of a pool, which may not exist yet; no request is sent.

        Parameters
        ----------
        name
            The name of the pool.

        Raises
        ------
        SpecError
            The name is not that of a pool.
        """
        from batchimg_magics.session.pool import Pool

        return Pool(self, name)

    def running(self) -> list[VerbRun]:
        """Return the verbs of this session that are running."""
        return [verb_run for verb_run in list(self._verb_runs) if not verb_run.done()]

    def find_running(self, name: str) -> VerbRun | None:
        """Return the running verb of this session that changes a pool, or None."""
        # Without the lock: `close` holds it while it waits for the loop, which may call this.
        return next((one for one in self.running() if one.changes_pool and one.concerns(name)), None)

    def names(self, kind: str, of: str = "") -> list[str]:
        """Return names for completion: the current ones, or the last known ones if the service is slow.

        `kind` is one of ``pool``, ``run``, ``image``, ``vm``, ``checkable``, ``vm_size``, ``profile``, ``cloud``, or
        ``node`` of the pool `of`.
        """
        if kind == "profile":
            return sorted(profiles.read_profiles())
        if kind == "cloud":
            return list(CLOUD_NAMES)
        return [] if self._names is None or (kind == "node" and not of) else self._names.names(kind, of)

    def prefetch_names(self, kind: str) -> None:
        """Begin to read the names of a kind, so that `names` has them soon. It returns at once."""
        if self._names is not None and kind in _READ_KINDS:
            self._names.prefetch(kind)
