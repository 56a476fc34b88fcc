"""The scenario that is on is seen in every caption, listed by completion and help, and refused if its name is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from IPython.core.completer import provisionalcompleter

from batchimg_magics.emulator.emulator import open_emulator
from batchimg_magics.emulator.http.scenarios import SCENARIOS
from batchimg_magics.errors import SpecError
from batchimg_magics.session.session import Session
from batchimg_magics.ui import cli
from batchimg_magics.ui.panel.head import connection_text
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from pathlib import Path


ON = "LOCAL (scenario quota) · "
ON_60 = "LOCAL \N{MULTIPLICATION SIGN}60 (scenario quota) · "


def test_captions_of_a_session_tell_the_scenario(session: Session, tmp_path: Path) -> None:
    state = str(tmp_path / "state.db")
    connected = session.connect(state=state, speed=60, scenario="quota")
    assert connected.attrs["caption"].startswith(f"{ON_60}account genomicsbatch")
    assert connected.attrs["caption"].endswith(f"scenario quota: {SCENARIOS['quota'].description}")
    assert list(connected.scenario) == ["quota"]
    for frame in (session.pools(), session.vms(), session.check("prep-vm", vm_size="Standard_D4s_v3")):
        assert frame.attrs["caption"].startswith(ON_60)
    # Another process of the same state ends it.
    other = open_emulator(state, speed=60, scenario="calm")
    assert session.pools().attrs["caption"].startswith("LOCAL \N{MULTIPLICATION SIGN}60 · pools in account")
    other.close()
    session.connect(state=state, speed=60, scenario="quota")
    assert session.connect(state=state, speed=60).attrs["caption"].startswith(ON_60)
    calm = session.connect(state=state, speed=60, scenario="calm")
    assert "scenario" not in calm.attrs["caption"]
    assert list(calm.scenario) == ["calm"]


def test_the_command_line_and_the_panel_tell_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BATCHIMG_STATE", str(tmp_path / "state.db"))
    assert cli.main(["connect", "--scenario", "quota"]) == 0
    assert cli.main(["pools"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(ON)
    assert any(line.startswith(f"{ON}pools in account") for line in lines)
    with Session() as session:
        session.connect(state=str(tmp_path / "other.db"), speed=60, scenario="quota")
        assert connection_text(session.connection) == "LOCAL · emulator, 60x time, scenario quota"


def test_a_state_file_keeps_a_scenario_that_was_renamed(tmp_path: Path) -> None:
    emulator = open_emulator(tmp_path / "state.db", speed=60)
    with emulator.store.transaction(write=True):
        emulator.store.set_meta("scenario", "not-deprovisioned")
    emulator.close()
    with Session() as session:
        found = session.connect(state=str(tmp_path / "state.db"), speed=60)
        assert list(found.scenario) == ["not-generalized"]
        assert "LOCAL \N{MULTIPLICATION SIGN}60 (scenario not-generalized)" in found.attrs["caption"]


def test_scenarios_are_listed_with_what_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    with ipython(state=":memory:", speed="max") as shell:
        line = "%batchimg connect --scenario "
        with provisionalcompleter():
            found = {one.text: one.type for one in shell.Completer.completions(line, len(line))}
        assert found == {name: one.description for name, one in SCENARIOS.items()}
        assert run_cell(shell, "%batchimg connect --scenario flaky").attrs["caption"].startswith("LOCAL (scenario fl")
        listed = run_cell(shell, "%batchimg help connect").set_index("command").does
        assert listed["--scenario gpu-quota"] == SCENARIOS["gpu-quota"].description
    assert cli.main(["connect", "-h"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text and one.description in text for name, one in SCENARIOS.items())


@pytest.mark.parametrize(
    ("name", "hint"),
    [("quotta", "did you mean quota? the scenarios are: calm, slow-large, "), ("x", "the scenarios are: calm, ")],
)
def test_a_wrong_name_is_refused_with_the_list_and_changes_nothing(
    session: Session, tmp_path: Path, name: str, hint: str
) -> None:
    session.connect(state=":memory:", speed="max", scenario="flaky")
    with pytest.raises(SpecError, match=f"there is no scenario '{name}'") as caught:
        session.connect(state=str(tmp_path / "new.db"), scenario=name)
    assert caught.value.hint.startswith(hint)
    assert "gpu-quota" in caught.value.hint
    assert "\n" not in f"{caught.value.message}{caught.value.hint}"
    assert not (tmp_path / "new.db").exists()
    assert session.label == "LOCAL (scenario flaky)"
