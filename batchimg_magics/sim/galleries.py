"""Azure Compute Gallery: galleries, image definitions and image versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.sim import arm, compute
from batchimg_magics.sim.compute import Kind, Pace
from batchimg_magics.sim.planes import stamp
from batchimg_magics.sim.wire import Call, Refusal, Reply, Routes

if TYPE_CHECKING:
    from batchimg_magics.sim.world import Item

GALLERIES = "Microsoft.Compute/galleries"
DEFINITIONS = f"{GALLERIES}/images"
VERSIONS = f"{DEFINITIONS}/versions"
#: Since this api-version a definition that says nothing is V2 and TrustedLaunchSupported. Source: FACTS 2.
SECURE_BY_DEFAULT = "2025-03-03"
#: Recorded: under a second for galleries and definitions, a median of 438 s for a version in one region, 90 s to delete
#: one. Source: FACTS 6. That a further region takes as long again as half the first is assumed.
_QUICK = Pace(0.2)
_VERSION, _VERSION_DELETION = Pace(438.0, 60, 60), Pace(90.0, 60, 60)
_GALLERY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?")
_VERSION_NAME = re.compile(r"\d+\.\d+\.\d+")
#: What a definition keeps for good.
_FIXED = ("osType", "osState", "hyperVGeneration", "architecture", "identifier")
_WORDS = {"eastus2": "East US 2", "eastus": "East US", "westus2": "West US 2", "westus": "West US"}

routes = Routes("arm")


# -- galleries and definitions -----------------------------------------------------------------------------------


def _gallery(call: Call, old: Item | None) -> tuple[dict[str, Any], dict[str, Any]]:
    name = call.params["name1"]
    if not _GALLERY_NAME.fullmatch(name):
        raise compute.invalid(
            "galleryName",
            f"The entity name '{name}' is invalid according to its validation rule: "
            "^[^_\\W][\\w-._]{0,79}(?<![-.])$.",
        )
    asked = compute.body_of(call)["properties"]
    if old is not None:
        return old.doc["properties"] | asked, {}
    for other in call.world.items(GALLERIES, f"/subscriptions/{call.params['subscription']}"):
        taken = other.doc["name"].lower() == name.lower() and arm.shown(other, call.now) is not None
        if taken:
            raise Refusal(409, "Conflict", f"A gallery named '{name}' is there in this subscription already.")
    unique = f"{call.params['subscription']}-{name.upper()}"
    return asked | {"identifier": {"uniqueName": unique}}, {}


def _definition(call: Call, old: Item | None) -> tuple[dict[str, Any], dict[str, Any]]:
    arm.need(call, arm.resource_id(call, GALLERIES))
    asked = compute.body_of(call)["properties"]
    if old is not None:
        for name in _FIXED:
            if name in asked and asked[name] != old.doc["properties"].get(name):
                raise Refusal(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.")
        return old.doc["properties"] | asked, {}
    missing = [name for name in ("osType", "osState", "identifier") if not asked.get(name)]
    if missing:
        raise compute.invalid(missing[0], f"Required parameter '{missing[0]}' is missing (null).")
    _refuse_same_identifier(call, asked["identifier"])
    modern = call.api_version >= SECURE_BY_DEFAULT
    properties = {"hyperVGeneration": "V2" if modern else "V1", "architecture": "x64"} | asked
    if modern and not any(one.get("name") == "SecurityType" for one in asked.get("features") or []):
        feature = {"name": "SecurityType", "value": "TrustedLaunchSupported"}
        properties["features"] = [*(asked.get("features") or []), feature]
    return {name: part for name, part in properties.items() if part not in ({}, None)}, {}


def _refuse_same_identifier(call: Call, identifier: dict[str, Any]) -> None:
    for other in arm.listing(call, DEFINITIONS):
        if other["properties"]["identifier"] == identifier:
            words = "/".join(str(identifier.get(part)) for part in ("publisher", "offer", "sku"))
            raise Refusal(409, "Conflict", f"A gallery image with publisher/offer/sku {words} exists already.")


def _refuse_nested(kind: str) -> Any:  # noqa: ANN401 - a function
    def refuse(call: Call, item: Item) -> None:
        if any(arm.shown(one, call.now) is not None for one in call.world.items(kind, item.key)):
            raise Refusal(
                409,
                "CannotDeleteResource",
                "Can not delete resource before nested resources are deleted.",
            )

    return refuse


# -- versions ----------------------------------------------------------------------------------------------------


def _version(call: Call, old: Item | None) -> tuple[dict[str, Any], dict[str, Any]]:
    definition = arm.need(call, arm.resource_id(call, DEFINITIONS))
    name = call.params["name3"]
    if not _VERSION_NAME.fullmatch(name):
        raise compute.invalid(
            "galleryImageVersionName", f"The version '{name}' has to be MajorVersion.MinorVersion.Patch."
        )
    asked = compute.body_of(call)["properties"]
    storage, hidden = _sources(call, asked.get("storageProfile") or {}, old, definition)
    before = old.doc["properties"]["publishingProfile"] if old else {}
    profile = _profile(call, before | (asked.get("publishingProfile") or {}))
    published = before.get("publishedDate") or stamp(call.now, zone="+00:00")
    safety = {"reportedForPolicyViolation": False, "allowDeletionOfReplicatedLocations": False}
    properties = {
        "publishingProfile": profile | {"publishedDate": published},
        "storageProfile": storage,
        "safetyProfile": safety
        | (old.doc["properties"]["safetyProfile"] if old else {})
        | (asked.get("safetyProfile") or {}),
    }
    return properties, hidden


def _profile(call: Call, asked: dict[str, Any]) -> dict[str, Any]:
    count = asked.get("replicaCount") or 1
    kind = asked.get("storageAccountType") or "Standard_LRS"
    targets = [
        {
            **one,
            "name": _WORDS.get(compute.region(one["name"]), one["name"]),
            "regionalReplicaCount": one.get("regionalReplicaCount") or count,
            "storageAccountType": one.get("storageAccountType") or kind,
        }
        for one in asked.get("targetRegions") or [{"name": call.body["location"]}]
    ]
    if compute.region(call.body["location"]) not in {compute.region(one["name"]) for one in targets}:
        raise compute.invalid("targetRegions", "The target regions have to contain the version's own region.")
    settled = {
        "replicaCount": count,
        "excludeFromLatest": asked.get("excludeFromLatest", False),
        "storageAccountType": kind,
    }
    return asked | settled | {"targetRegions": targets}


def _sources(
    call: Call, storage: dict[str, Any], old: Item | None, definition: Item
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a version's storage profile with what its sources add, and what is known of them."""
    disks = [disk for disk in (storage.get("osDiskImage"), *(storage.get("dataDiskImages") or [])) if disk]
    keys = [str(key) for disk in disks if (key := (disk.get("source") or {}).get("id"))]
    whole = (storage.get("source") or {}).get("id")
    keys = [whole] if whole else keys
    if old is not None:
        if keys and [key.lower() for key in keys] != old.hidden["roots"]:
            raise Refusal(
                409,
                "PropertyChangeNotAllowed",
                "Changing property 'galleryImageVersion.properties.storageProfile' is not allowed.",
            )
        return old.doc["properties"]["storageProfile"], {key: old.hidden[key] for key in ("deprovisioned", "roots")}
    if not keys and any("source" in disk for disk in disks):
        return storage, {"deprovisioned": True, "roots": []}  # blobs: nobody knows what is in them
    if not keys:
        raise compute.invalid("storageProfile", "Required parameter 'storageProfile' is missing (null).")
    origins = [compute.source(call, key, "storageProfile.source") for key in keys]
    for origin in origins:
        _refuse_unfit(call, origin, definition)
    hidden = {"deprovisioned": origins[0].hidden.get("deprovisioned"), "roots": [origin.key for origin in origins]}
    return (storage | _of_image(origins[0])) if whole else _of_disks(storage, origins), hidden


def _refuse_unfit(call: Call, origin: Item, definition: Item) -> None:
    """Refuse a source that is not ready, lies elsewhere, or is of another kind than the definition."""
    if state := arm.at_work(origin, call.now):
        raise Refusal(
            409, "OperationNotAllowed", f"The source '{origin.doc['name']}' is not ready: its state is '{state}'."
        )
    if compute.region(origin.doc["location"]) != compute.region(call.body["location"]):
        raise compute.invalid("location", f"The source '{origin.doc['name']}' is not in the version's region.")
    generation = origin.doc["properties"].get("hyperVGeneration")
    wanted = definition.doc["properties"]["hyperVGeneration"]
    has_system = origin.doc["properties"].get("osType") or origin.kind.endswith(("/images", "/virtualmachines"))
    if has_system and generation and generation != wanted:
        message = f"The source has Hypervisor Generation '{generation}' and the gallery image has '{wanted}'."
        raise compute.invalid("hyperVGeneration", message)
    security = str((origin.doc["properties"].get("securityProfile") or {}).get("securityType", ""))
    features = definition.doc["properties"].get("features") or []
    takes = next((one["value"] for one in features if one["name"] == "SecurityType"), "Standard")
    if security == "TrustedLaunch" and "TrustedLaunch" not in takes:
        raise compute.invalid("securityType", f"The source is TrustedLaunch, and the gallery image takes '{takes}'.")


def _of_image(origin: Item) -> dict[str, Any]:
    """Return what a version shows of the disks of a managed image or a VM."""
    profile = origin.doc["properties"].get("storageProfile") or {}
    os_disk = profile.get("osDisk") or {}
    shown: dict[str, Any] = {
        "osDiskImage": {
            "sizeInGB": os_disk.get("diskSizeGB", 30),
            "hostCaching": os_disk.get("caching", "None"),
            "source": {},
        }
    }
    if data := profile.get("dataDisks"):
        shown["dataDiskImages"] = [
            {"lun": one["lun"], "sizeInGB": one.get("diskSizeGB", 30), "hostCaching": one.get("caching", "None")}
            for one in data
        ]
    return shown


def _of_disks(storage: dict[str, Any], origins: list[Item]) -> dict[str, Any]:
    sizes = [origin.doc["properties"].get("diskSizeGB", 30) for origin in origins]
    shown = storage | {"osDiskImage": {"sizeInGB": sizes[0], "hostCaching": "None"} | storage["osDiskImage"]}
    if data := storage.get("dataDiskImages"):
        shown["dataDiskImages"] = [
            {"sizeInGB": size, "hostCaching": "None"} | one for one, size in zip(data, sizes[1:], strict=False)
        ]
    return shown


def _replication(call: Call) -> Reply:
    """Answer with a version, on demand with how far its copies are."""
    item = arm.need(call, arm.resource_id(call, VERSIONS))
    shown = arm.shown(item, call.now) or {}
    if "replicationstatus" not in call.query.get("$expand", "").lower():
        return Reply(200, shown)
    busy = arm.at_work(item, call.now) in ("Creating", "Updating")
    work = item.hidden["work"]
    part = min(1.0, (call.now - work["begin"]) / max(1e-9, work["end"] - work["begin"])) if busy else 1.0
    state, progress = ("Replicating" if busy else "Completed"), int(100 * part)
    targets = shown["properties"]["publishingProfile"]["targetRegions"]
    rows = [{"region": one["name"], "state": state, "details": "", "progress": progress} for one in targets]
    status = {"aggregatedState": "InProgress" if busy else "Completed", "summary": rows}
    return Reply(200, shown | {"properties": shown["properties"] | {"replicationStatus": status}})


_CAPS = "capsOperations"
compute.register(
    routes, Kind(GALLERIES, _gallery, _QUICK, _QUICK, operations=_CAPS, refuse_delete=_refuse_nested(DEFINITIONS))
)
compute.register(
    routes,
    Kind(
        DEFINITIONS,
        _definition,
        _QUICK,
        _QUICK,
        operations=_CAPS,
        refuse_delete=_refuse_nested(VERSIONS),
        by_subscription=False,
    ),
)
# Before the others: the first route that fits answers.
routes.on("GET", arm.path_of(VERSIONS))(_replication)
compute.register(routes, Kind(VERSIONS, _version, _VERSION, _VERSION_DELETION, operations=_CAPS, by_subscription=False))
