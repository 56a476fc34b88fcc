"""The tables of nodes: one row a node, or counts of them, of one pool or of many at once, with what idle ones cost."""

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
from batchimg_magics.pool_spec.words import NODE_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.filters import Test
    from batchimg_magics.core.estimates.prices import Rates

#: Pools whose pages are asked for at the same time: enough to hide the way there and back, and no haste.
AT_ONCE = 10
_IDLE = frozenset({"idle"})


@dataclass(frozen=True, slots=True)
class NodeQuery:
    """Which nodes, and how they are shown.

    Parameters
    ----------
    pools
        Names of pools and patterns (``sim-*``).
    counts
        One row a state, instead of one a node.
    states
        Only nodes in one of these states; none: in any.
    where
        A condition on the columns, as `where` reads them.
    prices
        Whether it is asked what the nodes cost.
    """

    pools: tuple[str, ...]
    counts: bool = False
    states: tuple[str, ...] = ()
    where: str | None = None
    prices: bool = True

    @property
    def several_pools(self) -> bool:
        """Whether the table tells pools apart: the question says so, not what is found."""
        return len(self.pools) > 1 or any(map(is_pattern, self.pools))

    @property
    def verb(self) -> str:
        """The name of the table's schema."""
        return f"{'node counts' if self.counts else 'nodes'}{' of pools' if self.several_pools else ''}"

    def test(self) -> Test | None:
        """Return what a row has to pass; None where all are wanted.

        Raises
        ------
        SpecError
            A state is none, or the condition makes no sense.
        """
        schema = SCHEMAS["nodes of pools" if self.several_pools else "nodes"]
        for state in self.states:
            if state not in NODE_STATES:
                raise SpecError(f"--state is {state!r}", hint=suggest_name(state, NODE_STATES))
        tests = [filters.parse(f"state in {list(self.states)!r}", schema)] if self.states else []
        tests += [filters.parse(self.where, schema)] if self.where is not None else []
        return filters.all_of(tests) if tests else None


async def select_pools(azure: Azure, names: Sequence[str]) -> list[Json]:
    """Return the ARM documents of the pools of these names and patterns, by name; case is not told apart.

    Raises
    ------
    NotFoundError
        There is none of a name, or none that fits a pattern; the hint names the nearest.
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
    """One pool's nodes, and what one costs; None: nobody asked."""

    name: str
    columns: dict[str, Sequence[Any]]
    census: Census
    rates: Rates | None = None

    def usd_per_hour(self, states: frozenset[str]) -> float | None:
        """Return what its nodes in these states cost an hour; None where that is not known."""
        counts = (self.census.count(states, dedicated=kind) for kind in (True, False))
        return None if self.rates is None else self.rates.cost(*counts)


async def list_nodes(azure: Azure, query: NodeQuery) -> Table:
    """Return the nodes of pools, or how many are in which state.

    Returns
    -------
    Table
        Of the schema `question.verb`. ``attrs`` has ``idle_usd_per_hour`` and ``unusable_usd_per_hour``: what idle
        nodes cost, and those that are unusable or whose start task failed, of all pools asked for, whatever rows are
        shown; None where a price is not known. ``prices_as_of`` says when the oldest price was read.

    Raises
    ------
    SpecError
        The question makes no sense.
    NotFoundError
        There is no such pool.
    """
    test = query.test()
    # Where nothing of a pool is needed but its nodes, they tell whether it is there.
    bare = not (query.several_pools or query.prices)
    existing: list[Json] = [{"name": query.pools[0]}] if bare else await select_pools(azure, query.pools)
    try:
        found: list[_PoolNodes] = await gather(*(_read(azure, pool, query) for pool in existing), limit=AT_ONCE)
    except NotFoundError:
        await select_pools(azure, query.pools)  # says what there is
        raise
    columns = _stack_columns(found, named=query.several_pools)
    rows = len(columns["node_id"])
    if test is not None:
        mask = [answer is True for answer in test(columns)]
        columns = {name: filter_column(values, mask) for name, values in columns.items()}
    shown = _count_columns(columns, named=query.several_pools) if query.counts else columns
    caption = [_caption(query, found)]
    if test is not None:
        caption.append(f"{len(columns['node_id'])} of {rows} nodes fit")
    money = _cost_attrs(found) if query.prices else {}
    return Table(query.verb, shown, "; ".join([*caption, *(_cost_sentences(found, money) if money else [])]), money)


async def _read(azure: Azure, pool: Json, query: NodeQuery) -> _PoolNodes:
    name = str(pool["name"])
    pages = node_pages.read_columns(azure, name, states_only=query.counts and query.where is None)
    columns, rates = await gather(pages, _rates(azure, pool)) if query.prices else (await pages, None)
    census = Census(Counter(zip(columns["state"], columns["dedicated"], strict=True)))
    return _PoolNodes(name, columns, census, rates)


async def _rates(azure: Azure, pool: Json) -> Rates:
    from batchimg_magics.core.estimates import prices  # only where somebody asks

    try:
        return await prices.read_pool_rates(azure, pool)
    except ServiceError:
        return prices.Rates()  # nodes are shown all the same: what they cost is then not known


def _stack_columns(found: list[_PoolNodes], *, named: bool) -> dict[str, Sequence[Any]]:
    """Return the columns of all pools one below the other, with the pools' names where they are told apart."""
    if not named:
        return found[0].columns
    names = [pool.name for pool in found for _ in pool.columns["node_id"]]
    parts = {name: [pool.columns[name] for pool in found] for name in found[0].columns}
    return {"pool": names} | {name: concatenate(columns) for name, columns in parts.items()}


def _count_columns(columns: dict[str, Sequence[Any]], *, named: bool) -> dict[str, Sequence[Any]]:
    """Return how many nodes of each kind are in each state; states without nodes are left out."""
    names = columns["pool"] if named else [""] * len(columns["state"])
    counts = Counter(zip(names, columns["state"], columns["dedicated"], strict=True))
    order = {state: place for place, state in enumerate(NODE_STATES)}
    both = {(pool, state) for pool, state, _ in counts}
    rows = sorted(both, key=lambda row: (row[0].lower(), order.get(row[1], len(order)), row[1]))
    made: dict[str, Sequence[Any]] = {"pool": [pool for pool, _ in rows]} if named else {}
    return made | {
        "state": [state for _, state in rows],
        "dedicated": [counts[pool, state, True] for pool, state in rows],
        "spot": [counts[pool, state, False] for pool, state in rows],
    }


def _caption(query: NodeQuery, found: list[_PoolNodes]) -> str:
    every = sum((pool.census for pool in found), Census(Counter()))
    return f"{len(found)} pools: {every}" if query.several_pools else f"pool {found[0].name}: {every}"


def _cost_attrs(found: list[_PoolNodes]) -> dict[str, Any]:
    from batchimg_magics.core.estimates import prices

    dates = [pool.rates.as_of for pool in found if pool.rates is not None and pool.rates.as_of is not None]
    return {
        "idle_usd_per_hour": prices.sum_or_none(pool.usd_per_hour(_IDLE) for pool in found),
        "unusable_usd_per_hour": prices.sum_or_none(pool.usd_per_hour(BAD) for pool in found),
        "prices_as_of": min(dates).isoformat() if dates else None,
    }


def _cost_sentences(found: list[_PoolNodes], money: dict[str, Any]) -> list[str]:
    """Return what the caption says of money: nothing where no node is idle or bad."""
    parts = []
    for words, states in (("idle", _IDLE), ("unusable", BAD)):
        if any(pool.census.count(states) for pool in found):
            usd = money[f"{words}_usd_per_hour"]
            parts.append(f"{words} nodes cost {'an unknown price' if usd is None else f'{usd:.2f} USD'} an hour")
    return parts
