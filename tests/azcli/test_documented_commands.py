"""The lines that docs/clients.md shows, pasted as they stand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.azcli.cloud import AzureCli

PAGE = ROOT / "docs/clients.md"


def test_lines_of_the_document_work(instant_emulator: AzureCli, tmp_path: Path) -> None:
    section = PAGE.read_text(encoding="utf-8").partition("\n## With Azure's command line\n")[2]
    lines = re.search(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert lines is not None
    done = instant_emulator.run("/bin/sh", "-e", "-c", lines[1], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr
    nodes = re.findall(r"^tvmps_[0-9a-f]{64}_d +idle *$", done.stdout, re.MULTILINE)
    assert len(nodes) == 5
