"""The server and the proxy on a thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
import threading
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.serving.hosts import LOCALHOST, open_listener, with_host_check
from batchimg_magics.emulator.serving.limits import MAX_CONNECTIONS, bounded_protocol, with_limits
from batchimg_magics.emulator.serving.proxy import HEAD_LIMIT_BYTES, Proxy

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    import uvicorn

    from batchimg_magics.emulator.serving.certificates import Certificates
    from batchimg_magics.emulator.serving.hosts import AsgiApp, Receive, Send

#: Real seconds for which the server keeps an unused connection: longer than clients do. If it ended first, a request
#: that a client sends at that moment would be lost.
_KEEP_ALIVE_S = 240
#: Real seconds for connections to end by themselves.
_END_S = 2.0


class Running(msgspec.Struct, frozen=True):
    """A running server and its proxy.

    Parameters
    ----------
    url
        Of the server.
    proxy
        URL of the proxy.
    """

    url: str
    proxy: str


def with_real_retry_after(app: AsgiApp, speed: float) -> AsgiApp:
    """Return an app whose Retry-After headers are in real seconds instead of simulated ones.

    Simulated time is `speed` times as fast. The smallest value is 1 s: clients treat 0 as no value, and then choose
    their own interval (azure-core: 30 s).
    """

    def outside(name: bytes, value: bytes) -> tuple[bytes, bytes]:
        return name, b"%d" % max(1, math.ceil(int(value) / speed)) if name == b"retry-after" else value

    async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        async def send_on(message: dict[str, Any]) -> None:
            if any(name == b"retry-after" for name, _ in message.get("headers", ())):
                message["headers"] = [outside(*header) for header in message["headers"]]
            await send(message)

        await app(scope, receive, send_on)

    return answer


def make_server(app: AsgiApp, speed: float, made: Certificates | None, *, control_token: str = "") -> uvicorn.Server:
    """Return the server of an app; it serves plain HTTP without certificates.

    Parameters
    ----------
    app, speed, made
        As `run_server` takes them.
    control_token
        What the control API wants; empty: nothing.
    """
    import uvicorn

    config = uvicorn.Config(
        with_host_check(with_limits(with_real_retry_after(app, speed), control_token)),
        http=bounded_protocol(),
        limit_concurrency=MAX_CONNECTIONS,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,  # every response has the simulated date
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_S,
        ssl_certfile=made.certificate if made else None,
        ssl_keyfile=made.key if made else None,
    )
    return uvicorn.Server(config)


@contextlib.contextmanager
def run_server(
    app: AsgiApp,
    speed: float,
    made: Certificates,
    *,
    control_token: str = "",
    allow_internet: bool = False,
    report: Callable[[str, str], None] | None = None,
) -> Iterator[Running]:
    """Run the server and its proxy, each on a free port, while the block runs.

    Parameters
    ----------
    app, speed
        The app, and simulated seconds in a real second.
    made
        The certificates of the server.
    control_token
        As `make_server` takes it.
    allow_internet, report
        As `Proxy` takes them.
    """
    server = make_server(app, speed, made, control_token=control_token)
    with open_listener(LOCALHOST, 0) as listener:
        address = (LOCALHOST, listener.getsockname()[1])
        trust = ssl.create_default_context(cafile=made.authority)
        proxy = Proxy(address, trust, allow_internet=allow_internet, report=report)
        with _thread(proxy, server, listener) as proxy_url:
            yield Running(f"https://localhost:{address[1]}", proxy_url)


@contextlib.contextmanager
def run_proxy(proxy: Proxy) -> Iterator[str]:
    """Run a proxy for a server of another process on a free port, while the block runs; yield its URL."""
    with _thread(proxy) as url:
        yield url


@contextlib.contextmanager
def _thread(proxy: Proxy, server: uvicorn.Server | None = None, listener: socket.socket | None = None) -> Iterator[str]:
    """Run a proxy, and a server if there is one. Both sockets listen already, so no client comes too early."""
    with open_listener(LOCALHOST, 0) as proxy_listener, asyncio.Runner(loop_factory=_new_loop) as runner:
        loop, ended = runner.get_loop(), asyncio.Event()

        async def serve() -> None:
            door = await asyncio.start_server(proxy.answer, sock=proxy_listener, limit=HEAD_LIMIT_BYTES)
            await (server.serve(sockets=[listener]) if server and listener else ended.wait())
            door.close()

        thread = threading.Thread(target=runner.run, args=[serve()], daemon=True)
        thread.start()
        try:
            yield f"http://{LOCALHOST}:{proxy_listener.getsockname()[1]}"
        finally:
            if server is not None:
                server.should_exit = True
            loop.call_soon_threadsafe(ended.set)
            thread.join(_END_S)
            if server is not None:
                server.force_exit = True  # a client does not go: nobody waits for it
            thread.join()


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's loop if it is installed, like uvicorn."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
