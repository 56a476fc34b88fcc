"""The Azure CLI against ``batchimg emulator``: what it prints is pasted into a shell; then one process per command."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCHIMG = Path(sys.executable).with_name("batchimg")
#: So fast that whatever a command begins is over before the next one asks.
INSTANT_SPEED = 100_000.0
#: So slow that nothing ever ends unless the test moves time.
STOPPED_SPEED = 0.001
#: What goes anywhere but to this machine finds nobody there.
_NO_PROXY_ENVIRONMENT = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "localhost",
}
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class CliError:
    """What a command that failed says: its exit code and its error output."""

    exit_code: int
    stderr: str


@dataclass(frozen=True, slots=True)
class AzureCli:
    """A served emulator, and a shell that is signed in to it."""

    environment: dict[str, str]

    def run(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program from that shell."""
        return subprocess.run(
            words, env=self.environment, cwd=cwd, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )

    def az(self, *words: str) -> Any:
        """Return what a command prints, None where it prints nothing."""
        done = self.run("az", *words, "--output", "json")
        assert done.returncode == 0, f"az {' '.join(words)}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def table(self, *words: str) -> list[str]:
        """Return the lines of the table that a command prints for people."""
        done = self.run("az", *words, "--output", "table")
        assert done.returncode == 0, done.stderr
        return [line.rstrip() for line in done.stdout.splitlines()]

    def refused(self, *words: str) -> CliError:
        """Return what a command says that is refused."""
        done = self.run("az", *words)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        return CliError(done.returncode, done.stderr)

    def advance(self, seconds: float) -> None:
        """Advance the simulated time."""
        url = f"{self.environment['AZURE_RESOURCE_MANAGER']}/_sim/advance"
        ca = self.environment["SSL_CERT_FILE"]
        with httpx.Client(verify=ssl.create_default_context(cafile=ca), trust_env=False) as client:
            token = {"X-Control-Token": self.environment["BATCHIMG_CONTROL_TOKEN"]}
            client.post(url, json={"seconds": seconds}, headers=token).raise_for_status()


@contextlib.contextmanager
def serve_emulator(home: Path, speed: float) -> Iterator[AzureCli]:
    """Serve a new emulator at a speed, run what the server prints, and return the shell."""
    options = [
        "--port",
        "0",
        "--state",
        ":memory:",
        "--speed",
        str(speed),
        "--control",
        "--certificates",
        str(home / "tls"),
    ]
    with subprocess.Popen([BATCHIMG, "emulator", *options], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            printed = []
            for line in server.stdout:
                printed.append(line)
                if line.startswith("az "):
                    break
            yield AzureCli(shell_environment("".join(printed), home))
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0


def shell_environment(printed: str, home: Path) -> dict[str, str]:
    """Return the environment of a shell that stands elsewhere and has run these lines."""
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    quiet = {"AZURE_CORE_COLLECT_TELEMETRY": "false", "TMPDIR": str(elsewhere), "PYTHONWARNINGS": ""}
    lines = f"{printed}\nexec env -0 > environment"
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", lines],
        cwd=elsewhere,
        env=os.environ | _NO_PROXY_ENVIRONMENT | quiet,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    environment = (elsewhere / "environment").read_text(encoding="utf-8")
    return dict(pair.split("=", 1) for pair in environment.split("\0") if pair)
