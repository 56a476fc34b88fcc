"""Run a program with an environment: with the terminal, the signals and the exit status of this process."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

#: The exit statuses of shells for a program that cannot be started, that is not there, and (added to the number) that a
#: signal has ended.
NOT_EXECUTABLE, NOT_FOUND, ENDED_BY_SIGNAL = 126, 127, 128
#: Signals for the program that are sent to this process.
_PASSED_ON = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGBREAK")
#: The signals that a terminal sends to every process in its foreground: the program has received them already.
_FROM_TERMINAL = ("SIGINT", "SIGQUIT", "SIGBREAK")


def run_program(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program until it ends, and return its exit status.

    Parameters
    ----------
    words
        The program and its arguments.
    environment
        Of the program.
    """
    path = shutil.which(words[0], path=environment.get("PATH"))
    if path is None:
        sys.stderr.write(f"batchimg emulator exec: {words[0]} is not a program\n")
        return NOT_FOUND
    running: list[subprocess.Popen[bytes]] = []
    with _passing_signals_on(running):
        try:
            running.append(_start(path, words, environment))
        except OSError as error:
            sys.stderr.write(f"batchimg emulator exec: {words[0]} cannot be started: {error.strerror}\n")
            return NOT_EXECUTABLE
        status = running[0].wait()
    return ENDED_BY_SIGNAL - status if status < 0 else status


def _start(path: str, words: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a program. It sees its name as the user wrote it, but Windows finds a batch file only by its path."""
    line = [path, *words[1:]] if os.name == "nt" else list(words)
    return subprocess.Popen(line, executable=None if os.name == "nt" else path, env=dict(environment))  # noqa: S603


def is_azure_cli(word: str) -> bool:
    """Tell whether a program is the Azure CLI."""
    return PurePath(word.replace("\\", "/")).name.lower() in ("az", "az.cmd", "az.bat", "az.exe")


def azure_cli_folders(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that give the Azure CLI its own configuration; it keeps the extensions of the user."""
    own = Path(environment.get("AZURE_CONFIG_DIR") or Path.home() / ".azure") / "cliextensions"
    extensions = {"AZURE_EXTENSION_DIR": str(own)} if own.is_dir() else {}
    return {"AZURE_CONFIG_DIR": str(folder)} | ({} if "AZURE_EXTENSION_DIR" in environment else extensions)


def sign_in_azure_cli(word: str, environment: Mapping[str, str]) -> str | None:
    """Sign in the Azure CLI with its own command, and return what went wrong, None if nothing did."""
    path = shutil.which(word, path=environment.get("PATH"))
    if path is None:
        return None
    words = {"-u": "AZURE_CLIENT_ID", "-p": "AZURE_CLIENT_SECRET", "--tenant": "AZURE_TENANT_ID"}
    options = [part for name, variable in words.items() for part in (name, environment[variable])]
    with subprocess.Popen(  # noqa: S603 - the user's program
        [path, "login", "--service-principal", *options, "--output", "none"],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as signing_in:
        try:
            _, problem = signing_in.communicate()
        except KeyboardInterrupt:
            signing_in.kill()
            signing_in.wait()
            raise
    return None if signing_in.returncode == 0 else problem.strip()


@contextlib.contextmanager
def _passing_signals_on(running: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Send the signals of this process to the program, while the block runs."""
    doubled = {getattr(signal, name) for name in _FROM_TERMINAL if hasattr(signal, name)}

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if not running:
            raise SystemExit(ENDED_BY_SIGNAL + number)
        if not (number in doubled and _is_in_foreground()):
            running[0].send_signal(number)

    numbers = [getattr(signal, name) for name in _PASSED_ON if hasattr(signal, name)]
    # A signal that is ignored, as nohup does, is ignored by the program, too.
    passed = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, pass_on) for number in passed}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_in_foreground() -> bool:
    """Tell whether this process is in the foreground of a terminal, which sends its signals to the program, too."""
    if os.name == "nt":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
