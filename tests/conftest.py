"""Fixtures of most tests: an own home directory, and a session on a new emulator in instant time."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from batchimg_magics.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# A worker and the many processes that tests start would each compile all modules again, if none may keep them.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The examples of Hypothesis are the same in every run, so a failure fails again.
# `--hypothesis-profile=random` tries others.
settings.register_profile("same", derandomize=True)
settings.register_profile("random")
settings.load_profile("same")


def pytest_collection_finish() -> None:
    """Leave what all tests share out of garbage collection, which is rarer then: it took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the emulator state and the profiles of the user out of the tests."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("BATCHIMG_STATE", ":memory:")
    monkeypatch.setenv("BATCHIMG_SPEED", "max")


@pytest.fixture
def session() -> Iterator[Session]:
    """Return a session on an emulator in memory; time advances only while a verb waits."""
    with Session() as opened:
        opened.connect()
        yield opened
