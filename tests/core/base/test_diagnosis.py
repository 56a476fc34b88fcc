"""What errors of Azure mean: codes at any depth, also in JSON that is cut off, in plain words and with a fix."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchimg_magics.core.base import denials
from batchimg_magics.core.base.causes import CAUSES
from batchimg_magics.core.base.diagnosis import diagnose
from batchimg_magics.core.base.provider_errors import CutText, read_errors, read_json, without_json

S = "/subscriptions/0/resourceGroups/net/providers"


def wrapped(error: Any, depth: int) -> str:
    """Return an error inside of others, by turns as text in a message and as a member of details."""
    for level in range(depth):
        message = json.dumps({"error": error}) if level % 2 else "See inner errors for details."
        error = {"code": "DeploymentFailed", "message": message, **({} if level % 2 else {"details": [error]})}
    return "Provider Error Json: " + json.dumps({"error": error})


@pytest.mark.parametrize("depth", range(6))
def test_a_code_at_any_depth_and_at_every_cut(depth: int) -> None:
    text = wrapped({"code": "SubnetIsFull", "message": "Subnet s has 3 addresses, and 40 are needed."}, depth)
    whole = diagnose(text)
    assert (whole.name, whole.error.code) == ("the subnet has no free IP addresses", "SubnetIsFull")
    seen = text.index("SubnetIsFull") + len("SubnetIsFull")
    for cut in range(len(text)):
        found = diagnose(f"{text[:cut]}; Provider Error Json Truncated: True")
        assert "{" not in found.sentence
        assert "Truncated" not in found.sentence
        if cut >= seen:
            assert found.name == whole.name, text[:cut]


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=12)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(["code", "message", "details", "error", "innererror", "x"]), inner, max_size=4
            ),
        ),
        max_leaves=12,
    ),
    st.floats(0, 1),
    st.sampled_from(["", "Reason: ", "Resource 'x' was denied. Policy identifiers: '["]),
)
def test_any_json_cut_anywhere_is_read_without_failing(document: Any, share: float, head: str) -> None:
    text = head + json.dumps({"error": document})
    cut = text[: int(len(text) * share)]
    assert diagnose(cut).sentence is not None
    list(read_errors(cut))
    if isinstance(document, dict) and document:
        assert read_json(text) in ({"error": document}, [{"error": document}])


def test_a_code_that_is_cut_off_is_recognized_by_its_beginning() -> None:
    found = diagnose('{"error": {"code": "RequestDisallowedByP')
    assert found.name == "an Azure policy denies it"
    assert isinstance(read_json('{"a": "b')["a"], CutText)
    assert diagnose('{"error": {"code": "Req').cause is None


MISSING = {
    f"The Resource '{kind}' under resource group 'g' was not found.": said
    for kind, said in {
        "Microsoft.Network/virtualNetworks/v": "the virtual network",
        "Microsoft.Network/virtualNetworks/image-vnet/subnets/image": "the pool's subnet",
        "Microsoft.Network/networkSecurityGroups/image": "a network security group",
        "Microsoft.Network/publicIPAddresses/a": "a public IP address",
        "Microsoft.Network/routeTables/a": "a route table",
        "Microsoft.Compute/diskEncryptionSets/image-des": "the disk encryption set",
        "Microsoft.KeyVault/vaults/kv": "the key vault",
        "Microsoft.KeyVault/vaults/kv/secrets/s/versions/0": "a key or secret",
        "Microsoft.Batch/batchAccounts/b/applications/a/versions/1": "an application package",
        "Microsoft.ManagedIdentity/userAssignedIdentities/subnet-id": "a managed identity",
        "Microsoft.Compute/images/i": "the image",
        "Microsoft.Compute/galleries/g/images/i/versions/1.0.0": "the image",
        "Microsoft.Compute/snapshots/s": "the snapshot",
        "Microsoft.Storage/storageAccounts/images": "a storage account",
    }.items()
} | {
    f"Resource {S}/Microsoft.Network/networkSecurityGroups/n referenced by resource {S}/Microsoft.Network/"
    "virtualNetworks/v/subnets/s was not found.": "a network security group",
    "The key vault 'kv' could not be found.": "the key vault",
    "Disk encryption set 'd' was not found": "the disk encryption set",
    "The security group does not exist any more": "a network security group",
}


@pytest.mark.parametrize("message", MISSING)
@pytest.mark.parametrize("code", ["NotFound", "ResourceNotFound", "BadRequest"])
def test_what_is_missing_is_named_by_its_type(code: str, message: str) -> None:
    found = diagnose(json.dumps({"error": {"code": code, "message": message}}))
    assert found.name.startswith(MISSING[message])
    assert found.fix


#: (code, message) of an error, and the class, a part of the cause, and a part of the fix.
ERRORS: dict[tuple[str, str], tuple[str, str, str]] = {
    ("ZonalAllocationFailed", "We do not have sufficient capacity in this zone."): (
        "transient",
        "in the zone",
        "another zone",
    ),
    ("AllocationFailed", "We do not have sufficient capacity for the VM size."): (
        "transient",
        "no capacity",
        "try again later",
    ),
    ("OverconstrainedAllocationRequest", "Please remove some constraints."): (
        "transient",
        "constraints",
        "fewer constraints",
    ),
    ("InsufficientCapacity", "x"): ("transient", "no capacity", "another VM size or region"),
    ("SkuNotAvailable", "The size is currently not available in location 'x'."): ("transient", "no capacity", "region"),
    ("SkuNotAvailable", "The size is not available in location 'x'."): (
        "fatal",
        "not available in this region",
        "another VM size",
    ),
    ("OperationNotAllowed", "exceeding approved standardDSv5Family Cores quota. Current Limit: 10"): (
        "quota",
        "core quota",
        "more quota",
    ),
    ("QuotaExceeded", "x"): ("quota", "a quota or limit", "more quota"),
    ("PublicIPCountLimitReached", "Cannot create more than 10 public IP addresses"): (
        "quota",
        "public IP",
        "--no-public-address",
    ),
    ("BadRequest", "Cannot create more than 100 network security groups"): ("quota", "limit", "more quota"),
    ("KeyVaultAccessForbidden", "x"): ("fatal", "key in the key vault", "Key Vault Crypto Service Encryption User"),
    ("BadRequest", "Disk encryption set d: access denied to the key"): (
        "fatal",
        "key in the key vault",
        "Key Vault Crypto",
    ),
    ("Forbidden", "The disk encryption set has no access to key vault kv."): (
        "fatal",
        "key in the key vault",
        "Crypto",
    ),
    ("BadRequest", "The key vault key is disabled"): ("fatal", "disabled, expired or deleted", "enable the key"),
    ("SubnetDelegationConflict", "The subnet is delegated to Microsoft.Web/serverFarms"): (
        "fatal",
        "delegated",
        "without delegation",
    ),
    ("ReadOnlyDisabledSubscription", "x"): ("fatal", "the subscription is disabled", "owner of the subscription"),
    ("RequestDisallowedByAzure", "This policy maintains a set of best available regions"): (
        "fatal",
        "does not allow this region",
        "region",
    ),
    ("MissingSubscriptionRegistration", "not registered to use namespace 'Microsoft.Batch'."): (
        "fatal",
        "not registered",
        "--namespace Microsoft.Batch",
    ),
    ("OSProvisioningTimedOut", "did not finish in the allotted time"): (
        "fatal",
        "not generalized",
        "create the image again",
    ),
    ("BadRequest", "Use of TrustedLaunch setting is not supported for the provided image."): (
        "fatal",
        "security type",
        "security type",
    ),
    ("InvalidParameter", "cannot boot Hypervisor Generation '2'"): ("fatal", "Hyper-V generation", "VM size"),
    ("VMExtensionProvisioningError", "x"): ("fatal", "an extension", "image has no extensions"),
    ("InvalidTemplateDeployment", "network security group blocks port 29877"): (
        "fatal",
        "security group or route",
        "BatchNodeManagement",
    ),
    ("InternalExecutionError", "x"): ("transient", "temporary fault", "later"),
    ("AnotherOperationInProgress", "x"): ("transient", "another operation", "wait"),
    ("TooManyRequests", "x"): ("transient", "throttles", "few minutes"),
    ("GalleryImageNotFound", "The image is not available in uksouth region."): ("fatal", "no replica", "replica"),
    ("ImageNotFound", "x"): ("fatal", "the image does not exist", "existing image"),
    ("VMSizeDoesntSupportPremiumStorage", "x"): ("fatal", "VM size does not support", "another VM size"),
    ("BadRequest", "The requested VM size does not support the storage account type Premium_LRS"): (
        "fatal",
        "storage type",
        "with an s",
    ),
    ("InvalidParameter", "The value of parameter x is invalid."): ("fatal", "rejects a setting", "correct the setting"),
    ("ResourcePurchaseValidationFailed", "legal terms have not been accepted"): (
        "fatal",
        "terms",
        "az vm image terms accept",
    ),
    ("MarketplacePurchaseEligibilityFailed", "No payment method"): ("fatal", "may not buy", "payment method"),
}


@pytest.mark.parametrize("case", ERRORS, ids="/".join)
def test_causes_their_classes_and_mends(case: tuple[str, str]) -> None:
    (code, message), (kind, name, fix) = case, ERRORS[case]
    found = diagnose(wrapped({"code": code, "message": message}, 1))
    assert found.cause is not None
    assert (found.cause.kind, name in found.name, fix in found.fix) == (kind, True, True), (found.name, found.fix)


def test_every_cause_has_a_class_plain_words_a_mend_and_a_source() -> None:
    for cause in CAUSES:
        assert cause.name
        assert cause.fix
        assert cause.source
        assert cause.codes or cause.phrases
        assert all(code == code.lower() for code in cause.codes)
        assert all(part == part.lower() for parts in cause.phrases for part in parts)


def test_policies_locks_and_rights_are_named() -> None:
    info = {
        "policyDefinitionDisplayName": "Allowed locations",
        "policyAssignmentName": "abc",
        "policyAssignmentDisplayName": "Only Europe",
        "policyAssignmentParameters": {"listOfAllowedLocations": {"value": ["uksouth", "westeurope"]}},
    }
    error = {
        "code": "RequestDisallowedByPolicy",
        "message": "no",
        "additionalInfo": [{"type": "PolicyViolation", "info": info}],
    }
    found = diagnose(json.dumps({"error": error}))
    assert found.name == "the Azure policy 'Allowed locations' (assignment 'Only Europe') denies it"
    assert found.fix == "the policy allows the regions uksouth, westeurope"
    evaluated = {"evaluatedExpressions": [{"path": "tags[cost centre]", "operator": "Exists"}]}
    error["additionalInfo"] = [{"info": {"policyDefinitionName": "p1", "evaluationDetails": evaluated}}]
    assert "--tag 'cost centre=VALUE'" in diagnose(json.dumps(error)).fix
    message = f"The scope '/x' cannot perform write operation because following scope(s) are locked: '{S}','/y'. Please"
    locked = diagnose(json.dumps({"code": "ScopeLocked", "message": message}))
    assert (locked.name, denials.read_locked_scopes(message)) == (f"a lock on {S} and /y forbids it", (S, "/y"))
    message = "does not have authorization to perform action 'A/b/read' over scope '/s' or the scope is invalid."
    assert denials.read_missing_right(message) == ("A/b/read", "/s")
    assert denials.read_missing_right("nothing") == ("", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Denied. Policy identifiers: '[{\"a\": 1}]'.", "Denied."),
        ("value: {'code': 'x'}", "value"),
        ("path /subscriptions/{guid}/x", "path /subscriptions/{guid}/x"),
    ],
)
def test_messages_without_json(text: str, said: str) -> None:
    assert without_json(text) == said
