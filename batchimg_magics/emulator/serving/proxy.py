"""A proxy on loopback, through which programs reach the emulator by Azure's own host names.

Programs send ``CONNECT management.azure.com:443``; the proxy connects them with the server, where TLS ends. Plain HTTP
is for the instance metadata service only. Other hosts are refused, unless the user allows the internet: a test must not
reach real resources by mistake.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from batchimg_magics.emulator.http import planes
from batchimg_magics.emulator.serving.hosts import is_azure

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

#: Larger request heads are refused.
HEAD_LIMIT_BYTES = 64 * 1024
_CHUNK_BYTES = 64 * 1024
_CHUNKS_TO_DISCARD = 32
#: The headers that concern the connection with the proxy only. Source: RFC 9110, 7.6.1.
_CONNECTION_HEADERS = frozenset({"connection", "keep-alive", "proxy-authorization", "proxy-connection", "host"})
_AUTHORITY = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
#: Resource Manager, sign-in and Batch of Microsoft's other clouds: never reached, as the emulator stands for Azure.
#: Source: the cloud metadata in azure-cli-core.
_OTHER_CLOUDS = (
    ".usgovcloudapi.net", ".chinacloudapi.cn", ".microsoftonline.us", ".partner.microsoftonline.cn",
    ".microsoftonline.com", ".management.core.windows.net",
)  # fmt: skip


class _Target(msgspec.Struct, frozen=True):
    """Where a connection goes: host, port, and the settings of TLS if the proxy itself speaks TLS there."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class _RefusedError(Exception):
    """A request is refused, with this status and this line."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class Proxy:
    """Connects programs with the server.

    Parameters
    ----------
    server
        The address and the port of the server.
    trust
        The settings of TLS with which the proxy itself connects to the server.
    allow_internet
        Whether hosts that are not Azure's are connected.
    report
        Called with each refused host, and a line about it.
    """

    def __init__(
        self,
        server: tuple[str, int],
        trust: ssl.SSLContext,
        *,
        allow_internet: bool = False,
        report: Callable[[str, str], None] | None = None,
    ) -> None:
        self._server = server
        self._trust = trust
        self._allow_internet = allow_internet
        self._report = report

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection of a program."""
        try:
            # The other side has gone; or the proxy ends: before Python 3.12, asyncio reports that as an error.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._connect(reader, writer)
        finally:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *headers = head.rstrip("\r\n").split("\r\n")
            target, forwarded = self._route(line, headers)
            up_reader, up_writer = await _open(target)
        except asyncio.LimitOverrunError:
            await _refuse(writer, 431, "The head of the request is too large.")
            writer.write_eof()
            for _ in range(_CHUNKS_TO_DISCARD):  # closed with unread data, a connection loses its answer
                if not await reader.read(_CHUNK_BYTES):
                    break
            return
        except _RefusedError as refused:
            await _refuse(writer, refused.status, str(refused))
            return
        try:
            if forwarded is None:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await writer.drain()
            else:
                up_writer.write(forwarded)
            await _exchange((reader, writer), (up_reader, up_writer), until_answered=forwarded is not None)
        finally:
            up_writer.close()

    def _route(self, line: str, headers: list[str]) -> tuple[_Target, bytes | None]:
        """Return the target of a request, and what to send there; None: the program sends it itself."""
        method, _, rest = line.partition(" ")
        asked, _, version = rest.rpartition(" ")
        if not version.startswith("HTTP/1."):
            raise _RefusedError(400, "This is a proxy for HTTP/1.1.")
        if method == "CONNECT":
            found = _AUTHORITY.fullmatch(asked)
            if found is None:
                raise _RefusedError(400, "CONNECT needs a host and a port.")
            return self._tunnel(*_host_and_port(found)), None
        try:
            url = urlsplit(asked)
        except ValueError as error:  # an address in brackets that is none
            raise _RefusedError(400, "The URL cannot be read.") from error
        found = _AUTHORITY.fullmatch(url.netloc if ":" in url.netloc.rpartition("]")[2] else f"{url.netloc}:80")
        if url.scheme.lower() != "http" or found is None:
            raise _RefusedError(400, "This is a proxy: it takes CONNECT, and the full URLs of plain HTTP.")
        target = self._plain(*_host_and_port(found))
        kept = [one for one in headers if one.partition(":")[0].strip().lower() not in _CONNECTION_HEADERS]
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        # One request on a connection: the next one of the program may be for another host.
        lines = [f"{method} {path} {version}", f"Host: {url.netloc}", *kept, "Connection: close", "", ""]
        return target, "\r\n".join(lines).encode("latin-1")

    def _tunnel(self, host: str, port: int) -> _Target:
        if (is_azure(host) and port == 443) or (planes.is_local(host) and port == self._server[1]):
            return _Target(*self._server)
        if host == planes.IDENTITY_HOST and port == 80:
            return _Target(*self._server, self._trust)
        return self._outside(host, port)

    def _plain(self, host: str, port: int) -> _Target:
        if host == planes.IDENTITY_HOST and port == 80:
            return _Target(*self._server, self._trust)
        return self._outside(host, port)

    def _outside(self, host: str, port: int) -> _Target:
        """Return a host that is not the emulator's, if the user allows it."""
        if is_azure(host):
            raise self._refused(host, f"{host}:{port} is not served: Azure answers on port 443 with TLS only")
        if planes.is_local(host) or host == planes.IDENTITY_HOST:
            raise self._refused(host, f"{host}:{port} is not served: programs reach this machine without the proxy")
        if host.endswith(_OTHER_CLOUDS):
            raise self._refused(host, f"{host} is not served: the emulator stands for Azure's public cloud")
        if not self._allow_internet:
            raise self._refused(host, f"{host} is not served by the emulator; --allow-internet allows other hosts")
        return _Target(host, port)

    def _refused(self, host: str, line: str) -> _RefusedError:
        if self._report is not None:
            self._report(host, line)
        return _RefusedError(403, line)


def _host_and_port(found: re.Match[str]) -> tuple[str, int]:
    port = int(found["port"])
    if not 0 < port <= 65_535:
        raise _RefusedError(400, f"{port} is not a port.")
    return (found["v6"] or found["host"]).lower().rstrip("."), port


async def _open(target: _Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        name = "localhost" if target.tls else None
        return await asyncio.open_connection(target.host, target.port, ssl=target.tls, server_hostname=name)
    except (OSError, UnicodeError) as error:  # a label of the name may be too long
        reason = (error.strerror if isinstance(error, OSError) else None) or "it has no address"
        raise _RefusedError(502, f"{target.host} cannot be reached: {reason}") from error


async def _refuse(writer: asyncio.StreamWriter, status: int, line: str) -> None:
    """Refuse a request. Many programs show only the reason phrase of a refused CONNECT, so the line is in both."""
    body = f"{line}\n".encode("latin-1", "replace")
    head = f"HTTP/1.1 {status} {line}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close"
    writer.write(head.encode("latin-1", "replace") + b"\r\n\r\n" + body)
    await writer.drain()


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _exchange(program: _Streams, target: _Streams, *, until_answered: bool) -> None:
    """Copy what each side sends to the other one.

    Parameters
    ----------
    program, target
        The two sides.
    until_answered
        Whether the program may end its side before it has the answer. In a tunnel it may not: TLS has no such state,
        and the server would wait for the rest of its farewell.
    """
    sending = asyncio.create_task(_copy(program[0], target[1]))
    answering = asyncio.create_task(_copy(target[0], program[1]))
    try:
        await asyncio.wait([answering] if until_answered else [sending, answering], return_when="FIRST_COMPLETED")
    finally:
        sending.cancel()
        answering.cancel()
        await asyncio.gather(sending, answering, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
