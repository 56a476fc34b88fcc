"""The command line, as a terminal and as a machine see it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.ui.cli import main

if TYPE_CHECKING:
    from pathlib import Path

CREATE = ["create", "genomics", "--from-vm", "prep-vm", "--vm-size", "Standard_D4s_v5", "--nodes", "3"]


@pytest.fixture(autouse=True)
def _shared_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHIMG_WORLD", str(tmp_path / "world.db"))


def test_lines_share_the_users_world(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(CREATE) == 0
    assert "LOCAL · pool genomics: 3 idle" in capsys.readouterr().out
    assert main(["nodes", "genomics", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in rows] == ["idle"] * 3
    assert rows[0]["since"].endswith("+00:00")
    assert main(["delete", "genomics", "--image"]) == 0
    assert main(["pools", "--json"]) == 0
    assert capsys.readouterr().out.endswith("\n[]\n")


def test_errors_go_to_standard_error_with_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nodes", "nope"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0].startswith("NotFoundError: there is no pool 'nope'")
    assert main(["nodse", "nope"]) == 2
    assert "did you mean nodes?" in capsys.readouterr().err
    assert main(["create", "genomics", "--no-wait"]) == 2
    assert "several steps" in capsys.readouterr().err


def test_lines_in_hints_are_the_command_lines(capsys: pytest.CaptureFixture[str]) -> None:
    main(["delete", "nope"])
    err = capsys.readouterr().err
    assert "`batchimg pools`" in err
    assert "%" not in err


def test_json_never_imports_pandas(tmp_path: Path) -> None:
    script = (
        "import sys; from batchimg_magics.ui.cli import main; status = main(['vms', '--json']);"
        "print([m for m in ('pandas', 'IPython') if m in sys.modules], file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert {row["vm"] for row in json.loads(done.stdout)} >= {"prep-vm", "desk-vm"}
    assert done.stderr.strip() == "[]"
