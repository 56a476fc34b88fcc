"""Long lists of Azure Resource Manager come page by page, with a ``nextLink``.

Source: Microsoft's guidelines for Azure REST APIs: a list may always have a ``nextLink``, and a client follows it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from batchimg_magics.emulator.http.messages import Refusal, Reply
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call

evidence = Evidence("Pages of Resource Manager")
PAGE_SIZE = evidence.assumed(
    100,
    "items",
    "in a page of a list of subscriptions, resources, VMs, scale sets, disks, images or Batch accounts",
    "no document names the size; recorded lists are shorter",
)
_PAGED = re.compile(
    r"/(subscriptions|resources|virtualmachines|virtualmachinescalesets|disks|snapshots|images|galleries|versions|"
    r"networkinterfaces|batchaccounts)/?$",
    re.IGNORECASE,
)
_POSITION = "$skiptoken"


def first_page(call: Call, reply: Reply) -> Reply:
    """Return the requested page of a response that is a list; other responses as they are."""
    body = reply.body
    if call.method != "GET" or not isinstance(body, dict) or not _PAGED.search(call.path) or "nextLink" in body:
        return reply
    rows, position = body.get("value"), call.query.get(_POSITION, "0")
    if not isinstance(rows, list) or (len(rows) <= PAGE_SIZE and position == "0"):
        return reply
    if not position.isdecimal():
        raise Refusal(400, "InvalidSkipToken", f"The skip token '{position}' is not valid.")
    start = int(position)
    page = {**body, "value": rows[start : start + PAGE_SIZE]}
    if start + PAGE_SIZE < len(rows):
        query = {**call.query, _POSITION: str(start + PAGE_SIZE)}
        page["nextLink"] = f"{call.base}{call.path}?{urlencode(query)}"
    return Reply(reply.status, page, reply.headers)
