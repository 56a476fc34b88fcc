"""Jobs that change how many nodes a pool has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core import pools, resize
from batchimg_magics.errors import SpecError
from batchimg_magics.jobs.job import UNTIL, known
from batchimg_magics.spec import node_count, parse_duration, pool_name, resize_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.connecting import Link
    from batchimg_magics.core.progress import Board
    from batchimg_magics.core.tables import Table
    from batchimg_magics.jobs.job import Job


def _resize(
    link: Link,
    name: str,
    *,
    nodes: int | None = None,
    spot: int | None = None,
    timeout: str | float | None = None,
    until: str = "ready",
) -> Job:
    if nodes is None and spot is None:
        raise SpecError("no size was given", hint="say --nodes N, --spot N or both")
    wish = resize.Wish(
        node_count(nodes, "--nodes"),
        node_count(spot, "--spot"),
        None if timeout is None else resize_timeout(timeout),
        known(until, "--until", UNTIL),
    )
    pool = pool_name(name)
    return lambda board: resize.Controller(link.azure, pool, wish, board).run()


def _wait(link: Link, name: str, *, until: str = "ready", timeout: str | float | None = None) -> Job:
    limit_s = None if timeout is None else parse_duration(timeout)
    goal = known(until, "--until", UNTIL)
    pool = pool_name(name)
    return lambda board: resize.wait_table(link.azure, pool, board, until=goal, limit_s=limit_s)


def _stop(link: Link, name: str) -> Job:
    pool = pool_name(name)

    async def run(board: Board) -> Table:
        stopped = await pools.stop(link.azure, pool)
        table = await resize.wait_table(link.azure, pool, board, until="steady", verb="stop")
        return table if stopped else replace(table, caption=f"{table.caption}; there was no resize to stop")

    return run


#: Verb to its job.
JOBS: dict[str, Callable[..., Job]] = {
    "resize": _resize,
    "wait": _wait,
    "stop": _stop,
}
