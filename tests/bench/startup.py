"""First answers of a new process: `%load_ext`, the first table in a notebook, and one listing on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.peers import BUILD, as_installed, environment
from tests.bench.rows import NotMeasuredError, Row, alternating, times

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The extension, and what its environment needs.
PEERS = {
    "jupysql": ("sql", ("jupysql", "ipython")),
    "bigquery-magics": ("bigquery_magics", ("bigquery-magics", "ipython")),
}
GOAL_MS, GOAL_RATIO, RUNS = 60.0, 10.0, 7
#: The first table of a kernel: the extension, a new emulator, and the VMs that it has.
FIRST_TABLE = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "batchimg_magics")
shell.run_line_magic("batchimg", "connect --state :memory:")
assert len(shell.run_line_magic("batchimg", "vms"))
"""
FIRST_TABLE_GOAL, LISTING_GOAL = 2.0, 5.0


def rows() -> Iterator[Row]:
    """Start processes, in turn."""
    yield from _load_ext()
    yield from _first_answers()


def _first_answers() -> Iterator[Row]:
    program, python = Path(sys.executable).with_name("batchimg"), sys.executable
    with tempfile.TemporaryDirectory() as home:
        shell = as_installed(os.environ) | {"IPYTHONDIR": home, "BATCHIMG_STATE": str(Path(home, "state.db"))}
        commands: dict[str, list[str | Path]] = {
            "first table": [python, "-c", FIRST_TABLE],
            "pandas": [python, "-c", "import pandas"],
            "pools": [program, "pools"],
            "help": [program, "help"],
        }
        took = alternating({name: partial(_run, command, shell) for name, command in commands.items()}, RUNS)
    for work, name, limit, named, goal in (
        ("first table: load, connect, vms; whole process", "first table", "pandas", "import pandas", FIRST_TABLE_GOAL),
        ("batchimg pools, a new account; whole process", "pools", "help", "batchimg help", LISTING_GOAL),
    ):
        ratio = times(took[name], took[limit])
        yield Row(
            work,
            "ms",
            1000 * median(took[name]),
            limit=1000 * median(took[limit]),
            limit_ratio=ratio,
            goal=f"<= {goal:g}x the limit",
            met=ratio <= goal,
            note=f"limit: {named}",
        )


def _run(command: list[str | Path], shell: dict[str, str]) -> None:
    done = subprocess.run(command, env=shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _load_ext() -> Iterator[Row]:
    """Start IPython with and without each extension, in turn."""
    programs, missing = {"ours": (Path(sys.executable).parent, "batchimg_magics")}, []
    for name, (extension, packages) in PEERS.items():
        try:
            programs[name] = environment(BUILD / "bench" / name, *packages), extension
        except NotMeasuredError as error:
            missing.append(str(error))
    with tempfile.TemporaryDirectory() as home:
        works = {}
        for name, (folder, extension) in programs.items():
            works[f"{name} bare"] = partial(_started, folder, "pass", home)
            works[name] = partial(_started, folder, f"%load_ext {extension}", home)
        took = alternating(works, RUNS)
    over = {
        name: 1000 * median(a - b for a, b in zip(took[name], took[f"{name} bare"], strict=True)) for name in programs
    }
    ours = over.pop("ours")
    peer = min(over.values(), default=None)
    ratio = None if peer is None else peer / max(ours, 0.1)
    said = ", ".join(f"{name} {ms:.0f} ms" for name, ms in over.items())
    yield Row(
        "%load_ext, whole process, over bare IPython",
        "ms",
        ours,
        peer,
        1000 * median(took["ours bare"]),
        ratio=ratio,
        goal=f"<= {GOAL_MS:g} ms, >= {GOAL_RATIO:g}x less than the better peer",
        met=ours <= GOAL_MS and ratio is not None and ratio >= GOAL_RATIO,
        note="; ".join([f"over bare IPython in the same environment: {said}", "limit: bare IPython", *missing]),
    )


def _started(folder: Path, line: str, home: str) -> None:
    command = [folder / "python", "-m", "IPython", "--no-banner", "--HistoryManager.enabled=False", "-c", line]
    done = subprocess.run(
        command, env=as_installed(os.environ) | {"IPYTHONDIR": home}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Error" not in done.stdout + done.stderr, done.stdout + done.stderr
