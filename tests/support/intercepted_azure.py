"""Azure's own hosts behind a proxy on loopback: a CONNECT proxy that leads each of them to an emulator over TLS.

So requests to Azure need the proxy and the certificate authority of the environment, as in a company's network.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trustme

from batchimg_magics.emulator.furnish import ACCOUNT, REGION
from batchimg_magics.emulator.http import planes
from batchimg_magics.emulator.serving.hosts import open_listener
from tests.support.served_emulator import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchimg_magics.emulator.emulator import Emulator

BATCH_HOST = f"{ACCOUNT}.{REGION}{planes.BATCH_SUFFIX}"
HOSTS = (planes.ARM_HOST, planes.LOGIN_HOST, planes.PRICES_HOST, BATCH_HOST)


@dataclass
class InterceptedAzure:
    """A running proxy.

    Parameters
    ----------
    url
        Of the proxy.
    authority
        File with the certificate authority that the hosts' certificates are of.
    connected
        The hosts that clients asked the proxy for.
    """

    url: str
    authority: Path
    connected: list[str] = field(default_factory=list)


@contextlib.contextmanager
def intercept_azure(local: Emulator, folder: Path) -> Iterator[InterceptedAzure]:
    """Serve an emulator under Azure's hosts, reached through a proxy only."""
    signer = trustme.CA(organization_name="a network of its own")
    authority, certificate = folder / "authority.pem", folder / "server.pem"
    signer.cert_pem.write_to_path(authority)
    signer.issue_cert(*HOSTS).private_key_and_cert_chain_pem.write_to_path(certificate)
    with (
        open_listener("127.0.0.1", 0) as listener,
        running_server(local.app, listener, ssl_certfile=str(certificate)),
        _Proxy(listener.getsockname()[1]) as proxy,
    ):
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield InterceptedAzure(f"http://127.0.0.1:{proxy.server_address[1]}", authority, proxy.connected)
        proxy.shutdown()


class _Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = port
        self.connected: list[str] = []


class _Handler(socketserver.StreamRequestHandler):
    server: _Proxy

    def handle(self) -> None:
        """Answer CONNECT, and pass on what is sent on the two connections."""
        method, target, *_ = self.rfile.readline().decode("latin-1").split()
        while self.rfile.readline().strip():
            pass
        assert method == "CONNECT"
        self.server.connected.append(target.rpartition(":")[0])
        with socket.create_connection(("127.0.0.1", self.server.port)) as upstream:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pass_on, args=(upstream, self.connection), daemon=True)
            back.start()
            _pass_on(self.connection, upstream)
            back.join()


def _pass_on(source: Any, target: Any) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
