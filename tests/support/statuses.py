"""Answer one request of a command with an error status, and run the same line again.

Run it with `python -m tests.support.statuses`. Each request of an uninterrupted run is answered once with each status,
before it is handled: with an error of Azure in its body, with a page of HTML, or without a body. The command must end
well, or with one clear line and a hint. Where it failed, or something is left, the same line again, or then `cleanup`,
must end with the resources of the uninterrupted run. After a 404 they are not compared: the service said that there are
none.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure.core.rest import HttpRequest

from batchimg_magics.emulator.app import HttpResponse
from batchimg_magics.emulator.transport import EmulatorLegacyResponse, EmulatorResponse
from batchimg_magics.errors import BatchImgError, NotFoundError
from batchimg_magics.session.session import Session
from tests.support.connections import wrapped_session
from tests.support.crash import differences
from tests.support.crash_cases import CASES
from tests.support.forwarding_transport import ForwardingTransport
from tests.support.inventory import read_inventory
from tests.support.outages import MORE_CASES
from tests.support.point_runner import run_cases

if TYPE_CHECKING:
    from tests.support.crash_cases import Case

#: Statuses, each with the code that Azure has for it.
STATUSES = {
    500: "InternalServerError", 502: "BadGateway", 503: "ServerBusy", 504: "GatewayTimeout", 429: "TooManyRequests",
    408: "RequestTimeout", 403: "AuthorizationFailed", 404: "ResourceNotFound", 409: "Conflict",
    412: "PreconditionFailed",
}  # fmt: skip
NOT_FOUND = 404
BODIES = ("azure", "html", "empty")
#: What only the run has that generalized a VM in place: the output of its command, and the marks on the VM.
_OF_FIRST_RUN = r"tags batchimg-(packages|deprovision)"
_HTML = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Error</h1></body></html>"
#: What a message must not have: markup, Python's words, an empty reason.
_UNCLEAR = re.compile(r"<[!/a-z]|\bNone\b|Traceback|\bobject at 0x|: *$|\(\s*\)|\n")


@dataclass
class StatusTransport(ForwardingTransport):
    """A transport that answers one request with an error."""

    at: int = 0
    status: int = 500
    body: str = "azure"
    sent: int = 0
    log: list[str] = field(default_factory=list)

    async def send(self, request: Any, **kwargs: Any) -> Any:
        self.sent += 1
        self.log.append(f"{request.method} {request.url.partition('?')[0]}")
        if self.at and self.sent == self.at:
            return _answer(request, self.status, self.body)
        return await self.inner.send(request, **kwargs)


def _answer(request: Any, status: int, body: str) -> Any:
    code = STATUSES[status]
    words = f"The request was not handled: {code}."
    error: Any = {"code": code, "message": words}
    if ".batch." in request.url:
        error = {"code": code, "message": {"lang": "en-US", "value": words}}
    content = {"azure": json.dumps({"error": error} if ".batch." not in request.url else error).encode(), "html": _HTML}
    kind: Any = EmulatorResponse if isinstance(request, HttpRequest) else EmulatorLegacyResponse
    media = {"azure": "application/json", "html": "text/html"}.get(body)
    headers = {"Content-Type": media} if media else {}
    return kind(request, HttpResponse(status, headers, content.get(body, b"")))


@dataclass(frozen=True)
class StatusPoint:
    """The request of a command that is answered with an error: its number, the status, and the kind of the body."""

    case: str
    request: int
    status: int
    body: str

    def __str__(self) -> str:
        return f"{self.case}, {self.status} ({self.body}) at request {self.request}"


def run_once(state_file: Path, case: Case, point: StatusPoint | None = None) -> tuple[StatusTransport, Any]:
    """Run a command, and return its requests and its error; None: it ended well."""
    options = {} if point is None else {"status": point.status, "body": point.body}
    with wrapped_session(partial(StatusTransport, **options), state=str(state_file), speed="max") as (session, line):
        line.sent, line.at = 0, 0 if point is None else point.request
        line.log.clear()
        try:
            case.run(session)
        except BatchImgError as error:
            return line, error
        finally:
            line.at = 0
    return line, None


@dataclass(frozen=True)
class Statuses:
    """A command that was run once without an error, in a folder, with its requests and what came of it."""

    case: Case
    folder: Path
    log: list[str]
    last: dict[str, Any]

    @classmethod
    def of(cls, case: Case, folder: Path) -> Statuses:
        """Run a command to its end."""
        start, undisturbed = folder / "start.db", folder / "undisturbed.db"
        case.build(start)
        shutil.copy(start, undisturbed)
        line, error = run_once(undisturbed, case)
        assert error is None, error
        return cls(case, folder, line.log, read_inventory(undisturbed))

    def points(self, every: int = 1) -> list[StatusPoint]:
        """Return the requests, each with each status; the kind of the body changes from one to the next."""
        found = [
            StatusPoint(self.case.name, number, status, BODIES[(number + place) % len(BODIES)])
            for number in range(1, len(self.log) + 1)
            for place, status in enumerate(STATUSES)
        ]
        return found[::every]

    def problems(self, point: StatusPoint) -> list[str]:
        """Answer a request with an error, and return what is not clear, and what differs after the same line again."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            disturbed = Path(folder) / "disturbed.db"
            shutil.copy(self.folder / "start.db", disturbed)
            _, error = run_once(disturbed, self.case, point)
            problems = [] if error is None else unclear(error)
            if error is not None or self._differences(disturbed):
                _, again = run_once(disturbed, self.case)
                if again is not None and not (self.case.deletes and isinstance(again, NotFoundError)):
                    problems.append(f"run again: {type(again).__name__}: {again} / {again.hint}")
            if point.status != NOT_FOUND and self._differences(disturbed):
                with Session() as session:
                    session.connect(state=str(disturbed), speed="max")
                    session.cleanup(delete=True, older_than="0s", yes=True)
                problems += self._differences(disturbed)
            request = self.log[point.request - 1]
            return problems and [
                *problems,
                f"{request} -> {type(error).__name__}: {error} / {getattr(error, 'hint', '')}",
            ]

    def _differences(self, disturbed: Path) -> list[str]:
        found = differences(self.last, read_inventory(disturbed))
        varies = [one for one in (self.case.varies, _OF_FIRST_RUN) if one]
        return [one for one in found if not any(re.search(pattern, one) for pattern in varies)]


def unclear(error: BatchImgError) -> list[str]:
    """Return what an error lacks for a person who reads it."""
    found = [f"not clear: {text!r}" for text in (error.message, error.hint) if _UNCLEAR.search(text)]
    return found if error.hint else [*found, "no hint"]


def main() -> int:
    """Try all points and say how many differed."""
    title, all_cases = __doc__.partition("\n")[0], (*CASES, *MORE_CASES)
    tried, differed = run_cases(title, all_cases, Statuses.of, lambda points: f"{len(points)} statuses tried")
    print(f"{tried} statuses tried, {differed} differed")  # noqa: T201 - a report
    return 1 if differed else 0


if __name__ == "__main__":
    sys.exit(main())
