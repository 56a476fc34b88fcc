"""The work that runs on a pool, and the log of what happened, as data for the front end."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from batchimg_magics.display.progress import head_text, running_steps

if TYPE_CHECKING:
    from batchimg_magics.errors import BatchImgError
    from batchimg_magics.session.work import VerbRun

__all__ = ["ActivityLog", "format_time", "running_state"]

#: Number of lines that the log keeps.
MAX_LINES = 200


def format_time(at: float) -> str:
    """Return a time of the service as ``HH:MM:SS``, in UTC."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%H:%M:%S")


def running_state(verb_run: VerbRun) -> dict[str, Any]:
    """Return the progress of a running verb."""
    progress = verb_run.progress()
    steps = [{"name": name, "share": share, "text": text} for name, share, text in running_steps(progress)]
    return {"label": head_text(progress), "steps": steps, "message": "", "tone": "live"}


def message_state(message: str, *, hint: str = "", command: str = "", tone: str = "calm") -> dict[str, Any]:
    """Return a message that replaces the progress; `tone` is ``calm``, ``bad`` or ``ask``."""
    return {"label": "", "steps": [], "message": message, "hint": hint, "command": command, "tone": tone}


def error_state(error: BatchImgError) -> dict[str, Any]:
    """Return an error's message and hint."""
    return message_state(error.message, hint=error.hint, tone="bad")


class ActivityLog:
    """What happened to a pool while its panel was open, one line each.

    Attributes
    ----------
    lines
        (time, text), the newest last.
    """

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._ended: set[tuple[int, str]] = set()

    def add(self, at: float, text: str) -> None:
        """Add a line."""
        self.lines = [*self.lines, (format_time(at), text)][-MAX_LINES:]

    def add_ended_steps(self, verb_run: VerbRun) -> None:
        """Add a line for each step of a verb that ended and has none yet."""
        for step in verb_run.board.activities():
            key = (id(verb_run), step.name)
            if step.ended is not None and key not in self._ended:
                self._ended.add(key)
                detail = f": {step.detail}" if step.detail else ""
                self.add(step.ended, f"{step.name}{detail}")
