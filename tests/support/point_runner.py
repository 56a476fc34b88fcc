"""Try the points of many commands in several processes, and say which differed: the command line of two programs."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.crash_cases import Case


class Trial(Protocol):
    """A command that ran once without a disturbance."""

    def points(self, *, every: int) -> list[Any]:
        """Return each so manieth of the points at which it can be disturbed."""

    def problems(self, point: Any) -> list[str]:
        """Disturb it at a point, and return what differs; nothing if all is well."""


#: The command whose points the worker processes try: they inherit it, since commands hold functions.
_current: list[Trial] = []


def _try_point(point: object) -> list[str]:
    return _current[-1].problems(point)


def _try_case(
    case: Case, trial_of: Callable[[Case, Path], Trial], summary: Callable[[list[Any]], str], every: int, jobs: int
) -> tuple[int, int]:
    """Try the points of a command; print and count those that differ."""
    with tempfile.TemporaryDirectory() as folder:
        _current.append(trial_of(case, Path(folder)))
        points = _current[-1].points(every=every)
        differed = 0
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("fork")) as workers:
            for point, problems in zip(points, workers.map(_try_point, points), strict=True):
                if problems:
                    differed += 1
                    print(f"{point}:", *problems, sep="\n  ", flush=True)  # noqa: T201 - a report
    print(f"{case.name}: {summary(points)}, {differed} differed", flush=True)  # noqa: T201 - a report
    return len(points), differed


def run_cases(
    title: str,
    cases: Iterable[Case],
    trial_of: Callable[[Case, Path], Trial],
    summary: Callable[[list[Any]], str],
) -> tuple[int, int]:
    """Try the points of the commands that the command line names; return how many were tried, and how many differed.

    Parameters
    ----------
    title
        The text of the help.
    cases
        All commands.
    trial_of
        Runs a command to its end in a folder.
    summary
        Says how many points of a command were tried.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="name the cases to try; by default all")
    parser.add_argument("--every", type=int, default=1, help="try only each so manieth point")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="set the number of processes")
    line = parser.parse_args()
    chosen = [case for case in cases if not line.cases or case.name in line.cases]
    results = [_try_case(case, trial_of, summary, line.every, line.jobs) for case in chosen]
    tried, differed = (sum(one[part] for one in results) for part in (0, 1))
    return tried, differed
