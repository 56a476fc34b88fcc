"""The text of a lock: TOML in a fixed order, made for review in a diff, and read with limits."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.errors import SpecError
from batchimg_magics.masking import visible_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchimg_magics.core.azure.documents import Json

__all__ = [
    "FORMAT",
    "TABLES",
    "expand",
    "file_name",
    "hash_spec",
    "is_lock_of",
    "lock_text",
    "ordered",
    "packages_file_name",
    "parse_lock",
]

#: The version of the format. A reader refuses a newer one.
FORMAT = 1
#: The tables of a lock, in the order of the file.
TABLES = (
    "tool", "sdk", "api_versions", "pool", "node", "spec", "secrets", "image", "definition", "gallery", "packages",
    "snapshots", "disks", "vm", "base_image", "prices", "ends", "unknown",
)  # fmt: skip
#: The tables that no lock is without.
_REQUIRED = ("tool", "api_versions", "pool", "node", "spec")
#: Paths of tables inside tables; ``*``: any name.
_PARTS = (
    "pool.tags", "image.replicas", "image.sources", "image.tags", "definition.properties", "snapshots.*", "disks.*",
    "vm.disks",
)  # fmt: skip
#: Paths of texts that are read as names and ids.
_TEXTS = (
    "pool.name", "pool.id", "node.*", "tool.*", "image.id", "image.sources.*", "definition.id", "gallery.id",
    "snapshots.*.id", "disks.*.id", "vm.id", "vm.disks.*", "base_image.*", "packages.file", "unknown.*", "secrets.*",
)  # fmt: skip
#: Characters that no id and no name of Azure has, and that have a meaning in a URL.
_NOT_IN_IDS = re.compile(r"[{}<>?#%\\\s]")
_PACKAGES_FILE = re.compile(r"\w[\w.-]*\.tsv", re.ASCII)
#: Levels of nested values that are read: a mount or a rolling upgrade of a spec has four.
MAX_DEPTH = 12
_NOTE = """\
# What the Batch pool {name} is made of: `batchimg lock {name}` wrote this file.
# `batchimg verify FILE` compares it with Azure, `batchimg create --locked FILE` makes the pool again.
# It contains no secrets. [secrets] has the environment variables that the pool needs, [unknown] what could not be read.
"""


def file_name(pool: str) -> str:
    """Return the name of a pool's lock file."""
    return f"{pool}.lock.toml"


def packages_file_name(pool: str) -> str:
    """Return the name of the file with the packages of a pool's image, beside the lock file."""
    return f"{pool}.packages.tsv"


def hash_spec(spec: Json) -> str:
    """Return the sha256 of a spec: of its JSON with sorted keys."""
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def lock_text(lock: Json) -> str:
    """Return a lock as the text of its file.

    Parameters
    ----------
    lock
        The document, as `parse_lock` returns it and as ``attrs["lock"]`` of a table has it.
    """
    import tomli_w  # only a lock that is written needs it

    return f"{_NOTE.format(name=lock['pool']['name'])}\n{visible_toml(tomli_w.dumps(ordered(lock)))}"


def ordered(lock: Json) -> Json:
    """Return a lock in the order of its file: the reads of its facts end in any order."""
    found = {"format": lock["format"], **{name: lock[name] for name in TABLES if lock.get(name)}}
    for name in ("snapshots", "disks"):
        if name in found:
            found[name] = {role: found[name][role] for role in sorted(found[name], key=_role_key)}
    if "ends" in found:
        found["ends"] = dict(sorted(found["ends"].items()))
    return found


def _role_key(role: str) -> tuple[bool, int, str]:
    """Return a key that orders the OS disk before data disks, and those by their number."""
    number = role.removeprefix("lun")
    return role != "os", int(number) if number.isdecimal() else 0, role


def parse_lock(text: str, source: str) -> Json:
    """Return the lock in the text of a file.

    Parameters
    ----------
    text, source
        The text, and the name of its file for messages.

    Raises
    ------
    SpecError
        It is not TOML or no lock, its format is newer, or it has keys that are not known.
    """
    import tomllib

    try:
        lock: Json = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SpecError(f"{source} is not a lock file: {reason}", hint=_hint()) from None
    version = lock.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise SpecError(f"{source} is not a lock file: it has no format", hint=_hint())
    if version > FORMAT:
        raise SpecError(
            f"{source} has format {version}, and this version of batchimg_magics reads format {FORMAT}",
            hint="update batchimg_magics",
        )
    _check_tables(lock, source)
    return lock


def is_lock_of(content: bytes, pool: str) -> bool:
    """Tell whether the content of a file is a lock of a pool of this name."""
    try:
        lock = parse_lock(content.decode(), "")
    except (SpecError, UnicodeDecodeError):
        return False
    return str(lock["pool"]["name"]).lower() == pool.lower()


def _hint() -> str:
    return "`%batchimg lock POOL` writes a lock file"


def _check_tables(lock: Json, source: str) -> None:
    for name, value in lock.items():
        if name != "format" and name not in TABLES:
            raise SpecError(f"{source} has an unknown key, {name}", hint=f"the tables are: {', '.join(TABLES)}")
        if name != "format" and not isinstance(value, dict):
            raise SpecError(f"{source}: {name} is not a table", hint=_hint())
    if missing := [name for name in _REQUIRED if name not in lock]:
        raise SpecError(f"{source} is not a complete lock file: it has no [{missing[0]}]", hint=_hint())
    for path in (("pool", "name"), ("pool", "id"), ("node", "vm_size"), ("tool", "version")):
        if not isinstance(dig(lock, *path), str):
            raise SpecError(f"{source} is not a complete lock file: it has no {'.'.join(path)}", hint=_hint())
    if problem := next(_value_problems(lock), ""):
        raise SpecError(f"{source}: {problem}", hint=_hint())
    if not _is_plain(lock):
        raise SpecError(
            f"{source} has a value that no lock has: a date, a number without end, or more than {MAX_DEPTH} levels",
            hint=_hint(),
        )


def _value_problems(lock: Json) -> Iterator[str]:
    """Yield what is wrong with the types and ids in a lock, as text."""
    for kind, what, patterns in ((dict, "table", _PARTS), (str, "text", _TEXTS)):
        for pattern in patterns:
            for path, value in expand(lock, pattern.split(".")):
                if not isinstance(value, kind):
                    yield f"{path} is not a {what}"
                elif kind is str and _is_id(path) and _NOT_IN_IDS.search(str(value)):
                    yield f"{path} is not a name of Azure"
    # It is written and read beside the lock: such a name leads nowhere else, and is no hidden file.
    if not _PACKAGES_FILE.fullmatch(dig(lock, "packages", "file") or "a.tsv"):
        yield "packages.file is not the name of a TSV file"
    for table in ("snapshots", "disks"):
        yield from (f"{path} has no id" for path, value in expand(lock, [table, "*"]) if "id" not in value)


def _is_id(path: str) -> bool:
    return path.endswith(".id") or path.startswith(("base_image.", "image.sources.", "vm.disks."))


def expand(value: Any, words: Sequence[str], before: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    """Yield the paths and values in a document that a path with ``*`` for any name means."""
    if not words:
        yield ".".join(before), value
        return
    if not isinstance(value, dict):
        return
    for name in list(value) if words[0] == "*" else [words[0]]:
        if name in value:
            yield from expand(value[name], words[1:], (*before, name))


def _is_plain(value: Any, depth: int = 0) -> bool:  # noqa: ANN401 - any TOML value
    """Tell whether a value is JSON, and not nested too deeply."""
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, dict):
        return all(_is_plain(one, depth + 1) for one in value.values())
    if isinstance(value, list):
        return all(_is_plain(one, depth + 1) for one in value)
    return isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))
