"""Definitions of roles: Azure's built-in ones that image builds and Azure Batch need, and custom ones.

Source: "Azure built-in roles" in the documents of Azure role-based access control.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm.scopes import PROVIDER
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store

DEFINITIONS = "microsoft.authorization/roledefinitions"


class Permission(msgspec.Struct, rename="camel"):
    """What a role allows."""

    actions: list[str] | None = None
    not_actions: list[str] | None = None
    data_actions: list[str] | None = None
    not_data_actions: list[str] | None = None


class RoleProperties(msgspec.Struct, rename="camel"):
    """The shape of the properties of a role."""

    role_name: str
    permissions: list[Permission]
    type: str = "CustomRole"
    assignable_scopes: list[str] | None = None


evidence = Evidence("Built-in roles")
evidence.rule(
    "Of the built-in roles, those that image builds and Azure Batch need exist, with the actions on the resource "
    "providers of the emulator.",
    "Azure has several hundred roles, and most of their actions are on other providers",
)
_RESOURCES = ("Microsoft.Resources/deployments/*", "Microsoft.Resources/subscriptions/resourceGroups/read")
_COMMON = ("Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", *_RESOURCES)
_NO_ACCESS_RIGHTS = (
    "Microsoft.Authorization/*/Delete",
    "Microsoft.Authorization/*/Write",
    "Microsoft.Authorization/elevateAccess/Action",
    "Microsoft.Compute/galleries/share/action",
)
_JOINS = (
    "Microsoft.Network/applicationGateways/backendAddressPools/join/action",
    "Microsoft.Network/loadBalancers/backendAddressPools/join/action",
    "Microsoft.Network/loadBalancers/inboundNatPools/join/action",
    "Microsoft.Network/loadBalancers/inboundNatRules/join/action",
    "Microsoft.Network/loadBalancers/probes/join/action",
    "Microsoft.Network/loadBalancers/read",
    "Microsoft.Network/locations/*",
    "Microsoft.Network/networkInterfaces/*",
    "Microsoft.Network/networkSecurityGroups/join/action",
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/publicIPAddresses/join/action",
    "Microsoft.Network/publicIPAddresses/read",
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
)
#: Name, id, actions, excluded actions, data actions.
_BUILT_IN: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    ("Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", ("*",), (), ()),
    ("Contributor", "b24988ac-6180-42a0-ab88-20f7382dd24c", ("*",), _NO_ACCESS_RIGHTS, ()),
    ("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", ("*/read",), (), ()),
    (
        "User Access Administrator",
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        ("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"),
        (),
        (),
    ),
    (
        "Virtual Machine Contributor",
        "9980e02c-c2be-4d73-94e8-173b1dc7cf3c",
        (
            *_COMMON,
            "Microsoft.Compute/availabilitySets/*",
            "Microsoft.Compute/locations/*",
            "Microsoft.Compute/virtualMachines/*",
            "Microsoft.Compute/virtualMachineScaleSets/*",
            "Microsoft.Compute/cloudServices/*",
            "Microsoft.Compute/disks/write",
            "Microsoft.Compute/disks/read",
            "Microsoft.Compute/disks/delete",
            *_JOINS,
            "Microsoft.Storage/storageAccounts/listKeys/action",
            "Microsoft.Storage/storageAccounts/read",
        ),
        (),
        (),
    ),
    (
        "Classic Virtual Machine Contributor",
        "d73bb868-a0df-4d4d-bd69-98a00b01fccb",
        (
            *_COMMON,
            "Microsoft.ClassicCompute/domainNames/*",
            "Microsoft.ClassicCompute/virtualMachines/*",
            "Microsoft.ClassicNetwork/networkSecurityGroups/join/action",
            "Microsoft.ClassicNetwork/virtualNetworks/join/action",
            "Microsoft.ClassicNetwork/virtualNetworks/read",
        ),
        (),
        (),
    ),
    ("Network Contributor", "4d97b98b-1d4f-4787-a291-c67834d212e7", (*_COMMON, "Microsoft.Network/*"), (), ()),
    (
        "Azure Batch Account Contributor",
        "29fe4964-1e60-436b-bd3a-77fd4c178b3c",
        (*_COMMON, "Microsoft.Batch/*"),
        (),
        ("Microsoft.Batch/*",),
    ),
    (
        "Azure Batch Account Reader",
        "11076f67-66f6-4be0-8f6b-f0609fd05cc9",
        ("Microsoft.Batch/*/read", "Microsoft.Resources/subscriptions/resourceGroups/read"),
        (),
        ("Microsoft.Batch/*/read",),
    ),
    (
        "Azure Batch Data Contributor",
        "6aaa78f1-f7de-44ca-8722-c64a23943cae",
        (
            *_COMMON,
            "Microsoft.Batch/batchAccounts/read",
            "Microsoft.Batch/batchAccounts/applications/*",
            "Microsoft.Batch/batchAccounts/certificates/*",
            "Microsoft.Batch/batchAccounts/certificateOperationResults/*",
            "Microsoft.Batch/batchAccounts/pools/*",
            "Microsoft.Batch/batchAccounts/poolOperationResults/*",
            "Microsoft.Batch/locations/*/read",
        ),
        (),
        ("Microsoft.Batch/batchAccounts/jobSchedules/*", "Microsoft.Batch/batchAccounts/jobs/*"),
    ),
    (
        "Azure Batch Job Submitter",
        "48e5e92e-a480-4e71-aa9c-2778f4c13781",
        (
            "Microsoft.Batch/batchAccounts/applications/read",
            "Microsoft.Batch/batchAccounts/applications/versions/read",
            "Microsoft.Batch/batchAccounts/pools/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
        (),
        ("Microsoft.Batch/batchAccounts/jobSchedules/*", "Microsoft.Batch/batchAccounts/jobs/*"),
    ),
    (
        "Disk Snapshot Contributor",
        "7efff54f-a5b4-42b5-a1c5-5411624893ce",
        (
            "Microsoft.Authorization/*/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Compute/snapshots/delete",
            "Microsoft.Compute/snapshots/write",
            "Microsoft.Compute/snapshots/read",
            "Microsoft.Compute/snapshots/beginGetAccess/action",
            "Microsoft.Compute/snapshots/endGetAccess/action",
            "Microsoft.Compute/disks/beginGetAccess/action",
            "Microsoft.Storage/storageAccounts/listkeys/action",
            "Microsoft.Storage/storageAccounts/write",
            "Microsoft.Storage/storageAccounts/read",
            "Microsoft.Storage/storageAccounts/delete",
        ),
        (),
        (),
    ),
    (
        "Storage Account Contributor",
        "17d1049b-9a84-46fb-8f53-869881c3d3ab",
        (*_COMMON, "Microsoft.Storage/storageAccounts/*"),
        (),
        (),
    ),
    (
        "Managed Identity Operator",
        "f1a07417-d97a-45cb-824c-7a7467783830",
        (
            *_COMMON,
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
        ),
        (),
        (),
    ),
    (
        "Tag Contributor",
        "4a9ae827-6dc8-4573-8ac7-8239d42aa03f",
        (
            "Microsoft.Authorization/*/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
            "Microsoft.Resources/subscriptions/resources/read",
            "Microsoft.Resources/tags/*",
        ),
        (),
        (),
    ),
)


@functools.cache
def built_in() -> dict[str, dict[str, Any]]:
    """Return the built-in roles by their names, which are GUIDs."""
    return {
        guid: {
            "id": f"{PROVIDER}/roleDefinitions/{guid}",
            "name": guid,
            "type": "Microsoft.Authorization/roleDefinitions",
            "properties": {
                "roleName": name,
                "type": "BuiltInRole",
                "description": "",
                "assignableScopes": ["/"],
                "permissions": [
                    {
                        "actions": list(actions),
                        "notActions": list(excluded),
                        "dataActions": list(on_data),
                        "notDataActions": [],
                    }
                ],
            },
        }
        for name, guid, actions, excluded, on_data in _BUILT_IN
    }


def find_definition(store: Store, role: str) -> dict[str, Any] | None:
    """Return the definition of a role by its id in any scope, or None."""
    if (found := built_in().get(role.rstrip("/").rpartition("/")[2].lower())) is not None:
        return found
    item = store.get(role.rstrip("/"))
    if item is not None and item.kind == DEFINITIONS:
        return item.doc
    name = role.rstrip("/").rpartition("/")[2].lower()
    tail = f"{PROVIDER}/roleDefinitions/{name}".lower()
    return next((one.doc for one in store.items(DEFINITIONS) if one.key.endswith(tail)), None)
