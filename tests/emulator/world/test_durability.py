"""A killed process loses no acknowledged write, and leaves nothing incomplete."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.emulator.emulator import open_emulator
from batchimg_magics.emulator.furnish import GROUP, SUBSCRIPTION

if TYPE_CHECKING:
    from pathlib import Path

IN_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute"
#: Puts one disk after the other and says the name of each when its answer is there.
WRITER = f"""
import itertools, json, sys
from batchimg_magics.emulator.app import App
from batchimg_magics.emulator.world.clock import AcceleratedClock
from batchimg_magics.emulator.world.database import StateBusyError
from batchimg_magics.emulator.world.store import Store
while True:
    try:
        store = Store(sys.argv[1], start=0.0)
        break
    except StateBusyError:  # opening does not wait long for the other writer, which never rests
        pass
app = App(store, AcceleratedClock(store, 60.0))
properties = {{"creationData": {{"createOption": "Empty"}}, "diskSizeGB": 4}}
body = json.dumps({{"location": "eastus", "properties": properties}})
for number in itertools.count():
    name = f"{{sys.argv[2]}}-{{number}}"
    url = f"https://management.azure.com{IN_GROUP}/disks/{{name}}?api-version=2023-10-02"
    answer = app.answer("PUT", url, {{"authorization": "Bearer any"}}, body.encode())
    assert answer.status == 202, answer
    print(name, flush=True)
"""
ROUNDS = 4


def start(state_file: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(state_file), name], stdout=subprocess.PIPE, text=True)


def killed(writer: subprocess.Popen[str], after: int) -> list[str]:
    """Kill a writer with SIGKILL after so many answers; return what it acknowledged, to the last whole line."""
    assert writer.stdout is not None
    with writer:
        said = [writer.stdout.readline() for _ in range(after)]
        writer.kill()
        said += writer.stdout.readlines()
    assert writer.returncode == -9
    return [line.strip() for line in said if line.endswith("\n")]


def there(path: Path) -> tuple[set[str], set[str]]:
    """Return the names of the disks that writers made, and the ids of the operations that made them."""
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = database.execute("SELECT kind, key FROM items").fetchall()
    database.close()
    last = [(kind, key.rpartition("/")[2]) for kind, key in rows]
    disks = {name for kind, name in last if kind == "microsoft.compute/disks" and name.startswith("made")}
    return disks, {name for kind, name in last if kind == "microsoft.compute/operations"}


@pytest.fixture(params=["wal", "delete"])
def state_file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a new state file; a dangling link in place of its shared memory makes it use a rollback journal."""
    path = tmp_path / "w.db"
    if request.param == "delete":
        path.with_name("w.db-shm").symlink_to(tmp_path / "nowhere" / "shm")
    open_emulator(path, speed=60).close()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == (request.param,)
    database.close()
    return path


def test_no_acknowledged_write_is_lost(state_file: Path) -> None:
    acknowledged: set[str] = set()
    for turn in range(ROUNDS):
        writers = [start(state_file, f"made{turn}{one}") for one in "ab"]
        for writer, after in zip(writers, (3 + 5 * turn, 7 + 3 * turn), strict=True):
            acknowledged |= set(killed(writer, after))
        disks, operations = there(state_file)
        assert acknowledged <= disks
        assert len(disks - acknowledged) <= 2 * (turn + 1)  # written, and killed before it could be said
        assert len(operations) == len(disks)
    assert len(acknowledged) >= ROUNDS * 10


def test_a_state_without_shared_memory_uses_a_rollback_journal(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    first = open_emulator(path, speed=60, seed=7)
    ids = first.accounts()
    first.close()
    path.with_name("w.db-shm").symlink_to(tmp_path / "nowhere" / "shm")
    for speed in (60.0, None, 60.0):
        again = open_emulator(path, speed=speed)
        assert again.accounts() == ids
        again.close()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    database.close()


def test_a_state_is_opened_and_written_after_a_kill(state_file: Path) -> None:
    names = killed(start(state_file, "made"), 5)
    local = open_emulator(state_file, speed=60)
    kept = local.clock.now()
    local.close()
    assert set(names) <= there(state_file)[0]
    assert set(killed(start(state_file, "made-more"), 2)) <= there(state_file)[0]
    again = open_emulator(state_file, speed=60)
    assert again.clock.now() >= kept
    again.close()
