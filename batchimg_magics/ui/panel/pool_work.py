"""The work on the pool of a panel: what the panel or another part of the session started, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import BatchImgError, NotConnectedError
from batchimg_magics.pool_spec.line import format_line
from batchimg_magics.session.record_output import record_at_its_end
from batchimg_magics.ui.panel.activity import ActivityLog, error_state, format_time, message_state, running_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.scaling.watch import PoolSnapshot
    from batchimg_magics.session.session import Session
    from batchimg_magics.session.work import VerbRun

__all__ = ["PoolWork"]

_NOTHING = message_state("")


class PoolWork:
    """Starts verbs on one pool, and follows those that run on it.

    Parameters
    ----------
    session, name
        The session, and the name of the pool.
    on_state
        Called with the state that the front end shows, a JSON document.
    on_begin, on_end
        Called when a verb is followed; and when it has ended, with its table, or None if it failed.

    Attributes
    ----------
    lines
        The log.
    """

    def __init__(
        self,
        session: Session,
        name: str,
        *,
        on_state: Callable[[dict[str, Any]], None],
        on_begin: Callable[[], None],
        on_end: Callable[[VerbRun, Table | None], None],
    ) -> None:
        self.lines = ActivityLog()
        self._session, self._name = session, name
        self._connection = session.connection
        self._on_state, self._on_begin, self._on_end = on_state, on_begin, on_end
        self._verb_run: VerbRun | None = None
        self._problem: dict[str, Any] = {}
        self._shows_external = False
        self._set(_NOTHING)

    @property
    def is_own_connection(self) -> bool:
        """Whether the session still has the connection that the panel was opened on."""
        return self._session.connection is self._connection

    @property
    def running(self) -> VerbRun | None:
        """The verb of this session that is changing the pool, or None."""
        return self._verb_run if self._verb_run is not None and not self._verb_run.done() else None

    @property
    def resize_options(self) -> dict[str, Any] | None:
        """The options of a resize of this session, which can be stopped before Azure reports it; None: no resize."""
        return self.running.options if self.running is not None and self.running.verb == "resize" else None

    def check_connection(self) -> None:
        """Refuse to act on another connection than that of the panel."""
        if not self.is_own_connection:
            raise NotConnectedError(
                "the connection of this panel is closed",
                hint=f"open a panel on the current connection: `%batchimg panel {self._name}`",
            )

    def start(self, verb: str, **options: Any) -> VerbRun | None:
        """Start a verb on the pool and follow it; None: it was refused, and the state says why."""
        self._problem = {}
        try:
            self.check_connection()
            verb_run = self._session.begin(verb, name=self._name, **options)
        except BatchImgError as error:
            # It stays until the next action, whatever else is going on.
            self._problem = error_state(error)
            self.show()
            return None
        record_at_its_end(self._session, verb_run)
        # A resize that is being stopped reports its own outcome.
        if self.running is None:
            self._follow(verb_run)
        return verb_run

    def follow_running(self) -> None:
        """Follow a verb that runs on this pool in the session, started by a cell or another panel."""
        if self._verb_run is None and (verb_run := self._session.find_running(self._name)) is not None:
            self._follow(verb_run)

    def _follow(self, verb_run: VerbRun) -> None:
        self._verb_run, self._shows_external = verb_run, False
        self.lines.add(verb_run.board.now(), verb_run.resume_line.removeprefix("%batchimg "))
        self._on_begin()
        self._set(running_state(verb_run))
        verb_run.add_done_callback(self.show)

    def show(self, snapshot: PoolSnapshot | None = None) -> None:
        """Show the progress or the result of the verb, or a resize that another session started."""
        verb_run = self._verb_run
        if verb_run is None:
            if snapshot is not None:
                self._show_external(snapshot)
            elif self._problem:
                self._set(_NOTHING)
            return
        self.lines.add_ended_steps(verb_run)
        if not verb_run.done():
            self._set(running_state(verb_run))
            return
        self._verb_run = None
        table, now = None, verb_run.board.now()
        try:
            table = verb_run.result()
        except BatchImgError as error:
            failure = f"{verb_run.label} failed: {error.message}"
            self.lines.add(now, failure)
            self._set(error_state(error) | {"message": failure})
        else:
            self.lines.add(now, table.caption)
            self._set(message_state(table.caption, tone="ask" if table.attrs.get("withheld") else "calm"))
        self._on_end(verb_run, table)

    def _show_external(self, snapshot: PoolSnapshot) -> None:
        pool = snapshot.pool
        if pool is None or pool.allocation != "resizing":
            if self._shows_external:
                self._shows_external = False
                self._set(_NOTHING)
            return
        self._shows_external = True
        since = f" since {format_time(pool.state_since.timestamp())}Z" if pool.state_since else ""
        options = {"name": self._name, "nodes": pool.target.dedicated, "spot": pool.target.spot}
        self._set(
            message_state(
                f"This pool is being resized to {pool.target.text}{since}, but not by this session.",
                hint="To wait for it here, run",
                command=format_line("resize", options),
            )
        )

    def _set(self, state: dict[str, Any]) -> None:
        self._on_state(state | {"problem": self._problem, "log": [list(line) for line in self.lines.lines]})
