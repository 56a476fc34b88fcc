"""Rules about what the caller may do, and the smallest role that is enough."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.rules import sources
from batchimg_magics.core.rules.rule import Verdict, broken, doubtful, kept, rule, unknown
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batchimg_magics.core.azure import Json
    from batchimg_magics.core.facts import Facts
    from batchimg_magics.core.rules.rule import Found

ROLE = "batchimg researcher"
_COMPUTE = "Microsoft.Compute"
_NETWORK = "Microsoft.Network"
#: What making and resizing a pool takes, in the account's resource group.
_POOL = tuple(f"Microsoft.Batch/batchAccounts/{what}" for what in ("read", "pools/read", "pools/write"))
#: What looking for what is there takes: what was made before, and what a run that died left behind.
_LOOK = (
    *(
        f"{_COMPUTE}/{kind}/read"
        for kind in (
            "disks",
            "images",
            "snapshots",
            "virtualMachines",
            "galleries",
            "galleries/images",
            "galleries/images/versions",
        )
    ),
    f"{_NETWORK}/networkInterfaces/read",
)
_WRITE = tuple(f"{_COMPUTE}/{kind}/write" for kind in ("galleries", "galleries/images", "galleries/images/versions"))
#: The least that Batch and Compute want of who makes something of a disk.
_DISK_ACCESS = f"{_COMPUTE}/disks/beginGetAccess/action"
_DEPROVISION = tuple(f"{_COMPUTE}/virtualMachines/{verb}/action" for verb in ("runCommand", "deallocate", "generalize"))
#: What a throwaway copy of a VM takes, which is made and deleted again.
_COPY = (
    *_DEPROVISION,
    *(
        f"{_COMPUTE}/{kind}/{verb}"
        for kind in ("disks", "virtualMachines", "snapshots")
        for verb in ("write", "delete")
    ),
    *(f"{_NETWORK}/networkInterfaces/{verb}" for verb in ("write", "join/action", "delete")),
)
_STOP = tuple(f"{_COMPUTE}/virtualMachines/{verb}" for verb in ("deallocate/action", "start/action", "write"))
#: What taking it all away again takes.
_AWAY = (
    "Microsoft.Batch/batchAccounts/pools/delete",
    *(
        f"{_COMPUTE}/{kind}/delete"
        for kind in ("snapshots", "images", "galleries", "galleries/images", "galleries/images/versions")
    ),
)
#: What is offered and in use is read in the subscription, of whose permissions Azure tells nothing.
_OFFERS = (
    "Microsoft.Batch/locations/virtualMachineSkus/read",
    f"{_COMPUTE}/skus/read",
    f"{_COMPUTE}/locations/usages/read",
)


def needed(facts: Facts) -> dict[str, list[str]]:
    """Return resource group to the actions that the work takes there."""
    home = facts.scope.resource_group
    found: dict[str, list[str]] = {home: [*_POOL]}
    for where, actions in _work(facts):
        group = _group_of(where) if where else home
        known = next((name for name in found if name.lower() == group.lower()), group)
        listed = found.setdefault(known, [])
        listed += [action for action in actions if action not in listed]
    return found


def _work(facts: Facts) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the ids of what is worked with, empty for the account's resource group, and the actions that it takes."""
    spec, source = facts.spec, facts.source
    if source is not None:
        yield "", _LOOK
    if facts.making:
        yield "", _WRITE
    if spec.direct or spec.via == "managed-image":
        yield "", (f"{_COMPUTE}/images/write",)
    if facts.vm is not None:
        yield from _work_on_vm(facts, facts.vm)
    elif facts.image_id:
        kind = ResourceId.parse(facts.image_id).path
        yield facts.image_id, (f"{_COMPUTE}/{'/'.join(word for word, _ in kind)}/read", _DISK_ACCESS)
    elif source is not None and source.disks:
        yield source.id, (f"{_COMPUTE}/snapshots/read", f"{_COMPUTE}/snapshots/beginGetAccess/action")
    if spec.subnet:
        yield spec.subnet, (f"{_NETWORK}/virtualNetworks/read", f"{_NETWORK}/virtualNetworks/subnets/join/action")


def _work_on_vm(facts: Facts, vm: Json) -> Iterator[tuple[str, Iterable[str]]]:
    spec, key = facts.spec, str(vm["id"])
    yield key, (f"{_COMPUTE}/virtualMachines/read", f"{_COMPUTE}/disks/read", _DISK_ACCESS)
    ready = spec.generalized or (facts.source is not None and facts.source.generalized)
    if ready or spec.capture == "in-place":
        yield "", (f"{_COMPUTE}/snapshots/write",)
        yield key, _STOP[:1] if ready else (*_DEPROVISION, *_STOP)
        return
    yield "", _COPY
    yield key, (f"{_NETWORK}/networkInterfaces/read", *(_STOP if spec.stop else ()))
    # The copy is in the VM's own subnet.
    yield facts.subnet or key, (f"{_NETWORK}/virtualNetworks/subnets/join/action",)


def _group_of(resource: str) -> str:
    return ResourceId.parse(resource).resource_group


def role(facts: Facts) -> dict[str, Any]:
    """Return the smallest role that is enough, as `az role definition create` takes it."""
    actions = {action for listed in needed(facts).values() for action in listed} | {*_AWAY, *_LOOK, *_OFFERS}
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
