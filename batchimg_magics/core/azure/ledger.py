"""The local history file (SQLite): resize attempts, counts of nodes by state, and images that work.

Azure is the source of truth. The file only adds what Azure does not keep: resize attempts, node counts at past times,
and the image versions of which a node was ready at least once.
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
#: Seconds that a write waits for the lock of another process.
_LOCK_TIMEOUT_S = 10.0
#: In place of node states: the pool was deleted at that time.
POOL_DELETED = "pool deleted"


class Ledger:
    """The history of one Batch account.

    Parameters
    ----------
    file
        The SQLite file, shared by processes; None: in memory. It is created by the first write. Where it cannot be
        written, history is kept in memory: a missing history never makes a verb fail.
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
        # The session's loop thread writes; another thread may close the connection.
        path = ":memory:"
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.parent.mkdir(parents=True, exist_ok=True)
                path = str(self._file)
        try:
            base = sqlite3.connect(path, timeout=_LOCK_TIMEOUT_S, check_same_thread=False)
            base.execute("PRAGMA synchronous = OFF")  # a power failure can lose the last entries, and nothing else
            base.executescript(_LAYOUT)
        except sqlite3.Error:
            base = sqlite3.connect(":memory:", check_same_thread=False)
            base.executescript(_LAYOUT)
        return base

    def close(self) -> None:
        """Close the file."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    # -- resize attempts -----------------------------------------------------------------------------------------

    def add_round(self, pool: str, started: float, row: Mapping[str, Any]) -> None:
        """Add a resize attempt as a row of its table, with times in ISO 8601."""
        with self._connection() as base:
            text = json.dumps(row, default=lambda time: time.isoformat())
            base.execute("INSERT INTO rounds VALUES (?, ?, ?, ?)", (self._account, pool.lower(), started, text))

    def rounds(self, pool: str | None = None) -> list[dict[str, Any]]:
        """Return all resize attempts of one pool or of all pools, oldest first."""
        with self._connection() as base:
            found = base.execute(
                "SELECT row FROM rounds WHERE account = ? AND (? IS NULL OR pool = ?) ORDER BY started, rowid",
                (self._account, pool, pool and pool.lower()),
            ).fetchall()
        return [json.loads(row) for (row,) in found]

    # -- node counts and images ----------------------------------------------------------------------------------

    def add_sample(self, pool: str, at: float, states: Mapping[str, int]) -> None:
        """Add the number of nodes by state at a time (seconds since 1970)."""
        with self._connection() as base:
            base.execute(
                "INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?)",
                (self._account, pool.lower(), at, json.dumps(states)),
            )

    def add_deletion(self, pool: str, at: float) -> None:
        """Note that a pool was deleted: a later pool of this name is another one."""
        self.add_sample(pool, at, {POOL_DELETED: 0})

    def deleted_at(self, pool: str) -> float:
        """Return when the last pool of this name was deleted, in seconds since 1970; 0: it was not."""
        return max((at for at, states in self.samples(pool) if POOL_DELETED in states), default=0.0)

    def samples(self, pool: str) -> list[tuple[float, dict[str, int]]]:
        """Return the times and node counts by state of a pool, oldest first."""
        with self._connection() as base:
            found = base.execute(
                "SELECT at, states FROM samples WHERE account = ? AND pool = ? ORDER BY at",
                (self._account, pool.lower()),
            ).fetchall()
        return [(at, json.loads(states)) for at, states in found]

    def add_working_image(self, image: str, at: float) -> None:
        """Note that a node of an image version was ready."""
        with self._connection() as base:
            base.execute("INSERT OR IGNORE INTO proven VALUES (?, ?, ?)", (self._account, image.lower(), at))

    def is_working_image(self, image: str) -> bool:
        """Tell whether this file has a ready node of an image version."""
        with self._connection() as base:
            found = base.execute("SELECT 1 FROM proven WHERE account = ? AND image = ?", (self._account, image.lower()))
            return found.fetchone() is not None

    # -- replacement of nodes ------------------------------------------------------------------------------------

    def set_wanted_size(self, pool: str, dedicated: int, spot: int) -> None:
        """Store the size that a pool must get again after bad nodes are removed: removing them lowers its target."""
        with self._connection() as base:
            base.execute(
                "INSERT OR REPLACE INTO wanted VALUES (?, ?, ?, ?)", (self._account, pool.lower(), dedicated, spot)
            )

    def wanted_size(self, pool: str) -> tuple[int, int] | None:
        """Return the size that a pool must get again, where a replacement was interrupted; else None."""
        with self._connection() as base:
            found: tuple[int, int] | None = base.execute(
                "SELECT dedicated, spot FROM wanted WHERE account = ? AND pool = ?", (self._account, pool.lower())
            ).fetchone()
        return found

    def clear_wanted_size(self, pool: str) -> None:
        """Delete the stored size: the pool has it, or another size was requested."""
        with self._connection() as base:
            base.execute("DELETE FROM wanted WHERE account = ? AND pool = ?", (self._account, pool.lower()))
