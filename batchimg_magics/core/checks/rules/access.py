"""The rule for the caller's permissions, and the minimal role."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.checks.facts import permissions_in
from batchimg_magics.core.checks.rules import sources
from batchimg_magics.core.checks.rules.rule import RuleResult, failed, passed, rule, unchecked, warned
from batchimg_magics.pool_spec.line import magic_word
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResults

ROLE = "batchimg researcher"
_COMPUTE = "Microsoft.Compute"
_NETWORK = "Microsoft.Network"
#: Actions to create and resize a pool, in the resource group of the account.
_POOL = tuple(f"Microsoft.Batch/batchAccounts/{what}" for what in ("read", "pools/read", "pools/write"))
#: Actions to find existing resources: those created before, and those that an interrupted run left.
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
    *(f"{_NETWORK}/{kind}/read" for kind in ("networkInterfaces", "networkSecurityGroups")),
)
_IN_GALLERY = tuple(f"{_COMPUTE}/{kind}/write" for kind in ("galleries/images", "galleries/images/versions"))
#: The gallery of the account is created if it is missing; a gallery that the user specifies is only read.
_OWN_GALLERY = (f"{_COMPUTE}/galleries/write",)
_ADOPT = tuple(f"{_COMPUTE}/{kind}/read" for kind in ("galleries", "galleries/images", "galleries/images/versions"))
#: The action that Batch and Compute require of a caller who uses a disk as a source.
_DISK_ACCESS = f"{_COMPUTE}/disks/beginGetAccess/action"
_SNAPSHOT_ACCESS = f"{_COMPUTE}/snapshots/beginGetAccess/action"
#: An image version of a VHD. Source: gallery documents, "RBAC permissions required": listKeys for a VHD, and write on
#: a disk or snapshot that is a source.
_LIST_KEYS = "Microsoft.Storage/storageAccounts/listKeys/action"
_GENERALIZE = tuple(f"{_COMPUTE}/virtualMachines/{verb}/action" for verb in ("runCommand", "deallocate", "generalize"))
#: Actions to create and delete a temporary copy of a VM.
_COPY = (
    *_GENERALIZE,
    *(
        f"{_COMPUTE}/{kind}/{verb}"
        for kind in ("disks", "virtualMachines", "snapshots")
        for verb in ("write", "delete")
    ),
    *(
        f"{_NETWORK}/{kind}/{verb}"
        for kind in ("networkInterfaces", "networkSecurityGroups")
        for verb in ("write", "join/action", "delete")
    ),
)
_STOP = tuple(f"{_COMPUTE}/virtualMachines/{verb}" for verb in ("deallocate/action", "start/action", "write"))
#: Actions to delete everything that this tool creates.
_DELETE_ACTIONS = (
    "Microsoft.Batch/batchAccounts/pools/delete",
    *(
        f"{_COMPUTE}/{kind}/delete"
        for kind in ("snapshots", "images", "galleries", "galleries/images", "galleries/images/versions")
    ),
)
#: Offers and usages are read in the subscription, whose permissions Azure does not report.
_OFFERS = (
    "Microsoft.Batch/locations/virtualMachineSkus/read",
    f"{_COMPUTE}/skus/read",
    f"{_COMPUTE}/locations/usages/read",
)
#: What is read about locks, policies, registered resource providers, and users of images.
_GOVERNANCE = (
    "Microsoft.Authorization/locks/read",
    f"{_COMPUTE}/virtualMachineScaleSets/read",  # what else uses an image, before it is deleted
    *(f"Microsoft.Authorization/policy{kind}/read" for kind in ("Assignments", "Definitions", "SetDefinitions")),
    "Microsoft.Resources/subscriptions/providers/read",
)
#: What `vms --login` reads of a VM's network; images and pools do not need it.
_LOGIN = tuple(f"{_NETWORK}/{kind}/read" for kind in ("loadBalancers", "publicIPAddresses"))


def needed_actions(facts: Facts) -> dict[str, list[str]]:
    """Return a map from the id of a resource group, in lower case, to the actions needed there."""
    home = str(facts.scope.account_id)
    found: dict[str, list[str]] = {}
    for where, actions in [(home, _POOL), *_actions(facts)]:
        listed = found.setdefault(ResourceId.parse(where or home).group.lower(), [])
        listed += [action for action in actions if action not in listed]
    return found


def _actions(facts: Facts) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield ids of resources (empty: the resource group of the account) with the actions needed on them."""
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
    if facts.spec.from_vhd:
        yield facts.spec.storage_account or "", (_LIST_KEYS,)
    for disk in facts.source.disks if facts.source else ():
        if disk.id.startswith("/"):
            yield disk.id, (f"{_COMPUTE}/snapshots/read", _SNAPSHOT_ACCESS, f"{_COMPUTE}/snapshots/write")


def _vm_actions(facts: Facts, vm: Json) -> Iterator[tuple[str, Iterable[str]]]:
    spec, key = facts.spec, str(vm["id"])
    yield key, (f"{_COMPUTE}/virtualMachines/read", f"{_COMPUTE}/disks/read", _DISK_ACCESS)
    # The image version is made from snapshots in the resource group of the account.
    yield "", (_SNAPSHOT_ACCESS,)
    if facts.is_generalized or spec.capture == "in-place":
        yield "", (f"{_COMPUTE}/snapshots/write",)
        yield key, _STOP[:1] if facts.is_generalized else (*_GENERALIZE, *_STOP)
        return
    # In another subscription, the copy and its disks are in the resource group of the VM.
    elsewhere = ResourceId.parse(key).subscription.lower() != facts.scope.subscription.lower()
    yield key if elsewhere else "", (*_COPY, *(_READ_ACTIONS if elsewhere else ()))
    yield key, (f"{_NETWORK}/networkInterfaces/read", *(_STOP if spec.stop else ()))
    yield facts.subnet or key, (f"{_NETWORK}/virtualNetworks/subnets/{one}" for one in ("read", "join/action"))


def role_definition(facts: Facts) -> dict[str, Any]:
    """Return the minimal role as the input of `az role definition create`."""
    work = needed_actions(facts)
    actions = {action for listed in work.values() for action in listed} | {
        *_DELETE_ACTIONS,
        *_READ_ACTIONS,
        *_OFFERS,
        *_GOVERNANCE,
        *_LOGIN,
    }
    return {
        "Name": ROLE,
        "IsCustom": True,
        "Description": "Create and delete images of prepared VMs, and Batch pools that use them.",
        "Actions": sorted(actions),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": sorted({"/".join(group.split("/")[:3]) for group in work}),
    }


def is_allowed(permissions: Sequence[Json], action: str) -> bool:
    """Return whether permissions allow an action: one of them includes it and does not exclude it."""
    return any(
        _matches_any(action, one.get("actions") or []) and not _matches_any(action, one.get("notActions") or [])
        for one in permissions
    )


def _matches_any(action: str, patterns: Iterable[str]) -> bool:
    """Return whether an action matches a pattern, where ``*`` matches anything and case is ignored."""
    return any(re.fullmatch(".*".join(map(re.escape, one.split("*"))), action, re.IGNORECASE) for one in patterns)


@rule("permissions", "error", sources.ACCESS, acceptable=True)
def permissions(facts: Facts) -> RuleResults:
    """The caller has all required permissions."""
    found: list[RuleResult] = []
    work, home, fix = needed_actions(facts), facts.scope.account_id.group.lower(), _role_fix(facts)
    for group, actions in work.items():
        reason = facts.unread.get(permissions_in(group)) or ("" if group in facts.permissions else "not requested")
        if reason:
            found.append(unchecked(f"could not read permissions in {_group_name(facts, group)} ({reason})", fix))
        elif missing := [action for action in actions if not is_allowed(facts.permissions.get(group, []), action)]:
            found.append(failed(f"missing permissions in {_group_name(facts, group)}: {', '.join(missing)}", fix))
    not_deletable = [action for action in _DELETE_ACTIONS if not is_allowed(facts.permissions.get(home, []), action)]
    if not found and not_deletable:
        return warned(f"no permission to delete in {_group_name(facts, home)}: {', '.join(not_deletable)}", fix)
    return found or passed(f"all required permissions in {', '.join(_group_name(facts, group) for group in work)}")


def _group_name(facts: Facts, group: str) -> str:
    """Return the name of a resource group, with its subscription if that is not the account's."""
    _, _, subscription, _, name = group.split("/")
    same = subscription == facts.scope.subscription.lower()
    return f"resource group {name}" if same else f"resource group {name} of subscription {subscription}"


def _role_fix(facts: Facts) -> str:
    """Return how to get the role: the command that prints it for the checked resource."""
    pool = facts.pool if facts.kind == "pool" else None
    named = next((str(one["name"]) for one in (facts.vm, pool) if one), facts.image_id or "VM")
    return (
        f"request a role with these permissions: `%batchimg check {magic_word(named)} --role` prints the minimal role, "
        f"for `az role definition create --role-definition FILE` and `az role assignment create --assignee YOU "
        f"--role '{ROLE}' --scope GROUP`"
    )
