"""Interrupt every command of `tests.support.crash_cases` at every request, and run the same line again.

Run it with `python -m tests.support.crash`. For each request of an uninterrupted run, on a state file, the process is
killed right before the request; and for each request that changes something also after Azure has handled it, before the
response is received. (After the response is the same as before the next request.) A new session then runs the same
line. It must end with the same resources as the uninterrupted run: nothing twice, no temporary VM left; and there must
never be a new resource without the ownership tags. Where the command sets an expiry, no node is left after it, although
nobody runs the line again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import BatchImgError, NotFoundError
from batchimg_magics.session.session import Session
from tests.support.connections import wrapped_session
from tests.support.crash_cases import CASES, Case
from tests.support.forwarding_transport import ForwardingTransport
from tests.support.inventory import read_inventory, read_node_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


#: Seconds after an expiry by which the nodes are gone: Batch evaluates formulas every five minutes.
MAX_LATE_S = 600.0
#: Requests that change nothing: it makes no difference whether their responses are received.
_READS = ("GET", "HEAD")


class ProcessKilled(BaseException):
    """The process is killed: no code may handle this as an error."""


@dataclass
class CrashTransport(ForwardingTransport):
    """A transport that counts the requests and kills the process at one of them."""

    at: int = 0
    how: str = "before"
    sent: int = 0
    log: list[str] = field(default_factory=list)

    async def send(self, request: Any, **kwargs: Any) -> Any:
        self.sent += 1
        if self.at and (self.sent > self.at or (self.sent == self.at and self.how == "before")):
            raise ProcessKilled
        self.log.append(f"{request.method} {request.url.partition('?')[0]}")
        answer = await self.inner.send(request, **kwargs)
        if self.sent == self.at and self.how == "lost":
            raise ProcessKilled
        return answer


@dataclass(frozen=True)
class CrashPoint:
    """Where a command is interrupted.

    Parameters
    ----------
    case
        The name of the command.
    request
        The number of the request, from 1.
    mode
        ``before`` the request, or ``lost``: after Azure has handled it, before the response is received.
    """

    case: str
    request: int
    mode: str

    def __str__(self) -> str:
        return f"{self.case}, {self.mode} request {self.request}"


def run_interrupted(
    state_file: Path, act: Callable[[Session], object], at: int = 0, mode: str = "before"
) -> CrashTransport:
    """Run a command in a new session; the process is killed at a request unless it is 0."""
    wrap = partial(CrashTransport, how=mode)
    with wrapped_session(wrap, state=str(state_file), speed="max") as (session, line):
        line.sent = 0
        line.at = at
        try:
            act(session)
        except ProcessKilled:
            pass
        finally:
            line.at = 0
    return line


def _run_again(state_file: Path, case: Case) -> list[str]:
    """Run the same line in a new session, and return its error. A second deletion finds nothing and reports it."""
    with Session() as session:
        session.connect(state=str(state_file), speed="max")
        try:
            case.run(session)
        except NotFoundError as error:
            return [] if case.deletes else [f"run again: {error}"]
        except BatchImgError as error:
            return [f"run again: {type(error).__name__}: {error}"]
    return []


@dataclass(frozen=True)
class Interruption:
    """A case that was run once without an interruption, in a folder.

    Parameters
    ----------
    case, folder
        The case, and the folder with its state files.
    log
        The requests of the uninterrupted run.
    first, last
        The resources before and after it.
    """

    case: Case
    folder: Path
    log: list[str]
    first: dict[str, Any]
    last: dict[str, Any]

    @classmethod
    def of(cls, case: Case, folder: Path) -> Interruption:
        """Run a case to its end."""
        start, undisturbed = folder / "start.db", folder / "undisturbed.db"
        case.build(start)
        shutil.copy(start, undisturbed)
        log = run_interrupted(undisturbed, case.run).log
        return cls(case, folder, log, read_inventory(start), read_inventory(undisturbed))

    def points(self, every: int = 1) -> list[CrashPoint]:
        """Return the points at which the case can be interrupted, or each so manieth of them."""
        found = []
        for number, request in enumerate(self.log, 1):
            found.append(CrashPoint(self.case.name, number, "before"))
            if not request.startswith(_READS):
                found.append(CrashPoint(self.case.name, number, "lost"))
        return found[::every]

    def problems(self, point: CrashPoint) -> list[str]:
        """Interrupt the command at a point, run it again, and return what differs from the uninterrupted run."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            interrupted = Path(folder) / "interrupted.db"
            shutil.copy(self.folder / "start.db", interrupted)
            line = run_interrupted(interrupted, self.case.run, point.request, point.mode)
            problems = [f"no tags: {key}" for key in _untagged(read_inventory(interrupted), self.first)]
            problems += self._late_nodes(interrupted)
            problems += _run_again(interrupted, self.case)
            problems += _differences(self.last, read_inventory(interrupted))
            return problems and [*problems, *line.log[-1:]]

    def _late_nodes(self, state_file: Path) -> list[str]:
        """Return the pools that have nodes after their expiry, if nobody does anything from now on."""
        if not self.case.expires_h:
            return []
        left = state_file.with_name("left-alone.db")
        shutil.copy(state_file, left)
        counts = read_node_counts(left, after_s=self.case.expires_h * 3600 + MAX_LATE_S)
        return [f"after its expiry: {key} has {count} nodes" for key, count in counts.items() if count]


def crash_points(case: Case, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield a name and what differed (nothing, if all is well) for as many points of a case as the tests try."""
    interruption = Interruption.of(case, folder)
    points = interruption.points()
    for number in range(1, case.tries + 1):
        point = points[number * len(points) // (case.tries + 1)]
        yield str(point), interruption.problems(point)


def _untagged(now: dict[str, Any], first: dict[str, Any]) -> list[str]:
    return [key for key, found in now.items() if key not in first and "batchimg-made-by" not in json.dumps(found)]


def _differences(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    problems = [f"missing: {key}" for key in wanted.keys() - found.keys()]
    problems += [f"too much: {key}" for key in found.keys() - wanted.keys()]
    common = sorted(wanted.keys() & found.keys())
    return problems + [
        f"differs: {key}{part}" for key in common for part in _document_differences(wanted[key], found[key])
    ]


def _document_differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Yield where two documents differ, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from _document_differences(one.get(key), other.get(key), f"{path} {key}")
    elif one != other:
        yield f"{path}: {one} / {other}"


# -- the command line --------------------------------------------------------------------------------------------

#: The case whose points the worker processes try: they inherit it, since cases hold functions.
_current: list[Interruption] = []


def _try_point(point: CrashPoint) -> list[str]:
    return _current[-1].problems(point)


def _try_case(case: Case, every: int, jobs: int) -> tuple[int, int]:
    """Try the points of a case in several processes; print and count those that differ."""
    with tempfile.TemporaryDirectory() as folder:
        _current.append(Interruption.of(case, Path(folder)))
        points = _current[-1].points(every)
        differed = 0
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("fork")) as pool:
            for point, problems in zip(points, pool.map(_try_point, points), strict=True):
                if problems:
                    differed += 1
                    print(f"{point}:", *problems, sep="\n  ", flush=True)  # noqa: T201 - a report
    print(f"{case.name}: {len(points)} points tried, {differed} differed", flush=True)  # noqa: T201 - a report
    return len(points), differed


def main() -> int:
    """Try all points and say how many differed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help="name the cases to try; by default all")
    parser.add_argument("--every", type=int, default=1, help="try only each so manieth point")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="set the number of processes")
    line = parser.parse_args()
    chosen = [case for case in CASES if not line.cases or case.name in line.cases]
    results = [_try_case(case, line.every, line.jobs) for case in chosen]
    tried, differed = (sum(one[part] for one in results) for part in (0, 1))
    print(f"{tried} points tried, {differed} points differed")  # noqa: T201 - a report
    return 1 if differed or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
