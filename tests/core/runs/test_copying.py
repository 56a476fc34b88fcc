"""Outputs that are copied to a mount: a real bash runs the scripts."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.core.runs.bash_commands import copying

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = {
    "an exit": ("echo a > a.txt; exit 3", 3),
    "a success": ("echo a > a.txt", 0),
    "exec": ("echo a > a.txt; exec sh -c 'exit 4'", 4),
    "a trap of its own": ("trap 'echo bye' EXIT; echo a > a.txt", 0),
    "a comment at the end": ("echo a > a.txt # the end", 0),
    "a here-document": ("cat > a.txt <<'EOF'\na\nEOF", 0),
    "another folder": ("echo a > a.txt; cd /", 0),
    "errexit": ("set -e; echo a > a.txt; false; echo b > b.txt", 1),
}


def run(folder: Path, script: str) -> int:
    """Run a script as a task, whose node has a mount that is called results."""
    work = folder / "wd"
    work.mkdir(exist_ok=True)
    (folder / "mounts" / "results").mkdir(parents=True, exist_ok=True)
    names = {"AZ_BATCH_NODE_MOUNTS_DIR": folder / "mounts", "AZ_BATCH_TASK_WORKING_DIR": work}
    ids = {"AZ_BATCH_JOB_ID": "run-1", "AZ_BATCH_TASK_ID": "000007"}
    environment = {"PATH": os.environ["PATH"], **ids, **{name: str(path) for name, path in names.items()}}
    return subprocess.run(["/bin/bash", "-c", script], cwd=work, env=environment, check=False).returncode


def copied(folder: Path) -> list[str]:
    top = folder / "mounts" / "results" / "run-1" / "000007"
    return sorted(str(one.relative_to(top)) for one in top.rglob("*") if one.is_file())


@pytest.mark.parametrize("case", SCRIPTS)
def test_outputs_are_copied_whatever_becomes_of_the_command(case: str, tmp_path: Path) -> None:
    script, status = SCRIPTS[case]
    assert run(tmp_path, copying(script, ["*.txt"], "results")) == status
    assert copied(tmp_path) == ["a.txt"]


def test_patterns_are_files_below_the_working_directory(tmp_path: Path) -> None:
    script = "mkdir -p deep/er; touch deep/er/a.bam deep/b.bam 'c d.bam' '$(touch e).bam' other"
    patterns = ["**/*.bam", "$(touch e)*", "none-*"]
    assert run(tmp_path, copying(script, patterns, "results")) == 0
    assert copied(tmp_path) == ["$(touch e).bam", "c d.bam", "deep/b.bam", "deep/er/a.bam"]
    assert not (tmp_path / "wd" / "e").exists()


def test_a_row_whose_files_cannot_be_copied_fails(tmp_path: Path) -> None:
    (tmp_path / "mounts" / "results").mkdir(parents=True)
    (tmp_path / "mounts" / "results" / "run-1").write_text("in the way")
    assert run(tmp_path, copying("touch a.txt", ["*"], "results")) == 1
