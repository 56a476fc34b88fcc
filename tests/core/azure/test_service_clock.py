"""The clock of the service, between two responses and when one arrives."""

from __future__ import annotations

import itertools

import pytest

from batchimg_magics.core.azure.service_clock import ServiceClock


class Ticks:
    """A monotonic time that a test moves, and the speed of the service's time."""

    def __init__(self, speed: float = 1.0) -> None:
        self.now, self.speed = 5000.0, speed
        self.clock = ServiceClock(lambda: self.now, lambda: self.speed)

    def after(self, seconds: float) -> float:
        self.now += seconds
        return self.clock.now()


def test_the_time_is_not_known_before_the_first_response() -> None:
    ticks = Ticks()
    assert ticks.clock.now() == 0
    assert ticks.clock.silence_s() == float("inf")


@pytest.mark.parametrize("speed", [1.0, 60.0, 600.0])
def test_between_responses_it_ticks_at_the_speed_of_the_connection(speed: float) -> None:
    ticks = Ticks(speed)
    ticks.clock.set(1000.0)
    assert ticks.after(5) == 1000 + 5 * speed
    assert ticks.clock.silence_s() == 5


def test_a_response_does_not_make_it_stutter() -> None:
    """At each response, a Date of whole seconds arrives a little late: the clock neither jumps nor goes back."""
    ticks, shown = Ticks(60.0), []
    ticks.clock.set(1000.0)
    for nth in range(1, 200):
        shown.append(ticks.after(0.1))
        if nth % 7 == 0:
            ticks.clock.set(float(int(1000 + (ticks.now - 5000 - 0.05) * 60)))  # sent 50 ms ago
            shown.append(ticks.clock.now())
    steps = [after - before for before, after in itertools.pairwise(shown)]
    assert min(steps) >= 0
    assert max(steps) == pytest.approx(6.0)


def test_another_process_changes_the_speed() -> None:
    ticks = Ticks(60.0)
    ticks.clock.set(1000.0)
    assert ticks.after(1) == 1060
    ticks.speed = 1.0
    ticks.clock.set(1060.0)
    assert ticks.after(10) == 1070


def test_it_catches_up_at_once_and_waits_where_it_is_early() -> None:
    ticks = Ticks()
    ticks.clock.set(1000.0)
    ticks.clock.set(1300.0)  # the machine slept
    assert ticks.clock.now() == 1300
    ticks.clock.set(1290.0)  # another server, whose clock is late
    assert ticks.clock.now() == 1300
    assert ticks.after(8) == 1300
    assert ticks.after(4) == 1302


def test_it_follows_a_service_whose_time_was_set_back() -> None:
    ticks = Ticks()
    ticks.clock.set(1_000_000.0)
    ticks.clock.set(900_000.0)
    assert ticks.after(1) == 900_001
