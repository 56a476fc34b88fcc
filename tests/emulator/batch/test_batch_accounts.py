"""Batch accounts in ARM: create, read, change, delete; quotas and VM sizes."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator import create_app
from tests.support.batch_emulator import ACCOUNT_ID, GROUP, SUBSCRIPTION, BatchEmulator, arm_pool_body

OTHER = ACCOUNT_ID.replace("genomicsbatch", "other1")
PROVIDER = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Batch"


@pytest.fixture
def azure() -> BatchEmulator:
    return BatchEmulator()


def make(azure: BatchEmulator, key: str = OTHER, **properties: Any) -> Any:
    return azure.arm("PUT", key, {"location": "West US 2", "properties": properties, "tags": {"a": "b"}})


def test_the_host_of_an_account_has_its_region() -> None:
    app = create_app(open=False)
    headers = {"authorization": "Bearer any", "content-type": "application/json"}
    group = f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/resourceGroups/one"
    app.answer("PUT", f"{group}?api-version=2021-04-01", headers, b'{"location": "eastus"}')
    account = f"{group}/providers/Microsoft.Batch/batchAccounts/acc1?api-version=2024-07-01"
    app.answer("PUT", account, headers, b'{"location": "East US"}')
    query = "pools?api-version=2024-07-01.20.0"
    hosts = ("acc1.eastus", "ACC1.EastUS", "acc1.westus")
    found = [app.answer("GET", f"https://{host}.batch.azure.com/{query}", headers).status for host in hosts]
    assert found == [200, 200, 404]


def test_an_account_is_made_as_recorded(azure: BatchEmulator) -> None:
    begun = make(azure)
    assert (begun.status, begun.body, begun.headers["Retry-After"]) == (202, None, "15")
    again = azure.send("GET", begun.headers["Location"])
    assert again.status == 202
    azure.clock.advance(15)
    done = azure.send("GET", again.headers["Location"])
    assert done.status == 200
    assert done.body == azure.arm("GET", OTHER).body
    properties = done.body["properties"]
    assert properties["accountEndpoint"] == "other1.westus2.batch.azure.com"
    assert properties["provisioningState"] == "Succeeded"
    assert (properties["dedicatedCoreQuota"], properties["lowPriorityCoreQuota"], properties["poolQuota"]) == (
        500,
        500,
        100,
    )
    families = {row["name"]: row["coreQuota"] for row in properties["dedicatedCoreQuotaPerVMFamily"]}
    assert (families["standardDSv3Family"], families["standardDFamily"]) == (500, 0)
    assert done.headers["ETag"].startswith('"0x')


def test_storage_of_an_account_shows_when_its_keys_were_synchronized(azure: BatchEmulator) -> None:
    storage = {"storageAccountId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a"}
    refused = make(azure, autoStorage=storage)
    assert refused.body["error"]["details"][0] == {"code": "PropertyName", "message": "storageAccountId"}
    azure.put_resource(storage["storageAccountId"])
    make(azure, autoStorage=storage)
    first = azure.arm("GET", OTHER).body["properties"]["autoStorage"]
    assert first == storage | {"authenticationMode": "StorageKeys", "lastKeySync": "2026-07-01T09:00:00Z"}
    azure.clock.advance(60)
    changed = azure.arm("PATCH", OTHER, {"properties": {"autoStorage": storage}}).body["properties"]["autoStorage"]
    assert changed["lastKeySync"] == "2026-07-01T09:01:00Z"
    refused = azure.arm("PATCH", OTHER, {"properties": {"autoStorage": {"authenticationMode": "StorageKeys"}}})
    assert (refused.status, refused.code) == (400, "MissingRequiredProperty")


@pytest.mark.parametrize("path", [OTHER, f"{ACCOUNT_ID}/pools/p"])
@pytest.mark.parametrize("listed", [True, "x", ["x"]])
def test_identities_are_an_object(azure: BatchEmulator, path: str, listed: Any) -> None:
    azure.create_pool()
    pool = azure.arm("GET", f"{ACCOUNT_ID}/pools/p").body["properties"]
    body = {"location": "eastus", "identity": {"type": "UserAssigned", "userAssignedIdentities": listed}}
    refused = azure.arm("PUT", path, body if path == OTHER else body | {"properties": pool})
    assert (refused.status, refused.code) == (400, "InvalidRequestContent")


def test_a_user_subscription_account_needs_a_vault_and_has_no_quotas(azure: BatchEmulator) -> None:
    refused = make(azure, poolAllocationMode="UserSubscription")
    assert (refused.status, refused.code) == (400, "InvalidRequestBody")
    assert "keyVaultReference must be set" in refused.body["error"]["details"][0]["message"]
    vault = {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v", "url": "https://v/"}
    assert make(azure, poolAllocationMode="UserSubscription", keyVaultReference=vault).code == "InvalidPropertyValue"
    azure.put_resource(vault["id"])
    assert make(azure, poolAllocationMode="UserSubscription", keyVaultReference=vault).status == 202
    assert "dedicatedCoreQuota" not in azure.arm("GET", OTHER).body["properties"]


@pytest.mark.parametrize("name", ["ab", "UPPER", "has-hyphen", "a" * 25])
def test_bad_names_are_refused(azure: BatchEmulator, name: str) -> None:
    assert make(azure, ACCOUNT_ID.replace("genomicsbatch", name)).code == "InvalidAccountName"


def test_a_second_put_and_a_patch_change_what_can_be_changed(azure: BatchEmulator) -> None:
    make(azure)
    tag = azure.arm("GET", OTHER).headers["ETag"]
    changed = make(azure, publicNetworkAccess="Disabled")
    assert (changed.status, changed.body["properties"]["publicNetworkAccess"]) == (200, "Disabled")
    assert changed.headers["ETag"] != tag
    assert azure.arm("PATCH", OTHER, {"tags": {"c": "d"}}).body["tags"] == {"c": "d"}


def test_an_account_stays_where_it_is(azure: BatchEmulator) -> None:
    make(azure)
    moved = azure.arm("PUT", OTHER, {"location": "eastus"})
    assert (moved.status, moved.code) == (409, "InvalidResourceLocation")
    assert azure.arm("PUT", OTHER, {"tags": {}}).code == "LocationRequired"


def test_identities_get_the_ids_of_the_directory(azure: BatchEmulator) -> None:
    mine = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ManagedIdentity/"
    mine += "userAssignedIdentities/mine"
    azure.arm("PUT", OTHER, {"location": "eastus", "identity": {"type": "SystemAssigned"}})
    system = azure.arm("GET", OTHER).body["identity"]
    assert set(system) == {"type", "principalId", "tenantId"}
    both = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {mine: {}}}
    changed = azure.arm("PATCH", OTHER, {"identity": both}).body["identity"]
    assert changed["principalId"] == system["principalId"]
    assert set(changed["userAssignedIdentities"][mine]) == {"principalId", "clientId"}
    assert azure.arm("PATCH", OTHER, {"identity": {"type": "None"}}).body["identity"] == {"type": "None"}


def test_the_first_api_versions_had_errors_of_their_own_shape(azure: BatchEmulator) -> None:
    old = azure.arm("GET", OTHER, version="2014-05-01-privatepreview")
    assert (old.status, set(old.body)) == (404, {"code", "message", "target"})
    assert old.body["code"] == "AccountNotFound"
    assert azure.arm("GET", OTHER, version="2015-12-01").code == "ResourceNotFound"
    bare = azure.arm("PUT", OTHER, {"location": "eastus", "properties": []}, version="2015-12-01")
    assert bare.body["code"] == "InvalidRequestBody"


def test_deleting_takes_a_while_and_everything_in_it(azure: BatchEmulator) -> None:
    azure.create_pool()
    begun = azure.arm("DELETE", "")
    assert begun.status == 202
    assert azure.arm("GET", "").body["properties"]["provisioningState"] == "Deleting"
    azure.clock.advance(60)
    assert azure.send("GET", begun.headers["Location"]).status == 200
    gone = azure.arm("GET", "")
    assert (gone.status, gone.code) == (404, "ResourceNotFound")
    assert "Microsoft.Batch/batchAccounts/genomicsbatch" in gone.body["error"]["message"]
    assert azure.batch("GET", "/pools").code == "AccountNotFound"
    assert azure.arm("DELETE", "").status == 204
    old = begun.headers["Location"].replace("2025-06-01", "2015-12-01")
    assert azure.send("GET", old).status == 404


def test_lists(azure: BatchEmulator) -> None:
    make(azure)
    in_group = azure.arm("GET", ACCOUNT_ID.rpartition("/")[0]).body["value"]
    everywhere = azure.arm("GET", f"{PROVIDER}/batchAccounts").body["value"]
    assert [one["name"] for one in in_group] == ["genomicsbatch", "other1"] == [one["name"] for one in everywhere]
    elsewhere = ACCOUNT_ID.rpartition("/")[0].replace(GROUP, "nowhere")
    assert azure.arm("GET", elsewhere).code == "ResourceGroupNotFound"


def test_keys_change_when_they_are_regenerated(azure: BatchEmulator) -> None:
    before = azure.arm("POST", "/listKeys").body
    after = azure.arm("POST", "/regenerateKeys", {"keyName": "Primary"}).body
    assert before["primary"] != after["primary"]
    assert before["secondary"] == after["secondary"]
    assert azure.arm("POST", "/regenerateKeys", {"keyName": "Third"}).status == 400


def test_names_can_be_asked_for(azure: BatchEmulator) -> None:
    path = f"{PROVIDER}/locations/eastus/checkNameAvailability"
    answers = [
        azure.arm("POST", path, {"name": name, "type": "Microsoft.Batch/batchAccounts"}).body
        for name in ("genomicsbatch", "free1", "Not Valid")
    ]
    assert [answer["nameAvailable"] for answer in answers] == [False, True, False]
    assert [answer.get("reason") for answer in answers] == ["AlreadyExists", None, "Invalid"]


def test_sizes_have_family_capabilities_and_end_of_support(azure: BatchEmulator) -> None:
    rows = azure.arm("GET", f"{PROVIDER}/locations/eastus/virtualMachineSkus").body["value"]
    sizes = {row["name"]: row for row in rows}
    capabilities = {pair["name"]: pair["value"] for pair in sizes["Standard_D4s_v5"]["capabilities"]}
    assert sizes["Standard_D4s_v5"]["familyName"] == "standardDSv5Family"
    assert (capabilities["vCPUs"], capabilities["HyperVGenerations"], capabilities["LowPriorityCapable"]) == (
        "4",
        "V1,V2",
        "True",
    )
    assert all(isinstance(value, str) for value in capabilities.values())
    assert any("batchSupportEndOfLife" in row for row in rows)
    assert azure.arm("GET", f"{PROVIDER}/locations/eastus/quotas").body["accountQuota"] > 0


def test_a_region_takes_only_so_many_accounts(azure: BatchEmulator) -> None:
    quota = azure.arm("GET", f"{PROVIDER}/locations/westus2/quotas").body["accountQuota"]
    answers = [make(azure, ACCOUNT_ID.replace("genomicsbatch", f"many{number}")) for number in range(quota + 1)]
    assert [answer.status for answer in answers] == [202] * quota + [409]
    assert answers[-1].code == "SubscriptionQuotaExceeded"


IDENTITY = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
)
KEY = "https://v.vault.azure.net/keys/k/1"


def access(**more: Any) -> dict[str, Any]:
    return {"properties": {"networkProfile": {"accountAccess": {"defaultAction": "Deny"} | more}}}


#: What is wrong -> the body of a new account, and the code.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown member": ({"colour": "red"}, "InvalidRequestContent"),
    "unknown property": ({"properties": {"colour": "red"}}, "InvalidRequestBody"),
    "region": ({"location": "atlantis"}, "LocationNotAvailableForResourceType"),
    "mode": ({"properties": {"poolAllocationMode": "Cloud"}}, "InvalidPropertyValue"),
    "vault without URL": ({"properties": {"keyVaultReference": {"id": "x"}}}, "MissingRequiredProperty"),
    "vault that is no id": (
        {"properties": {"keyVaultReference": {"id": "x", "url": "https://v/"}}},
        "LinkedInvalidPropertyId",
    ),
    "storage without id": ({"properties": {"autoStorage": {}}}, "MissingRequiredProperty"),
    "storage that is no id": ({"properties": {"autoStorage": {"storageAccountId": "x"}}}, "LinkedInvalidPropertyId"),
    "storage of another type": (
        {"properties": {"autoStorage": {"storageAccountId": IDENTITY}}},
        "LinkedInvalidPropertyId",
    ),
    "identity": ({"identity": {"type": "Robot"}}, "InvalidPropertyValue"),
    "no identities": ({"identity": {"type": "UserAssigned"}}, "MissingRequiredProperty"),
    "identity that is no id": (
        {"identity": {"type": "UserAssigned", "userAssignedIdentities": {"x": {}}}},
        "LinkedInvalidPropertyId",
    ),
    "key source": ({"properties": {"encryption": {"keySource": "Mine"}}}, "InvalidPropertyValue"),
    "no key": ({"properties": {"encryption": {"keySource": "Microsoft.KeyVault"}}}, "MissingRequiredProperty"),
    "key without identity": (
        {
            "properties": {
                "encryption": {"keySource": "Microsoft.KeyVault", "keyVaultProperties": {"keyIdentifier": KEY}}
            }
        },
        "InvalidPropertyValue",
    ),
    "public access": ({"properties": {"publicNetworkAccess": "Sometimes"}}, "InvalidPropertyValue"),
    "authentication": ({"properties": {"allowedAuthenticationModes": ["Magic"]}}, "InvalidPropertyValue"),
    "default action": (access(defaultAction="Maybe"), "InvalidPropertyValue"),
    "rule": (access(ipRules=[{"action": "Allow", "value": "nonsense"}]), "InvalidPropertyValue"),
    "rule of IPv6": (access(ipRules=[{"action": "Allow", "value": "2001:db8::/32"}]), "InvalidPropertyValue"),
    "rule without value": (access(ipRules=[{"action": "Allow"}]), "MissingRequiredProperty"),
    "rule that denies": (access(ipRules=[{"action": "Deny", "value": "10.0.0.1"}]), "InvalidPropertyValue"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_account_is_refused(azure: BatchEmulator, what: str) -> None:
    more, code = REFUSED[what]
    refused = azure.arm("PUT", OTHER, {"location": "eastus"} | more)
    assert (refused.status, refused.code) == (400, code)
    assert azure.arm("GET", OTHER).status == 404


def test_what_an_account_was_made_with_cannot_change(azure: BatchEmulator) -> None:
    make(azure)
    azure.clock.advance(15)
    read = azure.arm("GET", OTHER).body
    assert azure.arm("PUT", OTHER, read).status == 200
    vault = {"id": "x", "url": "https://v/"}
    for method, body, status, code in (
        ("PUT", {"poolAllocationMode": "UserSubscription", "keyVaultReference": vault}, 400, "InvalidPropertyValue"),
        ("PATCH", {"poolAllocationMode": "BatchService"}, 400, "InvalidRequestBody"),
        ("PATCH", {"keyVaultReference": vault}, 400, "InvalidRequestBody"),
        ("PATCH", {"publicNetworkAccess": "Sometimes"}, 400, "InvalidPropertyValue"),
    ):
        refused = azure.arm(method, OTHER, {"location": "westus2", "properties": body})
        assert (refused.status, refused.code) == (status, code)
    assert azure.arm("PATCH", OTHER, {"location": "eastus"}).code == "InvalidResourceLocation"
    changed = azure.arm("PATCH", OTHER, access(ipRules=[{"action": "Allow", "value": "10.0.0.0/8"}]))
    assert changed.body["properties"]["networkProfile"]["accountAccess"]["defaultAction"] == "Deny"


def test_pools_have_user_assigned_identities_only(azure: BatchEmulator) -> None:
    for identity, code in (
        ({"type": "SystemAssigned"}, "InvalidPropertyValue"),
        ({"type": "UserAssigned"}, "MissingRequiredProperty"),
        ({"userAssignedIdentities": {IDENTITY: {}}}, "MissingRequiredProperty"),
        ({"type": "None", "userAssignedIdentities": {IDENTITY: {}}}, "InvalidPropertyValue"),
        ({"type": "UserAssigned", "userAssignedIdentities": {"x": {}}}, "LinkedInvalidPropertyId"),
    ):
        refused = azure.arm("PUT", f"{ACCOUNT_ID}/pools/p", arm_pool_body() | {"identity": identity})
        assert (refused.status, refused.code) == (400, code)
    mine = {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
    assert azure.arm("PUT", f"{ACCOUNT_ID}/pools/p", arm_pool_body() | {"identity": mine}).status == 200
