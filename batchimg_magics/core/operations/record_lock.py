"""Rebuild the lock files of the pools of a notebook from its records."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from batchimg_magics.core.base import files
from batchimg_magics.core.lock import lock_file
from batchimg_magics.errors import SpecError
from batchimg_magics.masking import make_visible
from batchimg_magics.pool_spec.values import pool_name

if TYPE_CHECKING:
    from batchimg_magics.core.operations.notebook_records import CellRecord, NotebookRecords

__all__ = ["lock_texts", "write_locks"]


def lock_texts(read: NotebookRecords) -> dict[str, str]:
    """Return the text of the lock file of each pool that the notebook has locked, by the name of the pool.

    Raises
    ------
    SpecError
        The record of a lock is not that of a lock file.
    """
    return dict(_checked(one, read.file) for one in read.locks().values())


def _checked(one: CellRecord, notebook: str) -> tuple[str, str]:
    """Return the name of a pool and the text of its lock file, written again; the two forms of the record must agree.

    Jupyter sorts the keys of what it saves: only the text has the order of the file.
    """
    source = f"the lock in cell {one.cell} of {make_visible(notebook)}"
    lock = lock_file.parse_lock(one.record.lock_text, source)
    if lock != one.record.lock:
        raise SpecError(f"{source} is damaged", hint="run the notebook again, and save it")
    return pool_name(lock["pool"]["name"]), lock_file.lock_text(lock)


def write_locks(read: NotebookRecords, place: str, *, force: bool) -> list[str]:
    """Write the lock file of the pool of a notebook, or those of its pools into a folder; return the files.

    Raises
    ------
    SpecError
        The notebook has no lock, or several pools and one file; a file cannot be written.
    """
    texts = lock_texts(read)
    if not texts:
        raise _no_lock(read)
    folder = Path(place).expanduser()
    if folder.is_dir():
        paths = {str(Path(place) / lock_file.file_name(name)): (name, text) for name, text in texts.items()}
    elif len(texts) > 1:
        raise SpecError(f"the notebook has the locks of {', '.join(texts)}", hint="give --lock an existing folder")
    else:
        paths = {place: next(iter(texts.items()))}
    for path, (name, text) in paths.items():
        files.write_file(path, text, force=force, replace_if=partial(_is_lock, pool=name))
    return list(paths)


def _is_lock(content: bytes, pool: str) -> bool:
    return lock_file.is_lock_of(content, pool)


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
        hint=f"add a cell `%batchimg lock {pool}`, and run the notebook again",
    )
