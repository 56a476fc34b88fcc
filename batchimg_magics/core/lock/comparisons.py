"""How a fact of a lock is compared with what Azure shows, and what comes of it."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.lock.facts import NO_END, version_key
from batchimg_magics.core.lock.lock_file import hash_spec
from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.lock.observation import Observation

__all__ = ["OK", "Comparison", "Verdict", "shorten", "show", "show_pair"]

#: An end is told if it is so many days away or nearer: images and quotas need time to move. As rule `retiring`.
WARN_DAYS = 365
#: The longest text in a cell of a table.
MAX_TEXT = 200
#: Ownership tags that depend on how a pool was created.
_BY_PRESENCE = (tags.IMAGE, tags.MADE_BY)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One fact, as locked and as found.

    Parameters
    ----------
    path
        Where it is in the lock.
    locked, found
        The values; None: there is none.
    lock, seen
        The whole lock, and all that was read.
    """

    path: str
    locked: Any
    found: Any
    lock: Json
    seen: Observation

    @property
    def is_gone(self) -> bool:
        """Whether Azure does not find the subject."""
        return self.path in self.seen.gone


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a comparison.

    Parameters
    ----------
    status
        ``ok``, ``changed``, ``gone``, ...; empty: there is nothing to tell.
    found
        What was found, as text; None: as `show` writes it.
    days
        Days until something ends, negative after it.
    meaning, advice
        In place of those of the field; None: as there.
    """

    status: str
    found: str | None = None
    days: int | None = None
    meaning: str | None = None
    advice: str | None = None


OK = Verdict("ok")


def show(value: Any) -> str | None:  # noqa: ANN401 - any value of a lock
    """Return a value as one line of text; None for none."""
    if value is None or value in ({}, []):
        return None
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(one)}" for name, one in value.items() if one is not None)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(_short(one)) for one in value)
    return str(_short(value))


def shorten(text: str | None, start: int = 0) -> str | None:
    """Return a text from a place on, as a cell of a table can have it; the lock file has all of it."""
    if text is None or len(text) <= MAX_TEXT:
        return text
    first = max(0, min(start - 40, len(text) - MAX_TEXT))
    end = first + MAX_TEXT
    return f"{'…' if first else ''}{text[first:end]}{'…' if end < len(text) else ''} ({len(text):,} characters)"


def show_pair(locked: str | None, found: str | None) -> tuple[str | None, str | None]:
    """Return two texts shortened to the place where they begin to differ."""
    pairs = enumerate(zip(locked or "", found or "", strict=False))
    start = next((place for place, (one, other) in pairs if one != other), 0)
    return shorten(locked, start), shorten(found, start)


def _short(value: Any) -> Any:  # noqa: ANN401 - any value of a lock
    """Return the name of a resource for its id; nested values as JSON."""
    if isinstance(value, str) and value.lower().startswith("/subscriptions/"):
        try:
            return ResourceId.parse(value).label
        except ValueError:
            return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _is_equal(one: Any, other: Any) -> bool:  # noqa: ANN401 - any value of a lock
    """Compare values; Azure ignores the case of ids."""
    if isinstance(one, str) and isinstance(other, str) and one.lower().startswith("/subscriptions/"):
        return is_same_resource(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_is_equal(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)


def same(case: Comparison) -> Verdict:
    """Compare a value as it is."""
    return OK if _is_equal(case.locked, case.found) else Verdict("changed")


same_id = same


def count(case: Comparison) -> Verdict:
    """Tell a number that belongs to the work, not to what the nodes are."""
    return (
        OK if case.locked == case.found else Verdict("ok", meaning="it belongs to the work, not to what the nodes are")
    )


def untold(case: Comparison) -> Verdict:  # noqa: ARG001 - as the others
    """Leave a fact out that says when others were read."""
    return Verdict("")


def price(case: Comparison) -> Verdict:
    """Compare a price; without the image, the price of the disks of a node is not known."""
    return Verdict("") if case.found is None else Verdict("not locked") if case.locked is None else same(case)


def version(case: Comparison) -> Verdict:
    """Compare two versions; a newer one is told."""
    if case.locked == case.found:
        return OK
    if case.found is None:
        return Verdict("")
    newer = version_key(str(case.found).replace("-", ".")) > version_key(str(case.locked).replace("-", "."))
    return Verdict("newer exists" if newer else "changed", advice=None if newer else "update batchimg_magics")


def identity(case: Comparison) -> Verdict:
    """Compare which resource it is: another one may have the same name."""
    differing = [key for key, value in case.locked.items() if not _is_equal(value, (case.found or {}).get(key))]
    if not differing:
        return OK
    return Verdict("changed", meaning="it has the same name and is another one" if "id" not in differing else None)


def entries(case: Comparison) -> Verdict:
    """Compare the entries of a table, and name those that differ."""
    locked, found = case.locked or {}, case.found or {}
    parts = [
        f"{name} {_short(found[name])}" if name in found else f"no {name}"
        for name in dict.fromkeys([*locked, *found])
        if not _is_equal(locked.get(name), found.get(name))
    ]
    return Verdict("changed", "; ".join(parts)) if parts else OK


def ownership(case: Comparison) -> Verdict:
    """Compare the ownership tags of a pool; `create` from an image version gives other values to some of them."""
    found = {
        name: (case.locked or {}).get(name, one) if name in _BY_PRESENCE else one
        for name, one in (case.found or {}).items()
    }
    return entries(replace(case, found=found))


def replicas(case: Comparison) -> Verdict:
    """Compare the number of replicas in a region."""
    if case.found is None:
        return Verdict("gone", meaning="nodes in this region cannot be made from the image")
    return same(case)


def offered(case: Comparison) -> Verdict:
    """Tell whether Batch offers what the nodes are made with."""
    is_offered = case.seen.offers.get(case.path)
    if is_offered is None:
        return Verdict("not readable", "", meaning="Batch's list could not be read")
    return OK if is_offered else Verdict("gone", "not offered")


def base_image(case: Comparison) -> Verdict:
    """Tell whether the Marketplace has a newer version."""
    locked, newest = str(case.locked.get("version") or ""), case.seen.newest_base
    if not locked or not newest or locked == newest or version_key(newest) <= version_key(locked):
        return OK
    return Verdict("newer exists", newest)


def quota(case: Comparison) -> Verdict:
    """Tell whether the quotas of the account allow the locked nodes."""
    return Verdict("too small", case.found) if case.found else Verdict("ok", "enough")


def packages(case: Comparison) -> Verdict:
    """Compare the lists of packages, and name what differs where both are known."""
    if case.locked is not None and case.found is None:
        return Verdict("")
    verdict = same(case)
    return (
        replace(verdict, found=case.seen.package_changes) if verdict.status and case.seen.package_changes else verdict
    )


def packages_file(case: Comparison) -> Verdict:
    """Tell whether the list beside the lock file is the locked one; Azure is not asked."""
    if case.seen.beside is None:
        return Verdict("" if case.locked is None else "gone")
    return Verdict("ok" if case.seen.beside else "changed", str(case.locked))


def spec_hash(case: Comparison) -> Verdict:
    """Tell whether the spec in the file is the one that was locked; Azure is not asked."""
    own = hash_spec(case.lock.get("spec") or {})
    return Verdict("ok" if own == case.locked else "changed", own)


def end(case: Comparison) -> Verdict:
    """Tell when something ends."""
    locked, found = case.locked, case.found
    if found is None:
        return Verdict("")  # the row of what it is the end of tells why
    if found == NO_END:
        withdrawn = locked not in (None, NO_END)
        return Verdict("changed", meaning="the date was taken back") if withdrawn else OK
    try:
        day = dt.date.fromisoformat(str(found))
    except ValueError:
        return Verdict("ended")  # a state without a date: deprecated
    days = (day - case.seen.today).days
    if days < 0:
        return Verdict("ended", days=days)
    if days < WARN_DAYS or found != locked:
        return Verdict(f"ends in {days:,} day{'' if days == 1 else 's'}", days=days)
    return Verdict("ok", days=days)
