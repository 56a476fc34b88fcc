"""Permissions: role definitions, role assignments, and the actions that they allow.

Source: the documents of Microsoft.Authorization: an action is a resource type and a verb, a role allows actions with
``*`` for any, an assignment applies to its scope and everything below it.
"""

from __future__ import annotations

import re
from typing import Any

from batchimg_magics.emulator.arm import bodies
from batchimg_magics.emulator.arm.permissions import ASSIGNMENTS, CLIENT, ROLES_ASSIGNED, is_allowed, requested_action
from batchimg_magics.emulator.arm.scopes import PROVIDER
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

DEFINITIONS = "microsoft.authorization/roledefinitions"
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
    call.store.set_meta(ROLES_ASSIGNED, value=True)
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


def check(call: Call) -> None:
    """Refuse a request to Resource Manager that the roles of the caller do not allow."""
    if (
        not call.store.meta(ROLES_ASSIGNED)
        or _OPERATION_PATHS.search(call.path)
        or _ADMINISTRATION.search(call.path)
        or (call.method not in ("GET", "HEAD") and PROVIDER.lower() in call.path.lower())
    ):
        return
    scope, action = requested_action(call)
    if action and not is_allowed(call.store, scope, action):
        message = (
            f"The client '{CLIENT}' with object id '{CLIENT}' does not have authorization to perform action '{action}' "
            f"over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
            "credentials."
        )
        raise Refusal(403, "AuthorizationFailed", message)
