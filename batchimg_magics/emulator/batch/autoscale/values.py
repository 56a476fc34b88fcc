"""Values of the autoscale language: operations on numbers, lists, strings, timestamps and time intervals.

Source: the tables of operators and functions in Microsoft's autoscale document.
"""

from __future__ import annotations

import math
import operator
import random
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


class FormulaError(Exception):
    """An error in a formula, in Batch's words."""


class Position(Protocol):
    """A position in a formula."""

    def error(self, what: str) -> FormulaError:
        """Return an error at this position."""


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A timestamp, in seconds since 1970."""

    seconds: float


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A time interval, in seconds."""

    seconds: float


Value = float | str | list[float] | Moment | Interval
ValueT = TypeVar("ValueT")
INTERVALS_S = {
    "TimeInterval_Zero": 0.0,
    "TimeInterval_100ns": 1e-7,
    "TimeInterval_Microsecond": 1e-6,
    "TimeInterval_Millisecond": 1e-3,
    "TimeInterval_Second": 1.0,
    "TimeInterval_Minute": 60.0,
    "TimeInterval_Hour": 3600.0,
    "TimeInterval_Day": 86_400.0,
    "TimeInterval_Week": 604_800.0,
    "TimeInterval_Year": 31_536_000.0,
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
#: The operators on timestamps and intervals: (left, operator, right) -> type of the result.
_TIMES: dict[tuple[type, str, type], type] = {
    (float, "*", Interval): Interval,
    (Interval, "*", float): Interval,
    (Interval, "/", float): Interval,
    (Interval, "+", Interval): Interval,
    (Interval, "-", Interval): Interval,
    (Interval, "+", Moment): Moment,
    (Moment, "+", Interval): Moment,
    (Moment, "-", Interval): Moment,
    (Moment, "-", Moment): Interval,
}


def evaluate_at(position: Position, work: Callable[[], Value]) -> Value:
    """Call a function; errors in it get this position."""
    try:
        return work()
    except FormulaError as error:
        if str(error).startswith("Line "):
            raise
        raise position.error(str(error)) from None
    except (ArithmeticError, TypeError, ValueError) as error:
        raise position.error(f"Evaluation error: {error}") from None


def need(value: Value, kind: type[ValueT]) -> ValueT:
    """Return a value of the required type, or raise an error."""
    if isinstance(value, kind):
        return value
    if kind is float and isinstance(value, list) and len(value) == 1:
        return value[0]  # type: ignore[return-value] # a list of one number passes for the number
    raise FormulaError(f"Type mismatch: {kind.__name__.lower()} expected, {type(value).__name__.lower()} found")


def truth(value: Value) -> float:
    """Return whether a number is true, that is nonzero."""
    return float(need(value, float) != 0)


def combine(mark: str, left: Value, right: Value) -> Value:
    """Return the result of an operator on two values."""
    if mark in ("&&", "||"):
        both = truth(left), truth(right)
        return float(all(both) if mark == "&&" else any(both))
    if mark in _ORDER:
        return _compared(mark, left, right)
    if isinstance(left, list) or isinstance(right, list):
        return _of_lists(_ARITHMETIC[mark], left, right)
    if isinstance(left, float) and isinstance(right, float):
        return _ARITHMETIC[mark](left, right)
    kind = _TIMES.get((type(left), mark, type(right)))
    if kind is None:
        raise FormulaError(f"Operator {mark} cannot take {type(left).__name__} and {type(right).__name__}")
    result: Value = kind(_ARITHMETIC[mark](_number(left), _number(right)))
    return result


def _of_lists(work: Callable[[float, float], float], left: Value, right: Value) -> list[float]:
    """Do arithmetic element by element; a single number is combined with every element of a list."""
    many = len(left) if isinstance(left, list) else len(need(right, list))
    pairs = [value if isinstance(value, list) else [need(value, float)] * many for value in (left, right)]
    return [work(a, b) for a, b in zip(*pairs, strict=True)]


def _number(value: Value) -> float:
    return value.seconds if isinstance(value, Moment | Interval) else need(value, float)


def _compared(mark: str, left: Value, right: Value) -> float:
    if isinstance(left, list):
        left = need(left, float)
    if isinstance(right, list):
        right = need(right, float)
    if type(left) is not type(right):
        raise FormulaError(f"Operator {mark} cannot take {type(left).__name__} and {type(right).__name__}")
    return float(_ORDER[mark](left, right))


def signed(mark: str, value: Value) -> Value:
    """Return the result of ``-`` or ``!`` on a value."""
    if mark == "!":
        return float(not truth(value))
    if isinstance(value, Interval):
        return Interval(-value.seconds)
    return [-number for number in value] if isinstance(value, list) else -need(value, float)


def member(value: Value, name: str) -> Value:
    """Return a member of a timestamp; Sunday is weekday 0."""
    when = datetime.fromtimestamp(need(value, Moment).seconds, UTC)
    parts = {
        "year": when.year,
        "month": when.month,
        "day": when.day,
        "hour": when.hour,
        "minute": when.minute,
        "second": when.second,
        "weekday": when.isoweekday() % 7,
    }
    if name not in parts:
        raise FormulaError(f"Undefined member: {name}")
    return float(parts[name])


def moment(value: Value) -> Moment:
    """Return the timestamp in a string, in UTC."""
    text = need(value, str)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise FormulaError(f"Invalid time: {text}") from None
    return Moment((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def _flat(arguments: tuple[Value, ...]) -> list[float]:
    numbers: list[float] = []
    for argument in arguments:
        numbers.extend(argument if isinstance(argument, list) else [need(argument, float)])
    if not numbers:
        raise FormulaError("The function needs at least one number")
    return numbers


def _of_list(work: Callable[[list[float]], float]) -> Callable[..., Value]:
    return lambda *arguments: float(work(_flat(arguments)))


def _of_each(work: Callable[[float], float]) -> Callable[..., Value]:
    def apply(value: Value) -> Value:
        return [float(work(number)) for number in value] if isinstance(value, list) else float(work(need(value, float)))

    return apply


def _percentile(vector: Value, percent: Value) -> Value:
    numbers = sorted(_flat((vector,)))
    rank = (len(numbers) - 1) * min(100.0, max(0.0, need(percent, float))) / 100
    low = math.floor(rank)
    high = min(low + 1, len(numbers) - 1)
    return numbers[low] + (numbers[high] - numbers[low]) * (rank - low)


def _value(vector: Value, index: Value) -> Value:
    numbers, at = need(vector, list), int(need(index, float))
    if not 0 <= at < len(numbers):
        raise FormulaError(f"Index out of range: {at}")
    return float(numbers[at])


def _random() -> Value:
    # Between 0 and 1, and always the same, so that results do not differ between two runs.
    return random.Random(0).random()  # noqa: S311 - nothing secret


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "avg": _of_list(statistics.fmean),
    "ceil": _of_each(math.ceil),
    "floor": _of_each(math.floor),
    "len": _of_list(len),
    "lg": _of_each(math.log2),
    "ln": _of_each(math.log),
    "log": _of_each(math.log10),
    "max": _of_list(max),
    "min": _of_list(min),
    "norm": _of_list(lambda numbers: math.hypot(*numbers)),
    "percentile": _percentile,
    "rand": _random,
    "range": _of_list(lambda numbers: max(numbers) - min(numbers)),
    "round": _of_each(lambda number: math.floor(number + 0.5)),
    "std": _of_list(statistics.pstdev),
    "sum": _of_list(math.fsum),
    "val": _value,
}


def format_value(value: Value) -> str:
    """Write a value in the format of results."""
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"
    if isinstance(value, list):
        return "[" + ",".join(format_value(number) for number in value) + "]"
    if isinstance(value, Moment):
        return f"{datetime.fromtimestamp(value.seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"{value.seconds:g}s" if isinstance(value, Interval) else value
