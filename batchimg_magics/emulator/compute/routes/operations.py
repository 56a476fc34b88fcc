"""Long-running operations of Microsoft.Compute: the responses to polls."""

from __future__ import annotations

from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.arm.operation_polls import answer_poll
from batchimg_magics.emulator.arm.operations import NAMESPACE, NO_RESULT, OPERATION_TIMINGS, store_operation
from batchimg_magics.emulator.http.messages import Call, Reply, Routes

routes = Routes("arm")
#: The timing of an operation that is polled but was never begun (open mode), by the segment in its URL.
_ASSUMED_TIMINGS = {"DiskOperations": "disk", "capsOperations": "version", "operations": "image"}


def _poll(call: Call) -> Reply:
    item = call.store.get(call.path)
    if item is None and is_open(call.store):
        family = call.path.split("/")[-2]
        pace = OPERATION_TIMINGS[
            next(name for word, name in _ASSUMED_TIMINGS.items() if word.lower() == family.lower())
        ]
        item = store_operation(call, call.path, call.params["id"], pace.seconds, pace.poll_retry_s, NO_RESULT)
    return answer_poll(call, item)


for _word in _ASSUMED_TIMINGS:
    routes.on("GET", f"/subscriptions/{{subscription}}/providers/{NAMESPACE}/locations/{{location}}/{_word}/{{id}}")(
        _poll
    )
