"""What the server accepts: sizes, times and connections are bounded, and the control API wants its token."""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.serving.hosts import AsgiApp, Receive, Send

__all__ = ["MAX_CONNECTIONS", "TOKEN_HEADER", "TOKEN_VARIABLE", "bounded_protocol", "control_token", "with_limits"]

#: The variable with the token of the control API: never an argument, which other users see in the list of processes.
TOKEN_VARIABLE = "BATCHIMG_CONTROL_TOKEN"  # noqa: S105 - a name
#: Bytes of a body: documents of Azure have 4 MiB at most, whole states of the control API more; and of the headers.
MAX_BODY_BYTES, MAX_CONTROL_BODY_BYTES, MAX_HEAD_BYTES = 16 * 2**20, 256 * 2**20, 64 * 2**10
#: Real seconds in which the head of a request, the next part of its body, and the reading of an answer are due.
HEAD_S, BODY_S, READ_S = 20.0, 20.0, 60.0
MAX_CONNECTIONS = 2_000
_CONTROL_PATH = "/_sim"
#: A header of its own: beside an Authorization header that clients add, and not in what a web page can send unasked.
TOKEN_HEADER = b"x-control-token"
_NEEDS_TOKEN = f"The control API needs the header X-Control-Token with the value of {TOKEN_VARIABLE}.\n".encode()


def control_token(*, wanted: bool) -> str:
    """Return the token of the control API, which the environment can give; empty without that API."""
    if not wanted:
        return ""
    return os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(32)


def with_limits(app: AsgiApp, control_token: str = "", *, body_s: float = BODY_S) -> AsgiApp:
    """Return an app whose requests are bounded before they are read.

    Parameters
    ----------
    app
        The app.
    control_token
        What requests to the control API have in `TOKEN_HEADER`; empty: none is needed.
    body_s
        Real seconds for the next part of a body.
    """

    async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        headers = dict(scope["headers"])
        is_control = scope["path"].lower().startswith(_CONTROL_PATH)
        if is_control and control_token and not _has_token(headers, control_token):
            await _refuse(send, 401, _NEEDS_TOKEN)
            return
        most = MAX_CONTROL_BODY_BYTES if is_control else MAX_BODY_BYTES
        try:
            chunks = await _read(headers, receive, most, body_s)
        except TimeoutError:
            await _refuse(send, 408, b"The request was not sent in time.\n")
            return
        if chunks is None:
            await _refuse(send, 413, b"The body of the request is too large.\n")
            return
        left = [{"type": "http.request", "body": b"".join(chunks), "more_body": False}]

        async def receive_read() -> dict[str, Any]:
            return left.pop() if left else await receive()

        await app(scope, receive_read, send)

    return answer


def _has_token(headers: dict[bytes, bytes], token: str) -> bool:
    return hmac.compare_digest(headers.get(TOKEN_HEADER, b""), token.encode())


async def _read(headers: dict[bytes, bytes], receive: Receive, most: int, body_s: float) -> list[bytes] | None:
    """Return the body in parts; None if it is too large, where possible before it is read."""
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > len(str(most)) or int(length) > most:
        return None
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await asyncio.wait_for(receive(), body_s)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            return None
        if not message.get("more_body"):
            return chunks


async def _refuse(send: Send, status: int, line: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": line})


def bounded_protocol(head_s: float = HEAD_S, read_s: float = READ_S) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with limits of the head of each request, and of the time to read an answer.

    Parameters
    ----------
    head_s
        Real seconds from the first byte of a request, or of a connection, to the end of its headers.
    read_s
        Real seconds in which a client reads what was sent. Then the connection is aborted: one that is closed would
        keep the answer in memory until it is read.
    """
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    base: Any = AutoHTTPProtocol

    class BoundedProtocol(base):  # type: ignore[misc] # chosen when it runs
        """Closes connections whose requests do not begin, or whose answers are not read."""

        _head_bytes = 0

        def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - as the base class has it
            super().connection_made(transport)
            self._head_due, self._reading_due = _Deadline(self.loop), _Deadline(self.loop)
            self._head_due.start(head_s, transport.close)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._head_bytes = 0
                self._head_due.stop()
                return
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.transport.close()
            else:
                self._head_due.start(head_s, self.transport.close)

        def connection_lost(self, exc: Exception | None) -> None:
            self._head_due.stop()
            self._reading_due.stop()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._reading_due.start(read_s, self.transport.abort)

        def resume_writing(self) -> None:
            self._reading_due.stop()
            super().resume_writing()

    return BoundedProtocol


class _Deadline:
    """Calls something after some real seconds, unless it is stopped before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: asyncio.TimerHandle | None = None

    def start(self, seconds: float, call: Callable[[], object]) -> None:
        """Begin, unless it has begun."""
        if self._due is None:
            self._due = self._loop.call_later(seconds, call)

    def stop(self) -> None:
        """Call nothing."""
        if self._due is not None:
            self._due.cancel()
        self._due = None
