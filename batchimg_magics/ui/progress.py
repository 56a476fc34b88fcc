"""What is seen while work goes on: one line in a terminal, bars in a notebook, and a last line that stays."""

from __future__ import annotations

import shutil
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.base.progress import Activity
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.session.work import VerbRun

__all__ = [
    "NoProgress",
    "NotebookProgress",
    "ProgressDisplay",
    "TerminalProgress",
    "format_duration",
    "steps_html",
    "wait_with_progress",
]

#: Real seconds between two looks at the work. A wait in slices lets Ctrl-C through.
REFRESH_INTERVAL_S = 0.1
_BAR = 20


class ProgressDisplay(Protocol):
    """Where progress is shown."""

    def show(self, label: str, steps: Sequence[Activity], now: float) -> None:
        """Show the steps as they stand, in place of what was shown before."""

    def close(self, last: str) -> None:
        """Leave this line in place of what was shown; an empty one leaves nothing."""


def wait_with_progress(verb_run: VerbRun, progress_display: ProgressDisplay) -> Table:
    """Wait for work in the foreground, show how it goes, and return its table.

    Raises
    ------
    DetachedError
        Ctrl-C: nothing new is begun; the hint has the lines that go on with it and that stop it.
    BatchImgError
        What the work raised.
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
            table = verb_run.result()  # of work that ended at the same moment; else it raises
        outcome = "done"
    finally:
        progress_display.close(_final_line(verb_run, outcome))
    return table


def _final_line(verb_run: VerbRun, outcome: str) -> str:
    """Return the line that stays: nothing where there were no steps to speak of."""
    steps = verb_run.board.activities()
    if not steps:
        return ""
    ended = max(verb_run.board.now() if step.ended is None else step.ended for step in steps)
    took = format_duration(ended - min(step.began for step in steps))
    return f"{verb_run.label}: {outcome} · {took}"


def format_duration(seconds: float) -> str:
    """Return a duration as people say it."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {left:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _done_share(step: Activity, now: float) -> float | None:
    """Return which part of a step is done, None where nobody knows."""
    if step.total:
        return min(1.0, (step.done or 0) / step.total)
    if step.expected_s:
        # What takes longer than it usually does is not done: the bar stops short of its end.
        return min(0.95, (now - step.began) / step.expected_s)
    return None


def _step_text(step: Activity, now: float) -> str:
    """Return what a step says beside its bar."""
    parts = [f"{step.done or 0} of {step.total}"] if step.total else []
    took = format_duration(now - step.began)
    parts.append(f"{took} of about {format_duration(step.expected_s)}" if step.expected_s else took)
    return " · ".join([*parts, *([step.detail] if step.detail else [])])


def steps_html(label: str, steps: Sequence[Activity], now: float) -> str:
    """Return a bar for each running step, and how many are over, as HTML."""
    bars = "".join(_bar(step, now) for step in steps if step.ended is None)
    return f"<div>{escape(label)}{escape(_done_steps_text(steps))}{bars}</div>"


def _done_steps_text(steps: Sequence[Activity]) -> str:
    # Of how many, nobody knows: steps are put on the board as they begin.
    ended = sum(1 for step in steps if step.ended is not None)
    return f" · {ended} step{'s'[: ended > 1]} done" if ended else ""


def _bar(step: Activity, now: float) -> str:
    part = _done_share(step, now)
    fill = "" if part is None else f"width:{part:.0%};background:var(--jp-brand-color1,#1976d2);height:100%"
    rail = "flex:0 0 12em;height:.6em;background:var(--jp-layout-color3,#ccc);border-radius:.3em;overflow:hidden"
    return (
        '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:0 .8em">'
        f'<span style="flex:0 0 16em">{escape(step.name)}</span>'
        f'<div style="{rail}"><div style="{fill}"></div></div>'
        f"<span>{escape(_step_text(step, now))}</span></div>"
    )


class NoProgress:
    """Shows nothing."""

    def show(self, label: str, steps: Sequence[Activity], now: float) -> None:
        """Show nothing."""

    def close(self, last: str) -> None:
        """Leave nothing."""


class TerminalProgress:
    """One line that is written again and again; only for a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._written = 0

    def show(self, label: str, steps: Sequence[Activity], now: float) -> None:
        """Write the running steps in one line."""
        running = [self._step_line(step, now) for step in steps if step.ended is None]
        self._write(" | ".join([f"{label}: {running[0]}", *running[1:]] if running else [label]))

    def close(self, last: str) -> None:
        """Leave the last line and begin a new one."""
        if self._written or last:
            self._write(last)
            self._stream.write("\n" if last else "\r")
            self._stream.flush()

    @staticmethod
    def _step_line(step: Activity, now: float) -> str:
        part = _done_share(step, now)
        bar = "" if part is None else f"[{'#' * round(part * _BAR):.<{_BAR}}] "
        return f"{step.name} {bar}{_step_text(step, now)}"

    def _write(self, line: str) -> None:
        # One column stays free: a full line would wrap, and what wrapped cannot be written over.
        line = line[: shutil.get_terminal_size().columns - 1]
        self._stream.write(f"\r{line:<{self._written}}")
        self._stream.flush()
        self._written = len(line)


class NotebookProgress:
    """Bars in the output of a cell, updated in place; what stays in the file is one line."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown: dict[str, str] = {}

    def show(self, label: str, steps: Sequence[Activity], now: float) -> None:
        """Draw a bar for each running step, and name how many are over."""
        if not steps:
            return  # an output that is shown can be emptied but not taken back
        running = [step for step in steps if step.ended is None]
        text = "; ".join(f"{step.name} {_step_text(step, now)}" for step in running)
        self._update_output(steps_html(label, steps, now), f"{label}{_done_steps_text(steps)}: {text}")

    def close(self, last: str) -> None:
        """Leave the last line."""
        if last:
            self._update_output(f"<div>{escape(last)}</div>", last)

    def _update_output(self, html: str, plain: str) -> None:
        from IPython.display import display

        data = {"text/html": html, "text/plain": plain}
        if data == self._shown:
            return
        self._shown = data
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call] # untyped upstream
        else:
            self._handle.update(data, raw=True)
