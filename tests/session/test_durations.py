"""The one duration of a verb: in its table, its attrs, its caption, and in the final line of its progress."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.connection import connection
from batchimg_magics.core.azure.service_clock import ServiceClock
from batchimg_magics.core.base.durations import format_duration
from batchimg_magics.display.progress import NoProgress
from batchimg_magics.errors import BatchImgError, NotFoundError
from batchimg_magics.session.foreground import run_with_progress
from batchimg_magics.session.session import Session
from tests.support.connections import connection_of, emulator_of
from tests.support.create_options import CREATE_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.core.base.progress import Progress

SPEED = 600.0


class Lines(NoProgress):
    """Keeps the progress and the final lines."""

    def __init__(self) -> None:
        self.shown: list[Progress] = []
        self.last: list[str] = []

    def show(self, progress: Progress) -> None:
        self.shown.append(progress)

    def close(self, last: str, *, kept: bool = True) -> None:  # noqa: ARG002 - each line is of interest here
        self.last.append(last)


def test_every_number_of_a_create_is_the_same(session: Session) -> None:
    lines = Lines()
    table = run_with_progress(session, "create", {"name": "g", **CREATE_OPTIONS}, lines)
    seconds = table.attrs["seconds"]
    assert seconds > 600
    assert f"25 idle, after {format_duration(seconds)}" in table.caption
    assert lines.last == [f"create g: done · {format_duration(seconds)}"]
    waited = run_with_progress(session, "wait", {"name": "g"}, lines)
    assert waited.rows()[0]["seconds"] == waited.attrs["seconds"]
    stopped = session.run_table("stop-resize", name="g")
    assert stopped.rows()[0]["seconds"] == stopped.attrs["seconds"]
    for verb, options in {"vms": {}, "pools": {}, "nodes": {"name": "g"}, "resize": {"name": "g", "nodes": 25}}.items():
        assert isinstance(session.run_table(verb, **options).attrs["seconds"], float)
    assert "seconds" in session.connect().attrs


@pytest.mark.parametrize("ahead_s", [0.0, 100_000.0])
def test_idle_time_before_a_line_is_not_counted(monkeypatch: pytest.MonkeyPatch, ahead_s: float) -> None:
    """Between two lines, real time passes; and that of the emulator may pass faster, when the machine sleeps."""
    idle_s = [0.0]

    class IdleClock(ServiceClock):
        def __init__(self, ticks: Callable[[], float], speed: Callable[[], float]) -> None:
            super().__init__(lambda: ticks() + idle_s[0], speed)

    monkeypatch.setattr(connection, "ServiceClock", IdleClock)
    lines = Lines()
    with Session() as session:
        session.connect(speed=SPEED)
        for verb in ("pools", "wait", "wait"):
            idle_s[0] += 20.0
            emulator_of(session).clock.advance(20.0 * SPEED + ahead_s)
            with contextlib.suppress(NotFoundError):
                table = run_with_progress(session, verb, {} if verb == "pools" else {"name": "nope"}, lines)
        # Ten real seconds at most, of the minute that passed.
        assert table.attrs["seconds"] < 10 * SPEED
        assert all(one.elapsed_s < 10 * SPEED for one in lines.shown)
        assert not any(" h " in one or " d " in one for one in lines.last)
        assert connection_of(session).time_note == "emulated time, 600 times as fast"


def test_a_failure_tells_its_duration_too(session: Session) -> None:
    lines = Lines()
    with pytest.raises(BatchImgError):
        run_with_progress(session, "wait", {"name": "nope"}, lines)
    assert lines.last == ["wait nope: failed · 0 s"]
    session.connect(scenario="bad-start-task")
    with pytest.raises(BatchImgError) as caught:
        run_with_progress(session, "create", {"name": "g", **CREATE_OPTIONS, "start_task": "exit 3"}, lines)
    assert caught.value.table is not None
    assert lines.last[-1] == f"create g: failed · {format_duration(caught.value.table.attrs['seconds'])}"


@pytest.mark.parametrize(
    ("vm", "nodes"), [("prep-vm", 1), ("prep-vm", 2), ("prep-vm", 25), ("prep-vm", 200), ("desk-vm", 8), ("win-vm", 8)]
)
def test_a_plan_takes_as_long_as_it_says(vm: str, nodes: int) -> None:
    options = {"name": "g", "from_vm": vm, "vm_size": "Standard_D4s_v5", "nodes": nodes}
    with Session() as session:
        planned = re.search(r"about (\d+) min", session.run_table("plan", **options).caption)
        assert planned is not None
        running = session.begin("create", **options)
        seconds = running.result().attrs["seconds"]
        assert float(planned[1]) * 60 == pytest.approx(seconds, rel=0.15)
        shown = running.progress()
        assert len(shown.plan) == shown.ended_count
        first = [one.name for one in shown.activities if one.name == "first node of g"]
        assert len(first) == (nodes > 1)


def test_a_resize_tells_its_steps_and_how_long_they_usually_take(session: Session) -> None:
    session.run_table("create", name="g", **{**CREATE_OPTIONS, "spot": 0, "nodes": 2})
    running = session.begin("resize", name="g", nodes=20)
    running.result()
    plan = running.progress().plan
    assert [step.name for step in plan] == ["resize g", "nodes of g"]
    assert all(step.expected_s for step in plan)
    usual_s = sum(step.expected_s or 0 for step in plan)
    assert running.board.finish() == pytest.approx(usual_s, rel=0.3)
    less = session.begin("resize", name="g", nodes=5)
    less.result()
    assert less.board.finish() == pytest.approx(less.progress().plan[0].expected_s, rel=0.5)
