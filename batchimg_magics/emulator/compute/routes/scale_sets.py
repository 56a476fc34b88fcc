"""Virtual machine scale sets, read only: those that were imported. The list is empty without any."""

from __future__ import annotations

from batchimg_magics.emulator.arm import resource_types, resources
from batchimg_magics.emulator.http.messages import Call, Reply, Routes

TYPE = "Microsoft.Compute/virtualMachineScaleSets"

routes = Routes("arm")


@routes.on("GET", resources.path_of(TYPE))
def get(call: Call) -> Reply:
    """Show a scale set."""
    return Reply(200, resources.need(call, resources.resource_id(call, TYPE)).doc)


def _list(call: Call) -> Reply:
    """List the scale sets of a group or a subscription."""
    return Reply(200, {"value": resources.list_documents(call, TYPE)})


for _path in resource_types.list_paths(TYPE):
    routes.on("GET", _path)(_list)
