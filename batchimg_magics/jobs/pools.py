"""Jobs that make pools, look at them and take them away."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.operations import create, delete, plan, pools
from batchimg_magics.pool_spec.values import pool_name
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.jobs.job import VerbCall


def _pools(connection: Connection) -> VerbCall:
    return lambda _: pools.list_pools(connection.azure)


def _create(
    connection: Connection,
    name: str,
    *,
    spec: Mapping[str, Any] | str | None = None,
    replace: bool = False,
    yes: bool = False,
    **options: Any,
) -> VerbCall:
    from batchimg_magics.pool_spec.pool import PoolSpec  # pydantic, which other verbs do without

    pool_spec = PoolSpec.build(name, spec, **options)
    agreed = create.CreateConsent(replace=replace, withheld=connection.emulator is None and not yes, yes=yes)
    return lambda board: create.create(connection.azure, pool_spec, board, agreed)


def _plan(
    connection: Connection,
    name: str,
    *,
    spec: Mapping[str, Any] | str | None = None,
    replace: bool = False,
    **options: Any,
) -> VerbCall:
    from batchimg_magics.pool_spec.pool import PoolSpec

    pool_spec = PoolSpec.build(name, spec, **options)
    return lambda board: plan.plan_table(connection.azure, pool_spec, board, replace=replace)


def _delete(
    connection: Connection, name: str, *, image: bool = False, dry_run: bool = False, yes: bool = False
) -> VerbCall:
    what = str(ResourceId.parse(name)) if "/" in name else pool_name(name)
    withheld = connection.emulator is None and not (yes or dry_run)

    async def run(board: Board) -> Table:
        dry = dry_run or withheld
        table = await delete.delete(connection.azure, what, board, image=image, dry_run=dry, blindly=yes)
        return dataclasses.replace(table, caption=f"{table.caption}; add --yes to do it") if withheld else table

    return run


#: Verb to its job.
JOBS: dict[str, Callable[..., VerbCall]] = {
    "pools": _pools,
    "create": _create,
    "plan": _plan,
    "delete": _delete,
}
