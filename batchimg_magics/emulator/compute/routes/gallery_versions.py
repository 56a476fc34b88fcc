"""Image versions of an Azure Compute Gallery: their sources, replicas, and end of life."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import assumed_resources, bodies, resource_types, resources
from batchimg_magics.emulator.arm.bodies import whole
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.catalog.regions import display_name
from batchimg_magics.emulator.compute.model import body_rules, replication, version_rules, version_sources
from batchimg_magics.emulator.compute.model.galleries import DEFINITIONS, VERSIONS
from batchimg_magics.emulator.http.messages import Call, Refusal, Routes
from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item

_NAME = re.compile(r"\d{1,10}\.\d{1,10}\.\d{1,10}", re.ASCII)
#: Each part of a version number is a 32-bit integer.
_MAX_VERSION_PART = 2**31 - 1
evidence = Evidence("Gallery image versions")
_MAX_REPLICAS = evidence.documented(100, "replicas", "of a version in one region, at most", "the gallery documents")
evidence.rule(
    "The refusal to delete a version before its end of life has the emulator's own text.",
    "the refusal is documented; no recording shows it",
)
_MODES = ("Full", "Shallow")
_PROFILE = "galleryImageVersion.properties.publishingProfile"
#: In the words that terraform-provider-azurerm #21999 quotes; the list of regions is the emulator's.
_INCOMPLETE = (
    "Complete set of target locations not specified while updating gallery artifact '{}' and type "
    "'GalleryImageVersion'. Deletion of previously replicated locations is not allowed, and you need to specify a "
    "complete set of target locations in the update request or set allow deletion of replicated locations under "
    "safety profile property. Missing: {}."
)

routes = Routes("arm")


def _build(call: Call, old: Item | None) -> BuildResult:
    definition = assumed_resources.need_parent(call, resources.resource_id(call, DEFINITIONS))
    _check_name(call.params["name3"])
    asked = call.body["properties"]
    before = {} if old is None else old.doc["properties"]
    wanted, published = asked.get("publishingProfile") or {}, before.get("publishingProfile", {})
    version_rules.check_mode(wanted, published)
    version_rules.check_profile(call, wanted, published, definition)
    profile = _profile(call, published, asked)
    safety = _safety(before.get("safetyProfile", {}), asked)
    _refuse_removal(call, before, profile, safety)
    storage = bodies.part(asked.get("storageProfile"), "galleryImageVersion.properties.storageProfile")
    if old is None:
        known, first, final = version_sources.check_new_sources(call, storage, definition)
    else:
        first = final = version_sources.check_same_sources(old, storage)
        known = {name: fact for name, fact in old.hidden.items() if name != "work"}
    shallow = profile.get("replicationMode") == "Shallow"
    regions = replication.plan_replication(call, old, profile["targetRegions"], shallow=shallow)
    properties = {"publishingProfile": profile, "storageProfile": final, "safetyProfile": safety}
    return BuildResult(
        properties,
        known | {"regions": regions, "shallow": shallow},
        initial_properties=properties | {"storageProfile": first},
        seconds=replication.end_time(regions, call.now) - call.now,
        error=_replication_error(replication.failed_regions(regions)),
    )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or any(int(part) > _MAX_VERSION_PART for part in name.split(".")):
        message = (
            f"The name '{name}' of a gallery image version has to be MajorVersion.MinorVersion.Patch, each a 32-bit "
            "integer."
        )
        raise bodies.invalid("galleryImageVersion.name", message)


def _replication_error(regions: list[str]) -> tuple[str, str] | None:
    if not regions:
        return None
    names = ", ".join(display_name(one) for one in regions)
    return "ReplicationJobsNotCompleted", f"Replication of the gallery image version failed in: {names}."


# -- publishing profile ------------------------------------------------------------------------------------------


def _profile(call: Call, before: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Return the publishing profile with the members that Azure sets."""
    wanted = before | bodies.part(asked.get("publishingProfile"), _PROFILE)
    count = whole(wanted.get("replicaCount") or 1, "replicaCount", least=1)
    account = wanted.get("storageAccountType") or "Standard_LRS"
    regions = bodies.parts(wanted.get("targetRegions") or before.get("targetRegions"), f"{_PROFILE}.targetRegions")
    targets = [_target(one, count, account) for one in regions or [{"name": call.body["location"]}]]
    mode = bodies.one_of(wanted.get("replicationMode") or "Full", f"{_PROFILE}.replicationMode", _MODES)
    _check_regions(call, targets, mode)
    settled = {
        "targetRegions": targets,
        "replicaCount": count,
        "excludeFromLatest": bool(wanted.get("excludeFromLatest", False)),
        "publishedDate": before.get("publishedDate") or timestamp(call.now, zone="+00:00"),
        "storageAccountType": account,
    }
    if "endOfLifeDate" in wanted:
        _parse_date(wanted["endOfLifeDate"])
    return wanted | settled


def _check_regions(call: Call, targets: list[dict[str, Any]], mode: str) -> None:
    names = [regions.region_name(one["name"]) for one in targets]
    if regions.region_name(call.body["location"]) not in names:
        message = f"The target regions have to contain the version's own region, {call.body['location']}."
        raise bodies.invalid(f"{_PROFILE}.targetRegions", message)
    if len(set(names)) < len(names):
        raise bodies.invalid(f"{_PROFILE}.targetRegions", "A region is among the target regions more than once.")
    if mode == "Shallow" and len(names) > 1:
        message = "A version whose replication mode is 'Shallow' is in its own region only."
        raise bodies.invalid(f"{_PROFILE}.replicationMode", message)


def _target(region: dict[str, Any], count: int, account: str) -> dict[str, Any]:
    replicas = whole(region.get("regionalReplicaCount") or count, "regionalReplicaCount", least=1)
    if replicas > _MAX_REPLICAS:
        raise bodies.invalid("regionalReplicaCount", f"A region has at most {_MAX_REPLICAS} replicas of a version.")
    settled: dict[str, Any] = {
        "name": display_name(bodies.text(region.get("name"), "targetRegions.name")),
        "regionalReplicaCount": replicas,
        "storageAccountType": region.get("storageAccountType") or account,
    }
    encryption = bodies.part(region.get("encryption"), "targetRegions.encryption")
    if os_disk := bodies.part(encryption.get("osDiskImage"), "encryption.osDiskImage"):
        settled["encryption"] = encryption | {"osDiskImage": {"securityProfile": {}} | os_disk}
    return region | settled


def _safety(before: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    settled = {"reportedForPolicyViolation": False, "allowDeletionOfReplicatedLocations": False}
    given = bodies.part(asked.get("safetyProfile"), "safetyProfile")
    return settled | before | {name: one for name, one in given.items() if name != "reportedForPolicyViolation"}


def _refuse_removal(call: Call, before: dict[str, Any], profile: dict[str, Any], safety: dict[str, Any]) -> None:
    """Refuse to remove replicas from a region unless the safety profile allows it."""
    before_regions = before.get("publishingProfile", {}).get("targetRegions") or []
    kept_regions = {regions.region_name(one["name"]) for one in profile["targetRegions"]}
    removed = [one["name"] for one in before_regions if regions.region_name(one["name"]) not in kept_regions]
    if removed and not safety["allowDeletionOfReplicatedLocations"]:
        message = _INCOMPLETE.format(call.params["name3"], ", ".join(removed))
        raise Refusal(400, "BadRequest", message)


def _parse_date(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        message = f"The value '{text}' of parameter 'endOfLifeDate' is not a date."
        raise bodies.invalid(f"{_PROFILE}.endOfLifeDate", message) from None


def _refuse_early_deletion(call: Call, version: Item) -> None:
    """Refuse to delete a version before its end of life if its safety profile forbids it."""
    properties = version.doc["properties"]
    ends = properties["publishingProfile"].get("endOfLifeDate")
    blocked = (properties.get("safetyProfile") or {}).get("blockDeletionBeforeEndOfLife")
    if blocked and ends and call.now < _parse_date(ends):
        message = f"The gallery image version '{version.doc['name']}' cannot be deleted before its end of life, {ends}."
        raise Refusal(409, "OperationNotAllowed", message)


def _show(call: Call, version: Item) -> dict[str, Any]:
    """Return a version, with its replication status if requested."""
    document = resources.document_at(version, call.now) or {}
    if "replicationstatus" not in call.query.get("$expand", "").lower():
        return document
    targets = document["properties"]["publishingProfile"]["targetRegions"]
    status = {"replicationStatus": replication.status(version, targets, call.now)}
    return document | {"properties": document["properties"] | status}


resource_types.register(
    routes,
    ResourceType(
        VERSIONS,
        _build,
        "version",
        "version deletion",
        operations="capsOperations",
        by_subscription=False,
        refuse_delete=_refuse_early_deletion,
        show=_show,
        name_rule="",
        check_body=body_rules.check_of(VERSIONS),
    ),
)
