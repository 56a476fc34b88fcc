"""`profiles` and `status`, which need no connection: in a real IPython shell, and on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from batchimg_magics import NotConnectedError, Session, SpecError
from tests.support.faults import set_faults
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from pathlib import Path

LINE = "--from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


def test_saved_connections_are_listed_used_and_deleted(home: Path) -> None:
    with Session() as session:
        assert session.profiles().empty
        session.connect(state=str(home / "trial.db"), speed="max", scenario="quota", save_as="trial")
        session.connect(state=str(home / "trial.db"), speed="max", scenario="calm")
        session.connect(state=":memory:")
        found = session.connect(profile="trial").iloc[0]
        assert (found["state"], found["speed"], found["scenario"]) == (str(home / "trial.db"), "max", "quota")
        assert session.connect(profile="trial", speed=600)["speed"][0] == "600"
        with pytest.raises(SpecError, match="profile 'trial' is a connection to the emulator"):
            session.connect(profile="trial", subscription="x")
        row = session.profiles().iloc[0]
        assert (row["profile"], row["connection"], row["scenario"]) == ("trial", "local", "quota")
        with pytest.raises(NotConnectedError, match="no connection was saved as 'trail'"):
            session.profiles(delete="trail")
    with Session() as session:  # it opens no connection
        assert session.profiles(delete="trial").empty
        assert not session.connected
        assert session.status().empty
        assert "no verb runs in this process" in session.status().attrs["caption"]
        assert not session.connected


def test_work_in_the_background_is_listed_and_its_failure_is_told_once(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert home
    with ipython(state=":memory:", speed="max") as shell:
        run_cell(shell, "%batchimg connect")
        run_cell(shell, f"%batchimg create first {LINE} --no-wait")
        found = run_cell(shell, "%batchimg status")
        assert [(row.verb, row.resource, row.state) for row in found.itertuples()] == [("create", "first", "running")]
        assert found["command"][0].startswith("%batchimg create first --from-vm prep-vm")
        assert found["outcome"].isna().all()
        magics = shell.magics_manager.registry["BatchImgMagics"]
        set_faults(magics.session, method="PUT", path="/images/first/versions", status=400, code="Broken", times=9)
        capsys.readouterr()
        run_cell(shell, f"%batchimg create second {LINE}")  # time moves on: the other one fails meanwhile
        found = run_cell(shell, "x = %batchimg status\nx")
        (line,) = [one for one in capsys.readouterr().out.splitlines() if "in the background" in one]
        assert line.startswith("create first: failed in the background: ")
        assert "Broken" in line
        assert (found["state"][0], found["stop"].isna()[0]) == ("failed", True)
        assert "Broken" in found["outcome"][0]
        run_cell(shell, "%batchimg pools")
        assert "in the background" not in capsys.readouterr().out


def test_the_command_line_says_why_nothing_runs(home: Path) -> None:
    assert home
    command = [sys.executable, "-m", "batchimg_magics"]
    done = subprocess.run([*command, "status"], capture_output=True, text=True, check=True, timeout=60)
    assert "on the command line, each command is a process of its own" in " ".join(done.stdout.split())
    listed = subprocess.run([*command, "profiles", "--json"], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(listed.stdout) == []
