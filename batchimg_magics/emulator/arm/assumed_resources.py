"""Open mode: resources that a request depends on exist although no request created them.

In open mode (`create_app`) the dependencies of a request exist: the resource group, the parent, the source of a copy,
the operation that is polled. The resource that a request reads does not: a GET of it is a 404, and a resource that was
requested and not found is not assumed later either.
"""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.http.messages import Call, Refusal
from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

evidence = Evidence("Open mode of create_app")
evidence.rule(
    "Resources that a request depends on exist, with minimal properties: a Linux system that is generalized.",
    "recordings begin in the middle, and do not show how the resources were created",
)
#: The assumed properties of a resource that was never created, by its type in lower case.
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
    """Return a resource that a request depends on; in open mode it exists unless it was deleted.

    Parameters
    ----------
    call, key
        The request, and the id of the resource.
    location
        The assumed region; by default that of the body of the request.
    """
    if call.store.get(key) is not None:
        return resources.find(call.store, call.now, key)
    kind = resources.type_of(key)
    if not is_open(call.store) or kind.lower() not in _ASSUMED:
        return None
    body = call.body if isinstance(call.body, dict) else {}
    document = {
        "name": key.rstrip("/").rpartition("/")[2],
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
    """Return the resource in the path of a request, or refuse like ARM's gateway."""
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
    """Return a resource that a request depends on, or refuse like ARM's gateway."""
    item = find_or_assume(call, key)
    if item is None:
        raise resources.not_found(call, key)
    return item


def need_parent(call: Call, key: str) -> Item:
    """Return the parent of a nested resource, or refuse like ARM's gateway."""
    item = find_or_assume(call, key)
    if item is None:
        resources.need_group(call)
        name = key.rpartition("/")[2]
        message = f"Can not perform requested operation on nested resource. Parent resource '{name}' not found."
        raise Refusal(404, "ParentResourceNotFound", message, headers={"x-ms-failure-cause": "gateway"})
    return item
