"""How often Azure is polled, and that no step waits for a step that it does not need."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.core.azure import read_cache
from batchimg_magics.core.scaling.watch import PoolSnapshot, PoolWatcher
from tests.support.concurrent_client import ConcurrentClient
from tests.support.connections import transport_of
from tests.support.idle_pools import open_session
from tests.support.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.session.session import Session

LINE: dict[str, Any] = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5", "canary": False}
THREE = {"eastus": 1, "westus2": 1, "westeurope": 1}


@pytest.fixture
def calm() -> Iterator[tuple[Session, Connection, RequestLog]]:
    with open_session(RequestLog, seed=3) as (session, connection, _):
        transport: Any = transport_of(connection)
        yield session, connection, transport


def seconds(connection: Connection, work: Any) -> float:
    began = connection.loop.time()
    work()
    return connection.loop.time() - began


def test_a_pool_does_not_wait_for_other_regions(calm: tuple[Session, Connection, RequestLog]) -> None:
    session, connection, counted = calm
    one = seconds(connection, lambda: session.create("one", nodes=5, replicas={"eastus": 1}, **LINE))
    counted.requests.clear()
    steps = session.create("three", nodes=5, replicas=THREE, **LINE)
    pool = next(seen.at for seen in counted.requests if seen.method == "PUT" and seen.path.endswith("/pools/three"))
    assert pool - counted.requests[0].at < one  # one region's time, though each further region takes as long again
    rows = steps.set_index("step")
    assert rows.loc["replicas", "action"] == "created"
    assert rows.loc["replicas", "seconds"] > 300
    version = session.images().set_index("pool").loc["three"]
    assert version.state == "Succeeded"
    assert set(version.regions.replace(" ", "").split(",")) == {f"{region}=1" for region in THREE}
    again = session.create("three", nodes=5, replicas=THREE, **LINE)
    assert set(again.action) == {"exists"}


def test_a_version_in_the_making_is_asked_about_only_when_azure_says(
    calm: tuple[Session, Connection, RequestLog],
) -> None:
    session, _, counted = calm
    session.create("p", nodes=1, **LINE)
    looks = [seen.at for seen in counted.requests if "/versions/1.0.0" in seen.path and seen.method == "GET"]
    begun = next(seen for seen in counted.requests if "/versions/1.0.0" in seen.path and seen.method == "PUT")
    assert begun.retry_after_s == 60
    turns = [(b - a) / 60 for a, b in pairwise([begun.at, *looks])]
    assert turns == [round(turn) for turn in turns]
    # None is left out when the end is near, and some are while it is not.
    assert turns[-1] == 1
    assert len(turns) < sum(turns)


def test_nothing_is_asked_for_twice_at_the_same_moment(calm: tuple[Session, Connection, RequestLog]) -> None:
    session, _, counted = calm
    for line in (partial(session.create, "p", nodes=3, **LINE), partial(session.resize, "p", nodes=5)):
        counted.requests.clear()
        line()
        asked = Counter((round(seen.at), seen.url) for seen in counted.requests if seen.method == "GET")
        assert [url for (_, url), times in asked.items() if times > 1] == []


def test_no_line_uses_what_the_line_before_has_read(calm: tuple[Session, Connection, RequestLog]) -> None:
    session, connection, _ = calm
    assert connection.emulator is not None
    session.create("p", nodes=0, **LINE)
    asked = {**LINE, "nodes": 0}
    assert session.plan("p", **asked).set_index("step").action["pool"] == "exists"
    ConcurrentClient(connection.emulator).act("p", "delete")
    connection.emulator.clock.advance(5)
    assert session.plan("p", **asked).set_index("step").action["pool"] == "would create"


def test_nodes_on_their_way_are_looked_at_the_closer_the_fewer_are_left(
    calm: tuple[Session, Connection, RequestLog],
) -> None:
    session, connection, counted = calm
    session.create("p", nodes=0, **LINE)
    counted.requests.clear()
    took = seconds(connection, lambda: session.resize("p", nodes=200))
    looks = [seen.at for seen in counted.requests if seen.path.endswith("/nodes")]
    assert took > 250
    assert len(counted.requests) < took / 6  # a look every two seconds would be three times as many
    last = session.nodes("p", prices=False).state_since.max().timestamp() - (
        connection.emulator.clock.now() - connection.loop.time()
    )
    assert 0 <= looks[-1] - last <= 16


def test_small_work_is_looked_at_once(calm: tuple[Session, Connection, RequestLog]) -> None:
    session, _, counted = calm
    session.create("p", nodes=0, **LINE)
    operations = [seen.path for seen in counted.requests if "Operations/" in seen.path]
    assert len(operations) == len(set(operations))


def test_a_pool_at_rest_is_looked_at_less_often(calm: tuple[Session, Connection, RequestLog]) -> None:
    session, connection, counted = calm
    session.create("p", nodes=2, **LINE)
    response: list[PoolSnapshot] = []

    async def watched(seconds: float) -> None:
        with connection.advancing_time():
            watch = asyncio.ensure_future(PoolWatcher(connection.azure, "p", response.append).run())
            await connection.azure.sleep(seconds)
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    counted.requests.clear()
    asyncio.run_coroutine_threadsafe(watched(600), connection.loop).result()
    assert [round(b.at - a.at) for a, b in pairwise(response)] == [30, 60, *[120] * 4]
    assert len(counted.requests) == 2 * len(response)


class _Still:
    """A service whose time stands still."""

    def now(self) -> float:
        return 0.0


def test_a_write_is_noticed_however_its_path_is_quoted() -> None:
    """SDKs quote the parentheses that a resource group's name may have."""
    group, answers = "/subscriptions/s/resourceGroups/lab(a)/providers/Microsoft.Compute/snapshots", iter((1, 2, 3))

    async def read() -> int:
        return next(answers)

    async def run() -> list[int]:
        with read_cache.share_reads():
            seen = [
                await read_cache.get_or_read(_Still(), group, read),
                await read_cache.get_or_read(_Still(), group, read),
            ]
            read_cache.invalidate(
                "https://management.azure.com" + group.replace("(", "%28").replace(")", "%29") + "/one?x=y"
            )
            return [*seen, await read_cache.get_or_read(_Still(), group, read)]

    assert asyncio.run(run()) == [1, 1, 2]
