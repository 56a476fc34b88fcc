"""Fixtures of most tests: an own home directory, and a session on a new emulator in instant time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchimg_magics.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
