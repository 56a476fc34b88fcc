"""Recorded traffic, and the tool that replays it."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

from tests.support.paths import SHARED

if TYPE_CHECKING:
    from pathlib import Path


def load_replay_tool() -> Any:
    """Return the tool beside the checkout that replays a recording, as a module."""
    spec = importlib.util.spec_from_file_location("replay", SHARED / "tools" / "replay.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_exchanges(file: Path) -> list[dict[str, Any]]:
    """Return the requests and responses of a recording."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [line for line in lines if "method" in line]
