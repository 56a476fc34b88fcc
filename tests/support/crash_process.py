"""Processes that die: at a request, after its response, or at a write to a local file.

A process is forked for each run, and dies by `os._exit`: no ``finally`` runs, no file and no loop is closed. Before, it
writes a report: where it died, and at which time of the service.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import sys
import traceback
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.connections import emulator_of, wrapped_session
from tests.support.forwarding_transport import ForwardingTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.session.session import Session

#: The exit status of a shell for a process that was killed.
KILLED = 137
#: Requests that change nothing, if Azure keeps its word.
READS = ("GET", "HEAD")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Event:
    """What a process does that somebody else can see.

    Parameters
    ----------
    kind
        ``request``, or ``write`` for a write to a local file.
    text
        Method and URL of the request; what is written.
    now
        The service's time before it, in seconds since 1970.
    answered
        The service's time of the response; None: it was not received.
    changes
        Whether the service's state was another one after the request.
    """

    kind: str
    text: str
    now: float
    answered: float | None = None
    changes: bool = False


@dataclass
class Recorder:
    """Records the events of a process, and ends it at one of them.

    Parameters
    ----------
    at
        The number of the event, from 1; 0: none.
    mode
        ``before`` a request, ``lost``: when the service has handled it, ``after``: when its response was received and
        the code that waited for it waits again, ``write``: in the middle of a write to a local file.
    report
        The file with the report.
    folder
        The writes to files in this folder are events.
    counts
        Tells the requests and writes that are events.
    """

    at: int = 0
    mode: str = ""
    report: Path = Path(os.devnull)
    folder: str = os.devnull
    counts: Callable[[str], bool] = bool
    events: list[Event] = field(default_factory=list)
    session: Session | None = None

    def now(self) -> float:
        """Return the service's time."""
        return 0.0 if self.session is None else emulator_of(self.session).clock.now()

    def begin(self, kind: str, text: str) -> int:
        """Record an event before it happens, and return its number; 0: it is none."""
        if self.session is None or not self.counts(text):
            return 0
        self.events.append(Event(kind, text, self.now()))
        return len(self.events)

    def die_if(self, number: int, mode: str) -> None:
        """End the process if this is where it has to die."""
        if number and (number, mode) == (self.at, self.mode):
            self.session, now = None, self.now()  # nothing is recorded any more
            text = self.events[number - 1].text
            self.report.write_text(json.dumps({"number": number, "mode": mode, "text": text, "now": now}))
            os._exit(KILLED)

    def answered(self, number: int, *, changes: bool) -> None:
        """Record that the service has handled a request."""
        if number:
            event = self.events[number - 1]
            self.events[number - 1] = Event(event.kind, event.text, event.now, self.now(), changes)

    def write(self, text: str) -> None:
        """Record a write to a local file, and die in the middle of it if that is where the process dies."""
        self.die_if(self.begin("write", text), "write")

    # -- local files ---------------------------------------------------------------------------------------------

    def watch_files(self) -> None:
        """Record writes to files from now on, as long as the process lives."""
        connect = sqlite3.connect

        def watched_connect(database: Any, *args: Any, **options: Any) -> sqlite3.Connection:
            opened = connect(database, *args, **options)
            if self._is_local(database):
                opened.set_trace_callback(partial(self._on_statement, Path(database).name, []))
            return opened

        def hook(event: str, args: tuple[Any, ...]) -> None:
            if self.session is None:
                return
            if event == "open":
                self._on_open(*args)
            elif event in ("os.rename", "os.remove", "os.link"):
                path = os.fspath(args[1 if event != "os.remove" else 0])
                if self._is_local(path):
                    self.write(f"{event} {_stable(Path(path).name)}")

        sqlite3.connect = watched_connect
        sys.addaudithook(hook)

    def _is_local(self, path: object) -> bool:
        """Tell whether a file is one of the process, and not the state of the emulator, which is the service's."""
        if not isinstance(path, (str, os.PathLike)):
            return False
        file = Path.cwd() / path
        return file.is_relative_to(self.folder) and not file.name.startswith("world.db")

    def _on_open(self, path: object, mode: object, flags: int) -> None:
        if not flags & _WRITING or not self._is_local(path) or not isinstance(path, (str, os.PathLike)):
            return
        number = self.begin("write", f"open {_stable(Path(path).name)}")
        if (number, "write") == (self.at, self.mode):
            # The process is killed when the file is open, and before anything is in it.
            session, self.session = self.session, None
            os.close(os.open(path, flags & ~os.O_EXCL if mode is None else flags, 0o600))
            self.session = session
        self.die_if(number, "write")

    def _on_statement(self, name: str, created: list[str], statement: str) -> None:
        """Record the end of a transaction, and the layout of the file when half of it is made."""
        if statement.startswith("COMMIT"):
            self.write(f"commit to {name}")
        elif statement.lstrip().startswith("CREATE"):
            created.append(statement)
            if len(created) == 2:  # neither the first nor the last
                self.write(f"layout of {name}")


def _stable(name: str) -> str:
    """Return the name of a file without the random part of a temporary one."""
    return re.sub(r"[0-9a-f]{8,}", "*", name)


@dataclass
class RecordingTransport(ForwardingTransport):
    """A transport that records the requests, and ends the process at one of them."""

    recorder: Recorder = field(default_factory=Recorder)

    async def send(self, request: Any, **kwargs: Any) -> Any:
        recorder = self.recorder
        number = recorder.begin("request", f"{request.method} {request.url.partition('?')[0]}")
        recorder.die_if(number, "before")
        before = None if recorder.at else self._state()
        answer = await self.inner.send(request, **kwargs)
        recorder.answered(number, changes=before is not None and before != self._state())
        recorder.die_if(number, "lost")
        if (number, "after") == (recorder.at, recorder.mode):
            # Called when the code that waits for this response has handled it, and waits again.
            asyncio.get_running_loop().call_soon(recorder.die_if, number, "after")
        return answer

    def _state(self) -> object:
        """Return all resources of the service, without the time."""
        session = self.recorder.session
        return None if session is None else emulator_of(session).store.all_items()


def run_forked(target: Callable[..., object], *args: object) -> int:
    """Run a function in a forked process, and return its exit status; 1 if it raised an error, which is printed."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            target(*args)
            status = 0
        except BaseException:  # noqa: BLE001 - the end of the process
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def run_recorded(folder: Path, act: Callable[[Session], object], recorder: Recorder) -> None:
    """Run a command on the state in a folder, to its end or to the death of this process."""
    enter_folder(folder)
    recorder.folder = str(folder)
    recorder.watch_files()
    wrap = partial(RecordingTransport, recorder=recorder)
    with wrapped_session(wrap, state=str(folder / "world.db"), speed="max") as (session, _):
        recorder.session = session
        act(session)
        recorder.session = None
    (folder.parent / "events.json").write_text(json.dumps([asdict(event) for event in recorder.events]))


def enter_folder(folder: Path) -> None:
    """Keep the files of this process in a folder: it is the working directory and the home."""
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        os.environ[name] = str(folder / "home")
    os.chdir(folder)
