"""The verbs as calls in Python: DataFrames with a caption, errors with a hint, and handles of pools."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from batchimg_magics.session.methods import Verbs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    import pandas as pd

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.errors import BatchImgError
    from batchimg_magics.session.work import VerbRun

T = TypeVar("T")

__all__ = ["PythonCalls"]


class PythonCalls(Verbs):
    """The calls of a session."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The label of captions."""

    @abstractmethod
    def begin(self, verb: str, /, **options: Any) -> VerbRun:
        """Start a verb."""

    @abstractmethod
    def run(self, verb: str, /, **options: Any) -> Table:
        """Run a verb to its end."""

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
        wait = options.pop("wait", True)
        return self._to_frame(self.run(verb, **options) if wait else self.begin(verb, **options).started_table(), pool)

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

    def _to_frame(self, table: Table, pool: str = "") -> pd.DataFrame:
        from batchimg_magics.session import frames  # pandas, which the command line does without

        said = frames.with_words(table, lambda text: self._say(text, table.verb, pool))
        return frames.to_displayed_frame(said, self.label)

    def _python_error(self, error: BatchImgError, verb: str, pool: str = "") -> BatchImgError:
        from batchimg_magics.session.python_errors import to_python_error

        return to_python_error(error, verb, lambda text: self._say(text, verb, pool), self._to_frame)
