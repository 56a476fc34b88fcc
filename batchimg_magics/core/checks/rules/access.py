"""Rules about what the caller may do, and the smallest role that is enough."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.checks.facts import permissions_in
from batchimg_magics.core.checks.rules import sources
from batchimg_magics.core.checks.rules.rule import RuleResult, failed, passed, rule, unchecked, warned
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResults

ROLE = "batchimg researcher"
_COMPUTE = "Microsoft.Compute"
_NETWORK = "Microsoft.Network"
#: What making and resizing a pool takes, in the account's resource group.
_POOL = tuple(f"Microsoft.Batch/batchAccounts/{what}" for what in ("read", "pools/read", "pools/write"))
#: What looking for what is there takes: what was made before, and what a run that died left behind.
_READ_ACTIONS = (
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
_IN_GALLERY = tuple(f"{_COMPUTE}/{kind}/write" for kind in ("galleries/images", "galleries/images/versions"))
#: The account's own gallery is made where it is missing; one that the researcher has is only read.
_OWN_GALLERY = (f"{_COMPUTE}/galleries/write",)
_ADOPT = tuple(f"{_COMPUTE}/{kind}/read" for kind in ("galleries", "galleries/images", "galleries/images/versions"))
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
_DELETE_ACTIONS = (
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
#: What `vms --login` reads of the network around a VM; no image and no pool takes it.
_LOGIN = tuple(f"{_NETWORK}/{kind}/read" for kind in ("loadBalancers", "publicIPAddresses"))


def needed_actions(facts: Facts) -> dict[str, list[str]]:
    """Return id of a resource group, in lower case, to the actions that the work takes there."""
    home = str(facts.scope.account_id)
    found: dict[str, list[str]] = {}
    for where, actions in [(home, _POOL), *_actions(facts)]:
        listed = found.setdefault(ResourceId.parse(where or home).group.lower(), [])
        listed += [action for action in actions if action not in listed]
    return found


def _actions(facts: Facts) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the ids of what is worked with, empty for the account's resource group, and the actions that it takes."""
    spec = facts.spec
    if facts.source is not None:
        yield "", _READ_ACTIONS
    if facts.makes_image:
        yield spec.gallery or "", (*_IN_GALLERY, *(_ADOPT if spec.gallery else _OWN_GALLERY))
    if spec.direct or spec.via == "managed-image":
        yield "", (f"{_COMPUTE}/images/write",)
    yield from _vm_actions(facts, facts.vm) if facts.vm is not None else _image_actions(facts)
    if spec.subnet:
        yield spec.subnet, (f"{_NETWORK}/virtualNetworks/read", f"{_NETWORK}/virtualNetworks/subnets/join/action")
    for identity in spec.identities:
        yield identity, ("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",)


def _image_actions(facts: Facts) -> Iterator[tuple[str, Iterable[str]]]:
    if facts.image_id:
        kind = ResourceId.parse(facts.image_id).path
        yield facts.image_id, (f"{_COMPUTE}/{'/'.join(word for word, _ in kind)}/read", _DISK_ACCESS)
        return
    for disk in facts.source.disks if facts.source else ():
        if disk.id.startswith("/"):
            yield disk.id, (f"{_COMPUTE}/snapshots/read", f"{_COMPUTE}/snapshots/beginGetAccess/action")


def _vm_actions(facts: Facts, vm: Json) -> Iterator[tuple[str, Iterable[str]]]:
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


def role_definition(facts: Facts) -> dict[str, Any]:
    """Return the smallest role that is enough, as `az role definition create` takes it."""
    work = needed_actions(facts)
    actions = {action for listed in work.values() for action in listed} | {
        *_DELETE_ACTIONS,
        *_READ_ACTIONS,
        *_OFFERS,
        *_LOGIN,
    }
    return {
        "Name": ROLE,
        "IsCustom": True,
        "Description": "Makes images of prepared VMs and Batch pools of them, and takes them away again.",
        "Actions": sorted(actions),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": sorted({"/".join(group.split("/")[:3]) for group in work}),
    }


def is_allowed(permissions: Sequence[Json], action: str) -> bool:
    """Tell whether permissions allow an action: one of them names it and does not take it back."""
    return any(
        _matches_any(action, one.get("actions") or []) and not _matches_any(action, one.get("notActions") or [])
        for one in permissions
    )


def _matches_any(action: str, patterns: Iterable[str]) -> bool:
    """Tell whether an action is among patterns, where ``*`` stands for anything, and the case for nothing."""
    return any(re.fullmatch(".*".join(map(re.escape, one.split("*"))), action, re.IGNORECASE) for one in patterns)


@rule("permissions", "error", sources.ACCESS)
def permissions(facts: Facts) -> RuleResults:
    """The caller may do everything that the work takes."""
    found: list[RuleResult] = []
    work, home, how = needed_actions(facts), facts.scope.account_id.group.lower(), _how_to_get_role(facts)
    for group, actions in work.items():
        why = facts.unread.get(permissions_in(group)) or ("" if group in facts.permissions else "nobody asked")
        if why:
            found.append(unchecked(f"could not read permissions in {_group_name(facts, group)} ({why})", how))
        elif missing := [action for action in actions if not is_allowed(facts.permissions.get(group, []), action)]:
            found.append(failed(f"in {_group_name(facts, group)} you may not: {', '.join(missing)}", how))
    away = [action for action in _DELETE_ACTIONS if not is_allowed(facts.permissions.get(home, []), action)]
    if not found and away:
        return warned(f"what is made in {_group_name(facts, home)} you may not delete: {', '.join(away)}", how)
    return found or passed(f"you may do all of it in {', '.join(_group_name(facts, group) for group in work)}")


def _group_name(facts: Facts, group: str) -> str:
    """Return what a resource group is called: with its subscription where that is not the account's."""
    _, _, subscription, _, name = group.split("/")
    home = subscription == facts.scope.subscription.lower()
    return f"resource group {name}" if home else f"resource group {name} of subscription {subscription}"


def _how_to_get_role(facts: Facts) -> str:
    """Return how one gets the role: the line that prints it, with what was checked where that has a name."""
    pool = facts.pool if facts.kind == "pool" else None
    named = next((str(one["name"]) for one in (facts.vm, pool) if one), facts.image_id or "VM")
    return (
        f"ask for a role that allows it: `%batchimg check {named} --role` prints the smallest, for `az role definition "
        f"create --role-definition FILE` and `az role assignment create --assignee YOU --role '{ROLE}' --scope GROUP`"
    )
