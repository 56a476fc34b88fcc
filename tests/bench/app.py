"""How fast the emulator answers, and what 100,000 nodes cost it.

Small GETs go straight into the app, through its ASGI face, and over HTTP on loopback, with throttling off. The nodes
are those of 40 pools in an account whose quotas let them in.
"""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from typing import TYPE_CHECKING, Any

import uvicorn

from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, REGION, SUBSCRIPTION
from batchimg_magics.emulator.server import open_listener
from tests.bench.rows import Row
from tests.support.batch_emulator import MACHINE, BatchEmulator, lift_quotas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADERS = {"authorization": "Bearer any"}
DISK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute/disks/prep-vm_OsDisk_1"
QUERY = "api-version=2023-10-02"
HOST = "management.azure.com"
POOLS, NODES_EACH = 40, 2500


def rows() -> Iterator[Row]:
    """Measure the app alone."""
    azure = BatchEmulator()
    for name, measure in (
        ("straight into the app", straight),
        ("through ASGI", through_asgi),
        ("over HTTP", over_http),
    ):
        yield Row(f"emulator: small GETs {name}", "/s", measure(azure))
    for name, seconds in many_nodes(azure).items():
        yield Row(f"emulator: {name}", "ms", 1000 * seconds)


def rate(work: Callable[[], object], seconds: float = 2.0) -> float:
    """Return how often a piece of work can be done in a second."""
    begin, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - begin) < seconds:
        work()
        done += 1
    return done / spent


def straight(azure: BatchEmulator) -> float:
    url = f"https://{HOST}{DISK}?{QUERY}"
    return rate(lambda: azure.app.answer("GET", url, HEADERS))


def through_asgi(azure: BatchEmulator) -> float:
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "https",
        "path": DISK,
        "query_string": QUERY.encode(),
        "headers": [(b"host", HOST.encode()), (b"authorization", b"Bearer any")],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200

    with asyncio.Runner() as runner:
        return rate(lambda: runner.run(azure.app(scope, receive, send)))


def over_http(azure: BatchEmulator) -> float:
    """Return the rate of one client over plain HTTP."""
    server = uvicorn.Server(uvicorn.Config(azure.app, log_level="warning", access_log=False))
    with open_listener("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        client = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1])

        def ask() -> None:
            client.request("GET", f"{DISK}?{QUERY}", headers=HEADERS)
            answer = client.getresponse()
            assert answer.read()
            assert answer.status == 200

        found = rate(ask)
        client.close()
        server.should_exit = True
        thread.join()
    return found


def many_nodes(azure: BatchEmulator) -> dict[str, float]:
    """Make 100,000 nodes; return the real seconds of each step."""
    lift_quotas(azure.store)
    took: dict[str, float] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        begin = time.perf_counter()
        work()
        took[name] = time.perf_counter() - begin

    body = {"vmSize": "Standard_D2s_v5", "virtualMachineConfiguration": MACHINE, "resizeTimeout": "PT12H"}
    names = [f"pool{number}" for number in range(POOLS)]

    def create() -> None:
        for name in names:
            azure.batch("POST", "/pools", body | _sized(name))

    timed("create 40 pools of 1,250 nodes", create)
    azure.clock.advance(86_400)
    grown = {"targetDedicatedNodes": NODES_EACH, "targetLowPriorityNodes": 0, "resizeTimeout": "PT12H"}
    timed("resize them to 2,500", lambda: [azure.batch("POST", f"/pools/{name}/resize", grown) for name in names])
    azure.clock.advance(86_400)
    timed("count 100,000 nodes", lambda: _count(azure))
    first = f"https://{ACCOUNT}.{REGION}.batch.azure.com/pools/pool7/nodes?api-version=2025-06-01"
    took["a page of 1,000 nodes"] = 1 / rate(lambda: azure.app.answer("GET", first, HEADERS))
    timed("list 100,000 nodes", lambda: _list_all(azure, names))
    return took


def _sized(name: str) -> dict[str, Any]:
    return {"id": name, "targetDedicatedNodes": NODES_EACH // 2}


def _count(azure: BatchEmulator) -> None:
    """Ask for the counts of all pools, page by page, and see that every node is idle."""
    idle, query = 0, "/nodecounts"
    while query:
        response = azure.batch("GET", query)
        idle += sum(row["dedicated"]["idle"] for row in response.body["value"])
        query = response.body.get("odata.nextLink", "").partition(".azure.com")[2].replace("api-version=2025-06-01", "")
    assert idle == POOLS * NODES_EACH, idle


def _list_all(azure: BatchEmulator, names: list[str]) -> None:
    seen = 0
    for name in names:
        url = f"https://{ACCOUNT}.{REGION}.batch.azure.com/pools/{name}/nodes?api-version=2025-06-01"
        while url:
            response = azure.send("GET", url)
            seen += len(response.body["value"])
            url = response.body.get("odata.nextLink", "")
    assert seen == POOLS * NODES_EACH, seen
