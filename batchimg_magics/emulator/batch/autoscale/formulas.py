"""The formula language of Batch autoscale: parse a formula, evaluate it with the metrics of a pool.

A formula consists of at most 100 statements ``name = expression``, separated by semicolons. Values are numbers, lists
of numbers, strings, timestamps and time intervals. The parser makes closures, so that only the selected branch of
``?:`` is evaluated: formulas check their samples that way.

Source: "Create a formula to automatically scale compute nodes in a Batch pool" (Microsoft), and the recorded results
and errors of evaluateautoscale.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import msgspec

from batchimg_magics.emulator.batch.autoscale import timestamps, values
from batchimg_magics.emulator.batch.autoscale.functions import FUNCTIONS
from batchimg_magics.emulator.batch.autoscale.samples import METHODS, METRICS, FormulaRun, Metrics
from batchimg_magics.emulator.batch.autoscale.values import (
    EVALUATION_ERROR,
    FormulaError,
    Interval,
    Moment,
    Option,
    Value,
    evaluate_at,
)

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
      |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      |(?P<text>"[^"]*")
      |(?P<name>\$?[A-Za-z_]\w*)
      |(?P<mark>&&|\|\||==|!=|<=|>=|[-+*/<>=!?:;,().])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
#: Variables that a formula sets for the service, in the order of results.
TARGETS = ("$TargetDedicatedNodes", "$TargetLowPriorityNodes")
OPTION = "$NodeDeallocationOption"
#: Old names of variables, which still work. Results have today's names.
ALIASES = {
    "$TargetDedicated": "$TargetDedicatedNodes",
    "$TargetLowPriority": "$TargetLowPriorityNodes",
    "$CurrentDedicated": "$CurrentDedicatedNodes",
}
#: The maximum number of statements of a formula.
MAX_STATEMENTS = 100
#: How deeply expressions may be nested: a limit of this parser.
MAX_EXPRESSION_DEPTH = 40
#: Targets are 32-bit integers.
MAX_NODES = 2**31
OPTIONS = {name: Option(name) for name in ("requeue", "terminate", "taskcompletion", "retaineddata")}
_LEVELS = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/"))


class _StopError(Exception):
    """``stop()``: the evaluation ends, and the variables keep their values."""


Expression = Callable[[FormulaRun], Value]


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    line: int
    column: int

    def error(self, what: str, code: str = EVALUATION_ERROR) -> FormulaError:
        return FormulaError(f"Line {self.line}, Col {self.column}: {what}", code, placed=True)


def _tokens(formula: str) -> list[_Token]:
    tokens, at, line, begin = [], 0, 1, 0
    while at < len(formula):
        match = _TOKEN.match(formula, at)
        if match is None:
            wrong = _Token("wrong", formula[at], line, at - begin + 1)
            raise wrong.error(f"Unexpected character: {wrong.text}")
        if match.lastgroup != "space":
            tokens.append(_Token(str(match.lastgroup), match.group(), line, at - begin + 1))
        if newlines := match.group().count("\n"):
            line += newlines
            begin = at + match.group().rindex("\n") + 1
        at = match.end()
    tokens.append(_Token("end", "end of formula", line, at - begin + 1))
    return tokens


class _Parser:
    """A recursive-descent parser: ``?:`` < ``||`` < ``&&`` < equality < order < sums < products < signs < members."""

    def __init__(self, formula: str) -> None:
        self._all = _tokens(formula)
        self._at = 0
        self._depth = 0

    def statements(self) -> list[tuple[str | None, Expression]]:
        found: list[tuple[str | None, Expression]] = []
        while self._peek().kind != "end":
            if len(found) == MAX_STATEMENTS:
                raise self._peek().error(f"Syntax error: the formula has more than {MAX_STATEMENTS} statements")
            found.append(self._statement())
            if self._peek().kind != "end":
                self._take(";")
        return found

    def _peek(self) -> _Token:
        return self._all[self._at]

    def _take(self, *wanted: str) -> _Token:
        token = self._peek()
        if wanted and token.text not in wanted:
            raise token.error(f"Syntax error: expected {' or '.join(wanted)}, found {token.text}")
        if token.kind == "end":
            raise token.error(f"Syntax error: unexpected {token.text}")
        self._at += 1
        return token

    def _is(self, *texts: str) -> bool:
        return self._peek().kind == "mark" and self._peek().text in texts

    def _statement(self) -> tuple[str | None, Expression]:
        token, after = self._peek(), self._all[min(self._at + 1, len(self._all) - 1)]
        if token.kind == "name" and after.text == "=":
            self._at += 2
            if ALIASES.get(token.text, token.text) in METRICS:
                raise token.error(f"Read-only variable cannot be assigned: {token.text}")
            if token.text in OPTIONS or token.text in values.INTERVALS_S:
                raise token.error(f"Constant cannot be assigned: {token.text}")
            return token.text, self._ternary()
        return None, self._ternary()

    def _ternary(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_EXPRESSION_DEPTH:
            raise self._peek().error("Syntax error: the expression is nested too deeply")
        found = self._choice(self._binary(0))
        self._depth -= 1
        return found

    def _choice(self, test: Expression) -> Expression:
        if not self._is("?"):
            return test
        token = self._take("?")
        yes = self._ternary()
        self._take(":")
        no = self._ternary()
        return lambda run: yes(run) if evaluate_at(token, lambda: values.truth(test(run))) else no(run)

    def _binary(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        first = self._binary(level + 1)
        rest = []
        while self._is(*_LEVELS[level]):
            rest.append((self._take(), self._binary(level + 1)))
        return _chain(first, rest) if rest else first

    def _unary(self) -> Expression:
        signs = []
        while self._is("-", "!"):
            signs.append(self._take())
        inner = self._members(self._primary())
        return _signed(signs[::-1], inner) if signs else inner

    def _primary(self) -> Expression:
        token = self._take()
        if token.kind == "number":
            number = float(token.text)
            return lambda _: number
        if token.kind == "text":
            text = token.text[1:-1]
            return lambda _: text
        if token.text == "(":
            inner = self._ternary()
            self._take(")")
            return inner
        if token.kind != "name":
            raise token.error(f"Syntax error: unexpected {token.text}")
        if self._is("("):
            return self._called(token)
        if self._is(".") and (metric := ALIASES.get(token.text, token.text)) in METRICS:
            return self._sampled(metric)
        return lambda run: _variable(run, token)

    def _arguments(self) -> list[Expression]:
        self._take("(")
        found: list[Expression] = []
        while not self._is(")"):
            found.append(self._ternary())
            if not self._is(")"):
                self._take(",")
        self._take(")")
        return found

    def _called(self, token: _Token) -> Expression:
        arguments = self._arguments()
        if token.text == "stop":
            if arguments:
                raise token.error(f"Wrong number of arguments: 0 expected, {len(arguments)} found")
            return _stop
        if token.text not in FUNCTIONS and token.text != "time":
            raise token.error(f"Undefined function: {token.text}")
        return lambda run: evaluate_at(token, lambda: _call(run, token.text, [argument(run) for argument in arguments]))

    def _sampled(self, metric: str) -> Expression:
        self._take(".")
        method = self._take()
        if method.text not in METHODS:
            raise method.error(f"Undefined method: {method.text}")
        # The documented errors of methods have the position of the parenthesis.
        place = self._peek()
        arguments = self._arguments()
        return lambda run: evaluate_at(
            place, lambda: METHODS[method.text](run, metric, [argument(run) for argument in arguments])
        )

    def _members(self, inner: Expression) -> Expression:
        if not self._is("."):
            return inner
        self._take(".")
        name = self._take()  # a member is a number, which has no members
        return lambda run: evaluate_at(name, lambda: values.member(inner(run), name.text))


def _chain(first: Expression, rest: list[tuple[_Token, Expression]]) -> Expression:
    """Return the value of operands with operators of the same precedence, from left to right."""

    def run_chain(run: FormulaRun) -> Value:
        value = first(run)
        for token, operand in rest:
            value = evaluate_at(token, functools.partial(values.combine, token.text, value, operand(run)))
        return value

    return run_chain


def _signed(signs: list[_Token], inner: Expression) -> Expression:
    """Return an operand with signs, the innermost first."""

    def run_signs(run: FormulaRun) -> Value:
        value = inner(run)
        for token in signs:
            value = evaluate_at(token, functools.partial(values.signed, token.text, value))
        return value

    return run_signs


def _stop(_: FormulaRun) -> Value:
    raise _StopError


def _variable(run: FormulaRun, token: _Token) -> Value:
    name = ALIASES.get(token.text, token.text)
    if name in run.aliased and (name not in run.assigned or token.text != name):
        return run.aliased[name]
    if name in run.variables:
        return run.variables[name]
    if name in METRICS:
        return run.metrics.value(name)
    if name in OPTIONS:
        return OPTIONS[name]
    if name in values.INTERVALS_S:
        return Interval(values.INTERVALS_S[name])
    raise token.error(f"Undefined symbol: {token.text}")


def _assign(run: FormulaRun, name: str, value: Value) -> None:
    """Set a variable. The value of a target's name takes precedence over that of its old name."""
    if name in ALIASES:
        run.aliased[ALIASES[name]] = value
        return
    run.variables[name] = value
    run.assigned.add(name)


def _call(run: FormulaRun, name: str, arguments: list[Value]) -> Value:
    if name != "time":
        return FUNCTIONS[name].call(arguments)
    if len(arguments) > 1:
        raise FormulaError(f"Wrong number of arguments: at most 1 expected, {len(arguments)} found")
    text = values.need(arguments[0], str) if arguments else ""
    return timestamps.parse(text) if text else Moment(run.metrics.now())


class Evaluation(msgspec.Struct, frozen=True):
    """The result of a formula.

    Parameters
    ----------
    dedicated, spot
        The targets; the previous ones if the formula sets none.
    option
        The node deallocation option.
    results
        The variables in Batch's format.
    error, code
        The error; the other fields then have their previous values.
    """

    dedicated: int
    spot: int
    option: str
    results: str
    error: str = ""
    code: str = ""


def evaluate(formula: str, metrics: Metrics, dedicated: int, spot: int) -> Evaluation:
    """Evaluate a formula.

    Parameters
    ----------
    formula
        As the client sent it.
    metrics
        The metrics of the pool.
    dedicated, spot
        The previous targets of the pool.
    """
    start: dict[str, Value] = {TARGETS[0]: float(dedicated), TARGETS[1]: float(spot), OPTION: OPTIONS["requeue"]}
    run = FormulaRun(metrics, dict(start))
    try:
        _run(formula, run)
        targets = [_target(run, name) for name in TARGETS]
        option = values.need(run.variables[OPTION], Option)
    except FormulaError as error:
        return Evaluation(dedicated, spot, "requeue", _results(start), str(error), error.code)
    run.variables |= {name: float(target) for name, target in zip(TARGETS, targets, strict=True)}
    return Evaluation(targets[0], targets[1], option.name, _results(run.variables))


def _run(formula: str, run: FormulaRun) -> None:
    """Run a formula to its end, or to its ``stop()``."""
    try:
        for name, expression in _parse(formula):
            value = expression(run)
            if name is not None:
                _assign(run, name, value)
    except _StopError:
        pass


@functools.lru_cache(maxsize=256)
def _parse(formula: str) -> list[tuple[str | None, Expression]]:
    """Return the statements of a formula; it is evaluated again and again."""
    return _Parser(formula).statements()


def _target(run: FormulaRun, name: str) -> int:
    value = run.variables[name] if name in run.assigned else run.aliased.get(name, run.variables[name])
    nodes = values.need(value, float)
    if not nodes < MAX_NODES:  # NaN is not below it either
        raise FormulaError(f"Target out of range: {values.format_value(nodes)}")
    return int(max(nodes, 0.0))


def _results(variables: dict[str, Any]) -> str:
    first = (*TARGETS, OPTION)
    names = [*first, *sorted(name for name in variables if name not in first)]
    return ";".join(f"{name}={values.format_value(variables[name])}" for name in names)


def check(formula: str) -> str:
    """Return the syntax error of a formula, empty if there is none."""
    try:
        _Parser(formula).statements()
    except FormulaError as error:
        return str(error)
    return ""
