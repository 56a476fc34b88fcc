"""How a `Session` shows the progress of a verb: bars, a callback of the user, or nothing."""

from __future__ import annotations

import sys
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.core.base.progress import Activity
    from batchimg_magics.display.progress import ProgressDisplay
    from batchimg_magics.session.work import VerbRun

    #: The setting of a session: None and True mean bars where somebody sees them, False none.
    ProgressSetting: TypeAlias = bool | Callable[["ProgressEvent"], object] | None

__all__ = ["CallbackProgress", "ProgressEvent", "ProgressStep", "bars"]

#: Minimum real seconds between two calls of a callback, except the last.
CALL_INTERVAL_S = 0.25


@dataclass(frozen=True, slots=True)
class ProgressStep:
    """One step of a verb.

    Parameters
    ----------
    name
        Its name, for example ``image version``.
    elapsed_s
        Seconds of the service's time since it began; its duration once it has ended.
    expected_s
        Its usual duration in seconds; None where it is not known.
    done, total
        Progress in parts, such as ready nodes and wanted nodes; None where it has no parts.
    has_ended
        Whether it has ended.
    detail
        Further text.
    """

    name: str
    elapsed_s: float
    expected_s: float | None = None
    done: int | None = None
    total: int | None = None
    has_ended: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """How far a verb is. A callback gets some of them a second, and a last one when the verb has ended.

    Parameters
    ----------
    verb, label
        The verb, and a short name such as ``create genomics``.
    steps
        Its steps so far, in the order in which they began.
    elapsed_s
        Seconds of the service's time since it began.
    expected_s
        Its usual duration in seconds; None where it is not known.
    outcome
        ``running``; in the last event ``done``, ``failed`` or ``interrupted``.
    """

    verb: str
    label: str
    steps: tuple[ProgressStep, ...]
    elapsed_s: float
    expected_s: float | None
    outcome: str

    @classmethod
    def of(cls, verb_run: VerbRun) -> ProgressEvent:
        """Return how far a verb is now."""
        progress = verb_run.progress()
        steps = tuple(_step(one, progress.now) for one in progress.activities)
        return cls(verb_run.verb, verb_run.label, steps, progress.elapsed_s, progress.expected_s, verb_run.outcome)


def _step(activity: Activity, now: float) -> ProgressStep:
    ended = activity.ended
    elapsed_s = max(0.0, (now if ended is None else ended) - activity.began)
    return ProgressStep(
        activity.name,
        elapsed_s,
        activity.expected_s,
        activity.done,
        activity.total,
        has_ended=ended is not None,
        detail=activity.detail,
    )


class CallbackProgress:
    """Calls a function of the user. If it fails, the work goes on, and the function is not called again for it."""

    def __init__(self, callback: Callable[[ProgressEvent], object], verb_run: VerbRun) -> None:
        self._callback: Callable[[ProgressEvent], object] | None = callback
        self._verb_run = verb_run
        self._next_call = 0.0

    def show(self, *_: Any, **__: Any) -> None:
        """Call the function, if the last call was long enough ago."""
        if (now := time.monotonic()) >= self._next_call:
            self._call()
            self._next_call = now + CALL_INTERVAL_S

    def close(self, *_: Any, **__: Any) -> None:
        """Call the function for the last time."""
        self._call()

    def _call(self) -> None:
        if self._callback is None:
            return
        try:
            self._callback(ProgressEvent.of(self._verb_run))
        except Exception:  # noqa: BLE001 - any error of the user's function; the work must not end with it
            self._callback = None
            if sys.stderr is not None:
                sys.stderr.write("The progress function failed and is not called again for this verb:\n")
                traceback.print_exc()


def bars(*, shown: bool = True) -> ProgressDisplay:
    """Return bars in a notebook and in a terminal, and nothing elsewhere or where they are not wanted."""
    from batchimg_magics.display.progress import NoProgress, NotebookProgress, TerminalProgress

    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shown and getattr(shell, "kernel", None) is not None:
        return NotebookProgress()
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return TerminalProgress(sys.stderr) if shown and is_terminal else NoProgress()
