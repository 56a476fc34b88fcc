"""Applications on the data plane: those with a package that nodes can use.

Source: recorded applications (2022-10-01.16.0), and Microsoft's OpenAPI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.model import accounts
from batchimg_magics.emulator.batch.rest import paging
from batchimg_magics.emulator.batch.rest.errors import refusal
from batchimg_magics.emulator.batch.routes.applications import TYPE, VERSIONS
from batchimg_magics.emulator.http.messages import Reply, Routes

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

routes = Routes("batch", "/applications")


def _view(call: Call, item: Item) -> dict[str, Any] | None:
    """Return how the data plane shows an application, None if it has no active package."""
    packages = call.store.items(VERSIONS.lower(), item.key)
    versions = [one.doc["name"] for one in packages if one.doc["properties"]["state"] == "Active"]
    if not versions:
        return None
    shown: dict[str, Any] = {"id": item.doc["name"]}
    if "displayName" in item.doc["properties"]:
        shown["displayName"] = item.doc["properties"]["displayName"]
    return shown | {"versions": versions}


@routes.on("GET", "")
def list_applications(call: Call) -> Reply:
    """List the applications that nodes can use."""
    items = call.store.items(TYPE.lower(), accounts.need(call).key)
    rows = (row for item in items if (row := _view(call, item)) is not None)
    return paging.page(call, "listapplicationsummariesresponses", rows, key=lambda row: str(row["id"]).lower())


@routes.on("GET", "/{application}")
def get(call: Call) -> Reply:
    """Answer with an application that nodes can use."""
    item = call.store.get(f"{accounts.need(call).key}/applications/{call.params['application'].lower()}")
    row = _view(call, item) if item is not None else None
    if row is None:
        raise refusal("ApplicationNotFound")
    return Reply(200, {"odata.metadata": f"{call.base}/$metadata#getapplicationsummaryresponse/@Element", **row})
