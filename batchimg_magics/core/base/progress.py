"""The progress of one piece of work. A front end reads it from its own thread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Activity:
    """One step in progress.

    Parameters
    ----------
    name
        Its name, e.g. ``image version``.
    began, ended
        In seconds of the service's time; `ended` is None while the step runs.
    expected_s
        Usual duration in seconds; None where it is not known.
    done, total
        Progress in parts, e.g. ready nodes and wanted nodes; None where the step has no parts.
    detail
        Further text.
    """

    name: str
    began: float
    ended: float | None = None
    expected_s: float | None = None
    done: int | None = None
    total: int | None = None
    detail: str = ""


class Board:
    """The steps of one piece of work, in the order in which they began.

    Parameters
    ----------
    now
        The service's time in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._steps: dict[str, Activity] = {}
        self._pending_cleanup: dict[str, str] = {}

    def begin(self, name: str, *, expected_s: float | None = None, total: int | None = None) -> None:
        """Add a step that begins now."""
        step = Activity(name, self.now(), expected_s=expected_s, total=total)
        # A new dictionary each time, so that a reader on another thread always sees a complete one.
        self._steps = {**self._steps, name: step}

    def update(
        self, name: str, *, done: int | None = None, total: int | None = None, detail: str | None = None
    ) -> None:
        """Change what a step says; None leaves a part as it is."""
        old = self._steps[name]
        new = replace(
            old,
            done=old.done if done is None else done,
            total=old.total if total is None else total,
            detail=old.detail if detail is None else detail,
        )
        self._steps = {**self._steps, name: new}

    def end(self, name: str, detail: str | None = None) -> float:
        """Mark a step as finished and return its duration in seconds."""
        self.update(name, detail=detail)
        step = replace(self._steps[name], ended=self.now())
        self._steps = {**self._steps, name: step}
        return self.now() - step.began

    def add_cleanup(self, what: str, words: str) -> None:
        """Note something that must be undone before the work ends. A user who interrupts the work is told."""
        self._pending_cleanup = {**self._pending_cleanup, what: words}

    def cleanup_done(self, what: str) -> None:
        """Note that something was undone."""
        self._pending_cleanup = {key: words for key, words in self._pending_cleanup.items() if key != what}

    @property
    def pending_cleanup(self) -> str:
        """What still must be undone; empty for nothing."""
        return "; ".join(self._pending_cleanup.values())

    def activities(self) -> tuple[Activity, ...]:
        """Return all steps so far."""
        return tuple(self._steps.values())
