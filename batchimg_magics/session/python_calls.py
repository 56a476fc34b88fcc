"""The verbs as calls in Python: DataFrames with a caption, errors with a hint, and handles of pools."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from batchimg_magics.session.methods import Verbs

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    import pandas as pd

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.errors import BatchImgError
    from batchimg_magics.session.progress import ProgressSetting
    from batchimg_magics.session.record_output import Result
    from batchimg_magics.session.work import VerbRun

T = TypeVar("T")

__all__ = ["PythonCalls"]


class PythonCalls(Verbs):
    """The calls of a session.

    Attributes
    ----------
    background
        The last verbs that were started without waiting for them.
    """

    background: deque[VerbRun]

    _progress: ProgressSetting = None

    @property
    @abstractmethod
    def label(self) -> str:
        """The label of captions."""

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether a connection is open."""

    @abstractmethod
    def begin(self, verb: str, /, **options: Any) -> VerbRun:
        """Start a verb."""

    @abstractmethod
    def running(self) -> list[VerbRun]:
        """Return the verbs that are running."""

    @property
    @abstractmethod
    def connection(self) -> Connection | None:
        """The open connection."""

    @abstractmethod
    def call(self, function: Callable[[Azure], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the event loop of the session and return its result."""

    @abstractmethod
    def start_call(self, function: Callable[[Azure], Coroutine[Any, Any, T]]) -> Future[T]:
        """Start a coroutine on the event loop of the session and return its future."""

    @abstractmethod
    def find_running(self, name: str) -> VerbRun | None:
        """Return the running verb that changes a pool, or None."""

    @abstractmethod
    def is_own_thread(self) -> bool:
        """Tell whether the caller is on the thread of the event loop."""

    def _frame(self, verb: str, /, **options: Any) -> pd.DataFrame:
        return self._run_frame(verb, options)

    def _run_frame(self, verb: str, options: dict[str, Any], pool: str = "") -> pd.DataFrame:
        from batchimg_magics.session import foreground, progress
        from batchimg_magics.session.input_tables import plain_tables
        from batchimg_magics.session.record_output import Recorder

        options = plain_tables(verb, options)
        display = progress.bars(shown=self._progress is not False and not callable(self._progress))
        with Recorder(self, verb, options, display) as recorder:
            if not options.pop("wait", True):
                table = self.begin_in_background(verb, options)
            elif callable(self._progress):
                verb_run = recorder.begin(verb, **options)
                table = foreground.wait_with_progress(verb_run, progress.CallbackProgress(self._progress, verb_run))
            else:
                table = foreground.run_with_progress(recorder, verb, options, display)
            result = recorder.done(table)
        return self._to_frame(table, pool, result)

    def begin_in_background(self, verb: str, options: dict[str, Any]) -> Table:
        """Start a verb without waiting for it, and return the table that says so; `status` shows what comes of it."""
        from batchimg_magics.session.record_output import record_at_its_end

        self.background.append(self.begin(verb, **options))
        record_at_its_end(self, self.background[-1])
        return self.background[-1].started_table()

    def _say(self, text: str, verb: str = "", pool: str = "") -> str:  # noqa: ARG002 - for a subclass
        """Return a text in the words of the front end; here, those of a command line.

        Parameters
        ----------
        text
            A message, a hint or a caption, with commands and options.
        verb
            The verb that it is about.
        pool
            The name of the pool whose handle was called; empty for the session.
        """
        return text

    def _to_frame(self, table: Table, pool: str = "", result: Result | None = None) -> pd.DataFrame:
        from batchimg_magics.session import frames  # pandas, which the command line does without

        said = frames.with_words(table, lambda text: self._say(text, table.verb, pool))
        return frames.to_displayed_frame(said, self.label, result)

    def _python_error(self, error: BatchImgError, verb: str, pool: str = "") -> BatchImgError:
        from batchimg_magics.session.python_errors import to_python_error

        return to_python_error(error, verb, lambda text: self._say(text, verb, pool), self._to_frame)

    # -- display -------------------------------------------------------------------------------------------------

    def _summary(self) -> dict[str, str]:
        """Return what is known of the connection; no request is sent."""
        connection = self.connection
        if connection is None:
            return {"connection": "none yet: the first verb connects to the emulator"}
        azure = connection.azure
        identity = connection.credential and connection.credential.identity
        found = {
            "connection": "failed" if connection.failed else "Azure" if connection.is_billed else "the emulator",
            "account": azure.scope.account,
            "region": azure.known_region,
            "resource group": azure.scope.resource_group,
            "subscription": azure.scope.subscription,
            "signed in as": str(identity) if identity else "",
            "running": ", ".join(verb_run.label for verb_run in self.running()),
        }
        return {name: text for name, text in found.items() if text}

    def __repr__(self) -> str:
        from batchimg_magics.masking import make_visible

        found = self._summary()
        if self.connection is None:
            return f"<{type(self).__name__}: not connected>"
        words = [f"{name} {found[name]}" for name in ("account", "region") if name in found]
        words += [f"{name}: {found[name]}" for name in ("running",) if name in found]
        state = " (failed)" if self.connection.failed else ""
        return make_visible(f"<{type(self).__name__} {self.label}{state}: {', '.join(words)}>")

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from batchimg_magics.display.summary import summary_bundle
        from batchimg_magics.display.tables import add_label

        caption = "session" if self.connection is None else add_label("session", self.label)
        return summary_bundle(caption, self._summary())

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled: open one in each process")
