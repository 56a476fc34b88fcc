"""`lock`: write down what a pool is made of, as a file that is kept beside the notebook in version control."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import read_cache
from batchimg_magics.core.base import files
from batchimg_magics.core.base.package_list import PackageList
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import pools
from batchimg_magics.core.lock import lock_file
from batchimg_magics.core.lock.comparisons import shorten, show
from batchimg_magics.core.lock.fields import field_values, find_field
from batchimg_magics.core.lock.observation import needs_of_pool, observe
from batchimg_magics.core.lock.resources_read import ResourceReader
from batchimg_magics.core.lock.subjects import find_subjects
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.lock.observation import Observation
    from batchimg_magics.core.lock.subjects import Subjects

#: Why a subject that is not there has no facts.
_DELETED = "it was deleted before the lock was made"


async def lock_pool(azure: Azure, name: str, file: str | None = None, *, force: bool = False) -> Table:
    """Write the lock of a pool.

    Parameters
    ----------
    azure, name
        The connection, and the name of the pool.
    file
        The file; None: ``NAME.lock.toml`` in the working folder. A lock of the same pool is replaced.
    force
        Whether any other existing file is replaced.

    Returns
    -------
    Table
        One row per fact. ``attrs["lock"]`` has the lock, ``attrs["resources"]`` the ids by role.

    Raises
    ------
    NotFoundError
        There is no such pool; nothing was written.
    SpecError
        The file exists and is no lock of this pool, or it cannot be written.
    """
    with read_cache.share_reads():
        previous = _previous(file or lock_file.file_name(name), name)
        lock, resources, packages = await read_lock(azure, name, previous)
    pool = str(lock["pool"]["name"])
    path = file or lock_file.file_name(pool)
    if packages is not None:  # before the lock that names it
        beside = str(Path(path).with_name(lock["packages"]["file"]))
        files.write_file(beside, packages.text, force=force, replace_if=lambda old: _is_list(old, previous))
    files.write_file(
        path, lock_file.lock_text(lock), force=force, replace_if=lambda old: lock_file.is_lock_of(old, pool)
    )
    rows = [*_rows(lock), *_unknown_rows(lock)]
    unknown = len(lock.get("unknown") or {})
    caption = f"pool {pool}: locked in {path}, {count_text(len(rows) - unknown, 'fact')}"
    caption += f"; {count_text(unknown, 'fact')} could not be read" if unknown else ""
    return Table.from_rows("lock", rows, caption, lock=lock, resources=resources, file=Path(path).name)


def _is_list(content: bytes, previous: Json | None) -> bool:
    """Tell whether a file is a list of packages, which a lock of the pool names or which has some."""
    try:
        found = PackageList.parse(content)
    except SpecError:
        return False
    return previous is not None or bool(found.packages)


def _previous(path: str, name: str) -> Json | None:
    """Return the lock that is replaced; None: there is none of this pool."""
    try:
        old = lock_file.parse_lock(files.read_file(path), path)
    except SpecError:
        return None
    return old if str(old["pool"]["name"]).lower() == name.lower() else None


async def read_lock(
    azure: Azure, name: str, previous: Json | None = None
) -> tuple[Json, dict[str, str], PackageList | None]:
    """Return the lock of a pool, the ids of its subjects by role, and the list of packages; nothing is written.

    Parameters
    ----------
    azure, name
        The connection, and the name of the pool.
    previous
        The lock that it replaces: prices that are the same keep their date.

    Raises
    ------
    NotFoundError
        There is no such pool.
    """
    pool = await pools.require(azure, name)
    reader = ResourceReader(azure, complete=True)
    subjects = await find_subjects(reader, pool)
    subjects.pool = str(pool["id"])
    seen = await observe(reader, subjects, needs_of_pool(pool))
    lock = lock_file.ordered(seen.tables)
    _keep_date_of_prices(lock, previous or {})
    if seen.packages is not None:
        lock["packages"]["file"] = lock_file.packages_file_name(str(pool["name"]))
    elif _keep_packages(lock, previous or {}):
        seen.unread.pop("packages", None)
    if unknown := _unknown(seen):
        lock["unknown"] = dict(sorted(unknown.items()))
    return lock, _resources(subjects, azure), seen.packages


def _unknown(seen: Observation) -> dict[str, str]:
    return {**dict.fromkeys(seen.gone, _DELETED), **seen.unread}


def _keep_date_of_prices(lock: Json, previous: Json) -> None:
    """Keep the date of prices that have not changed: a lock that is written again must not differ without a reason."""
    old, new = dict(previous.get("prices") or {}), dict(lock.get("prices") or {})
    date = old.pop("as_of", None)
    new.pop("as_of", None)
    if date is not None and old == new:
        lock["prices"]["as_of"] = date


def _keep_packages(lock: Json, previous: Json) -> bool:
    """Keep the packages of the same image, whose list no node has any more; return whether they were kept."""
    known, image, old = previous.get("packages"), lock.get("image") or {}, previous.get("image") or {}
    same_image = all(image.get(key) == old.get(key) for key in ("id", "published"))
    if not known or not same_image or known.get("sha256") != (lock.get("packages") or known).get("sha256"):
        return False
    lock["packages"] = known
    return True


def _resources(subjects: Subjects, azure: Azure) -> dict[str, str]:
    """Return the ids by role."""
    known = {
        "pool": subjects.pool,
        "account": str(azure.scope.account_id),
        "image_version": subjects.image if subjects.definition else None,
        "image": None if subjects.definition else subjects.image,
        "image_definition": subjects.definition,
        "gallery": subjects.gallery,
        "vm": subjects.vm,
        "snapshot": subjects.snapshots.get("os"),
    }
    return {role: one for role, one in known.items() if one}


def _rows(lock: Json) -> list[dict[str, Any]]:
    rows = []
    for path, value in field_values(lock).items():
        field = find_field(path)
        rows.append({"field": path, "value": shorten(show(value)), "about": field.about if field else None})
    return rows


def _unknown_rows(lock: Json) -> list[dict[str, Any]]:
    return [{"field": path, "unknown": reason} for path, reason in (lock.get("unknown") or {}).items()]
