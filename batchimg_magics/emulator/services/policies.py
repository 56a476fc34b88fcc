"""Policy definitions, sets of them, and assignments: create, read, list and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies
from batchimg_magics.emulator.arm.policies import (
    ASSIGNMENTS,
    DEFINITIONS,
    SETS,
    find_definition,
    list_assignments,
)
from batchimg_magics.emulator.arm.policy_definitions import BUILT_IN
from batchimg_magics.emulator.arm.scopes import PROVIDER, SCOPE_PATHS, is_within, scope_of
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from collections.abc import Callable

routes = Routes("arm")
#: The types with their segment in paths.
_TYPES = {"policyAssignments": ASSIGNMENTS, "policyDefinitions": DEFINITIONS, "policySetDefinitions": SETS}


def _put(call: Call, segment: str) -> Reply:
    key = call.path.rstrip("/")
    body = bodies.body_of(call)
    inner = body["properties"]
    if segment == "policyAssignments":
        definition = bodies.text(inner.get("policyDefinitionId"), "policyDefinitionId")
        if find_definition(call.store, definition) is None:
            name = definition.rpartition("/")[2]
            raise Refusal(404, "PolicyDefinitionNotFound", f"The policy definition '{name}' could not be found.")
    elif segment == "policyDefinitions":
        rule = bodies.part(inner.get("policyRule"), "policyRule")
        if not {"if", "then"} <= rule.keys():
            raise Refusal(400, "InvalidPolicyRule", "Failed to parse policy rule: it needs 'if' and 'then'.")
        inner = {"policyType": "Custom", "mode": "Indexed", **inner}
    document: dict[str, Any] = {"id": key, "name": call.params["name"], "type": f"Microsoft.Authorization/{segment}"}
    document |= {"properties": inner} | {one: body[one] for one in ("identity", "location", "sku") if one in body}
    created = call.store.get(key) is None
    document["properties"] |= {"scope": scope_of(key)} if segment == "policyAssignments" else {}
    call.store.put(Item(key.lower(), _TYPES[segment], document))
    return Reply(201 if created or segment == "policyAssignments" else 200, document)


def _get(call: Call, segment: str) -> Reply:
    found = find_definition(call.store, call.path.rstrip("/"))
    if found is None:
        what = segment.removeprefix("policy").removesuffix("s")
        name = call.params["name"]
        raise Refusal(404, f"Policy{what}NotFound", f"The policy {what.lower()} '{name}' could not be found.")
    return Reply(200, found)


def _delete(call: Call, segment: str) -> Reply:
    key = call.path.rstrip("/")
    if call.store.get(key) is None:
        return Reply(204)
    found = _get(call, segment)
    call.store.delete(key)
    return found


def _list_assignments(call: Call) -> Reply:
    """Answer with the assignments that apply to a scope, and without ``atScope()`` with those below it as well."""
    asked = call.path.rstrip("/")[: -len(f"{PROVIDER}/policyAssignments")]
    below = "atscope()" not in call.query.get("$filter", "").lower()
    rows = [
        one
        for one in list_assignments(call.store)
        if is_within(asked, scope := scope_of(one["id"])) or (below and is_within(scope, asked))
    ]
    return Reply(200, {"value": rows})


def _list_definitions(call: Call, segment: str) -> Reply:
    """Answer with the definitions of a scope, and the built-in ones."""
    under = call.path.rstrip("/").rpartition("/providers/")[0]
    rows = [item.doc for item in call.store.items(_TYPES[segment], under)] if under else []
    built_in = list(BUILT_IN.values()) if segment == "policyDefinitions" else []
    return Reply(200, {"value": [*rows, *built_in]})


def _with(handler: Callable[[Call, str], Reply], segment: str) -> Callable[[Call], Reply]:
    return lambda call: handler(call, segment)


def _register() -> None:
    for scope in SCOPE_PATHS:
        path = f"{scope}{PROVIDER}/policyAssignments"
        routes.on("GET", path)(_list_assignments)
        for method, handler in (("PUT", _put), ("GET", _get), ("DELETE", _delete)):
            routes.on(method, f"{path}/{{name}}")(_with(handler, "policyAssignments"))
    for segment in ("policyDefinitions", "policySetDefinitions"):
        routes.on("GET", f"{PROVIDER}/{segment}/{{name}}")(_with(_get, segment))
        routes.on("GET", f"{PROVIDER}/{segment}")(_with(_list_definitions, segment))
        for scope in SCOPE_PATHS[:2]:
            routes.on("GET", f"{scope}{PROVIDER}/{segment}")(_with(_list_definitions, segment))
            for method, handler in (("PUT", _put), ("GET", _get), ("DELETE", _delete)):
                routes.on(method, f"{scope}{PROVIDER}/{segment}/{{name}}")(_with(handler, segment))


_register()
