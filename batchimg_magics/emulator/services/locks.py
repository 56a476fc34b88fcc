"""Management locks: create, read, list and delete them on a subscription, a resource group, or a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies, resources
from batchimg_magics.emulator.arm.locks import LEVELS, LOCKS
from batchimg_magics.emulator.arm.locks import list_locks as known_locks
from batchimg_magics.emulator.arm.scopes import PROVIDER, SCOPE_PATHS, is_within, scope_of
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIST = f"{PROVIDER}/locks"

routes = Routes("arm")


def put_lock(call: Call) -> Reply:
    """Create or change a lock."""
    key = call.path.rstrip("/")
    if "group" in call.params:
        resources.need_group(call)
    else:
        resources.need_subscription(call)
    asked = bodies.body_of(call)["properties"]
    level = bodies.one_of(asked.get("level"), "level", LEVELS)
    document: dict[str, Any] = {
        "id": key,
        "name": call.params["lock"],
        "type": "Microsoft.Authorization/locks",
        "properties": {**{name: one for name, one in asked.items() if one is not None}, "level": level},
    }
    created = call.store.get(key) is None
    call.store.put(Item(key.lower(), LOCKS, document))
    return Reply(201 if created else 200, document)


def get_lock(call: Call) -> Reply:
    """Answer with one lock."""
    found = call.store.get(call.path.rstrip("/"))
    if found is None:
        raise Refusal(404, "LockNotFound", f"The lock '{call.params['lock']}' could not be found.")
    return Reply(200, found.doc)


def delete_lock(call: Call) -> Reply:
    """Delete a lock; 204 if it does not exist."""
    key = call.path.rstrip("/")
    found = call.store.get(key)
    if found is None:
        return Reply(204)
    call.store.delete(key)
    return Reply(200)


def list_locks(call: Call) -> Reply:
    """Answer with the locks of a scope and of what is below it; with ``atScope()`` with those that apply to it."""
    return Reply(200, {"value": list(_locks(call))})


def _locks(call: Call) -> Iterator[dict[str, Any]]:
    asked = call.path.rstrip("/")[: -len(_LIST)]
    above = "atscope()" in call.query.get("$filter", "").lower()
    for lock in known_locks(call.store):
        scope = scope_of(lock["id"])
        if is_within(asked, scope) if above else is_within(scope, asked):
            yield lock


for _scope in SCOPE_PATHS[1:]:
    routes.on("GET", f"{_scope}{_LIST}")(list_locks)
    routes.on("PUT", f"{_scope}{_LIST}/{{lock}}")(put_lock)
    routes.on("GET", f"{_scope}{_LIST}/{{lock}}")(get_lock)
    routes.on("DELETE", f"{_scope}{_LIST}/{{lock}}")(delete_lock)
