"""Functions of templates for arrays, objects, numbers, comparisons and dates.

Source: the pages of ARM template functions by their kind.
"""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.services.templates.expressions import TemplateError
from batchimg_magics.emulator.services.templates.text_functions import to_text, type_word

if TYPE_CHECKING:
    from collections.abc import Callable

_DURATION = re.compile(
    r"(-)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_MAX_RANGE = 10_000
#: Integers are below it.
_LARGEST = 2**63


def _wrong(function: str, value: object) -> TemplateError:
    return TemplateError(
        f"The template language function '{function}' parameter is not valid. The provided value is of type "
        f"'{type_word(value)}'. Please see https://aka.ms/arm-functions#{function} for usage details."
    )


def whole(value: object, function: str) -> int:
    """Return an argument that has to be an integer."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(function, value)
    return value


# -- arrays and objects ------------------------------------------------------------------------------------------


def concat(*values: object) -> Any:  # noqa: ANN401 - JSON
    """Join strings, or arrays."""
    if any(isinstance(one, list) for one in values):
        if not all(isinstance(one, list) for one in values):
            raise _wrong("concat", next(one for one in values if not isinstance(one, list)))
        return [part for one in values if isinstance(one, list) for part in one]
    for one in values:
        if isinstance(one, dict) or one is None:
            raise _wrong("concat", one)
    return "".join(to_text(one) for one in values)


def contains(container: object, wanted: object) -> bool:
    """Tell whether a string, an array or an object contains something; names regardless of case."""
    if isinstance(container, str):
        return to_text(wanted) in container
    if isinstance(container, list):
        return wanted in container
    if isinstance(container, dict):
        return to_text(wanted).lower() in (name.lower() for name in container)
    raise _wrong("contains", container)


def _sized(value: object, function: str) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(value, str | list | dict):
        raise _wrong(function, value)
    return value


def _sequence(value: object, function: str) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(value, str | list):
        raise _wrong(function, value)
    return value


def union(*values: object) -> Any:  # noqa: ANN401 - JSON
    """Return all elements of arrays once, or all members of objects, merged."""
    if all(isinstance(one, dict) for one in values):
        found: dict[str, Any] = {}
        for one in values:
            found = _merged(found, one)
        return found
    if not all(isinstance(one, list) for one in values):
        raise _wrong("union", next(one for one in values if not isinstance(one, list)))
    return list({_written(part): part for one in values if isinstance(one, list) for part in one}.values())


def _written(value: object) -> bytes:
    """Return a value as JSON, to find equal ones: in Python, 1 equals true."""
    return msgspec.json.encode(value, order="sorted")


def _merged(old: Any, new: Any) -> Any:  # noqa: ANN401 - JSON
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return old | {name: _merged(old.get(name), value) for name, value in new.items()}


def intersection(*values: object) -> Any:  # noqa: ANN401 - JSON
    """Return the elements or members that all values have."""
    first, *rest = values
    if isinstance(first, dict):
        return {
            name: value
            for name, value in first.items()
            if all(isinstance(one, dict) and one.get(name) == value for one in rest)
        }
    if not isinstance(first, list):
        raise _wrong("intersection", first)
    others = [{_written(part) for part in one} if isinstance(one, list) else set() for one in rest]
    return [part for part in first if all(_written(part) in other for other in others)]


def create_object(*pairs: object) -> dict[str, Any]:
    """Return an object of names and values."""
    if len(pairs) % 2 or not all(isinstance(name, str) for name in pairs[::2]):
        raise TemplateError("The template language function 'createObject' expects pairs of a name and a value.")
    return dict(zip(map(str, pairs[::2]), pairs[1::2], strict=True))


def _take(value: object, count: object) -> Any:  # noqa: ANN401 - JSON
    return _sequence(value, "take")[: max(0, whole(count, "take"))]


def _skip(value: object, count: object) -> Any:  # noqa: ANN401 - JSON
    return _sequence(value, "skip")[max(0, whole(count, "skip")) :]


def _edge(value: object, at: int, function: str) -> Any:  # noqa: ANN401 - JSON
    inner = _sequence(value, function)
    return inner[at] if inner else ("" if isinstance(inner, str) else None)


def _index(value: object, wanted: object, *, last: bool = False) -> int:
    if isinstance(value, str):
        inner, part = value.lower(), to_text(wanted).lower()
        return inner.rfind(part) if last else inner.find(part)
    listed = _sequence(value, "indexOf")
    places = [at for at, one in enumerate(listed) if one == wanted] or [-1]
    return places[-1] if last else places[0]


def _items(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, dict):
        raise _wrong("items", value)
    return [{"key": name, "value": value[name]} for name in sorted(value)]


def _range(start: object, count: object) -> list[int]:
    first, number = whole(start, "range"), whole(count, "range")
    if not 0 <= number <= _MAX_RANGE:
        raise TemplateError(f"The template language function 'range' expects a count from 0 to {_MAX_RANGE}.")
    return list(range(first, first + number))


def _flatten(value: object) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(one, list) for one in value):
        raise _wrong("flatten", value)
    return [part for one in value for part in one]


def try_get(value: object, *path: object) -> Any:  # noqa: ANN401 - JSON
    """Return what is at a path of names and indices, null if there is nothing."""
    for key in path:
        if isinstance(value, dict):
            value = next((one for name, one in value.items() if name.lower() == to_text(key).lower()), None)
        elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
            value = value[key]
        else:
            return None
    return value


# -- numbers and comparisons -------------------------------------------------------------------------------------


def _number(name: str, work: Callable[[int, int], int]) -> Callable[..., int]:
    def answer(left: object, right: object) -> int:
        found = work(whole(left, name), whole(right, name))
        if not -_LARGEST <= found < _LARGEST:
            raise TemplateError(f"The template language function '{name}' is invalid: its result has over 64 bits.")
        return found

    return answer


def _divide(left: int, right: int) -> int:
    """Divide, and round toward zero."""
    if not right:
        raise TemplateError("The template language function 'div' divides by zero.")
    found = abs(left) // abs(right)
    return found if (left < 0) == (right < 0) else -found


def _modulo(left: int, right: int) -> int:
    return left - right * _divide(left, right)


def _extreme(name: str, work: Callable[[list[int]], int]) -> Callable[..., int]:
    def answer(*values: object) -> int:
        listed = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
        return work([whole(one, name) for one in listed])

    return answer


def to_int(value: object) -> int:
    """Convert a string or a number to an integer."""
    try:
        return int(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else int("")
    except ValueError:
        raise _wrong("int", value) from None


def to_bool(value: object) -> bool:
    """Convert a string or a number to a Boolean."""
    if isinstance(value, bool | int):
        return bool(value)
    if str(value).lower() not in ("true", "false", "1", "0"):
        raise _wrong("bool", value)
    return str(value).lower() in ("true", "1")


def to_float(value: object) -> float:
    """Convert a string or a number to a number with a fraction."""
    try:
        return float(str(value))
    except ValueError:
        raise _wrong("float", value) from None


def equals(left: object, right: object) -> bool:
    """Tell whether two values are equal; of different types they are not."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _compared(name: str, work: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    def answer(left: object, right: object) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return work(left, right)
        return work(whole(left, name), whole(right, name))

    return answer


# -- dates -------------------------------------------------------------------------------------------------------


def _moment(text: object, function: str) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        raise _wrong(function, text) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def add_to_date(base: object, duration: object) -> str:
    """Add an ISO 8601 duration to a time."""
    match = _DURATION.fullmatch(to_text(duration))
    if match is None:
        raise TemplateError(f"The template language function 'dateTimeAdd' expects a duration, not '{duration}'.")
    years, months, weeks, days, hours, minutes = (int(one or 0) for one in match.groups()[1:7])
    sign = -1 if match[1] else 1
    moment = _moment(base, "dateTimeAdd")
    month = moment.month - 1 + sign * (12 * years + months)
    moment = moment.replace(year=moment.year + month // 12, month=month % 12 + 1)
    delta = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=float(match[8] or 0))
    return f"{moment + sign * delta:%Y-%m-%dT%H:%M:%SZ}"


#: Name in lower case -> function.
VALUE_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": _number("add", operator.add),
    "array": lambda value: value if isinstance(value, list) else [value],
    "bool": to_bool,
    "concat": concat,
    "contains": contains,
    "createarray": lambda *values: list(values),
    "createobject": create_object,
    "datetimeadd": add_to_date,
    "datetimefromepoch": lambda second: f"{datetime.fromtimestamp(to_int(second), UTC):%Y-%m-%dT%H:%M:%SZ}",
    "datetimetoepoch": lambda text: int(_moment(text, "dateTimeToEpoch").timestamp()),
    "div": _number("div", _divide),
    "empty": lambda value: value is None or not _sized(value, "empty"),
    "equals": equals,
    "false": lambda: False,
    "first": lambda value: _edge(value, 0, "first"),
    "flatten": _flatten,
    "float": to_float,
    "greater": _compared("greater", operator.gt),
    "greaterorequals": _compared("greaterOrEquals", operator.ge),
    "indexof": _index,
    "int": to_int,
    "intersection": intersection,
    "items": _items,
    "last": lambda value: _edge(value, -1, "last"),
    "lastindexof": lambda value, wanted: _index(value, wanted, last=True),
    "length": lambda value: len(_sized(value, "length")),
    "less": _compared("less", operator.lt),
    "lessorequals": _compared("lessOrEquals", operator.le),
    "max": _extreme("max", max),
    "min": _extreme("min", min),
    "mod": _number("mod", _modulo),
    "mul": _number("mul", operator.mul),
    "not": lambda value: not to_bool(value),
    "null": lambda: None,
    "objectkeys": lambda value: [one["key"] for one in _items(value)],
    "range": _range,
    "shallowmerge": lambda values: {name: value for one in values for name, value in one.items()},
    "skip": _skip,
    "sub": _number("sub", operator.sub),
    "take": _take,
    "true": lambda: True,
    "tryget": try_get,
    "union": union,
}
