"""The map of nodes in a browser: its first paint and its repaints, where a browser can be had."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.bench.rows import NotMeasuredError, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

SQUARES = 100_000


def rows() -> Iterator[Row]:
    """Paint 100,000 squares in headless Chromium."""
    if shutil.which("chromium") is None:
        raise NotMeasuredError("chromium is not there; it is Debian's to install")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "playwright"]
    if subprocess.run(install, capture_output=True, check=False).returncode:
        raise NotMeasuredError("playwright cannot be installed")
    from tests.lab import map_page

    found = map_page.measure(SQUARES)
    note = "headless Chromium, no GPU"
    yield Row(f"node map, {SQUARES:,} nodes, first paint", "ms", found["first_paint_ms"], note=note)
    yield Row(f"node map, {SQUARES:,} nodes, 1,000 changes a frame", "frames/s", found["repaints_per_s"], note=note)
