"""A whole process that lists nodes: `batchimg nodes`, Azure's command line, and Python that only reads the bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator import furnish
from batchimg_magics.emulator.emulator import open_emulator
from batchimg_magics.emulator.serving.environment import CLOUD
from tests.bench.peers import AZURE_CLI, as_installed, environment
from tests.bench.rows import Row, alternating, times
from tests.support.batch_emulator import lift_quotas
from tests.support.idle_pools import create_idle_pools, issue_token
from tests.support.served_emulator import serve_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT, GOAL, RUNS = 2500, 3.0, 7
BATCHIMG = Path(sys.executable).with_name("batchimg")
READING = """
import json, os, ssl, urllib.request
trusted = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
url = f"{os.environ['AZURE_BATCH_ENDPOINT']}/pools/sim/nodes?api-version=2025-06-01&maxresults=1000"
while url:
    asked = urllib.request.Request(url, headers={"Authorization": "Bearer " + os.environ["TOKEN"]})
    url = json.loads(urllib.request.urlopen(asked, context=trusted).read()).get("odata.nextLink")
"""


def rows() -> Iterator[Row]:
    """Time one listing of 2,500 nodes by each."""
    az = environment(AZURE_CLI, "azure-cli") / "az"
    local = open_emulator(speed=1.0)
    try:
        lift_quotas(local.store)
        create_idle_pools(local, {"sim": COUNT})
        with serve_emulator(local) as shell:
            yield _compared(az, as_installed(shell) | {"TOKEN": issue_token(local)})
    finally:
        local.close()


def _compared(az: Path, shell: dict[str, str]) -> Row:
    for line in (
        [az, "cloud", "set", "--name", CLOUD],
        [az, "login", "--service-principal", "-u", "me", "-p", "any", "--tenant", shell["AZURE_TENANT_ID"]],
        [BATCHIMG, "connect", "--subscription", furnish.SUBSCRIPTION, "--resource-group", furnish.GROUP, "--account",
         furnish.ACCOUNT, "--save-as", "bench"],
    ):  # fmt: skip
        _run(line, shell)
    account = ["--account-name", furnish.ACCOUNT, "--account-endpoint", shell["AZURE_BATCH_ENDPOINT"]]
    lines: dict[str, list[Any]] = {
        "ours": [BATCHIMG, "nodes", "sim", "--json", "--profile", "bench"],
        "limit": [sys.executable, "-c", READING],
        "peer": [az, "batch", "node", "list", "--pool-id", "sim", *account, "--output", "json"],
    }
    for name in ("ours", "peer"):
        assert len(json.loads(_run(lines[name], shell))) == COUNT
    took = alternating({name: partial(_run, line, shell) for name, line in lines.items()}, RUNS)
    ratio = times(took["peer"], took["ours"])
    return Row(
        f"whole process, {COUNT:,} nodes as JSON",
        "ms",
        *(1000 * median(took[name]) for name in ("ours", "peer", "limit")),
        ratio=ratio,
        limit_ratio=times(took["ours"], took["limit"]),
        goal=f">= {GOAL:g}x the peer",
        met=ratio >= GOAL,
        note="over TLS, both as a service principal: batchimg nodes NAME --json, which asks for its tokens; "
        "peer: az batch node list, which has its token from the login before; "
        "limit: Python that reads the bytes, its token given",
    )


def _run(line: list[Any], shell: dict[str, str]) -> str:
    done = subprocess.run(line, env=shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
