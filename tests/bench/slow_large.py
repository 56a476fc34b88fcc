"""A resize to 1,000 nodes where nodes come so late that Azure gives up twice: ours, and what other tools do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from azure.batch.aio import BatchClient
from azure.core.exceptions import HttpResponseError

from tests.bench.rows import Row
from tests.support.connections import transport_of
from tests.support.idle_pools import open_session
from tests.support.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.session.session import Session

NODES = 1000
#: How often a script asks again that asks again for ever.
EVERY_S = 30.0
TARGET = {"targetDedicatedNodes": NODES, "targetLowPriorityNodes": 0, "resizeTimeout": "PT20M"}
#: After so long the naive script is given up.
PATIENCE_S = 6 * 3600.0


def rows() -> Iterator[Row]:
    """Resize by each; count nodes and calls."""
    ours, ours_calls = _with(_controller)
    first, first_calls = _with(lambda _, connection: _run(connection, _fatal_at_first(connection)))
    naive, naive_calls = _with(lambda _, connection: _run(connection, _again_and_again(connection)))
    yield Row(
        "slow-large: nodes of 1,000 that are there in the end",
        "nodes",
        ours,
        first,
        NODES,
        ratio=ours / max(1, first),
        limit_ratio=ours / NODES,
        goal="the target is reached",
        met=ours == NODES,
        note=f"peer: batch-shipyard's rule, fatal at the first timeout, {first_calls} calls; "
        f"naive re-issue every {EVERY_S:.0f} s: {naive} nodes, {naive_calls} calls",
    )
    yield Row(
        "slow-large: calls until then",
        "requests",
        ours_calls,
        naive_calls,
        ratio=naive_calls / ours_calls,
        goal="fewer than the naive one",
        met=ours_calls < naive_calls or naive < NODES,
        note=f"peer: naive re-issue every {EVERY_S:.0f} s",
    )


def _with(work: Callable[[Session, Connection], object]) -> tuple[int, int]:
    """Do the work on a pool of its own; return how many nodes are there then, and what it took in requests."""
    with open_session(RequestLog, scenario="slow-large") as (session, connection, _):
        session.create("large", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=0)
        counted: Any = transport_of(connection)
        counted.requests.clear()
        work(session, connection)
        calls = len(counted.requests)
        return len(session.nodes("large", prices=False)), calls


def _controller(session: Session, _: Connection) -> None:
    session.resize("large", nodes=NODES, until="steady")


def _run(connection: Connection, work: Coroutine[Any, Any, None]) -> None:
    async def moving() -> None:
        with connection.advancing_time():
            await work

    asyncio.run_coroutine_threadsafe(moving(), connection.loop).result()


async def _client(connection: Connection) -> BatchClient:
    assert connection.emulator is not None
    account = await connection.azure.account()
    endpoint = f"https://{account['properties']['accountEndpoint']}"
    return BatchClient(endpoint, connection.emulator.credential, transport=transport_of(connection))


async def _fatal_at_first(connection: Connection) -> None:
    """Do as batch-shipyard does: any resize error is fatal, and its message is printed."""
    client = await _client(connection)
    await client.begin_resize_pool("large", TARGET)
    while True:
        await asyncio.sleep(20.0)
        pool = await client.get_pool("large")
        if pool.resize_errors or pool.current_dedicated_nodes == NODES:
            return


async def _again_and_again(connection: Connection) -> None:
    """Ask for the target every 30 seconds until it is there."""
    client = await _client(connection)
    began = connection.loop.time()
    while connection.loop.time() < began + PATIENCE_S:
        if (await client.get_pool("large")).current_dedicated_nodes == NODES:
            return
        try:
            await client.begin_resize_pool("large", TARGET)
        except HttpResponseError as error:
            assert error.status_code == 409  # noqa: PT017 - the pool is resizing already
        await asyncio.sleep(EVERY_S)
