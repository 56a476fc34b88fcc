"""Put the record of each result into the outputs of a notebook, once: beside its table, or at the end of the cell.

A table that is shown carries its record. What is kept in a variable, silenced or raised is not shown: the final line of
its progress carries its record, or an output of its own that has no other form, for which front ends show nothing.
"""

from __future__ import annotations

import itertools
import sys
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, Self

from batchimg_magics.core.base.records import FORMAT_VERSION, MIME_TYPE
from batchimg_magics.session.record import failed_record, finished_record
from batchimg_magics.verbs.registry import LOCAL_VERBS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from IPython.core.interactiveshell import InteractiveShell

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.display.progress import ProgressDisplay
    from batchimg_magics.session.work import VerbRun

__all__ = ["Recorder", "Result", "forget", "record_at_its_end"]

#: Outputs of one cell that only have a record; further records share the last one. JupyterLab shows 50 outputs of a
#: cell at first.
MAX_OUTPUTS = 20
#: Records that wait for the end of a cell; of more, the last ones are kept.
MAX_WAITING = 1_000
#: What front ends and converters show for an output without a table: nothing.
_NOTHING = {"text/markdown": ""}


class Result:
    """The record of one result, and whether an output has it.

    Parameters
    ----------
    record
        The record.
    run
        A run in the background whose own result it is: it is left out if somebody waited for that run.
    attach
        Adds forms by mime type to the output that the progress of the verb has left, and tells whether there is one.
    """

    __slots__ = ("__weakref__", "attach", "is_stored", "record", "run")

    def __init__(
        self, record: dict[str, Any], run: VerbRun | None = None, attach: Callable[[dict[str, Any]], bool] | None = None
    ) -> None:
        self.record = record
        self.run = run
        self.attach = attach
        self.is_stored = False

    def needs_output(self) -> bool:
        """Tell whether an output must be added for it, which the caller does: none that is shown can carry it."""
        if self.is_stored or (self.run is not None and self.run.is_recorded):
            return False
        self.is_stored = True
        if self.run is not None:
            self.run.is_recorded = True
        return self.attach is None or not self.attach({MIME_TYPE: self.record})

    def bundle(self) -> dict[str, Any]:
        """Return what an output that shows the result has beside its other forms."""
        # The outputs of `%%capture` go into a variable and not into the notebook.
        self.is_stored = self.is_stored or not _is_captured()
        return {MIME_TYPE: self.record}


class _Outputs:
    """The records of one shell that no output has yet."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = weakref.ref(shell)
        self._waiting: deque[Result] = deque(maxlen=MAX_WAITING)
        self._lock = threading.Lock()
        shell.events.register("post_run_cell", self.end_cell)

    def add(self, result: Result) -> None:
        with self._lock:
            self._waiting.append(result)

    def end_cell(self, *_: object) -> None:
        """Store what no output of the cell shows; IPython calls it at the end of each cell."""
        if _is_captured():
            return  # the cell within `%%capture`; the one around it ends, too
        with self._lock:
            waiting, self._waiting = self._waiting, deque(maxlen=MAX_WAITING)
        records = [one.record for one in waiting if one.needs_output()]
        for record in records[: MAX_OUTPUTS - 1]:
            self.publish(record)
        if len(rest := records[MAX_OUTPUTS - 1 :]) > 1:
            self.publish({"version": FORMAT_VERSION, "records": rest})
        elif rest:
            self.publish(rest[0])

    def publish(self, record: Mapping[str, Any]) -> None:
        """Add an output that has a record and shows nothing."""
        # A terminal shows nothing of it, and stores nothing.
        if (shell := self._shell()) is not None and getattr(shell, "kernel", None) is not None:
            shell.display_pub.publish({**_NOTHING, MIME_TYPE: record})

    def close(self) -> None:
        if (shell := self._shell()) is not None and self.end_cell in shell.events.callbacks["post_run_cell"]:
            shell.events.unregister("post_run_cell", self.end_cell)


#: The number of each result of this process.
_numbers = itertools.count(1)
_outputs: weakref.WeakKeyDictionary[InteractiveShell, _Outputs] = weakref.WeakKeyDictionary()


def _shell() -> InteractiveShell | None:
    """Return the shell of IPython in this process; None: plain Python."""
    found: InteractiveShell | None = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return found


def _is_captured() -> bool:
    publisher = getattr(_shell(), "display_pub", None)
    return type(publisher).__name__ == "CapturingDisplayPublisher"


def _outputs_of(shell: InteractiveShell) -> _Outputs:
    if shell not in _outputs:
        _outputs[shell] = _Outputs(shell)
    return _outputs[shell]


def forget(shell: InteractiveShell) -> None:
    """Store no further records in the outputs of a shell, until the next result."""
    if (found := _outputs.pop(shell, None)) is not None:
        found.close()


class HasConnection(Protocol):
    """What a session is here."""

    @property
    def connected(self) -> bool:
        """Whether a connection is open."""

    @property
    def connection(self) -> Connection | None:
        """The open connection."""

    def begin(self, verb: str, /, **options: Any) -> VerbRun:
        """Start a verb."""


class Recorder:
    """Makes the record of one verb; as a context, also of the error that ends it.

    It begins the verb in place of its session, so that it knows the run.

    Parameters
    ----------
    session, verb, options
        The session, the verb and its options; None: a verb without a session.
    progress_display
        Where its progress is shown.

    Attributes
    ----------
    result
        What `done` or `failed` has made; None before, and outside IPython.
    """

    def __init__(
        self,
        session: HasConnection | None,
        verb: str,
        options: Mapping[str, Any],
        progress_display: ProgressDisplay | None = None,
    ) -> None:
        # Bars in the output of a cell leave a line there; no other display does.
        self._attach: Callable[[dict[str, Any]], bool] | None = getattr(progress_display, "attach", None)
        self._session = session
        self._verb = verb
        self._options = dict(options)
        self._run: VerbRun | None = None
        self._outputs = None if (shell := _shell()) is None else _outputs_of(shell)
        self.result: Result | None = None

    @property
    def connected(self) -> bool:
        """Whether a connection is open."""
        return self._session is not None and self._session.connected

    def begin(self, verb: str, /, **options: Any) -> VerbRun:
        """Start the verb."""
        if self._session is None:
            raise TypeError(f"{verb} has no session")
        self._run = self._session.begin(verb, **options)
        return self._run

    def done(self, table: Table) -> Result | None:
        """Note the table of the verb."""
        if self._outputs is None:
            return None
        return self._add(finished_record(self._verb, self._options, self._connection, self._run, table))

    def failed(self, error: BaseException) -> Result | None:
        """Note the error of the verb."""
        if self._outputs is None:
            return None
        return self._add(failed_record(self._verb, self._options, self._connection, self._run, error))

    @property
    def _connection(self) -> Connection | None:
        """The connection of the verb."""
        is_refused = self._verb == "connect" and self._run is None  # the connection is still the one before
        return None if self._session is None or is_refused or self._verb in LOCAL_VERBS else self._session.connection

    def _add(self, record: dict[str, Any]) -> Result:
        # A cell may get the same answer twice; a table that is shown twice is one result.
        self.result = Result({**record, "number": next(_numbers)}, attach=self._attach)
        if self._run is not None and self._run.done():
            self._run.is_recorded = True
        if self._outputs is not None:
            self._outputs.add(self.result)
        return self.result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            self.store_failed(error)

    def store_failed(self, error: BaseException) -> None:
        """Store the record of an error at once."""
        if self._outputs is None:
            return
        result = self.result or self.failed(error)
        # Before the traceback, which the notebook stores next: whoever ends the kernel now has both.
        if result is not None and not _is_captured() and result.needs_output():
            self._outputs.publish(result.record)


def record_at_its_end(session: HasConnection, run: VerbRun) -> None:
    """Make the record of a run in the background when it ends; the next cell that ends stores it."""
    shell = _shell()
    if shell is None:
        return
    outputs, connection = _outputs_of(shell), session.connection

    def add() -> None:
        if run.table is not None:
            record = finished_record(run.verb, run.options, connection, run, run.table)
        else:
            record = failed_record(run.verb, run.options, connection, run, run.error or run.detached_error())
        outputs.add(Result({**record, "number": next(_numbers)}, run))

    run.add_done_callback(add)
