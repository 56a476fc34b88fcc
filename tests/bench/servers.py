"""A thousand machines made and listed over HTTP: the emulator's server, and moto's.

Both are asked by the same bare client, so that what is timed is the servers.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from batchimg_magics.emulator import furnish
from batchimg_magics.emulator.http import tokens
from tests.bench.peers import BUILD, environment
from tests.bench.rows import Row, alternating, times
from tests.support.batch_emulator import ACCOUNT_ID, MACHINE

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT, GOAL, RUNS = 1000, 10.0, 3
#: The content type of a form.
FORM = "application/x-www-form-urlencoded"
#: An image that moto has from the start.
IMAGE = "ami-12c6146b"
#: One for each run, so that each lists its own.
TYPES = ("t2.micro", "t2.small", "t2.medium", "t2.large")
SIGNED = "AWS4-HMAC-SHA256 Credential=me/20260701/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=none"


def rows() -> Iterator[Row]:
    """Make and list 1,000 on each server."""
    moto = environment(BUILD / "bench" / "moto", "moto[ec2,server]") / "moto_server"
    emulator = emulator_server(Path(sys.executable), "--state", ":memory:", "--control")
    with emulator as (ours, _), _moto_server(moto) as theirs:
        took = alternating({"ours": _Local(ours).work, "peer": _Moto(theirs).work}, RUNS)
    ratio = times(took["peer"], took["ours"])
    yield Row(
        f"{COUNT:,} machines made and listed by the server",
        "ms",
        *(1000 * median(took[name]) for name in ("ours", "peer")),
        ratio=ratio,
        goal=f">= {GOAL:g}x the peer",
        met=ratio >= GOAL,
        note="a pool of batchimg emulator, all idle; peer: moto_server, instances run and described",
    )


#: The token of the control API of the servers.
CONTROL_TOKEN = "of-the-bench"  # noqa: S105 - of a server on loopback


@contextlib.contextmanager
def emulator_server(python: Path, *options: object) -> Iterator[tuple[int, int]]:
    """Start the server of an emulator on a free port, and yield its port and the id of its process.

    Parameters
    ----------
    python
        The interpreter of an environment with the package; isolated, so that it does not import that of this folder.
    *options
        Of the server, beside those for plain HTTP without throttling.
    """
    command = [python, "-I", "-m", "batchimg_magics", "emulator", "--no-tls", "--no-throttling", "--port", "0"]
    environment = {**os.environ, "BATCHIMG_CONTROL_TOKEN": CONTROL_TOKEN}
    with subprocess.Popen(
        [*command, *map(str, options)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            line = next(line for line in process.stdout if "AZURE_RESOURCE_MANAGER" in line)
            yield int(line.strip().strip("'\"").rpartition(":")[2]), process.pid
        finally:
            process.terminate()


def token_request(audience: str) -> tuple[str, bytes]:
    """Return the path and the body, a form, of the request for a token."""
    form = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "any"}
    return f"/{tokens.TENANT}/oauth2/v2.0/token", urlencode(form | {"scope": f"{audience}/.default"}).encode()


@contextlib.contextmanager
def _moto_server(program: Path) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [program, "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _await(port)
            yield port
        finally:
            process.terminate()


def _await(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nobody listens on port {port}")


def _ask(port: int, method: str, path: str, body: str | bytes = "", **headers: str) -> tuple[int, bytes]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    headers["X_Control_Token"] = CONTROL_TOKEN
    client.request(method, path, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = client.getresponse()
    content = answer.read()
    client.close()
    assert answer.status < 300, content
    return answer.status, content


class _Local:
    """The emulator's server, with quotas for many nodes.

    Parameters
    ----------
    port
        Where it listens.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._made = 0
        self._batch = {"Authorization": f"Bearer {self._token('https://batch.core.windows.net/')}"}
        arm = {"Authorization": f"Bearer {self._token('https://management.azure.com')}"}
        account = json.loads(_ask(port, "GET", f"{ACCOUNT_ID}?api-version=2025-06-01", **arm)[1])
        account["properties"] |= {"dedicatedCoreQuota": 1_000_000, "dedicatedCoreQuotaPerVMFamilyEnforced": False}
        _ask(port, "POST", "/_sim/import", json.dumps({"resources": [account]}))

    def _token(self, audience: str) -> str:
        path, content = token_request(audience)
        answer = _ask(self._port, "POST", path, content, Content_Type=FORM)
        return str(json.loads(answer[1])["access_token"])

    def work(self) -> None:
        """Make a pool, let time pass until its nodes are idle, and list them."""
        self._made += 1
        name, query = f"sim{self._made}", "api-version=2025-06-01"
        pool = {"id": name, "vmSize": "Standard_D2s_v5", "virtualMachineConfiguration": MACHINE}
        pool |= {"targetDedicatedNodes": COUNT, "resizeTimeout": "PT12H"}
        _ask(self._port, "POST", f"/{furnish.ACCOUNT}/pools?{query}", json.dumps(pool), **self._batch)
        _ask(self._port, "POST", "/_sim/advance", json.dumps({"seconds": 86_400}))
        page = _ask(self._port, "GET", f"/{furnish.ACCOUNT}/pools/{name}/nodes?{query}", **self._batch)[1]
        states = [node["state"] for node in json.loads(page)["value"]]
        assert states == ["idle"] * COUNT


class _Moto:
    """Moto's server.

    Parameters
    ----------
    port
        Where it listens.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._types = iter(TYPES)

    def work(self) -> None:
        """Run instances of a type that has none yet, and describe those."""
        kind = next(self._types)
        self._ask(Action="RunInstances", ImageId=IMAGE, InstanceType=kind, MinCount=COUNT, MaxCount=COUNT)
        wanted = {"Filter.1.Name": "instance-type", "Filter.1.Value.1": kind}
        listed = self._ask(Action="DescribeInstances", **wanted)
        assert len(re.findall(r"<instanceId>", listed)) == COUNT

    def _ask(self, **form: object) -> str:
        headers = {"Authorization": SIGNED, "Content_Type": "application/x-www-form-urlencoded"}
        content = urlencode(form | {"Version": "2016-11-15"})
        return _ask(self._port, "POST", "/", content, **headers)[1].decode()
