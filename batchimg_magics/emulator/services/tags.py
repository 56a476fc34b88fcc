"""Tags of subscriptions, resource groups and resources as a resource of their own, and the tag names in use.

Source: "Tags" in the REST reference of Microsoft.Resources.
"""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.arm import assumed_resources, bodies, resources
from batchimg_magics.emulator.arm.scopes import SCOPE_PATHS
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

evidence = Evidence("Tags as a resource")
evidence.rule("Tags change at once.", "no recording shows it; Azure takes seconds")
_TAGS = "/providers/Microsoft.Resources/tags/default"
_NAMES = "microsoft.resources/tagnames"
_OPERATIONS = ("Merge", "Replace", "Delete")
routes = Routes("arm")


def _target(call: Call) -> Item:
    """Return the subscription, resource group or resource that has the tags."""
    key = call.path.rstrip("/")[: -len(_TAGS)]
    if "group" not in call.params:
        resources.need_subscription(call)
        known = resources.new_subscription(call.params["subscription"])
        return call.store.get(key) or Item(key.lower(), resources.SUBSCRIPTIONS, known)
    if "namespace" not in call.params:
        document = resources.need_group(call)
        item = call.store.get(key)
        if item is not None:
            return item
        group: dict[str, Any] = {"id": key, "name": call.params["group"], "type": "Microsoft.Resources/resourceGroups"}
        group |= {"location": "", "properties": {"provisioningState": "Succeeded"}}
        return Item(key.lower(), "microsoft.resources/resourcegroups", document or group)
    found = assumed_resources.find_or_assume(call, key)
    if found is None:
        raise resources.not_found(call, key)
    if "location" not in found.doc:
        kind = str(found.doc.get("type", ""))
        raise Refusal(400, "ResourceTypeNotSupported", f"The resource type '{kind}' does not support tags.")
    return found


def _document(call: Call, tags: dict[str, str]) -> dict[str, Any]:
    key = call.path.rstrip("/")
    return {"id": key, "name": "default", "type": "Microsoft.Resources/tags", "properties": {"tags": tags}}


def _get(call: Call) -> Reply:
    return Reply(200, _document(call, _target(call).doc.get("tags") or {}))


def _store(call: Call, item: Item, tags: dict[str, str]) -> Reply:
    bodies.check_tags(tags)
    for document in (item.doc, (item.hidden.get("work") or {}).get("doc")):
        if document is not None:
            document["tags"] = tags
    call.store.put(item)
    return Reply(200, _document(call, tags))


def _asked(call: Call) -> dict[str, str]:
    tags = bodies.part(bodies.body_of(call)["properties"].get("tags"), "properties.tags")
    bodies.check_tags(tags)
    return tags


def _put(call: Call) -> Reply:
    return _store(call, _target(call), _asked(call))


def _patch(call: Call) -> Reply:
    body = call.body if isinstance(call.body, dict) else {}
    operation = bodies.one_of(body.get("operation"), "operation", _OPERATIONS)
    call.body = {name: value for name, value in body.items() if name != "operation"}
    item, asked = _target(call), _asked(call)
    kept: dict[str, str] = item.doc.get("tags") or {}
    if operation == "Replace":
        return _store(call, item, asked)
    names = {name.lower() for name in asked}
    if operation == "Merge":
        return _store(call, item, {name: value for name, value in kept.items() if name.lower() not in names} | asked)
    wanted = {(name.lower(), value) for name, value in asked.items()}
    return _store(call, item, {name: value for name, value in kept.items() if (name.lower(), value) not in wanted})


def _delete(call: Call) -> Reply:
    _store(call, _target(call), {})
    return Reply(200)


# -- tag names ---------------------------------------------------------------------------------------------------


@routes.on("GET", "/subscriptions/{subscription}/tagNames")
def list_names(call: Call) -> Reply:
    """Answer with the names and values of tags in a subscription: predefined ones, and those in use."""
    resources.need_subscription(call)
    top = f"/subscriptions/{call.params['subscription']}"
    counted: dict[str, dict[str, int]] = {}
    for item in call.store.items(_NAMES, f"{top}/tagNames"):
        counted.setdefault(item.doc["name"], {}).update(dict.fromkeys(item.doc["values"], 0))
    for item in call.store.items_below(top):
        document = resources.document_at(item, call.now)
        for name, value in ((document or {}).get("tags") or {}).items():
            values = counted.setdefault(name, {})
            values[value] = values.get(value, 0) + 1
    return Reply(200, {"value": [_name_document(top, name, values) for name, values in sorted(counted.items())]})


def _count(number: int) -> dict[str, Any]:
    return {"type": "Total" if number else "Partial", "value": number}


def _name_document(top: str, name: str, values: dict[str, int]) -> dict[str, Any]:
    key = f"{top}/tagNames/{name}"
    rows = [
        {"id": f"{key}/tagValues/{value}", "tagValue": value, "count": _count(number)}
        for value, number in sorted(values.items())
    ]
    return {"id": key, "tagName": name, "count": _count(sum(values.values())), "values": rows}


def _predefined(call: Call) -> Item:
    resources.need_subscription(call)
    name = call.params["tag"]
    bodies.check_tags({name: ""})
    key = f"/subscriptions/{call.params['subscription']}/tagNames/{name}"
    return call.store.get(key) or Item(key.lower(), _NAMES, {"name": name, "values": []})


@routes.on("PUT", "/subscriptions/{subscription}/tagNames/{tag}")
def put_name(call: Call) -> Reply:
    """Predefine the name of a tag."""
    item = _predefined(call)
    call.store.put(item)
    top = f"/subscriptions/{call.params['subscription']}"
    return Reply(200, _name_document(top, item.doc["name"], dict.fromkeys(item.doc["values"], 0)))


@routes.on("DELETE", "/subscriptions/{subscription}/tagNames/{tag}")
def delete_name(call: Call) -> Reply:
    """Remove the predefined name of a tag."""
    item = _predefined(call)
    if call.store.get(item.key) is None:
        return Reply(204)
    call.store.delete(item.key)
    return Reply(200)


@routes.on("PUT", "/subscriptions/{subscription}/tagNames/{tag}/tagValues/{value}")
def put_value(call: Call) -> Reply:
    """Predefine a value of a tag; its name has to be predefined."""
    item = _predefined(call)
    if call.store.get(item.key) is None:
        raise Refusal(404, "TagNameNotFound", f"The tag name '{call.params['tag']}' is not found.")
    value = call.params["value"]
    bodies.check_tags({call.params["tag"]: value})
    item.doc["values"] = sorted({*item.doc["values"], value})
    call.store.put(item)
    return Reply(200, {"id": call.path, "tagValue": value, "count": _count(0)})


@routes.on("DELETE", "/subscriptions/{subscription}/tagNames/{tag}/tagValues/{value}")
def delete_value(call: Call) -> Reply:
    """Remove a predefined value of a tag."""
    item = _predefined(call)
    if call.params["value"] not in item.doc["values"]:
        return Reply(204)
    item.doc["values"].remove(call.params["value"])
    call.store.put(item)
    return Reply(200)


for _scope in SCOPE_PATHS[1:]:
    for _method, _handler in (("GET", _get), ("PUT", _put), ("PATCH", _patch), ("DELETE", _delete)):
        routes.on(_method, f"{_scope}{_TAGS}")(_handler)
