"""Rules about what the caller may do, and the smallest role that is enough."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.rules import sources
from batchimg_magics.core.rules.rule import Verdict, broken, doubtful, kept, rule, unknown
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchimg_magics.core.azure import Json
    from batchimg_magics.core.facts import Facts
    from batchimg_magics.core.rules.rule import Found

ROLE = "batchimg researcher"
#: What making and resizing a pool takes, in the account's resource group.
_POOL = (
    "Microsoft.Batch/batchAccounts/read",
    "Microsoft.Batch/batchAccounts/pools/read",
    "Microsoft.Batch/batchAccounts/pools/write",
)
#: What making an image takes, there too.
_IMAGE = (
    "Microsoft.Compute/snapshots/read",
    "Microsoft.Compute/snapshots/write",
    "Microsoft.Compute/galleries/read",
    "Microsoft.Compute/galleries/write",
    "Microsoft.Compute/galleries/images/read",
    "Microsoft.Compute/galleries/images/write",
    "Microsoft.Compute/galleries/images/versions/read",
    "Microsoft.Compute/galleries/images/versions/write",
)
#: What reading a VM and its disks takes, where they are. The last is the least that Batch wants of who names an image.
_VM = (
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/disks/read",
    "Microsoft.Compute/disks/beginGetAccess/action",
)
_USE = ("Microsoft.Compute/galleries/images/read", "Microsoft.Compute/galleries/images/versions/read")
_USE_MANAGED = ("Microsoft.Compute/images/read", "Microsoft.Compute/disks/beginGetAccess/action")
_SUBNET = ("Microsoft.Network/virtualNetworks/read", "Microsoft.Network/virtualNetworks/subnets/join/action")
#: What taking it all away again takes.
_AWAY = (
    "Microsoft.Batch/batchAccounts/pools/delete",
    "Microsoft.Compute/snapshots/delete",
    "Microsoft.Compute/galleries/delete",
    "Microsoft.Compute/galleries/images/delete",
    "Microsoft.Compute/galleries/images/versions/delete",
)
#: What is offered and in use is read in the subscription, of whose permissions Azure tells nothing.
_OFFERS = (
    "Microsoft.Batch/locations/virtualMachineSkus/read",
    "Microsoft.Compute/skus/read",
    "Microsoft.Compute/locations/usages/read",
)


def needed(facts: Facts) -> dict[str, list[str]]:
    """Return resource group to the actions that the work takes there."""
    home = facts.scope.resource_group
    found: dict[str, list[str]] = {home: [*_POOL]}

    def add(group: str, actions: Iterable[str]) -> None:
        known = next((name for name in found if name.lower() == group.lower()), group)
        listed = found.setdefault(known, [])
        listed += [action for action in actions if action not in listed]

    if facts.vm is not None:
        add(home, _IMAGE)
        add(ResourceId.parse(facts.vm["id"]).resource_group, _VM)
    elif facts.image_id:
        add(ResourceId.parse(facts.image_id).resource_group, _USE_MANAGED if facts.managed else _USE)
    if facts.spec.subnet:
        add(ResourceId.parse(facts.spec.subnet).resource_group, _SUBNET)
    return found


def role(facts: Facts) -> dict[str, Any]:
    """Return the smallest role that is enough, as `az role definition create` takes it."""
    actions = {action for listed in needed(facts).values() for action in listed} | {*_AWAY, *_OFFERS}
    return {
        "Name": ROLE,
        "IsCustom": True,
        "Description": "Makes images of prepared VMs and Batch pools of them, and takes them away again.",
        "Actions": sorted(actions),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": [f"/subscriptions/{facts.scope.subscription}"],
    }


def allowed(permissions: Sequence[Json], action: str) -> bool:
    """Tell whether permissions allow an action: one of them names it and does not take it back."""
    return any(
        _named(action, one.get("actions") or []) and not _named(action, one.get("notActions") or [])
        for one in permissions
    )


def _named(action: str, patterns: Iterable[str]) -> bool:
    """Tell whether an action is among patterns, where ``*`` stands for anything, and the case for nothing."""
    return any(re.fullmatch(".*".join(map(re.escape, one.split("*"))), action, re.IGNORECASE) for one in patterns)


@rule("permissions", "error", sources.ACCESS)
def permissions(facts: Facts) -> Found:
    """The caller may do everything that the work takes."""
    found: list[Verdict] = []
    for group, actions in needed(facts).items():
        if why := facts.unread.get(f"permissions in resource group {group}"):
            found.append(unknown(f"could not read permissions in resource group {group} ({why})", _HOW))
            continue
        may = facts.permissions.get(group, [])
        if missing := [action for action in actions if not allowed(may, action)]:
            found.append(broken(f"in resource group {group} you may not: {', '.join(missing)}", _HOW))
    home = facts.scope.resource_group
    away = [action for action in _AWAY if not allowed(facts.permissions.get(home, []), action)]
    if not found and away:
        return doubtful(f"what is made in resource group {home} you may not delete: {', '.join(away)}", _HOW)
    return found or kept(f"you may do all of it in {', '.join(needed(facts))}")


_HOW = (
    "ask for a role that allows it: `%batchimg check NAME --role` prints the smallest, for `az role definition create "
    "--role-definition FILE` and `az role assignment create --assignee YOU --role '" + ROLE + "' --scope GROUP`"
)
