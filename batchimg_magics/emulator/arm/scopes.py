"""Scopes of Microsoft.Authorization: where its locks, policies and assignments apply.

A scope is a management group, a subscription, a resource group, or a resource. What is assigned to a scope applies to
it and to everything below it.
"""

from __future__ import annotations

import re

PROVIDER = "/providers/Microsoft.Authorization"
_MANAGEMENT_GROUPS = "/providers/microsoft.management/managementgroups/"
_ASSIGNED = re.compile(
    r"(?P<scope>/subscriptions/[^/]+(?:/resourcegroups/[^/]+(?:/providers/[^/]+(?:/[^/]+/[^/]+)+?)?)?"
    rf"|{_MANAGEMENT_GROUPS}[^/]+)"
    rf"{PROVIDER}/(?P<type>[^/]+)/(?P<name>[^/]+)",
    re.IGNORECASE,
)
#: The route paths of the scopes. Resources are nested at most three deep.
SCOPE_PATHS = (
    "/providers/Microsoft.Management/managementGroups/{management}",
    "/subscriptions/{subscription}",
    "/subscriptions/{subscription}/resourcegroups/{group}",
    *(
        "/subscriptions/{subscription}/resourcegroups/{group}/providers/{namespace}"
        + "".join(f"/{{kind{depth}}}/{{name{depth}}}" for depth in range(1, depths + 1))
        for depths in (1, 2, 3)
    ),
)


def split_assigned(key: str) -> tuple[str, str, str] | None:
    """Return scope, type and name of what is assigned to a scope; None for the id of anything else."""
    found = _ASSIGNED.fullmatch(key.rstrip("/"))
    return (found["scope"], f"Microsoft.Authorization/{found['type']}", found["name"]) if found else None


def scope_of(key: str) -> str:
    """Return the scope to which something is assigned; empty for the id of anything else."""
    assigned = split_assigned(key)
    return assigned[0] if assigned else ""


def is_within(key: str, scope: str) -> bool:
    """Tell whether an id is a scope or below it. The emulator has every subscription below every management group."""
    inner, outer = f"{key.lower().rstrip('/')}/", f"{scope.lower().rstrip('/')}/"
    return inner.startswith(outer) or (outer.startswith(_MANAGEMENT_GROUPS) and inner.startswith("/subscriptions/"))
