"""What it costs to mask secrets in texts: in one of a megabyte, and in the captions of tables."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from batchimg_magics.masking import mask_tokens
from tests.bench.rows import Row, alternating, times

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS, CAPTIONS, GOAL_MS_PER_MB, GOAL_US = 15, 1000, 1000.0, 100.0
LINE = "2026-03-01T10:00:00Z pool genomics: 500 of 1,000 nodes are idle (image 1.0.3 in eastus, key vault kv-lab)\n"
HIDDEN = 'DefaultEndpointsProtocol=https;AccountName=lab;AccountKey=Zm9vYmFyYmF6;sig=abc%2Bdef%3D "password": "x1y2"\n'
CAPTION = "pool genomics: 1,000 of 1,000 nodes idle after 6 min 12 s; about 0.19 USD per node and hour; expires in 8 h"


def rows() -> Iterator[Row]:
    """Measure a text of log lines without and with secrets, and captions."""
    plain = LINE * (1_000_000 // len(LINE))
    for what, text in (
        ("log lines", plain),
        ("a tenth with secrets", (LINE * 9 + HIDDEN) * (len(plain) // len(LINE * 9 + HIDDEN))),
    ):
        yield _measured(f"mask 1 MB: {what}", text, 1, "ms", 1000.0, GOAL_MS_PER_MB)
    yield _measured("mask a caption", CAPTION, CAPTIONS, "us", 1e6, GOAL_US)


def _measured(work: str, text: str, count: int, unit: str, scale: float, goal: float) -> Row:
    def mask() -> None:
        for _ in range(count):
            mask_tokens(text)

    def copy() -> None:
        for _ in range(count):
            text.encode().decode()

    took = alternating({"mask": mask, "copy": copy}, RUNS)
    ours, limit = (median(took[name]) / count * scale for name in ("mask", "copy"))
    ratio = times(took["mask"], took["copy"])
    return Row(
        work, unit, ours, limit=limit, limit_ratio=ratio, goal=f"<= {goal:g} {unit}", met=ours <= goal,
        note="limit: the text is copied once",
    )  # fmt: skip
