"""Jobs that look before anything is made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.operations import check
from batchimg_magics.jobs.job import check_choice
from batchimg_magics.pool_spec.values import pool_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.jobs.job import VerbCall


def _check(
    connection: Connection,
    name: str,
    *,
    kind: str | None = None,
    pool: str | None = None,
    role: bool = False,
    **asked: Any,
) -> VerbCall:
    which = None if kind is None else check_choice(kind, "--as", check.KINDS)
    target = None if pool is None else pool_name(pool)

    async def run(_: Board) -> Table:
        table = await check.check_resource(connection.azure, name, kind=which, pool=target, asked=asked)
        # The role is always there for programs; it is long, so people ask for it.
        return replace(table, attrs={**table.attrs, "show_role": True}) if role else table

    return run


#: Verb to its job.
JOBS: dict[str, Callable[..., VerbCall]] = {
    "check": _check,
}
