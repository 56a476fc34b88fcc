"""``batchimg emulator``: the emulator on a port of this machine, for other processes and other languages.

It listens on a loopback address only, and answers only requests for loopback names and Azure's host names, so that no
web page can reach it under a name of its own. ``batchimg emulator exec`` runs one program with it. Requires the extra
``server`` (uvicorn, trustme).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import ssl
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from batchimg_magics.emulator import furnish
from batchimg_magics.emulator.arm.import_files import ImportRefusedError, Sourced, read_files
from batchimg_magics.emulator.arm.imports import read_resources
from batchimg_magics.emulator.emulator import Emulator, default_state_path, open_emulator
from batchimg_magics.emulator.http import planes, scenarios
from batchimg_magics.emulator.serving import (
    certificates,
    environment,
    hosts,
    limits,
    program,
    real_tasks,
    running,
    shells,
)
from batchimg_magics.emulator.serving.proxy import Proxy
from batchimg_magics.emulator.world.database import StateBusyError, StateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PORT = 8443
_IMPORT = "Import resources from the output of `az ... show` (JSON or YAML) in a file or directory; can be repeated"
SPEED = 60.0
_PROG = "batchimg emulator"
_OTHER_STATE = "use another emulator state: --state FILE, or --state :memory:"
EXEC = "exec"
#: Real seconds in which a running emulator has to answer.
_ANSWER_S = 5
#: The options that have no effect on an emulator that is served already.
_OF_SERVER = ("state", "speed", "scenario", "import_files", "control", "throttled", "run_tasks")


class _FailedError(Exception):
    """The emulator cannot be served; the text says why, in one line.

    Parameters
    ----------
    text
        What went wrong.
    hint
        What to do.
    """

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(f"{text}\n  -> {hint}" if hint else text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the emulator until Ctrl-C, or while a program runs.

    Parameters
    ----------
    arguments
        Options, see ``--help``; by default the arguments of the process.

    Returns
    -------
    int
        0: stopped by the user. 1: the server could not start; the reason is on standard error. With ``exec``, the exit
        status of the program.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _exec(words[1:]) if words[:1] == [EXEC] else _serve(make_parser().parse_args(words))
    except _FailedError as failure:
        sys.stderr.write(f"{_PROG}: {failure}\n")
        return 1
    except KeyboardInterrupt:  # before the server runs, or while az signs in
        return program.ENDED_BY_SIGNAL + signal.SIGINT


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the options of ``batchimg emulator``."""
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description="Serve the emulator on this machine for other clients: SDKs, the Azure CLI and npm packages. "
        f"`{_PROG} {EXEC} -- PROGRAM ...` runs one program with it: see `{_PROG} {EXEC} --help`.",
        epilog=_epilog(),
        formatter_class=_HelpFormatter,
    )
    address = hosts.LOCALHOST
    option = parser.add_argument
    option(
        "--port", help=f"Listen on this TCP port; 0 = any free port (default: {PORT})", type=hosts.port, default=PORT
    )
    where = parser.add_mutually_exclusive_group()
    words = f"Listen on this loopback address (default: {address})"
    where.add_argument("--host", help=words, type=hosts.loopback, default=address)
    # A port that Docker publishes leads to another address of the container than loopback. Who publishes it decides
    # which machines reach it, so this is an option of its own, and not a value of --host.
    words = "Listen on every address of this container; publish the port on 127.0.0.1 only"
    where.add_argument("--container", help=words, dest="host", action="store_const", const=hosts.ANY_ADDRESS)
    _add_shared_options(parser)
    option("--no-tls", help="Serve HTTP instead of HTTPS", dest="tls", action="store_false")
    shell = shells.default_shell()
    words = f"Print the variables for this shell, or as one line of JSON (default: {shell})"
    option("--shell", help=words, choices=shells.SHELLS, default=shell)
    return parser


def make_exec_parser() -> argparse.ArgumentParser:
    """Return the parser of the options of ``batchimg emulator exec``, before ``--``."""
    parser = argparse.ArgumentParser(
        prog=f"{_PROG} {EXEC}",
        usage=f"{_PROG} {EXEC} [options] -- PROGRAM [argument ...]",
        description="Run a program that uses the emulator in place of Azure: with Azure's host names, through a proxy.",
        epilog=_epilog(),
        formatter_class=_HelpFormatter,
    )
    option = parser.add_argument
    words = "Let the program reach hosts that are not Azure's (default: they are refused)"
    option("--allow-internet", help=words, action="store_true")
    option("--url", help="Use the emulator that is served at this URL (default: start one)", metavar="URL")
    _add_shared_options(parser)
    return parser


class _HelpFormatter(argparse.HelpFormatter):
    """Breaks the lines of each paragraph for itself; those of `_epilog` are its lines."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n".join(fill(line, width, indent) for line in text.splitlines())


def _epilog() -> str:
    return "\n".join(["scenarios:", *(f"{name}: {one.description}" for name, one in scenarios.SCENARIOS.items())])


def _add_shared_options(parser: argparse.ArgumentParser) -> None:
    def option(name: str, words: str, **how: Any) -> None:
        parser.add_argument(name, help=words, **how)

    same = "Use this emulator state file, or :memory: (default: that of notebooks, in the user data folder)"
    option("--state", same, metavar="FILE")
    faster = f"Set the time acceleration: {SPEED:g} (default) = one minute per second"
    option("--speed", faster, type=float, default=SPEED, metavar="X")
    keep = "Simulate a failure scenario (default: keep the current one)"
    option("--scenario", keep, choices=list(scenarios.SCENARIOS), metavar="NAME")
    option("--import", _IMPORT, dest="import_files", action="append", default=[], metavar="FILE")
    option("--run-tasks", real_tasks.HELP, action="store_true")
    option("--control", "Enable the control API under /_sim/", action="store_true")
    option("--no-throttling", "Disable request throttling (429 responses)", dest="throttled", action="store_false")
    kept = "Store the certificate authority in this directory (default: in the user data folder)"
    option("--certificates", kept, type=Path, metavar="DIRECTORY")


@contextlib.contextmanager
def _opened(asked: argparse.Namespace) -> Iterator[Emulator]:
    """Open the emulator state that the options name."""
    try:
        documents = read_files(asked.import_files)
        read_resources(documents)  # before the state is opened
        state = Path(asked.state).expanduser() if asked.state else default_state_path()
        emulator = open_emulator(
            state, speed=asked.speed, scenario=asked.scenario, control=asked.control, throttled=asked.throttled
        )
        if asked.run_tasks:
            real_tasks.start(emulator, getattr(asked, "host", hosts.LOCALHOST))
    except StateBusyError as error:
        raise _FailedError(
            f"another process has locked the emulator state {error.path}, because it runs at --speed max",
            f"close it there, or {_OTHER_STATE}",
        ) from error
    except ImportRefusedError as error:
        raise _FailedError(str(error), error.hint) from error
    except (StateError, OSError) as error:
        raise _FailedError(str(error), _OTHER_STATE) from error
    except ValueError as error:
        raise _FailedError(str(error)) from error
    try:
        _import(emulator, documents)
        yield emulator
    finally:
        emulator.close()


def _import(emulator: Emulator, documents: list[Sourced]) -> None:
    """Import documents, and tell which ones are missing."""
    if not documents:
        return
    try:
        emulator.import_documents(documents)
    except ImportRefusedError as error:
        raise _FailedError(str(error), error.hint) from error
    for one, command in emulator.not_imported().items():
        sys.stderr.write(f"{_PROG}: an imported document refers to {one}; import that document too: {command} > FILE\n")


def _certificates(asked: argparse.Namespace, folder: str, address: str) -> certificates.Certificates:
    # Absolute paths: the output is pasted into shells with another working directory.
    home = (asked.certificates or certificates.default_home()).resolve()
    try:
        return certificates.make_certificates(home, Path(folder), hosts.certificate_names(address))
    except (OSError, ValueError) as error:
        what = (error.strerror if isinstance(error, OSError) else None) or str(error)
        hint = "specify a directory that you can write to: --certificates DIRECTORY"
        raise _FailedError(f"the certificates in {home} cannot be used: {what}", hint) from error


def _need_server() -> None:
    try:
        import trustme
        import uvicorn
    except ModuleNotFoundError as error:
        raise _FailedError(f"{error.name} is not installed", "pip install 'batchimg_magics[server]'") from error
    del trustme, uvicorn


def _serve(asked: argparse.Namespace) -> int:
    _need_server()
    with _opened(asked) as emulator, tempfile.TemporaryDirectory(prefix="batchimg-") as folder:
        try:
            listener = hosts.open_listener(asked.host, asked.port)
        except OSError as error:
            hint = "use another port with --port N; --port 0 takes a free one"
            raise _FailedError(f"cannot listen on {asked.host}:{asked.port}: {error.strerror}", hint) from error
        with listener, _ending_in_order():
            made = _certificates(asked, folder, asked.host) if asked.tls else None
            token = limits.control_token(wanted=asked.control)
            server = running.make_server(emulator.app, asked.speed, made, control_token=token)
            url = f"{'https' if made else 'http'}://{hosts.url_host(asked.host)}:{listener.getsockname()[1]}"
            sys.stdout.write(introduction(url, emulator, made, asked.shell, token))
            sys.stdout.flush()
            server.run(sockets=[listener])
    return 0


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """End the block at Ctrl-C and SIGTERM, which uvicorn raises again after it has shut down."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def introduction(
    url: str, emulator: Emulator, made: certificates.Certificates | None, shell: str = "bash", token: str = ""
) -> str:
    """Return the text that directs clients to the server: environment variables, and the sign-in of the Azure CLI.

    Parameters
    ----------
    url
        Of the server.
    emulator
        The emulator.
    made
        The certificates; None for plain HTTP.
    shell
        For which shell; see `shells.SHELLS`.
    token
        That of the control API; empty without one.
    """
    variables = environment.server_variables(
        url, subscription=emulator.subscription_id, account=emulator.account, trusted=made, existing=os.environ
    )
    if token:
        variables[limits.TOKEN_VARIABLE] = token
    heading = f"The emulator ({emulator.state_path}) is at {url}; stop it with Ctrl-C. It has no real resources."
    if (name := emulator.scenario) != "calm":
        heading += f" Scenario {name}: {scenarios.SCENARIOS[name].description}."
    return shells.introduction(shell, heading, variables, urlsplit(url).hostname or "")


def _exec(words: list[str]) -> int:
    parser = make_exec_parser()
    at = words.index("--") if "--" in words else len(words)
    (asked, unknown), command = parser.parse_known_args(words[:at]), words[at + 1 :]
    if unknown:
        parser.error(f"{unknown[0]} is not an option of {EXEC}; specify the program after --")
    if not command:
        parser.error("specify the program after --")
    if asked.url and any(getattr(asked, name) != parser.get_default(name) for name in _OF_SERVER):
        parser.error("--url: the emulator is served already; specify the options of its state where it is started")
    _need_server()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="batchimg-", ignore_cleanup_errors=True))
        made = _certificates(asked, folder, hosts.LOCALHOST)
        refused = _RefusedHosts()
        token = limits.control_token(wanted=asked.control)
        proxy = stack.enter_context(_proxy(asked, made, refused, token))
        own = Path(folder) / "azure"
        own.mkdir()
        variables = environment.proxied_environment(
            proxy,
            subscription=furnish.SUBSCRIPTION,
            account=furnish.ACCOUNT,
            region=furnish.REGION,
            trusted=made,
            existing=os.environ,
        )
        if token:
            variables[limits.TOKEN_VARIABLE] = token
        variables |= program.azure_cli_folders(own, os.environ)
        if program.is_azure_cli(command[0]) and (problem := program.sign_in_azure_cli(command[0], variables)):
            raise _FailedError(f"az could not sign in to the emulator: {problem}")
        refused.is_running = True
        return program.run_program(command, variables)


class _RefusedHosts:
    """Reports each refused host once, on standard error, while the program of the user runs."""

    def __init__(self) -> None:
        self._reported: set[str] = set()
        self.is_running = False

    def __call__(self, host: str, line: str) -> None:
        if self.is_running and host not in self._reported:
            self._reported.add(host)
            sys.stderr.write(f"{_PROG} {EXEC}: {line}\n")
            sys.stderr.flush()


@contextlib.contextmanager
def _proxy(
    asked: argparse.Namespace, made: certificates.Certificates, refused: _RefusedHosts, token: str
) -> Iterator[str]:
    """Run the proxy for a running server, or with a server of its own; yield the proxy's URL."""
    allowed = asked.allow_internet
    if asked.url:
        trust = ssl.create_default_context(cafile=made.authority)
        address = _address(asked.url)
        _need_answer(asked.url, address, trust, made.authority)
        proxy = Proxy(address, trust, allow_internet=allowed, report=refused)
        with running.run_proxy(proxy) as url:
            yield url
        return
    with (
        _opened(asked) as emulator,
        running.run_server(
            emulator.app, asked.speed, made, control_token=token, allow_internet=allowed, report=refused
        ) as started,
    ):
        yield started.proxy


def _address(url: str) -> tuple[str, int]:
    """Return the address and the port of a running server."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        host, port = "", 0
    if not url.lower().startswith("https://") or not planes.is_local(host):
        raise _FailedError(
            f"--url {url} is not an https URL of this machine", "specify the https URL that `batchimg emulator` prints"
        )
    return (hosts.LOCALHOST if host == "localhost" else host), port


def _need_answer(url: str, address: tuple[str, int], trust: ssl.SSLContext, authority: Path) -> None:
    """Refuse a URL at which no emulator answers: the program would only see that the proxy fails."""
    try:
        with (
            socket.create_connection(address, timeout=_ANSWER_S) as connection,
            trust.wrap_socket(connection, server_hostname="localhost"),
        ):
            return
    except ssl.SSLCertVerificationError as error:
        raise _FailedError(
            f"--url {url}: {authority} has not signed its certificate",
            "specify the directory of the certificates with which it was started: --certificates DIRECTORY",
        ) from error
    except OSError as error:
        raise _FailedError(
            f"--url {url}: no emulator answers there: {error.strerror or error}",
            f"start one in another terminal: {_PROG}",
        ) from error
