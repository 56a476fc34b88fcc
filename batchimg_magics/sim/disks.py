"""Managed disks and snapshots.

What no document says, whether the system on a disk was deprovisioned, goes from a disk to what is copied from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.sim import arm, compute, opening
from batchimg_magics.sim.compute import Built, Kind, text, whole
from batchimg_magics.sim.disk_facts import DISK_SKUS, SNAPSHOT_SKUS, disk_properties
from batchimg_magics.sim.operations import PACES, Outcome, begin
from batchimg_magics.sim.planes import stamp
from batchimg_magics.sim.vm_view import disk_shown, owner_of
from batchimg_magics.sim.wire import Call, Refusal, Reply, Routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.sim.world import Item

DISKS, SNAPSHOTS = "Microsoft.Compute/disks", "Microsoft.Compute/snapshots"
#: Ways to make a disk, by what they need.
_COPIES = frozenset({"copy", "copystart", "restore", "copyfromsansnapshot"})
_FROM_OUTSIDE = frozenset({"fromimage", "import", "importsecure"})
_BARE = frozenset({"empty", "attach", "upload", "uploadpreparedsecure"})
#: What a copy has from its source.
_INHERITED = ("osType", "hyperVGeneration", "supportedCapabilities", "securityProfile", "purchasePlan", "diskSizeGB")
_DEFAULTS = {
    "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
    "networkAccessPolicy": "AllowAll",
    "publicNetworkAccess": "Enabled",
}
#: What the service sets: a body that has it, because it was read before, is not asked.
_READ_ONLY = frozenset(
    {
        "completionPercent", "diskIOPSReadWrite", "diskMBpsReadWrite", "diskSizeBytes", "diskState",
        "incrementalSnapshotFamilyId", "provisioningState", "timeCreated", "uniqueId",
    }
)  # fmt: skip
#: Of a disk from an image or a blob that says nothing: what most Linux images have.
_SIZE_GIB = 30
#: Simulated seconds that a copy into another region takes a GiB: assumed, nobody has recorded one.
_COPY_S_PER_GIB = 1.0

routes = Routes("arm")


# -- what both are -----------------------------------------------------------------------------------------------


def _common(call: Call, old: Item | None, kind: str, skus: frozenset[str]) -> Built:
    """Return what a disk and a snapshot have in common."""
    asked = {name: one for name, one in call.body["properties"].items() if name not in _READ_ONLY}
    sku = _sku(call, skus)
    changes = {name: one for name, one in asked.items() if name != "creationData"}
    if old is None:
        origin, hidden = _origin(call, compute.part(asked.get("creationData"), f"{kind}.creationData"), kind)
        made = {"timeCreated": stamp(call.now, zone="+00:00"), "uniqueId": call.world.guid("disk")}
        properties = _DEFAULTS | made | origin | changes | {"diskState": "Unattached"}
    else:
        hidden = {name: fact for name, fact in old.hidden.items() if name != "work"}
        properties = old.doc["properties"] | changes
    size = _size(old, properties, kind)
    properties |= {"diskSizeGB": size, "diskSizeBytes": size * 1024**3}
    return Built(properties, hidden, first=asked, beside={"sku": {"name": sku, "tier": sku.partition("_")[0]}})


def _sku(call: Call, skus: frozenset[str]) -> str:
    asked = compute.part(call.body.get("sku") or {"name": "Standard_LRS"}, "sku").get("name")
    found = next((one for one in skus if one.lower() == str(asked).lower()), None)
    if found is None:
        raise compute.invalid("sku.name", f"The value '{asked}' of parameter 'sku.name' is out of range.")
    return found


def _size(old: Item | None, properties: dict[str, Any], kind: str) -> int:
    if properties.get("diskSizeGB") is None:
        raise compute.missing(f"{kind}.diskSizeGB")
    size = whole(properties["diskSizeGB"], f"{kind}.diskSizeGB", least=1)
    before = int(old.doc["properties"].get("diskSizeGB") or 0) if old is not None else 0
    if size < before:
        message = (
            "Reducing disk size is not supported to prevent data loss. "
            f"Current size is {before} GB, requested size is {size} GB."
        )
        raise Refusal(400, "BadRequest", message)
    return size


def _origin(call: Call, creation: dict[str, Any], kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a new disk has from where it comes: properties, and what no document says."""
    option = text(creation.get("createOption"), f"{kind}.creationData").lower()
    if option in _COPIES:
        return _copied(call, creation, option)
    if option in _FROM_OUTSIDE:
        # Nobody here knows what is in it, so its owner's word is taken.
        return {"creationData": creation, "diskSizeGB": _SIZE_GIB}, {"deprovisioned": True}
    if option not in _BARE:
        raise compute.invalid("createOption", f"The value '{creation['createOption']}' is not a known createOption.")
    return {"creationData": creation}, {}


def _copied(call: Call, creation: dict[str, Any], option: str) -> tuple[dict[str, Any], dict[str, Any]]:
    origin = compute.source(call, creation.get("sourceResourceId"), "creationData.sourceResourceId")
    if origin.kind not in (DISKS.lower(), SNAPSHOTS.lower()):
        raise compute.invalid("sourceResourceId", "The source has to be a disk or a snapshot.")
    if option == "copystart" and origin.kind != SNAPSHOTS.lower():
        raise Refusal(404, "NotFound", f"Resource {origin.doc['name']} is not found.")  # recorded: it looks no further
    compute.refuse_at_work(call, origin)
    if option != "copystart" and arm.region(origin.doc["location"]) != arm.region(call.body["location"]):
        message = "The source and the copy have to be in the same region; CopyStart copies into another one."
        raise compute.invalid("location", message)
    if option == "copystart" and not origin.doc["properties"].get("incremental"):
        message = "CopyStart takes only an incremental snapshot as its source."
        raise compute.invalid("creationData.sourceResourceId", message)
    inherited = origin.doc["properties"]
    properties = {name: inherited[name] for name in _INHERITED if name in inherited}
    whence = {"sourceUniqueId": inherited["uniqueId"]} if "uniqueId" in inherited else {}
    return properties | {"creationData": creation | whence}, {"deprovisioned": origin.hidden.get("deprovisioned")}


# -- disks -------------------------------------------------------------------------------------------------------


def _disk(call: Call, old: Item | None) -> Built:
    built = _common(call, old, "disk", DISK_SKUS)
    built.properties.pop("tier", None)
    built.properties |= disk_properties(built.beside["sku"]["name"], built.properties["diskSizeGB"])
    if old is not None and "managedBy" in old.doc:
        built.beside["managedBy"] = old.doc["managedBy"]
    return built


def _get_disk(call: Call) -> Reply:
    item = opening.asked_for(call, DISKS)
    return Reply(200, disk_shown(call.world, item, call.now))


def _list_disks(call: Call) -> Reply:
    return Reply(200, {"value": [disk_shown(call.world, item, call.now) for item in arm.items(call, DISKS)]})


def _refuse_attached(call: Call, item: Item) -> None:
    owner = owner_of(call.world, item, call.now)
    if owner is not None:
        message = f"Disk {item.doc['name']} is attached to VM {owner.doc['id']}."
        raise Refusal(409, "OperationNotAllowed", message)


# -- snapshots ---------------------------------------------------------------------------------------------------


def _snapshot(call: Call, old: Item | None) -> Built:
    built = _common(call, old, "snapshot", SNAPSHOT_SKUS)
    properties = built.properties
    properties["incremental"] = bool(properties.get("incremental", False))
    if properties["incremental"]:
        properties.setdefault("incrementalSnapshotFamilyId", call.world.guid("family"))
    if old is None and str(properties["creationData"].get("createOption", "")).lower() == "copystart":
        built.hidden |= {"copying": call.now, "copied": call.now + _COPY_S_PER_GIB * properties["diskSizeGB"]}
        properties["completionPercent"] = 0.0
    return built


def copy_percent(item: Item, now: float) -> float:
    """Return how much of a snapshot has been copied from another region at a moment, 100 for one that is whole."""
    until = float(item.hidden.get("copied", now))
    if now >= until:
        return 100.0
    since = float(item.hidden["copying"])
    return round(100 * (now - since) / (until - since), 1)


def _get_snapshot(call: Call) -> Reply:
    item = opening.asked_for(call, SNAPSHOTS)
    document = arm.shown(item, call.now) or {}
    if "completionPercent" in document.get("properties", {}):
        document["properties"]["completionPercent"] = copy_percent(item, call.now)
    return Reply(200, document)


# -- access ------------------------------------------------------------------------------------------------------


def _begin_access(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        item = opening.need(call, arm.resource_id(call, kind))
        body = compute.part(call.body, "grantAccessData")
        text(body.get("access"), "access")
        whole(body.get("durationInSeconds", 0), "durationInSeconds", least=1)
        item.doc["properties"]["diskState"] = "ActiveSAS"
        call.world.put(item)
        # A link as Azure gives one, to nowhere: .invalid is no host, and there are no bytes behind a simulated disk.
        link = {"accessSAS": f"https://md-local.invalid/{item.doc['name']}?sr=b&sig=simulated"}
        return _access_begun(call, item, Outcome(answer=link))

    return answer


def _end_access(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        item = opening.need(call, arm.resource_id(call, kind))
        item.doc["properties"]["diskState"] = "Unattached"
        call.world.put(item)
        return _access_begun(call, item, Outcome())

    return answer


def _access_begun(call: Call, item: Item, outcome: Outcome) -> Reply:
    pace = PACES["disk access"]
    return Reply(202, None, begin(call, item.doc["location"], "DiskOperations", pace.seconds, pace, outcome))


def _register(kind: str, build: Callable[[Call, Item | None], Built]) -> None:
    path = arm.path_of(kind)
    routes.on("POST", f"{path}/beginGetAccess")(_begin_access(kind))
    routes.on("POST", f"{path}/endGetAccess")(_end_access(kind))
    compute.register(
        routes,
        Kind(
            kind,
            build,
            "disk",
            "disk deletion",
            operations="DiskOperations",
            put_status=202,
            fresh="Updating",
            output=True,
            refuse_delete=_refuse_attached,
        ),
    )


# Before the others: the first route that fits answers.
routes.on("GET", arm.path_of(SNAPSHOTS))(_get_snapshot)
routes.on("GET", arm.path_of(DISKS))(_get_disk)
for _path in compute.list_paths(DISKS):
    routes.on("GET", _path)(_list_disks)
_register(DISKS, _disk)
_register(SNAPSHOTS, _snapshot)
