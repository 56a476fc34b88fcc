"""The row filter of ``--where``: conditions on the columns of a table. They are parsed and never evaluated as code.

The language is a part of `pandas.DataFrame.query`: comparisons (``== != < <= > >=``), ``in`` and ``not in`` with a
list, a Boolean column alone, ``and``, ``or``, ``not`` and parentheses. A missing value matches no comparison, neither
``==`` nor ``!=``; comparing a column with None tests whether the value is missing.
"""

from __future__ import annotations

import ast
import datetime as dt
import operator
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchimg_magics.core.base.columns import Column

    #: True, False, or None where a missing value leaves the result open.
    Answers = list[bool | None]
    Test = Callable[[Mapping[str, Sequence[Any]]], Answers]

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
#: The types of values that a column of a kind is compared with.
_VALUES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "word": (str,),
    "int": (int, float),
    "float": (int, float),
    "bool": (bool,),
    "time": (str,),
}
#: In characters. Longer than any useful condition, and short enough for a recursive parser.
MAX_LENGTH = 1000
_GRAMMAR = "e.g. --where \"state == 'idle' and running_tasks == 0\"; and, or, not, in [...], == != < <= > >="


def parse(text: str, columns: Sequence[Column]) -> Test:
    """Parse a condition.

    Parameters
    ----------
    text
        The condition.
    columns
        The schema of the table.

    Returns
    -------
    callable
        From columns (name to values) to one result per row; None where a missing value leaves the result open.

    Raises
    ------
    SpecError
        The text is not a condition, names an unknown column, or compares values of different kinds.
    """
    if len(text) > MAX_LENGTH:
        raise SpecError(f"--where has {len(text)} characters", hint=f"at most {MAX_LENGTH}; {_GRAMMAR}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SpecError(f"--where {text!r} is not a condition", hint=_GRAMMAR) from error
    return _Reader(text, columns).test(tree.body)


class _Reader:
    """Converts the parts of one condition to tests."""

    def __init__(self, text: str, columns: Sequence[Column]) -> None:
        self._text = text
        self._columns = {column.name: column for column in columns}

    def test(self, node: ast.expr) -> Test:
        """Return the test for a part of the condition."""
        if isinstance(node, ast.BoolOp):
            return _joined([self.test(part) for part in node.values], all_of=isinstance(node.op, ast.And))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.test(node.operand)
            return lambda rows: [None if found is None else not found for found in inner(rows)]
        if isinstance(node, ast.Name):
            column = self._column(node)
            if column.kind != "bool":
                raise self._error(f"{column.name} is not True or False: compare it with a value")
            return lambda rows: list(rows[column.name])
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            pairs = zip(node.ops, sides, sides[1:], strict=False)
            return _joined([self._comparison(left, op, right) for op, left, right in pairs], all_of=True)
        raise self._error("expected comparisons")

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Test:
        if not isinstance(left, ast.Name):  # 0 < running_tasks
            left, right, op = right, left, _MIRRORED.get(type(op), type(op))()
        if not isinstance(left, ast.Name):
            raise self._error("one side of a comparison must be a column")
        column = self._column(left)
        if isinstance(op, (ast.In, ast.NotIn)):
            return self._in_list(column, right, wanted=isinstance(op, ast.In))
        if type(op) not in _COMPARE:
            raise self._error("use == and != instead of is and is not")
        compare = _COMPARE[type(op)]
        if isinstance(right, ast.Constant) and right.value is None:
            return self._missing(column, op)
        value = self._value(column, right)
        return lambda rows: [None if found is None else compare(found, value) for found in rows[column.name]]

    def _in_list(self, column: Column, side: ast.expr, *, wanted: bool) -> Test:
        if not isinstance(side, (ast.List, ast.Tuple, ast.Set)):
            raise self._error("expected a list after in: ['idle', 'running']")
        values = [self._value(column, one) for one in side.elts]
        return lambda rows: [None if found is None else (found in values) is wanted for found in rows[column.name]]

    def _missing(self, column: Column, op: ast.cmpop) -> Test:
        if not isinstance(op, (ast.Eq, ast.NotEq)):
            raise self._error("compare None with == or != only")
        wanted = isinstance(op, ast.Eq)
        return lambda rows: [(found is None) is wanted for found in rows[column.name]]

    def _column(self, node: ast.Name) -> Column:
        if node.id not in self._columns:
            from batchimg_magics.pool_spec.values import suggest_name

            raise SpecError(f"--where: unknown column {node.id!r}", hint=suggest_name(node.id, self._columns))
        return self._columns[node.id]

    def _value(self, column: Column, node: ast.expr) -> Any:  # noqa: ANN401 - what the column holds
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
            raise self._error(f"compare {column.name} with a value; put text in quotes") from error
        fits = isinstance(value, _VALUES[column.kind]) and (column.kind == "bool" or not isinstance(value, bool))
        if fits and column.kind == "time":
            try:
                moment = dt.datetime.fromisoformat(value)
            except ValueError:
                fits = False
            else:
                return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        if not fits:
            kinds = {"time": "a time in quotes, e.g. '2026-07-01T09:30'", "bool": "True or False"}
            number = "a number" if column.kind in ("int", "float") else "a text in quotes"
            raise self._error(f"compare {column.name} with {kinds.get(column.kind, number)}")
        return value

    def _error(self, why: str) -> SpecError:
        return SpecError(f"--where {self._text!r}: {why}", hint=_GRAMMAR)


def all_of(tests: list[Test]) -> Test:
    """Return the test that is true where all of these tests are true."""
    return _joined(tests, all_of=True)


def _joined(tests: list[Test], *, all_of: bool) -> Test:
    """Return the test that combines several with ``and`` or ``or``; an open result stays open if no other decides."""

    def one(answers: tuple[bool | None, ...]) -> bool | None:
        if (not all_of) in answers:
            return not all_of
        return None if None in answers else all_of

    if len(tests) == 1:
        return tests[0]
    return lambda rows: [one(answers) for answers in zip(*(test(rows) for test in tests), strict=True)]
