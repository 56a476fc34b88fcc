"""`nodes`: one row per node, or node counts, of one or several pools, with the cost of idle nodes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base import filters
from batchimg_magics.core.base.concurrency import gather
from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.core.base.table import Table, concatenate, filter_column
from batchimg_magics.core.batch import node_pages, pools
from batchimg_magics.core.batch.nodes import BAD, Census
from batchimg_magics.errors import NotFoundError, ServiceError, SpecError
from batchimg_magics.pool_spec.values import is_pattern, suggest_name
from batchimg_magics.pool_spec.words import NODE_STATES, count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.filters import Test
    from batchimg_magics.core.estimates.prices import Rates

#: Pools that are read at the same time: enough to hide the network latency without overloading the service.
AT_ONCE = 10
_IDLE = frozenset({"idle"})


@dataclass(frozen=True, slots=True)
class NodeQuery:
    """Which nodes to show, and how.

    Parameters
    ----------
    pools
        Names of pools and patterns (``sim-*``).
    counts
        One row per state instead of one per node.
    states
        Only nodes in one of these states; empty: all states.
    where
        A condition on the columns, as `filters.parse` reads it.
    prices
        Whether to read the prices of the nodes.
    """

    pools: tuple[str, ...]
    counts: bool = False
    states: tuple[str, ...] = ()
    where: str | None = None
    prices: bool = True

    @property
    def several_pools(self) -> bool:
        """Whether the table has a column of pools: this depends on the query, not on the result."""
        return len(self.pools) > 1 or any(map(is_pattern, self.pools))

    @property
    def verb(self) -> str:
        """The name of the table's schema."""
        return f"{'node counts' if self.counts else 'nodes'}{' of pools' if self.several_pools else ''}"

    def test(self) -> Test | None:
        """Return the test for rows; None if all rows are shown.

        Raises
        ------
        SpecError
            A state is unknown, or the condition is not valid.
        """
        schema = SCHEMAS["nodes of pools" if self.several_pools else "nodes"]
        for state in self.states:
            if state not in NODE_STATES:
                raise SpecError(f"--state is {state!r}", hint=suggest_name(state, NODE_STATES))
        tests = [filters.parse(f"state in {list(self.states)!r}", schema)] if self.states else []
        tests += [filters.parse(self.where, schema)] if self.where is not None else []
        return filters.all_of(tests) if tests else None


async def select_pools(azure: Azure, names: Sequence[str]) -> list[Json]:
    """Return the ARM documents of the pools with these names and patterns, sorted by name; case is ignored.

    Raises
    ------
    NotFoundError
        No pool has a name or matches a pattern; the hint has the most similar name.
    """
    if len(names) == 1 and not is_pattern(names[0]) and (one := await pools.read(azure, names[0])) is not None:
        return [one]
    existing = await pools.read_all(azure)
    found: dict[str, Json] = {}
    for name in names:
        if not (fitting := pools.find_matches(existing, name)):
            raise pools.not_found_error(azure, name, existing)
        found |= {str(pool["name"]).lower(): pool for pool in fitting}
    return [found[low] for low in sorted(found)]


@dataclass(frozen=True, slots=True)
class _PoolNodes:
    """The nodes of one pool, and the price of a node; None if it was not read."""

    name: str
    columns: dict[str, Sequence[Any]]
    census: Census
    rates: Rates | None = None

    def usd_per_hour(self, states: frozenset[str]) -> float | None:
        """Return the cost of its nodes in these states per hour; None if unknown."""
        counts = (self.census.count(states, dedicated=kind) for kind in (True, False))
        return None if self.rates is None else self.rates.nodes_cost(*counts)


async def list_nodes(azure: Azure, query: NodeQuery) -> Table:
    """Return the nodes of pools, or the number of nodes in each state.

    Returns
    -------
    Table
        With the schema `query.verb`. ``attrs`` has ``idle_usd_per_hour`` and ``unusable_usd_per_hour``: the cost of all
        idle nodes, and of all unusable nodes and those whose start task failed, in all requested pools, whatever rows
        are shown; None if a price is unknown. ``prices_as_of`` is the time when the oldest price was read.

    Raises
    ------
    SpecError
        The query is not valid.
    NotFoundError
        There is no such pool.
    """
    test = query.test()
    # If only the nodes of one pool are needed, reading them shows whether the pool exists.
    nodes_only = not (query.several_pools or query.prices)
    existing: list[Json] = [{"name": query.pools[0]}] if nodes_only else await select_pools(azure, query.pools)
    try:
        found: list[_PoolNodes] = await gather(*(_read(azure, pool, query) for pool in existing), limit=AT_ONCE)
    except NotFoundError:
        await select_pools(azure, query.pools)  # its error names the existing pools
        raise
    columns = _stack_columns(found, named=query.several_pools)
    rows = len(columns["node_id"])
    if test is not None:
        mask = [answer is True for answer in test(columns)]
        columns = {name: filter_column(values, mask) for name, values in columns.items()}
    shown = _count_columns(columns, named=query.several_pools) if query.counts else columns
    caption = [_caption(query, found)]
    if test is not None:
        caption.append(f"{len(columns['node_id']):,} of {count_text(rows, 'node')} match")
    costs = _cost_attrs(found) if query.prices else {}
    if costs:
        caption += _cost_sentences(found, costs)
    no_match = (
        {"empty": "no node matches the filter; without it, all nodes are shown"}
        if rows and not columns["node_id"]
        else {}
    )
    return Table(query.verb, shown, "; ".join(caption), costs | no_match)


async def _read(azure: Azure, pool: Json, query: NodeQuery) -> _PoolNodes:
    name = str(pool["name"])
    pages = node_pages.read_columns(azure, name, states_only=query.counts and query.where is None)
    columns, rates = await gather(pages, _rates(azure, pool)) if query.prices else (await pages, None)
    census = Census(Counter(zip(columns["state"], columns["dedicated"], strict=True)))
    return _PoolNodes(name, columns, census, rates)


async def _rates(azure: Azure, pool: Json) -> Rates:
    from batchimg_magics.core.estimates import prices  # only if prices are requested

    try:
        return await prices.read_pool_rates(azure, pool)
    except ServiceError:
        return prices.Rates()  # the nodes are shown with an unknown cost


def _stack_columns(found: list[_PoolNodes], *, named: bool) -> dict[str, Sequence[Any]]:
    """Return the columns of all pools, concatenated, with a column of pool names if requested."""
    if not named:
        return found[0].columns
    names = [pool.name for pool in found for _ in pool.columns["node_id"]]
    parts = {name: [pool.columns[name] for pool in found] for name in found[0].columns}
    return {"pool": names} | {name: concatenate(columns) for name, columns in parts.items()}


def _count_columns(columns: dict[str, Sequence[Any]], *, named: bool) -> dict[str, Sequence[Any]]:
    """Return the number of dedicated and spot nodes in each state; states without nodes are omitted."""
    names = columns["pool"] if named else [""] * len(columns["state"])
    counts = Counter(zip(names, columns["state"], columns["dedicated"], strict=True))
    order = {state: position for position, state in enumerate(NODE_STATES)}
    pairs = {(pool, state) for pool, state, _ in counts}
    rows = sorted(pairs, key=lambda row: (row[0].lower(), order.get(row[1], len(order)), row[1]))
    names_column: dict[str, Sequence[Any]] = {"pool": [pool for pool, _ in rows]} if named else {}
    return names_column | {
        "state": [state for _, state in rows],
        "dedicated": [counts[pool, state, True] for pool, state in rows],
        "spot": [counts[pool, state, False] for pool, state in rows],
    }


def _caption(query: NodeQuery, found: list[_PoolNodes]) -> str:
    total = sum((pool.census for pool in found), Census(Counter()))
    return f"{count_text(len(found), 'pool')}: {total}" if query.several_pools else f"pool {found[0].name}: {total}"


def _cost_attrs(found: list[_PoolNodes]) -> dict[str, Any]:
    from batchimg_magics.core.estimates import prices

    dates = [pool.rates.as_of for pool in found if pool.rates is not None and pool.rates.as_of is not None]
    return {
        "idle_usd_per_hour": prices.sum_or_none(pool.usd_per_hour(_IDLE) for pool in found),
        "unusable_usd_per_hour": prices.sum_or_none(pool.usd_per_hour(BAD) for pool in found),
        "prices_as_of": min(dates).isoformat() if dates else None,
    }


def _cost_sentences(found: list[_PoolNodes], costs: dict[str, Any]) -> list[str]:
    """Return the costs for the caption: nothing if no node is idle or unusable."""
    parts = []
    for name, states in (("idle", _IDLE), ("unusable", BAD)):
        if any(pool.census.count(states) for pool in found):
            usd = costs[f"{name}_usd_per_hour"]
            parts.append(f"cost of {name} nodes: {'price not available' if usd is None else f'${usd:,.2f}/h'}")
    return parts
