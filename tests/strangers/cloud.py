"""The emulator for programs that nobody here wrote: they run as they are, in environments of their own below ``build``.

``batchimg emulator exec`` gives them their environment. Nothing else of theirs is changed, and its proxy is their only
way out, so that they reach nothing but this machine.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCHIMG = Path(sys.executable).with_name("batchimg")
#: Where `make test-strangers` installs the programs, each in a folder of its own.
ENVIRONMENTS = ROOT / "build" / "strangers"
#: So fast that whatever a program begins is over before it asks again.
INSTANT_SPEED = 100_000.0
#: The group, the region and the Batch account of a new world.
GROUP, REGION, ACCOUNT = "research", "eastus", "genomicsbatch"
#: The program that holds the emulator open: it writes down its environment, and waits until its input ends.
_HOLDER = 'env -0 > "$0" && exec cat'
_TIMEOUT_S = 600.0
_ARM, _BATCH = "https://management.azure.com", "https://batch.core.windows.net/"


class RefusedError(Exception):
    """The emulator has refused a request; the message is its answer."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """A served emulator, as the environment of the programs that work with it."""

    environment: dict[str, str]

    @property
    def subscription(self) -> str:
        """The subscription id."""
        return self.environment["AZURE_SUBSCRIPTION_ID"]

    @property
    def group(self) -> str:
        """The resource id of the group of a new world."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{GROUP}"

    def run(self, *words: str | Path, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program, with further variables in its environment."""
        return subprocess.run(
            words,
            env=self.environment | variables,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )

    def output(self, *words: str | Path, cwd: Path | None = None, **variables: str) -> str:
        """Return what a program prints that has to succeed."""
        done = self.run(*words, cwd=cwd, **variables)
        assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def request(self, method: str, path: str, body: Any = None, *, version: str = "2024-07-01") -> Any:
        """Send a request to Resource Manager, as somebody else who looks, and return the document."""
        return self._send(method, f"{self.environment['AZURE_RESOURCE_MANAGER']}{path}", _ARM, body, version)

    def batch(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to Azure Batch, and return the document."""
        return self._send(method, f"{self.environment['AZURE_BATCH_ENDPOINT']}{path}", _BATCH, body, "2024-07-01.20.0")

    def import_resource(self, path: str, region: str) -> None:
        """Put a resource of a service that the emulator has not got into the world, as if it had been there before."""
        parts = path.split("/")
        kind = "/".join((parts[6], *parts[7:-1:2]))
        document = {"id": path, "name": parts[-1], "type": kind, "location": region, "properties": {}}
        self.request("POST", "/_sim/import", {"resources": [document]})

    def _send(self, method: str, url: str, audience: str, body: Any, version: str) -> Any:
        names = self.environment
        login = {"grant_type": "client_credentials", "scope": f"{audience}/.default"}
        login |= {"client_id": names["AZURE_CLIENT_ID"], "client_secret": names["AZURE_CLIENT_SECRET"]}
        sign_in = f"{names['AZURE_AUTHORITY_HOST']}/{names['AZURE_TENANT_ID']}/oauth2/v2.0/token"
        trusted = ssl.create_default_context(cafile=names["REQUESTS_CA_BUNDLE"])
        with httpx.Client(proxy=names["HTTPS_PROXY"], verify=trusted, trust_env=False, timeout=60) as client:
            headers = {"Authorization": f"Bearer {client.post(sign_in, data=login).json()['access_token']}"}
            headers["X-Control-Token"] = names["BATCHIMG_CONTROL_TOKEN"]
            if audience == _BATCH:
                headers["Content-Type"] = "application/json; odata=minimalmetadata"
            answer = client.request(method, url, params={"api-version": version}, headers=headers, json=body)
        if not answer.is_success:
            raise RefusedError(answer.text)
        return answer.json() if answer.content else None

    def names(self, kind: str, *, version: str = "2024-07-01") -> list[str]:
        """Return the names of the resources of a kind in the group."""
        rows = self.request("GET", f"{self.group}/providers/{kind}", version=version)["value"]
        return sorted(row["name"] for row in rows)


def environment_folder(program: str) -> Path:
    """Return the environment of a program, which has to be there."""
    folder = ENVIRONMENTS / program
    if not (folder / ".ready").exists():
        pytest.fail(f"the environment of {program} is not there: run `make test-strangers`")
    return folder


@contextlib.contextmanager
def serve_cloud(
    home: Path, *, state: str | Path = ":memory:", speed: float = INSTANT_SPEED, nodes_path: str = ""
) -> Iterator[Cloud]:
    """Serve a new emulator, and return the environment that `batchimg emulator exec` gives its program.

    Tasks really run if `nodes_path` is given: the folders with the programs of the image of the nodes.
    """
    written = home / "environment"
    serve = [
        BATCHIMG,
        "emulator",
        "exec",
        "--control",
        "--state",
        state,
        "--speed",
        f"{speed:g}",
        "--certificates",
        home / "tls",
        *(["--run-tasks"] if nodes_path else []),
    ]
    quiet = _quiet_environment(home)
    quiet |= {"PATH": nodes_path} if nodes_path else {}
    words = [*serve, "--", "/bin/sh", "-c", _HOLDER, written]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=quiet) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            holder.stdin.write(b"ready\n")  # `cat` sends it back as soon as the environment is written
            holder.stdin.flush()
            assert holder.stdout.readline() == b"ready\n", "batchimg emulator exec has not started its program"
            pairs = written.read_text(encoding="utf-8").split("\0")
            yield Cloud(dict(pair.split("=", 1) for pair in pairs if pair))
        finally:
            holder.stdin.close()
        assert holder.wait(30) == 0


def _quiet_environment(home: Path) -> dict[str, str]:
    """Return the environment of a person whose home is new, and who has not signed in to anything."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR")}
    return {**kept, "HOME": str(home), "PYTHONWARNINGS": "ignore", "DO_NOT_TRACK": "1"}
