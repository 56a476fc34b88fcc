"""Wait for a verb in the foreground, with its progress on display."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol

from batchimg_magics.core.base.durations import format_duration
from batchimg_magics.core.base.progress import Progress
from batchimg_magics.pool_spec.line import pool_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.base.table import Table
    from batchimg_magics.display.progress import ProgressDisplay
    from batchimg_magics.session.work import VerbRun

__all__ = ["run_with_progress", "wait_with_progress"]

#: Real seconds between updates of the display. Waiting in short intervals lets Ctrl-C interrupt it.
REFRESH_INTERVAL_S = 0.1
#: After so many intervals, the wait for a verb without steps is shown: an answer that comes sooner needs no progress.
QUIET_INTERVALS = 2


class Begins(Protocol):
    """What a session is here: it begins verbs."""

    @property
    def connected(self) -> bool:
        """Whether a connection is open."""

    def begin(self, verb: str, /, **options: Any) -> VerbRun:
        """Start a verb."""


def run_with_progress(
    session: Begins, verb: str, options: Mapping[str, Any], progress_display: ProgressDisplay
) -> Table:
    """Run a verb in the foreground, show its progress from the beginning, and return its table.

    What takes long before the first request is shown, too: modules are imported, and the connection is opened.

    Raises
    ------
    DetachedError
        Ctrl-C was pressed.
    BatchImgError
        The verb failed.
    """
    label = " ".join([verb, *pool_names(options)])
    shown = _show_beginning(session, verb, label, progress_display)
    try:
        verb_run = session.begin(verb, **options)
    except BaseException:
        if shown:
            progress_display.close(f"{label}: failed", kept=False)
        raise
    return wait_with_progress(verb_run, progress_display)


def _show_beginning(session: Begins, verb: str, label: str, progress_display: ProgressDisplay) -> bool:
    """Show a verb before anything is imported or connected, unless its answer comes at once; tell whether."""
    from batchimg_magics.verbs.registry import LOCAL_VERBS, load_verb

    if verb in LOCAL_VERBS:
        return False
    if verb == "connect" or not session.connected:
        progress_display.show(Progress(label, status="connecting"))
    elif load_verb(verb).changes:
        progress_display.show(Progress(label, status="checking"))
    else:
        return False
    return True


def wait_with_progress(verb_run: VerbRun, progress_display: ProgressDisplay) -> Table:
    """Wait for a verb in the foreground, show its progress, and return its table.

    Raises
    ------
    DetachedError
        Ctrl-C was pressed: no new operation is started; the hint has the commands that continue and stop the work.
    BatchImgError
        The verb failed.
    """
    shown = _Shown(progress_display)
    outcome, intervals = "failed", 0
    try:
        try:
            while not verb_run.wait(REFRESH_INTERVAL_S):
                intervals += 1
                progress = verb_run.progress()
                if progress.activities or intervals >= QUIET_INTERVALS:
                    shown.show(progress)
            table = verb_run.result()
        except KeyboardInterrupt:
            outcome = "interrupted"
            verb_run.interrupt()
            table = verb_run.result()  # raises, unless the verb ended at the same moment
        outcome = "done"
    finally:
        _end(verb_run)
        progress = verb_run.progress()
        last = f"{verb_run.label}: {outcome} · {format_duration(progress.elapsed_s)}"
        shown.close(last, kept=bool(progress.activities))
    return table


def _end(verb_run: VerbRun) -> None:
    """Interrupt a verb that still runs, perhaps after SystemExit in a function of the user, and wait for its end."""
    if not verb_run.done():
        verb_run.interrupt()
        while not verb_run.wait(REFRESH_INTERVAL_S):
            pass


class _Shown:
    """A display of progress. If it fails, for example since the terminal is closed, the work goes on without it."""

    def __init__(self, display: ProgressDisplay) -> None:
        self._display: ProgressDisplay | None = display

    def show(self, progress: Progress) -> None:
        """Show how far the work is."""
        if self._display is not None:
            try:
                self._display.show(progress)
            except Exception:  # noqa: BLE001 - any error of a display; the work must not end with it
                self._display = None

    def close(self, last: str, *, kept: bool) -> None:
        """Show the last line."""
        if self._display is not None:
            with contextlib.suppress(Exception):
                self._display.close(last, kept=kept)
