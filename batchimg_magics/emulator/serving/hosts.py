"""The hosts that the server answers for: loopback addresses, and Azure's host names.

No web page can reach the server: not under a name of its own, because the server checks the Host header, and not under
the name of the server, because it checks the Origin header. Browsers send it with every request that changes something.
"""

from __future__ import annotations

import argparse
import functools
import ipaddress
import socket
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.catalog.regions import DISPLAY_NAMES
from batchimg_magics.emulator.http import planes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]
    AsgiApp = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

LOCALHOST = "127.0.0.1"
_LAST_PORT = 65_535
#: Not all of azure.com: anybody can register a name below cloudapp.azure.com.
_AZURE_HOSTS = frozenset({planes.ARM_HOST, planes.PRICES_HOST, planes.BATCH_AUDIENCE_HOST, *planes.LOGIN_HOSTS})
_AZURE_SUFFIXES = (planes.BATCH_SUFFIX, f".{planes.ARM_HOST}")


def loopback(host: str) -> str:
    """Return the address of a host, if it is a loopback address.

    Raises
    ------
    argparse.ArgumentTypeError
        It is not. The emulator gives a token to every caller, so it must not be reachable for other machines.
    """
    address = LOCALHOST if host == "localhost" else host
    if not planes.is_local(address):
        raise argparse.ArgumentTypeError(f"{host} is not a loopback address")
    return str(ipaddress.ip_address(address))


def port(text: str) -> int:
    """Return the number of a TCP port.

    Raises
    ------
    argparse.ArgumentTypeError
        It is not one.
    """
    if not (text.isascii() and text.isdigit() and int(text) <= _LAST_PORT):
        raise argparse.ArgumentTypeError(f"{text} is not a port: expected a number from 0 to {_LAST_PORT}")
    return int(text)


def url_host(address: str) -> str:
    """Return the host of the server's URL for the address on which it listens."""
    if address in (LOCALHOST, ANY_ADDRESS):
        return "localhost"
    return f"[{address}]" if ":" in address else address


#: All addresses of the machine. In a container this is the only way to be reachable from outside of it.
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - only with the option for containers, whose ports are published on loopback


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Its protocol is set explicitly, because only then asyncio sends small writes at once. A response is two writes, and
    each would wait 40 ms for the client's delayed acknowledgement.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def certificate_names(address: str = LOCALHOST) -> list[str]:
    """Return the names of the server's certificate: of this machine, the address of the server, and Azure's names.

    A wildcard stands for one label, so each region has its own for the Batch accounts in it.
    """
    local = {"localhost", LOCALHOST, "::1"} | ({address} - {ANY_ADDRESS})
    regional = [f"*.{region}{planes.BATCH_SUFFIX}" for region in DISPLAY_NAMES]
    return [*sorted(local), *sorted(_AZURE_HOSTS), f"*.{planes.ARM_HOST}", *regional]


@functools.lru_cache(maxsize=1024)
def is_azure(host: str) -> bool:
    """Tell whether the emulator stands for a host of Azure."""
    low = host.lower().rstrip(".")
    return low in _AZURE_HOSTS or low.endswith(_AZURE_SUFFIXES)


def with_host_check(app: AsgiApp) -> AsgiApp:
    """Return an app that answers 421 to requests for other hosts than this machine's and Azure's, 403 to web pages."""

    async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        refused = _refusal(scope) if scope["type"] == "http" else None
        if refused is None:
            await app(scope, receive, send)
            return
        status, line = refused
        headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": line})

    return answer


def _refusal(scope: dict[str, Any]) -> tuple[int, bytes] | None:
    """Return the status and the text with which a request is refused; None: it is served."""
    named = [value for name, value in scope["headers"] if name == b"host"]
    if len(named) != 1 or not _is_served_name(named[0]):
        return 421, b"The emulator does not serve this host.\n"
    pages = [value for name, value in scope["headers"] if name == b"origin"]
    if not all(_is_served_name(page.partition(b"://")[2]) for page in pages):
        return 403, b"The emulator does not answer web pages of other hosts.\n"
    return None


@functools.lru_cache(maxsize=1024)
def _is_served_name(named: bytes) -> bool:
    text = named.decode("latin-1")
    host = text.rpartition("]")[0].lstrip("[") or text.partition(":")[0]
    return planes.is_local(host.lower()) or host == planes.IDENTITY_HOST or is_azure(host)
