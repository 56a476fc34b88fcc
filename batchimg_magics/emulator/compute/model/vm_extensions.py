"""The extensions of a VM: their documents and what the agent reports about them, and those of a deleted VM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.http.planes import timestamp

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item, Store

EXTENSIONS = "Microsoft.Compute/virtualMachines/extensions"


def extensions_of(store: Store, vm: Item, now: float) -> list[Item]:
    """Return the extensions of a VM at a time."""
    return [one for one in store.items(EXTENSIONS, vm.key) if resources.document_at(one, now) is not None]


def with_extensions(store: Store, vm: Item, document: dict[str, Any], now: float) -> dict[str, Any]:
    """Return the document of a VM with its extensions; imported ones are in the document already."""
    shown = [one for item in extensions_of(store, vm, now) if (one := resources.document_at(item, now)) is not None]
    if not shown:
        return document
    known = {str(one["id"]).lower() for one in shown}
    imported = [one for one in document.get("resources") or [] if str(one.get("id")).lower() not in known]
    return document | {"resources": [*imported, *shown]}


def extension_view(item: Item, now: float) -> dict[str, Any]:
    """Return the instance view of an extension at a time."""
    properties = item.doc["properties"]
    view: dict[str, Any] = {
        "name": item.doc["name"],
        "type": f"{properties['publisher']}.{properties['type']}",
        "typeHandlerVersion": properties["typeHandlerVersion"],
    }
    if resources.current_operation(item, now):
        return view
    failed = properties.get("provisioningState") == "Failed"
    word = "failed" if failed else "succeeded"
    status = {
        "code": f"ProvisioningState/{word}",
        "level": "Error" if failed else "Info",
        "displayStatus": f"Provisioning {word}",
        "message": item.hidden.get("message", ""),
        "time": timestamp((item.hidden.get("work") or {}).get("end", now), zone="+00:00"),
    }
    return view | {"statuses": [status]}


def add_to_view(store: Store, vm: Item, view: dict[str, Any], now: float) -> dict[str, Any]:
    """Return the instance view of a VM with its extensions."""
    views = [extension_view(one, now) for one in extensions_of(store, vm, now)]
    if not views:
        return view
    agent = view.get("vmAgent")
    if agent is not None and "extensionHandlers" in agent:
        ready = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready"}
        handlers = [
            {"type": one["type"], "typeHandlerVersion": one["typeHandlerVersion"], "status": ready} for one in views
        ]
        view = view | {"vmAgent": agent | {"extensionHandlers": handlers}}
    return view | {"extensions": views}


def delete_with_vm(store: Store, vm: Item, now: float) -> None:
    """Delete what is nested in a VM that is being deleted: extensions and managed run commands."""
    for item in store.items_below(vm.key):
        if resources.document_at(item, now) is not None:
            resources.delete_until(store, item, now, vm.hidden["work"]["end"])
