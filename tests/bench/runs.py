"""A command over a table: 1,000 rows on 20 nodes beside a plain script, and looking at 10,000 tasks."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import pandas as pd
from azure.batch.aio import BatchClient
from azure.batch.models import BatchJobCreateOptions, BatchPoolInfo, BatchTaskCreateOptions, BatchTaskGroup

from batchimg_magics.core.runs import tasks
from tests.bench.replay import Replay
from tests.bench.rows import Row, alternating, times
from tests.support.connections import transport_of
from tests.support.idle_pools import create_idle_pools, open_session
from tests.support.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.azure.client import Azure

POOL, NODES, ROWS, MANY = "genomics", 20, 1000, 10_000
#: Tasks in a request at most, and seconds between two looks: Azure's own Retry-After of long operations.
AT_ONCE, RETRY_AFTER_S = 100, 30.0
RUNS = 7
#: Requests as a multiple of those that are needed, and how many times less CPU a look at many tasks takes.
REQUEST_GOAL, WATCH_GOAL = 1.1, 5.0


def rows() -> Iterator[Row]:
    """Measure a whole run, and one look at many tasks."""
    yield from _whole_runs()
    yield _one_look()


def _whole_runs() -> Iterator[Row]:
    """Run the same rows by the verb and by a script, each on an emulator of its own."""
    took: dict[str, float] = {}
    asked: dict[str, int] = {}
    needed = 0.0
    for name in ("ours", "peer"):
        with open_session(RequestLog) as (session, connection, emulator):
            create_idle_pools(emulator, {POOL: NODES})
            log: Any = transport_of(connection)
            log.requests.clear()
            began, clock = time.process_time(), emulator.clock.now()
            if name == "ours":
                frame = pd.DataFrame({"seconds": [60 + row % 7 for row in range(ROWS)]})
                found = session.run(POOL, over=frame, command=["sleep", "{seconds}"])
            else:
                found = session.call(partial(_script, connection=connection))
            took[name], asked[name] = time.process_time() - began, len(log.requests)
            assert len(found) == ROWS
            if name == "ours":
                waited_s = emulator.clock.now() - clock
                needed = 2 + ROWS / AT_ONCE + waited_s / RETRY_AFTER_S  # the job, the tasks, looks, a page
    yield Row(
        f"run of {ROWS:,} rows on {NODES} nodes, requests",
        "requests",
        asked["ours"],
        asked["peer"],
        needed,
        ratio=asked["peer"] / asked["ours"],
        limit_ratio=asked["ours"] / needed,
        goal=f"<= {REQUEST_GOAL:g}x the limit",
        met=asked["ours"] <= REQUEST_GOAL * needed,
        note=f"peer: azure-batch, list_tasks each {RETRY_AFTER_S:g} s; limit: tasks by 100, and counts each "
        f"{RETRY_AFTER_S:g} s",
    )
    yield Row(
        f"run of {ROWS:,} rows on {NODES} nodes, with the emulator",
        "s CPU",
        took["ours"],
        took["peer"],
        ratio=took["peer"] / took["ours"],
        note="the emulator's work is in both",
    )


async def _client(connection: Connection) -> BatchClient:
    account = await connection.azure.account()
    endpoint = f"https://{account['properties']['accountEndpoint']}"
    return BatchClient(endpoint, connection.azure.credential, transport=transport_of(connection))


async def _script(azure: Azure, *, connection: Connection) -> list[dict[str, Any]]:
    """Do the same as a plain script does: add a job and tasks, list the tasks until all have ended, make rows."""
    client = await _client(connection)
    await client.create_job(BatchJobCreateOptions(id="script", pool_info=BatchPoolInfo(pool_id=POOL)))
    for first in range(0, ROWS, AT_ONCE):
        some = range(first, min(first + AT_ONCE, ROWS))
        bodies = [BatchTaskCreateOptions(id=f"{row:06d}", command_line=f"sleep {60 + row % 7}") for row in some]
        await client.create_task_collection("script", BatchTaskGroup(task_values=bodies))
    while True:
        await azure.sleep(RETRY_AFTER_S)
        found = [task async for task in client.list_tasks("script", select=["id", "state", "executionInfo"])]
        if all(task.state == "completed" for task in found):
            return [{"id": one.id, "exit_code": one.execution_info.exit_code} for one in found]


def _one_look() -> Row:
    """Look once at the tasks of a run: by our counts, and by the list that a script reads."""
    with open_session(Replay) as (session, connection, emulator):
        create_idle_pools(emulator, {POOL: NODES})
        table = session.run(POOL, over=pd.DataFrame({"seconds": range(1, MANY + 1)}), command=["sleep", "1"])
        job = table.attrs["run"]
        transport: Any = transport_of(connection)
        transport.is_replaying = True

        def on_loop(work: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(work, connection.loop).result()

        async def listed() -> int:
            client = await _client(connection)
            states = [one.state async for one in client.list_tasks(job, select=["id", "state"], max_results=1000)]
            return states.count("completed")

        async def counted() -> int:
            return (await tasks.read_counts(connection.azure, job)).done

        works = {"ours": lambda: on_loop(counted()), "peer": lambda: on_loop(listed())}
        assert [work() for work in works.values()] == [MANY, MANY]
        took = alternating(works, RUNS, time.process_time)
    ratio = times(took["peer"], took["ours"])
    return Row(
        f"one look at {MANY:,} tasks",
        "ms CPU",
        *(1000 * median(took[name]) for name in ("ours", "peer")),
        ratio=ratio,
        goal=f">= {WATCH_GOAL:g}x the peer",
        met=ratio >= WATCH_GOAL,
        note="peer: azure-batch, list_tasks with $select of id and state",
    )
