"""Wait for a verb in the foreground, with its progress on display."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.display.progress import format_duration

if TYPE_CHECKING:
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.display.progress import ProgressDisplay
    from batchimg_magics.session.work import VerbRun

__all__ = ["wait_with_progress"]

#: Real seconds between updates of the display. Waiting in short intervals lets Ctrl-C interrupt it.
REFRESH_INTERVAL_S = 0.1


def wait_with_progress(verb_run: VerbRun, progress_display: ProgressDisplay) -> Table:
    """Wait for a verb in the foreground, show its progress, and return its table.

    Raises
    ------
    DetachedError
        Ctrl-C was pressed: no new operation is started; the hint has the commands that continue and stop the work.
    BatchImgError
        The verb failed.
    """
    outcome = "failed"
    try:
        try:
            while not verb_run.wait(REFRESH_INTERVAL_S):
                progress_display.show(verb_run.label, verb_run.board.activities(), verb_run.board.now())
            table = verb_run.result()
        except KeyboardInterrupt:
            outcome = "interrupted"
            verb_run.interrupt()
            table = verb_run.result()  # raises, unless the verb ended at the same moment
        outcome = "done"
    finally:
        progress_display.close(_final_line(verb_run, outcome))
    return table


def _final_line(verb_run: VerbRun, outcome: str) -> str:
    """Return the line that remains; an empty string if there were no steps."""
    steps = verb_run.board.activities()
    if not steps:
        return ""
    ended = max(verb_run.board.now() if step.ended is None else step.ended for step in steps)
    duration = format_duration(ended - min(step.began for step in steps))
    return f"{verb_run.label}: {outcome} · {duration}"
