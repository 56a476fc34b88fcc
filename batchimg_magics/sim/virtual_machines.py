"""Virtual machines: read, started and stopped, marked generalized, deleted."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from batchimg_magics.sim import arm, compute
from batchimg_magics.sim.compute import Pace
from batchimg_magics.sim.planes import stamp
from batchimg_magics.sim.wire import Call, Refusal, Reply, Routes

if TYPE_CHECKING:
    from batchimg_magics.sim.world import Item

VMS = "Microsoft.Compute/virtualMachines"
#: Medians of recordings, and Retry-After as seen. Source: FACTS 6.
_PACES = {
    "deallocate": Pace(45.0, 10, 30),
    "powerOff": Pace(18.0, 10, 30),
    "start": Pace(20.0, 10, 30),
    "delete": Pace(40.0, 10, 30),
}
#: The power state after each verb, and while it goes on.
_POWER = {
    "deallocate": ("deallocated", "deallocating"),
    "powerOff": ("stopped", "stopping"),
    "start": ("running", "starting"),
}
_WORDS = {
    "running": "VM running",
    "stopped": "VM stopped",
    "deallocated": "VM deallocated",
    "deallocating": "VM deallocating",
    "stopping": "VM stopping",
    "starting": "VM starting",
}
_AGENT = "2.11.1.4"

routes = Routes("arm")


def _machine(call: Call) -> Item:
    return arm.need(call, arm.resource_id(call, VMS))


def power(item: Item, now: float) -> str:
    """Return a VM's power state at a moment."""
    change = item.hidden.get("change")
    if change and now < change["end"]:
        return str(change["during"])
    return str(change["after"] if change else item.hidden.get("power", "running"))


def shown(item: Item, now: float) -> dict[str, Any]:
    """Return a VM's document at a moment: of a deallocated one, Azure leaves out what its disks are."""
    document = copy.deepcopy(arm.shown(item, now) or item.doc)
    if power(item, now) == "deallocated":
        storage = document["properties"]["storageProfile"]
        for disk in (storage["osDisk"], *(storage.get("dataDisks") or [])):
            disk.pop("diskSizeGB", None)
            if "managedDisk" in disk:
                disk["managedDisk"] = {"id": disk["managedDisk"]["id"]}
    return document


def instance_view(item: Item, now: float) -> dict[str, Any]:
    """Return how a VM is at a moment; what runs inside is told only by one that runs."""
    if (imported := item.hidden.get("instance_view")) and "change" not in item.hidden:
        return _with_mark(imported, generalized=bool(item.hidden.get("generalized")))
    properties, state = item.doc["properties"], power(item, now)
    zone = "+00:00"
    since = stamp(item.hidden.get("since", now), zone=zone)
    level = {"level": "Info"}
    done = level | {"code": "ProvisioningState/succeeded", "displayStatus": "Provisioning succeeded", "time": since}
    statuses = [done]
    if item.hidden.get("generalized"):
        statuses.append(level | {"code": "OSState/generalized", "displayStatus": "VM generalized"})
    statuses.append(level | {"code": f"PowerState/{state}", "displayStatus": _WORDS.get(state, f"VM {state}")})
    storage = properties["storageProfile"]
    disks = [storage["osDisk"], *(storage.get("dataDisks") or [])]
    view: dict[str, Any] = {
        "disks": [{"name": disk["name"], "statuses": [done]} for disk in disks],
        "statuses": statuses,
    }
    if state == "running":
        ready = level | {"code": "ProvisioningState/succeeded", "displayStatus": "Ready", "time": since[:19] + zone}
        name, version = item.hidden.get("system") or ("ubuntu", "22.04")
        view |= {
            "computerName": (properties.get("osProfile") or {}).get("computerName", item.doc["name"]),
            "osName": name,
            "osVersion": version,
            "vmAgent": {
                "vmAgentVersion": _AGENT,
                "statuses": [ready | {"message": "Guest Agent is running"}],
                "extensionHandlers": [],
            },
        }
    generation = (imported or {}).get("hyperVGeneration") or item.hidden.get("generation", "V1")
    return view | {"hyperVGeneration": generation}


def _with_mark(view: dict[str, Any], *, generalized: bool) -> dict[str, Any]:
    """Return the instance view that a VM was imported with, marked generalized where that came later."""
    mark = {"level": "Info", "code": "OSState/generalized", "displayStatus": "VM generalized"}
    statuses = view.get("statuses") or []
    marked = any(one.get("code") == mark["code"] for one in statuses)
    return view | {"statuses": [*statuses, mark]} if generalized and not marked else view


def _with_generation(call: Call, item: Item) -> Item:
    """Let the OS disk tell a VM's generation."""
    key = (item.doc["properties"]["storageProfile"]["osDisk"].get("managedDisk") or {}).get("id", "")
    disk = call.world.get(key)
    if disk is not None:
        item.hidden["generation"] = disk.doc["properties"].get("hyperVGeneration", "V1")
    return item


@routes.on("GET", arm.path_of(VMS))
def get_machine(call: Call) -> Reply:
    """Answer with one VM, on demand with how it is."""
    item = _with_generation(call, _machine(call))
    document = shown(item, call.now)
    etag = {"etag": f'"{item.hidden.get("revision", 1)}"'}
    if "instanceview" in call.query.get("$expand", "").lower():
        document["properties"]["instanceView"] = instance_view(item, call.now)
    return Reply(200, document | etag, {"ETag": etag["etag"]})


@routes.on("GET", f"{arm.path_of(VMS)}/instanceView")
def get_instance_view(call: Call) -> Reply:
    """Answer with how a VM is."""
    return Reply(200, instance_view(_with_generation(call, _machine(call)), call.now))


def _list(call: Call) -> Reply:
    under = f"/subscriptions/{call.params['subscription']}"
    if "group" in call.params:
        arm.need_group(call)
        under += f"/resourcegroups/{call.params['group']}"
    items = [item for item in call.world.items(VMS, under) if arm.shown(item, call.now) is not None]
    return Reply(200, {"value": [shown(item, call.now) for item in items]})


routes.on("GET", arm.path_of(VMS, collection=True))(_list)
routes.on("GET", f"/subscriptions/{{subscription}}/providers/{VMS}")(_list)


def _change(verb: str) -> Any:  # noqa: ANN401 - a handler
    def answer(call: Call) -> Reply:
        item = _machine(call)
        if item.hidden.get("generalized") and verb == "start":
            message = f"Operation 'start' is not allowed on VM '{item.doc['name']}' since the VM is generalized."
            raise Refusal(409, "OperationNotAllowed", message)
        pace = _PACES[verb]
        seconds = compute.took(call, pace.seconds, item.key + verb)
        after, during = _POWER[verb]
        item.hidden |= {
            "change": {"end": call.now + seconds, "during": during, "after": after},
            "since": call.now,
            "revision": item.hidden.get("revision", 1) + 1,
        }
        call.world.put(item)
        return Reply(202, None, compute.begin(call, item.doc["location"], "operations", seconds, pace))

    return answer


for _verb in _POWER:
    routes.on("POST", f"{arm.path_of(VMS)}/{_verb}")(_change(_verb))


@routes.on("POST", f"{arm.path_of(VMS)}/generalize")
def generalize(call: Call) -> Reply:
    """Mark a VM generalized: Azure's mark, which says nothing of what is really on its disk."""
    item = _machine(call)
    if power(item, call.now) == "running":
        message = f"The VM '{item.doc['name']}' has to be stopped or deallocated before it is generalized."
        raise Refusal(409, "OperationNotAllowed", message)
    item.hidden |= {"generalized": True, "revision": item.hidden.get("revision", 1) + 1}
    call.world.put(item)
    return Reply(200)


@routes.on("DELETE", arm.path_of(VMS))
def delete_machine(call: Call) -> Reply:
    """Delete a VM; its disks stay."""
    item = arm.find(call.world, call.now, arm.resource_id(call, VMS))
    if item is None:
        arm.need_group(call)
        return Reply(204)
    pace = _PACES["delete"]
    seconds = compute.took(call, pace.seconds, item.key)
    item.hidden["work"] = {"kind": "Deleting", "begin": call.now, "end": call.now + seconds, "doc": None}
    call.world.put(item)
    return Reply(202, None, compute.begin(call, item.doc["location"], "operations", seconds, pace))
