"""The world's time, and the event loop that steps through it.

There are two ways to run and one interface (`Clock`). In *running* mode simulated time is a straight line through the
wall clock, anchored in the world, so that every process on one world file agrees on it. In *stepped* mode one process
holds the world, and time moves only while somebody waits for it: `InstantLoop` moves its clock on instead of sleeping.
Either way time never goes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import selectors
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Context

    from batchimg_magics.emulator.world.store import Store

#: Batch keeps moments as counts of 100 ns.
TICKS_PER_SECOND = 10_000_000
_Args = TypeVarTuple("_Args")

#: Sleepers in running mode look at the anchor at least this often (real seconds): another process may have moved it.
ANCHOR_POLL_S = 0.1
#: Real seconds a sleeper in running mode never undercuts, so that a high speed does not turn into a busy loop.
MIN_SLEEP_S = 0.001


class Clock(Protocol):
    """The time of one world, in simulated seconds since 1970-01-01T00:00:00Z."""

    def now(self) -> float:
        """Return the world's time."""

    def advance(self, seconds: float) -> None:
        """Move time on by so many seconds; time never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Return when that many simulated seconds have passed."""


class ManualClock:
    """A clock that moves only when it is told to: the one of an app that tests drive over HTTP."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        """Return the world's time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move time on by so many seconds; time never goes back."""
        if seconds < 0:
            msg = f"time never goes back, and {seconds} s would"
            raise ValueError(msg)
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        """Move time on: nobody else does."""
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)


class AcceleratedClock:
    """Simulated time as `sim0 + (wall - wall0) * speed`, the anchor kept in the world for every process to read.

    Parameters
    ----------
    world
        Where the anchor lives; `Store.latest_time()` is the largest time committed, which the clock never undercuts.
    speed
        Simulated seconds a real second. Another speed than the world's moves the anchor to this moment.
    wall
        The real clock, an argument for the tests' sake.
    """

    def __init__(self, store: Store, speed: float, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._wall = wall
        with store.transaction(write=True):
            anchor = store.meta("anchor")
            # A line that lies below what is committed (the world was stepped meanwhile) would make time stand still.
            if anchor is None or self._from_anchor() < store.latest_time():
                store.set_meta("anchor", [store.latest_time(), wall(), speed])
            elif anchor[2] != speed:
                store.set_meta("anchor", [self.now(), wall(), speed])

    def now(self) -> float:
        """Return the world's time: the anchor's line, and never less than what is committed."""
        return max(self._store.latest_time(), self._from_anchor())

    def _from_anchor(self) -> float:
        sim0, wall0, speed = self._store.meta("anchor")
        return float(sim0 + (self._wall() - wall0) * speed)

    def advance(self, seconds: float) -> None:
        """Move the anchor on by so many simulated seconds, for every process on this world."""
        if seconds < 0:
            msg = f"time never goes back, and {seconds} s would"
            raise ValueError(msg)
        with self._store.transaction(write=True):
            speed = self._store.meta("anchor")[2]
            self._store.set_meta("anchor", [self.now() + seconds, self._wall(), speed])

    async def sleep(self, seconds: float) -> None:
        """Return when that many simulated seconds have passed, whoever moves the anchor meanwhile."""
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            speed = self._store.meta("anchor")[2]
            await asyncio.sleep(min(ANCHOR_POLL_S, max(MIN_SLEEP_S, left / speed)))


class InstantClock:
    """Simulated time as the time of a `InstantLoop`, counted from where the world stood.

    The loop counts from 0 because at numbers the size of the calendar's a float's resolution is coarser than the
    loop's own, and timers then come due for ever without firing; the calendar is added here.
    """

    def __init__(self, loop: InstantLoop, start: float) -> None:
        self._loop = loop
        self._start = start

    def now(self) -> float:
        """Return the world's time."""
        return self._start + self._loop.time()

    def advance(self, seconds: float) -> None:
        """Move time on by so many seconds."""
        self._loop.advance(seconds)

    async def sleep(self, seconds: float) -> None:
        """Return when that many simulated seconds have passed."""
        await asyncio.sleep(max(0.0, seconds))


class _Timer(asyncio.TimerHandle):
    """A timer that comes due in order of its time, and of its making among equals: heaps alone are not stable."""

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
    """A selector that moves its loop's time on instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: InstantLoop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready or self.loop is None or (timeout is not None and timeout <= 0):
            return ready
        if timeout is not None and self.loop.is_advancing():
            self.loop.advance(timeout)
            return ready
        woken: list[tuple[selectors.SelectorKey, int]] = super().select(None)
        return woken


class InstantLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still, except while a call inside `moving()` waits.

    Then nothing is slept: the next timer's moment simply comes. Everything that runs on it must stay on it (no
    sockets, threads or executors, whose answers would come at a simulated moment that depends on the real machine).
    """

    def __init__(self) -> None:
        selector = _InstantSelector()
        super().__init__(selector)
        selector.loop = self
        self._now = 0.0
        self._foreground_calls = 0
        self._timer_numbers = itertools.count()
        # asyncio fires timers that are due within one resolution. At 1 us no pair of distinct moments here is merged,
        # and rounding (now + (when - now) < when) cannot make it spin.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return the seconds that have passed since this loop was made."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move time on by so many seconds; time never goes back."""
        if seconds < 0:
            msg = f"time never goes back, and {seconds} s would"
            raise ValueError(msg)
        self._now += seconds

    def is_advancing(self) -> bool:
        """Whether a foreground call waits."""
        return self._foreground_calls > 0

    @contextlib.contextmanager
    def advancing_time(self) -> Iterator[None]:
        """Let time move on while the body of this block waits. To be entered on the loop's own thread."""
        self._foreground_calls += 1
        try:
            yield
        finally:
            self._foreground_calls -= 1

    def call_at(
        self, when: float, callback: Callable[[*_Args], object], *args: *_Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Arrange for a call at a loop time; calls of one moment are made in the order they were arranged in."""
        self._check_closed()  # type: ignore[attr-defined] # asyncio's own guard, absent from typeshed
        timer = _Timer(when, callback, args, self, context, next(self._timer_numbers))
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined] # asyncio's heap of timers
        timer._scheduled = True  # type: ignore[attr-defined] # as BaseEventLoop.call_at does  # noqa: SLF001
        return timer


def parse_timestamp(text: str) -> float:
    """Read a moment that a body has, in seconds since 1970."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    second = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
    return second + (int(fraction[:7].ljust(7, "0")) / TICKS_PER_SECOND if fraction else 0.0)
