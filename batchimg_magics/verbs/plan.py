"""The verb ``plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.verbs.create import VERB as CREATE
from batchimg_magics.verbs.verb import Verb, VerbCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(
    connection: Connection,
    name: str,
    *,
    spec: Mapping[str, Any] | str | None = None,
    replace: bool = False,
    **options: Any,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations import plan
    from batchimg_magics.pool_spec.pool import PoolSpec

    pool_spec = PoolSpec.build(name, spec, **options)
    return lambda board: plan.plan_table(connection.azure, pool_spec, board, replace=replace)


#: Options of `create` that only matter when it runs.
_EXECUTION_OPTIONS = frozenset({"wait", "yes", "dry_run"})

VERB = Verb(
    "plan",
    "Show the steps that create would take, without changing anything",
    tuple(option for option in CREATE.options if option.keyword not in _EXECUTION_OPTIONS),
    (
        "plan genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 20 --spot 5",
        "plan genomics --spec genomics.yaml",
    ),
    start,
    returns="One row per step.",
    raises=(("SpecError, NotFoundError, ConflictError", "`create` could not work."),),
    takes_body=True,
)
