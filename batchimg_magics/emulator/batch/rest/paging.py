"""OData in Microsoft.Batch: ``$filter``, ``$select``, ``maxresults``, pages with a skip token.

Source: recorded pages, and the recorded 400 of ``maxresults=-5``.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from batchimg_magics.emulator.batch.rest.errors import bad_query
from batchimg_magics.emulator.http.messages import Reply
from batchimg_magics.emulator.http.odata_filter import FILTERS, Row, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchimg_magics.emulator.http.messages import Call

#: The maximum number of items on a page, which is also the default.
PAGE_SIZE = 1000


def row_filter(call: Call, what: str) -> Callable[[Row], bool]:
    """Return the test for the ``$filter`` of a request; without one it is always true.

    Raises
    ------
    Refusal
        400 InvalidQueryParameterValue: the filter is invalid, or the list cannot be filtered by its properties.
    """
    text = call.query.get("$filter", "")
    if not text.strip():
        return lambda _: True
    try:
        return parse(text, FILTERS[what])
    except ValueError as error:
        raise bad_query("$filter", text, f"The filter clause is not valid: {error}") from error


def select_members(call: Call, row: Row) -> Row:
    """Return the members of a row that ``$select`` names, ``a/b`` for a nested one."""
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


def page_size(call: Call, most: int = PAGE_SIZE) -> int:
    """Return the number of items on a page of the response."""
    text = call.query.get("maxresults", str(most))
    if not re.fullmatch(r"[+-]?\d+", text):
        raise bad_query("maxresults", text, "MaxResults must be an integer")
    if int(text) < 1:
        raise bad_query("maxresults", text, "MaxResults cannot be less than 1")
    if int(text) > most:
        raise bad_query("maxresults", text, f"MaxResults cannot be greater than {most}")
    return int(text)


def last_key(call: Call) -> str:
    """Return the key of the last item of the previous page, empty for the first page."""
    token = call.query.get("$skiptoken", "")
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise bad_query("$skiptoken", token, "The skip token is not valid") from error


def next_link(call: Call, last: str) -> str:
    """Return the link to the page after the item with this key."""
    query = {name: value for name, value in call.query.items() if name != "$skiptoken"}
    query["$skiptoken"] = base64.urlsafe_b64encode(last.encode()).decode()
    return f"{call.base}{call.path}?{urlencode(query)}"


def page(
    call: Call,
    what: str,
    rows: Iterable[Row],
    *,
    key: Callable[[Row], str],
    most: int = PAGE_SIZE,
    plane: str = "batch",
) -> Reply:
    """Answer with one page of rows.

    Parameters
    ----------
    call
        The request: its ``$filter``, ``$select``, ``maxresults`` and ``$skiptoken`` are applied.
    what
        The name of the set in ``odata.metadata``.
    rows
        In ascending order of their keys; only as many are read as the page needs.
    key
        Returns the key of a row.
    most
        The maximum number of items on a page.
    plane
        ``batch``, or ``arm``, whose link is ``nextLink`` and which has no metadata.
    """
    size, last, test = (
        page_size(call, most),
        last_key(call),
        row_filter(call, what if plane == "batch" else "pools on ARM"),
    )
    wanted = (row for row in rows if (not last or key(row) > last) and test(row))
    found = list(itertools.islice(wanted, size + 1))
    shown = found[:size]
    body: Row = {"odata.metadata": f"{call.base}/$metadata#{what}"} if plane == "batch" else {}
    body["value"] = [select_members(call, row) for row in shown]
    if len(found) > size:
        body["odata.nextLink" if plane == "batch" else "nextLink"] = next_link(call, key(shown[-1]))
    return Reply(200, body)
