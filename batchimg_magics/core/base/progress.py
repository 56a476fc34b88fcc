"""The progress of one piece of work. A front end reads it from its own thread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchimg_magics.masking import mask_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["Activity", "Board", "PlannedStep", "Progress", "total_s"]


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


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step that the work will do.

    Parameters
    ----------
    name
        The name of its activity.
    expected_s
        Usual duration in seconds; None where it is not known.
    after
        Names of the steps that must finish first.
    """

    name: str
    expected_s: float | None = None
    after: tuple[str, ...] = ()


def total_s(steps: Iterable[PlannedStep], own_s: Mapping[str, float]) -> float:
    """Return the duration of steps in seconds, where each begins when those that it waits for have ended.

    Parameters
    ----------
    steps
        The steps; those that a step waits for are before it.
    own_s
        The duration of each step by its name.
    """
    ends: dict[str, float] = {}
    for step in steps:
        ends[step.name] = max((ends.get(before, 0.0) for before in step.after), default=0.0) + own_s[step.name]
    return max(ends.values(), default=0.0)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a piece of work is, at one moment.

    Parameters
    ----------
    label
        What is done, for example ``create genomics``.
    activities
        Its steps so far.
    now
        The service's time in seconds.
    elapsed_s
        Seconds since its beginning; 0 before the service first told its time.
    plan
        The steps that it will do; empty where they are not known.
    status
        What it does before its first step, as one word.
    note
        What is to be known about the time of the service; empty on Azure.
    """

    label: str
    activities: tuple[Activity, ...] = ()
    now: float = 0.0
    elapsed_s: float = 0.0
    plan: tuple[PlannedStep, ...] = ()
    status: str = ""
    note: str = ""

    @property
    def running(self) -> list[Activity]:
        """The steps that have not ended."""
        return [one for one in self.activities if one.ended is None]

    @property
    def ended_count(self) -> int:
        """How many of the planned steps have ended; without a plan, of all steps."""
        names = {step.name for step in self.plan} or {one.name for one in self.activities}
        return sum(1 for one in self.activities if one.ended is not None and one.name in names)

    @property
    def expected_s(self) -> float | None:
        """The usual duration of the whole work in seconds, given what has happened so far; None: not known."""
        if not self.plan or any(step.expected_s is None for step in self.plan):
            return None
        activities = {one.name: one for one in self.activities}
        own_s = {step.name: self._duration_s(step, activities.get(step.name)) for step in self.plan}
        began = min((one.began for one in self.activities), default=self.now)
        before_s = max(0.0, self.elapsed_s - (self.now - began))
        return before_s + total_s(self.plan, own_s)

    def _duration_s(self, step: PlannedStep, activity: Activity | None) -> float:
        expected_s = step.expected_s or 0.0
        if activity is None:
            return expected_s
        return max(expected_s, self.now - activity.began) if activity.ended is None else activity.ended - activity.began


class Board:
    """The steps of one piece of work, in the order in which they began.

    Parameters
    ----------
    now
        The service's time in seconds.
    note
        What is to be known about the time of the service, such as that it is accelerated.

    Attributes
    ----------
    see_line, stop_line
        The lines that show and stop what goes on in Azure; empty: those of a pool.
    """

    def __init__(self, now: Callable[[], float], note: str = "") -> None:
        self.now = now
        self.note = note
        self._steps: dict[str, Activity] = {}
        self._plan: tuple[PlannedStep, ...] = ()
        self._is_planned = False
        self._pending_cleanup: dict[str, str] = {}
        self.see_line = self.stop_line = ""
        self._began: float | None = None
        self._seconds: float | None = None
        self._ended: float | None = None

    # -- the duration of the whole work --------------------------------------------------------------------------

    def start(self) -> None:
        """Note that the work begins now, unless it has begun. The service must have told its time."""
        if self._began is None:
            self._began = self.now()

    @property
    def began(self) -> float | None:
        """When the work began, in the time of the service; None: it has not begun."""
        return self._began

    @property
    def ended(self) -> float | None:
        """When the work ended, in the time of the service; None: it has not ended."""
        return self._ended

    @property
    def has_started(self) -> bool:
        """Whether the work has begun; before that, the connection is being opened."""
        return self._began is not None

    def elapsed_s(self) -> float:
        """Return the duration of the work so far, in seconds; that of the whole work after `finish`."""
        if self._seconds is not None:
            return self._seconds
        return 0.0 if self._began is None else max(0.0, self.now() - self._began)

    def finish(self) -> float:
        """Note that the work has ended, unless that is noted, and return its duration in seconds.

        There is one duration: captions, tables and the final line all show this one.
        """
        if self._seconds is None:
            self._ended = self.now()
            self._seconds = round(self.elapsed_s(), 1)
        return self._seconds

    # -- steps ---------------------------------------------------------------------------------------------------

    def plan(self, steps: Sequence[PlannedStep], *, is_whole: bool = False) -> None:
        """Add steps that the work will do; `is_whole`: all of them, so that later calls are about parts of these."""
        if not self._is_planned:
            self._is_planned = is_whole
            self._plan = (*self._plan, *steps)

    def begin(self, name: str, *, expected_s: float | None = None, total: int | None = None) -> None:
        """Add a step that begins now. One that is running goes on, with what is now expected of it."""
        self.start()
        began = self._steps[name].began if self.is_running(name) else self.now()
        step = Activity(name, began, expected_s=expected_s, total=total)
        # A new dictionary each time, so that a reader on another thread always sees a complete one.
        self._steps = {**self._steps, name: step}

    def is_running(self, name: str) -> bool:
        """Return whether a step has begun and not ended."""
        return name in self._steps and self._steps[name].ended is None

    def withdraw(self, name: str) -> None:
        """Remove a step: another one comes first."""
        self._steps = {one: step for one, step in self._steps.items() if one != name}

    def update(
        self,
        name: str,
        *,
        done: int | None = None,
        total: int | None = None,
        detail: str | None = None,
        expected_s: float | None = None,
    ) -> None:
        """Change what a step says; None leaves a part as it is."""
        old = self._steps[name]
        new = replace(
            old,
            done=old.done if done is None else done,
            total=old.total if total is None else total,
            detail=old.detail if detail is None else mask_tokens(detail),
            expected_s=old.expected_s if expected_s is None else expected_s,
        )
        self._steps = {**self._steps, name: new}

    def end(self, name: str, detail: str | None = None) -> float:
        """Mark a step as finished and return its duration in seconds."""
        self.update(name, detail=detail)
        step = replace(self._steps[name], ended=self.now())
        self._steps = {**self._steps, name: step}
        return (step.ended or step.began) - step.began

    def add_cleanup(self, what: str, words: str) -> None:
        """Note something that must be undone before the work ends. A user who interrupts the work is told."""
        self._pending_cleanup = {**self._pending_cleanup, what: mask_tokens(words)}

    def goes_on(self, see_line: str, stop_line: str) -> None:
        """Note that the work goes on in Azure without a wait for it, and the lines that show and stop it."""
        self.see_line, self.stop_line = see_line, stop_line

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

    def progress(self, label: str, status: str = "") -> Progress:
        """Return how far the work is, for a display; `status` is what it does before its first step."""
        # One time for the steps and the whole, so that they agree.
        now, elapsed_s = self.now(), self.elapsed_s()
        return Progress(label, self.activities(), now, elapsed_s, self._plan, status, self.note)
