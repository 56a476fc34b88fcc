"""`Pool`: a handle of one pool. It sends no request until it is asked for something."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, Self

from batchimg_magics.errors import BatchImgError, NotFoundError
from batchimg_magics.pool_spec.values import pool_name
from batchimg_magics.session.methods import PoolVerbs

if TYPE_CHECKING:
    from types import TracebackType

    import pandas as pd

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.batch.pools import PoolState
    from batchimg_magics.session.python_calls import PythonCalls

__all__ = ["Pool"]

#: Real seconds for which what was read of a pool is shown again.
SHOWN_S = 3.0
#: Maximum real seconds that the display of a pool waits for the service.
SHOW_TIMEOUT_S = 5.0
#: Real seconds between two looks whether work has ended. Waiting in short intervals lets Ctrl-C interrupt it.
WAIT_INTERVAL_S = 0.1


class Pool(PoolVerbs):
    """A handle of one pool: the verbs about it, without its name.

    Its display has the state, the nodes, the cost, the expiry and the image. As a context manager, it removes all nodes
    at the end, also after an error or Ctrl-C; the pool is kept.

    Parameters
    ----------
    session
        The session that it belongs to.
    name
        The name of the pool, which may not exist yet.

    Raises
    ------
    SpecError
        The name is not that of a pool.
    """

    def __init__(self, session: PythonCalls, name: str) -> None:
        try:
            self._name = pool_name(name)
        except BatchImgError as error:
            raise session._python_error(error, "") from None  # noqa: SLF001 - a part of the session
        self._session = session
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._shown: tuple[float, dict[str, str]] | None = None

    @property
    def name(self) -> str:
        """The name of the pool."""
        return self._name

    @property
    def session(self) -> PythonCalls:
        """The session that it belongs to."""
        return self._session

    @property
    def exists(self) -> bool:
        """Whether the pool exists; it is asked each time.

        Raises
        ------
        BatchImgError
            The service does not answer, or refuses.
        """
        from batchimg_magics.core.batch import pools

        try:
            return self._session.call(lambda azure: pools.read(azure, self._name)) is not None
        except BatchImgError as error:
            raise self._python_error(error, "pools") from None

    def panel(self) -> Any:  # noqa: ANN401 - a widget, which this wing knows nothing of
        """Return the panel of the pool, in a notebook."""
        show = getattr(self._session, "panel", None)
        if show is None:
            raise BatchImgError("a panel needs a notebook", hint="use `batchimg_magics.Session` there")
        return show(self._name)

    # -- the verbs -----------------------------------------------------------------------------------------------

    def _frame(self, verb: str, /, **options: Any) -> pd.DataFrame:
        if verb == "check":
            options.setdefault("kind", "pool")  # a VM or an image may have the same name
        try:
            return self._session._run_frame(verb, {"name": self._name, **options}, self._name)  # noqa: SLF001 - a part of the session
        finally:
            self._connection = self._connection or self._session.connection
            self._shown = None

    def _python_error(self, error: BatchImgError, verb: str) -> BatchImgError:
        return self._session._python_error(error, verb, self._name)  # noqa: SLF001 - a part of the session

    # -- display -------------------------------------------------------------------------------------------------

    def _summary(self) -> dict[str, str]:
        """Return what is shown: it was read a moment ago, or is read now."""
        connection = self._session.connection
        if connection is None:
            return {"state": "not connected"}
        if self._session.is_own_thread():
            return {"state": "unknown", "problem": "the thread of the session cannot ask the service"}
        with self._lock:
            if self._shown is None or time.monotonic() - self._shown[0] > SHOWN_S:
                self._shown = time.monotonic(), self._read_summary()
            found = self._shown[1]
        running = self._session.find_running(self._name)
        return found if running is None else {**found, "running": running.label}

    def _read_summary(self) -> dict[str, str]:
        from batchimg_magics.core.operations import pool_summary

        future = None
        try:
            future = self._session.start_call(lambda azure: pool_summary.read_summary(azure, self._name))
            return future.result(SHOW_TIMEOUT_S)
        except NotFoundError:
            return {"state": "does not exist"}
        except TimeoutError as error:
            if future is not None:
                future.cancel()
            what = error.message if isinstance(error, BatchImgError) else f"no answer within {SHOW_TIMEOUT_S:g} s"
            return {"state": "unknown", "problem": what}
        except BatchImgError as error:
            return {"state": "unknown", "problem": self._python_error(error, "").message}
        except (CancelledError, RuntimeError):
            return {"state": "unknown", "problem": "the connection is being closed"}

    def __repr__(self) -> str:
        from batchimg_magics.masking import make_visible

        words = [
            text if key in ("state", "nodes", "cost") else f"{key}: {text}" for key, text in self._summary().items()
        ]
        return make_visible(f"<Pool {self._name} ({self._session.label}): {', '.join(words)}>")

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from batchimg_magics.display.summary import summary_bundle
        from batchimg_magics.display.tables import add_label

        return summary_bundle(add_label(f"pool {self._name}", self._session.label), self._summary())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pool):
            return NotImplemented
        return self._session is other._session and self._name.lower() == other._name.lower()

    def __hash__(self) -> int:
        return hash((id(self._session), self._name.lower()))

    # -- nodes for a block ---------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._connection = self._session.connection
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, calls: TracebackType | None
    ) -> None:
        """Remove all nodes. An error of the block is raised in any case; that of the removal only after none."""
        try:
            self._say(self._remove_nodes())
        except BaseException as failure:
            reason = failure.message if isinstance(failure, BatchImgError) else type(failure).__name__
            text = self._remaining_text(reason)
            self._say(text)
            if error is None:
                failure.add_note(text)
                raise
            error.add_note(text)

    def _remove_nodes(self) -> str:
        """Remove all nodes, wait until they are removed, and return what was done; empty: nothing was to be done."""
        session = self._session
        self._connection = self._connection or session.connection  # opened by another call within the block
        if self._connection is None:
            return ""
        if session.connection is not self._connection:
            raise BatchImgError("the connection was closed or changed within the block")
        if (running := session.find_running(self._name)) is not None:
            running.interrupt()
            while not running.wait(WAIT_INTERVAL_S):
                pass
        before = session.call(lambda azure: _read_before(azure, self._name))
        if before is None:
            return ""
        state, usd = before
        if state.allocation == "resizing" and not state.autoscale:
            self.stop_resize()
        table = self.resize(nodes=0, spot=0, autoscale_off=True, yes=True)
        if table.attrs.get("withheld"):
            raise BatchImgError("the removal was not confirmed")
        cost = "" if usd is None else f" (${usd:,.2f} an hour)"
        text = f"{state.current} removed{cost}" if state.current.total else "no nodes are requested any more"
        return f"{text}; the pool is kept, `pool.delete()` deletes it"

    def _remaining_text(self, reason: str) -> str:
        connection, usd = self._connection, None
        if connection is not None:
            usd = connection.azure.account_cost.usd_of(self._name)
        cost = "" if usd is None else f" (${usd:,.2f} an hour when last seen)"
        billed = "they are billed" if connection is None or connection.is_billed else "they remain"
        return (
            f"THE NODES WERE NOT REMOVED, {billed}{cost}: {reason}. "
            f'Remove them with `session.resize("{self._name}", nodes=0, spot=0, yes=True)`'
        )

    def _say(self, text: str) -> None:
        from batchimg_magics.masking import make_visible

        if text and sys.stderr is not None:
            sys.stderr.write(f"pool {self._name}: {make_visible(text)}\n")
            sys.stderr.flush()


async def _read_before(azure: Azure, name: str) -> tuple[PoolState, float | None] | None:
    """Return the state of a pool and the cost of its nodes per hour; None where it has no nodes and requests none."""
    from batchimg_magics.core.batch import expiry, pools

    try:
        state = await pools.read_state(azure, name)
    except NotFoundError:
        return None
    has_own_formula = state.autoscale and not expiry.is_expiry_formula(state.formula)
    wanted = expiry.counts_in_force(state, azure.now()).total or state.target.total or has_own_formula
    if state.deleting or not (state.current.total or wanted):
        return None
    return state, azure.account_cost.usd_of(name)
