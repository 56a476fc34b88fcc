"""VM extensions of nodes on the data plane: those of the pool, and Batch's own, which installs the node agent.

Source: recorded extensions (2022-10-01.16.0 and 2023-05-01.17.0), which a node has while it is being created.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.rest import paging
from batchimg_magics.emulator.batch.rest.errors import refusal
from batchimg_magics.emulator.batch.routes import nodes
from batchimg_magics.emulator.batch.routes.pools import load
from batchimg_magics.emulator.http.messages import Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call

routes = Routes("batch", "/pools/{pool}/nodes/{node}/extensions")
evidence = Evidence("Extensions of nodes")
evidence.rule(
    "Every extension of a pool succeeds on its nodes; the emulator runs none of them.",
    "recorded extensions succeed; what an extension does is not known",
)
evidence.rule(
    "Since 2024 the level of a status is a word; before it is the number 0.",
    "recorded up to 2023-05-01.17.0; the OpenAPI of 2024 has words",
)
_WORDS_SINCE = "2024"
#: Batch's own extension by OS. The one for Windows is assumed.
_OWN = {
    "linux": ("Microsoft.Azure.Extensions", "CustomScript", "2.0", "Enable succeeded"),
    "windows": ("Microsoft.Compute", "CustomScriptExtension", "1.8", "Finished executing command"),
}


def _rows(call: Call, pool: Pool) -> list[dict[str, Any]]:
    """Return the extensions of each node of a pool."""
    machine = pool.doc.get("virtualMachineConfiguration")
    if machine is None:
        return []
    publisher, kind, version, message = _OWN[nodes.os_of(pool)]
    own = {"name": "batchNodeExtension", "publisher": publisher, "type": kind, "typeHandlerVersion": version}
    rows = [_view(call, extension, "Plugin enabled") for extension in machine.get("extensions", [])]
    # The order is that of azure-batch's own tests.
    return [*rows, _view(call, own | {"autoUpgradeMinorVersion": True}, message)]


def _view(call: Call, extension: dict[str, Any], message: str) -> dict[str, Any]:
    status = {
        "code": "ProvisioningState/succeeded",
        "level": "Info" if call.api_version >= _WORDS_SINCE else 0,
        "displayStatus": "Provisioning succeeded",
        "message": message,
    }
    return {
        "provisioningState": "Succeeded",
        "instanceView": {"name": extension["name"], "statuses": [status]},
        "vmExtension": extension,
    }


def _load(call: Call) -> list[dict[str, Any]]:
    _, pool = load(call)
    nodes.need(call, pool)
    return _rows(call, pool)


@routes.on("GET", "")
def list_extensions(call: Call) -> Reply:
    """List a node's extensions."""
    rows = _load(call)
    places = {row["vmExtension"]["name"]: f"{place:04}" for place, row in enumerate(rows)}
    return paging.page(call, "extensions", rows, key=lambda row: places[row["vmExtension"]["name"]])


@routes.on("GET", "/{extension}")
def get(call: Call) -> Reply:
    """Answer with an extension of a node."""
    wanted = call.params["extension"].lower()
    row = next((row for row in _load(call) if row["vmExtension"]["name"].lower() == wanted), None)
    if row is None:
        raise refusal("ResourceNotFound")
    body = {"odata.metadata": f"{call.base}/$metadata#extensions/@Element"}
    return Reply(200, body | paging.select_members(call, row))
