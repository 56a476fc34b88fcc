"""Jobs that change how many nodes a pool has."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from batchimg_magics.core import pools, resize, size_options, sizing
from batchimg_magics.core.schemas import NODE_KINDS
from batchimg_magics.errors import SpecError
from batchimg_magics.jobs.job import UNTIL, known
from batchimg_magics.spec import node_count, parse_duration, pool_name, resize_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.connecting import Link
    from batchimg_magics.core.progress import Board
    from batchimg_magics.core.tables import Table
    from batchimg_magics.jobs.job import Job


Number = TypeVar("Number", int, float)


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


def _size(
    link: Link,
    name: str | None = None,
    *,
    tasks: int | None = None,
    minutes: float | None = None,
    deadline: str | float | None = None,
    budget: float | None = None,
    evictions: float | None = None,
    kind: str | None = None,
    **question: Any,
) -> Job:
    if tasks is None or minutes is None:
        raise SpecError("there is nothing to size by", hint="say --tasks N and --minutes M, how long one takes")
    if deadline is None and budget is None:
        raise SpecError("nothing binds the size", hint="say --deadline 4h, --budget 200, or both")
    asked = size_options.Question(
        tasks=_above(tasks, "--tasks"),
        minutes=_above(minutes, "--minutes"),
        deadline_s=None if deadline is None else parse_duration(deadline),
        budget_usd=None if budget is None else _above(budget, "--budget"),
        evictions_per_hour=sizing.EVICTIONS_PER_HOUR if evictions is None else _share(evictions),
        kinds=NODE_KINDS if kind is None else (known(kind, "--kind", NODE_KINDS),),
        name=None if name is None else pool_name(name),
        **question,
    )
    if asked.slots is not None:
        _above(asked.slots, "--slots")
    return lambda _: size_options.table(link.azure, asked)


def _above(value: Number, option: str) -> Number:
    if not 0 < value < math.inf:
        raise SpecError(f"{option} is {value}", hint="it is more than 0")
    return value


def _share(value: float) -> float:
    if not 0 <= value < 1:
        raise SpecError(f"--evictions is {value}", hint="a share of the spot nodes an hour: 0.1 or 10%")
    return value


#: Verb to its job.
JOBS: dict[str, Callable[..., Job]] = {
    "resize": _resize,
    "wait": _wait,
    "stop": _stop,
    "size": _size,
}
