"""The time of an emulator state stands still while no process has the state open."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from batchimg_magics.emulator.emulator import Emulator, open_emulator
from batchimg_magics.emulator.furnish import ACCOUNT, REGION
from tests.support.batch_emulator import MACHINE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WALL, SPEED, DAY_S = 1_790_000_000.0, 60.0, 86_400.0
#: Opens a state and reads a pool at two real times, tells the last one, and waits to be killed.
READER = """
import sys
from batchimg_magics.emulator.emulator import open_emulator
wall = float(sys.argv[2])
local = open_emulator(sys.argv[1], speed=60, wall=lambda: wall)
for _ in range(2):
    wall += 0.2
    token = local.credential.issue("https://batch.core.windows.net")
    headers = {"authorization": f"Bearer {token}"}
    answer = local.app.answer("GET", sys.argv[3], headers)
print(answer.status, local.clock.now(), flush=True)
sys.stdin.read()
"""
POOLS = f"https://{ACCOUNT}.{REGION}.batch.azure.com/pools"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state with a pool whose formula ends it after eight hours; its node costs money until then."""
    path = tmp_path / "state.db"
    with opened(path, WALL) as local:
        ends = datetime.fromtimestamp(local.clock.now() + 8 * 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        formula = f'$TargetDedicatedNodes = time() < time("{ends}") ? 1 : 0;'
        body = {"id": "p", "vmSize": "Standard_D2s_v3", "virtualMachineConfiguration": MACHINE}
        body |= {"enableAutoScale": True, "autoScaleFormula": formula, "autoScaleEvaluationInterval": "PT5M"}
        assert ask(local, "POST", "", body)[0] == 201
        local.clock.advance(1800)
        assert nodes(local) == ["idle"]
    return path


@contextlib.contextmanager
def opened(path: Path, wall: float) -> Iterator[Emulator]:
    with contextlib.closing(open_emulator(path, speed=SPEED, wall=lambda: wall)) as local:
        yield local


def ask(local: Emulator, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {local.credential.issue('https://batch.core.windows.net')}"}
    content = b"" if body is None else msgspec.json.encode(body)
    answer = local.app.answer(method, f"{POOLS}{path}?api-version=2025-06-01", headers, content)
    return answer.status, msgspec.json.decode(answer.body) if answer.body else None


def nodes(local: Emulator) -> list[str]:
    return [node["state"] for node in ask(local, "GET", "/p/nodes")[1]["value"]]


def test_time_stands_still_while_the_state_is_closed(state: Path) -> None:
    with opened(state, WALL) as local:
        before = local.clock.now()
    with opened(state, WALL + DAY_S) as local:
        assert local.clock.now() == before
        assert nodes(local) == ["idle"]  # its eight hours are not over
    # The clock of the machine was set back, and another speed is chosen.
    with contextlib.closing(open_emulator(state, speed=1.0, wall=lambda: WALL - DAY_S)) as local:
        assert local.clock.now() == before


def test_processes_share_one_time_until_the_last_one_closes(state: Path) -> None:
    wall = WALL
    one = open_emulator(state, speed=SPEED, wall=lambda: wall)
    began = one.clock.now()
    wall += 10
    two = open_emulator(state, speed=SPEED, wall=lambda: wall)
    assert one.clock.now() == two.clock.now() == began + 600
    one.close()
    wall += 10
    with contextlib.closing(open_emulator(state, speed=SPEED, wall=lambda: wall)) as three:
        assert three.clock.now() == two.clock.now() == began + 1200
    two.close()
    wall += DAY_S
    with contextlib.closing(open_emulator(state, speed=SPEED, wall=lambda: wall)) as four:
        assert four.clock.now() == began + 1200


def test_a_killed_process_does_not_keep_the_state_open(state: Path) -> None:
    """What it answered last is not undone, and the night after it does not count."""
    words = [sys.executable, "-c", READER, str(state), str(WALL), f"{POOLS}/p?api-version=2025-06-01"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        status, shown = reader.stdout.readline().split()
        assert status == "200"
        reader.kill()
    assert reader.returncode == -9
    with opened(state, WALL + DAY_S) as local:
        assert local.clock.now() == float(shown)
        assert nodes(local) == ["idle"]
