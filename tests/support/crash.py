"""Kill the process of every command of `tests.support.crash_cases` at every point, and run the same line again.

Run it with `python -m tests.support.crash`. Each point is a process of its own, which ends by `os._exit`, as a process
ends that is killed. The points are those at which somebody else could see a difference:

- ``before``: right before each request;
- ``lost``: after the service has handled a request, before the response is received, for each request that changes
  something: every one but GET and HEAD, and those reads after which the service's state was another one;
- ``after``: when a response was handled and the code waits again, for each request after which the process writes to a
  local file, or waits before its next request. Otherwise this is the same as before the next request;
- ``write``: in the middle of each write to a local file: before a transaction of the history is committed, when a file
  was opened and nothing is in it, before it gets its name.

Of ``after`` and ``write`` where a poll repeats the same request, the first two and the last are tried. Between these
points, a process only computes: what it has computed dies with it. Of requests that wait for their responses at
the same time, one is at its point, and the others are as they are at that moment.

A run whose process did not die where it had to is an error of this program. After each death, time goes on from there,
and a new process runs the same line. It must end with the same resources as the uninterrupted run: nothing twice, no
temporary VM left; and there must never be a new resource without the ownership tags. The files of the emulator and the
history must be intact, and no temporary file be left. Where the command sets an expiry, no node is left after it,
although nobody runs the line again.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.world.store import Store
from batchimg_magics.errors import BatchImgError, NotFoundError
from batchimg_magics.session.session import Session
from tests.support.crash_cases import CASES, Case
from tests.support.crash_more_cases import MORE_CASES
from tests.support.crash_process import KILLED, READS, Event, Recorder, enter_folder, run_forked, run_recorded
from tests.support.forwarding_transport import ForwardingTransport
from tests.support.inventory import mask_moments, read_inventory, read_node_counts
from tests.support.point_runner import run_cases

if TYPE_CHECKING:
    from collections.abc import Iterator


ALL_CASES = (*CASES, *MORE_CASES)
#: Seconds after an expiry by which the nodes are gone: Batch evaluates formulas every five minutes.
MAX_LATE_S = 600.0
#: How long before the next run a process died, in seconds: the times of its files are set to that.
_DEAD_FOR_S = 24 * 3600.0


class ProcessKilled(BaseException):
    """The process is killed: no code may handle this as an error."""


@dataclass
class CrashTransport(ForwardingTransport):
    """A transport that counts the requests, and lets the work of this process fail at one of them: for other tests."""

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
    number
        The number of the event, from 1.
    mode
        ``before``, ``lost``, ``after`` or ``write``.
    event
        What happens there in the uninterrupted run.
    """

    case: str
    number: int
    mode: str
    event: Event

    def __str__(self) -> str:
        return f"{self.case}, {self.mode} {self.number} ({self.event.text})"


#: Of the points that repeat each other, as those of a poll do, so many are tried first, and the last one.
_FIRST = 2


def crash_points(case: str, events: list[Event]) -> list[CrashPoint]:
    """Return the points of a command, given the events of its uninterrupted run."""
    found = []
    alike: dict[tuple[str, ...], list[CrashPoint]] = {}
    request = ""
    for number, event in enumerate(events, 1):
        request = event.text if event.kind == "request" else request
        for mode in _modes(event, events[number] if number < len(events) else None):
            found.append(point := CrashPoint(case, number, mode, event))
            if mode in ("after", "write"):
                alike.setdefault((mode, request, event.text), []).append(point)
    left_out = {point for points in alike.values() for point in points[_FIRST:-1]}
    return [point for point in found if point not in left_out]


def _modes(event: Event, following: Event | None) -> Iterator[str]:
    """Yield how a process can die at an event."""
    if event.kind == "write":
        yield "write"
        return
    yield "before"
    if event.changes or not event.text.startswith(READS):
        yield "lost"
    if following is None or following.kind == "write" or following.now != event.answered:
        yield "after"


def _run_line(folder: Path, case: Case) -> None:
    """Run the line in a new session, and write its error to a file: a second deletion finds nothing and reports it."""
    enter_folder(folder)
    problems = []
    with Session() as session:
        session.connect(state=str(folder / "world.db"), speed="max")
        try:
            case.run(session)
        except NotFoundError as error:
            problems = [] if case.deletes else [f"run again: {error}"]
        except BatchImgError as error:
            problems = [f"run again: {type(error).__name__}: {error}"]
    (folder.parent / "problems.json").write_text(json.dumps(problems))


def _run_here(case: Case, start: Path, folder: Path) -> None:
    """Run the line in this process, on a copy of the state."""
    with tempfile.TemporaryDirectory(dir=folder) as files, Session() as session:
        shutil.copytree(start, files, dirs_exist_ok=True)
        enter_folder(Path(files))
        session.connect(state=str(Path(files) / "world.db"), speed="max")
        case.run(session)
        os.chdir(folder)


@dataclass(frozen=True)
class Interruption:
    """A case that was run once without an interruption, in a folder.

    Parameters
    ----------
    case, folder
        The case, and the folder with its states.
    events
        The events of the uninterrupted run.
    first, last
        The resources before and after it.
    files
        The names and texts of the local files after it.
    """

    case: Case
    folder: Path
    events: list[Event]
    first: dict[str, Any]
    last: dict[str, Any]
    files: dict[str, str]

    @classmethod
    def of(cls, case: Case, folder: Path, *, imports: bool = True) -> Interruption:
        """Run a case to its end; with `imports` also in this process, so that its forks have what the command needs."""
        start, undisturbed = folder / "start", folder / "undisturbed" / "files"
        start.mkdir()
        enter_folder(start)
        case.build(start / "world.db")
        first = read_inventory(start / "world.db")  # before the copies: reads draw ids, too
        shutil.copytree(start, undisturbed)
        if imports:
            _run_here(case, start, folder)
        if status := run_forked(run_recorded, undisturbed, case.run, Recorder(counts=case.counts)):
            raise RuntimeError(f"{case.name}: the uninterrupted run ended with status {status}")
        events = [Event(**one) for one in json.loads((undisturbed.parent / "events.json").read_text())]
        last = read_inventory(undisturbed / "world.db")
        return cls(case, folder, events, first, last, _files(undisturbed))

    def points(self, tries: int = 0, every: int = 1) -> list[CrashPoint]:
        """Return the points at which the case can be interrupted, a number of them, or each so manieth of them."""
        found = crash_points(self.case.name, self.events)
        wanted = min(tries, len(found)) or -(-len(found) // every)
        # By chance, because every so manieth point may always be of the same mode.
        chance = random.Random(self.case.name)  # noqa: S311 - the same points in every run
        chosen = sorted(chance.sample(range(len(found)), wanted))
        return [found[index] for index in chosen]

    def problems(self, point: CrashPoint) -> list[str]:
        """Kill the process of the command at a point, run it again, and return what differs from the other run."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            files = Path(folder) / "files"
            shutil.copytree(self.folder / "start", files)
            if problems := self._kill(files, point):
                return problems
            problems = [f"no tags: {key}" for key in untagged(read_inventory(files / "world.db"), self.first)]
            problems += [f"half a file: {name}" for name in self._half_written(files)]
            problems += self._late_nodes(files / "world.db")
            if run_forked(_run_line, files, self.case):
                return [*problems, "run again: the process failed"]
            problems += json.loads((files.parent / "problems.json").read_text())
            problems += differences(self.last, read_inventory(files / "world.db"))
            problems += [*damaged_databases(files), *differences(self.files, _files(files))]
            return [one for one in problems if not (self.case.varies and re.search(self.case.varies, one))]

    def _kill(self, files: Path, point: CrashPoint) -> list[str]:
        """Run the command until it dies, and let time go on from there; return what is wrong with its death."""
        report = files.parent / "report.json"
        recorder = Recorder(point.number, point.mode, report, counts=self.case.counts)
        status = run_forked(run_recorded, files, self.case.run, recorder)
        if status != KILLED or not report.exists():
            return [f"harness: the process did not die there, but ended with status {status}"]
        told = json.loads(report.read_text())
        if told["text"] != point.event.text:
            return [f"harness: the process died elsewhere: {told['text']}"]
        store = Store(files / "world.db", start=0)
        try:
            with store.transaction(write=True):
                store.record_time(told["now"])
        finally:
            store.close()
        for file in _local_files(files):
            os.utime(file, (then := file.stat().st_mtime - _DEAD_FOR_S, then))
        return []

    def _half_written(self, files: Path) -> list[str]:
        """Return the files that have neither their text before the command nor that after it."""
        whole = {*_files(self.folder / "start").items(), *self.files.items()}
        return [name for name, text in _files(files).items() if (name, text) not in whole and ".batchimg-" not in name]

    def _late_nodes(self, state_file: Path) -> list[str]:
        """Return the pools that have nodes after their expiry, if nobody does anything from now on."""
        if not self.case.expires_h:
            return []
        left = state_file.parent.parent / "left-alone.db"
        shutil.copy(state_file, left)
        counts = read_node_counts(left, after_s=self.case.expires_h * 3600 + MAX_LATE_S)
        return [f"after its expiry: {key} has {count} nodes" for key, count in counts.items() if count]


def _local_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder without those of SQLite, and without the state of the emulator."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.name.startswith("world."):
            yield file


def _files(folder: Path) -> dict[str, str]:
    """Return the name and the text of each local file, without moments and the name of the folder."""
    texts = {str(file.relative_to(folder)): file.read_text() for file in _local_files(folder)}
    return {name: mask_moments(text.replace(str(folder), "FOLDER")) for name, text in texts.items()}


def damaged_databases(folder: Path) -> Iterator[str]:
    """Yield the databases that SQLite finds damaged, and journals that nobody has used."""
    for file in folder.glob("world*.db"):
        database = sqlite3.connect(file)
        try:
            if (told := database.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
                yield f"damaged: {file.name}: {told}"
        except sqlite3.Error as error:
            yield f"damaged: {file.name}: {error}"
        finally:
            database.close()
    yield from (f"file left: {file.name}" for file in folder.glob("world*-journal") if file.stat().st_size)


def try_some(case: str, folder: Path) -> dict[str, list[str]]:
    """Return the names of as many points of a case as the tests try, and what differed (nothing, if all is well)."""
    # Other cases ran in this process before: what they have imported is most of what this one needs.
    chosen = next(one for one in ALL_CASES if one.name == case)
    interruption = Interruption.of(chosen, folder, imports=case == ALL_CASES[0].name)
    return {str(point): interruption.problems(point) for point in interruption.points(interruption.case.tries)}


def try_wrong_points(case: str, folder: Path) -> list[list[str]]:
    """Return what is said of a death that does not happen, and of one at another request than it was meant for."""
    interruption = Interruption.of(next(one for one in ALL_CASES if one.name == case), folder)
    first = interruption.points()[0]
    missed, elsewhere = replace(first, number=10_000), replace(first, event=replace(first.event, text="PUT nothing"))
    return [interruption.problems(point) for point in (missed, elsewhere)]


def untagged(now: dict[str, Any], first: dict[str, Any]) -> list[str]:
    """Return the ids of resources that are new and have no tags of ours.

    What has no id, and the tasks of a job, belong to such a resource.
    """
    new = {key: found for key, found in now.items() if key not in first and key.startswith("/")}
    new = {key: found for key, found in new.items() if "/tasks/" not in key}
    return [key for key, found in new.items() if "batchimg-made-by" not in json.dumps(found)]


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return how the resources of two states differ, as texts; none where they are the same."""
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


def _summary(points: list[CrashPoint]) -> str:
    modes = ", ".join(
        f"{sum(one.mode == mode for one in points)} {mode}" for mode in ("before", "lost", "after", "write")
    )
    return f"{len(points)} points tried ({modes})"


def main() -> int:
    """Try all points and say how many differed."""
    tried, differed = run_cases(__doc__.partition("\n")[0], ALL_CASES, Interruption.of, _summary)
    print(f"{tried} points tried, {differed} points differed")  # noqa: T201 - a report
    return 1 if differed or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
