"""The job that lists nodes: in a module of its own, since the command line imports nothing else for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.operations import nodes
from batchimg_magics.pool_spec.values import pool_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.jobs.job import VerbCall


def _nodes(
    connection: Connection,
    name: str | Sequence[str],
    *,
    counts: bool = False,
    state: str | Sequence[str] = (),
    where: str | None = None,
    prices: bool = True,
) -> VerbCall:
    names, states = ([one] if isinstance(one, str) else one for one in (name, state))
    query = nodes.NodeQuery(tuple(map(pool_pattern, names)), counts, tuple(states), where, prices)
    query.test()
    return lambda _: nodes.list_nodes(connection.azure, query)


#: Verb to its job.
JOBS: dict[str, Callable[..., VerbCall]] = {
    "nodes": _nodes,
}
