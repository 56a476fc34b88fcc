"""``batchimg sim``: the local Azure on a port of this machine, for clients that are no Python, or not in this process.

It listens on loopback only and answers only to names of loopback and of Azure's own hosts, so that no web page can
reach it under a name of its own. Needs the extra ``server`` (uvicorn, trustme).
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import math
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.emulator import Emulator, open_emulator
from batchimg_magics.emulator.http import planes, scenarios, tokens
from batchimg_magics.emulator.world.store import StateBusyError, StateLayoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]
    AsgiApp = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

PORT = 8443
SPEED = 60.0
#: Who signs in. Nobody is checked, and the sign-in libraries want to see something shaped like this.
_CLIENT = "b1d4c7a0-5e26-4f83-9a17-c0de10ca1a2e"
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
#: Not all of azure.com: anybody can have a name below cloudapp.azure.com.
_SERVED_HOSTS = _LOCAL_NAMES | {planes.ARM_HOST, planes.LOGIN_HOST, planes.PRICES_HOST}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a world until Ctrl-C.

    Parameters
    ----------
    words
        Options, see ``--help``; by default the process's arguments.

    Returns
    -------
    int
        0: it was stopped. 1: it could not begin; the reason is on the error output.
    """
    asked = _parser().parse_args(arguments)
    try:
        local = open_emulator(
            asked.world, speed=asked.speed, scenario=asked.scenario, control=asked.control, throttled=asked.throttled
        )
    except (StateBusyError, StateLayoutError, ValueError) as error:
        return _failed(str(error))
    try:
        return _serve(local, asked)
    finally:
        local.close()


def _failed(reason: str) -> int:
    sys.stderr.write(f"batchimg sim: {reason}\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="batchimg sim",
        description="Serve the local Azure on this machine, for the SDKs, Azure's command line and npm's clients.",
        epilog="scenarios: " + "; ".join(f"{name}: {one.description}" for name, one in scenarios.SCENARIOS.items()),
    )
    parser.add_argument("--port", type=int, default=PORT, help="0 for any that is free (default: %(default)s)")
    parser.add_argument("--host", type=loopback, default="127.0.0.1", help="an address of loopback")
    parser.add_argument("--world", default=":memory:", metavar="FILE", help="its file (default: in memory)")
    parser.add_argument("--speed", type=float, default=SPEED, help="simulated seconds a second (default: %(default)s)")
    parser.add_argument("--scenario", choices=list(scenarios.SCENARIOS), metavar="NAME", help="what goes wrong")
    parser.add_argument("--control", action="store_true", help="offer the routes under /_sim/ too")
    parser.add_argument("--no-throttling", dest="throttled", action="store_false", help="never answer 429 for haste")
    parser.add_argument("--no-tls", dest="tls", action="store_false", help="speak plain HTTP")
    parser.add_argument("--certificates", type=Path, metavar="DIRECTORY", help="where they are kept between runs")
    return parser


def loopback(host: str) -> str:
    """Return the address of a host, if it is one of loopback.

    Raises
    ------
    argparse.ArgumentTypeError
        It is not: the local Azure gives a token to whoever asks, and is nothing for others to reach.
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise argparse.ArgumentTypeError(f"{host} is not an address of loopback, and only there it is served")
    return str(address)


def _serve(local: Emulator, asked: argparse.Namespace) -> int:
    try:
        import uvicorn
    except ModuleNotFoundError:
        return _failed("it needs uvicorn: pip install 'batchimg_magics[server]'")
    try:
        listener = open_listener(asked.host, asked.port)
    except OSError as error:
        return _failed(f"cannot listen on {asked.host}:{asked.port}: {error.strerror}")
    # In full: what is printed is pasted into shells that stand somewhere else.
    secured = certificates((asked.certificates or _certificates_home()).resolve()) if asked.tls else {}
    config = uvicorn.Config(
        with_host_check(with_real_retry_after(local.app, asked.speed)),
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,  # the world's date is in every answer
        ssl_certfile=secured.get("certificate"),
        ssl_keyfile=secured.get("key"),
    )
    name = f"[{asked.host}]" if ":" in asked.host else "localhost" if asked.host == "127.0.0.1" else asked.host
    url = f"{'https' if secured else 'http'}://{name}:{listener.getsockname()[1]}"
    sys.stdout.write(introduction(url, local, secured.get("authority")))
    sys.stdout.flush()
    with listener, contextlib.suppress(KeyboardInterrupt):  # uvicorn ends in order, and then says why it did
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Its protocol is named, because only then asyncio sends small writes at once: an answer is two of them, and each
    would wait 40 ms for the client's delayed acknowledgement.
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


def _certificates_home() -> Path:
    from platformdirs import user_data_path

    return Path(user_data_path("batchimg")) / "tls"


def certificates(home: Path) -> dict[str, str]:
    """Return the files of the server's certificate, its key, and the authority that clients are to trust.

    The authority is made once and kept, so that what was told to trust it goes on doing so; its key is readable by
    its user alone.
    """
    import trustme

    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority_key, authority = home / "authority.key", home / "authority.pem"
    if authority_key.exists() and authority.exists():
        signer = trustme.CA.from_pem(authority.read_bytes(), authority_key.read_bytes())
    else:
        signer = trustme.CA(organization_name="batchimg local Azure")
        _write_secret(authority_key, signer.private_key_pem.bytes())
        authority.write_bytes(signer.cert_pem.bytes())
    own = signer.issue_cert(*sorted(_LOCAL_NAMES))
    _write_secret(home / "server.key", own.private_key_pem.bytes())
    (home / "server.pem").write_bytes(b"".join(part.bytes() for part in own.cert_chain_pems))
    return {
        "certificate": str(home / "server.pem"),
        "key": str(home / "server.key"),
        "authority": str(authority),
    }


def _write_secret(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def with_host_check(app: AsgiApp) -> AsgiApp:
    """Return an app that answers 421 to requests for hosts that are neither this machine's nor Azure's."""

    async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_served(scope):
            headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 421, "headers": headers})
            await send({"type": "http.response.body", "body": b"The local Azure does not answer to that host.\n"})
            return
        await app(scope, receive, send)

    return answer


def with_real_retry_after(app: AsgiApp, speed: float) -> AsgiApp:
    """Return an app whose Retry-After is in seconds of its clients, and no longer of the world.

    The world's time goes `speed` times as fast as theirs. Never below 1 s: clients take 0 for no word at all, and then
    wait as long as they see fit (azure-core: 30 s).
    """

    def outside(name: bytes, value: bytes) -> tuple[bytes, bytes]:
        return name, b"%d" % max(1, math.ceil(int(value) / speed)) if name == b"retry-after" else value

    async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        async def send_on(message: dict[str, Any]) -> None:
            if "headers" in message:
                message["headers"] = [outside(*header) for header in message["headers"]]
            await send(message)

        await app(scope, receive, send_on)

    return answer


def _is_served(scope: dict[str, Any]) -> bool:
    named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(named) != 1:
        return False
    host = named[0].rpartition("]")[0].lstrip("[") or named[0].partition(":")[0]
    return host.lower() in _SERVED_HOSTS or host.lower().endswith((planes.BATCH_SUFFIX, f".{planes.ARM_HOST}"))


def introduction(url: str, local: Emulator, authority: str | None) -> str:
    """Return what points clients at the server: environment for the SDKs and npm's clients, lines for ``az``.

    Parameters
    ----------
    url
        Of the server.
    local
        What it serves.
    authority
        File of the certificate authority to trust; None for plain HTTP.
    """
    trusted = {name: authority for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS") if authority}
    environment = {
        "AZURE_AUTHORITY_HOST": url,
        "AZURE_TENANT_ID": tokens.TENANT,
        "AZURE_CLIENT_ID": _CLIENT,
        "AZURE_CLIENT_SECRET": "anything",
        "AZURE_SUBSCRIPTION_ID": local.subscription_id,
        "AZURE_RESOURCE_MANAGER": url,
        "AZURE_BATCH_ACCOUNT": local.account,
        "AZURE_BATCH_ENDPOINT": f"{url}/{local.account}",
        "ARM_CLOUD_METADATA_URL": f"{url}/metadata/endpoints?api-version=2022-09-01",
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        **trusted,
    }
    lines = [f"export {name}={_quoted(value)}" for name, value in environment.items()]
    sign_in = "az login --service-principal -u $AZURE_CLIENT_ID -p $AZURE_CLIENT_SECRET --tenant $AZURE_TENANT_ID"
    text = [
        f"# The local Azure ({local.state_path}) is at {url}; Ctrl-C stops it. Nothing here is real.",
        *lines,
        "# Azure's command line, with a configuration of its own:",
        "export AZURE_CONFIG_DIR=$(mktemp -d)",
        f"az cloud set --name {CLOUD} && {sign_in}",
    ]
    return "\n".join(text) + "\n"


def _quoted(text: str) -> str:
    """Write a text as shells take it for one word, whatever is in it."""
    return "'" + text.replace("'", "'\\''") + "'"


#: What the cloud is called in ``/metadata/endpoints``.
CLOUD = "BatchimgLocal"
