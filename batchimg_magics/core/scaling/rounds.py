"""Rounds: what a resize and a repair did, one row each, in the table and in the ledger."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import parse_time
from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.core.base.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.batch.nodes import Census
    from batchimg_magics.core.scaling.outcomes import ResizeOutcome

_TIMES = ("started", "ended")


@dataclass(frozen=True, slots=True)
class Round:
    """One thing that was done to a pool's nodes and what came of it.

    Parameters
    ----------
    pool, number
        Which pool, and which round of this work.
    started, ended
        In seconds since 1970.
    before, after
        Live nodes.
    target
        What was asked for.
    verdict
        What kind of outcome it is, and Azure's error.
    action
        What was done about it.
    timeout_s
        The resize timeout that Azure was given; None where nothing was resized.
    usd
        What the pool's nodes cost meanwhile at most.
    """

    pool: str
    number: int
    started: float
    ended: float
    before: Counts
    after: Counts
    target: Counts
    outcome: ResizeOutcome
    action: str
    timeout_s: float | None = None
    usd: float | None = None

    @property
    def gained_nodes(self) -> bool:
        """Whether there are more nodes than before."""
        return self.after.total > self.before.total

    def row(self) -> dict[str, Any]:
        """Return this round as a row of the table."""
        return {
            "pool": self.pool,
            "round": self.number,
            "class": self.outcome.kind,
            "action": self.action,
            "code": self.outcome.code,
            "message": self.outcome.message,
            "dedicated_from": self.before.dedicated,
            "dedicated_to": self.after.dedicated,
            "dedicated_target": self.target.dedicated,
            "spot_from": self.before.spot,
            "spot_to": self.after.spot,
            "spot_target": self.target.spot,
            "seconds": round(self.ended - self.started, 1),
            "usd": None if self.usd is None else round(self.usd, 4),
            "timeout_minutes": None if self.timeout_s is None else self.timeout_s / 60,
            "started": dt.datetime.fromtimestamp(self.started, dt.UTC),
            "ended": dt.datetime.fromtimestamp(self.ended, dt.UTC),
        }


def rounds_table(verb: str, rounds: Iterable[Round], caption: str, nodes: str) -> Table:
    """Return rounds as a verb's table, with what nodes there are in attrs."""
    return Table.from_rows(verb, [one.row() for one in rounds], caption, nodes=nodes)


def history(azure: Azure, pool: str | None) -> Table:
    """Return all rounds there ever were, as far as the ledger on this machine knows."""
    rows = _parse_rows(azure.ledger.rounds(pool))
    caption = f"rounds of pool {pool}: {len(rows)}" if pool else f"rounds in account {azure.scope.account}: {len(rows)}"
    attrs = {"samples": azure.ledger.samples(pool)} if pool else {}
    return Table.from_rows("history", rows, caption, **attrs)


def last_rounds(azure: Azure, pool: str, most: int) -> Table:
    """Return a pool's last rounds, at most so many, without the states that nodes were in meanwhile."""
    return Table.from_rows("history", _parse_rows(azure.ledger.rounds(pool)[-most:]))


def _parse_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of the ledger as the table has them; what only another version has a column for goes."""
    for row in rows:
        row.update({name: parse_time(row[name]) for name in _TIMES if row.get(name)})
    known = {column.name for column in SCHEMAS["history"]}
    return [{name: value for name, value in row.items() if name in known} for row in rows]


def live_counts(census: Census) -> Counts:
    """Return how many nodes there are that have not gone."""
    return Counts(census.live(dedicated=True), census.live(dedicated=False))


def held_counts(census: Census) -> Counts:
    """Return how many nodes Azure holds for the target: live ones, and preempted ones that it brings back."""
    return Counts(census.held(dedicated=True), census.held(dedicated=False))
