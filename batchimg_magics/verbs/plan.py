"""The verb ``plan``."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.verbs.create import VERB as CREATE
from batchimg_magics.verbs.verb import NAME, Option, Verb, VerbCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table

__all__ = ["VERB"]


def start(
    connection: Connection,
    name: str,
    *,
    spec: Mapping[str, Any] | str | None = None,
    replace: bool = False,
    out: str | None = None,
    force: bool = False,
    **options: Any,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations import plan
    from batchimg_magics.pool_spec.pool import PoolSpec

    pool_spec = PoolSpec.build(name, spec, **options)
    if out is None:
        if force:
            raise SpecError("--force is for --out: without it, no file is written", hint="add --out FILE")
        return lambda board: plan.plan_table(connection.azure, pool_spec, board, replace=replace)
    from batchimg_magics.core.base.files import check_new_file
    from batchimg_magics.core.operations import plan_file

    check_new_file(out, force=force)
    where = plan_file.connection_of(connection.azure, billed=connection.is_billed)
    save = partial(plan_file.save_plan, out, where, replace=replace, force=force)

    async def run(board: Board) -> Table:
        table = await plan.plan_table(connection.azure, pool_spec, board, replace=replace, save=save)
        return dataclasses.replace(table, caption=f"{table.caption}; written to {out}")

    return run


#: Options of `create` that only matter when it runs.
_EXECUTION_OPTIONS = frozenset({"wait", "yes", "dry_run", "plan"})
_OUT = (
    Option("--out", "Write the plan to this file, for `create --plan FILE`", metavar="FILE", completion="file"),
    Option("--force", "Replace the file of --out if it exists"),
)

VERB = Verb(
    "plan",
    "Show the steps that create would take, without changing anything",
    (
        NAME,
        *(option for option in CREATE.options if option.keyword not in {*_EXECUTION_OPTIONS, NAME.keyword}),
        *_OUT,
    ),
    (
        "plan genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 20 --spot 5",
        "plan genomics --spec genomics.yaml",
        "plan genomics --spec genomics.yaml --out genomics-plan.toml",
    ),
    start,
    returns="One row per step.",
    raises=(("SpecError, NotFoundError, ConflictError", "`create` could not work."),),
    takes_body=True,
)
