"""``batchimg emulator``: the emulator on a port of this machine, for other processes and other languages.

It listens on a loopback address only, and answers only requests for loopback names and Azure's host names, so that no
web page can reach it under a name of its own. Requires the extra ``server`` (uvicorn, trustme).
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
#: The client id of the service principal. Credentials are not checked, but sign-in libraries require an id of this
#: form.
_CLIENT = "b1d4c7a0-5e26-4f83-9a17-c0de10ca1a2e"
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
#: Not all of azure.com: anybody can register a name below cloudapp.azure.com.
_SERVED_HOSTS = _LOCAL_NAMES | {planes.ARM_HOST, planes.LOGIN_HOST, planes.PRICES_HOST}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the emulator until Ctrl-C.

    Parameters
    ----------
    arguments
        Options, see ``--help``; by default the arguments of the process.

    Returns
    -------
    int
        0: stopped by the user. 1: the server could not start; the reason is on standard error.
    """
    asked = _parser().parse_args(arguments)
    try:
        emulator = open_emulator(
            asked.state, speed=asked.speed, scenario=asked.scenario, control=asked.control, throttled=asked.throttled
        )
    except (StateBusyError, StateLayoutError, ValueError) as error:
        return _failed(str(error))
    try:
        return _serve(emulator, asked)
    finally:
        emulator.close()


def _failed(reason: str) -> int:
    sys.stderr.write(f"batchimg emulator: {reason}\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="batchimg emulator",
        description="Serve the emulator on this machine for other clients: SDKs, the Azure CLI and npm packages.",
        epilog="scenarios: " + "; ".join(f"{name}: {one.description}" for name, one in scenarios.SCENARIOS.items()),
    )

    def option(name: str, words: str, **how: Any) -> None:
        parser.add_argument(name, help=words, **how)

    option("--port", f"Listen on this TCP port; 0 = any free port (default: {PORT})", type=int, default=PORT)
    address = "127.0.0.1"
    option("--host", f"Listen on this loopback address (default: {address})", type=loopback, default=address)
    option("--state", "Use this emulator state file (default: in memory)", default=":memory:", metavar="FILE")
    faster = f"Set the time acceleration: {SPEED:g} (default) = one minute per second"
    option("--speed", faster, type=float, default=SPEED, metavar="X")
    keep = "Simulate a failure scenario (default: keep the current one)"
    option("--scenario", keep, choices=list(scenarios.SCENARIOS), metavar="NAME")
    option("--control", "Enable the control API under /_sim/", action="store_true")
    option("--no-throttling", "Disable request throttling (429 responses)", dest="throttled", action="store_false")
    option("--no-tls", "Serve HTTP instead of HTTPS", dest="tls", action="store_false")
    kept = "Store the certificates in this directory (default: in the user data folder)"
    option("--certificates", kept, type=Path, metavar="DIRECTORY")
    return parser


def loopback(host: str) -> str:
    """Return the address of a host, if it is a loopback address.

    Raises
    ------
    argparse.ArgumentTypeError
        It is not. The emulator gives a token to every caller, so it must not be reachable for other machines.
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise argparse.ArgumentTypeError(f"{host} is not a loopback address")
    return str(address)


def _serve(emulator: Emulator, asked: argparse.Namespace) -> int:
    try:
        import uvicorn
    except ModuleNotFoundError:
        return _failed("uvicorn is not installed: pip install 'batchimg_magics[server]'")
    try:
        listener = open_listener(asked.host, asked.port)
    except OSError as error:
        return _failed(f"cannot listen on {asked.host}:{asked.port}: {error.strerror}")
    # Absolute paths: the output is pasted into shells with another working directory.
    secured = certificates((asked.certificates or _certificates_home()).resolve()) if asked.tls else {}
    config = uvicorn.Config(
        with_host_check(with_real_retry_after(emulator.app, asked.speed)),
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,  # every response has the simulated date
        ssl_certfile=secured.get("certificate"),
        ssl_keyfile=secured.get("key"),
    )
    name = f"[{asked.host}]" if ":" in asked.host else "localhost" if asked.host == "127.0.0.1" else asked.host
    url = f"{'https' if secured else 'http'}://{name}:{listener.getsockname()[1]}"
    sys.stdout.write(introduction(url, emulator, secured.get("authority")))
    sys.stdout.flush()
    with (
        listener,
        contextlib.suppress(KeyboardInterrupt),
    ):  # uvicorn shuts down in order, and then raises the interrupt again
        uvicorn.Server(config).run(sockets=[listener])
    return 0


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


def _certificates_home() -> Path:
    from platformdirs import user_data_path

    return Path(user_data_path("batchimg")) / "tls"


def certificates(home: Path) -> dict[str, str]:
    """Return the files of the server's certificate, its key, and the certificate authority for clients.

    The authority is created once and kept, so that clients that trust it continue to do so. Only its user can read its
    key.
    """
    import trustme

    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority_key, authority = home / "authority.key", home / "authority.pem"
    if authority_key.exists() and authority.exists():
        signer = trustme.CA.from_pem(authority.read_bytes(), authority_key.read_bytes())
    else:
        signer = trustme.CA(organization_name="batchimg emulator")
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
    """Return an app that answers 421 to requests for other hosts than this machine's and Azure's."""

    async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_served(scope):
            headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 421, "headers": headers})
            await send({"type": "http.response.body", "body": b"The emulator does not serve this host.\n"})
            return
        await app(scope, receive, send)

    return answer


def with_real_retry_after(app: AsgiApp, speed: float) -> AsgiApp:
    """Return an app whose Retry-After headers are in real seconds instead of simulated ones.

    Simulated time is `speed` times as fast. The smallest value is 1 s: clients treat 0 as no value, and then choose
    their own interval (azure-core: 30 s).
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


def introduction(url: str, emulator: Emulator, authority: str | None) -> str:
    """Return the environment variables and the `az` command lines that direct clients to the server.

    Parameters
    ----------
    url
        Of the server.
    emulator
        The emulator.
    authority
        File of the certificate authority to trust; None for plain HTTP.
    """
    trusted = {name: authority for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS") if authority}
    environment = {
        "AZURE_AUTHORITY_HOST": url,
        "AZURE_TENANT_ID": tokens.TENANT,
        "AZURE_CLIENT_ID": _CLIENT,
        "AZURE_CLIENT_SECRET": "anything",
        "AZURE_SUBSCRIPTION_ID": emulator.subscription_id,
        "AZURE_RESOURCE_MANAGER": url,
        "AZURE_BATCH_ACCOUNT": emulator.account,
        "AZURE_BATCH_ENDPOINT": f"{url}/{emulator.account}",
        "ARM_CLOUD_METADATA_URL": f"{url}/metadata/endpoints?api-version=2019-05-01",  # the form that `az` reads
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        **trusted,
    }
    lines = [f"export {name}={_quoted(value)}" for name, value in environment.items()]
    sign_in = "az login --service-principal -u $AZURE_CLIENT_ID -p $AZURE_CLIENT_SECRET --tenant $AZURE_TENANT_ID"
    text = [
        f"# The emulator ({emulator.state_path}) is at {url}; stop it with Ctrl-C. It has no real resources.",
        *lines,
        "# The Azure CLI, with a separate configuration directory:",
        "export AZURE_CONFIG_DIR=$(mktemp -d)",
        f"az cloud set --name {CLOUD} && {sign_in}",
    ]
    return "\n".join(text) + "\n"


def _quoted(text: str) -> str:
    """Quote a text as one word for a shell."""
    return "'" + text.replace("'", "'\\''") + "'"


#: Name of the cloud in ``/metadata/endpoints``.
CLOUD = "BatchimgLocal"
