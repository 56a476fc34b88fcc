"""The comparison of a lock with Azure: one row a fact, problems first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.lock.comparisons import OK, Comparison, Verdict, show, show_pair
from batchimg_magics.core.lock.fields import FIELDS, Field, field_values, find_field
from batchimg_magics.pool_spec.line import magic_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.lock.observation import Observation

__all__ = ["PROBLEMS", "compare_lock"]

#: The first word of each status, the worst first.
_RANKS = ("gone", "changed", "ended", "too", "not readable", "newer", "ends", "not locked", "ok")
#: Statuses with which the pool is not as it was locked.
PROBLEMS = ("gone", "changed", "ended", "too small")
_FORBIDDEN = "what is there is not known"


def compare_lock(lock: Json, seen: Observation, file: str) -> list[dict[str, Any]]:
    """Return the rows of the comparison, problems first.

    Parameters
    ----------
    lock, seen
        The lock, and what was read.
    file
        The name of the lock file, for commands.
    """
    locked, found = field_values(lock), field_values(seen.tables)
    cases = (Comparison(path, locked.get(path), found.get(path), lock, seen) for path in _ordered({**locked, **found}))
    rows = [row for case in cases for row in _rows(case, file)]
    return sorted(rows, key=lambda row: _rank(str(row["status"])))


def _rank(status: str) -> int:
    return next(place for place, word in enumerate(_RANKS) if status.startswith(word))


def _ordered(paths: Iterable[str]) -> list[str]:
    """Return paths in the order of the fields."""
    order = {id(field): place for place, field in enumerate(FIELDS)}
    return sorted(paths, key=lambda path: order[id(find_field(path))])


def _rows(case: Comparison, file: str) -> Iterator[dict[str, Any]]:
    path, lock, seen = case.path, case.lock, case.seen
    field = find_field(path)
    if field is None or (field.of and (field.of in seen.gone or field.of in seen.unread)):
        return
    verdict = _judge(field, case)
    if not verdict.status:
        return
    is_ok = verdict.status == "ok"
    names = {
        "name": magic_word(path.rpartition(".")[2]),
        "pool": magic_word(lock["pool"]["name"]),
        "file": magic_word(file),
    }
    names["image"] = magic_word(dig(lock, "image", "id") or "ID")
    meaning = verdict.meaning if verdict.meaning is not None else "" if is_ok else field.meaning
    advice = verdict.advice if verdict.advice is not None else "" if is_ok else field.advice
    found = case.locked if verdict is OK else case.found  # equal, perhaps in another order
    locked, found = show_pair(show(case.locked), show(found) if verdict.found is None else verdict.found)
    yield {
        "field": path,
        "locked": locked,
        "found": found or None,
        "status": verdict.status,
        "days": verdict.days,
        "meaning": meaning.format(**names) or None,
        "next": advice.format(**names) or None,
    }


def _judge(field: Field, case: Comparison) -> Verdict:
    path, unread = case.path, case.seen.unread
    if case.is_gone:
        return Verdict("gone") if case.locked is not None else Verdict("")
    if path in unread:
        return Verdict("not readable", unread[path], meaning=_FORBIDDEN) if case.locked is not None else Verdict("")
    if case.locked is None and _is_unknown(case):
        return Verdict("not locked", meaning="it could not be read when the lock was made", advice="")
    return field.compare(case)


def _is_unknown(case: Comparison) -> bool:
    """Tell whether the lock says that it did not know a fact, or has no table for it."""
    unknown = case.lock.get("unknown") or {}
    parts = case.path.split(".")
    return any(".".join(parts[: end + 1]) in unknown for end in range(len(parts))) or parts[0] not in case.lock
