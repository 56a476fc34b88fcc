"""Values of the autoscale language: numbers, lists of numbers, strings, timestamps and time intervals.

Only the operations in Microsoft's table of operators are allowed: a list is no number, for example, also if it has one
element, and a time interval can be added to a timestamp but not subtracted from it.

Source: the tables of types and operators in Microsoft's autoscale document.
"""

from __future__ import annotations

import operator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

evidence = Evidence("Autoscale language: values")
evidence.rule(
    "Operations that are not in the document's table of operators are refused.",
    "the document does not say that other operations work",
)
evidence.rule(
    "Names of variables, functions and members are case-sensitive.",
    "the document does not say that they are not",
)
evidence.rule(
    "A result that is a time interval is shown in seconds, as in 30s.",
    "no result of this type is documented",
)
EVALUATION_ERROR = "AutoScalingFormulaEvaluationError"
INSUFFICIENT_DATA = "InsufficientSampleData"


class FormulaError(Exception):
    """An error in a formula, in Batch's words.

    Parameters
    ----------
    what
        The message.
    code
        Its code in the result of an evaluation.
    placed
        Whether the message begins with a position.
    """

    def __init__(self, what: str, code: str = EVALUATION_ERROR, *, placed: bool = False) -> None:
        super().__init__(what)
        self.code = code
        self.placed = placed


class Position(Protocol):
    """A position in a formula."""

    def error(self, what: str, code: str = EVALUATION_ERROR) -> FormulaError:
        """Return an error at this position."""


class Moment(msgspec.Struct, frozen=True, order=True):
    """A timestamp, in seconds since 1970."""

    seconds: float


class Interval(msgspec.Struct, frozen=True, order=True):
    """A time interval, in seconds."""

    seconds: float


class Option(msgspec.Struct, frozen=True):
    """A value of ``$NodeDeallocationOption``."""

    name: str


Value = float | str | list[float] | Moment | Interval | Option
ValueT = TypeVar("ValueT")
_TYPE_NAMES: dict[type, str] = {
    float: "double",
    list: "doubleVec",
    str: "string",
    Moment: "timestamp",
    Interval: "timeinterval",
    Option: "node deallocation option",
}
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
_COMPARABLE = (float, str, Moment, Interval)
#: The arithmetic of times: (left, operator, right) -> type of the result.
_TIMES: dict[tuple[type, str, type], type] = {
    (float, "*", Interval): Interval,
    (Interval, "*", float): Interval,
    (Interval, "/", float): Interval,
    (Interval, "+", Interval): Interval,
    (Interval, "-", Interval): Interval,
    (Interval, "+", Moment): Moment,
    (Moment, "+", Interval): Moment,
    (Moment, "-", Moment): Interval,
}
#: The timestamps that a date can have: years 1 to 9999.
_FIRST_S, _LAST_S = -62_135_596_800.0, 253_402_300_799.0


def type_name(value: Value) -> str:
    """Return the name of the type of a value."""
    return _TYPE_NAMES[type(value)]


def evaluate_at(position: Position, work: Callable[[], Value]) -> Value:
    """Call a function; errors in it get this position."""
    try:
        return work()
    except FormulaError as error:
        if error.placed:
            raise
        raise position.error(str(error), error.code) from None
    except ZeroDivisionError:
        raise position.error("Division by zero") from None
    except (ArithmeticError, ValueError) as error:
        raise position.error(f"Evaluation error: {error}") from None


def need(value: Value, kind: type[ValueT]) -> ValueT:
    """Return a value of the required type, or raise an error."""
    if isinstance(value, kind):
        return value
    raise FormulaError(f"Type mismatch: {_TYPE_NAMES[kind]} expected, {type_name(value)} found")


def truth(value: Value) -> float:
    """Return whether a number is true, that is nonzero."""
    return float(need(value, float) != 0)


def combine(mark: str, left: Value, right: Value) -> Value:
    """Return the result of an operator on two values."""
    if mark in ("&&", "||"):
        both = truth(left), truth(right)
        return float(all(both) if mark == "&&" else any(both))
    kinds = type(left), type(right)
    if mark in _ORDER:
        if kinds[0] is not kinds[1] or kinds[0] not in _COMPARABLE:
            raise _not_allowed(mark, left, right)
        return float(_ORDER[mark](left, right))
    work = _ARITHMETIC[mark]
    if isinstance(left, float) and isinstance(right, float):
        return work(left, right)
    if isinstance(left, list) and isinstance(right, list | float):
        return _of_list(work, left, right)
    kind = _TIMES.get((kinds[0], mark, kinds[1]))
    if kind is None:
        raise _not_allowed(mark, left, right)
    return _time(kind, work(_number(left), _number(right)))


def _not_allowed(mark: str, left: Value, right: Value) -> FormulaError:
    return FormulaError(f"Operator {mark} cannot take {type_name(left)} and {type_name(right)}")


def _of_list(work: Callable[[float, float], float], left: list[float], right: list[float] | float) -> list[float]:
    """Do arithmetic element by element; a single number is combined with every element of the list."""
    many = right if isinstance(right, list) else [right] * len(left)
    if len(many) != len(left):
        raise FormulaError(f"The vectors have different lengths: {len(left)} and {len(many)}")
    return [work(*pair) for pair in zip(left, many, strict=True)]


def _number(value: Value) -> float:
    return value.seconds if isinstance(value, Moment | Interval) else need(value, float)


def _time(kind: type, seconds: float) -> Value:
    if kind is Interval:
        return Interval(seconds)
    return moment_at(seconds)


def moment_at(seconds: float) -> Moment:
    """Return a timestamp, or raise an error if there is no such date."""
    if not _FIRST_S <= seconds <= _LAST_S:
        raise FormulaError("The timestamp is out of range")
    return Moment(seconds)


def signed(mark: str, value: Value) -> Value:
    """Return the result of ``-`` or ``!`` on a value."""
    if mark == "!":
        return float(not truth(value))
    return Interval(-value.seconds) if isinstance(value, Interval) else -need(value, float)


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


def format_value(value: Value) -> str:
    """Write a value in the format of results."""
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"
    if isinstance(value, list):
        return "[" + ",".join(format_value(number) for number in value) + "]"
    if isinstance(value, Moment):
        when = datetime.fromtimestamp(value.seconds, UTC)
        return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"
    if isinstance(value, Option):
        return value.name
    return f"{value.seconds:g}s" if isinstance(value, Interval) else value
