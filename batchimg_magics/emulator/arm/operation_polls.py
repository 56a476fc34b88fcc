"""Responses to polls of long-running operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply
from batchimg_magics.emulator.http.planes import timestamp

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item


def answer_poll(call: Call, item: Item | None) -> Reply:
    """Answer a poll of an operation, with its status or, at the URL of the result, with its result."""
    if item is None:
        raise Refusal(404, "NotFound", "The entity was not found in this Azure location.")
    hidden = item.hidden
    over = call.now >= hidden["end"]
    waiting = {} if over or not hidden["next"] else {"Retry-After": str(hidden["next"])}
    resource = call.store.get(hidden["resource"]) if over and hidden["resource"] else None
    output = hidden["answer"] if resource is None else resources.document_at(resource, call.now)
    if call.query.get("monitor") == "true":
        return _result(call, hidden, output, waiting)
    body: dict[str, Any] = {"startTime": timestamp(hidden["begin"], zone="+00:00")}
    if not over:
        return Reply(200, body | {"status": "InProgress", "name": item.doc["name"]}, waiting)
    body |= {"endTime": timestamp(hidden["end"], zone="+00:00"), "status": "Failed" if hidden["error"] else "Succeeded"}
    if hidden["error"]:
        code, message = hidden["error"]
        body["error"] = {"code": code, "message": message}
    elif output is not None:
        body["properties"] = {"output": output}
    return Reply(200, body | {"name": item.doc["name"]})


def _result(call: Call, hidden: dict[str, Any], output: dict[str, Any] | None, waiting: dict[str, str]) -> Reply:
    """Answer at the URL of the result: 202 until the operation is done, then its result."""
    if call.now < hidden["end"]:
        address = f"{call.base}{call.path}?monitor=true&api-version={call.api_version}"
        return Reply(202, None, waiting | {"Location": address})
    if hidden["error"]:
        raise Refusal(409, *hidden["error"])
    return Reply(200, output)
