"""The emulator state: resources as JSON documents in SQLite, in a file or in memory.

A resource is an `Item`: its document as Azure shows it, and `hidden` facts that no document shows (whether the
operating system on a disk is generalized, when an operation began and how long it takes). States are computed from them
when they are requested, so that a terminated process loses nothing, and several processes with one file agree. Every
request is one transaction. The anchor of accelerated time is that of the processes that have the file open: time stands
still while none has.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import sqlite3
import threading
import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.world.database import (
    BUSY_TIMEOUT_S,
    TABLES,
    ReadOnlyTransactionError,
    StateError,
    StateLayoutError,
    open_database,
    row_checksum,
    state_error,
)
from batchimg_magics.emulator.world.open_mark import OpenMark
from batchimg_magics.emulator.world.sealed_values import (
    decode_part,
    may_have_secrets,
    seal_values,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Tells pools with an autoscale formula, by how their hidden facts are written. Almost every request to the data plane
#: asks for these, so that they have an index; it is made in files of earlier versions, too.
_AUTOSCALED = """instr(hidden, '"auto":{')"""
_AUTOSCALED_INDEX = f"CREATE INDEX IF NOT EXISTS autoscaled_items ON items (kind, key) WHERE {_AUTOSCALED}"
#: No key contains this character; it sorts after all others.
KEY_RANGE_END = "\U0010ffff"
#: The layout of the tables above. The first layout had no checksums; a file with another layout is refused.
LAYOUT = 2
_LAYOUT_WITHOUT_CHECKSUMS = 1
_SELECT_ITEMS = "SELECT key, kind, doc, hidden, checksum FROM items"


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
        The file has another layout.
    StateError
        The file cannot be used: it is not an emulator state file, it is damaged, or the disk is full.
    """

    def __init__(self, path: Path | str = ":memory:", *, start: float, seed: int = 0, exclusive: bool = False) -> None:
        self.path = str(path)
        self._lock = threading.RLock()  # one connection: threads take turns, one transaction at a time
        self._depth = 0
        self._writing = False
        self._meta: dict[str, bytes | None] = {}  # the settings that were read, encoded
        self._version, self._shared = -1, False
        self._epoch, self._changes = 0, collections.Counter[str]()  # what tells whether items were written
        self._mark: OpenMark | None = None
        #: Where the files of tasks are that really run; None: they do not, or not in this process.
        self.task_folder: Path | None = None
        self._db = self._open(start, seed, exclusive=exclusive)
        # Nobody else writes to a state in memory, or to a file that this process has locked.
        locked = self._db.execute("PRAGMA locking_mode").fetchone()[0] == "exclusive"
        self._shared = self.path != ":memory:" and not locked

    def _open(self, start: float, seed: int, *, exclusive: bool) -> sqlite3.Connection:
        try:
            database = open_database(self.path, exclusive=exclusive)
        except sqlite3.Error as error:
            raise state_error(self.path, error) from error
        try:
            # The file survives the end of the process at any time; a power failure may lose the last transactions.
            database.execute("PRAGMA synchronous = NORMAL")
            self._db = database
            self._create_tables(start, seed)
            database.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
        except (sqlite3.Error, StateError) as error:
            database.close()
            self._release_mark()
            if isinstance(error, StateError):
                raise
            raise state_error(self.path, error) from error
        return database

    def _create_tables(self, start: float, seed: int) -> None:
        """Create the tables of a new file, or check the layout of an existing one."""
        with self.transaction(write=True):
            if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                for statement in TABLES.split(";"):
                    self._db.execute(statement)
                first = {"layout": LAYOUT, "start": start, "latest": start, "seed": seed, "counter": 0}
                for name, value in first.items():
                    self.set_meta(name, value)
            if "checksum" not in {column[1] for column in self._db.execute("PRAGMA table_info(meta)")}:
                self._add_checksums()
            if (layout := self.meta("layout")) != LAYOUT:
                raise StateLayoutError(self.path, f"the layout is {layout}; this version reads {LAYOUT}")
            self._db.execute(_AUTOSCALED_INDEX)
            if self.path == ":memory:":
                return
            self._mark = OpenMark(self.path)
            if self._mark.first:
                self._db.execute("DELETE FROM meta WHERE name IN ('anchor', 'executor')")
                self._meta.clear()

    def _add_checksums(self) -> None:
        """Give the rows of a file with the first layout their checksums; a transaction surrounds it."""
        for table in ("items", "meta"):
            self._db.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER")
        if self.meta("layout") == _LAYOUT_WITHOUT_CHECKSUMS:
            self.replace(self.all_items(), {**self.all_meta(), "layout": LAYOUT})

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
        StateError
            The file cannot be read or written, or another process has locked it for too long.
        """
        with self._lock:
            if self._depth:
                self._check_writable(needed=write)
                yield
                return
            try:
                self._rows("BEGIN IMMEDIATE" if write else "BEGIN")
                self._depth, self._writing = 1, write
                self._forget_if_changed()
                yield
                self._rows("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite itself ends it where the disk is full
                    self._rows("ROLLBACK")
                if write:
                    self._forget()
                raise
            finally:
                self._depth, self._writing = 0, False

    def _forget_if_changed(self) -> None:
        """Forget the settings if another process has written since they were read."""
        if not self._shared:
            return
        version = self._rows("PRAGMA data_version")[0][0]
        if version != self._version:
            self._version = version
            self._forget()

    def _forget(self) -> None:
        """Forget what was read: it may not be so any more."""
        self._meta.clear()
        self._epoch += 1

    @contextlib.contextmanager
    def savepoint(self, *, keep: bool = True) -> Iterator[None]:
        """Run the block as a part of a transaction that is undone if it fails, or in any case if `keep` is False."""
        with self.transaction(write=True):
            self._rows("SAVEPOINT part")
            kept = False
            try:
                yield
                kept = keep
            finally:
                if not kept:
                    self._forget()
                if self._db.in_transaction:  # SQLite itself ends it where the disk is full
                    if not kept:
                        self._rows("ROLLBACK TO part")
                    self._rows("RELEASE part")

    def _check_writable(self, *, needed: bool = True) -> None:
        if needed and self._depth and not self._writing:
            raise ReadOnlyTransactionError

    def _rows(self, statement: str, values: tuple[object, ...] = ()) -> list[Any]:
        """Execute a statement, and return its rows."""
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise state_error(self.path, error) from error

    def get(self, key: str) -> Item | None:
        """Return the resource with that id, regardless of case, or None."""
        with self._lock:
            rows = self._rows(f"{_SELECT_ITEMS} WHERE key = ?", (key.lower(),))
        return self._item(rows[0]) if rows else None

    def put(self, item: Item) -> None:
        """Store the resource, in place of one with the same id."""
        self._check_writable()
        row = (item.key, item.kind, self._encoded(item.doc), self._encoded(item.hidden))
        self._rows("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?)", (*row, row_checksum(*row)))
        self._changes[item.kind] += 1

    def put_hidden(self, key: str, hidden: dict[str, Any]) -> None:
        """Replace the hidden facts of a resource that exists."""
        self._check_writable()
        for kind, doc in self._rows("SELECT kind, doc FROM items WHERE key = ?", (key,)):
            facts = self._encoded(hidden)
            told = row_checksum(key, kind, doc, facts)
            self._rows("UPDATE items SET hidden = ?, checksum = ? WHERE key = ?", (facts, told, key))
            self._changes[kind] += 1

    def revision(self, kind: str) -> tuple[int, int]:
        """Return what changes whenever resources of a kind may have been written, by any process."""
        with self._lock:
            if not self._depth:
                self._forget_if_changed()
            return self._epoch, self._changes[kind]

    def _encoded(self, part: dict[str, Any]) -> bytes:
        """Return a part of a row; secrets are encrypted in a file."""
        encoded = msgspec.json.encode(part)
        if self.path == ":memory:" or not may_have_secrets(encoded):
            return encoded
        sealed = seal_values(part)
        return encoded if sealed is None else msgspec.json.encode(sealed)

    def _item(self, row: tuple[str, str, bytes, bytes, int | None]) -> Item:
        key, kind, doc, hidden, checksum = row
        return Item(key, kind, *self._decoded(key, row[:4], checksum, doc, hidden))

    def _decoded(self, name: str, row: tuple[str | bytes, ...], checksum: int | None, *parts: bytes) -> list[Any]:
        """Return the decoded parts of a row that is as it was written."""
        try:
            intact = checksum is None or row_checksum(*row) == checksum
            if intact:
                return [decode_part(part) for part in parts]
        except (msgspec.DecodeError, TypeError, UnicodeError):
            pass  # not what was written, either
        raise StateError(self.path, f"the state is damaged: {name} is not as it was written")

    def delete(self, key: str) -> None:
        """Delete the resource, if it exists."""
        self._check_writable()
        for (kind,) in self._rows("DELETE FROM items WHERE key = ? RETURNING kind", (key.lower(),)):
            self._changes[kind] += 1

    def each(self, kind: str, under: str, *, after: str = "", most: int = 1000) -> Iterator[Item]:
        """Yield the resources of a kind below an id and after another, `most` read at a time."""
        low, last = under.lower().rstrip("/") + "/", after.lower()
        while rows := self._rows(
            f"{_SELECT_ITEMS} WHERE kind = ? AND key >= ? AND key > ? AND key < ? ORDER BY key LIMIT ?",
            (kind.lower(), low, last, low + KEY_RANGE_END, most),
        ):
            yield from map(self._item, rows)
            last = rows[-1][0]

    def items(self, kind: str, under: str = "", *, autoscaled: bool = False) -> list[Item]:
        """Return the resources of a kind below an id in order of their ids; of pools those with a formula, if told."""
        return self._found(under, "AND kind = ?" + (f" AND {_AUTOSCALED}" if autoscaled else ""), kind.lower())

    def items_below(self, under: str) -> list[Item]:
        """Return the resources of every kind below an id, in order of their ids."""
        return self._found(under)

    def _found(self, under: str, conditions: str = "", *values: str) -> list[Item]:
        low = under.lower().rstrip("/") + "/"
        with self._lock:
            rows = self._rows(
                f"{_SELECT_ITEMS} WHERE key >= ? AND key < ? {conditions} ORDER BY key",
                (low, low + KEY_RANGE_END, *values),
            )
        return [self._item(row) for row in rows]

    def all_items(self) -> list[Item]:
        """Return every resource, in order of their ids."""
        with self._lock:
            return [self._item(row) for row in self._rows(f"{_SELECT_ITEMS} ORDER BY key")]

    def all_meta(self) -> dict[str, Any]:
        """Return every setting."""
        with self._lock:
            rows = self._rows("SELECT name, value, checksum FROM meta ORDER BY name")
        return {name: self._decoded(name, (name, value), checksum, value)[0] for name, value, checksum in rows}

    def replace(self, items: list[Item], settings: dict[str, Any]) -> None:
        """Replace all resources and settings."""
        self._check_writable()
        with self._lock:
            self._rows("DELETE FROM items")
            self._rows("DELETE FROM meta")
            self._forget()
        for item in items:
            self.put(item)
        for name, value in settings.items():
            self.set_meta(name, value)

    def has_below(self, under: str) -> bool:
        """Tell whether there is a resource below an id."""
        low = under.lower().rstrip("/") + "/"
        with self._lock:
            return bool(
                self._rows("SELECT 1 FROM items WHERE key >= ? AND key < ? LIMIT 1", (low, low + KEY_RANGE_END))
            )

    def meta(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        """Return a setting, or None."""
        with self._lock:
            if not self._depth:
                self._forget_if_changed()
            if name not in self._meta:
                rows = self._rows("SELECT value, checksum FROM meta WHERE name = ?", (name,))
                for value, known in rows:
                    self._decoded(name, (name, value), known, value)
                self._meta[name] = rows[0][0] if rows else None
            kept = self._meta[name]
        return None if kept is None else msgspec.json.decode(kept)

    def set_meta(self, name: str, value: object) -> None:
        """Store a setting."""
        self._check_writable()
        encoded = msgspec.json.encode(value)
        with self._lock:
            row = (name, encoded)
            self._rows("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (*row, row_checksum(*row)))
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
