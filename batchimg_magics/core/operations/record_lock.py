"""Rebuild the lock files of the pools of a notebook from its records."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from batchimg_magics.core.base import files
from batchimg_magics.core.base.package_list import MAX_BYTES, PackageList
from batchimg_magics.core.base.package_store import PackageStore
from batchimg_magics.core.lock import lock_file
from batchimg_magics.errors import SpecError
from batchimg_magics.masking import make_visible
from batchimg_magics.pool_spec.line import magic_word
from batchimg_magics.pool_spec.values import pool_name

if TYPE_CHECKING:
    from batchimg_magics.core.operations.notebook_records import CellRecord, NotebookRecords

__all__ = ["RebuiltLock", "rebuild_locks", "write_locks"]


@dataclass(frozen=True, slots=True)
class RebuiltLock:
    """The lock file of a pool, and the file with the packages of its image.

    Parameters
    ----------
    pool, text
        The name of the pool, and the text of its lock file.
    packages_file, packages
        The name of the file beside it, and its text; empty: the lock has no list of packages, or the text is not known.
    is_complete
        Whether the list of packages is known, if there is one.
    """

    pool: str
    text: str
    packages_file: str = ""
    packages: str = ""
    is_complete: bool = True


def rebuild_locks(read: NotebookRecords) -> list[RebuiltLock]:
    """Return the lock of each pool that the notebook has locked.

    Raises
    ------
    SpecError
        The record of a lock is not that of a lock file.
    """
    return [_rebuilt(one, read.file) for one in read.locks().values()]


def _rebuilt(one: CellRecord, notebook: str) -> RebuiltLock:
    """Return the lock of a record, written again; the two forms in the record must agree.

    Jupyter sorts the keys of what it saves: only the text has the order of the file.
    """
    source = f"the lock in cell {one.cell} of {make_visible(notebook)}"
    lock = lock_file.parse_lock(one.record.lock_text, source)
    if lock != one.record.lock:
        raise SpecError(f"{source} is damaged", hint="run the notebook again, and save it")
    pool, text = pool_name(lock["pool"]["name"]), lock_file.lock_text(lock)
    section = lock.get("packages") or {}
    sha256 = str(section.get("sha256") or "")
    if not sha256:
        return RebuiltLock(pool, text)
    name = Path(str(section.get("file") or lock_file.packages_file_name(pool))).name
    found = _find_packages(sha256, name, one, notebook)
    return RebuiltLock(pool, text, name, "" if found is None else found.text, is_complete=found is not None)


def _find_packages(sha256: str, name: str, one: CellRecord, notebook: str) -> PackageList | None:
    """Return a list by its SHA-256: from the file beside the lock or the notebook, otherwise from the local stores."""
    beside = Path(notebook).expanduser().absolute().parent
    written = Path(one.record.arguments.get("file", "")).expanduser().parent
    for folder in (beside / written, Path.cwd() / written, beside):
        with contextlib.suppress(SpecError, OSError, ValueError):
            if (file := folder / name).is_file():
                found = PackageList.parse(files.read_file(file, max_bytes=MAX_BYTES))
                if found.sha256 == sha256:
                    return found
    from platformdirs import user_data_path

    stores = sorted(user_data_path("batchimg").glob("*packages"))
    return next(filter(None, (PackageStore(store).get(sha256) for store in stores)), None)


def write_locks(read: NotebookRecords, locks: list[RebuiltLock], place: str, *, force: bool) -> list[str]:
    """Write the lock file of the pool of a notebook, or those of its pools into a folder; return the files.

    Parameters
    ----------
    read, locks
        The records of the notebook, and its locks.
    place
        The file or the folder.
    force
        Whether other files are replaced; lock files of the same pool are.

    Raises
    ------
    SpecError
        The notebook has no lock, or several pools and one file; a file cannot be written.
    """
    if not locks:
        raise _no_lock(read)
    if Path(place).expanduser().is_dir():
        paths = {str(Path(place) / lock_file.file_name(one.pool)): one for one in locks}
    elif len(locks) > 1:
        pools = ", ".join(one.pool for one in locks)
        raise SpecError(f"the notebook has the locks of {pools}", hint="give --lock an existing folder")
    else:
        paths = {place: locks[0]}
    written = []
    for path, one in paths.items():
        files.write_file(path, one.text, force=force, replace_if=partial(_is_lock, pool=one.pool))
        written.append(path)
        if one.packages:
            beside = str(Path(path).with_name(one.packages_file))
            files.write_file(beside, one.packages, force=force, replace_if=_is_package_list)
            written.append(beside)
    return written


def _is_lock(content: bytes, pool: str) -> bool:
    return lock_file.is_lock_of(content, pool)


def _is_package_list(content: bytes) -> bool:
    try:
        PackageList.parse(content.decode())
    except (SpecError, UnicodeDecodeError):
        return False
    return True


def _no_lock(read: NotebookRecords) -> SpecError:
    made = [one.record for one in read.found if one.record.verb in ("create", "update") and one.record.pools]
    if not made:
        return SpecError(
            f"{make_visible(read.file)} has no record of `lock` and creates no pool",
            hint="add a cell `%batchimg lock POOL`, and run the notebook again",
        )
    pool, known = made[-1].pools[0], ", ".join(made[-1].resources)
    return SpecError(
        f"{make_visible(read.file)} has no record of `lock`: it does not have what the image of pool {pool} was made "
        f"from, its packages, the node agent and the prices; known: {known or 'the command that created it'}",
        hint=f"add a cell `%batchimg lock {magic_word(pool)}`, and run the notebook again",
    )
