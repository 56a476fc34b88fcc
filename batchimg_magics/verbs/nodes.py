"""The verb ``nodes``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.pool_spec.words import NODE_STATES
from batchimg_magics.verbs.verb import NAMES, Option, Verb, VerbCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(
    connection: Connection,
    name: str | Sequence[str],
    *,
    counts: bool = False,
    state: str | Sequence[str] = (),
    where: str | None = None,
    prices: bool = True,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations import nodes
    from batchimg_magics.pool_spec.values import pool_pattern

    names, states = ([one] if isinstance(one, str) else one for one in (name, state))
    query = nodes.NodeQuery(tuple(map(pool_pattern, names)), counts, tuple(states), where, prices)
    query.test()
    return lambda _: nodes.list_nodes(connection.azure, query)


_EXTRA_TEXT = """\
Of several pools, a column `pool` (`string`) comes first. `attrs` has `idle_usd_per_hour`, `unusable_usd_per_hour`
(nodes that are unusable or whose start task failed) and `prices_as_of`; they are None where a price is not known.

A condition compares columns with values (`running_tasks == 0`, `state_since < '2026-07-01T09:30'`,
`state in ['idle', 'running']`, `dedicated`) and combines comparisons with `and`, `or`, `not` and parentheses, as in
`DataFrame.query`. A missing value matches no comparison; use `exit_code == None` to find it.

With `--counts`:"""

VERB = Verb(
    "nodes",
    "List the nodes of one or more pools and their current state",
    (
        NAMES,
        Option("--counts", "Count the nodes by state instead of listing them"),
        Option(
            "--state",
            "Show only nodes in this state; can be repeated",
            metavar="STATE",
            choices=NODE_STATES,
            combine=tuple,
            annotation="str | Sequence[str]",
        ),
        Option(
            "--where",
            "Show only nodes that match a condition: == != < <= > >=, in [...], and, or, not",
            metavar="CONDITION",
            completion="where",
        ),
        Option("--no-prices", "Skip the price lookup for idle nodes", dest="prices", const=False),
    ),
    (
        "nodes genomics",
        "nodes genomics --counts",
        "nodes genomics --state unusable --state starttaskfailed",
        "nodes genomics --where \"state == 'idle' and running_tasks == 0\"",
        "nodes 'sim-*' --counts",
    ),
    start,
    returns="One row per node; with `counts`, one per state.",
    raises=(
        ("SpecError", "A state or the condition is not valid."),
        ("NotFoundError", "There is no such pool."),
    ),
    extra_tables=(("node counts", _EXTRA_TEXT),),
)
