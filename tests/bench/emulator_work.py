"""Work for one version of the emulator, timed in a process of its own: `emulator_speed` starts it for two versions.

It uses nothing of the tests, so that it runs with another version of the package. Each line on standard input names a
piece of work and how often to do it; the answer is the seconds of CPU time that it took.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator import furnish
from batchimg_magics.emulator.app import DEFAULT_START, App
from batchimg_magics.emulator.world.clock import ManualClock
from batchimg_magics.emulator.world.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

HEADERS = {"authorization": "Bearer any"}
POOLS, NODES_EACH = 40, 2500
GROUP = f"/subscriptions/{furnish.SUBSCRIPTION}/resourceGroups/{furnish.GROUP}"
ACCOUNT = f"{GROUP}/providers/Microsoft.Batch/batchAccounts/{furnish.ACCOUNT}"
BATCH = f"https://{furnish.ACCOUNT}.{furnish.REGION}.batch.azure.com"
DATA_PLANE = "api-version=2025-06-01"
MACHINE = {
    "imageReference": {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"},
    "nodeAgentSKUId": "batch.node.ubuntu 22.04",
}
SMALL = (
    f"https://management.azure.com{GROUP}/providers/Microsoft.Compute/disks/prep-vm_OsDisk_1?api-version=2023-10-02",
    f"https://management.azure.com{ACCOUNT}?{DATA_PLANE}",
    f"{BATCH}/pools/pool7?{DATA_PLANE}",
)


def main() -> None:
    """Do what the lines on standard input ask for."""
    begin = DEFAULT_START.timestamp()
    store, clock = Store(start=begin), ManualClock(begin)
    with store.transaction(write=True):
        furnish.furnish(store)
    app = App(store, clock, control=True)
    _many_nodes(app, clock)
    works: dict[str, Callable[[App], None]] = {"small": _small, "count": _count_nodes, "nodes": _list_nodes}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        name, count = line.split()
        began = time.process_time()
        for _ in range(int(count)):
            clock.advance(1)  # what is kept for one moment does not count
            works[name](app)
        sys.stdout.write(f"{time.process_time() - began}\n")
        sys.stdout.flush()


def _ask(app: App, method: str, url: str, body: object = None) -> Any:
    content = b"" if body is None else json.dumps(body).encode()
    answer = app.answer(method, url, HEADERS, content)
    assert answer.status < 300, answer.body
    return answer.body


def _small(app: App) -> None:
    for url in SMALL:
        _ask(app, "GET", url)


def _count_nodes(app: App) -> None:
    idle, url = 0, f"{BATCH}/nodecounts?{DATA_PLANE}"
    while url:
        page = msgspec.json.decode(_ask(app, "GET", url))
        idle += sum(pool["dedicated"]["idle"] for pool in page["value"])
        url = page.get("odata.nextLink", "")
    assert idle == POOLS * NODES_EACH, idle


def _list_nodes(app: App) -> None:
    seen = 0
    for number in range(POOLS):
        url = f"{BATCH}/pools/pool{number}/nodes?{DATA_PLANE}"
        while url:
            page = msgspec.json.decode(_ask(app, "GET", url))
            seen += len(page["value"])
            url = page.get("odata.nextLink", "")
    assert seen == POOLS * NODES_EACH, seen


def _many_nodes(app: App, clock: ManualClock) -> None:
    """Make 100,000 nodes, in an account whose quotas let them in."""
    account = json.loads(_ask(app, "GET", f"https://management.azure.com{ACCOUNT}?{DATA_PLANE}"))
    account["properties"] |= {"dedicatedCoreQuota": 1_000_000, "dedicatedCoreQuotaPerVMFamilyEnforced": False}
    _ask(app, "POST", "https://management.azure.com/_sim/import", {"resources": [account]})
    for number in range(POOLS):
        pool = {"id": f"pool{number}", "vmSize": "Standard_D2s_v5", "virtualMachineConfiguration": MACHINE}
        pool |= {"targetDedicatedNodes": NODES_EACH, "resizeTimeout": "PT12H"}
        _ask(app, "POST", f"{BATCH}/pools?{DATA_PLANE}", pool)
    clock.advance(86_400)


if __name__ == "__main__":
    main()
