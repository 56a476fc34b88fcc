"""The world: resources as JSON documents in SQLite, in a file or in memory.

A resource is an `Item`: the document that Azure would show, and beside it what the world knows and no document says
(`hidden`: whether a disk's system was deprovisioned, when an operation began and how long it takes). What a state is
at a moment is computed from those when it is asked for, so a process that dies loses nothing, and several processes
on one file agree. Every request is one transaction.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, doc BLOB NOT NULL, hidden BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_kind ON items (kind, key);
"""
#: Real seconds a process waits for another one's transaction, and for a file that it wants to open.
BUSY_TIMEOUT_S = 30.0
OPEN_TIMEOUT_S = 2.0
#: What SQLite says where it cannot have the memory that WAL wants.
_NO_SHARED_MEMORY = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL})
#: No key has this character; it sorts behind all that keys have.
KEY_RANGE_END = "\U0010ffff"
#: The layout of the tables above. A world of another layout is refused, not guessed at.
LAYOUT = 1


class StateBusyError(Exception):
    """Another process holds this world's file."""


class StateLayoutError(Exception):
    """The file is not a world, or one of another layout."""


class ReadOnlyTransactionError(Exception):
    """A transaction that was begun for reading has something to write: it is to be run again for writing."""


@dataclass(slots=True)
class Item:
    """One resource.

    Parameters
    ----------
    key
        What it is found by: the resource id in lower case.
    kind
        Its resource type in lower case, e.g. ``microsoft.compute/snapshots``.
    doc
        The document, as the provider keeps it.
    hidden
        What no document says.
    """

    key: str
    kind: str
    doc: dict[str, Any]
    hidden: dict[str, Any] = field(default_factory=dict)


class Store:
    """Resources and settings of one simulated Azure.

    Parameters
    ----------
    path
        A file, made when it is not there, or ``:memory:``.
    start
        The time of a new world, in seconds since 1970 (a world that exists keeps its own).
    seed
        What the ids and the random choices of a new world grow from.
    alone
        Hold the file for this process alone.

    Raises
    ------
    WorldBusyError
        Another process holds the file, or `alone` was asked for and another process has it open.
    WorldLayoutError
        The file is no world of this layout.
    """

    def __init__(self, path: Path | str = ":memory:", *, start: float, seed: int = 0, exclusive: bool = False) -> None:
        self.path = str(path)
        self._lock = threading.RLock()  # one connection: threads take turns, a transaction at a time
        self._depth = 0
        self._writing = False
        self._meta: dict[str, Any] = {}
        self._db = self._open(start, seed, exclusive=exclusive)

    def _open(self, start: float, seed: int, *, exclusive: bool) -> sqlite3.Connection:
        try:
            database = _connect(self.path, exclusive=exclusive)
        except sqlite3.Error as error:
            raise _open_error(self.path, error) from error
        try:
            # Survives the death of the process, at any moment; a power cut may cost the last transactions.
            database.execute("PRAGMA synchronous = NORMAL")
            self._db = database
            self._create_tables(start, seed)
            database.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
        except sqlite3.Error as error:
            database.close()
            raise _open_error(self.path, error) from error
        except StateLayoutError:
            database.close()
            raise
        return database

    def _create_tables(self, start: float, seed: int) -> None:
        """Make the tables of a new world; see that an old one has this layout."""
        with self.transaction(write=True):
            if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                for statement in _TABLES.split(";"):
                    self._db.execute(statement)
                first = {"layout": LAYOUT, "start": start, "latest": start, "seed": seed, "counter": 0}
                for name, value in first.items():
                    self.set_meta(name, value)
            if (layout := self.meta("layout")) != LAYOUT:
                raise StateLayoutError(f"{self.path}: layout {layout}, and this version reads {LAYOUT}")

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[None]:
        """All of the block or nothing of it; inside another transaction, a part of that one.

        Raises
        ------
        NeedsWritingError
            The block writes, and `write` is False.
        """
        with self._lock:
            if self._depth:
                self._check_writable(needed=write)
                yield
                return
            self._db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            self._depth, self._writing = 1, write
            self._meta.clear()
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                self._meta.clear()
                raise
            else:
                self._db.execute("COMMIT")
            finally:
                self._depth, self._writing = 0, False

    def _check_writable(self, *, needed: bool = True) -> None:
        if needed and self._depth and not self._writing:
            raise ReadOnlyTransactionError

    def get(self, key: str) -> Item | None:
        """Return the resource with that id, whatever its case, or None."""
        with self._lock:
            row = self._db.execute("SELECT key, kind, doc, hidden FROM items WHERE key = ?", (key.lower(),)).fetchone()
        return row and _item(row)

    def put(self, item: Item) -> None:
        """Keep the resource, in place of what had its id."""
        self._check_writable()
        row = (item.key, item.kind, msgspec.json.encode(item.doc), msgspec.json.encode(item.hidden))
        self._db.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", row)

    def delete(self, key: str) -> None:
        """Forget the resource; one that is not there is no error."""
        self._check_writable()
        self._db.execute("DELETE FROM items WHERE key = ?", (key.lower(),))

    def items(self, kind: str, under: str = "") -> list[Item]:
        """Return the resources of a kind, in order of their ids.

        Parameters
        ----------
        kind
            Resource type.
        under
            Only those whose id starts with this one and goes on (a group's, an account's).
        """
        low = under.lower().rstrip("/") + "/"
        with self._lock:
            rows = self._db.execute(
                "SELECT key, kind, doc, hidden FROM items WHERE kind = ? AND key >= ? AND key < ? ORDER BY key",
                (kind.lower(), low, low + KEY_RANGE_END),
            ).fetchall()
        return [_item(row) for row in rows]

    def items_below(self, under: str) -> list[Item]:
        """Return the resources of every kind whose id starts with this one and goes on, in order of their ids."""
        low = under.lower().rstrip("/") + "/"
        with self._lock:
            rows = self._db.execute(
                "SELECT key, kind, doc, hidden FROM items WHERE key >= ? AND key < ? ORDER BY key",
                (low, low + KEY_RANGE_END),
            ).fetchall()
        return [_item(row) for row in rows]

    def has_below(self, under: str) -> bool:
        """Tell whether there is any resource whose id starts with this one and goes on."""
        low = under.lower().rstrip("/") + "/"
        with self._lock:
            found = self._db.execute(
                "SELECT 1 FROM items WHERE key >= ? AND key < ? LIMIT 1", (low, low + KEY_RANGE_END)
            )
            return found.fetchone() is not None

    def meta(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        """Return a setting of the world, or None."""
        with self._lock:
            if self._depth and name in self._meta:
                return self._meta[name]
            row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
            value = None if row is None else msgspec.json.decode(row[0])
            if self._depth:
                self._meta[name] = value
            return value

    def set_meta(self, name: str, value: object) -> None:
        """Keep a setting of the world."""
        self._check_writable()
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, msgspec.json.encode(value)))
        self._meta[name] = value

    def latest_time(self) -> float:
        """Return the largest time at which anything was committed."""
        return float(self.meta("latest"))

    def record_time(self, now: float) -> None:
        """Note that something is committed at this time."""
        if now > self.latest_time():
            self.set_meta("latest", now)

    def new_token(self, purpose: str) -> str:
        """Return 64 hexadecimal digits that this world never gave before; the same for the same seed and history."""
        counter = self.meta("counter") + 1
        self.set_meta("counter", counter)
        return hashlib.sha256(f"{self.meta('seed')}/{counter}/{purpose}".encode()).hexdigest()

    def new_guid(self, purpose: str) -> str:
        """Return a GUID that this world never gave before."""
        return str(uuid.UUID(hex=self.new_token(purpose)[:32], version=4))


def _open_error(path: str, error: sqlite3.Error) -> StateBusyError | StateLayoutError:
    # The low byte is the primary code; the others say more precisely what was busy.
    busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return (StateBusyError if busy else StateLayoutError)(f"{path}: {error}")


def _connect(path: str, *, exclusive: bool) -> sqlite3.Connection:
    """Open a file that writes ahead (WAL), so that readers go on beside a writer, or one with a rollback journal.

    WAL needs memory that processes share, which not every file system has; SQLite says so at the first look. A file
    that has a rollback journal keeps it: another process may be in the middle of its work.
    """
    database = sqlite3.connect(path, isolation_level=None, timeout=OPEN_TIMEOUT_S, check_same_thread=False)
    try:
        if exclusive:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
        if database.execute("PRAGMA page_count").fetchone()[0] == 0:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA page_count").fetchone()
    except sqlite3.Error as error:
        database.close()
        if error.sqlite_errorcode & 0xFF not in _NO_SHARED_MEMORY:
            raise
        return _without_shared_memory(path)
    return database


def _without_shared_memory(path: str) -> sqlite3.Connection:
    """Open a file that is to have a rollback journal; to leave WAL, a process has to be alone for a moment."""
    database = sqlite3.connect(path, isolation_level=None, timeout=OPEN_TIMEOUT_S, check_same_thread=False)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA locking_mode = NORMAL")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()  # lets the file go
    except sqlite3.Error:
        database.close()
        raise
    return database


def _item(row: tuple[str, str, bytes, bytes]) -> Item:
    return Item(row[0], row[1], msgspec.json.decode(row[2]), msgspec.json.decode(row[3]))
