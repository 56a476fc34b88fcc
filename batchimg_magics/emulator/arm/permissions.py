"""Permissions of the caller: which actions the assigned roles allow, on a resource and on those that it refers to.

Source: the documents of Microsoft.Authorization: an action is a resource type and a verb, a role allows actions with
``*`` for any, an assignment applies to its scope and everything below it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm.role_definitions import find_definition
from batchimg_magics.emulator.arm.scopes import is_within
from batchimg_magics.emulator.http.messages import Call, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.emulator.world.store import Store

ASSIGNMENTS = "microsoft.authorization/roleassignments"
#: The setting of an emulator state with role assignments; without it no check is necessary.
ROLES_ASSIGNED = "guarded"
#: The principal of every request.
CLIENT = "00000000-0000-4000-8000-00000000ca11"
_ALL_PERMISSIONS = {"actions": ["*"], "notActions": [], "dataActions": ["*"], "notDataActions": []}
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def permissions(store: Store, scope: str) -> list[dict[str, Any]]:
    """Return the permissions of the caller in a scope: those of the roles assigned to it and above it."""
    if not store.meta(ROLES_ASSIGNED):
        return [_ALL_PERMISSIONS]
    found: list[dict[str, Any]] = []
    for assignment in store.items(ASSIGNMENTS, "/subscriptions"):
        if is_within(scope, assignment.doc["properties"]["scope"]):
            role = find_definition(store, str(assignment.doc["properties"]["roleDefinitionId"]))
            found += role["properties"]["permissions"] if role is not None else []
    return found


def requested_action(call: Call) -> tuple[str, str]:
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


def is_allowed(store: Store, scope: str, action: str) -> bool:
    """Tell whether the caller may do an action in a scope."""
    return _allowed(permissions(store, scope), action)


def require_linked(call: Call, *links: tuple[str, str]) -> None:
    """Refuse a request that refers to resources on which the caller may not do what the reference needs.

    Parameters
    ----------
    call
        The request.
    links
        (Id of the other resource, action on it) pairs.
    """
    if not call.store.meta(ROLES_ASSIGNED):
        return
    denied = [(scope, action) for scope, action in links if not is_allowed(call.store, scope, action)]
    if not denied:
        return
    scope, action = requested_action(call)
    actions, scopes = (",".join(dict.fromkeys(one[n] for one in denied)) for n in (1, 0))
    message = (
        f"The client '{CLIENT}' with object id '{CLIENT}' has permission to perform action '{action}' on scope "
        f"'{scope}'; however, it does not have permission to perform action(s) '{actions}' on the linked scope(s) "
        f"'{scopes}' (respectively) or the linked scope(s) are invalid."
    )
    raise Refusal(403, "LinkedAuthorizationFailed", message)


def _allowed(found: Iterable[dict[str, Any]], action: str) -> bool:
    return any(
        _matches(one.get("actions") or [], action) and not _matches(one.get("notActions") or [], action)
        for one in found
    )


def _matches(patterns: Iterable[str], action: str) -> bool:
    return any(re.fullmatch(re.escape(one).replace(r"\*", ".*"), action, re.IGNORECASE) for one in patterns)
