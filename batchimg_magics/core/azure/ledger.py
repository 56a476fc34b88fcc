"""The local history file (SQLite): resize attempts, counts of nodes, costs of pools, and images that work.

Azure is the source of truth. The file only adds what Azure does not keep: resize attempts, node counts and costs at
past times, and the image versions of which a node was ready at least once.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.files import make_private, make_private_folder
from batchimg_magics.masking import mask_values

if TYPE_CHECKING:
    from collections.abc import Mapping
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
CREATE TABLE IF NOT EXISTS costs (
    account TEXT NOT NULL, pool TEXT NOT NULL, at REAL NOT NULL, seen REAL NOT NULL,
    usd_per_hour REAL, deleted INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS costs_of ON costs (account, pool, at);
"""
#: Seconds that a write waits for the lock of another process.
LOCK_TIMEOUT_S = 10.0
#: The part of an error code of SQLite that tells its kind.
_PRIMARY_CODE = 0xFF
#: In place of node states: the pool was deleted at that time.
POOL_DELETED = "pool deleted"


#: An entry that no file accepts: a value of another type, a number that is too large, a text that is no Unicode.
_UNSTORABLE = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    TypeError,
    ValueError,
    OverflowError,
    RecursionError,
    AttributeError,
)
#: How often a statement is executed: in the file, and in memory, which may have a damaged copy of it.
_MAX_FALLBACKS = 3
#: How often a copy of a file into memory finds the file locked, before the copy is given up.
_MAX_LOCKED = 8


def _in_memory(file: sqlite3.Connection | None = None) -> sqlite3.Connection:
    """Return a history in memory, with that of a file if it can be read."""
    base = sqlite3.connect(":memory:", check_same_thread=False)
    locked = 0

    def watch(status: int, _remaining: int, _total: int) -> None:
        nonlocal locked
        locked += status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        if locked > _MAX_LOCKED:  # Python's copy would wait for ever
            raise sqlite3.OperationalError("the file is locked")

    with contextlib.suppress(sqlite3.Error):
        if file is not None:
            file.backup(base, progress=watch)
    _prepare(base)
    return base


def _prepare(base: sqlite3.Connection) -> None:
    # A damaged text is one that is not understood, and no error of the file.
    base.text_factory = lambda text: text.decode("utf-8", "replace")
    base.executescript(_LAYOUT)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _is_cost(at: object, seen: object, usd: object) -> bool:
    return _is_number(at) and _is_number(seen) and (usd is None or _is_number(usd))


def _code(error: sqlite3.Error) -> int:
    """Return the kind of an error of SQLite; 0 where it has none."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & _PRIMARY_CODE


class Ledger:
    """The history of one Batch account.

    Whatever fails, the history goes on in memory: a missing history never makes a verb fail.

    Parameters
    ----------
    file
        The SQLite file, shared by processes; None: in memory. It is created by the first write.
    account
        The Batch account's resource id.

    Attributes
    ----------
    problem
        Why the file does not have all of the history, as text; empty while it has.
    """

    def __init__(self, file: Path | None = None, account: str = "") -> None:
        self._file = file
        self._account = account.lower()
        self._opened: sqlite3.Connection | None = None
        self._is_locked = False
        self._is_told = False
        self.problem = ""

    def take_warning(self) -> str:
        """Return the problem, once: for one caption of the session."""
        if self._is_told or not self.problem:
            return ""
        self._is_told = True
        return self.problem

    def _note(self, problem: str) -> None:
        self.problem = self.problem or f"{problem} (history file {self._file})"

    def _execute(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        """Execute a statement and return its rows. If the file fails, history goes on in memory."""
        for _ in range(_MAX_FALLBACKS):
            try:
                rows = self._execute_once(statement, values)
            except _UNSTORABLE:
                self._note("an entry of the history could not be stored")
                return []
            except sqlite3.Error as error:
                if _code(error) == sqlite3.SQLITE_BUSY:
                    self._note_lock()
                    return []  # another process writes for long: this entry is lost
                self._go_on_in_memory(error)
            else:
                if self._is_locked:
                    self._set_timeout(is_locked=False)
                return rows
        return []

    def _execute_once(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        if self._opened is None:
            self._opened = self._connect()
        with self._opened as base:
            return base.execute(statement, values).fetchall()

    def _note_lock(self) -> None:
        """Do not wait again while the file is locked: each wait would stop all work of the session."""
        self._note("the history is not complete, since another program locks it")
        self._set_timeout(is_locked=True)

    def _set_timeout(self, *, is_locked: bool) -> None:
        self._is_locked = is_locked
        if self._opened is not None:
            with contextlib.suppress(sqlite3.Error):
                self._opened.execute(f"PRAGMA busy_timeout = {0 if is_locked else int(LOCK_TIMEOUT_S * 1000)}")

    def _go_on_in_memory(self, error: sqlite3.Error) -> None:
        can_be_read = _code(error) in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL)
        self._note(f"the history is kept in memory and ends with this session: {error}")
        failed, self._opened = self._opened, _in_memory(self._opened if can_be_read else None)
        if failed is not None:
            with contextlib.suppress(sqlite3.Error):
                failed.close()

    def _connect(self) -> sqlite3.Connection:
        # The session's loop thread writes; another thread may close the connection.
        if self._file is None:
            return _in_memory()
        base = None
        try:
            make_private_folder(self._file.parent)
            make_private(self._file)
            base = sqlite3.connect(self._file, timeout=LOCK_TIMEOUT_S, check_same_thread=False)
            base.execute("PRAGMA synchronous = OFF")  # a power failure can lose the last entries, and nothing else
            _prepare(base)
        except (OSError, ValueError, sqlite3.Error) as error:  # a ValueError: no path can have such a name
            self._note(f"the history is kept in memory and ends with this session: {error}")
            if base is not None:
                base.close()
            return _in_memory()
        return base

    def close(self) -> None:
        """Close the file."""
        opened, self._opened = self._opened, None
        if opened is not None:
            with contextlib.suppress(sqlite3.Error):
                opened.close()

    def _parse(self, text: object) -> dict[str, Any] | None:
        """Return what an entry says; None for a damaged one."""
        try:
            found = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        self._note("damaged entries of the history are left out")
        return None

    def _text(self, value: object) -> str | None:
        """Return an entry as text; None for one that cannot be stored."""
        try:
            return json.dumps(mask_values(value), default=lambda time: time.isoformat())
        except _UNSTORABLE:
            self._note("an entry of the history could not be stored")
            return None

    # -- resize attempts -----------------------------------------------------------------------------------------

    def add_round(self, pool: str, started: float, row: Mapping[str, Any]) -> None:
        """Add a resize attempt as a row of its table, with times in ISO 8601."""
        if (text := self._text(row)) is not None:
            self._execute("INSERT INTO rounds VALUES (?, ?, ?, ?)", (self._account, pool.lower(), started, text))

    def rounds(self, pool: str | None = None) -> list[dict[str, Any]]:
        """Return all resize attempts of one pool or of all pools, oldest first."""
        found = self._execute(
            "SELECT row FROM rounds WHERE account = ? AND (? IS NULL OR pool = ?) ORDER BY started, rowid",
            (self._account, pool, pool and pool.lower()),
        )
        return [row for (text,) in found if (row := self._parse(text)) is not None]

    # -- costs ---------------------------------------------------------------------------------------------------

    def add_cost(self, pool: str, at: float, usd_per_hour: float | None, *, created: float | None = None) -> None:
        """Add what a pool costs per hour at a time; equal costs that follow each other are one entry.

        Parameters
        ----------
        pool, at
            The pool, and the time in seconds since 1970.
        usd_per_hour
            Its cost; None: not known.
        created
            When the pool was created: entries before that time are of an earlier pool of the name. None: not known.
        """
        last = self._last_cost(pool)
        if last is not None and created is not None and last[1] < created and not last[3]:
            self._execute(
                "INSERT INTO costs VALUES (?, ?, ?, ?, 0, 1)", (self._account, pool.lower(), last[1], last[1])
            )
            last = None
        if last is not None and last[2] == usd_per_hour and not last[3]:
            self._execute("UPDATE costs SET seen = max(seen, ?) WHERE rowid = ?", (at, last[0]))
        elif last is None or at >= last[1]:
            self._execute(
                "INSERT INTO costs VALUES (?, ?, ?, ?, ?, 0)", (self._account, pool.lower(), at, at, usd_per_hour)
            )

    def end_costs(self, pool: str, at: float) -> None:
        """Note that a pool was deleted; nothing where no cost of it is known."""
        last = self._last_cost(pool)
        if last is not None and not last[3]:
            self._execute("INSERT INTO costs VALUES (?, ?, ?, ?, 0, 1)", (self._account, pool.lower(), at, at))

    def _last_cost(self, pool: str) -> tuple[int, float, float | None, int] | None:
        """Return row id, time when it was last seen, cost per hour, and whether the pool was deleted."""
        found = self._execute(
            "SELECT rowid, seen, usd_per_hour, deleted FROM costs WHERE account = ? AND pool = ? ORDER BY rowid DESC",
            (self._account, pool.lower()),
        )
        return next((row for row in found if _is_cost(row[1], row[1], row[2])), None)

    def costs(self, pool: str) -> list[tuple[float, float, float | None, bool]]:
        """Return a pool's costs, oldest first: since when, last seen, USD per hour (None: not known), deleted."""
        found = self._execute(
            "SELECT at, seen, usd_per_hour, deleted FROM costs WHERE account = ? AND pool = ? ORDER BY rowid",
            (self._account, pool.lower()),
        )
        return [(at, seen, usd, bool(deleted)) for at, seen, usd, deleted in found if _is_cost(at, seen, usd)]

    def pools_with_costs(self) -> list[str]:
        """Return the names in lower case of all pools of which a cost is known, also of deleted ones."""
        found = self._execute(
            "SELECT pool FROM costs WHERE account = ? GROUP BY pool ORDER BY min(rowid)", (self._account,)
        )
        return [name for (name,) in found if isinstance(name, str)]

    # -- node counts and images ----------------------------------------------------------------------------------

    def add_sample(self, pool: str, at: float, states: Mapping[str, int]) -> None:
        """Add the number of nodes by state at a time (seconds since 1970)."""
        if (text := self._text(states)) is not None:
            self._execute("INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?)", (self._account, pool.lower(), at, text))

    def add_deletion(self, pool: str, at: float) -> None:
        """Note that a pool was deleted: a later pool of this name is another one."""
        self.add_sample(pool, at, {POOL_DELETED: 0})

    def deleted_at(self, pool: str) -> float:
        """Return when the last pool of this name was deleted, in seconds since 1970; 0: it was not."""
        return max((at for at, states in self.samples(pool) if POOL_DELETED in states), default=0.0)

    def samples(self, pool: str, most: int = -1) -> list[tuple[float, dict[str, int]]]:
        """Return the times and node counts by state of a pool, oldest first; of all, or of the last ones."""
        found = self._execute(
            "SELECT at, states FROM samples WHERE account = ? AND pool = ? ORDER BY at DESC LIMIT ?",
            (self._account, pool.lower(), most),
        )
        parsed = [(at, self._parse(text)) for at, text in reversed(found) if _is_number(at)]
        return [
            (at, states)
            for at, states in parsed
            if states is not None and all(isinstance(count, int) for count in states.values())
        ]

    def add_working_image(self, image: str, at: float) -> None:
        """Note that a node of an image version was ready."""
        self._execute("INSERT OR IGNORE INTO proven VALUES (?, ?, ?)", (self._account, image.lower(), at))

    def is_working_image(self, image: str) -> bool:
        """Tell whether this file has a ready node of an image version."""
        found = self._execute("SELECT 1 FROM proven WHERE account = ? AND image = ?", (self._account, image.lower()))
        return bool(found)

    # -- replacement of nodes ------------------------------------------------------------------------------------

    def set_wanted_size(self, pool: str, dedicated: int, spot: int) -> None:
        """Store the size that a pool must get again after bad nodes are removed: removing them lowers its target."""
        self._execute(
            "INSERT OR REPLACE INTO wanted VALUES (?, ?, ?, ?)", (self._account, pool.lower(), dedicated, spot)
        )

    def wanted_size(self, pool: str) -> tuple[int, int] | None:
        """Return the size that a pool must get again, where a replacement was interrupted; else None."""
        found = self._execute(
            "SELECT dedicated, spot FROM wanted WHERE account = ? AND pool = ?", (self._account, pool.lower())
        )
        return found[0] if found and all(isinstance(count, int) and count >= 0 for count in found[0]) else None

    def clear_wanted_size(self, pool: str) -> None:
        """Delete the stored size: the pool has it, or another size was requested."""
        self._execute("DELETE FROM wanted WHERE account = ? AND pool = ?", (self._account, pool.lower()))
