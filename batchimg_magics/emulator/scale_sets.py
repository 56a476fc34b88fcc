"""Virtual machine scale sets, to be read: those that were imported. A subscription without any has an empty list."""

from __future__ import annotations

from batchimg_magics.emulator import arm, compute
from batchimg_magics.emulator.http.messages import Call, Reply, Routes

TYPE = "Microsoft.Compute/virtualMachineScaleSets"

routes = Routes("arm")


@routes.on("GET", arm.path_of(TYPE))
def get(call: Call) -> Reply:
    """Show a scale set."""
    return Reply(200, arm.need(call, arm.resource_id(call, TYPE)).doc)


def _list(call: Call) -> Reply:
    """List the scale sets of a group or a subscription."""
    return Reply(200, {"value": arm.list_documents(call, TYPE)})


for _path in compute.list_paths(TYPE):
    routes.on("GET", _path)(_list)
