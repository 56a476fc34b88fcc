"""The mark that a process has an emulator state file open, which ends with the process, however it ends."""

from __future__ import annotations

import sqlite3

from batchimg_magics.emulator.world.private_files import make_private

#: Added to the path of the state file. The file has no content: only its locks count.
SUFFIX = "-open"


class OpenMark:
    """A lock on a file beside the state file, shared by the processes that have the state open.

    SQLite takes it, because its locks work on every system that SQLite works on, several times in one process, too. The
    operating system releases them when a process ends, also if it was killed. To be made in a transaction on the state
    file, so that one process at a time is asked whether it is the first.

    Parameters
    ----------
    path
        The state file.

    Attributes
    ----------
    first
        Whether no other process had the state open, nor another part of this one.

    Raises
    ------
    sqlite3.Error
        The file cannot be made or locked.
    """

    def __init__(self, path: str) -> None:
        make_private(f"{path}{SUFFIX}")
        self._database = sqlite3.connect(f"{path}{SUFFIX}", isolation_level=None, timeout=0, check_same_thread=False)
        try:
            self.first = self._is_alone()
            self._database.execute("BEGIN")
            self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()  # takes the lock until `release`
        except sqlite3.Error:
            self._database.close()
            raise

    def _is_alone(self) -> bool:
        try:
            self._database.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        self._database.execute("COMMIT")
        return True

    def release(self) -> None:
        """Tell that the state is closed here."""
        self._database.close()
