"""The SQLite file of an emulator state: how it is opened, the checksums of its rows, and its errors."""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path

from batchimg_magics.emulator.world.private_files import make_private

#: Real seconds to wait for the transaction of another process, and for a file that is being opened.
BUSY_TIMEOUT_S = 30.0
OPEN_TIMEOUT_S = 2.0
#: SQLite's errors if it cannot get the shared memory that WAL needs.
_NO_SHARED_MEMORY = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL})
TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL, checksum INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, doc BLOB NOT NULL, hidden BLOB NOT NULL, checksum INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_kind ON items (kind, key);
"""


class ReadOnlyTransactionError(Exception):
    """A read-only transaction has something to write: run it again for writing."""


class StateError(Exception):
    """The emulator state file cannot be used: it is something else, it is damaged, or the disk is full.

    Parameters
    ----------
    path
        The file.
    reason
        The reason, for example in SQLite's words.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class StateBusyError(StateError):
    """Another process has locked the emulator state file."""


class StateLayoutError(StateError):
    """The file has another layout."""


def state_error(path: str, error: sqlite3.Error) -> StateError:
    """Return the error of a state file for an error of SQLite."""
    # The low byte is the primary code; the other bytes have the details.
    busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return (StateBusyError if busy else StateError)(path, str(error))


def row_checksum(*parts: str | bytes) -> int:
    """Return what tells whether a row is as it was written."""
    return zlib.crc32(b"\0".join(part.encode() if isinstance(part, str) else part for part in parts))


def open_database(path: str, *, exclusive: bool) -> sqlite3.Connection:
    """Open a file with a write-ahead log (WAL), so that reads do not wait for writes, or else with a rollback journal.

    WAL needs shared memory, which not every file system has; SQLite reports that at the first read. A file with a
    rollback journal keeps it, because another process may be using it.
    """
    make_private(path)
    for beside in ("-wal", "-shm", "-journal"):
        if Path(f"{path}{beside}").exists():
            make_private(f"{path}{beside}")
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
