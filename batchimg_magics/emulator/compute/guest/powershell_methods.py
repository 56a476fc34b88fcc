"""The operators of PowerShell, and the members and methods of .NET that scripts use."""

from __future__ import annotations

import bisect
import fnmatch
import hashlib
import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError

if TYPE_CHECKING:
    from collections.abc import Callable

    Text = Callable[[Any], str]


class SortedTexts(list[str]):
    """A set of texts in the order of their characters."""

    def add(self, text: str) -> bool:
        """Add a text unless it is there."""
        place = bisect.bisect_left(self, text.encode("utf-16-be"), key=lambda one: one.encode("utf-16-be"))
        is_new = self[place : place + 1] != [text]
        if is_new:
            self.insert(place, text)
        return is_new


def member_of(value: Any, name: str) -> Any:  # noqa: ANN401 - any value of a script
    """Return a property of a value; of a list, that of each of its objects."""
    low = name.lower()
    if isinstance(value, list):
        if low in ("count", "length"):
            return len(value)
        return [found for one in value if (found := member_of(one, name)) is not None]
    if isinstance(value, dict):
        return next((found for key, found in value.items() if key.lower() == low), None)
    if low in ("count", "length"):
        return len(value) if isinstance(value, str | bytes) and low == "length" else int(value is not None)
    if isinstance(value, tuple) and value[0] == "type":
        known = {("environment", "newline"): "\r\n", ("stringcomparer", "ordinal"): "ordinal"}
        return known.get((value[1], low), ("type", f"{value[1]}.{low}"))
    return None


def compared(sign: str, left: Any, right: Any, text: Text) -> Any:  # noqa: ANN401
    """Return the result of an operator."""
    if sign in ("replace", "split"):
        first, other = (right[0], right[1]) if isinstance(right, list) else (right, "")
        if sign == "split":
            return re.split(first, text(left))
        return re.sub(first, re.sub(r"\$(\d)", r"\\\1", other), text(left), flags=re.IGNORECASE)
    if sign in ("join", "f", "+"):
        return _joined(sign, left, right, text)
    low = sign[1:] if sign[1:] in ("match", "like", "eq", "ne", "notmatch", "notlike", "replace") else sign
    if isinstance(left, list) and low in ("eq", "ne", "match", "like", "notmatch", "notlike"):
        return [one for one in left if compared(low, one, right, text)]
    return _holds(low, left, right, text)


def _joined(sign: str, left: Any, right: Any, text: Text) -> Any:  # noqa: ANN401
    """Return two values in one: ``-join``, ``-f`` and ``+``."""
    first = left if isinstance(left, list) else [left]
    values = right if isinstance(right, list) else [right]
    if sign == "join":
        return text(right).join(text(one) for one in first)
    if sign == "f":
        return re.sub(r"\{(\d+)\}", lambda match: text(values[int(match[1])]), text(left))
    if isinstance(left, list):
        return [*left, *values]
    return left + right if isinstance(left, int | float) else text(left) + text(right)


def _holds(sign: str, left: Any, right: Any, text: Text) -> bool:  # noqa: ANN401
    a, b = text(left).lower(), "" if isinstance(right, list) else text(right).lower()
    if sign in ("contains", "in"):
        many, one = (left, right) if sign == "contains" else (right, left)
        return text(one).lower() in [text(each).lower() for each in many]
    if sign.startswith("not"):
        return not _holds(sign.removeprefix("not"), left, right, text)
    if sign == "match":
        return re.search(text(right), text(left), re.IGNORECASE) is not None
    if sign == "like":
        return fnmatch.fnmatchcase(a, b)
    if sign in ("eq", "ne"):
        same = (left is None) is (right is None) and a == b
        return same is (sign == "eq")
    numbers = float(left), float(right)
    return {"gt": numbers[0] > numbers[1], "ge": numbers[0] >= numbers[1], "lt": numbers[0] < numbers[1]}.get(
        sign, numbers[0] <= numbers[1]
    )


def call_static(kind: str, name: str, values: list[Any], text: Text) -> Any:  # noqa: ANN401
    """Return the result of a static method."""
    if kind == "string" and name == "join":
        return compared("join", values[1], values[0], text)
    if kind == "string" and name in ("isnullorempty", "isnullorwhitespace"):
        return not text(values[0]).strip()
    if kind == "array" and name == "sort" and values[1:] == ["ordinal"]:
        values[0].sort(key=lambda one: text(one).encode("utf-16-be"))
        return None
    if kind == "bitconverter" and name == "tostring":
        return "-".join(f"{one:02X}" for one in values[0])
    made = {("utf8encoding", "new"): "encoding", ("encoding", "getencoding"): "latin1", ("sha256", "create"): "sha256"}
    found = made.get((kind.rpartition(".")[2], name))
    if found is not None and values == ([28591] if found == "latin1" else []):
        return ("type", found)
    if name in ("getbytes", "getstring", "computehash"):  # of an object that a static member returned
        return call_method(("object", kind), name, values, text)
    raise UnsupportedLineError(f"[{kind}]::{name}")


def call_method(target: Any, name: str, values: list[Any], text: Text) -> Any:  # noqa: ANN401
    """Return the result of a method."""
    if isinstance(target, tuple):
        if name == "getbytes":
            return text(values[0]).encode("latin-1" if target[1] == "latin1" else "utf-8", "replace")
        if name == "getstring" and isinstance(values[0], bytes):
            return values[0].decode("latin-1" if target[1] == "latin1" else "utf-8", "replace")
        if target[1] == "sha256" and name == "computehash":
            return hashlib.sha256(values[0]).digest()
        raise UnsupportedLineError(f"{target[1]}.{name}()")
    if name == "tostring":
        return text(target)
    if name == "add" and isinstance(target, list):
        return target.add(text(values[0])) if isinstance(target, SortedTexts) else target.append(text(values[0]))
    work: dict[str, Callable[..., Any]] = {
        "trim": str.strip, "trimend": str.rstrip, "trimstart": str.lstrip, "tolower": str.lower, "toupper": str.upper,
        "tolowerinvariant": str.lower, "replace": str.replace, "startswith": str.startswith, "endswith": str.endswith,
        "split": str.split, "contains": str.__contains__, "indexof": str.find,
        "substring": lambda one, start, count=None: one[start:] if count is None else one[start : start + count],
    }  # fmt: skip
    if name not in work or not isinstance(target, str):
        raise UnsupportedLineError(f".{name}()")
    return work[name](target, *(one if isinstance(one, int) else text(one) for one in values))
