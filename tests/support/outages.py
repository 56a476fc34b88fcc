"""Let one request of a command meet a passing outage: the command must end as if there had been none.

Run it with `python -m tests.support.outages`. For each request of an uninterrupted run, on a state file: nine answers
503 before it is handled; a connection that is lost before it is sent; and, where it changes something, an answer that
is lost after it was handled, and a gateway that answers 502 then. The same run must end without an error, with the same
resources as the uninterrupted one.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest

from batchimg_magics.emulator.app import HttpResponse
from batchimg_magics.emulator.transport import EmulatorLegacyResponse, EmulatorResponse
from batchimg_magics.errors import BatchImgError
from tests.support.connections import wrapped_session
from tests.support.crash import differences
from tests.support.crash_cases import CASES, Case
from tests.support.crash_more_cases import MORE_CASES as INTERRUPTED
from tests.support.create_options import CREATE_OPTIONS
from tests.support.forwarding_transport import ForwardingTransport
from tests.support.inventory import read_inventory
from tests.support.point_runner import run_cases
from tests.support.prepared_vms import StateFileClient, connect_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.session.session import Session

#: Requests that change nothing.
_READS = ("GET", "HEAD")
#: How often a busy service answers 503.
BUSY_TIMES = 9
#: At how many points of each command the tests let it meet an outage.
TRIES = 1
_FORMULA = "$TargetDedicatedNodes = 3;"
_PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGdvb2Qga2V5IGZvciB0ZXN0cyBvbmx5IDEyMzQ1Njc4 ana"


@dataclass
class OutageTransport(ForwardingTransport):
    """A transport that counts the requests, without their repetitions, and lets one of them meet an outage."""

    at: int = 0
    how: str = ""
    sent: int = 0
    log: list[str] = field(default_factory=list)
    met: tuple[str, str] = ("", "")
    left: int = 0

    async def send(self, request: Any, **kwargs: Any) -> Any:
        key = (request.method, request.url)
        again = self.left > 0 and key == self.met
        if not again:
            self.sent += 1
            self.log.append(f"{request.method} {request.url.partition('?')[0]}")
        if again or (self.at and self.sent == self.at):
            if not again:
                self.met, self.left = key, BUSY_TIMES if self.how == "busy" else 1
            self.left -= 1
            return await self._meet(request, kwargs)
        return await self.inner.send(request, **kwargs)

    async def _meet(self, request: Any, kwargs: dict[str, Any]) -> Any:
        if self.how == "busy":
            return _answer(request, 503)
        if self.how == "refused":
            raise ServiceRequestError("the connection was lost")
        await self.inner.send(request, **kwargs)
        if self.how == "gateway":
            return _answer(request, 502)
        raise ServiceResponseError("the connection was lost")


def _answer(request: Any, status: int) -> Any:
    kind: Any = EmulatorResponse if isinstance(request, HttpRequest) else EmulatorLegacyResponse
    return kind(request, HttpResponse(status, {"Content-Type": "text/html"}, b"<html>try again</html>"))


@dataclass(frozen=True)
class OutagePoint:
    """The request of a command that meets an outage, and which: ``busy``, ``refused``, ``lost``, ``gateway``."""

    case: str
    request: int
    how: str

    def __str__(self) -> str:
        return f"{self.case}, {self.how} at request {self.request}"


def run_through(state_file: Path, case: Case, at: int = 0, how: str = "") -> tuple[OutageTransport, list[str]]:
    """Run a command whose request of this number meets an outage; return the requests and the error."""
    with wrapped_session(partial(OutageTransport, how=how), state=str(state_file), speed="max") as (session, line):
        line.sent, line.at = 0, at
        line.log.clear()
        try:
            case.run(session)
        except BatchImgError as error:
            return line, [f"{type(error).__name__}: {error} / {error.hint}"]
        finally:
            line.at = 0
    return line, []


@dataclass(frozen=True)
class Outages:
    """A command that was run once without an outage, in a folder, with its requests and what came of it."""

    case: Case
    folder: Path
    log: list[str]
    last: dict[str, Any]

    @classmethod
    def of(cls, case: Case, folder: Path) -> Outages:
        """Run a command to its end."""
        start, undisturbed = folder / "start.db", folder / "undisturbed.db"
        case.build(start)
        shutil.copy(start, undisturbed)
        line, problems = run_through(undisturbed, case)
        assert not problems, problems
        return cls(case, folder, line.log, read_inventory(undisturbed))

    def points(self, every: int = 1) -> list[OutagePoint]:
        """Return the points at which the command can meet an outage, or each so manieth of them."""
        found = []
        # Nobody knows what repeating a command of the user does: where its answer is lost, `update` ends, and the same
        # line resumes. The last run-command generalizes.
        *commands, _ = [number for number, request in enumerate(self.log, 1) if "/runCommand" in request] or [0]
        of_user = commands if self.case.name.startswith("update") else []
        for number, request in enumerate(self.log, 1):
            repeats = not request.startswith(_READS) and number not in of_user
            kinds = ("busy", "refused", "lost", "gateway") if repeats else ("busy", "refused")
            found += [OutagePoint(self.case.name, number, how) for how in kinds]
        return found[::every]

    def problems(self, point: OutagePoint) -> list[str]:
        """Let the command meet an outage, and return what differs from the run without it."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            disturbed = Path(folder) / "disturbed.db"
            shutil.copy(self.folder / "start.db", disturbed)
            line, problems = run_through(disturbed, self.case, point.request, point.how)
            found = differences(self.last, read_inventory(disturbed))
            problems += [one for one in found if not (self.case.varies and re.search(self.case.varies, one))]
            return problems and [*problems, " ".join(line.met)]


def outage_points(case: Case, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield a name and what differed (nothing, if all is well) for as many points of a case as the tests try."""
    outages = Outages.of(case, folder)
    points = outages.points()
    writes = [one for one in points if one.how in ("lost", "gateway")] or points
    for number in range(1, TRIES + 1):
        point = writes[number * len(writes) // (TRIES + 1)]
        yield str(point), outages.problems(point)


# -- more commands than those that `crash` interrupts ------------------------------------------------------------


def _create(session: Session, client: StateFileClient, **options: Any) -> None:
    connect_to(session, client).create("genomics", **{**CREATE_OPTIONS, "nodes": 4, "spot": 1, **options})


def _pool(client: StateFileClient, session: Session) -> None:
    _create(session, client)


def _pool_with_expiry(client: StateFileClient, session: Session) -> None:
    _create(session, client, ttl="8h")


def _pool_with_formula(client: StateFileClient, session: Session) -> None:
    _pool(client, session)
    session.autoscale("genomics", formula=_FORMULA)


def _two_pools(client: StateFileClient, session: Session) -> None:
    _pool(client, session)
    session.create("other", from_vm="prep-vm", vm_size=CREATE_OPTIONS["vm_size"], nodes=1)


def _log_in(session: Session) -> object:
    """Create a user on the first node."""
    with tempfile.NamedTemporaryFile("w", suffix=".pub") as file:
        file.write(_PUBLIC_KEY)
        file.flush()
        node = min(session.nodes("genomics").node_id)
        return session.nodes("genomics", login=node, user="ana", ssh_key=file.name)


def _set_formula(session: Session) -> object:
    session.autoscale("genomics", formula=_FORMULA)
    return session.wait("genomics")


def _reboot_node(session: Session) -> object:
    return session.repair("genomics", node=min(session.nodes("genomics").node_id), reboot=True)


def _close_node(session: Session) -> object:
    return session.repair("genomics", node=min(session.nodes("genomics").node_id), disable_scheduling=True)


MORE_CASES = (
    Case("autoscale", _set_formula, _pool),
    Case(
        "autoscale --off",
        lambda session: session.autoscale("genomics", off=True),
        _pool_with_formula,
        varies="currentDedicatedNodes|leavingpool",
    ),
    *(case for case in INTERRUPTED if case.name == "stop-resize"),
    Case("wait", lambda session: session.wait("genomics"), _pool_with_expiry),
    Case("resize of two pools", lambda session: session.resize("*", nodes=6), _two_pools),
    Case("repair --node --reboot", _reboot_node, _pool),
    Case("repair --node --disable-scheduling", _close_node, _pool),
    Case("nodes --login", _log_in, _pool),
    Case("delete", lambda session: session.delete("genomics"), _pool),
)


# -- the command line --------------------------------------------------------------------------------------------


def main() -> int:
    """Try all points and say how many differed."""
    title, all_cases = __doc__.partition("\n")[0], (*CASES, *MORE_CASES)
    tried, differed = run_cases(title, all_cases, Outages.of, lambda points: f"{len(points)} outages tried")
    print(f"{tried} outages tried, {differed} differed")  # noqa: T201 - a report
    return 1 if differed else 0


if __name__ == "__main__":
    sys.exit(main())
