"""Fifty clients of one server for a minute: errors, how long answers take, and whether the server grows."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from batchimg_magics.emulator import furnish
from tests.bench.emulator_work import ACCOUNT, DATA_PLANE, GROUP, MACHINE
from tests.bench.rows import NotMeasuredError, Row
from tests.bench.servers import FORM, emulator_server, token_request

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS, SECONDS = 50, 60.0
#: The caches are full, and every kind of request was sent many times.
WARM_S = 15.0
#: What a minute may add to the memory of the server, in MiB.
GROWTH_GOAL_MIB = 5.0
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"
SNAPSHOT_VERSION, VM_VERSION = "api-version=2024-03-02", "api-version=2024-07-01"


def rows() -> Iterator[Row]:
    """Start a server, and let the clients work."""
    with (
        tempfile.TemporaryDirectory() as folder,
        emulator_server(Path(sys.executable), "--state", Path(folder) / "state.db") as (port, pid),
    ):
        result = asyncio.run(_work(port, pid))
    name = f"emulator: {CLIENTS} clients for {SECONDS:.0f} s"
    yield Row(f"{name}: requests", "/s", len(result.seconds) / SECONDS, note=f"{len(result.seconds):,} requests")
    for percent in (50, 99):
        yield Row(f"{name}: p{percent} of an answer", "ms", 1000 * float(np.percentile(result.seconds, percent)))
    errors = len(result.errors)
    yield Row(f"{name}: errors", "", errors, goal="0", met=not errors, note="; ".join(sorted(result.errors)[:3]))
    yield Row(
        f"{name}: growth of the server",
        "MiB",
        result.growth_mib,
        goal=f"<= {GROWTH_GOAL_MIB:g} MiB",
        met=result.growth_mib <= GROWTH_GOAL_MIB,
        note=f"resident memory after {SECONDS:.0f} s, less that after {WARM_S:.0f} s",
    )


@dataclass(slots=True)
class _Result:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)
    errors: set[str] = field(default_factory=set)
    growth_mib: float = 0.0


async def _work(port: int, pid: int) -> _Result:
    result = _Result()
    bearers = {
        one: await _token(port, one) for one in ("https://management.azure.com", "https://batch.core.windows.net/")
    }
    arm, batch = bearers.values()
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(_Client(port, arm, batch, result, number).work())
        await asyncio.sleep(WARM_S)
        begin = _resident_mib(pid)
        await asyncio.sleep(SECONDS - WARM_S)
        result.growth_mib = _resident_mib(pid) - begin
    return result


def _resident_mib(pid: int) -> float:
    """Return the resident memory of a process.

    Raises
    ------
    NotMeasuredError
        The system does not tell it in Linux's way.
    """
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        raise NotMeasuredError("the memory of another process is read from /proc")
    line = next(one for one in status.read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def _token(port: int, audience: str) -> str:
    path, content = token_request(audience)
    connection = await _Connection.open(port)
    status, body = await connection.ask("POST", path, content, f"Content-Type: {FORM}")
    await connection.close()
    assert status == 200, body
    return f"Authorization: Bearer {json.loads(body)['access_token']}"


class _Connection:
    """A connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> _Connection:
        """Connect to a port of this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, method: str, path: str, content: bytes, *headers: str) -> tuple[int, bytes]:
        """Return the status and the body of an answer."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(content)}", *headers, "", ""]
        self._writer.write("\r\n".join(lines).encode() + content)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        _, length, rest = head.partition(b"content-length:")
        return status, await self._reader.readexactly(int(rest.split(b"\r\n")[0])) if length else b""

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


class _Client:
    """One client, with a pool and a snapshot of its own.

    Parameters
    ----------
    port
        Of the server.
    arm, batch
        Its authorization for the two planes, as header lines.
    result
        Where it writes what it saw.
    number
        Tells it from the others.
    """

    def __init__(self, port: int, arm: str, batch: str, result: _Result, number: int) -> None:
        self._port, self._arm, self._batch, self._result = port, arm, batch, result
        self._pool, self._snapshot = f"pool{number}", f"{COMPUTE}/snapshots/snapshot{number}?{SNAPSHOT_VERSION}"

    async def work(self) -> None:
        """Make what it needs, then ask again and again until the time is over."""
        until = time.perf_counter() + SECONDS
        connection = await _Connection.open(self._port)
        asked = itertools.chain(self._first(), itertools.cycle(self._again()))
        while (began := time.perf_counter()) < until:
            method, path, body, plane = next(asked)
            content = b"" if body is None else json.dumps(body).encode()
            kind = "Content-Type: application/json" + ("; odata=minimalmetadata" if plane is self._batch else "")
            status, answer = await connection.ask(method, path, content, plane, kind)
            self._result.seconds.append(time.perf_counter() - began)
            if status >= 300:
                self._result.errors.add(f"{method} {path}: {status} {answer[:200]!r}")
        await connection.close()

    def _first(self) -> Iterator[tuple[str, str, Any, str]]:
        source = {"createOption": "Copy", "sourceResourceId": f"{COMPUTE}/disks/prep-vm_OsDisk_1"}
        snapshot = {"location": furnish.REGION, "properties": {"creationData": source}}
        pool = {"id": self._pool, "vmSize": "Standard_D2s_v5", "virtualMachineConfiguration": MACHINE}
        yield "PUT", self._snapshot, snapshot, self._arm
        yield "POST", f"/{furnish.ACCOUNT}/pools?{DATA_PLANE}", pool | {"targetDedicatedNodes": 2}, self._batch

    def _again(self) -> list[tuple[str, str, Any, str]]:
        pools = f"/{furnish.ACCOUNT}/pools"
        return [
            ("GET", f"{pools}/{self._pool}?{DATA_PLANE}", None, self._batch),
            ("GET", f"{pools}/{self._pool}/nodes?{DATA_PLANE}", None, self._batch),
            ("GET", f"{COMPUTE}/virtualMachines/prep-vm?{VM_VERSION}", None, self._arm),
            ("GET", self._snapshot, None, self._arm),
            ("PATCH", f"{pools}/{self._pool}?{DATA_PLANE}", {"metadata": [{"name": "a", "value": "b"}]}, self._batch),
            ("GET", f"{ACCOUNT}?{DATA_PLANE}", None, self._arm),
            ("GET", f"/{furnish.ACCOUNT}/nodecounts?{DATA_PLANE}", None, self._batch),
        ]
