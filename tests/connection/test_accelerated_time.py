"""Accelerated time: several processes share one emulator state and its time."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.emulator.emulator import open_emulator
from batchimg_magics.emulator.world.clock import AcceleratedClock
from batchimg_magics.emulator.world.database import StateBusyError
from batchimg_magics.emulator.world.store import Store
from batchimg_magics.session.session import Session
from tests.support.create_options import CREATE_OPTIONS

if TYPE_CHECKING:
    from pathlib import Path

#: So slow that no test sees its time move, and so fast that no test has to wait.
FROZEN, FLYING = 1e-9, 1e5

OTHER = """
import json, sys
from batchimg_magics import Session
with Session() as session:
    session.connect(state=sys.argv[1], speed=float(sys.argv[2]))
    tables = session.nodes("genomics"), session.pools()
    print(json.dumps([table.to_json(date_format="iso") for table in tables]))
"""


def other_process(script: str, *args: object) -> str:
    done = subprocess.run([sys.executable, "-c", script, *map(str, args)], capture_output=True, text=True, check=True)
    return done.stdout


def set_speed(path: Path, speed: float) -> None:
    """Set the speed of an emulator state, for every process that uses it."""
    store = Store(path, start=0.0)
    AcceleratedClock(store, speed)
    store.close()


def test_two_processes_see_the_same_states_at_the_same_moment(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with Session() as session:
        session.connect(state=str(state), speed=FLYING)
        session.create("genomics", **CREATE_OPTIONS)
        session.connect(state=str(state), speed=60)
        session.resize("genomics", nodes=60, wait=False)
        while "creating" not in set(session.nodes("genomics", counts=True).state):
            pass  # each call is a request
        set_speed(state, FROZEN)
        here = [session.nodes("genomics").to_json(date_format="iso"), session.pools().to_json(date_format="iso")]
        assert json.loads(other_process(OTHER, state, FROZEN)) == here
        assert "creating" in here[0]


def test_work_of_a_killed_process_continues(tmp_path: Path) -> None:
    """A process begins a pool and ends at once; another one waits for it by the same line, and makes nothing twice."""
    script = """
import os, sys
from batchimg_magics import Session
session = Session()
session.connect(state=sys.argv[1], speed=60)
session.create("genomics", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=20, spot=5, wait=False)
while len(session.images()) == 0:
    pass
os._exit(0)
"""
    state = tmp_path / "state.db"
    other_process(script, state)
    with Session() as session:
        session.connect(state=str(state), speed=FLYING)
        session.create("genomics", **CREATE_OPTIONS)
        assert len(session.images()) == 1
        assert session.wait("genomics").ready[0] == 25


def test_time_is_linear_in_real_time_and_never_decreases(tmp_path: Path) -> None:
    wall = [1000.0]
    one, two = (Store(tmp_path / "state.db", start=50.0) for _ in range(2))
    first = AcceleratedClock(one, 60, wall=lambda: wall[0])
    second = AcceleratedClock(two, 60, wall=lambda: wall[0])
    wall[0] += 2
    assert first.now() == second.now() == 170.0
    with one.transaction(write=True):
        one.record_time(first.now())
    wall[0] -= 100  # somebody sets the machine's clock back: time neither goes back nor stands still
    assert first.now() == second.now() == 170.0
    wall[0] += 2
    second.advance(30)
    assert first.now() == second.now() == pytest.approx(320.0)
    AcceleratedClock(two, 1, wall=lambda: wall[0])  # another process chooses another speed: from here on, for all
    wall[0] += 5
    assert first.now() == second.now() == pytest.approx(325.0)
    one.close()
    two.close()


def test_a_sleep_reads_the_stored_time_again(tmp_path: Path) -> None:
    """Who sleeps for an hour at a snail's pace wakes when another process makes time fly."""
    one, two = (Store(tmp_path / "state.db", start=0.0) for _ in range(2))

    async def sleep_and_hurry() -> float:
        clock = AcceleratedClock(one, FROZEN)
        sleeper = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(0)
        AcceleratedClock(two, 1e9)
        await sleeper
        return clock.now()

    assert asyncio.run(sleep_and_hurry()) >= 3600
    one.close()
    two.close()


def test_a_state_in_instant_time_has_one_process(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    alone = Store(state, start=0.0, exclusive=True)
    with pytest.raises(StateBusyError):
        Store(state, start=0.0, exclusive=True)
    alone.close()
    Store(state, start=0.0, exclusive=True).close()


def test_a_clock_that_is_set_back_by_a_day_stops_no_request(tmp_path: Path) -> None:
    wall = [1000.0]
    emulator = open_emulator(tmp_path / "state.db", speed=60, wall=lambda: wall[0])
    try:
        wall[0] += 0.05
        before = emulator.clock.now()
        wall[0] -= 86400
        url = f"https://management.azure.com{emulator.accounts()[0]}?api-version=2024-07-01"
        token = emulator.credential.issue("https://management.azure.com")
        assert emulator.app.answer("GET", url, {"Authorization": f"Bearer {token}"}).status == 200
        assert emulator.clock.now() == pytest.approx(before)
        wall[0] += 1
        assert emulator.clock.now() == pytest.approx(before + 60)
    finally:
        emulator.close()
