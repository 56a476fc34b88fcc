"""Rounds: the resize attempts and repairs of a pool, one row each, in the table and in the local history file."""

from __future__ import annotations

import datetime as dt
import textwrap
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

_TIMES = ("started", "ended", "pool_created")
#: Names of columns and outcome classes in rows that earlier versions wrote, and their names today.
_RENAMED_COLUMNS = {
    "dedicated_from": "dedicated_before",
    "dedicated_to": "dedicated_after",
    "spot_from": "spot_before",
    "spot_to": "spot_after",
}
#: The types of the values of a row, by the kind of their column.
_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "word": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "time": (dt.datetime,),
}
_RENAMED_CLASSES = {"short": "partial", "passing": "transient", "foreign": "external"}


#: Characters of a message in a table, at most.
MAX_MESSAGE = 240


@dataclass(frozen=True, slots=True)
class Round:
    """One resize attempt, repair, or other change of a pool's nodes.

    Parameters
    ----------
    pool, number
        The pool, and the number of the row in this resize, from 1.
    started, ended
        When, in seconds since 1970.
    before, after
        The nodes that are not leaving.
    target
        The requested nodes.
    outcome
        Its class, and Azure's error.
    action
        What was done, or what was done next.
    timeout_s
        The resize timeout that Azure got; None where nothing was resized.
    usd
        Maximum cost of the pool's nodes in that time; None where a price is not known.
    pool_created
        When the pool was created.
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
    pool_created: dt.datetime | None = None

    @property
    def gained_nodes(self) -> bool:
        """Whether there are more nodes than before."""
        return self.after.total > self.before.total

    def row(self) -> dict[str, Any]:
        """Return the row of the table."""
        return {
            "pool": self.pool,
            "round": self.number,
            "class": self.outcome.kind.value,
            "action": self.action or None,
            "code": self.outcome.code,
            "message": _shortened(self.outcome.message),
            "hint": self.outcome.fix or None,
            "dedicated_before": self.before.dedicated,
            "dedicated_after": self.after.dedicated,
            "dedicated_target": self.target.dedicated,
            "spot_before": self.before.spot,
            "spot_after": self.after.spot,
            "spot_target": self.target.spot,
            "seconds": round(self.ended - self.started, 1),
            "usd": None if self.usd is None else round(self.usd, 4),
            "pool_created": self.pool_created,
            "timeout_minutes": None if self.timeout_s is None else self.timeout_s / 60,
            "started": dt.datetime.fromtimestamp(self.started, dt.UTC),
            "ended": dt.datetime.fromtimestamp(self.ended, dt.UTC),
        }


def _shortened(message: str | None) -> str | None:
    """Return a message as it fits a table; the error has all of it."""
    return message and textwrap.shorten(message, MAX_MESSAGE, placeholder=" ...")


def rounds_table(verb: str, rounds: Iterable[Round], caption: str, nodes: str) -> Table:
    """Return rounds as a verb's table, with the pool's nodes in attrs."""
    return Table.from_rows(verb, [one.row() for one in rounds], caption, nodes=nodes)


def history(azure: Azure, pool: str | None) -> Table:
    """Return all rounds in the local history file, of one pool or of all pools of the account."""
    rows = _parse_rows(azure.ledger.rounds(pool))
    whose = f"pool {pool}" if pool else f"account {azure.scope.account}"
    caption = f"resize attempts of {whose}: {len(rows)}"
    lives: dict[str, set[object]] = {}
    for row in rows:
        lives.setdefault(row["pool"].lower(), set()).add(row.get("pool_created"))
    if several := [f"{len(found)} pools named {name}" for name, found in lives.items() if len(found) > 1]:
        caption += f"; {', '.join(several)} (pool_created)"
    attrs = {"samples": azure.ledger.samples(pool)} if pool else {}
    return Table.from_rows("history", rows, caption, **attrs)


def recent_rounds(azure: Azure, pool: str, most: int) -> Table:
    """Return the last rounds of all pools that had this name, at most so many; ``pool_created`` tells them apart."""
    return Table.from_rows("history", _parse_rows(azure.ledger.rounds(pool)[-most:]))


def last_rounds(azure: Azure, pool: str, most: int) -> Table:
    """Return the last rounds of the pool of this name, at most so many; those of deleted pools are left out."""
    deleted_at = azure.ledger.deleted_at(pool)
    rows = [row for row in _parse_rows(azure.ledger.rounds(pool)) if row["started"].timestamp() >= deleted_at]
    same = [row for row in rows if row.get("pool_created") == rows[-1].get("pool_created")]
    return Table.from_rows("history", same[-most:])


def _parse_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of the local history file as rows of the table: those of earlier versions with the names of today.

    A row that is none is left out: another program wrote it, or the file is damaged.
    """
    return [row for kept in rows if (row := _parse_row(kept)) is not None]


def _parse_row(kept: dict[str, Any]) -> dict[str, Any] | None:
    row = {_RENAMED_COLUMNS.get(name, name): value for name, value in kept.items()}
    try:
        row["class"] = _RENAMED_CLASSES.get(row["class"], row["class"])
        row.update({name: parse_time(row[name]) for name in _TIMES if row.get(name)})
    except (KeyError, TypeError, ValueError):
        return None
    columns = SCHEMAS["history"]
    is_whole = isinstance(row.get("pool"), str) and isinstance(row.get("started"), dt.datetime)
    if not is_whole or not all(isinstance(row.get(one.name), (*_TYPES[one.kind], type(None))) for one in columns):
        return None
    return {one.name: row[one.name] for one in columns if one.name in row}


def live_counts(census: Census) -> Counts:
    """Return the counts of the nodes that are not leaving."""
    return Counts(census.live(dedicated=True), census.live(dedicated=False))


def held_counts(census: Census) -> Counts:
    """Return the counts of the nodes that Azure holds for the target: live ones, and preempted ones to be restored."""
    return Counts(census.held(dedicated=True), census.held(dedicated=False))
