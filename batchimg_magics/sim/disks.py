"""Managed disks and snapshots.

What no document says, whether the system on a disk was deprovisioned, goes from a disk to what is copied from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.sim import arm, compute
from batchimg_magics.sim.compute import Kind, Pace
from batchimg_magics.sim.disk_facts import disk_properties
from batchimg_magics.sim.planes import stamp
from batchimg_magics.sim.wire import Call, Refusal, Reply, Routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.sim.world import Item

DISKS, SNAPSHOTS = "Microsoft.Compute/disks", "Microsoft.Compute/snapshots"
#: Median of recorded snapshots; Retry-After as recorded. Source: FACTS 6.
_PACE = Pace(0.7, 2, 10)
_DELETION = Pace(1.0, None, 10)
_COPIES = frozenset({"copy", "copystart", "restore"})
#: What a copy has from its source.
_INHERITED = ("osType", "hyperVGeneration", "supportedCapabilities", "securityProfile", "purchasePlan", "diskSizeGB")
_DEFAULTS = {
    "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
    "networkAccessPolicy": "AllowAll",
    "publicNetworkAccess": "Enabled",
    "diskState": "Unattached",
}

routes = Routes("arm")


def _common(call: Call, old: Item | None) -> tuple[dict[str, Any], dict[str, Any]]:
    asked = compute.body_of(call)["properties"]
    creation = dict(asked.get("creationData") or {})
    option = str(creation.get("createOption", "")).lower()
    if not option:
        raise compute.invalid("disk.creationData", "Required parameter 'disk.creationData' is missing (null).")
    hidden: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    if old is not None:
        properties, hidden = dict(old.doc["properties"]), {"deprovisioned": old.hidden.get("deprovisioned")}
    elif option in _COPIES:
        origin = compute.source(call, creation.get("sourceResourceId"), "creationData.sourceResourceId")
        if option == "copy" and compute.region(origin.doc["location"]) != compute.region(call.body["location"]):
            raise compute.invalid("location", "The source and the copy have to be in the same region.")
        inherited = origin.doc["properties"]
        properties = {name: inherited[name] for name in _INHERITED if name in inherited}
        hidden = {"deprovisioned": origin.hidden.get("deprovisioned")}
        if unique := inherited.get("uniqueId"):
            creation["sourceUniqueId"] = unique
    properties |= asked | {"creationData": creation}
    size = int(properties.get("diskSizeGB") or 0) or 30
    made = {"timeCreated": stamp(call.now, zone="+00:00"), "uniqueId": call.world.guid("disk")}
    facts = {"diskSizeGB": size, "diskSizeBytes": size * 1024**3}
    return {**_DEFAULTS, **made, **properties, **facts}, hidden


def _disk(call: Call, old: Item | None) -> tuple[dict[str, Any], dict[str, Any]]:
    properties, hidden = _common(call, old)
    sku = call.body.setdefault("sku", {"name": "Standard_LRS"})
    sku["tier"] = sku["name"].partition("_")[0]
    properties |= disk_properties(sku["name"], properties["diskSizeGB"])
    return properties, hidden


def _snapshot(call: Call, old: Item | None) -> tuple[dict[str, Any], dict[str, Any]]:
    properties, hidden = _common(call, old)
    sku = call.body.setdefault("sku", {"name": "Standard_LRS"})
    sku["tier"] = sku["name"].partition("_")[0]
    properties.setdefault("incremental", False)
    if properties["incremental"]:
        family = old.doc["properties"].get("incrementalSnapshotFamilyId") if old else None
        properties["incrementalSnapshotFamilyId"] = family or call.world.guid("family")
    if str(properties["creationData"]["createOption"]).lower() == "copystart":
        properties["completionPercent"] = 100.0
    return properties, hidden


def _refuse_attached(call: Call, item: Item) -> None:
    owner = item.doc.get("managedBy")
    if owner and arm.find(call.world, call.now, owner) is not None:
        raise Refusal(
            409,
            "OperationNotAllowed",
            f"Disk {item.doc['name']} is attached to VM {owner}.",
        )


def _access(kind: str, verb: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        item = arm.need(call, arm.resource_id(call, kind))
        # A link as Azure gives one, to nowhere: .invalid is no host, and there are no bytes behind a simulated disk.
        link = {"accessSAS": f"https://md-local.invalid/{item.doc['name']}?sr=b&sig=simulated"}
        given = link if verb == "beginGetAccess" else None
        return Reply(202, None, compute.begin(call, item.doc["location"], "DiskOperations", 0.4, _PACE, answer=given))

    return answer


for _type, _build, _refuse in ((DISKS, _disk, _refuse_attached), (SNAPSHOTS, _snapshot, None)):
    compute.register(
        routes,
        Kind(
            _type,
            _build,
            _PACE,
            _DELETION,
            operations="DiskOperations",
            put_status=202,
            fresh="Updating",
            interim=frozenset(),
            output=True,
            refuse_delete=_refuse,
        ),
    )
    for _verb in ("beginGetAccess", "endGetAccess"):
        routes.on("POST", f"{arm.path_of(_type)}/{_verb}")(_access(_type, _verb))
