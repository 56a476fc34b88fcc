"""ETags of network resources: ``W/"GUID"``, another one after each change."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call


def new_etag(call: Call) -> str:
    """Return the ETag of a new state of a resource."""
    return f'W/"{call.store.new_guid("etag")}"'
