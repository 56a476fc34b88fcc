"""Jobs that look before anything is made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.operations import check
from batchimg_magics.jobs.job import known
from batchimg_magics.pool_spec.values import pool_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.connection.connection import Link
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.jobs.job import Job


def _check(
    connection: Link, name: str, *, kind: str | None = None, pool: str | None = None, role: bool = False, **asked: Any
) -> Job:
    which = None if kind is None else known(kind, "--as", check.KINDS)
    target = None if pool is None else pool_name(pool)

    async def run(_: Board) -> Table:
        table = await check.run(connection.azure, name, kind=which, pool=target, asked=asked)
        # The role is always there for programs; it is long, so people ask for it.
        return replace(table, attrs={**table.attrs, "show_role": True}) if role else table

    return run


#: Verb to its job.
JOBS: dict[str, Callable[..., Job]] = {
    "check": _check,
}
