"""The verbs as jobs for a session's loop.

Each takes its options apart at once, and raises when they make no sense; what it returns does the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.jobs import checks, images, pools, resizing
from batchimg_magics.jobs.names import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.jobs.job import Job

__all__ = ["JOBS", "NAMES"]

JOBS: dict[str, Callable[..., Job]] = {**checks.JOBS, **images.JOBS, **pools.JOBS, **resizing.JOBS}
