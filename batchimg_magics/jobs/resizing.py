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
from batchimg_magics.core.scaling.request import ResizeRequest
from batchimg_magics.errors import SpecError
from batchimg_magics.jobs.job import UNTIL_STATES, check_choice
from batchimg_magics.pool_spec.resize_policy import DRAIN_CHOICES, ResizePolicy
from batchimg_magics.pool_spec.values import is_pattern, node_count, parse_duration, pool_name, resize_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.jobs.job import VerbCall


Number = TypeVar("Number", int, float)


def _resize(
    connection: Connection,
    name: str,
    *,
    nodes: int | None = None,
    spot: int | None = None,
    drain: str | None = None,
    autoscale_off: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    **policy: Any,
) -> VerbCall:
    if nodes is None and spot is None:
        raise SpecError("no size was given", hint="say --nodes N, --spot N or both")
    request = ResizeRequest(
        node_count(nodes, "--nodes"),
        node_count(spot, "--spot"),
        ResizePolicy.from_options(**policy),
        drain=None if drain is None else check_choice(drain, "--drain", DRAIN_CHOICES),
        autoscale_off=autoscale_off,
    )
    azure, withheld = connection.azure, connection.emulator is None and not yes
    pattern = is_pattern(name)
    if not pattern:
        pool_name(name)

    async def run(board: Board) -> Table:
        names = await several_pools.match_pools(azure, name) if pattern else [name]
        if dry_run:
            return await several_pools.preview(azure, names, request, "")
        if withheld and (pattern or await several_pools.ends_tasks(azure, name, request)):
            why = "" if pattern else ": some run tasks, which would end"
            return await several_pools.preview(azure, names, request, f"{why}; add --yes to do it")
        if pattern:
            return await several_pools.resize_pools(azure, names, request, board)
        return await controller.ResizeController(azure, name, request, board).run()

    return run


def _repair(connection: Connection, name: str, **policy: Any) -> VerbCall:
    request = ResizeRequest(policy=ResizePolicy.from_options(repair=True, canary=False, **policy))
    pool = pool_name(name)
    return lambda board: controller.ResizeController(connection.azure, pool, request, board, verb="repair").run()


def _wait(connection: Connection, name: str, *, until: str = "ready", timeout: str | float | None = None) -> VerbCall:
    limit_s = None if timeout is None else parse_duration(timeout)
    goal = check_choice(until, "--until", UNTIL_STATES)
    pool = pool_name(name)
    return lambda board: readiness.wait_for_pool(connection.azure, pool, board, until=goal, limit_s=limit_s)


def _stop(connection: Connection, name: str) -> VerbCall:
    azure, pattern = connection.azure, is_pattern(name)
    if not pattern:
        pool_name(name)

    async def one(pool: str, board: Board) -> Table:
        stopped = await pools.stop_resize(azure, pool)
        table = await readiness.wait_for_pool(azure, pool, board, until="steady", verb="stop")
        return table if stopped else replace(table, caption=f"{table.caption}; there was no resize to stop")

    async def run(board: Board) -> Table:
        if not pattern:
            return await one(name, board)
        found = [await one(pool, board) for pool in await several_pools.match_pools(azure, name)]
        caption = "; ".join(table.caption for table in found)
        return Table.from_rows("stop", [row for table in found for row in table.rows()], caption)

    return run


def _autoscale(
    connection: Connection,
    name: str,
    *,
    formula: str | None = None,
    preset: str | None = None,
    off: bool = False,
    evaluate: bool = False,
    **setting: Any,
) -> VerbCall:
    pool, azure = pool_name(name), connection.azure
    setting_spec = _parse_setting(formula, preset, **setting)
    if off and (setting_spec or evaluate):
        raise SpecError("--off goes with no other option", hint="say what is meant")

    async def run(_: Board) -> Table:
        if off:
            return await autoscale.turn_off(azure, pool)
        if evaluate:
            return await autoscale.evaluate(azure, pool, setting_spec)
        return await (autoscale.turn_on(azure, pool, setting_spec) if setting_spec else autoscale.show(azure, pool))

    return run


def _parse_setting(
    formula: str | None,
    preset: str | None,
    *,
    nodes: int | None = None,
    spot: int | None = None,
    ttl: str | float | None = None,
    interval: str | float | None = None,
) -> autoscale.AutoscaleSetting | None:
    if formula and preset:
        raise SpecError("--formula and --preset", hint="one formula sets the size: give one of them")
    if not (formula or preset):
        if any(one is not None for one in (nodes, spot, ttl, interval)):
            raise SpecError("no formula was given", hint="say --preset NAME or --formula TEXT")
        return None
    return autoscale.AutoscaleSetting(
        formula or "",
        check_choice(preset, "--preset", autoscale.PRESETS) if preset else "",
        node_count(nodes, "--nodes"),
        node_count(spot, "--spot"),
        ResizePolicy.from_options(ttl=ttl).ttl,
        None if interval is None else resize_timeout(interval, what="an evaluation interval"),
    )


def _reap(connection: Connection, *, dry_run: bool = False, yes: bool = False) -> VerbCall:
    withheld = connection.emulator is None and not (yes or dry_run)

    async def run(board: Board) -> Table:
        table = await cleanup.delete_expired_pools(connection.azure, board, dry_run=dry_run or withheld)
        return replace(table, caption=f"{table.caption}; add --yes to delete them") if withheld else table

    return run


def _history(connection: Connection, name: str | None = None, *, plot: bool = False) -> VerbCall:
    pool = None if name is None else pool_name(name)
    if plot and pool is None:
        raise SpecError("--plot draws one pool", hint="name it: `%batchimg history NAME --plot`")

    async def run(_: Board) -> Table:
        return rounds.history(connection.azure, pool)

    return run


def _size(
    connection: Connection,
    name: str | None = None,
    *,
    tasks: int | None = None,
    minutes: float | None = None,
    deadline: str | float | None = None,
    budget: float | None = None,
    evictions: float | None = None,
    kind: str | None = None,
    **question: Any,
) -> VerbCall:
    if tasks is None or minutes is None:
        raise SpecError("there is nothing to size by", hint="say --tasks N and --minutes M, how long one takes")
    if deadline is None and budget is None:
        raise SpecError("nothing binds the size", hint="say --deadline 4h, --budget 200, or both")
    query = options.SizingQuery(
        tasks=_check_positive(tasks, "--tasks"),
        minutes=_check_positive(minutes, "--minutes"),
        deadline_s=None if deadline is None else parse_duration(deadline),
        budget_usd=None if budget is None else _check_positive(budget, "--budget"),
        evictions_per_hour=workload.EVICTIONS_PER_HOUR if evictions is None else _check_evictions(evictions),
        kinds=NODE_KINDS if kind is None else (check_choice(kind, "--kind", NODE_KINDS),),
        name=None if name is None else pool_name(name),
        **question,
    )
    if query.slots is not None:
        _check_positive(query.slots, "--slots")
    return lambda _: options.list_options(connection.azure, query)


def _check_positive(value: Number, option: str) -> Number:
    if not 0 < value < math.inf:
        raise SpecError(f"{option} is {value}", hint="it is more than 0")
    return value


def _check_evictions(value: float) -> float:
    if not 0 <= value < 1:
        raise SpecError(f"--evictions is {value}", hint="a share of the spot nodes an hour: 0.1 or 10%")
    return value


#: Verb to its job.
JOBS: dict[str, Callable[..., VerbCall]] = {
    "resize": _resize,
    "repair": _repair,
    "autoscale": _autoscale,
    "reap": _reap,
    "history": _history,
    "wait": _wait,
    "stop": _stop,
    "size": _size,
}
