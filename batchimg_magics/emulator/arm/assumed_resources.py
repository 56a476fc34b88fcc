"""Open worlds: those of recordings, which begin in the middle and on days long past.

In the world of ``create_app`` whatever a request builds on is there, although nobody made it: the group, the parent,
the source of a copy, the operation that is polled. What a request asks *for* is not: a GET of it is a 404, and what
was asked for and not found is not assumed later either.
"""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.http.messages import Call, Refusal
from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

evidence = Evidence("The open world of create_app")
evidence.rule(
    "Whatever a request builds on is there, with the least that such a resource has: a Linux system, deprovisioned.",
    "recordings begin in the middle, and do not show who made it",
)
#: What is assumed of a resource that nobody made, by its type in lower case.
_ASSUMED: dict[str, dict[str, Any]] = {
    "microsoft.compute/disks": {"diskSizeGB": 30, "diskState": "Unattached", "creationData": {"createOption": "Empty"}},
    "microsoft.compute/snapshots": {
        "diskSizeGB": 30,
        "diskState": "Unattached",
        "creationData": {"createOption": "Empty"},
    },
    "microsoft.compute/images": {
        "hyperVGeneration": "V1",
        "storageProfile": {"osDisk": {"osType": "Linux", "osState": "Generalized", "diskSizeGB": 30}, "dataDisks": []},
    },
    "microsoft.compute/galleries": {"identifier": {"uniqueName": "assumed"}},
    "microsoft.compute/galleries/images": {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V1",
        "architecture": "x64",
        "identifier": {"publisher": "assumed", "offer": "assumed", "sku": "assumed"},
    },
    "microsoft.compute/virtualmachines": {
        "hardwareProfile": {"vmSize": "Standard_DS1_v2"},
        "storageProfile": {"osDisk": {"osType": "Linux", "name": "assumed", "createOption": "FromImage"}},
    },
}


def find_or_assume(call: Call, key: str, location: str = "") -> Item | None:
    """Return what a request builds on; in an open world it is there unless it was deleted.

    Parameters
    ----------
    call, key
        The request, and the id of the resource.
    location
        Where it is assumed to be; by default where the request's body says it works.
    """
    if call.store.get(key) is not None:
        return resources.find(call.store, call.now, key)
    _, _, path, namespace = resources.split_id(key)
    kind = "/".join([namespace, *(word for word, _ in path)])
    if not is_open(call.store) or kind.lower() not in _ASSUMED:
        return None
    body = call.body if isinstance(call.body, dict) else {}
    document = {
        "name": path[-1][1],
        "id": key,
        "type": kind,
        "location": location or str(body.get("location") or "eastus"),
        "properties": {
            **_ASSUMED[kind.lower()],
            "timeCreated": timestamp(call.now, zone="+00:00"),
            "provisioningState": "Succeeded",
        },
    }
    item = Item(key.lower(), kind.lower(), document, {"deprovisioned": True})
    call.store.put(item)
    return item


def get_requested(call: Call, kind: str) -> Item:
    """Return the resource of a type that the request's path names, or refuse as ARM's gateway does."""
    key = resources.resource_id(call, kind)
    item = resources.find(call.store, call.now, key)
    if item is not None:
        return item
    refusal = resources.not_found(call, key)
    if is_open(call.store) and call.store.get(key) is None:
        deletion = {"kind": "Deleting", "begin": call.now, "end": call.now, "doc": None}
        call.store.put(Item(key.lower(), kind.lower(), {"id": key, "properties": {}}, {"work": deletion}))
        refusal.keep_writes = True
    raise refusal


def need_or_assume(call: Call, key: str) -> Item:
    """Return what a request builds on, or refuse as ARM's gateway does."""
    item = find_or_assume(call, key)
    if item is None:
        raise resources.not_found(call, key)
    return item


def need_parent(call: Call, key: str) -> Item:
    """Return the resource that another one lies in, or refuse as ARM's gateway does."""
    item = find_or_assume(call, key)
    if item is None:
        resources.need_group(call)
        name = key.rpartition("/")[2]
        message = f"Can not perform requested operation on nested resource. Parent resource '{name}' not found."
        raise Refusal(404, "ParentResourceNotFound", message, headers={"x-ms-failure-cause": "gateway"})
    return item
