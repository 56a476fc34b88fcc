"""Resources of types without routes of their own: read, list, tag and delete what was imported, and refuse to create.

Nothing of these types exists but what was imported, so lists are short, and a resource that is read is mostly missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import assumed_resources, bodies, missing_routes, resources
from batchimg_magics.emulator.arm.api_versions import type_segments
from batchimg_magics.emulator.catalog.api_versions import find_type
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item

evidence = Evidence("Resources of other types")
evidence.rule(
    "Imported resources of types that the emulator does not create can be read, tagged, and deleted at once, whatever "
    "uses them.",
    "the emulator has no rules for these types",
)
#: The types that image builds and Azure Batch ask for, and that only an import creates: lists are empty, and a resource
#: that was not imported is missing. The other types are refused: their lists would say too much.
_KNOWN_TO_BE_NONE = frozenset(
    {
        "microsoft.compute/galleries/applications",
        "microsoft.compute/galleries/applications/versions",
        "microsoft.managedidentity/userassignedidentities",
        "microsoft.storage/storageaccounts",
    }
)
routes = Routes("arm")


def _kind(call: Call) -> str:
    """Return the resource type in a path in Azure's spelling; refuse types that neither Azure nor the emulator has."""
    namespace, words = type_segments(call.path)
    kind, _ = find_type(namespace, words)
    if kind.lower() != "/".join(words).lower() or f"{namespace}/{kind}".lower() not in _KNOWN_TO_BE_NONE:
        raise missing_routes.refusal(call)
    return f"{namespace}/{kind}"


def _find(call: Call) -> Item | None:
    item = resources.find(call.store, call.now, call.path.rstrip("/"))
    if item is None:
        _kind(call)
    return item


def _get(call: Call) -> Reply:
    item = _find(call)
    if item is None:
        raise resources.not_found(call, call.path.rstrip("/"))
    return Reply(200, resources.document_at(item, call.now))


def _list(call: Call) -> Reply:
    kind = _kind(call)
    resources.need_subscription(call)
    if "group" in call.params:
        resources.need_group(call, named=False)
    above = call.path.rstrip("/").rpartition("/")[0]
    if "name1" in call.params:
        assumed_resources.need_parent(call, above)
    found = call.store.items(kind.lower(), above if "group" in call.params else call.path.partition("/providers/")[0])
    shown = [resources.document_at(item, call.now) for item in found]
    return Reply(200, {"value": [document for document in shown if document is not None]})


def _patch(call: Call) -> Reply:
    """Change the tags of an imported resource; nothing else of it can be changed here."""
    item = _find(call)
    if item is None:
        raise resources.not_found(call, call.path.rstrip("/"))
    asked: dict[str, Any] = {name: value for name, value in bodies.body_of(call).items() if value not in (None, {})}
    if not asked.keys() <= {"tags"}:
        raise missing_routes.refusal(call)
    item.doc |= asked
    call.store.put(item)
    return Reply(200, item.doc)


def _delete(call: Call) -> Reply:
    item = _find(call)
    if item is None:
        resources.need_group(call)
        return Reply(204)
    for below in call.store.items_below(item.key):
        call.store.delete(below.key)
    call.store.delete(item.key)
    return Reply(200)


def _refuse(call: Call) -> Reply:
    if "group" in call.params:
        resources.need_group(call)
    raise missing_routes.refusal(call)


@routes.on("POST", "/subscriptions/{subscription}/providers/Microsoft.Storage/checkNameAvailability")
def check_storage_name(call: Call) -> Reply:
    """Answer whether the name of a storage account is free."""
    name = bodies.text(bodies.body_of(call).get("name"), "name")
    if not (3 <= len(name) <= 24 and name.isascii() and name.isalnum() and name == name.lower()):
        message = (
            f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
            "length and use numbers and lower-case letters only."
        )
        return Reply(200, {"nameAvailable": False, "reason": "AccountNameInvalid", "message": message})
    taken = [one for one in call.store.items("microsoft.storage/storageaccounts") if one.doc["name"] == name]
    if taken:
        message = f"The storage account named {name} is already taken."
        return Reply(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": message})
    return Reply(200, {"nameAvailable": True})


@routes.on("POST", "/subscriptions/{subscription}/resourcegroups/{group}/exportTemplate")
def export_template(call: Call) -> Reply:
    """Refuse to write the template of a group."""
    resources.need_group(call)
    raise Refusal(501, "NotImplemented", "The emulator does not implement exportTemplate: it does not write templates.")


def _register() -> None:
    routes.on("GET", "/subscriptions/{subscription}/providers/{namespace}/{kind1}")(_list)
    group = "/subscriptions/{subscription}/resourcegroups/{group}/providers/{namespace}"
    tail = ""
    for depth in (1, 2, 3):
        routes.on("GET", f"{group}{tail}/{{kind{depth}}}")(_list)
        tail += f"/{{kind{depth}}}/{{name{depth}}}"
        work = (("GET", _get), ("PATCH", _patch), ("DELETE", _delete), ("PUT", _refuse), ("POST", _refuse))
        for method, handler in work:
            routes.on(method, f"{group}{tail}")(handler)


_register()
