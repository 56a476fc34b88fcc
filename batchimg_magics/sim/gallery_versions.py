"""Image versions of an Azure Compute Gallery: what they are made from, and where their copies are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.sim import arm, compute, disks, opening, replication
from batchimg_magics.sim.compute import Built, Kind, whole
from batchimg_magics.sim.galleries import DEFINITIONS, VERSIONS, security_type
from batchimg_magics.sim.planes import stamp
from batchimg_magics.sim.regions import display_name
from batchimg_magics.sim.wire import Call, Refusal, Reply, Routes

if TYPE_CHECKING:
    from batchimg_magics.sim.world import Item

_NAME = re.compile(r"\d{1,10}\.\d{1,10}\.\d{1,10}")
#: Copies of a version in one region. Source: FACTS 1.6.
_MOST_REPLICAS = 100
_MODES = ("Full", "Shallow")
#: What a version can be made from as a whole.
_WHOLE = frozenset({"microsoft.compute/images", "microsoft.compute/virtualmachines", VERSIONS.lower()})
#: Of a disk whose size nothing tells.
_SIZE_GIB = 30

routes = Routes("arm")


def _build(call: Call, old: Item | None) -> Built:
    definition = opening.need_parent(call, arm.resource_id(call, DEFINITIONS))
    name = call.params["name3"]
    if not _NAME.fullmatch(name):
        message = f"The name '{name}' of a gallery image version has to be MajorVersion.MinorVersion.Patch."
        raise compute.invalid("galleryImageVersion.name", message)
    asked = call.body["properties"]
    before = {} if old is None else old.doc["properties"]
    profile = _profile(call, before.get("publishingProfile", {}), asked)
    safety = _safety(before.get("safetyProfile", {}), asked)
    _refuse_removal(call, before, profile, safety)
    storage = compute.part(asked.get("storageProfile"), "galleryImageVersion.properties.storageProfile")
    facts, full = _sources(call, storage, definition) if old is None else _same_sources(call, old, storage)
    shallow = profile.get("replicationMode") == "Shallow"
    regions = replication.plan(call, old, profile["targetRegions"], shallow=shallow)
    properties = {"publishingProfile": profile, "storageProfile": full, "safetyProfile": safety}
    hidden = facts | {"regions": regions, "shallow": shallow}
    return Built(
        properties,
        hidden,
        first=properties | {"storageProfile": _before_sizes(storage, full) if old is None else full},
        seconds=replication.ends(regions, call.now) - call.now,
        error=_replication_error(replication.failed(regions)),
    )


def _replication_error(regions: list[str]) -> tuple[str, str] | None:
    if not regions:
        return None
    names = ", ".join(display_name(one) for one in regions)
    return "ReplicationJobsNotCompleted", f"Replication of the gallery image version failed in: {names}."


# -- profile -----------------------------------------------------------------------------------------------------


def _profile(call: Call, before: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Return the publishing profile with what Azure settles in it."""
    wanted = before | compute.part(asked.get("publishingProfile"), "publishingProfile")
    count = whole(wanted.get("replicaCount") or 1, "replicaCount", least=1)
    account = wanted.get("storageAccountType") or "Standard_LRS"
    regions = compute.parts(wanted.get("targetRegions"), "targetRegions") or [{"name": call.body["location"]}]
    targets = [_target(one, count, account) for one in regions]
    names = [arm.region(one["name"]) for one in targets]
    if arm.region(call.body["location"]) not in names:
        message = f"The target regions have to contain the version's own region, {call.body['location']}."
        raise compute.invalid("galleryImageVersion.properties.publishingProfile.targetRegions", message)
    if len(set(names)) < len(names):
        message = "A region is among the target regions more than once."
        raise compute.invalid("galleryImageVersion.properties.publishingProfile.targetRegions", message)
    if (mode := wanted.get("replicationMode", "Full")) not in _MODES or (mode == "Shallow" and len(names) > 1):
        message = f"The replication mode '{mode}' is not possible here: Full, or Shallow in the version's own region."
        raise compute.invalid("galleryImageVersion.properties.publishingProfile.replicationMode", message)
    settled = {
        "targetRegions": targets,
        "replicaCount": count,
        "excludeFromLatest": bool(wanted.get("excludeFromLatest", False)),
        "publishedDate": before.get("publishedDate") or stamp(call.now, zone="+00:00"),
        "storageAccountType": account,
    }
    return wanted | settled


def _target(region: dict[str, Any], count: int, account: str) -> dict[str, Any]:
    replicas = whole(region.get("regionalReplicaCount") or count, "regionalReplicaCount", least=1)
    if replicas > _MOST_REPLICAS:
        raise compute.invalid("regionalReplicaCount", f"A region has at most {_MOST_REPLICAS} replicas of a version.")
    settled = {
        "name": display_name(compute.text(region.get("name"), "targetRegions.name")),
        "regionalReplicaCount": replicas,
        "storageAccountType": region.get("storageAccountType") or account,
    }
    encryption = compute.part(region.get("encryption"), "targetRegions.encryption")
    if "osDiskImage" in encryption:
        encryption["osDiskImage"] = {"securityProfile": {}} | encryption["osDiskImage"]
    return region | settled


def _safety(before: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    settled = {"reportedForPolicyViolation": False, "allowDeletionOfReplicatedLocations": False}
    return settled | before | compute.part(asked.get("safetyProfile"), "safetyProfile")


def _refuse_removal(call: Call, before: dict[str, Any], profile: dict[str, Any], safety: dict[str, Any]) -> None:
    """Refuse to take copies out of a region where nobody allowed that."""
    was = before.get("publishingProfile", {}).get("targetRegions") or []
    stays = {arm.region(one["name"]) for one in profile["targetRegions"]}
    gone = [one["name"] for one in was if arm.region(one["name"]) not in stays]
    if gone and not safety["allowDeletionOfReplicatedLocations"]:
        message = (
            f"The gallery image version {call.params['name3']} cannot be removed from {', '.join(gone)}: "
            "allowDeletionOfReplicatedLocations is false in its safety profile."
        )
        raise Refusal(409, "OperationNotAllowed", message)


# -- sources -----------------------------------------------------------------------------------------------------


def _references(storage: dict[str, Any]) -> tuple[str | None, list[dict[str, Any]]]:
    """Return the id of the source as a whole, and the single disks, the OS disk first."""
    origin = compute.part(storage.get("source"), "storageProfile.source")
    one = origin.get("id") or origin.get("virtualMachineId")
    disks_of = [compute.part(storage["osDiskImage"], "osDiskImage")] if storage.get("osDiskImage") else []
    return one, disks_of + compute.parts(storage.get("dataDiskImages"), "dataDiskImages")


def _source_ids(storage: dict[str, Any]) -> list[str]:
    one, single = _references(storage)
    named = [compute.part(disk.get("source"), "source").get("id") for disk in single]
    return [one] if one else [str(key) for key in named if key]


def _same_sources(call: Call, old: Item, storage: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Refuse to change what a version is made from."""
    ids = [key.lower() for key in _source_ids(storage)]
    was = old.hidden.get("roots", [key.lower() for key in _source_ids(old.doc["properties"]["storageProfile"])])
    if ids and ids != was:
        message = (
            f"Changing property 'galleryImageVersion.properties.storageProfile.source' of {call.path} is not allowed."
        )
        raise Refusal(409, "PropertyChangeNotAllowed", message, target="galleryImageVersion.properties.storageProfile")
    facts: dict[str, Any] = {name: old.hidden[name] for name in ("deprovisioned", "roots") if name in old.hidden}
    return facts, old.doc["properties"]["storageProfile"]


def _sources(call: Call, storage: dict[str, Any], definition: Item) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is known of a new version's sources, and its storage profile with what they add."""
    one, single = _references(storage)
    ids = _source_ids(storage)
    if not ids:
        if not any("source" in disk for disk in single):
            raise compute.missing("galleryImageVersion.properties.storageProfile.source")
        # Blobs: nobody here knows what is in them, so their owner's word is taken.
        return {"deprovisioned": True, "roots": []}, _with_sizes(storage, [_SIZE_GIB] * len(single))
    if not one and not storage.get("osDiskImage"):
        raise compute.missing("galleryImageVersion.properties.storageProfile.osDiskImage")
    origins = [compute.source(call, key, "storageProfile.source") for key in ids]
    for origin in origins:
        _refuse_unready(call, origin)
    _refuse_other_kind(origins[0], definition)
    system = _system(call, origins[0])
    facts = {"deprovisioned": bool(system), "roots": [origin.key for origin in origins]}
    if one:
        if origins[0].kind not in _WHOLE:
            raise compute.invalid("storageProfile.source.id", "The source has to be an image, a VM or a version.")
        return facts, storage | _of_whole(origins[0])
    return facts, _with_sizes(
        storage, [int(origin.doc["properties"].get("diskSizeGB", _SIZE_GIB)) for origin in origins]
    )


def _system(call: Call, origin: Item) -> bool:
    """Tell whether the system of a source was deprovisioned; of one from outside its owner's word is taken."""
    if origin.kind == "microsoft.compute/virtualmachines":
        os_disk = origin.doc["properties"]["storageProfile"]["osDisk"]
        disk = call.world.get((os_disk.get("managedDisk") or {}).get("id", ""))
        return bool(origin.hidden.get("generalized")) if disk is None else bool(disk.hidden.get("deprovisioned"))
    return bool(origin.hidden.get("deprovisioned"))


def _refuse_unready(call: Call, origin: Item) -> None:
    name = origin.doc["name"]
    if state := arm.at_work(origin, call.now):
        message = f"The source '{name}' of the gallery image version is not ready: its state is '{state}'."
        raise Refusal(409, "OperationNotAllowed", message)
    if origin.kind == "microsoft.compute/snapshots" and disks.copy_percent(origin, call.now) < 100:
        message = f"The snapshot '{name}' has not been copied completely yet."
        raise Refusal(409, "OperationNotAllowed", message)
    if arm.region(origin.doc["location"]) != arm.region(call.body["location"]):
        message = (
            f"The source '{name}' of the gallery image version is in {origin.doc['location']}, and has to be in the "
            f"version's region, {call.body['location']}."
        )
        raise compute.invalid("location", message)


def _refuse_other_kind(origin: Item, definition: Item) -> None:
    """Refuse a source that is not what the definition says."""
    wanted = definition.doc["properties"]
    _refuse_other_system(origin, wanted)
    security = str((origin.doc["properties"].get("securityProfile") or {}).get("securityType", ""))
    if security == "TrustedLaunch" and "TrustedLaunch" not in security_type(wanted):
        message = (
            f"The resource with id '{origin.doc['id']}' has security type '{security}', and the parent gallery image "
            f"takes '{security_type(wanted)}'."
        )
        raise compute.invalid("galleryImageVersion.properties.storageProfile", message)
    machine = origin.kind == "microsoft.compute/virtualmachines"
    if machine and wanted["osState"] == "Generalized" and not origin.hidden.get("generalized"):
        message = f"The VM '{origin.doc['name']}' is not generalized, and the gallery image is for generalized ones."
        raise Refusal(409, "OperationNotAllowed", message)


def _refuse_other_system(origin: Item, wanted: dict[str, Any]) -> None:
    """Refuse a source of another generation, operating system or architecture; a disk without a system has none."""
    facts = origin.doc["properties"]
    system = facts.get("osType") or ((facts.get("storageProfile") or {}).get("osDisk") or {}).get("osType")
    if not system:
        return
    architecture = (facts.get("supportedCapabilities") or {}).get("architecture")
    for what, found, asked in (
        ("Hypervisor generation", facts.get("hyperVGeneration"), wanted["hyperVGeneration"]),
        ("OS type", system, wanted["osType"]),
        ("architecture", architecture, wanted.get("architecture", "x64")),
    ):
        if found and str(found).lower() != str(asked).lower():
            message = (
                f"The resource with id '{origin.doc['id']}' has a different {what} ['{found}'] than the parent gallery "
                f"image {what} ['{asked}']."
            )
            raise compute.invalid("galleryImageVersion.properties.storageProfile", message)


def _of_whole(origin: Item) -> dict[str, Any]:
    """Return what a version shows of the disks of an image, a VM or another version."""
    profile = origin.doc["properties"].get("storageProfile") or {}
    if origin.kind == VERSIONS.lower():
        return {name: profile[name] for name in ("osDiskImage", "dataDiskImages") if name in profile}
    os_disk = profile.get("osDisk") or {}
    system = {
        "sizeInGB": os_disk.get("diskSizeGB", _SIZE_GIB),
        "hostCaching": os_disk.get("caching", "None"),
        "source": {},
    }
    data = [
        {"lun": one["lun"], "sizeInGB": one.get("diskSizeGB", _SIZE_GIB), "hostCaching": one.get("caching", "None")}
        for one in profile.get("dataDisks") or []
    ]
    return {"osDiskImage": system} | ({"dataDiskImages": data} if data else {})


def _before_sizes(storage: dict[str, Any], full: dict[str, Any]) -> dict[str, Any]:
    """Return the storage profile that is shown while the sizes of the disks are not known yet."""
    shown = dict(storage)
    for name in ("osDiskImage", "dataDiskImages"):
        if name in storage and name in full:
            shown[name] = _unsized(full[name])
    return shown


def _unsized(disks_of: Any) -> Any:  # noqa: ANN401 - one disk or a list of them
    if isinstance(disks_of, list):
        return [_unsized(disk) for disk in disks_of]
    return {name: one for name, one in disks_of.items() if name != "sizeInGB"}


def _with_sizes(storage: dict[str, Any], sizes: list[int]) -> dict[str, Any]:
    """Return a storage profile of single disks with their sizes."""
    _, single = _references(storage)
    filled = [{"sizeInGB": gib, "hostCaching": "None"} | disk for disk, gib in zip(single, sizes, strict=False)]
    luns = [whole(disk.get("lun"), "dataDiskImages.lun") for disk in filled[1:]]
    if len(set(luns)) < len(luns):
        raise compute.invalid("dataDiskImages.lun", "Every data disk of a version has a LUN of its own.")
    return storage | {"osDiskImage": filled[0]} | ({"dataDiskImages": filled[1:]} if filled[1:] else {})


# -- reading -----------------------------------------------------------------------------------------------------


def _get(call: Call) -> Reply:
    """Answer with a version, on demand with how far its copies are."""
    item = opening.asked_for(call, VERSIONS)
    document = arm.shown(item, call.now) or {}
    if "replicationstatus" in call.query.get("$expand", "").lower():
        targets = document["properties"]["publishingProfile"]["targetRegions"]
        document["properties"] |= {"replicationStatus": replication.status(item, targets, call.now)}
    return Reply(200, document)


# Before the others: the first route that fits answers.
routes.on("GET", arm.path_of(VERSIONS))(_get)
compute.register(
    routes,
    Kind(VERSIONS, _build, "version", "version deletion", operations="capsOperations", by_subscription=False),
)
