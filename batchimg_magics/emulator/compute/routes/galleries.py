"""Azure Compute Gallery: galleries and image definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import assumed_resources, bodies, resource_types, resources
from batchimg_magics.emulator.arm.bodies import text
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.compute.model import body_rules, definition_rules
from batchimg_magics.emulator.compute.model.galleries import DEFINITIONS, GALLERIES, VERSIONS
from batchimg_magics.emulator.http.messages import Call, Refusal, Routes
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.world.store import Item

#: From this api-version on a definition is V2 and TrustedLaunchSupported by default.
SECURE_BY_DEFAULT_SINCE = "2025-03-03"
_ALLOWED_VALUES = {
    "osType": ("Linux", "Windows"),
    "osState": ("Generalized", "Specialized"),
    "hyperVGeneration": ("V1", "V2"),
    "architecture": ("x64", "Arm64"),
}
evidence = Evidence("Galleries and image definitions")
KEPT_NESTED_S = evidence.assumed(
    20.0,
    "s",
    "after the deletion of its last version, or of its last definition, in which a definition or a gallery cannot be "
    "deleted",
    "public reports have 15 to 30 s: azure-sdk-for-python #25506, -net #30258, -go #8314",
)
routes = Routes("arm")


def _gallery(call: Call, old: Item | None) -> BuildResult:
    name = call.params["name1"]
    asked = call.body["properties"]
    sharing = asked.get("sharingProfile") or {}
    if sharing.get("permissions") == "Community":
        facts = bodies.part(sharing.get("communityGalleryInfo"), "communityGalleryInfo")
        for word in ("publisherUri", "publisherContact", "eula", "publicNamePrefix"):
            text(facts.get(word), f"gallery.properties.sharingProfile.communityGalleryInfo.{word}")
    if old is not None:
        return BuildResult(old.doc["properties"] | asked)
    for other in call.store.items(GALLERIES, f"/subscriptions/{call.params['subscription']}"):
        if other.doc["name"].lower() == name.lower() and resources.document_at(other, call.now) is not None:
            message = f"The gallery '{name}' exists already in this subscription: {other.doc['id']}."
            raise Refusal(409, "Conflict", message)
    return BuildResult(asked | {"identifier": {"uniqueName": f"{call.params['subscription']}-{name.upper()}"}})


def _definition(call: Call, old: Item | None) -> BuildResult:
    gallery = assumed_resources.need_parent(call, resources.resource_id(call, GALLERIES))
    asked = {name: one for name, one in call.body["properties"].items() if one not in ({}, None)}
    if old is not None:
        return _changed(old, asked)
    for required in ("osType", "osState"):
        text(asked.get(required), f"galleryImage.properties.{required}")
    identifier = bodies.part(asked.get("identifier"), "galleryImage.properties.identifier")
    for required in ("publisher", "offer", "sku"):
        text(identifier.get(required), f"galleryImage.properties.identifier.{required}")
    asked |= {
        word: bodies.one_of(asked[word], word, allowed) for word, allowed in _ALLOWED_VALUES.items() if word in asked
    }
    _refuse_same_identifier(call, gallery, identifier)
    modern = call.api_version >= SECURE_BY_DEFAULT_SINCE
    properties = {"hyperVGeneration": "V2" if modern else "V1", "architecture": "x64"} | asked
    definition_rules.check_definition(properties)
    listed = definition_rules.features(properties, modern=modern)
    return BuildResult(properties | ({"features": listed} if listed else {}))


def _changed(old: Item, asked: dict[str, Any]) -> BuildResult:
    before = old.doc["properties"]
    definition_rules.check_change(asked, before)
    if asked.get("allowUpdateImage") and "features" in asked:
        asked["features"] = definition_rules.features(before | asked, modern=False)
    kept = {name: one for name, one in asked.items() if name != "allowUpdateImage"}
    return BuildResult(before | kept)


def _refuse_same_identifier(call: Call, gallery: Item, identifier: dict[str, Any]) -> None:
    """Refuse a definition with the publisher, offer and SKU of another one in the gallery."""

    def key(one: dict[str, Any]) -> tuple[str, ...]:
        return tuple(str(one.get(word, "")).lower() for word in ("publisher", "offer", "sku"))

    for other in call.store.items(DEFINITIONS, gallery.key):
        if resources.document_at(other, call.now) is not None and key(other.doc["properties"]["identifier"]) == key(
            identifier
        ):
            message = (
                f"The gallery image '{other.doc['name']}' in the gallery '{gallery.doc['name']}' has the same "
                f"publisher, offer and sku already: {'/'.join(key(identifier))}."
            )
            raise Refusal(409, "Conflict", message, target="galleryImage.properties.identifier")


def _was_just_deleted(item: Item, now: float) -> bool:
    return bool(now < (item.hidden.get("work") or {}).get("end", now) + KEPT_NESTED_S)


def refuse_nested(kind: str) -> Callable[[Call, Item], None]:
    """Return a function that refuses to delete a resource with nested resources of a kind."""

    def refuse(call: Call, item: Item) -> None:
        inside = [
            one.doc["id"]
            for one in call.store.items(kind, item.key)
            if resources.document_at(one, call.now) is not None or _was_just_deleted(one, call.now)
        ]
        if inside:
            names = ", ".join(key.partition("/providers/")[2] for key in inside)
            message = (
                "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: "
                f"'{names}'. Please delete all nested resources before deleting this resource."
            )
            raise Refusal(409, "CannotDeleteResource", message)

    return refuse


_CAPS = "capsOperations"
resource_types.register(
    routes,
    ResourceType(
        GALLERIES,
        _gallery,
        "gallery",
        "gallery",
        operations=_CAPS,
        refuse_delete=refuse_nested(DEFINITIONS),
        name_rule=resource_types.GALLERY_NAME_RULE,
        check_body=body_rules.check_of(GALLERIES),
    ),
)
resource_types.register(
    routes,
    ResourceType(
        DEFINITIONS,
        _definition,
        "gallery",
        "gallery",
        operations=_CAPS,
        refuse_delete=refuse_nested(VERSIONS),
        by_subscription=False,
        name_rule=resource_types.DEFINITION_NAME_RULE,
        check_body=body_rules.check_of(DEFINITIONS),
    ),
)
