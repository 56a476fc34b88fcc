"""Managed disks and snapshots: create, copy, resize, grant access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import assumed_resources, bodies, resource_types, resources
from batchimg_magics.emulator.arm.operations import OPERATION_TIMINGS, OperationResult, begin_operation
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.catalog.disk_skus import (
    ADJUSTABLE_SPEEDS,
    DISK_SKUS,
    MAX_DISK_GIB,
    SNAPSHOT_SKUS,
    disk_properties,
    sku_document,
)
from batchimg_magics.emulator.compute.model import body_rules, disk_changes, disk_rules, disk_sources
from batchimg_magics.emulator.compute.model.changes import first_difference
from batchimg_magics.emulator.compute.model.vm_view import disk_document, owner_of, power_state
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.world.store import Item

DISKS, SNAPSHOTS = "Microsoft.Compute/disks", "Microsoft.Compute/snapshots"
_DEFAULTS = {
    "encryption": {},
    "networkAccessPolicy": "AllowAll",
    "publicNetworkAccess": "Enabled",
}
_ACCESS_POLICIES = ("AllowAll", "AllowPrivate", "DenyAll")
_SPEEDS = frozenset({"diskIOPSReadWrite", "diskMBpsReadWrite"})
#: The properties with ids of other resources.
_REFERRING = ("encryption", "securityProfile", "diskAccessId")
#: The states of disks that are written to by a link.
_UPLOADS = frozenset({"ReadyToUpload", "ActiveUpload"})
#: The properties that the service sets. A body may contain them because the client read them before.
_READ_ONLY = _SPEEDS | {
    "completionPercent",
    "diskSizeBytes",
    "diskState",
    "incrementalSnapshotFamilyId",
    "provisioningState",
    "timeCreated",
    "uniqueId",
}
evidence = Evidence("Disks")
evidence.rule(
    "Access to a disk or snapshot with the network access policy DenyAll is refused with 409.",
    "the refusal is documented; no recording shows its status and text",
)
evidence.rule(
    "Disks, images and versions are made from disks and snapshots whatever their network access policy; copies have "
    "the default policy.",
    "the policy is documented for links to the contents only",
)
_LINK_LAG_S = evidence.assumed(
    300.0,
    "s",
    "that a disk keeps the state ActiveSAS after its access has expired",
    "a recorded disk did so a minute after an access of 10 s; its end is not recorded",
)

routes = Routes("arm")


# -- create and change -------------------------------------------------------------------------------------------


def _build_common(call: Call, old: Item | None, kind: str, skus: tuple[str, ...]) -> tuple[BuildResult, str]:
    """Return the common properties of disks and snapshots, and the name of the SKU."""
    given = bodies.part(call.body.get("sku"), "sku").get("name") or "Standard_LRS"
    sku = bodies.one_of(given, "sku.name", skus)
    read_only = _READ_ONLY - (_SPEEDS if sku in ADJUSTABLE_SPEEDS else frozenset())
    asked = {name: one for name, one in call.body["properties"].items() if name not in read_only}
    creation = bodies.part(asked.get("creationData"), f"{kind}.creationData")
    if old is None:
        origin = disk_sources.find_disk_source(call, creation, kind)
        disk_rules.check_security(asked, origin.properties, str(origin.properties["creationData"]["createOption"]))
        created = {"timeCreated": timestamp(call.now, zone="+00:00"), "uniqueId": call.store.new_guid("disk")}
        base, hidden = _DEFAULTS | created | origin.properties | {"diskState": origin.state}, origin.hidden
    else:
        disk_sources.refuse_other_source(old, creation)
        disk_changes.check_change(call, old, asked, sku)
        base, hidden = old.doc["properties"], {name: fact for name, fact in old.hidden.items() if name != "work"}
    properties = base | {name: one for name, one in asked.items() if name != "creationData"}
    _check_access(properties)
    encryption = bodies.part(properties["encryption"], "encryption")
    whose = "Customer" if encryption.get("diskEncryptionSetId") else "Platform"
    properties["encryption"] = {"type": f"EncryptionAtRestWith{whose}Key"} | encryption
    # What a copy inherits from its source was checked there, and what does not change was checked before.
    known = {} if old is None else base
    given = {name: properties[name] for name in _REFERRING if name in asked}
    disk_rules.check_references(
        call, {name: one for name, one in given.items() if first_difference(one, known.get(name)) is not None}
    )
    properties["diskSizeGB"] = _size(properties, base, old)
    properties["diskSizeBytes"] = properties["diskSizeGB"] * 1024**3
    return BuildResult(properties, hidden, initial_properties=asked, top_level={"sku": sku_document(sku)}), sku


def _check_access(properties: dict[str, Any]) -> None:
    """Check from where the contents of a disk may be read, and write the values as Azure does."""
    policy = bodies.one_of(properties["networkAccessPolicy"], "networkAccessPolicy", _ACCESS_POLICIES)
    public = bodies.one_of(properties["publicNetworkAccess"], "publicNetworkAccess", ("Enabled", "Disabled"))
    private = bool(properties.get("diskAccessId"))
    if private != (policy == "AllowPrivate"):
        message = (
            "The property 'diskAccessId' is required if the network access policy is 'AllowPrivate', and is not "
            f"allowed otherwise: the policy is '{policy}'."
        )
        raise bodies.invalid("diskAccessId", message)
    properties |= {"networkAccessPolicy": policy, "publicNetworkAccess": public}


def _size(properties: dict[str, Any], base: dict[str, Any], old: Item | None) -> int:
    size = bodies.whole(properties.get("diskSizeGB") or 0, "diskSizeGB", least=1)
    if size > MAX_DISK_GIB:
        raise bodies.invalid("diskSizeGB", f"The value '{size}' of parameter 'diskSizeGB' is out of range.")
    least = int(base.get("diskSizeGB") or 0)
    if size < least:
        what = "its source" if old is None else f"{old.doc['id']}, of {least} GB"
        message = (
            f"The disk/snapshot cannot be made smaller than {what}: {size} GB were asked for. Reducing disk/snapshot "
            "size is not supported in Azure to prevent data loss."
        )
        raise Refusal(400, "BadRequest", message)
    return size


def _disk(call: Call, old: Item | None) -> BuildResult:
    built, sku = _build_common(call, old, "disk", DISK_SKUS)
    asked = call.body["properties"]
    disk_rules.check_disk(built, asked, sku, new=old is None)
    if sku.endswith("_ZRS") and call.body.get("zones"):
        raise bodies.invalid("zones", f"A disk of the SKU '{sku}' is in all zones, and cannot have one.")
    tier = str(built.properties.pop("tier", ""))
    facts = disk_properties(sku, built.properties["diskSizeGB"], tier)
    if sku in ADJUSTABLE_SPEEDS:
        facts |= {name: bodies.whole(built.properties.get(name) or facts[name], name, least=1) for name in _SPEEDS}
        built.properties["creationData"] = {"logicalSectorSize": 4096} | built.properties["creationData"]
    built.properties |= facts
    if old is not None and "managedBy" in old.doc:
        built.top_level["managedBy"] = old.doc["managedBy"]
    return built


def _snapshot(call: Call, old: Item | None) -> BuildResult:
    built, _ = _build_common(call, old, "snapshot", SNAPSHOT_SKUS)
    properties = built.properties
    properties["incremental"] = bool(properties.get("incremental", False))
    if properties["incremental"]:
        properties.setdefault("incrementalSnapshotFamilyId", call.store.new_guid("family"))
    return built


# -- read --------------------------------------------------------------------------------------------------------


def _show(call: Call, item: Item) -> dict[str, Any]:
    document = disk_document(call.store, item, call.now)
    changes: dict[str, Any] = {}
    if call.now < item.hidden.get("link_until", 0.0):
        changes["diskState"] = "ActiveSAS"
    if "copied" in item.hidden and "uniqueId" in document["properties"]:
        changes["completionPercent"] = disk_sources.copy_percent(item, call.now)
    return document | {"properties": document["properties"] | changes}


# -- access and deletion -----------------------------------------------------------------------------------------


def _refuse_in_use(call: Call, item: Item) -> None:
    owner = owner_of(call.store, item, call.now)
    if owner is not None:
        raise Refusal(409, "OperationNotAllowed", f"Disk {item.doc['name']} is attached to VM {owner.doc['id']}.")
    if call.now < item.hidden.get("link_until", 0.0):
        message = f"Disk {item.doc['name']} has an active shared access signature. Please revoke access and try again."
        raise Refusal(409, "OperationNotAllowed", message)


def _begin_access(call: Call, item: Item) -> Reply:
    body = body_rules.check_action(call.body, "GrantAccessData", "grantAccessData")
    seconds = body["durationInSeconds"]
    if item.doc["properties"].get("networkAccessPolicy") == "DenyAll":
        message = (
            f"Cannot perform operation 'grantAccess' on resource '{item.doc['name']}': its network access policy is "
            "'DenyAll'."
        )
        raise Refusal(409, "OperationNotAllowed", message)
    if body["access"] == "Write" and item.doc["properties"].get("diskState") not in _UPLOADS:
        message = f"Write access to '{item.doc['name']}' needs a disk that was created to be uploaded."
        raise Refusal(409, "OperationNotAllowed", message)
    owner = owner_of(call.store, item, call.now)
    if owner is not None and power_state(owner, call.now) != "deallocated":
        message = (
            f"Cannot perform operation grantAccess since disk {item.doc['name']} is attached to running VM "
            f"{owner.doc['id']}."
        )
        raise Refusal(409, "OperationNotAllowed", message)
    item.hidden["link_until"] = call.now + seconds + _LINK_LAG_S
    call.store.put(item)
    # A link in Azure's format that leads nowhere: the host is invalid, and a simulated disk has no contents.
    link = {"accessSAS": f"https://md-local.invalid/{item.doc['name']}?sr=b&sig=simulated"}
    return _accepted(call, item, OperationResult(answer=link))


def _end_access(call: Call, item: Item) -> Reply:
    item.hidden.pop("link_until", None)
    call.store.put(item)
    return _accepted(call, item, OperationResult())


def _accepted(call: Call, item: Item, outcome: OperationResult) -> Reply:
    pace = OPERATION_TIMINGS["disk access"]
    return Reply(202, None, begin_operation(call, item.doc["location"], "DiskOperations", pace.seconds, pace, outcome))


def _disk_action(kind: str, work: Callable[[Call, Item], Reply]) -> Callable[[Call], Reply]:
    return lambda call: work(call, assumed_resources.need_or_assume(call, resources.resource_id(call, kind)))


for _type, _build in ((DISKS, _disk), (SNAPSHOTS, _snapshot)):
    routes.on("POST", f"{resources.path_of(_type)}/beginGetAccess")(_disk_action(_type, _begin_access))
    routes.on("POST", f"{resources.path_of(_type)}/endGetAccess")(_disk_action(_type, _end_access))
    resource_types.register(
        routes,
        ResourceType(
            _type,
            _build,
            "disk",
            "disk deletion",
            operations="DiskOperations",
            put_status=202,
            creating_state="Updating",
            output=True,
            refuse_delete=_refuse_in_use,
            show=_show,
            check_body=body_rules.check_of(_type),
        ),
    )
