"""Permissions: role definitions, role assignments, and the actions that they allow.

Source: the documents of Microsoft.Authorization: an action is a resource type and a verb, a role allows actions with
``*`` for any, an assignment applies to its scope and everything below it.
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
#: The setting of an emulator state with role assignments; without it no check is necessary.
_ROLES_ASSIGNED = "guarded"
_ALL_PERMISSIONS = {"actions": ["*"], "notActions": [], "dataActions": ["*"], "notDataActions": []}
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
#: Paths that poll operations.
_OPERATION_PATHS = re.compile(r"/(locations/[^/]+/\w*operations|\w*operationresults)/", re.IGNORECASE)
#: Paths of roles and permissions.
_ADMINISTRATION = re.compile(rf"{PROVIDER}/(role\w*|permissions)(/|$)", re.IGNORECASE)
evidence = Evidence("Permissions")
evidence.rule(
    "Roles, and changes of locks and policies, need no role.", "they are the administrator's; there is one principal"
)
evidence.rule(
    "Every action is allowed until a role is assigned; then every assignment applies to the caller.",
    "the emulator has one principal",
)
evidence.rule("Polling an operation needs no role.", "users with a role in only one resource group can do so, too")
evidence.rule(
    "Roles apply to Resource Manager; the data plane of Batch does not check them.",
    "no recording shows a refusal there",
)

routes = Routes("arm")


@routes.on("PUT", f"/subscriptions/{{subscription}}{PROVIDER}/roleDefinitions/{{role}}")
def put_definition(call: Call) -> Reply:
    """Create or change a custom role."""
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
    """Assign a role to the caller in a scope."""
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
    """Return the permissions of the caller in a scope: those of the roles assigned to it and above it."""
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
    """Refuse a request to Resource Manager that the roles of the caller do not allow."""
    if (
        not call.store.meta(_ROLES_ASSIGNED)
        or _OPERATION_PATHS.search(call.path)
        or _ADMINISTRATION.search(call.path)
        or (call.method not in ("GET", "HEAD") and PROVIDER.lower() in call.path.lower())
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
    """Return scope and action of a request; the action is empty for reads that need no role."""
    path = call.path.rstrip("/")
    head, provider, tail = path.rpartition("/providers/")
    if not provider:
        return path, ""
    namespace, *rest = tail.split("/")
    verb = _VERBS.get(call.method)
    if not rest:
        return head, "Microsoft.Resources/subscriptions/providers/read"
    if verb is None:  # POST: the last segment is the verb, on the resource before it
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
