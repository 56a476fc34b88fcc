"""Who may do what: role definitions, role assignments, and what follows from them.

Source: Microsoft.Authorization's documents: an action is a resource type and a verb, a role names actions with ``*``
for anything, an assignment holds for its scope and all below it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.emulator.world.store import Store

PROVIDER = "/providers/Microsoft.Authorization"
DEFINITIONS, ASSIGNMENTS = "microsoft.authorization/roledefinitions", "microsoft.authorization/roleassignments"
#: The mark of a world in which roles were assigned, so that others need not look for any.
_ROLES_ASSIGNED = "guarded"
_ALL_PERMISSIONS = {"actions": ["*"], "notActions": [], "dataActions": ["*"], "notDataActions": []}
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
#: What is asked for while work goes on.
_OPERATION_PATHS = re.compile(r"/(locations/[^/]+/\w*operations|\w*operationresults)/", re.IGNORECASE)
evidence = Evidence("Permissions")
evidence.rule(
    "Everybody may do everything, until a role is assigned; from then on every assignment is the caller's.",
    "there is one principal in a world",
)
evidence.rule("Whoever began work may ask how it goes on.", "people with a role in one resource group alone can, too")
evidence.rule(
    "Roles hold in Resource Manager; the data plane of Batch looks at none.", "no recording shows a refusal there"
)

routes = Routes("arm")


@routes.on("PUT", f"/subscriptions/{{subscription}}{PROVIDER}/roleDefinitions/{{role}}")
def put_definition(call: Call) -> Reply:
    """Make or change a role of one's own."""
    body = _body(call)
    key = call.path.rstrip("/")
    bodies.text(body["properties"].get("roleName"), "roleName")
    bodies.parts(body["properties"].get("permissions"), "permissions")
    document: dict[str, Any] = {
        "id": key,
        "name": call.params["role"],
        "type": "Microsoft.Authorization/roleDefinitions",
    }
    document |= {"properties": {"type": "CustomRole", **body["properties"]}}
    return _put(call, Item(key.lower(), DEFINITIONS, document))


def put_assignment(call: Call) -> Reply:
    """Give the caller a role in a scope."""
    body = _body(call)
    key = call.path.rstrip("/")
    role = bodies.text(body["properties"].get("roleDefinitionId"), "roleDefinitionId")
    if call.store.get(role) is None:
        name = role.rpartition("/")[2]
        raise Refusal(
            404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{name}' does not exist."
        )
    scope = key[: -len(f"{PROVIDER}/roleAssignments/{call.params['assignment']}")]
    document: dict[str, Any] = {
        "id": key,
        "name": call.params["assignment"],
        "type": "Microsoft.Authorization/roleAssignments",
    }
    document |= {"properties": {"principalType": "User", **body["properties"], "scope": scope}}
    call.store.set_meta(_ROLES_ASSIGNED, value=True)
    return _put(call, Item(key.lower(), ASSIGNMENTS, document))


def _body(call: Call) -> dict[str, Any]:
    body = call.body if isinstance(call.body, dict) else {}
    return body | {"properties": bodies.part(body.get("properties"), "properties")}


def _put(call: Call, item: Item) -> Reply:
    call.store.put(item)
    return Reply(201, item.doc)


def _get(call: Call) -> Reply:
    found = call.store.get(call.path.rstrip("/"))
    if found is None:
        raise Refusal(404, "NotFound", f"The resource '{call.path}' was not found.")
    return Reply(200, found.doc)


routes.on("GET", f"/subscriptions/{{subscription}}{PROVIDER}/roleDefinitions/{{role}}")(_get)
for _scope in ("/subscriptions/{subscription}", "/subscriptions/{subscription}/resourcegroups/{group}"):
    routes.on("PUT", f"{_scope}{PROVIDER}/roleAssignments/{{assignment}}")(put_assignment)
    routes.on("GET", f"{_scope}{PROVIDER}/roleAssignments/{{assignment}}")(_get)


def permissions(store: Store, scope: str) -> list[dict[str, Any]]:
    """Return what the caller may do in a scope: what the roles say that are assigned to it and above it."""
    if not store.meta(_ROLES_ASSIGNED):
        return [_ALL_PERMISSIONS]
    found: list[dict[str, Any]] = []
    for assignment in store.items(ASSIGNMENTS, "/subscriptions"):
        inside = assignment.doc["properties"]["scope"].lower()
        if f"{scope.lower()}/".startswith(f"{inside}/"):
            role = store.get(str(assignment.doc["properties"]["roleDefinitionId"]))
            found += role.doc["properties"]["permissions"] if role is not None else []
    return found


def check(call: Call) -> None:
    """Refuse a request to Resource Manager that no role of the caller's allows."""
    if (
        not call.store.meta(_ROLES_ASSIGNED)
        or _OPERATION_PATHS.search(call.path)
        or PROVIDER.lower() in call.path.lower()
    ):
        return
    scope, action = _requested_action(call)
    if action and not _allowed(permissions(call.store, scope), action):
        client = "00000000-0000-4000-8000-00000000ca11"
        message = (
            f"The client '{client}' with object id '{client}' does not have authorization to perform action '{action}' "
            f"over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
            "credentials."
        )
        raise Refusal(403, "AuthorizationFailed", message)


def _requested_action(call: Call) -> tuple[str, str]:
    """Return the scope of a request and the action that it is; no action for what everybody may read."""
    path = call.path.rstrip("/")
    head, provider, tail = path.partition("/providers/")
    if not provider:
        return path, ""
    namespace, *rest = tail.split("/")
    verb = _VERBS.get(call.method)
    if verb is None:  # POST: the last word is the verb, on what stands before it
        kinds = [*rest[:-1][::2], rest[-1]]
        return path.rpartition("/")[0], "/".join([namespace, *kinds, "action"])
    listed = len(rest) % 2 == 1
    scope = head if len(rest) == 1 else path.rpartition("/")[0] if listed else path
    return scope, "/".join([namespace, *rest[::2], verb])


def _allowed(found: Iterable[dict[str, Any]], action: str) -> bool:
    return any(
        _matches(one.get("actions") or [], action) and not _matches(one.get("notActions") or [], action)
        for one in found
    )


def _matches(patterns: Iterable[str], action: str) -> bool:
    return any(re.fullmatch(re.escape(one).replace(r"\*", ".*"), action, re.IGNORECASE) for one in patterns)
