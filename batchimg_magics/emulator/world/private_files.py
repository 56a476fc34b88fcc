"""Files that only the user can read: an emulator state has documents with the user's data."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_private", "make_private_folder"]


def make_private(path: str | Path) -> None:
    """Make a file that only the user can read, or take an existing one away from others, whatever the umask.

    The files that SQLite makes beside it get the same permissions.
    """
    if str(path) == ":memory:":
        return
    with contextlib.suppress(OSError):  # the file is not the user's own, or cannot be: opening it tells
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            mode = os.fstat(handle).st_mode
            if stat.S_ISREG(mode) and mode & 0o077 and os.name == "posix":
                os.fchmod(handle, 0o600)
        finally:
            os.close(handle)


def make_private_folder(folder: Path) -> None:
    """Create a folder, and those above it, that only the user can enter; an existing folder stays as it is."""
    for one in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        one.mkdir(mode=0o700, exist_ok=True)
