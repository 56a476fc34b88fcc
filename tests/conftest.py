"""What many tests need: a session on a fresh, stepped world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchimg_magics.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5", "nodes": 20, "spot": 5}


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the world or the profiles of whoever runs it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("BATCHIMG_STATE", ":memory:")
    monkeypatch.setenv("BATCHIMG_SPEED", "max")


@pytest.fixture
def session() -> Iterator[Session]:
    """Return a session on a furnished world in memory, whose time moves only while a verb waits."""
    with Session() as opened:
        opened.connect()
        yield opened
