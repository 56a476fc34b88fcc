"""The clock of the service: set by the Date header of its responses, ticking between them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ServiceClock", "loop_time"]

#: Real seconds that a response may take: in that time, the clock is ahead of the Date header that arrives.
TRANSIT_S = 2.0
#: A Date header that is so many seconds of the service's time too early is no delay: the service's time was set back.
SET_BACK_S = 3600.0


def loop_time() -> float:
    """Return the time of the running event loop; without a loop, the monotonic time."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()


class ServiceClock:
    """The service's time, which never goes back while work is going on.

    Parameters
    ----------
    ticks
        A monotonic time in seconds: that of the event loop, which may be asked from any thread.
    speed
        Returns the seconds of the service's time in one second of `ticks`.
    """

    def __init__(self, ticks: Callable[[], float] = loop_time, speed: Callable[[], float] = lambda: 1.0) -> None:
        self._ticks = ticks
        self._speed = speed
        # (ticks, service's time then, speed, minimum), replaced as one: another thread may read it at any time.
        self._anchor: tuple[float, float, float, float] | None = None
        self._told_at: float | None = None

    def now(self) -> float:
        """Return the service's time in seconds since 1970; 0 before the first response."""
        if self._anchor is None:
            return 0.0
        ticks, base, speed, minimum = self._anchor
        return max(minimum, base + (self._ticks() - ticks) * speed)

    def set(self, date: float) -> None:
        """Set the clock by the Date header of a response, which has whole seconds.

        The clock is moved forward where it is late. Where it is early by more than the response can have taken, it
        stands still until the service's time has come so far.
        """
        ticks, speed, now = self._ticks(), self._speed(), self.now()
        self._told_at = ticks
        ahead = now - (date + 1)
        if ahead > SET_BACK_S * max(1.0, speed):
            self._anchor = (ticks, date, speed, date)
        elif ahead > TRANSIT_S * speed:
            self._anchor = (ticks, date, speed, now)
        else:
            self._anchor = (ticks, max(now, date), speed, max(now, date))

    def advance_to(self, now: float) -> None:
        """Move the clock forward to a time, if it is before it."""
        if self._anchor is not None and now > self.now():
            self._anchor = (self._ticks(), now, self._speed(), now)

    def silence_s(self) -> float:
        """Return the real seconds since the last response; infinite before the first one."""
        return float("inf") if self._told_at is None else self._ticks() - self._told_at
