"""Simulated time, and the event loop of instant time.

There are two modes with one interface (`Clock`). In *accelerated* time, the simulated time is a linear function of the
real time, with an anchor in the emulator state, so that all processes with the same state file agree. In *instant*
time, one process has locked the state, and time advances only while a foreground call waits: `InstantLoop` advances its
clock instead of sleeping. In both modes time never goes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import re
import selectors
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Context

    from batchimg_magics.emulator.world.store import Store

#: Tells clients the seconds of simulated time in a real second, wherever an answer is a Batch account.
SPEED_HEADER = "x-ms-emulator-speed"
#: Batch counts time in units of 100 ns.
TICKS_PER_SECOND = 10_000_000
_Args = TypeVarTuple("_Args")
_FRACTION = re.compile(r"[.,](\d{1,7})")

#: A sleeping task reads the anchor at least this often (in real seconds), because another process may change it.
ANCHOR_POLL_S = 0.1
#: At most this many real seconds of answered time are lost with a killed process.
NOTE_S = 0.1
#: The shortest sleep in real seconds, so that a high speed does not cause a busy loop.
MIN_SLEEP_S = 0.001
#: A real clock that is behind by at most so many seconds is waited for: time servers correct it by less.
CLOCK_TOLERANCE_S = 1.0


class Clock(Protocol):
    """Simulated time, in seconds since 1970-01-01T00:00:00Z."""

    def now(self) -> float:
        """Return the simulated time."""

    def advance(self, seconds: float) -> None:
        """Advance the time by so many seconds; time never goes back."""

    def note(self, answered: float) -> None:
        """Take note that a client has got an answer of this time."""

    def move_to(self, now: float) -> None:
        """Set the time, also back: the emulator state is replaced by another one."""

    async def sleep(self, seconds: float) -> None:
        """Wait for so many simulated seconds."""


def stored_speed(store: Store) -> float | None:
    """Return the current seconds of simulated time in a real second; None: time is not accelerated."""
    anchor = store.meta("anchor")
    return None if anchor is None else float(anchor[2])


class ManualClock:
    """A clock that advances only on request: for an app that tests control over HTTP."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        """Return the simulated time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Advance the time by so many seconds; time never goes back."""
        if seconds < 0:
            msg = f"time cannot advance by {seconds} s"
            raise ValueError(msg)
        self._now += seconds

    def note(self, answered: float) -> None:
        """Do nothing: the time is in this process only."""

    def move_to(self, now: float) -> None:
        """Set the time, also back."""
        self._now = now

    async def sleep(self, seconds: float) -> None:
        """Advance the time, because nothing else does."""
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)


class AcceleratedClock:
    """Simulated time as ``sim0 + (wall - wall0) * speed``; the anchor is in the emulator state.

    The state has no anchor if no other process has it open. Time then goes on after the latest write or answer.

    Parameters
    ----------
    store
        The emulator state. The clock is never before `Store.latest_time()`, the latest time of a write.
    speed
        Simulated seconds in a real second. A speed that differs from the stored one moves the anchor to the current
        time.
    wall
        The real clock; tests replace it.
    """

    def __init__(self, store: Store, speed: float, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._wall = wall
        self._noted_at = wall()
        self._anchor: list[float] | None = None
        self._told = 0.0  # the latest time that this process was told since the anchor
        self._speed = speed
        with store.transaction(write=True):
            if store.meta("anchor") is None:
                store.set_meta("anchor", [store.latest_time(), wall(), speed])
            now = self.now()  # it moves an anchor that is before the latest write, as it is after instant time
            if store.meta("anchor")[2] != speed:
                store.set_meta("anchor", [now, wall(), speed])

    def now(self) -> float:
        """Return the simulated time: that of the anchor, but never before the latest write.

        If the real clock was set back, time would stand still until it is again what it was: the anchor is moved.
        """
        if (anchor := self._store.meta("anchor")) != self._anchor:
            self._anchor, self._told = anchor, 0.0  # another process may have set an earlier time
        sim0, wall0, speed = anchor
        wall, known = self._wall(), max(self._store.latest_time(), self._told)
        now = float(sim0 + (wall - wall0) * speed)
        if now < known - CLOCK_TOLERANCE_S * speed:
            self._anchor = [known, wall, speed]
            with self._store.transaction(write=True):
                self._store.set_meta("anchor", self._anchor)
        self._told = max(now, known)
        return self._told

    def advance(self, seconds: float) -> None:
        """Move the anchor on by so many simulated seconds, for every process with this state."""
        if seconds < 0:
            msg = f"time cannot advance by {seconds} s"
            raise ValueError(msg)
        with self._store.transaction(write=True):
            speed = self._store.meta("anchor")[2]
            self._store.set_meta("anchor", [self.now() + seconds, self._wall(), speed])

    def note(self, answered: float) -> None:
        """Store the time of an answer now and then: time does not go back behind it if this process is killed."""
        if abs((wall := self._wall()) - self._noted_at) < NOTE_S:
            return
        self._noted_at = wall
        with self._store.transaction(write=True):
            self._store.record_time(answered)

    def set_speed(self, speed: float) -> float:
        """Set the seconds of simulated time in a real second, for every process with this state; return the former."""
        with self._store.transaction(write=True):
            before = float(self._store.meta("anchor")[2])
            self._store.set_meta("anchor", [self.now(), self._wall(), speed])
        return before

    def move_to(self, now: float) -> None:
        """Set the time, also back, for every process with this state. The speed stays."""
        with self._store.transaction(write=True):
            anchor = self._store.meta("anchor")
            speed = self._speed if anchor is None else anchor[2]
            self._store.set_meta("latest", now)
            self._store.set_meta("anchor", [now, self._wall(), speed])

    async def sleep(self, seconds: float) -> None:
        """Wait for so many simulated seconds; another process may move the anchor meanwhile."""
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            speed = self._store.meta("anchor")[2]
            await asyncio.sleep(min(ANCHOR_POLL_S, max(MIN_SLEEP_S, left / speed)))


class InstantClock:
    """Simulated time as the time of an `InstantLoop`, plus the start.

    The loop counts from 0: with numbers of seconds since 1970, the resolution of a float is coarser than that of the
    loop, and due timers would never be called.
    """

    def __init__(self, loop: InstantLoop, start: float) -> None:
        self._loop = loop
        self._start = start

    def now(self) -> float:
        """Return the simulated time."""
        return self._start + self._loop.time()

    def advance(self, seconds: float) -> None:
        """Advance the time by so many seconds."""
        self._loop.advance(seconds)

    def note(self, answered: float) -> None:
        """Do nothing: the time is stored when the state is closed."""

    def move_to(self, now: float) -> None:
        """Set the time, also back; that of the loop continues, and so do the calls that wait."""
        self._start = now - self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait for so many simulated seconds."""
        await asyncio.sleep(max(0.0, seconds))


class _Timer(asyncio.TimerHandle):
    """A timer that is ordered by its time and then by its creation, because heaps are not stable."""

    __slots__ = ("_order",)

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
        order: int,
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self._order = order

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Timer):
            return NotImplemented
        return (self.when(), self._order) < (other.when(), other._order)


class _InstantSelector(selectors.DefaultSelector):
    """A selector that advances the time of its loop instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: InstantLoop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready or self.loop is None or (timeout is not None and timeout <= 0):
            return ready
        if timeout is not None and self.loop.is_advancing():
            if self.loop.runs_really():
                began = time.monotonic()
                ready = super().select(min(timeout, ANCHOR_POLL_S))
                self.loop.advance(min(timeout, time.monotonic() - began))
                return ready
            self.loop.advance(timeout)
            return ready
        woken: list[tuple[selectors.SelectorKey, int]] = super().select(None)
        return woken


class InstantLoop(asyncio.SelectorEventLoop):
    """An event loop whose time advances only while a call in `advancing_time()` waits.

    Then the loop does not sleep: its time becomes that of the next timer. Everything on the loop must stay on it (no
    sockets, threads or executors, whose results would arrive at a simulated time that depends on the real machine).
    """

    def __init__(self) -> None:
        selector = _InstantSelector()
        super().__init__(selector)
        selector.loop = self
        self._now = 0.0
        self._foreground_calls = 0
        #: Tells whether time runs at real speed, because processes run.
        self.runs_really: Callable[[], bool] = bool
        self._timer_numbers = itertools.count()
        # asyncio calls timers that are due within one resolution. With 1 us no two distinct times are merged here, and
        # rounding (now + (when - now) < when) cannot cause a busy loop.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return the simulated seconds since the loop was created."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Advance the time by so many seconds; time never goes back."""
        if seconds < 0:
            msg = f"time cannot advance by {seconds} s"
            raise ValueError(msg)
        self._now += seconds

    def is_advancing(self) -> bool:
        """Whether a foreground call waits."""
        return self._foreground_calls > 0

    @contextlib.contextmanager
    def advancing_time(self) -> Iterator[None]:
        """Let time advance while the body of this block waits. To be entered on the thread of the loop."""
        self._foreground_calls += 1
        try:
            yield
        finally:
            self._foreground_calls -= 1

    def call_at(
        self, when: float, callback: Callable[[*_Args], object], *args: *_Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedule a call at a loop time; calls at the same time run in the order in which they were scheduled."""
        self._check_closed()  # type: ignore[attr-defined] # asyncio's own guard, absent from typeshed
        timer = _Timer(when, callback, args, self, context, next(self._timer_numbers))
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined] # asyncio's heap of timers
        timer._scheduled = True  # type: ignore[attr-defined] # as BaseEventLoop.call_at does  # noqa: SLF001
        return timer


def parse_timestamp(text: str) -> float:
    """Read a timestamp of a body, in seconds since 1970; without an offset it is in UTC.

    Raises
    ------
    ValueError
        It is not a timestamp, or not one of the years 1 to 9999 in UTC.
    """
    moment = datetime.fromisoformat(text)
    try:
        whole = moment.replace(microsecond=0, tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error
    fraction = _FRACTION.search(text)  # a datetime has microseconds only
    return whole.timestamp() + (int(fraction[1].ljust(7, "0")) / TICKS_PER_SECOND if fraction else 0.0)
