"""Long-running operations of Microsoft.Compute: the responses to polls."""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.arm.operations import NAMESPACE, NO_RESULT, OPERATION_TIMINGS, store_operation
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.http.planes import timestamp

routes = Routes("arm")
#: The timing of an operation that is polled but was never begun (open mode), by the segment in its URL.
_ASSUMED_TIMINGS = {"DiskOperations": "disk", "capsOperations": "version", "operations": "image"}


def _poll(call: Call) -> Reply:
    item = call.store.get(call.path)
    family = call.path.split("/")[-2]
    if item is None and is_open(call.store):
        pace = OPERATION_TIMINGS[
            next(name for word, name in _ASSUMED_TIMINGS.items() if word.lower() == family.lower())
        ]
        item = store_operation(call, call.path, call.params["id"], pace.seconds, pace.poll_retry_s, NO_RESULT)
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


for _word in _ASSUMED_TIMINGS:
    routes.on("GET", f"/subscriptions/{{subscription}}/providers/{NAMESPACE}/locations/{{location}}/{_word}/{{id}}")(
        _poll
    )
