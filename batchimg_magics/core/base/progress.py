"""What work says of itself while it goes on: a board that a front end looks at from its own thread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing that is going on.

    Parameters
    ----------
    name
        What it is, e.g. ``gallery version 1.0.0``.
    began, ended
        In seconds of the service's time; `ended` is None while it goes on.
    expected_s
        How long it usually takes; None where nobody knows.
    done, total
        Parts of it, e.g. nodes that are ready of nodes wanted; None where it has no parts.
    detail
        A few words more.
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
        """Put a new step on the board."""
        step = Activity(name, self.now(), expected_s=expected_s, total=total)
        # A new dictionary each time: whoever reads on another thread sees the old board or the new one, whole.
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
        """Mark a step as over and return how many seconds it took."""
        self.update(name, detail=detail)
        step = replace(self._steps[name], ended=self.now())
        self._steps = {**self._steps, name: step}
        return self.now() - step.began

    def add_cleanup(self, what: str, words: str) -> None:
        """Note what is not as it should be until the work is over: whoever breaks it off is told."""
        self._pending_cleanup = {**self._pending_cleanup, what: words}

    def cleanup_done(self, what: str) -> None:
        """Note that something is as it should be again."""
        self._pending_cleanup = {key: words for key, words in self._pending_cleanup.items() if key != what}

    @property
    def pending_cleanup(self) -> str:
        """What is not as it should be right now; empty where all is."""
        return "; ".join(self._pending_cleanup.values())

    def activities(self) -> tuple[Activity, ...]:
        """Return the steps as they stand."""
        return tuple(self._steps.values())
