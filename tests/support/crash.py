"""Interrupt `create` and `delete --image` at every request, and run the same line again.

Run it with `python -m tests.support.crash`. For each request k of an uninterrupted run, on a state file, the process is
killed right before the request, right after its response, or after Azure has handled it and before the response is
received. A new session then runs the same line. It must end with the same resources as the uninterrupted run, and
nothing twice; and there must never be a new resource without the ownership tags.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator import open_emulator
from batchimg_magics.errors import NotFoundError
from batchimg_magics.session.session import Session
from tests.support.create_options import CREATE_OPTIONS
from tests.support.forwarding_transport import ForwardingTransport
from tests.support.inventory import read_inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azure.core.pipeline.transport import AsyncHttpTransport

CRASH_MODES = ("before", "after", "lost")


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
class Case:
    """A verb to interrupt, and what has to exist before it."""

    verb: str
    run: Callable[[Session], object]
    before: Callable[[Session], object] | None = None
    sample: int = 8  # the tests try only each so manieth point


def _create(session: Session) -> object:
    return session.create("genomics", **CREATE_OPTIONS)


def _copy(session: Session) -> object:
    return session.create("desk", from_vm="desk-vm", vm_size="Standard_D4s_v5", nodes=2, stop=True)


CASES = (
    Case("create", _create),
    Case("create by copy", _copy, sample=25),
    Case("delete --image", lambda session: session.delete("genomics", image=True), _create),
)


def _run(state_file: Path, act: Callable[[Session], object], at: int = 0, mode: str = "before") -> CrashTransport:
    """Run a verb in a new session; the process may be killed."""
    lines: list[CrashTransport] = []

    def wrap_transport(inner: AsyncHttpTransport[Any, Any]) -> CrashTransport:
        lines.append(CrashTransport(inner, 0, mode))
        return lines[-1]

    with Session(wrap_transport=wrap_transport) as session:
        session.connect(state=str(state_file), speed="max")
        lines[0].sent = 0
        lines[0].at = at
        try:
            act(session)
        except ProcessKilled:
            pass
        finally:
            lines[0].at = 0
    return lines[0]


def _run_again(state_file: Path, act: Callable[[Session], object]) -> None:
    """Run the same line in a new session. A second deletion finds nothing and reports it."""
    with Session() as session:
        session.connect(state=str(state_file), speed="max")
        try:
            act(session)
        except NotFoundError:
            if act in (_create, _copy):
                raise


def crash_points(case: Case, folder: Path, *, every: int = 1) -> Iterator[tuple[str, list[str]]]:
    """Yield a name and what differed (nothing, if all is well) for each point of a case.

    Parameters
    ----------
    case
        Which.
    folder
        The folder for state files.
    every
        Try only each so manieth point.
    """
    start, undisturbed, interrupted = folder / "start.db", folder / "undisturbed.db", folder / "torn.db"
    open_emulator(start).close()
    if case.before:
        _run(start, case.before)
    shutil.copy(start, undisturbed)
    count = len(_run(undisturbed, case.run).log)
    first, last = read_inventory(start), read_inventory(undisturbed)
    every_point = [(k, how) for k in range(1, count + 1) for how in CRASH_MODES]
    for k, how in every_point[::every]:
        shutil.copy(start, interrupted)
        line = _run(interrupted, case.run, k, how)
        problems = [f"no marks: {key}" for key in _untagged(read_inventory(interrupted), first)]
        _run_again(interrupted, case.run)
        problems += _differences(last, read_inventory(interrupted))
        yield f"{case.verb}, {how} request {k} of {count}", problems and [*problems, *line.log[-1:]]


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


def main() -> int:
    """Try all points and say how many differed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="try only each so manieth point")
    every = parser.parse_args().every
    tried = differed = 0
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            for name, problems in crash_points(case, Path(folder), every=every):
                tried += 1
                if problems:
                    differed += 1
                    print(f"{name}:", *problems, sep="\n  ")  # noqa: T201 - a report
    print(f"{tried} points tried, {differed} points differed")  # noqa: T201 - a report
    return 1 if differed else 0


if __name__ == "__main__":
    sys.exit(main())
