"""OData ``$filter``: its grammar, and the properties by which each list of Microsoft.Batch can be filtered.

Source: "OData filters in Azure Batch" of the Batch REST reference; for pools on ARM the description of ``$filter`` in
the OpenAPI of Batch.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]
#: Property -> operations that are allowed on it.
Allowed = dict[str, frozenset[str]]
_ONE = frozenset({"eq"})
_SAME = frozenset({"eq", "ne"})
_ORDER = frozenset({"eq", "ne", "ge", "gt", "le", "lt"})
_NAME = _ORDER | {"startswith"}
_EXECUTION = {"executionInfo/startTime": _ORDER, "executionInfo/endTime": _ORDER}
_CHANGES = {"state": _SAME, "stateTransitionTime": _ORDER, "creationTime": _ORDER, "lastModified": _ORDER}
#: Properties of each list that can be filtered, by the name of the set in ``odata.metadata``.
FILTERS: dict[str, Allowed] = {
    "pools": {
        "id": _NAME,
        **_CHANGES,
        "allocationState": _SAME,
        "allocationStateTransitionTime": _ORDER,
        "enableAutoScale": _SAME,
        "vmSize": _SAME,
        "enableInterNodeCommunication": _SAME,
    },
    "nodes": {
        "state": _SAME,
        "stateTransitionTime": _ORDER,
        "lastBootTime": _ORDER,
        "allocationTime": _ORDER,
        "startTaskInfo/state": _ONE,
        "startTaskInfo/result": _SAME,
        "startTaskInfo/exitCode": _ORDER,
        "startTaskInfo/startTime": _ORDER,
        "startTaskInfo/endTime": _ORDER,
    },
    "poolnodecounts": {"poolId": _ONE},
    "supportedimages": {"osType": _SAME, "verificationType": _SAME, "nodeAgentSKUId": _SAME},
    "jobs": {"id": _NAME, **_CHANGES, **_EXECUTION, "executionInfo/poolId": _NAME},
    "jobschedules": {"id": _NAME, **_CHANGES},
    "jobpreparationandreleasetaskstatus": {"nodeId": _ONE},
    "poolusagemetrics": {"poolId": _NAME},
    "listapplicationsummariesresponses": {},
    "extensions": {},
    "tasks": {
        "id": _NAME,
        **_CHANGES,
        **_EXECUTION,
        "executionInfo/exitCode": _ORDER,
        "executionInfo/result": _SAME,
    },
    "files": {"name": frozenset({"startswith"})},
    "pools on ARM": {
        "name": _NAME,
        "properties/allocationState": _NAME,
        "properties/allocationStateTransitionTime": _ORDER,
        "properties/creationTime": _ORDER,
        "properties/provisioningState": _NAME,
        "properties/provisioningStateTransitionTime": _ORDER,
        "properties/lastModified": _ORDER,
        "properties/vmSize": _NAME,
        "properties/interNodeCommunication": _SAME,
        "properties/scaleSettings/autoScale": _SAME,
        "properties/scaleSettings/fixedScale": _SAME,
    },
}
#: How deeply a filter may be nested: a limit of this parser.
_MAX_DEPTH = 50
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<date>datetime'[^']*')|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][\w/]*)|(?P<mark>[(),]))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": operator.contains,
}


class _Filter:
    """A recursive-descent parser of ``$filter``: ``or`` < ``and`` < ``not`` < comparison."""

    def __init__(self, text: str, allowed: Allowed | None) -> None:
        self._allowed = allowed
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def parse(self) -> Callable[[Row], bool]:
        test = self._either()
        if self._peek() is not None:
            raise ValueError(f"unexpected {self._peek()}")
        return test

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, *wanted: str) -> str:
        token = self._peek()
        if token is None or (wanted and token not in wanted):
            raise ValueError(f"expected {' or '.join(wanted) or 'more'}, found {token}")
        self._at += 1
        return token

    def _either(self) -> Callable[[Row], bool]:
        tests = [self._both()]
        while self._peek() == "or":
            self._take()
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self) -> Callable[[Row], bool]:
        tests = [self._one()]
        while self._peek() == "and":
            self._take()
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self) -> Callable[[Row], bool]:
        if self._peek() in ("not", "("):
            return self._inner(self._take())
        name = self._take()
        if name.lower() in _FUNCTIONS:
            return self._called(name.lower())
        compares = self._take(*_COMPARE)
        self._check(name, compares)
        compare, value = _COMPARE[compares], _literal(self._take())
        return lambda row: _holds(compare, _field(row, name), value)

    def _inner(self, opener: str) -> Callable[[Row], bool]:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError("the filter is nested too deeply")
        if opener == "not":
            test = _not(self._one())
        else:
            test = self._either()
            self._take(")")
        self._depth -= 1
        return test

    def _called(self, function: str) -> Callable[[Row], bool]:
        test = _FUNCTIONS[function]
        self._take("(")
        name = self._take()
        self._check(name, function)
        self._take(",")
        wanted = str(_literal(self._take())).lower()
        self._take(")")
        return lambda row: test(str(_field(row, name) or "").lower(), wanted)

    def _check(self, name: str, operation: str) -> None:
        """Refuse a property or an operation that the list cannot be filtered by."""
        if self._allowed is None:
            return
        known = next((listed for one, listed in self._allowed.items() if one.lower() == name.lower()), None)
        if known is None:
            raise ValueError(f"{name} is not a property that can be filtered by")
        if operation not in known:
            raise ValueError(f"{name} cannot be compared by {operation}")


def _not(test: Callable[[Row], bool]) -> Callable[[Row], bool]:
    return lambda row: not test(row)


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"cannot read {text[at:]!r}")
        tokens.append(match.group().strip())
        at = match.end()
    return tokens


def _literal(token: str) -> Any:  # noqa: ANN401 - text, number or truth value
    if token.startswith("datetime'"):
        return token[len("datetime'") : -1]
    if token.startswith("'"):
        return token[1:-1].replace("''", "'")
    if token.lower() in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[token.lower()]
    try:
        return float(token)
    except ValueError:
        raise ValueError(f"{token} is not a value") from None


def _field(row: Row, path: str) -> Any:  # noqa: ANN401 - any JSON
    value: Any = row
    for name in path.split("/"):
        if not isinstance(value, dict):
            return None
        # As a rule the name is written as the property is; a comparison with each one takes most of the time.
        if name in value:
            value = value[name]
        else:
            value = next((inner for key, inner in value.items() if key.lower() == name.lower()), None)
    return value


def _holds(compare: Callable[[Any, Any], bool], found: Any, wanted: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(found, str) and isinstance(wanted, str):
        return compare(found.lower(), wanted.lower())
    if found is None or wanted is None or isinstance(found, str) != isinstance(wanted, str):
        return compare is operator.ne if (found is None) != (wanted is None) else compare is operator.eq
    return compare(found, wanted)


def parse(text: str, allowed: Allowed | None = None) -> Callable[[Row], bool]:
    """Return the test for a filter.

    Parameters
    ----------
    text
        The filter.
    allowed
        Operations that are allowed, by property; None: all on any property.

    Raises
    ------
    ValueError
        The filter is invalid, or it uses something that is not allowed.
    """
    return _Filter(text, allowed).parse()
