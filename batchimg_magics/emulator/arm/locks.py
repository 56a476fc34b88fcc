"""Management locks, and the requests to Resource Manager that they refuse.

Source: "Lock your resources to protect your infrastructure" in the documents of Azure Resource Manager. Locks apply to
Resource Manager only: the data plane of Batch does not check them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm.scopes import PROVIDER, is_within, scope_of, split_assigned
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.http.messages import Call, Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store

LOCKS = "microsoft.authorization/locks"
LEVELS = ("CanNotDelete", "ReadOnly")
_VERBS = {"PUT": "write", "PATCH": "write", "POST": "write", "DELETE": "delete"}
#: Paths of a subscription that change no resource, e.g. the check of a name.
_NO_RESOURCE = re.compile(r"/subscriptions/[^/]+/providers/[^/]+(/locations/.*|/[^/]+)?", re.IGNORECASE)
evidence = Evidence("Locks")
evidence.rule(
    "A lock refuses a request before it is known whether the resource exists.",
    "no recording shows a DELETE of a missing resource in a locked group",
)
evidence.rule(
    "The lock ReadOnly refuses every POST on a resource.",
    "the documents list some of them: keys of storage accounts, start and restart of VMs",
)


def list_locks(store: Store) -> list[dict[str, Any]]:
    """Return the documents of all locks, with those of the current scenario."""
    listed = [item.doc for item in store.items(LOCKS, "/subscriptions")]
    if level := scenarios.current(store).lock:
        for group in store.items("microsoft.resources/resourcegroups", "/subscriptions"):
            key = f"{group.doc['id']}{PROVIDER}/locks/keep"
            top = {"id": key, "name": "keep", "type": "Microsoft.Authorization/locks"}
            listed.append({**top, "properties": {"level": level, "notes": "of the scenario"}})
    return listed


def refusal_text(store: Store, key: str, verb: str) -> str:
    """Return the message of the error ScopeLocked if locks forbid an action on a resource; empty if none does.

    Parameters
    ----------
    store
        The emulator state.
    key
        Id of the resource or of its group.
    verb
        ``write`` or ``delete``. A lock on something below a resource forbids to delete the resource.
    """
    found = []
    for lock in list_locks(store):
        scope, level = scope_of(lock["id"]), str(lock["properties"].get("level", "")).lower()
        above, below = is_within(key, scope), is_within(scope, key)
        if (above and (level == "readonly" or verb == "delete")) or (below and verb == "delete"):
            found.append(scope)
    if not found:
        return ""
    listed = ",".join(dict.fromkeys(f"'{scope}'" for scope in found))
    return (
        f"The scope '{key}' cannot perform {verb} operation because following scope(s) are locked: {listed}. "
        "Please remove the lock and try again."
    )


def check(call: Call) -> None:
    """Refuse a request to Resource Manager that a lock forbids."""
    verb, key = _VERBS.get(call.method), call.path.rstrip("/")
    if verb is None or split_assigned(key) or _NO_RESOURCE.fullmatch(key):
        return
    if text := refusal_text(call.store, key, verb):
        raise Refusal(409, "ScopeLocked", text)
