"""The folder of the checkout, and the folder that may be beside it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ROOT", "SHARED"]

ROOT = Path(__file__).parents[2]
#: Recordings and OpenAPI documents; tests that need them are skipped where they are not there.
SHARED = ROOT.parent / "shared"
