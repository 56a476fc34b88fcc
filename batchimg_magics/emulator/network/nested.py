"""Resources that are nested in the document of another one: subnets, security rules, routes.

A request for one of them changes the document of its parent, with all the checks of the parent.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import assumed_resources, bodies, resource_types, resources
from batchimg_magics.emulator.http.messages import Call, Reply, Routes

if TYPE_CHECKING:
    from batchimg_magics.emulator.arm.resource_types import ResourceType
    from batchimg_magics.emulator.world.store import Item


def register(table: Routes, parent: ResourceType, word: str) -> None:
    """Add the routes that change the nested resources of a type.

    Parameters
    ----------
    table, parent
        The routes, and the type of the parent.
    word
        The type segment, which is also the property of the parent with the list.
    """
    path = resources.path_of(f"{parent.type}/{word}")
    for method, work in (("PUT", _put), ("DELETE", _delete)):
        table.on(method, path)(functools.partial(work, parent=parent, word=word))


def _parent(call: Call, parent: ResourceType) -> Item:
    item = assumed_resources.need_parent(call, resources.resource_id(call, parent.type))
    resource_types.refuse_during_operation(call, item)
    return item


def _change(
    call: Call, parent: ResourceType, item: Item, word: str, listed: list[dict[str, Any]]
) -> tuple[Reply, list[dict[str, Any]]]:
    """Begin to change the list of a parent; return the response of the parent, and the new list."""
    kept = {name: one for name, one in item.doc["properties"].items() if name != "provisioningState"}
    call.body = {**item.doc, "properties": kept | {word: listed}}
    built = parent.build(call, item)
    reply = resource_types.begin_change(call, parent, item, built, dict(item.doc))
    found: list[dict[str, Any]] = built.properties[word]
    return reply, found


def _put(call: Call, parent: ResourceType, word: str) -> Reply:
    """Create or change a nested resource."""
    body, item, name = bodies.body_of(call), _parent(call, parent), call.params["name2"]
    resource_types.check_name(name, resource_types.NAME_RULE)
    before: list[dict[str, Any]] = item.doc["properties"].get(word) or []
    places = [at for at, one in enumerate(before) if str(one.get("name", "")).lower() == name.lower()]
    asked = {"name": name, "properties": body["properties"]}
    listed = [*before]
    if places:
        listed[places[0]] = asked
    else:
        listed.append(asked)
    reply, found = _change(call, parent, item, word, listed)
    shown = next(one for one in found if one["name"] == name)
    interim = shown | {"properties": shown["properties"] | {"provisioningState": "Updating"}}
    return Reply(200 if places else 201, interim, reply.headers)


def _delete(call: Call, parent: ResourceType, word: str) -> Reply:
    """Delete a nested resource; 204 if it does not exist."""
    item = _parent(call, parent)
    before: list[dict[str, Any]] = item.doc["properties"].get(word) or []
    left = [one for one in before if str(one.get("name", "")).lower() != call.params["name2"].lower()]
    if len(left) == len(before):
        return Reply(204)
    reply, _ = _change(call, parent, item, word, left)
    return Reply(202, None, reply.headers)
