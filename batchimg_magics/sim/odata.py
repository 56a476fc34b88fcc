"""What Microsoft.Batch takes of OData: ``$filter``, ``$select``, ``maxresults``, pages with a skip token.

Source: the filter tables of the Batch REST reference ("OData filters in Batch"), recorded pages, and the recorded 400
of ``maxresults=-5``.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import operator
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from batchimg_magics.sim.batch_errors import bad_query
from batchimg_magics.sim.wire import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchimg_magics.sim.wire import Call

Row = dict[str, Any]
Predicate = "Callable[[Row], bool]"
#: Items of one page at most, and without maxresults.
PAGE = 1000
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

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

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
        if self._peek() == "not":
            self._take()
            test = self._one()
            return lambda row: not test(row)
        if self._peek() == "(":
            self._take()
            test = self._either()
            self._take(")")
            return test
        name = self._take()
        if (calls := _FUNCTIONS.get(name.lower())) is not None:
            return self._called(calls)
        compare = _COMPARE[self._take(*_COMPARE)]
        value = _literal(self._take())
        return lambda row: _holds(compare, _field(row, name), value)

    def _called(self, test: Callable[[str, str], bool]) -> Callable[[Row], bool]:
        self._take("(")
        name = self._take()
        self._take(",")
        wanted = str(_literal(self._take())).lower()
        self._take(")")
        return lambda row: test(str(_field(row, name) or "").lower(), wanted)


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
        raise ValueError(f"{token} is no value") from None


def _field(row: Row, path: str) -> Any:  # noqa: ANN401 - any JSON
    value: Any = row
    for name in path.split("/"):
        if not isinstance(value, dict):
            return None
        value = next((inner for key, inner in value.items() if key.lower() == name.lower()), None)
    return value


def _holds(compare: Callable[[Any, Any], bool], found: Any, wanted: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(found, str) and isinstance(wanted, str):
        return compare(found.lower(), wanted.lower())
    if found is None or wanted is None or isinstance(found, str) != isinstance(wanted, str):
        return compare is operator.ne if (found is None) != (wanted is None) else compare is operator.eq
    return compare(found, wanted)


def parse(text: str) -> Callable[[Row], bool]:
    """Return the test that a filter's text makes.

    Raises
    ------
    ValueError
        It cannot be read.
    """
    return _Filter(text).parse()


def filtered(call: Call) -> Callable[[Row], bool]:
    """Return the test that the request's ``$filter`` makes, or one that all pass.

    Raises
    ------
    Refusal
        400 InvalidQueryParameterValue: the filter cannot be read.
    """
    text = call.query.get("$filter", "")
    if not text.strip():
        return lambda _: True
    try:
        return parse(text)
    except ValueError as error:
        raise bad_query("$filter", text, f"The filter clause is not valid: {error}") from error


def selected(call: Call, row: Row) -> Row:
    """Return what the request's ``$select`` asks of a row: members by name, ``a/b`` for a part of one."""
    text = call.query.get("$select", "")
    if not text.strip():
        return row
    chosen: Row = {}
    for path in (part.strip() for part in text.split(",")):
        _choose(chosen, row, path.split("/"))
    return chosen


def _choose(into: Row, row: Row, path: list[str]) -> None:
    for name, value in row.items():
        if name.lower() == path[0].lower():
            if len(path) == 1 or not isinstance(value, dict):
                into[name] = value
            else:
                _choose(into.setdefault(name, {}), value, path[1:])


def page_size(call: Call, most: int = PAGE) -> int:
    """Return how many items the request wants on a page."""
    text = call.query.get("maxresults", str(most))
    if not re.fullmatch(r"[+-]?\d+", text):
        raise bad_query("maxresults", text, "MaxResults must be an integer")
    if int(text) < 1:
        raise bad_query("maxresults", text, "MaxResults cannot be less than 1")
    if int(text) > most:
        raise bad_query("maxresults", text, f"MaxResults cannot be greater than {most}")
    return int(text)


def after(call: Call) -> str:
    """Return the key of the last item of the page before, empty on the first page."""
    token = call.query.get("$skiptoken", "")
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise bad_query("$skiptoken", token, "The skip token is not valid") from error


def next_link(call: Call, last: str) -> str:
    """Return the link to the page that begins after the item with this key."""
    query = {name: value for name, value in call.query.items() if name != "$skiptoken"}
    query["$skiptoken"] = base64.urlsafe_b64encode(last.encode()).decode()
    return f"{call.base}{call.path}?{urlencode(query)}"


def page(
    call: Call, what: str, rows: Iterable[Row], *, key: Callable[[Row], str], most: int = PAGE, plane: str = "batch"
) -> Reply:
    """Answer with one page of rows.

    Parameters
    ----------
    call
        The request: its ``$filter``, ``$select``, ``maxresults`` and ``$skiptoken`` are kept.
    what
        The set's name in ``odata.metadata``.
    rows
        In ascending order of their keys; only as many are taken as the page needs.
    key
        What tells a row's place.
    most
        Items of one page at most.
    plane
        ``batch``, or ``arm``, which names its link ``nextLink`` and has no metadata.
    """
    size, last, test = page_size(call, most), after(call), filtered(call)
    wanted = (row for row in rows if (not last or key(row) > last) and test(row))
    found = list(itertools.islice(wanted, size + 1))
    shown = found[:size]
    body: Row = {"odata.metadata": f"{call.base}/$metadata#{what}"} if plane == "batch" else {}
    body["value"] = [selected(call, row) for row in shown]
    if len(found) > size:
        body["odata.nextLink" if plane == "batch" else "nextLink"] = next_link(call, key(shown[-1]))
    return Reply(200, body)
