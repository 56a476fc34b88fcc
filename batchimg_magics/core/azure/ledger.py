"""The ledger: what was made and measured, kept in SQLite.

Azure is the source of truth for what there is. The ledger only adds what Azure forgets: rounds of resizes, how many
nodes were in which state when somebody looked, and which image versions ever had a node that came up.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_LAYOUT = """
CREATE TABLE IF NOT EXISTS rounds (
    account TEXT NOT NULL, pool TEXT NOT NULL, started REAL NOT NULL, row TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS rounds_of ON rounds (account, pool, started);
CREATE TABLE IF NOT EXISTS samples (
    account TEXT NOT NULL, pool TEXT NOT NULL, at REAL NOT NULL, states TEXT NOT NULL,
    PRIMARY KEY (account, pool, at));
CREATE TABLE IF NOT EXISTS proven (
    account TEXT NOT NULL, image TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (account, image));
CREATE TABLE IF NOT EXISTS wanted (
    account TEXT NOT NULL, pool TEXT NOT NULL, dedicated INTEGER NOT NULL, spot INTEGER NOT NULL,
    PRIMARY KEY (account, pool));
"""
#: Seconds that a writer waits for another process's.
_LOCK_TIMEOUT_S = 10.0


class Ledger:
    """One account's part of a ledger.

    Parameters
    ----------
    file
        Where it is kept, shared by processes; None: in memory. It is made when something is written for the first
        time, and a place that cannot be written to is none: work never fails for want of history.
    account
        The Batch account's resource id.
    """

    def __init__(self, file: Path | None = None, account: str = "") -> None:
        self._file = file
        self._account = account.lower()
        self._opened: sqlite3.Connection | None = None

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if self._opened is None:
            self._opened = self._connect()
        with self._opened:
            yield self._opened

    def _connect(self) -> sqlite3.Connection:
        # The session's loop thread writes; whoever closes it may be another one.
        where = ":memory:"
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.parent.mkdir(parents=True, exist_ok=True)
                where = str(self._file)
        try:
            base = sqlite3.connect(where, timeout=_LOCK_TIMEOUT_S, check_same_thread=False)
            base.execute("PRAGMA synchronous = OFF")  # a power cut may cost the last rounds' history, and nothing else
            base.executescript(_LAYOUT)
        except sqlite3.Error:
            base = sqlite3.connect(":memory:", check_same_thread=False)
            base.executescript(_LAYOUT)
        return base

    def close(self) -> None:
        """Let the file go."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    # -- rounds --------------------------------------------------------------------------------------------------

    def add_round(self, pool: str, started: float, row: Mapping[str, Any]) -> None:
        """Keep a round of a resize, as its table's row with times as ISO texts."""
        with self._connection() as base:
            text = json.dumps(row, default=lambda moment: moment.isoformat())
            base.execute("INSERT INTO rounds VALUES (?, ?, ?, ?)", (self._account, pool.lower(), started, text))

    def rounds(self, pool: str | None = None) -> list[dict[str, Any]]:
        """Return all rounds there ever were, of one pool or of all, oldest first."""
        with self._connection() as base:
            found = base.execute(
                "SELECT row FROM rounds WHERE account = ? AND (? IS NULL OR pool = ?) ORDER BY started, rowid",
                (self._account, pool, pool and pool.lower()),
            ).fetchall()
        return [json.loads(row) for (row,) in found]

    # -- what was seen -------------------------------------------------------------------------------------------

    def add_sample(self, pool: str, at: float, states: Mapping[str, int]) -> None:
        """Keep how many nodes were in which state at a moment."""
        with self._connection() as base:
            base.execute(
                "INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?)",
                (self._account, pool.lower(), at, json.dumps(states)),
            )

    def samples(self, pool: str) -> list[tuple[float, dict[str, int]]]:
        """Return what was seen of a pool's nodes, oldest first."""
        with self._connection() as base:
            found = base.execute(
                "SELECT at, states FROM samples WHERE account = ? AND pool = ? ORDER BY at",
                (self._account, pool.lower()),
            ).fetchall()
        return [(at, json.loads(states)) for at, states in found]

    def add_working_image(self, image: str, at: float) -> None:
        """Note that a node of an image version came up."""
        with self._connection() as base:
            base.execute("INSERT OR IGNORE INTO proven VALUES (?, ?, ?)", (self._account, image.lower(), at))

    def is_working_image(self, image: str) -> bool:
        """Tell whether a node of an image version ever came up, as far as this ledger knows."""
        with self._connection() as base:
            found = base.execute("SELECT 1 FROM proven WHERE account = ? AND image = ?", (self._account, image.lower()))
            return found.fetchone() is not None

    # -- what is being replaced ----------------------------------------------------------------------------------

    def set_wanted_size(self, pool: str, dedicated: int, spot: int) -> None:
        """Note what size a pool shall have again once its bad nodes are replaced: removing them lowers its target."""
        with self._connection() as base:
            base.execute(
                "INSERT OR REPLACE INTO wanted VALUES (?, ?, ?, ?)", (self._account, pool.lower(), dedicated, spot)
            )

    def wanted_size(self, pool: str) -> tuple[int, int] | None:
        """Return the size that a pool shall have again, where replacing was not finished."""
        with self._connection() as base:
            found: tuple[int, int] | None = base.execute(
                "SELECT dedicated, spot FROM wanted WHERE account = ? AND pool = ?", (self._account, pool.lower())
            ).fetchone()
        return found

    def clear_wanted_size(self, pool: str) -> None:
        """Forget what a pool should have: it has it, or something else is wanted now."""
        with self._connection() as base:
            base.execute("DELETE FROM wanted WHERE account = ? AND pool = ?", (self._account, pool.lower()))
