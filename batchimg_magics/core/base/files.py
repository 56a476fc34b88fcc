"""Read and write the user's files: a write replaces a file at once or not at all, a read is bounded."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import decode_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MAX_BYTES",
    "check_new_file",
    "make_private",
    "make_private_folder",
    "read_bytes",
    "read_file",
    "write_file",
]

#: The largest text file that is read: documents of a user are far smaller.
MAX_BYTES = 16 * 1024 * 1024
#: A temporary file that is so many seconds older than a new one is of a process that was killed.
_ABANDONED_S = 3600.0
_EXISTS_HINT = "give --force to replace it, or another file"
#: What to do about an error of the operating system.
_HINTS = {
    errno.ENOSPC: "free space on the disk, or give another file",
    errno.EDQUOT: "free space in your quota, or give another file",
    errno.ENOENT: "create the folder first, or give another file",
    errno.ENOTDIR: "give another file",
    errno.ENAMETOOLONG: "give a shorter name",
}


def write_file(
    path: str | Path,
    text: str | bytes,
    *,
    force: bool = False,
    replace_if: Callable[[bytes], bool] | None = None,
    private: bool = False,
) -> None:
    """Write a file: afterwards it has all of the text, or it is as before.

    Parameters
    ----------
    path
        The file; ``~`` is the home folder. Links are followed. A device or a pipe is written to as it is.
    text
        The content; text is written in UTF-8 with the line ends that it has.
    force
        Whether an existing file is replaced.
    replace_if
        Whether an existing file with this content is replaced without ``force``.
    private
        Whether only the user can read it, whatever the umask; a file that is replaced keeps its mode otherwise.

    Raises
    ------
    SpecError
        The file exists, or cannot be written: its folder does not exist, the disk is full, permission is missing.
    """
    file = _resolved(path)
    content = text.encode() if isinstance(text, str) else text
    try:
        mode = _mode(file)
        if mode is not None and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            file.write_bytes(content)
            return
        replaces = force or (mode is not None and replace_if is not None and replace_if(file.read_bytes()))
        _write_at_once(file, content, mode, private=private, replace=replaces)
    except FileExistsError:
        raise SpecError(f"{path} exists already", hint=_EXISTS_HINT) from None
    except (OSError, ValueError) as error:
        raise _cannot(path, "written", error) from error


def check_new_file(path: str | Path, *, force: bool = False) -> None:
    """Check before any work is done that a file can be written afterwards.

    Raises
    ------
    SpecError
        The file exists, and ``force`` is not given, or it is a folder; its folder does not exist or is read-only.
    """
    file = _resolved(path)
    try:
        mode = _mode(file)
        if mode is None or stat.S_ISREG(mode):
            _check_place(file, exists=mode is not None and not force)
        elif stat.S_ISDIR(mode):
            raise _os_error(errno.EISDIR)
    except FileExistsError:
        raise SpecError(f"{path} exists already", hint=_EXISTS_HINT) from None
    except (OSError, ValueError) as error:
        raise _cannot(path, "written", error) from error


def read_file(path: str | Path, *, max_bytes: int = MAX_BYTES) -> str:
    """Read a text file in UTF-8, or in UTF-16 as PowerShell writes it.

    Parameters
    ----------
    path
        The file; ``~`` is the home folder.
    max_bytes
        The size in bytes above which it is not read.

    Raises
    ------
    SpecError
        The file cannot be read, is larger, or is not text.
    """
    file = _resolved(path)
    try:
        content = read_bytes(file, max_bytes)
    except (OSError, ValueError) as error:
        raise _cannot(path, "read", error) from error
    if content is None:
        raise SpecError(f"{path} is larger than {max_bytes:,} bytes", hint="check that it is the right file")
    try:
        return decode_text(content)
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} cannot be read: the file is not text", hint="save it as UTF-8") from error


def read_bytes(file: Path, max_bytes: int = MAX_BYTES) -> bytes | None:
    """Return the content of a file; None if it is larger, which may be without an end.

    Raises
    ------
    OSError, ValueError
        The file cannot be read.
    """
    with file.open("rb") as opened:
        content = opened.read(max_bytes + 1)
    return None if len(content) > max_bytes else content


def make_private_folder(folder: Path) -> None:
    """Create a folder, and those above it, that only the user can enter; an existing folder stays as it is."""
    for one in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        one.mkdir(mode=0o700, exist_ok=True)  # another process may be faster


def make_private(path: Path) -> None:
    """Make a file that only the user can read, or take an existing one away from others, whatever the umask.

    The files that SQLite makes beside it get the same permissions.
    """
    with contextlib.suppress(OSError):  # the file is not the user's own, or cannot be: opening it tells
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            mode = os.fstat(handle).st_mode
            if stat.S_ISREG(mode) and mode & 0o077 and os.name == "posix":
                os.fchmod(handle, 0o600)
        finally:
            os.close(handle)


def _resolved(path: str | Path) -> Path:
    try:
        return Path(os.path.realpath(Path(path).expanduser()))
    except (OSError, RuntimeError, ValueError) as error:
        raise _cannot(path, "used", error) from error


def _mode(file: Path) -> int | None:
    """Return the mode of a file; None where there is none."""
    try:
        return file.stat().st_mode
    except FileNotFoundError:
        return None


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))  # an instance of the subclass for the number


def _check_place(file: Path, *, exists: bool) -> None:
    """Check that a file can be made beside the file, and that nothing is in its way."""
    if exists:
        raise _os_error(errno.EEXIST)
    if not file.parent.exists():
        raise _os_error(errno.ENOENT)
    if not file.parent.is_dir():
        raise _os_error(errno.ENOTDIR)
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise _os_error(errno.EACCES)


def _write_at_once(file: Path, content: bytes, mode: int | None, *, private: bool, replace: bool) -> None:
    """Write a temporary file beside the file, and give it the name of the file.

    Raises
    ------
    FileExistsError
        The file exists, and is not to be replaced.
    """
    if mode is not None and stat.S_ISDIR(mode):
        raise _os_error(errno.EISDIR)
    _check_place(file, exists=mode is not None and not replace)
    temporary = file.with_name(f".batchimg-{secrets.token_hex(8)}.new")
    permissions = 0o600 if private else 0o666  # the umask is taken from it
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), permissions)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        _remove_abandoned(temporary)
        if private or mode is not None:
            temporary.chmod(0o600 if private or mode is None else stat.S_IMODE(mode))
        if replace:
            temporary.replace(file)
        else:
            _name_new(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_abandoned(temporary: Path) -> None:
    """Delete the temporary files of processes that were killed, by the clock of the file system."""
    now = temporary.stat().st_mtime
    for other in temporary.parent.glob(".batchimg-*.new"):
        with contextlib.suppress(OSError):  # another process was faster, or it belongs to another user
            if now - other.stat().st_mtime > _ABANDONED_S:
                other.unlink()


def _name_new(temporary: Path, file: Path) -> None:
    """Give a file a name that nobody else has taken in the meantime."""
    try:
        file.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # the file system has no hard links
        temporary.replace(file)


def _cannot(path: str | Path, done: str, error: Exception) -> SpecError:
    reason = getattr(error, "strerror", None) or str(error)
    number = getattr(error, "errno", None)
    return SpecError(
        f"{path} cannot be {done}: {reason}", hint=_HINTS.get(number or 0, "check the file's name and permissions")
    )
