"""Conditional headers on the data plane: which combinations are allowed, and whether they hold.

Source: "Specifying conditional headers" of the Batch REST reference.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from batchimg_magics.emulator.arm.resources import lists_etag
from batchimg_magics.emulator.batch.rest.errors import refusal
from batchimg_magics.emulator.http.messages import Refusal

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call

#: The headers that may be combined: the first of each pair decides, and the second is ignored.
_PAIRS = (("if-match", "if-unmodified-since"), ("if-none-match", "if-modified-since"))


def check(call: Call, headers: dict[str, str]) -> None:
    """Refuse a request to the data plane whose conditions do not hold.

    Parameters
    ----------
    call
        The request.
    headers
        ETag and Last-Modified of the resource.

    Raises
    ------
    Refusal
        412; 304 for a read of an unchanged resource; 400 for conditions that cannot be combined.
    """
    given = {name for pair in _PAIRS for name in pair if name in call.headers}
    if not given:
        return
    if len(given) > 1 and given not in (set(pair) for pair in _PAIRS):
        raise refusal("MultipleConditionHeadersNotSupported")
    tag, modified = headers["ETag"], _seconds("last-modified", headers["Last-Modified"])
    if (wanted := call.headers.get("if-match")) is not None:
        met = lists_etag(wanted, tag)
    elif (until := call.headers.get("if-unmodified-since")) is not None:
        met = modified <= _seconds("if-unmodified-since", until)
    elif (unwanted := call.headers.get("if-none-match")) is not None:
        met = not lists_etag(unwanted, tag)
    else:
        met = modified > _seconds("if-modified-since", call.headers["if-modified-since"])
    if met:
        return
    unmet = refusal("ConditionNotMet")
    if call.method in ("GET", "HEAD") and given <= set(_PAIRS[1]):
        unmet = Refusal(304, unmet.code, unmet.message, headers=headers)
    raise unmet


def _seconds(name: str, http_date: str) -> float:
    """Read an HTTP date, in whole seconds."""
    try:
        return parsedate_to_datetime(http_date).timestamp()
    except ValueError:
        raise refusal("InvalidHeaderValue", ("HeaderName", name), ("HeaderValue", http_date)) from None
