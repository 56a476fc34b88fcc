"""The functions of the autoscale language.

Source: the table of functions in Microsoft's autoscale document. ``ceil``, ``floor`` and ``round`` are in its later
versions. ``vec`` is in its description of ``lg`` and ``log``.
"""

from __future__ import annotations

import math
import random
import statistics
from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.batch.autoscale.values import FormulaError, Value, need
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

evidence = Evidence("Autoscale language: functions")
evidence.rule(
    "percentile interpolates between elements; an element out of 0 to 100 percent is refused.",
    "the document says only that it returns the percentile element of a vector",
)
evidence.rule(
    "avg, max, min, norm and range of no number, and std of fewer than two, are errors.",
    "the document does not say what they return",
)
_MANY = 10_000
#: Each statement can double a vector: without a limit a formula takes all memory.
_LONGEST_VECTOR = evidence.assumed(100_000, "numbers", "in a vector that a function returns", "no limit is documented")


class Function(msgspec.Struct, frozen=True):
    """A function.

    Parameters
    ----------
    work
        Takes its arguments, and returns its result.
    least, most
        The numbers of arguments that it takes.
    """

    work: Callable[..., Value]
    least: int
    most: int

    def call(self, arguments: list[Value]) -> Value:
        """Return the result, or raise an error."""
        if not self.least <= len(arguments) <= self.most:
            wanted = str(self.least) if self.least == self.most else f"at least {self.least}"
            raise FormulaError(f"Wrong number of arguments: {wanted} expected, {len(arguments)} found")
        return self.work(*arguments)


def _flat(arguments: tuple[Value, ...]) -> list[float]:
    """Return a doubleVecList as one list."""
    numbers: list[float] = []
    for argument in arguments:
        numbers.extend(argument if isinstance(argument, list) else [need(argument, float)])
    return numbers


def _vector(*arguments: Value) -> list[float]:
    if sum(len(one) if isinstance(one, list) else 1 for one in arguments) > _LONGEST_VECTOR:
        raise FormulaError(f"The vector has more than {_LONGEST_VECTOR} numbers")
    return _flat(arguments)


def _of_list(work: Callable[[list[float]], float], fewest: int = 0) -> Function:
    """Return a function of the numbers in all its arguments."""

    def apply(*arguments: Value) -> Value:
        numbers = _flat(arguments)
        if len(numbers) < fewest:
            needed = "one number" if fewest == 1 else f"{fewest} numbers"
            raise FormulaError(f"The function needs at least {needed}")
        return float(work(numbers))

    return Function(apply, 0, _MANY)


def _of_each(work: Callable[[float], float]) -> Function:
    """Return a function of one number, or of each number of a list."""

    def apply(*arguments: Value) -> Value:
        if len(arguments) == 1 and isinstance(arguments[0], float):
            return float(work(arguments[0]))
        return [float(work(number)) for number in _vector(*arguments)]

    return Function(apply, 1, _MANY)


def _deviation(numbers: list[float]) -> float:
    """Return the standard deviation of a sample; `statistics.stdev` cannot take infinite numbers."""
    mean = statistics.fmean(numbers)
    return math.sqrt(math.fsum((number - mean) * (number - mean) for number in numbers) / (len(numbers) - 1))


def _percentile(vector: Value, percent: Value) -> Value:
    numbers, part = sorted(need(vector, list)), need(percent, float)
    if not numbers:
        raise FormulaError("The function needs at least one number")
    if not 0 <= part <= 100:
        raise FormulaError(f"Percentile out of range: {part:g}")
    rank = (len(numbers) - 1) * part / 100
    low = math.floor(rank)
    high = min(low + 1, len(numbers) - 1)
    return float(numbers[low] + (numbers[high] - numbers[low]) * (rank - low))


def _value(vector: Value, index: Value) -> Value:
    numbers, at = need(vector, list), int(need(index, float))
    if not 0 <= at < len(numbers):
        raise FormulaError(f"Index out of range: {at}")
    return float(numbers[at])


def _random() -> Value:
    # Between 0 and 1, and always the same, so that results do not differ between two runs.
    return random.Random(0).random()  # noqa: S311 - nothing secret


FUNCTIONS = {
    "avg": _of_list(statistics.fmean, 1),
    "ceil": _of_each(math.ceil),
    "floor": _of_each(math.floor),
    "len": _of_list(len),
    "lg": _of_each(math.log2),
    "ln": _of_each(math.log),
    "log": _of_each(math.log10),
    "max": _of_list(max, 1),
    "min": _of_list(min, 1),
    "norm": _of_list(lambda numbers: math.hypot(*numbers), 1),
    "percentile": Function(_percentile, 2, 2),
    "rand": Function(_random, 0, 0),
    "range": _of_list(lambda numbers: max(numbers) - min(numbers), 1),
    "round": _of_each(lambda number: math.floor(number + 0.5)),
    "std": _of_list(_deviation, 2),
    "sum": _of_list(math.fsum),
    "val": Function(_value, 2, 2),
    "vec": Function(_vector, 0, _MANY),
}
