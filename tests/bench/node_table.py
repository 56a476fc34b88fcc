"""From pages of nodes to a table: ours, `azure.batch`'s `list_nodes`, polars, pyarrow, and bare json with pandas."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd
from azure.batch.aio import BatchClient

from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import node_pages
from batchimg_magics.session.frames import DTYPES, to_frame
from tests.bench.peers import BUILD, environment
from tests.bench.replay import Replay
from tests.bench.rows import Row, alternating, times
from tests.support.connections import transport_of
from tests.support.idle_pools import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.session.session import Session

SELECT = [
    "id", "state", "isDedicated", "schedulingState", "stateTransitionTime", "allocationTime", "lastBootTime", "vmSize",
    "ipAddress", "runningTasksCount", "startTaskInfo", "errors", "virtualMachineInfo", "nodeAgentInfo",
]  # fmt: skip
PEER_GOAL = 60.0
#: The most of the time of bare json and pandas, by the number of nodes.
LIMIT_GOALS = {2500: 0.5, 20_000: 0.4}
#: How many times faster than other tools that make typed columns of the same bytes.
FRAME_GOALS = {"polars": 1.5, "pyarrow": 1.2}


def rows() -> Iterator[Row]:
    """Time tables of 2,500 and of 20,000 nodes."""
    # Texts as a plain install keeps them: pyarrow, where it is there, would be chosen for everybody's DataFrame.
    with pd.option_context("mode.string_storage", "python"):
        for count, runs in ((2500, 9), (20_000, 5)):
            with pool_of(count) as (session, connection):
                pages = Peer(connection).pages()
                yield from _compared(count, runs, session, connection)
                yield from _from_bytes(count, runs, pages)


@contextmanager
def pool_of(count: int) -> Iterator[tuple[Session, Connection]]:
    """Open an emulator with a pool of so many idle nodes and cached responses."""
    with open_session(Replay) as (session, connection, _):
        sized = {"nodes": count - count // 5, "spot": count // 5}
        session.create("sim", from_vm="prep-vm", vm_size="Standard_D4s_v5", start_task="/bin/true", **sized)
        transport: Any = transport_of(connection)
        transport.is_replaying = True
        yield session, connection


def _compared(count: int, runs: int, session: Session, connection: Connection) -> Iterator[Row]:
    peer = Peer(connection)
    pages = peer.pages()
    works = {
        "ours": lambda: ours(connection),
        "peer": peer.table,
        "verb": lambda: session.nodes("sim"),
        "same": lambda: same(pages),
    }
    assert [len(work()) for work in works.values()] == [count] * len(works)
    # Of the processor's time, and not the clock's: nothing here waits, and others may be at work on the machine.
    took = alternating(works, runs, time.process_time)
    ratio = times(took["peer"], took["ours"])
    yield Row(
        f"node table, {count:,} nodes",
        "ms CPU",
        *(1000 * median(took[name]) for name in ("ours", "peer")),
        ratio=ratio,
        goal=f">= {PEER_GOAL:g}x the peer",
        met=ratio >= PEER_GOAL,
        note="peer: azure-batch list_nodes, and a DataFrame of the same columns",
    )
    yield Row(
        f"the whole verb: Session.nodes with prices, {count:,} nodes",
        "ms CPU",
        *(1000 * median(took[name]) for name in ("verb", "peer", "same")),
        ratio=times(took["peer"], took["verb"]),
        limit_ratio=times(took["verb"], took["same"]),
        note="limit: json.loads of the same bytes and DataFrame of the same columns and dtypes",
    )


def _from_bytes(count: int, runs: int, pages: list[bytes]) -> Iterator[Row]:
    """Compare the ways from the bodies of the pages to a table; nothing is requested."""
    yield from _beside_json(count, runs, pages)
    with tempfile.TemporaryDirectory() as folder:
        for number, page in enumerate(pages):
            Path(folder, f"{number:04d}.json").write_bytes(page)
        for tool, goal in FRAME_GOALS.items():
            yield _beside_tool(tool, goal, count, runs, pages, folder)


def _beside_json(count: int, runs: int, pages: list[bytes]) -> Iterator[Row]:
    took = alternating({"ours": lambda: decoded(pages), "limit": lambda: bare(pages)}, runs, time.process_time)
    ratio, goal = times(took["ours"], took["limit"]), LIMIT_GOALS[count]
    yield Row(
        f"node table from bytes, {count:,} nodes",
        "ms CPU",
        1000 * median(took["ours"]),
        limit=1000 * median(took["limit"]),
        limit_ratio=ratio,
        goal=f"<= {goal:g}x the limit",
        met=ratio <= goal,
        note="limit: json.loads and DataFrame of the same bytes, nothing typed",
    )


def _beside_tool(tool: str, goal: float, count: int, runs: int, pages: list[bytes], folder: str) -> Row:
    """Compare with a tool in a process of its own, in turn; each tells its own time of the processor."""
    python = environment(BUILD / "bench" / "frames", "polars", "pyarrow") / "python"
    script = Path(__file__).with_name("frame_peers.py")
    took: dict[str, list[float]] = {"ours": [], "peer": []}
    with subprocess.Popen(
        [python, script, tool, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        for run in range(runs + 1):  # the first one warms up
            peer.stdin.write("\n")
            peer.stdin.flush()
            rows, columns, seconds = peer.stdout.readline().split()
            began = time.process_time()
            made = decoded(pages)
            spent = time.process_time() - began
            assert made.shape == (int(rows), int(columns)) == (count, len(SCHEMAS["nodes"]))
            if run:
                took["ours"].append(spent)
                took["peer"].append(float(seconds))
        peer.stdin.close()
    ratio = times(took["peer"], took["ours"])
    return Row(
        f"node table from bytes, {count:,} nodes, beside {tool}",
        "ms CPU",
        *(1000 * median(took[name]) for name in ("ours", "peer")),
        ratio=ratio,
        goal=f">= {goal:g}x the peer",
        met=ratio >= goal,
        note=f"peer: {tool}, typed columns of the same bytes, its schema given",
    )


class Bodies:
    """Answers the requests for the pages of a pool with these bodies, one after the other."""

    def __init__(self, pages: list[bytes]) -> None:
        self._pages = iter(pages)

    async def get(self, _: str, *, plane: str) -> Any:
        """Return the next page, as a response of the data plane."""
        assert plane == "batch"
        return SimpleNamespace(content=next(self._pages))


def decoded(pages: list[bytes]) -> pd.DataFrame:
    """Return the table of the bodies of pages."""
    bodies: Any = Bodies(pages)
    return to_frame(Table("nodes", asyncio.run(node_pages.read_columns(bodies, "sim"))))


def ours(connection: Connection) -> pd.DataFrame:
    """Return the table of pages alone, which is what the others do: no look for the pool, no prices."""
    columns = asyncio.run_coroutine_threadsafe(
        node_pages.read_columns(connection.azure, "sim"), connection.loop
    ).result()
    return to_frame(Table("nodes", columns))


class Peer:
    """The SDK's own listing, with the same members asked for, over the same transport."""

    def __init__(self, connection: Connection) -> None:
        self._link = connection

    def table(self) -> pd.DataFrame:
        """Return a DataFrame of the same columns."""
        return self._run(self._table())

    def pages(self) -> list[bytes]:
        """Return the bytes of the pages that both read."""
        return self._run(self._pages())

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._link.loop).result()

    async def _client(self) -> BatchClient:
        account = await self._link.azure.account()
        endpoint = f"https://{account['properties']['accountEndpoint']}"
        return BatchClient(endpoint, self._link.azure.credential, transport=transport_of(self._link))

    async def _pages(self) -> list[bytes]:
        client = await self._client()
        found: list[bytes] = []

        def keep(response: Any) -> None:
            found.append(response.http_response.content)

        async for _ in client.list_nodes("sim", select=SELECT, max_results=1000, raw_response_hook=keep):
            pass
        return found

    async def _table(self) -> pd.DataFrame:
        client = await self._client()
        return pd.DataFrame([_row(node) async for node in client.list_nodes("sim", select=SELECT, max_results=1000)])


def _row(node: Any) -> dict[str, Any]:
    start, machine = node.start_task_info, node.virtual_machine_info
    image = machine.image_reference if machine else None
    return {
        "node_id": node.id,
        "state": node.state,
        "scheduling": node.scheduling_state,
        "state_since": node.state_transition_time,
        "allocated": node.allocation_time,
        "booted": node.last_boot_time,
        "dedicated": node.is_dedicated,
        "vm_size": node.vm_size,
        "ip": node.ip_address,
        "running_tasks": node.running_tasks_count,
        "start_task": start.state if start else None,
        "exit_code": start.exit_code if start else None,
        "errors": "; ".join(f"{one.code}: {one.message}" for one in node.errors or []) or None,
        "image_version": image.virtual_machine_image_id if image else None,
        "agent_version": node.node_agent_info.version if node.node_agent_info else None,
    }


def bare(pages: list[bytes]) -> pd.DataFrame:
    """Do the least that Python's own json and pandas can: nothing is renamed, taken apart or given a dtype."""
    return pd.DataFrame([node for page in pages for node in json.loads(page)["value"]])


def _errors(node: dict[str, Any]) -> str | None:
    return "; ".join(f"{error['code']}: {error['message']}" for error in node.get("errors") or ()) or None


def same(pages: list[bytes]) -> pd.DataFrame:
    """Make the same columns with the same dtypes, by json and pandas."""
    nodes = [node for page in pages for node in json.loads(page)["value"]]
    starts = [node.get("startTaskInfo") or {} for node in nodes]
    images = [(node.get("virtualMachineInfo") or {}).get("imageReference") or {} for node in nodes]
    columns: dict[str, list[Any]] = {
        name: [node.get(member) for node in nodes]
        for name, member in zip(
            ("node_id", "state", "dedicated", "scheduling", "state_since", "allocated", "booted", "vm_size", "ip",
             "running_tasks"), ("id", "state", "isDedicated", *SELECT[3:10]), strict=True,
        )
    }  # fmt: skip
    columns |= {
        "start_task": [start.get("state") for start in starts],
        "exit_code": [start.get("exitCode") for start in starts],
        "errors": [_errors(node) for node in nodes],
        "image_version": [str(image.get("virtualMachineImageId")).rpartition("/")[2] for image in images],
        "agent_version": [(node.get("nodeAgentInfo") or {}).get("version") for node in nodes],
    }
    made = pd.DataFrame({column.name: columns[column.name] for column in SCHEMAS["nodes"]}, dtype=object)
    for column in SCHEMAS["nodes"]:
        if column.kind == "time":
            made[column.name] = pd.to_datetime(made[column.name], utc=True, format="ISO8601").dt.as_unit("us")
        elif column.kind == "word":
            made[column.name] = made[column.name].astype(pd.CategoricalDtype(list(column.allowed_values)))
        else:
            made[column.name] = made[column.name].astype(DTYPES[column.kind])
    return made
