"""How fast the emulator answers: this version, and the one before its speed was worked on, side by side.

Both do the same work in processes of their own, in turns. What goes straight into the app is timed as CPU time there.
What goes over HTTP is timed here: one client that sends the same request again and again to `batchimg emulator`.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.emulator_work import GROUP, NODES_EACH, POOLS, SMALL
from tests.bench.peers import BUILD, environment
from tests.bench.rows import NotMeasuredError, Row, times
from tests.bench.servers import FORM, emulator_server, token_request

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The last commit before.
BEFORE = "9b82e0853c8cc8430938b1cf4b13c9c776b4ce32"
WORK = Path(__file__).with_name("emulator_work.py")
#: The work, what it is called, how often it is done in a run, the runs, and the goal.
STRAIGHT = (
    ("small", "three small GETs straight into the app", 300, 9, 1.5),
    ("count", f"{POOLS * NODES_EACH:,} nodes counted", 3, 5, None),
    ("nodes", f"{POOLS * NODES_EACH:,} nodes listed", 1, 3, None),
)
REQUESTS, HTTP_RUNS, HTTP_GOAL = 1000, 9, 1.8


def rows() -> Iterator[Row]:
    """Measure both versions."""
    pythons = {"ours": Path(sys.executable), "peer": _before()}
    with contextlib.ExitStack() as stack:
        workers = {name: stack.enter_context(_Worker(python)) for name, python in pythons.items()}
        for work, name, count, runs, goal in STRAIGHT:
            took: dict[str, list[float]] = {one: [] for one in workers}
            for _ in range(runs):
                for one, worker in workers.items():
                    took[one].append(worker.time(work, count) / count)
            yield _row(name, "ms", took, goal, scale=1000)
    with contextlib.ExitStack() as stack:
        clients = {name: stack.enter_context(_served(python)) for name, python in pythons.items()}
        took = {one: [] for one in clients}
        for _ in range(HTTP_RUNS):
            for one, client in clients.items():
                took[one].append(client.time(REQUESTS) / REQUESTS)
        yield _row("a small GET over HTTP", "ms", took, HTTP_GOAL, scale=1000)


def _row(name: str, unit: str, took: dict[str, list[float]], goal: float | None, scale: float) -> Row:
    ratio = times(took["peer"], took["ours"])
    return Row(
        f"emulator: {name}",
        unit,
        *(scale * median(took[one]) for one in ("ours", "peer")),
        ratio=ratio,
        goal="" if goal is None else f">= {goal:g}x the peer",
        met=None if goal is None else ratio >= goal,
        note=f"peer: the emulator at {BEFORE[:7]}",
    )


def _before() -> Path:
    """Return the Python of an environment that has the package as it was before."""
    tree = BUILD / "bench" / "before-source"
    try:
        if not tree.exists():
            packed = tree.with_suffix(".zip")
            packed.parent.mkdir(parents=True, exist_ok=True)
            command = ["git", "archive", "--format=zip", f"--output={packed}", BEFORE]
            subprocess.run(command, check=True, capture_output=True, text=True)
            shutil.unpack_archive(packed, tree)
    except (subprocess.CalledProcessError, OSError) as error:
        raise NotMeasuredError(f"the commit {BEFORE[:7]} is not in this repository: {error}") from error
    return environment(BUILD / "bench" / "before", f"{tree}[server]") / "python"


class _Worker(contextlib.AbstractContextManager["_Worker"]):
    """A process that does the work of `emulator_work`.

    Parameters
    ----------
    python
        The interpreter of an environment with one version of the package.
    """

    def __init__(self, python: Path) -> None:
        # Isolated, so that it does not import the package of this folder.
        command = [python, "-I", WORK.absolute()]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise NotMeasuredError("the worker ended")
        return line

    def time(self, work: str, count: int) -> float:
        """Return the seconds of CPU time of some work."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{work} {count}\n")
        self._process.stdin.flush()
        return float(self._line())

    def __exit__(self, *_: object) -> None:
        with self._process as process:
            process.terminate()


class _Client:
    """A client that waits for each answer of a server, on one connection, and reads no more of it than it has to."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        path, content = token_request("https://management.azure.com")
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + content)
        token = json.loads(self._answer())["access_token"]
        path = SMALL[0].partition("azure.com")[2]
        assert GROUP in path
        self._request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    def _answer(self) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._socket.recv(65_536)
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += self._socket.recv(65_536)
        return body

    def time(self, count: int) -> float:
        """Return the seconds of some requests."""
        began = time.perf_counter()
        for _ in range(count):
            self._socket.sendall(self._request)
            self._answer()
        return time.perf_counter() - began

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


@contextlib.contextmanager
def _served(python: Path) -> Iterator[_Client]:
    """Start the server of a version, and yield a client of it."""
    with emulator_server(python, "--state", ":memory:") as (port, _), contextlib.closing(_Client(port)) as client:
        client.time(100)
        yield client
