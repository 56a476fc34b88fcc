"""Network interfaces: their deletion, by request and with their VM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item

NICS = "Microsoft.Network/networkInterfaces"
evidence = Evidence("Network interfaces")
evidence.rule("A network interface is deleted at once.", "no recording shows it")

routes = Routes("arm")


@routes.on("DELETE", resources.path_of(NICS))
def delete(call: Call) -> Reply:
    """Delete a network interface; 204 if it does not exist. Source of the refusal: Azure's own text."""
    item = resources.find(call.store, call.now, resources.resource_id(call, NICS))
    if item is None:
        resources.need_group(call)
        return Reply(204)
    owner = str((item.doc["properties"].get("virtualMachine") or {}).get("id", ""))
    if owner and resources.find(call.store, call.now, owner) is not None:
        message = (
            f"Network Interface {item.doc['id']} is used by existing resource {owner}. In order to delete the network "
            "interface, it must be dissociated from the resource."
        )
        raise Refusal(400, "NicInUse", message)
    call.store.delete(item.key)
    return Reply(200)


def delete_with_vm(call: Call, vm: Item) -> None:
    """Delete the network interfaces with the delete option of a VM that is being deleted."""
    profile = vm.doc["properties"].get("networkProfile") or {}
    for interface in profile.get("networkInterfaces") or []:
        option = str((interface.get("properties") or {}).get("deleteOption", ""))
        item = call.store.get(str(interface.get("id", "")))
        if item is not None and option.lower() == "delete":
            ends = vm.hidden["work"]["end"]
            item.hidden["work"] = {"kind": "Deleting", "begin": call.now, "end": ends, "doc": None}
            call.store.put(item)
