"""The Azure CLI parses every ``az`` command that a rule prints."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from batchimg_magics.session.session import Session
from tests.support.rule_cases import CASES, commands, findings

if TYPE_CHECKING:
    import pytest


def test_az_reads_all_commands_that_rules_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "azure"))
    lines: set[str] = set()
    with Session() as session:
        for case in CASES:
            lines.update(commands(findings(session, case, tmp_path), "az"))
    assert len(lines) > 10
    az = shutil.which("az")
    assert az is not None, "Azure's command line is not there: run `make test-azcli`"
    response = subprocess.run(
        [Path(az).with_name("python"), Path(__file__).with_name("parse_only.py")],
        input="\n".join(sorted(lines)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert response.stdout == ""
