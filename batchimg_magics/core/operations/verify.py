"""`verify`: compare the lock of a pool with what Azure shows now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import read_cache
from batchimg_magics.core.base import files
from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.base.package_list import MAX_BYTES, PackageList, changes, changes_text
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.lock import lock_file
from batchimg_magics.core.lock.comparing import PROBLEMS, compare_lock
from batchimg_magics.core.lock.observation import NodeNeeds, observe, observe_quota
from batchimg_magics.core.lock.resources_read import ResourceReader
from batchimg_magics.core.lock.subjects import locked_subjects
from batchimg_magics.errors import ConflictError, SpecError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.package_list import PackageChange
    from batchimg_magics.core.lock.observation import Observation

#: Problems that a caption names.
_NAMED = 3
#: Packages that a row names.
_NAMED_PACKAGES = 5


def read_lock_file(path: str) -> Json:
    """Return the lock in a file.

    Raises
    ------
    SpecError
        The file cannot be read, or is no lock file.
    """
    return lock_file.parse_lock(files.read_file(path), Path(path).name)


async def verify(azure: Azure, path: str, *, strict: bool = False) -> Table:
    """Compare a lock with Azure.

    Parameters
    ----------
    azure, path
        The connection, and the lock file.
    strict
        Whether to fail if something is not as it was locked, or is not readable.

    Returns
    -------
    Table
        One row per fact, problems first. ``attrs["differing"]`` is the number of problems.

    Raises
    ------
    SpecError
        The file is no lock file.
    ConflictError
        Something differs, and `strict` is set; the error has the table.
    """
    lock = read_lock_file(path)
    name = Path(path).name
    subjects = locked_subjects(lock)
    reader = ResourceReader(azure)
    needs = NodeNeeds(str(lock["node"]["vm_size"]), str(lock["node"].get("node_agent_sku") or ""))
    spec = lock["spec"]
    counts = Counts(_whole(spec.get("nodes")), _whole(spec.get("spot")))
    with read_cache.share_reads():
        seen = await observe(reader, subjects, needs)
        if counts.total:
            await observe_quota(reader, str(lock["pool"]["name"]), needs.vm_size, counts, seen)
    wanted = {"quota": str(counts)} if counts.total else {}
    _compare_packages(lock, path, seen)
    rows = compare_lock({**lock, **wanted}, seen, path)
    problems = [row for row in rows if str(row["status"]).startswith(PROBLEMS)]
    unread = [row for row in rows if row["status"] == "not readable"]
    table = Table.from_rows("verify", rows, _caption(name, rows, problems), differing=len(problems))
    table.attrs["resources"] = {"pool": subjects.pool, **({"image_version": subjects.image} if subjects.image else {})}
    if strict and (problems or unread):
        error = ConflictError(
            f"{name}: {_named([*problems, *unread])}",
            hint="the table above says what each means; without --strict, the same line only shows it",
            status_code=409,
        )
        error.table = table
        raise error
    return table


def _compare_packages(lock: Json, path: str, seen: Observation) -> None:
    """Compare the list of packages beside a lock file with the lock, and with that of the image."""
    locked = lock.get("packages") or {}
    if not isinstance(locked.get("file"), str):
        return
    try:
        beside = Path(path).expanduser().with_name(Path(locked["file"]).name)
        found = PackageList.parse(files.read_file(beside, max_bytes=MAX_BYTES), what=str(beside))
    except (SpecError, ValueError):
        return
    seen.beside = found.sha256 == locked.get("sha256")
    if seen.beside and seen.packages is not None:
        seen.package_changes = _changes_text(changes(found, seen.packages))


def _changes_text(found: list[PackageChange]) -> str:
    """Return the changes of packages as text, with the first of them."""
    named = [
        " ".join(filter(None, [one.change, one.name, one.old, "to" if one.old and one.new else "", one.new]))
        for one in found[:_NAMED_PACKAGES]
    ]
    more = f", and {len(found) - _NAMED_PACKAGES} more" if len(found) > _NAMED_PACKAGES else ""
    return f"{changes_text(found)}: {', '.join(named)}{more}" if found else ""


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _caption(name: str, rows: list[dict[str, Any]], problems: list[dict[str, Any]]) -> str:
    others = [row for row in rows if row["status"] != "ok" and row not in problems]
    told = f"; to note: {_named(others)}" if others else ""
    if not problems:
        return (
            f"{name}: all {len(rows)} facts are as they were locked{told}"
            if not others
            else f"{name}: nothing differs{told}"
        )
    return f"{name}: {len(problems)} of {len(rows)} facts differ: {_named(problems)}{told}"


def _named(rows: list[dict[str, Any]]) -> str:
    parts = [f"{row['field']} {row['status']}" for row in rows[:_NAMED]]
    return ", ".join(parts) + (f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else "")
