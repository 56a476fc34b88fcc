"""Long-running operations of Microsoft.Network: the responses to polls."""

from __future__ import annotations

from batchimg_magics.emulator.arm.operation_polls import answer_poll
from batchimg_magics.emulator.http.messages import Call, Reply, Routes

routes = Routes("arm")


@routes.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/operations/{id}")
def poll(call: Call) -> Reply:
    """Answer with the status of an operation."""
    return answer_poll(call, call.store.get(call.path))
