"""The rules for Batch accounts in Resource Manager: what a new one may have, and what may change.

Source: Microsoft's OpenAPI (2024-02-01), the texts of azure-mgmt-batch 19, and recorded refusals.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.batch.rest.body_checks import check_body
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property, refusal
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

#: Properties that only responses have. Clients that read an account and send it back have them in their bodies.
_READ_ONLY = frozenset(
    {
        "accountEndpoint", "activeJobAndJobScheduleQuota", "dedicatedCoreQuota", "dedicatedCoreQuotaPerVMFamily",
        "dedicatedCoreQuotaPerVMFamilyEnforced", "lowPriorityCoreQuota", "nodeManagementEndpoint", "poolQuota",
        "privateEndpointConnections", "provisioningState",
    }
)  # fmt: skip
_MEMBERS = frozenset({"location", "tags", "properties", "identity"})
_IGNORED_MEMBERS = frozenset({"id", "name", "type", "etag", "systemData", "kind", "sku", "managedBy", "zones"})
_IDENTITIES = frozenset({"none", "systemassigned", "userassigned", "systemassigned,userassigned"})
_KEY_SOURCES = frozenset({"microsoft.batch", "microsoft.keyvault"})
_IDENTITY_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/[^/]+",
    re.IGNORECASE,
)
evidence = Evidence("Batch accounts that are refused")
evidence.rule(
    "The storage account of an account, and its key vault, must exist; other properties than those of the SDK's update "
    "model cannot change.",
    "no recording or document shows the refusals",
)
evidence.rule(
    "The user-assigned identities of accounts and pools are not looked up.",
    "the emulator gives every identity its ids",
)
evidence.rule(
    "Properties that only responses have are ignored in a request.",
    "clients send back what they have read; no document says what Batch does",
)


def check_members(body: dict[str, Any]) -> None:
    """Refuse members of a body that Resource Manager does not know."""
    for name in body:
        if name not in _MEMBERS | _IGNORED_MEMBERS:
            message = (
                f"The request content was invalid and could not be deserialized: 'Could not find member '{name}' on "
                f"object of type 'ResourceDefinition'. Path '{name}'.'"
            )
            raise Refusal(400, "InvalidRequestContent", message)


def check_new(call: Call, body: dict[str, Any]) -> None:
    """Refuse the properties of a new account."""
    asked = _checked(call, body, "BatchAccountCreateProperties")
    if str(asked.get("poolAllocationMode")).lower() == "usersubscription" and "keyVaultReference" not in asked:
        reason = (
            "keyVaultReference must be set if poolAllocationMode is specified as 'UserSubscription' on a PUT request"
        )
        raise refusal("InvalidRequestBody", ("Reason", reason))
    if (vault := asked.get("keyVaultReference")) is not None:
        _need_linked(call, "keyVaultReference.id", vault["id"], "Microsoft.KeyVault/vaults")


def check_change(call: Call, item: Item, body: dict[str, Any], *, whole: bool) -> None:
    """Refuse changes of an account.

    Parameters
    ----------
    call, item, body
        The request, the account and the body.
    whole
        Whether the body is that of a new account: then it may have what cannot change, if it is the same.
    """
    asked = _checked(call, body, "BatchAccountCreateProperties" if whole else "BatchAccountUpdateProperties")
    for name in ("poolAllocationMode", "keyVaultReference"):
        if name in asked and asked[name] != item.doc["properties"].get(name):
            raise bad_property(name, None, "The property cannot be changed after the account was created")
    location = str(body.get("location") or item.doc["location"])
    resources.refuse_other_region(item, location)


def _checked(call: Call, body: dict[str, Any], kind: str) -> dict[str, Any]:
    check_members(body)
    asked = {name: value for name, value in body.get("properties", {}).items() if name not in _READ_ONLY}
    check_body(asked, kind, "")
    _check_identity(body.get("identity", {}))
    _check_encryption(asked.get("encryption", {}), body.get("identity"))
    for access in asked.get("networkProfile", {}).values():
        for rule in access.get("ipRules", []):
            _check_range(rule["value"])
    if (storage := asked.get("autoStorage")) is not None:
        kind = "Microsoft.Storage/storageAccounts"
        _need_linked(call, "autoStorage.storageAccountId", storage["storageAccountId"], kind)
    return asked


def _check_identity(identity: dict[str, Any]) -> None:
    if not identity:
        return
    kind = str(identity.get("type", "")).replace(" ", "").lower()
    if not kind:
        raise missing_property("type")
    if kind not in _IDENTITIES:
        raise bad_property("type", identity["type"])
    check_identities(identity)


def check_identities(identity: dict[str, Any]) -> None:
    """Refuse user-assigned identities without ids, ids without them, and what is no id of one."""
    ids = identity.get("userAssignedIdentities")
    if not isinstance(ids, dict | None):
        return  # refused where the identities get their ids
    user = "userassigned" in str(identity.get("type", "")).lower()
    if user and not ids:
        raise missing_property("userAssignedIdentities")
    if ids and not user:
        raise bad_property("userAssignedIdentities", None, "It can be specified only if the type is UserAssigned")
    for key in ids or ():
        if not _IDENTITY_ID.fullmatch(key):
            raise _wrong_link(key, "identity.userAssignedIdentities")


def _check_encryption(encryption: dict[str, Any], identity: dict[str, Any] | None) -> None:
    source = encryption.get("keySource")
    if source is None:
        return
    if str(source).lower() not in _KEY_SOURCES:
        raise bad_property("keySource", source)
    if str(source).lower() == "microsoft.batch":
        return
    if not encryption.get("keyVaultProperties", {}).get("keyIdentifier"):
        raise missing_property("keyIdentifier")
    if identity is None or str(identity.get("type", "None")).lower() == "none":
        raise bad_property("identity", None, "An identity is required when the key source is Microsoft.KeyVault")


def _check_range(text: str) -> None:
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise bad_property("value", text, "The value must be an IPv4 address or a range in CIDR notation") from error
    if network.version != 4:
        raise bad_property("value", text, "The value must be an IPv4 address or a range in CIDR notation")


def _need_linked(call: Call, path: str, key: str, kind: str) -> None:
    """Refuse a reference that is no id of a resource of a type, or whose resource does not exist."""
    try:
        _, _, pairs, namespace = resources.split_id(key)
    except ValueError as error:
        raise _wrong_link(key, f"properties.{path}") from error
    if f"{namespace}/{pairs[-1][0]}".lower() != kind.lower():
        raise _wrong_link(key, f"properties.{path}")
    if not is_open(call.store) and resources.find(call.store, call.now, key) is None:
        raise bad_property(path.rpartition(".")[2], key, "The specified resource could not be found")


def _wrong_link(key: str, path: str) -> Refusal:
    message = (
        f"Property id '{key}' at path '{path}' is invalid. Expect fully qualified resource Id that start with "
        "'/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'."
    )
    return Refusal(400, "LinkedInvalidPropertyId", message)
