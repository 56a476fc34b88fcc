"""Permissions: role definitions, role assignments, and the actions that they allow.

Source: the documents of Microsoft.Authorization: an action is a resource type and a verb, a role allows actions with
``*`` for any, an assignment applies to its scope and everything below it.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from batchimg_magics.emulator.arm import bodies, resources
from batchimg_magics.emulator.arm.permissions import ASSIGNMENTS, CLIENT, ROLES_ASSIGNED, is_allowed, requested_action
from batchimg_magics.emulator.arm.role_definitions import DEFINITIONS, RoleProperties, built_in, find_definition
from batchimg_magics.emulator.arm.scopes import PROVIDER, SCOPE_PATHS, is_within
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: Paths that poll operations.
_OPERATION_PATHS = re.compile(r"/(locations/[^/]+/\w*operations|\w*operationresults)/", re.IGNORECASE)
#: Paths of roles and permissions.
_ADMINISTRATION = re.compile(rf"{PROVIDER}/(role\w*|permissions|providerOperations)(/|$)", re.IGNORECASE)
#: A condition of a ``$filter``: ``principalId eq 'ID'`` or ``assignedTo('ID')``.
_CONDITION = re.compile(r"(\w+)(?:\s+eq\s+|\(\s*)'([^']*)'")
evidence = Evidence("Permissions")
evidence.rule(
    "Roles, and changes of locks and policies, need no role.", "they are the administrator's; there is one principal"
)
evidence.rule(
    "Every action is allowed until a role is assigned; then every assignment applies to the caller.",
    "the emulator has one principal",
)
evidence.rule("An assignment without a principal is one of the caller; Azure refuses it.", "a shorthand for tests")
evidence.rule("Polling an operation needs no role.", "users with a role in only one resource group can do so, too")
evidence.rule(
    "Roles apply to Resource Manager; the data plane of Batch does not check them.",
    "no recording shows a refusal there",
)

routes = Routes("arm")


def _put_definition(call: Call) -> Reply:
    """Create or change a custom role."""
    body = bodies.body_of(call)
    key, name = call.path.rstrip("/"), call.params["role"]
    if name.lower() in built_in():
        raise Refusal(400, "RoleDefinitionUpdateNotPermitted", f"The built-in role '{name}' cannot be changed.")
    try:
        wanted = msgspec.convert(body["properties"], RoleProperties).role_name
    except msgspec.ValidationError as error:
        raise Refusal(400, "InvalidRequestContent", f"The role definition is not valid: {error}.") from error
    bodies.parts(body["properties"].get("permissions"), "permissions")
    if any(
        one["name"].lower() != name.lower() and one["properties"]["roleName"].lower() == wanted.lower()
        for one in _definitions(call)
    ):
        message = f"A custom role with the same name '{wanted}' already exists in this directory. Use a different name"
        raise Refusal(409, "RoleDefinitionWithSameNameExists", f"{message}.")
    document: dict[str, Any] = {"id": key, "name": name, "type": "Microsoft.Authorization/roleDefinitions"}
    document |= {"properties": {"type": "CustomRole", "assignableScopes": [_scope(call)], **body["properties"]}}
    call.store.put(Item(key.lower(), DEFINITIONS, document))
    return Reply(201, document)


def _put_assignment(call: Call) -> Reply:
    """Assign a role in a scope."""
    if "group" in call.params:
        resources.need_group(call)
    body = bodies.body_of(call)
    key = call.path.rstrip("/")
    asked = body["properties"]
    role = bodies.text(asked.get("roleDefinitionId"), "roleDefinitionId")
    if find_definition(call.store, role) is None:
        name = role.rpartition("/")[2]
        raise Refusal(
            404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{name}' does not exist."
        )
    asked = {**asked, "principalId": asked.get("principalId") or CLIENT}
    if not isinstance(asked["principalId"], str) or not _GUID.fullmatch(asked["principalId"]):
        raise Refusal(400, "InvalidPrincipalId", "A valid principal ID must be provided for role assignment.")
    scope = _scope(call)
    _refuse_second(call, scope, role, asked["principalId"])
    document: dict[str, Any] = {
        "id": key,
        "name": call.params["assignment"],
        "type": "Microsoft.Authorization/roleAssignments",
    }
    document |= {"properties": {"principalType": "User", **asked, "scope": scope}}
    call.store.set_meta(ROLES_ASSIGNED, value=True)
    call.store.put(Item(key.lower(), ASSIGNMENTS, document))
    return Reply(201, document)


def _refuse_second(call: Call, scope: str, role: str, principal: str) -> None:
    """Refuse an assignment that exists with another name, and another assignment with the same name."""
    new = (scope.lower(), role.rpartition("/")[2].lower(), principal.lower())
    for item in call.store.items(ASSIGNMENTS):
        inner = item.doc["properties"]
        there = (
            inner["scope"].lower(),
            inner["roleDefinitionId"].rpartition("/")[2].lower(),
            str(inner.get("principalId")).lower(),
        )
        same_name = item.key == call.path.rstrip("/").lower()
        if there == new and not same_name:
            raise Refusal(409, "RoleAssignmentExists", "The role assignment already exists.")
        if same_name and there != new:
            message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
            raise Refusal(409, "RoleAssignmentUpdateNotPermitted", message)


def _scope(call: Call) -> str:
    """Return the scope in a path; that of a tenant is ``/``."""
    return re.split(re.escape(PROVIDER), call.path, flags=re.IGNORECASE)[0] or "/"


def _get_definition(call: Call) -> Reply:
    found = find_definition(call.store, call.path.rstrip("/"))
    if found is None:
        name = call.params["role"]
        message = f"The specified role definition with ID '{name}' does not exist."
        raise Refusal(404, "RoleDefinitionDoesNotExist", message)
    return Reply(200, found)


def _delete_definition(call: Call) -> Reply:
    found = find_definition(call.store, call.path.rstrip("/"))
    if found is None:
        return Reply(204)
    if found["name"].lower() in built_in():
        raise Refusal(400, "RoleDefinitionCannotBeDeleted", f"The built-in role '{found['name']}' cannot be deleted.")
    name = str(found["name"]).lower()
    assigned = [
        item
        for item in call.store.items(ASSIGNMENTS)
        if item.doc["properties"]["roleDefinitionId"].rpartition("/")[2].lower() == name
    ]
    if assigned:
        message = "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments)."
        raise Refusal(400, "RoleDefinitionHasAssignments", message)
    call.store.delete(found["id"])
    return Reply(200, found)


def _definitions(call: Call) -> list[dict[str, Any]]:
    return [*built_in().values(), *(item.doc for item in call.store.items(DEFINITIONS))]


def _list_definitions(call: Call) -> Reply:
    """Answer with the roles that can be assigned in a scope: built-in ones, and custom ones of it and above it."""
    scope, wanted = _scope(call), _filter_values(call.query.get("$filter", ""))
    below = "atscopeandbelow" in call.query.get("$filter", "").lower()
    rows = []
    for one in _definitions(call):
        inner = one["properties"]
        places = [str(place) for place in inner.get("assignableScopes") or ["/"]]
        if not any(place == "/" or is_within(scope, place) or (below and is_within(place, scope)) for place in places):
            continue
        if _is(wanted, "rolename", inner["roleName"]) and _is(wanted, "type", inner["type"]):
            rows.append(one)
    return Reply(200, {"value": rows})


def _filter_values(text: str) -> dict[str, str]:
    """Return the values that a ``$filter`` of roles or assignments compares with, by names in lower case."""
    found = {name.lower(): value for name, value in _CONDITION.findall(text)}
    if text.strip() and not found and "atscope" not in text.lower():
        message = (
            f"The filter '{text}' is not supported. Supported filters are either 'atScope()' or 'principalId eq "
            "'{value}' or assignedTo('{value}')'."
        )
        raise Refusal(400, "UnsupportedQuery", message)
    return found


def _is(wanted: dict[str, str], name: str, value: object) -> bool:
    return name not in wanted or wanted[name].lower() == str(value).lower()


def _get_assignment(call: Call) -> Reply:
    found = call.store.get(call.path.rstrip("/"))
    if found is None:
        name = call.params["assignment"]
        raise Refusal(404, "RoleAssignmentNotFound", f"The role assignment '{name}' is not found.")
    return Reply(200, found.doc)


def _delete_assignment(call: Call) -> Reply:
    found = call.store.get(call.path.rstrip("/"))
    if found is None:
        return Reply(204)
    call.store.delete(found.key)
    if not call.store.items(ASSIGNMENTS):  # as before the first one
        call.store.set_meta(ROLES_ASSIGNED, value=False)
    return Reply(200, found.doc)


def _list_assignments(call: Call) -> Reply:
    """Answer with the assignments at, above and below a scope; with ``atScope()`` not with those below it."""
    scope, text = _scope(call), call.query.get("$filter", "")
    wanted = _filter_values(text)
    principal = wanted.get("principalid") or wanted.get("assignedto")
    below = "atscope()" not in text.lower()
    rows = []
    for item in call.store.items(ASSIGNMENTS):
        inner = item.doc["properties"]
        above = is_within(scope, inner["scope"])
        if (above or (below and (scope == "/" or is_within(inner["scope"], scope)))) and (
            principal is None or str(inner.get("principalId")).lower() == principal.lower()
        ):
            rows.append(item.doc)
    return Reply(200, {"value": rows})


for _path in ("", *SCOPE_PATHS):
    routes.on("GET", f"{_path}{PROVIDER}/roleDefinitions")(_list_definitions)
    routes.on("GET", f"{_path}{PROVIDER}/roleDefinitions/{{role}}")(_get_definition)
    routes.on("GET", f"{_path}{PROVIDER}/roleAssignments")(_list_assignments)
    routes.on("GET", f"{_path}{PROVIDER}/roleAssignments/{{assignment}}")(_get_assignment)
for _path in SCOPE_PATHS:
    routes.on("PUT", f"{_path}{PROVIDER}/roleDefinitions/{{role}}")(_put_definition)
    routes.on("DELETE", f"{_path}{PROVIDER}/roleDefinitions/{{role}}")(_delete_definition)
    routes.on("PUT", f"{_path}{PROVIDER}/roleAssignments/{{assignment}}")(_put_assignment)
    routes.on("DELETE", f"{_path}{PROVIDER}/roleAssignments/{{assignment}}")(_delete_assignment)


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
