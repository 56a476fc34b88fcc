"""Show the progress of a verb: one line in a terminal, bars in a notebook, and a final line that remains."""

from __future__ import annotations

import shutil
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.base.progress import Activity

__all__ = [
    "NoProgress",
    "NotebookProgress",
    "ProgressDisplay",
    "TerminalProgress",
    "format_duration",
    "running_steps",
    "steps_html",
]

_BAR = 20


class ProgressDisplay(Protocol):
    """Displays progress."""

    def show(self, label: str, steps: Sequence[Activity], now: float) -> None:
        """Show the current steps, and replace what was shown before."""

    def close(self, last: str) -> None:
        """Replace what was shown by a final line, or remove it if the line is empty."""


def format_duration(seconds: float) -> str:
    """Return a duration in the two largest units, such as ``7 min 18 s``."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _done_share(step: Activity, now: float) -> float | None:
    """Return the share of a step that is done, 0 to 1; None: unknown."""
    if step.total:
        return min(1.0, (step.done or 0) / step.total)
    if step.expected_s:
        # A step that takes longer than expected is not shown as done.
        return min(0.95, (now - step.began) / step.expected_s)
    return None


def _step_text(step: Activity, now: float) -> str:
    """Return the text beside the bar of a step."""
    parts = [f"{step.done or 0} of {step.total}"] if step.total else []
    elapsed = format_duration(now - step.began)
    parts.append(f"{elapsed} of about {format_duration(step.expected_s)}" if step.expected_s else elapsed)
    return " · ".join([*parts, *([step.detail] if step.detail else [])])


def steps_html(label: str, steps: Sequence[Activity], now: float) -> str:
    """Return a bar for each running step, and the number of finished steps, as HTML."""
    bars = "".join(_bar(step, now) for step in steps if step.ended is None)
    return f"<div>{escape(label)}{escape(_done_steps_text(steps))}{bars}</div>"


def running_steps(steps: Sequence[Activity], now: float) -> list[tuple[str, float | None, str]]:
    """Return (name, done share or None, text) of each running step, for a display that draws the bars itself."""
    return [(step.name, _done_share(step, now), _step_text(step, now)) for step in steps if step.ended is None]


def _done_steps_text(steps: Sequence[Activity]) -> str:
    # Without a total, since steps are added to the board when they start.
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
    """Displays nothing."""

    def show(self, label: str, steps: Sequence[Activity], now: float) -> None:
        """Show nothing."""

    def close(self, last: str) -> None:
        """Show no final line."""


class TerminalProgress:
    """One line that is rewritten on every update; only for a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._written = 0

    def show(self, label: str, steps: Sequence[Activity], now: float) -> None:
        """Write the running steps on one line."""
        running = [self._step_line(step, now) for step in steps if step.ended is None]
        self._write(" | ".join([f"{label}: {running[0]}", *running[1:]] if running else [label]))

    def close(self, last: str) -> None:
        """Write the final line and start a new one."""
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
        # One column stays free: a full line would wrap, and a wrapped line cannot be overwritten.
        line = line[: shutil.get_terminal_size().columns - 1]
        self._stream.write(f"\r{line:<{self._written}}")
        self._stream.flush()
        self._written = len(line)


class NotebookProgress:
    """Bars in the output of a cell, updated in place; only a final line is saved in the notebook."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown: dict[str, str] = {}

    def show(self, label: str, steps: Sequence[Activity], now: float) -> None:
        """Show a bar for each running step, and the number of finished steps."""
        if not steps:
            return  # an output can be emptied but not removed
        running = [step for step in steps if step.ended is None]
        text = "; ".join(f"{step.name} {_step_text(step, now)}" for step in running)
        self._update_output(steps_html(label, steps, now), f"{label}{_done_steps_text(steps)}: {text}")

    def close(self, last: str) -> None:
        """Show the final line."""
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
