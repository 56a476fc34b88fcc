"""The emulator state: resources as JSON documents in SQLite, in a file or in memory.

A resource is an `Item`: its document as Azure shows it, and `hidden` facts that no document shows (whether the
operating system on a disk is generalized, when an operation began and how long it takes). States are computed from them
when they are requested, so that a terminated process loses nothing, and several processes with one file agree. Every
request is one transaction. The anchor of accelerated time is that of the processes that have the file open: time stands
still while none has.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.world.open_mark import OpenMark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, doc BLOB NOT NULL, hidden BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_kind ON items (kind, key);
"""
#: Tells pools with an autoscale formula, by how their hidden facts are written. Almost every request to the data plane
#: asks for these, so that they have an index; it is made in files of earlier versions, too.
_AUTOSCALED = """instr(hidden, '"auto":{')"""
_AUTOSCALED_INDEX = f"CREATE INDEX IF NOT EXISTS autoscaled_items ON items (kind, key) WHERE {_AUTOSCALED}"
#: Real seconds to wait for the transaction of another process, and for a file that is being opened.
BUSY_TIMEOUT_S = 30.0
OPEN_TIMEOUT_S = 2.0
#: SQLite's errors if it cannot get the shared memory that WAL needs.
_NO_SHARED_MEMORY = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL})
#: No key contains this character; it sorts after all others.
KEY_RANGE_END = "\U0010ffff"
#: The layout of the tables above. A file with another layout is refused.
LAYOUT = 1


class StateBusyError(Exception):
    """Another process has locked the emulator state file.

    Parameters
    ----------
    path
        The file.
    reason
        SQLite's words.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class StateLayoutError(Exception):
    """The file is not an emulator state file, or has another layout."""


class ReadOnlyTransactionError(Exception):
    """A read-only transaction has something to write: run it again for writing."""


class Item(msgspec.Struct):
    """One resource.

    Parameters
    ----------
    key
        The resource id in lower case.
    kind
        The resource type in lower case, e.g. ``microsoft.compute/snapshots``.
    doc
        The document, as the provider stores it.
    hidden
        Facts that no document shows.
    """

    key: str
    kind: str
    doc: dict[str, Any]
    hidden: dict[str, Any] = msgspec.field(default_factory=dict)


class Store:
    """The emulator state: resources and settings.

    Parameters
    ----------
    path
        A file, created if it does not exist, or ``:memory:``.
    start
        Start of the simulated time of a new state, in seconds since 1970.
    seed
        Seed of the ids and random choices of a new state.
    exclusive
        Lock the file for this process.

    Raises
    ------
    StateBusyError
        Another process has locked the file, or `exclusive` is set and another process has opened it.
    StateLayoutError
        The file is not an emulator state file, or has another layout.
    """

    def __init__(self, path: Path | str = ":memory:", *, start: float, seed: int = 0, exclusive: bool = False) -> None:
        self.path = str(path)
        self._lock = threading.RLock()  # one connection: threads take turns, one transaction at a time
        self._depth = 0
        self._writing = False
        self._meta: dict[str, bytes | None] = {}  # the settings that were read, encoded
        self._version, self._shared = -1, False
        self._mark: OpenMark | None = None
        self._db = self._open(start, seed, exclusive=exclusive)
        # Nobody else writes to a state in memory, or to a file that this process has locked.
        locked = self._db.execute("PRAGMA locking_mode").fetchone()[0] == "exclusive"
        self._shared = self.path != ":memory:" and not locked

    def _open(self, start: float, seed: int, *, exclusive: bool) -> sqlite3.Connection:
        try:
            database = _connect(self.path, exclusive=exclusive)
        except sqlite3.Error as error:
            raise _open_error(self.path, error) from error
        try:
            # The file survives the end of the process at any time; a power failure may lose the last transactions.
            database.execute("PRAGMA synchronous = NORMAL")
            self._db = database
            self._create_tables(start, seed)
            database.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
        except (sqlite3.Error, StateLayoutError) as error:
            database.close()
            self._release_mark()
            if isinstance(error, StateLayoutError):
                raise
            raise _open_error(self.path, error) from error
        return database

    def _create_tables(self, start: float, seed: int) -> None:
        """Create the tables of a new file, or check the layout of an existing one."""
        with self.transaction(write=True):
            if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                for statement in _TABLES.split(";"):
                    self._db.execute(statement)
                first = {"layout": LAYOUT, "start": start, "latest": start, "seed": seed, "counter": 0}
                for name, value in first.items():
                    self.set_meta(name, value)
            if (layout := self.meta("layout")) != LAYOUT:
                raise StateLayoutError(f"{self.path}: the layout is {layout}; this version reads {LAYOUT}")
            self._db.execute(_AUTOSCALED_INDEX)
            if self.path == ":memory:":
                return
            self._mark = OpenMark(self.path)
            if self._mark.first:
                self._db.execute("DELETE FROM meta WHERE name = 'anchor'")
                self._meta.clear()

    def close(self) -> None:
        """Close the file."""
        self._db.close()
        self._release_mark()

    def _release_mark(self) -> None:
        if self._mark is not None:
            self._mark.release()

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[None]:
        """Run the block as a transaction, or as a part of the surrounding one.

        Raises
        ------
        ReadOnlyTransactionError
            The block writes, and `write` is False.
        """
        with self._lock:
            if self._depth:
                self._check_writable(needed=write)
                yield
                return
            self._db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            self._depth, self._writing = 1, write
            try:
                self._forget_if_changed()
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                if write:
                    self._meta.clear()
                raise
            else:
                self._db.execute("COMMIT")
            finally:
                self._depth, self._writing = 0, False

    def _forget_if_changed(self) -> None:
        """Forget the settings if another process has written since they were read."""
        if not self._shared:
            return
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._version = version
            self._meta.clear()

    @contextlib.contextmanager
    def savepoint(self, *, keep: bool = True) -> Iterator[None]:
        """Run the block as a part of a transaction that is undone if it fails, or in any case if `keep` is False."""
        with self.transaction(write=True):
            self._db.execute("SAVEPOINT part")
            kept = False
            try:
                yield
                kept = keep
            finally:
                if not kept:
                    self._db.execute("ROLLBACK TO part")
                    self._meta.clear()
                self._db.execute("RELEASE part")

    def _check_writable(self, *, needed: bool = True) -> None:
        if needed and self._depth and not self._writing:
            raise ReadOnlyTransactionError

    def get(self, key: str) -> Item | None:
        """Return the resource with that id, regardless of case, or None."""
        with self._lock:
            row = self._db.execute("SELECT key, kind, doc, hidden FROM items WHERE key = ?", (key.lower(),)).fetchone()
        return row and _item(row)

    def put(self, item: Item) -> None:
        """Store the resource, in place of one with the same id."""
        self._check_writable()
        row = (item.key, item.kind, msgspec.json.encode(item.doc), msgspec.json.encode(item.hidden))
        self._db.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", row)

    def delete(self, key: str) -> None:
        """Delete the resource, if it exists."""
        self._check_writable()
        self._db.execute("DELETE FROM items WHERE key = ?", (key.lower(),))

    def items(self, kind: str, under: str = "", *, autoscaled: bool = False) -> list[Item]:
        """Return the resources of a kind, in order of their ids.

        Parameters
        ----------
        kind
            The resource type.
        under
            Only those below this id (of a group, of an account).
        autoscaled
            Only those with an autoscale formula.
        """
        low = under.lower().rstrip("/") + "/"
        part = f"AND {_AUTOSCALED}" if autoscaled else ""
        with self._lock:
            rows = self._db.execute(
                f"SELECT key, kind, doc, hidden FROM items WHERE kind = ? AND key >= ? AND key < ? {part} ORDER BY key",  # noqa: S608 - a constant
                (kind.lower(), low, low + KEY_RANGE_END),
            ).fetchall()
        return [_item(row) for row in rows]

    def items_below(self, under: str) -> list[Item]:
        """Return the resources of every kind below an id, in order of their ids."""
        low = under.lower().rstrip("/") + "/"
        with self._lock:
            rows = self._db.execute(
                "SELECT key, kind, doc, hidden FROM items WHERE key >= ? AND key < ? ORDER BY key",
                (low, low + KEY_RANGE_END),
            ).fetchall()
        return [_item(row) for row in rows]

    def all_items(self) -> list[Item]:
        """Return every resource, in order of their ids."""
        with self._lock:
            return [_item(row) for row in self._db.execute("SELECT key, kind, doc, hidden FROM items ORDER BY key")]

    def all_meta(self) -> dict[str, Any]:
        """Return every setting."""
        with self._lock:
            rows = self._db.execute("SELECT name, value FROM meta ORDER BY name").fetchall()
        return {name: msgspec.json.decode(value) for name, value in rows}

    def replace(self, items: list[Item], settings: dict[str, Any]) -> None:
        """Replace all resources and settings."""
        self._check_writable()
        with self._lock:
            self._db.execute("DELETE FROM items")
            self._db.execute("DELETE FROM meta")
            self._meta.clear()
        for item in items:
            self.put(item)
        for name, value in settings.items():
            self.set_meta(name, value)

    def has_below(self, under: str) -> bool:
        """Tell whether there is a resource below an id."""
        low = under.lower().rstrip("/") + "/"
        with self._lock:
            found = self._db.execute(
                "SELECT 1 FROM items WHERE key >= ? AND key < ? LIMIT 1", (low, low + KEY_RANGE_END)
            )
            return found.fetchone() is not None

    def meta(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        """Return a setting, or None."""
        with self._lock:
            if not self._depth:
                self._forget_if_changed()
            if name not in self._meta:
                row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
                self._meta[name] = None if row is None else row[0]
            kept = self._meta[name]
        return None if kept is None else msgspec.json.decode(kept)

    def set_meta(self, name: str, value: object) -> None:
        """Store a setting."""
        self._check_writable()
        encoded = msgspec.json.encode(value)
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, encoded))
            self._meta[name] = encoded

    def latest_time(self) -> float:
        """Return the latest time of a write."""
        return float(self.meta("latest"))

    def record_time(self, now: float) -> None:
        """Store that there was a write at this time."""
        if now > self.latest_time():
            self.set_meta("latest", now)

    def new_token(self, purpose: str) -> str:
        """Return 64 hexadecimal digits that are unique in this state, and the same for the same seed and history."""
        counter = self.meta("counter") + 1
        self.set_meta("counter", counter)
        return hashlib.sha256(f"{self.meta('seed')}/{counter}/{purpose}".encode()).hexdigest()

    def new_guid(self, purpose: str) -> str:
        """Return a GUID that is unique in this state."""
        return str(uuid.UUID(hex=self.new_token(purpose)[:32], version=4))


def _open_error(path: str, error: sqlite3.Error) -> StateBusyError | StateLayoutError:
    # The low byte is the primary code; the other bytes have the details.
    busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return StateBusyError(path, str(error)) if busy else StateLayoutError(f"{path}: {error}")


def _connect(path: str, *, exclusive: bool) -> sqlite3.Connection:
    """Open a file with a write-ahead log (WAL), so that reads do not wait for writes, or else with a rollback journal.

    WAL needs shared memory, which not every file system has; SQLite reports that at the first read. A file with a
    rollback journal keeps it, because another process may be using it.
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
    """Open a file with a rollback journal; the change from WAL needs a moment of exclusive access."""
    database = sqlite3.connect(path, isolation_level=None, timeout=OPEN_TIMEOUT_S, check_same_thread=False)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA locking_mode = NORMAL")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()  # releases the lock
    except sqlite3.Error:
        database.close()
        raise
    return database


def _item(row: tuple[str, str, bytes, bytes]) -> Item:
    return Item(row[0], row[1], msgspec.json.decode(row[2]), msgspec.json.decode(row[3]))
