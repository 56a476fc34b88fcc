"""Show the progress of a verb: one line in a terminal, bars in a notebook, and a final line that remains."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from batchimg_magics.core.base.durations import format_duration
from batchimg_magics.display.cells import escape_html
from batchimg_magics.masking import make_visible
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import RenderableType
    from rich.live import Live

    from batchimg_magics.core.base.progress import Activity, Progress

__all__ = [
    "NoProgress",
    "NotebookProgress",
    "ProgressDisplay",
    "TerminalProgress",
    "head_text",
    "progress_text",
    "running_steps",
    "steps_html",
]

_BAR = 20
#: Below so many columns, a terminal has no room for bars; and it shows so many running steps.
MIN_BAR_WIDTH, MAX_TERMINAL_STEPS = 60, 8
#: Seconds by which a step may exceed its usual duration before that is told: durations are known in seconds only.
GRACE_S = 5.0


class ProgressDisplay(Protocol):
    """Displays progress."""

    def show(self, progress: Progress) -> None:
        """Show how far the work is, and replace what was shown before."""

    def close(self, last: str, *, kept: bool = True) -> None:
        """Replace what was shown by a final line.

        Parameters
        ----------
        last
            The line.
        kept
            Whether the line is of interest; otherwise it is shown only where what was shown cannot be removed.
        """


# -- texts -------------------------------------------------------------------------------------------------------


def _elapsed_text(elapsed_s: float, expected_s: float | None) -> str:
    """Return the time that has passed, and how long the whole usually takes, or that it takes longer."""
    text = format_duration(elapsed_s)
    if expected_s is None:
        return text
    if elapsed_s <= expected_s:
        return f"{text} of about {format_duration(expected_s)}"
    return f"{text}, longer than usual" if elapsed_s > expected_s + GRACE_S else text


def _is_late(step: Activity, now: float) -> bool:
    return step.expected_s is not None and now - step.began > step.expected_s + GRACE_S


def _done_share(step: Activity, now: float) -> float | None:
    """Return the share of a step that is done, 0 to 1; None: unknown, also when it takes longer than usual."""
    if step.total:
        return min(1.0, (step.done or 0) / step.total)
    if step.expected_s and now - step.began <= step.expected_s:
        return (now - step.began) / step.expected_s
    return None


def _step_text(step: Activity, now: float) -> str:
    """Return the text beside the bar of a step."""
    parts = [f"{step.done or 0} of {step.total}"] if step.total else []
    parts.append(_elapsed_text(now - step.began, step.expected_s))
    return " · ".join([*parts, *([step.detail] if step.detail else [])])


def _steps_to_show(progress: Progress) -> list[Activity]:
    """Return the running steps of which there is more to tell than the line of the whole work has."""
    known = (progress.label, None, None, "")
    return [one for one in progress.running if (one.name, one.expected_s, one.total, one.detail or "") != known]


def head_text(progress: Progress) -> str:
    """Return the line of the whole work: the step that it is at, and the time."""
    if not progress.activities:
        return f"{progress.label}: {progress.status or 'working'} ..."
    parts = [progress.label]
    if progress.plan:
        parts.append(f"step {min(progress.ended_count + 1, len(progress.plan))} of {len(progress.plan)}")
    elif progress.ended_count:
        parts.append(f"{count_text(progress.ended_count, 'step')} done")
    late = any(_is_late(step, progress.now) for step in progress.running)
    expected_s = None if late else progress.expected_s
    parts.append(_elapsed_text(progress.elapsed_s, expected_s))
    if late and len(progress.running) > 1:
        parts.append("longer than usual")
    return " · ".join(parts)


def running_steps(progress: Progress) -> list[tuple[str, float | None, str]]:
    """Return (name, done share or None, text) of each running step, for a display that draws the bars itself."""
    return [
        (step.name, _done_share(step, progress.now), _step_text(step, progress.now))
        for step in _steps_to_show(progress)
    ]


def progress_text(progress: Progress) -> str:
    """Return how far the work is, as one line of text."""
    running = "; ".join(f"{step.name} {_step_text(step, progress.now)}" for step in _steps_to_show(progress))
    note = f" ({progress.note})" if progress.note else ""
    return f"{head_text(progress)}{note}{': ' if running else ''}{running}"


# -- HTML --------------------------------------------------------------------------------------------------------


def steps_html(progress: Progress, as_of: str = "") -> str:
    """Return the line of the whole work, and a bar for each running step, as HTML.

    Parameters
    ----------
    progress
        How far the work is.
    as_of
        The time of day, where the HTML may be looked at later; empty: it is not shown.
    """
    bars = "".join(_bar(step, progress.now) for step in _steps_to_show(progress))
    small = " · ".join(filter(None, [progress.note, f"as of {as_of}" if as_of else ""]))
    below = f'<div style="opacity:.75;font-size:90%">{escape_html(small)}</div>' if small else ""
    return f'<div role="status"><div>{escape_html(head_text(progress))}</div>{bars}{below}</div>'


def _bar(step: Activity, now: float) -> str:
    part = _done_share(step, now)
    color = "var(--jp-brand-color1,#1976d2)"
    # Stripes over the whole rail: the step is going on, and its end is not known.
    stripes = f"width:100%;height:100%;background:repeating-linear-gradient(45deg,{color} 0 4px,transparent 4px 8px)"
    fill = stripes if part is None else f"width:{part:.0%};background:{color};height:100%"
    rail = "flex:0 0 12em;height:.6em;background:var(--jp-layout-color3,#ccc);border-radius:.3em;overflow:hidden"
    return (
        '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:0 .8em">'
        f'<span style="flex:0 0 16em">{escape_html(step.name)}</span>'
        f'<div style="{rail}"><div style="{fill}"></div></div>'
        f"<span>{escape_html(_step_text(step, now))}</span></div>"
    )


# -- displays ----------------------------------------------------------------------------------------------------


class NoProgress:
    """Displays nothing."""

    def show(self, progress: Progress) -> None:
        """Show nothing."""

    def close(self, last: str, *, kept: bool = True) -> None:
        """Show no final line."""


class TerminalProgress:
    """The work and its running steps with their bars, redrawn on every update; only for a terminal.

    Parameters
    ----------
    stream
        The terminal. Anything else gets the final lines only.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live: Live | None = None

    def show(self, progress: Progress) -> None:
        """Draw the line of the whole work, and a line for each running step."""
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            # Nothing of it remains: neither after its end nor after Ctrl-C.
            self._live = Live(console=Console(file=self._stream), auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(_terminal_lines(progress, self._live.console.width), refresh=True)

    def close(self, last: str, *, kept: bool = True) -> None:
        """Remove what was drawn, and write the final line."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if kept:
            self._stream.write(f"{make_visible(last)}\n")
        self._stream.flush()


def _terminal_lines(progress: Progress, width: int) -> RenderableType:
    """Return the lines of a terminal, each cut at its edge; a narrow one has no bars."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table as Grid
    from rich.text import Text

    def text(line: str, style: str = "") -> Text:
        return Text(make_visible(line), style=style, no_wrap=True, overflow="ellipsis")

    steps = Grid.grid(padding=(0, 1))
    for name, share, said in running_steps(progress)[:MAX_TERMINAL_STEPS]:
        bar = ProgressBar(total=None if share is None else 1.0, completed=share or 0.0, width=_BAR)
        steps.add_row(text(name), *([bar] if width >= MIN_BAR_WIDTH else []), text(said))
    note = [text(progress.note, "dim")] if progress.note else []
    return Group(text(head_text(progress)), *([steps] if steps.rows else []), *note)


def _time_of_day() -> str:
    return time.strftime("%H:%M:%S")


class NotebookProgress:
    """Bars in the output of a cell, updated in place; a final line replaces them.

    What a notebook keeps of them after its kernel has died tells its time.

    Parameters
    ----------
    time_of_day
        Returns the present time as text.
    """

    def __init__(self, time_of_day: Callable[[], str] = _time_of_day) -> None:
        self._time_of_day = time_of_day
        self._handle: Any = None
        self._shown: dict[str, str] = {}

    def show(self, progress: Progress) -> None:
        """Show a bar for each running step, and the line of the whole work."""
        as_of = self._time_of_day()
        self._update_output(steps_html(progress, as_of), f"{progress_text(progress)}, as of {as_of}")

    def close(self, last: str, *, kept: bool = True) -> None:
        """Show the final line. An output can be emptied but not removed: what was shown is always replaced."""
        if kept or self._handle is not None:
            self._update_output(f"<div>{escape_html(last)}</div>", last)

    def attach(self, extra: Mapping[str, Any]) -> bool:
        """Add other forms of it, by mime type, to what is shown, and return True; False: nothing is shown."""
        if self._handle is None:
            return False
        self._handle.update({**self._shown, **extra}, raw=True)
        return True

    def _update_output(self, html: str, plain: str) -> None:
        from IPython.display import display

        data = {"text/html": html, "text/plain": make_visible(plain)}
        if data == self._shown:
            return
        self._shown = data
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call] # untyped upstream
        else:
            self._handle.update(data, raw=True)
