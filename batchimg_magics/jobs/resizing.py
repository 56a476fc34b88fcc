"""Jobs that change how many nodes a pool has."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from batchimg_magics.core.base.schemas import NODE_KINDS
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import pools
from batchimg_magics.core.estimates import options, workload
from batchimg_magics.core.operations import cleanup
from batchimg_magics.core.scaling import autoscale, controller, readiness, rounds, several_pools
from batchimg_magics.core.scaling.request import Wish
from batchimg_magics.errors import SpecError
from batchimg_magics.jobs.job import UNTIL, known
from batchimg_magics.pool_spec.resize_policy import DRAINS, Policy
from batchimg_magics.pool_spec.values import is_pattern, node_count, parse_duration, pool_name, resize_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.connection.connection import Link
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.jobs.job import Job


Number = TypeVar("Number", int, float)


def _resize(
    connection: Link,
    name: str,
    *,
    nodes: int | None = None,
    spot: int | None = None,
    drain: str | None = None,
    autoscale_off: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    **policy: Any,
) -> Job:
    if nodes is None and spot is None:
        raise SpecError("no size was given", hint="say --nodes N, --spot N or both")
    request = Wish(
        node_count(nodes, "--nodes"),
        node_count(spot, "--spot"),
        Policy.from_options(**policy),
        drain=None if drain is None else known(drain, "--drain", DRAINS),
        autoscale_off=autoscale_off,
    )
    azure, withheld = connection.azure, connection.emulator is None and not yes
    pattern = is_pattern(name)
    if not pattern:
        pool_name(name)

    async def run(board: Board) -> Table:
        names = await several_pools.named(azure, name) if pattern else [name]
        if dry_run:
            return await several_pools.preview(azure, names, request, "")
        if withheld and (pattern or await several_pools.ends_tasks(azure, name, request)):
            why = "" if pattern else ": some run tasks, which would end"
            return await several_pools.preview(azure, names, request, f"{why}; add --yes to do it")
        if pattern:
            return await several_pools.resize(azure, names, request, board)
        return await controller.Controller(azure, name, request, board).run()

    return run


def _repair(connection: Link, name: str, **policy: Any) -> Job:
    request = Wish(policy=Policy.from_options(repair=True, canary=False, **policy))
    pool = pool_name(name)
    return lambda board: controller.Controller(connection.azure, pool, request, board, verb="repair").run()


def _wait(connection: Link, name: str, *, until: str = "ready", timeout: str | float | None = None) -> Job:
    limit_s = None if timeout is None else parse_duration(timeout)
    goal = known(until, "--until", UNTIL)
    pool = pool_name(name)
    return lambda board: readiness.wait_table(connection.azure, pool, board, until=goal, limit_s=limit_s)


def _stop(connection: Link, name: str) -> Job:
    azure, pattern = connection.azure, is_pattern(name)
    if not pattern:
        pool_name(name)

    async def one(pool: str, board: Board) -> Table:
        stopped = await pools.stop(azure, pool)
        table = await readiness.wait_table(azure, pool, board, until="steady", verb="stop")
        return table if stopped else replace(table, caption=f"{table.caption}; there was no resize to stop")

    async def run(board: Board) -> Table:
        if not pattern:
            return await one(name, board)
        found = [await one(pool, board) for pool in await several_pools.named(azure, name)]
        caption = "; ".join(table.caption for table in found)
        return Table.from_rows("stop", [row for table in found for row in table.rows()], caption)

    return run


def _autoscale(
    connection: Link,
    name: str,
    *,
    formula: str | None = None,
    preset: str | None = None,
    off: bool = False,
    evaluate: bool = False,
    **setting: Any,
) -> Job:
    pool, azure = pool_name(name), connection.azure
    setting_spec = _setting(formula, preset, **setting)
    if off and (setting_spec or evaluate):
        raise SpecError("--off goes with no other option", hint="say what is meant")

    async def run(_: Board) -> Table:
        if off:
            return await autoscale.turn_off(azure, pool)
        if evaluate:
            return await autoscale.evaluate(azure, pool, setting_spec)
        return await (autoscale.turn_on(azure, pool, setting_spec) if setting_spec else autoscale.show(azure, pool))

    return run


def _setting(
    formula: str | None,
    preset: str | None,
    *,
    nodes: int | None = None,
    spot: int | None = None,
    ttl: str | float | None = None,
    interval: str | float | None = None,
) -> autoscale.Setting | None:
    if formula and preset:
        raise SpecError("--formula and --preset", hint="one formula sets the size: give one of them")
    if not (formula or preset):
        if any(one is not None for one in (nodes, spot, ttl, interval)):
            raise SpecError("no formula was given", hint="say --preset NAME or --formula TEXT")
        return None
    return autoscale.Setting(
        formula or "",
        known(preset, "--preset", autoscale.PRESETS) if preset else "",
        node_count(nodes, "--nodes"),
        node_count(spot, "--spot"),
        Policy.from_options(ttl=ttl).ttl,
        None if interval is None else resize_timeout(interval, what="an evaluation interval"),
    )


def _reap(connection: Link, *, dry_run: bool = False, yes: bool = False) -> Job:
    withheld = connection.emulator is None and not (yes or dry_run)

    async def run(board: Board) -> Table:
        table = await cleanup.reap(connection.azure, board, dry_run=dry_run or withheld)
        return replace(table, caption=f"{table.caption}; add --yes to delete them") if withheld else table

    return run


def _history(connection: Link, name: str | None = None, *, plot: bool = False) -> Job:
    pool = None if name is None else pool_name(name)
    if plot and pool is None:
        raise SpecError("--plot draws one pool", hint="name it: `%batchimg history NAME --plot`")

    async def run(_: Board) -> Table:
        return rounds.history(connection.azure, pool)

    return run


def _size(
    connection: Link,
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
    query = options.Question(
        tasks=_above(tasks, "--tasks"),
        minutes=_above(minutes, "--minutes"),
        deadline_s=None if deadline is None else parse_duration(deadline),
        budget_usd=None if budget is None else _above(budget, "--budget"),
        evictions_per_hour=workload.EVICTIONS_PER_HOUR if evictions is None else _share(evictions),
        kinds=NODE_KINDS if kind is None else (known(kind, "--kind", NODE_KINDS),),
        name=None if name is None else pool_name(name),
        **question,
    )
    if query.slots is not None:
        _above(query.slots, "--slots")
    return lambda _: options.table(connection.azure, query)


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
    "repair": _repair,
    "autoscale": _autoscale,
    "reap": _reap,
    "history": _history,
    "wait": _wait,
    "stop": _stop,
    "size": _size,
}
