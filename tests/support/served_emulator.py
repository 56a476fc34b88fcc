"""The emulator on a port, for other processes: the environment of a shell that uses it, and cached node pages."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from batchimg_magics.emulator.server import introduction
from batchimg_magics.emulator.serving.certificates import make_certificates
from batchimg_magics.emulator.serving.hosts import certificate_names, open_listener, with_host_check

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from batchimg_magics.emulator.emulator import Emulator


class CachedNodePages:
    """An ASGI app that caches the responses to GET requests for nodes.

    Parameters
    ----------
    app
        Who is asked the first time.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._known: dict[tuple[bytes, bytes], list[dict[str, Any]]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        if scope["type"] != "http" or not scope["path"].endswith("/nodes") or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        key = (scope["path"].encode(), scope["query_string"])
        if key not in self._known:
            messages: list[dict[str, Any]] = []

            async def keep(message: dict[str, Any]) -> None:
                messages.append(message)

            await self._app(scope, receive, keep)
            self._known[key] = messages
        for message in self._known[key]:
            await send(message)


@contextlib.contextmanager
def running_server(app: Any, listener: socket.socket, **tls: str) -> Iterator[None]:
    """Run a server on a thread.

    Parameters
    ----------
    app, listener
        The ASGI app, and where it listens.
    **tls
        Files with certificate and key, as uvicorn names them.
    """
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, date_header=False, **tls))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield
    server.should_exit = True
    thread.join()


@contextlib.contextmanager
def serve_emulator(local: Emulator) -> Iterator[dict[str, str]]:
    """Serve an emulator over TLS on loopback; yield the environment of a shell that uses it, with its own home."""
    with tempfile.TemporaryDirectory() as home, open_listener("127.0.0.1", 0) as listener:
        made = make_certificates(Path(home), Path(home), certificate_names(), environment={})
        url = f"https://localhost:{listener.getsockname()[1]}"
        printed = introduction(url, local, made)
        environment = dict(re.findall(r"^export (\w+)='(.*)'$", printed, flags=re.MULTILINE))
        homes = dict.fromkeys(["AZURE_CONFIG_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"], home)
        # Nothing leaves this machine.
        nowhere = {
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "localhost",
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
        }
        app = CachedNodePages(with_host_check(local.app))
        with running_server(app, listener, ssl_certfile=str(made.certificate), ssl_keyfile=str(made.key)):
            yield os.environ | environment | homes | nowhere
