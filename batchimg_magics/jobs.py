"""The verbs as jobs for a session's loop.

Each takes its options apart at once, and raises when they make no sense; what it returns does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from batchimg_magics.core import apply, images, nodes, offers, pools, resize, vms
from batchimg_magics.errors import SpecError
from batchimg_magics.spec import PoolSpec, closest, node_count, parse_duration, pool_name, resize_timeout

if TYPE_CHECKING:
    from batchimg_magics.connecting import Link
    from batchimg_magics.core.azure import Azure
    from batchimg_magics.core.progress import Board
    from batchimg_magics.core.tables import Table

Job: TypeAlias = Callable[["Board"], Coroutine[Any, Any, "Table"]]
_UNTIL = ("ready", "steady")


def _vms(link: Link) -> Job:
    return lambda _: vms.table(link.azure)


def _images(link: Link) -> Job:
    return lambda _: images.table(link.azure)


def _pools(link: Link) -> Job:
    return lambda _: pools.table(link.azure)


def _create(link: Link, name: str, *, spec: Mapping[str, Any] | str | None = None, **options: Any) -> Job:
    wanted = PoolSpec.build(name, spec, **options)
    return lambda board: apply.create(link.azure, wanted, board)


def _nodes(link: Link, name: str, *, counts: bool = False) -> Job:
    table = nodes.counts_table if counts else nodes.table

    async def run(_: Board) -> Table:
        pool = await pools.state(link.azure, pool_name(name))
        return await table(link.azure, pool.name)

    return run


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
        _known(until, "--until", _UNTIL),
    )
    pool = pool_name(name)
    return lambda board: resize.Controller(link.azure, pool, wish, board).run()


def _wait(link: Link, name: str, *, until: str = "ready", timeout: str | float | None = None) -> Job:
    limit_s = None if timeout is None else parse_duration(timeout)
    goal = _known(until, "--until", _UNTIL)
    pool = pool_name(name)
    return lambda board: resize.wait_table(link.azure, pool, board, until=goal, limit_s=limit_s)


def _stop(link: Link, name: str) -> Job:
    pool = pool_name(name)

    async def run(board: Board) -> Table:
        stopped = await pools.stop(link.azure, pool)
        table = await resize.wait_table(link.azure, pool, board, until="steady", verb="stop")
        return table if stopped else replace(table, caption=f"{table.caption}; there was no resize to stop")

    return run


def _delete(link: Link, name: str, *, image: bool = False, dry_run: bool = False, yes: bool = False) -> Job:
    pool = pool_name(name)
    withheld = link.local is None and not (yes or dry_run)

    async def run(board: Board) -> Table:
        table = await apply.delete(link.azure, pool, board, image=image, dry_run=dry_run or withheld)
        return replace(table, caption=f"{table.caption}; add --yes to do it") if withheld else table

    return run


def _known(word: str, option: str, allowed: tuple[str, ...]) -> str:
    if word not in allowed:
        raise SpecError(f"{option} is {word!r}", hint=closest(word, allowed))
    return word


JOBS: dict[str, Callable[..., Job]] = {
    "vms": _vms,
    "images": _images,
    "pools": _pools,
    "create": _create,
    "nodes": _nodes,
    "resize": _resize,
    "wait": _wait,
    "stop": _stop,
    "delete": _delete,
}


# -- names for completion ----------------------------------------------------------------------------------------


async def _pool_names(azure: Azure) -> list[str]:
    return [pool["name"] for pool in await pools.listed(azure)]


async def _vm_names(azure: Azure) -> list[str]:
    return [vm["name"] for vm in await azure.listed(azure.compute.virtual_machines.list_all())]


async def _size_names(azure: Azure) -> list[str]:
    return [size["name"] for size in await offers.sizes(azure)]


NAMES: dict[str, Callable[[Azure], Coroutine[Any, Any, list[str]]]] = {
    "pool": _pool_names,
    "vm": _vm_names,
    "vm_size": _size_names,
}
