"""Batch accounts: how a request finds its account, its quotas and keys, and the properties of a new one.

Source: the recorded quotas of a new account (``data/new_account_quotas.json``).
"""

from __future__ import annotations

import base64
import functools
import importlib.resources
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.batch.rest.errors import refusal
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.http.dates import batch_timestamp, ticks
from batchimg_magics.emulator.http.planes import BATCH_SUFFIX
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Store

TYPE = "Microsoft.Batch/batchAccounts"
KIND = TYPE.lower()
evidence = Evidence("Batch accounts")
RETRY_AFTER_S = evidence.recorded(
    15, "s", "Retry-After of operations on an account, and of the deletion of a pool", "recordings"
)
CREATE_S = evidence.assumed(
    0.0,
    "s",
    "creation of an account, as its operation URL reports it after Retry-After",
    "the URL of a recorded account answered 202 after 0.2 s and 200 after 15 s; nothing is recorded between",
)
DELETE_S = evidence.assumed(30.0, "s", "deletion of an account", "no recording shows its end")
ACCOUNT_QUOTA = evidence.documented(
    3, "accounts", "in a region", "Microsoft's page of Batch quotas (1 to 3 by default); azure-mgmt-batch's own tests"
)
evidence.rule(
    "Every new account has the quotas of the account whose creation was recorded.",
    "Azure's quotas depend on the subscription",
)


def account_id(call: Call) -> str:
    """Return the ARM id of the account in the request's path."""
    params = call.params
    group = f"/subscriptions/{params['subscription']}/resourceGroups/{params['group']}"
    return f"{group}/providers/{TYPE}/{params['account']}"


def need(call: Call) -> Item:
    """Return the account of a request on either plane, or refuse."""
    if "subscription" not in call.params:
        if (item := find_by_name(call)) is None:
            raise refusal("AccountNotFound")
        return item
    return resources.need(call, account_id(call))


def need_or_create(call: Call) -> Item:
    """Return the account of a request that writes; in open mode an account that does not exist is created.

    Recordings begin in the middle: they do not show the creation of their accounts.
    """
    key = account_id(call)
    if resources.find(call.store, call.now, key) is None and is_open(call.store):
        region = call.host.partition(".management.")[0] if ".management." in call.host else "eastus"
        call.store.put(new_account(call.store, call.now, key, {"location": region}))
    return need(call)


def find_by_name(call: Call) -> Item | None:
    """Return the account of a request to the data plane, which names it in the host; None if it does not exist.

    The host has its region, too: accounts of one name may be in several regions.
    """
    name = str(call.params.get("account") or call.store.meta("account") or "").lower()
    region = "" if is_open(call.store) else _region_of(call.host)
    found = (
        item
        for item in call.store.items(KIND)
        if item.key.endswith(f"/{name}") and region in ("", str(item.doc.get("location")).lower().replace(" ", ""))
    )
    return next((item for item in found if resources.document_at(item, call.now) is not None), None)


@functools.lru_cache(maxsize=256)
def _region_of(host: str) -> str:
    """Return the region in a host of Batch; empty if there is none, as on hosts of this machine."""
    labels = host.lower().removesuffix(BATCH_SUFFIX).split(".")
    return labels[1] if host.lower().endswith(BATCH_SUFFIX) and len(labels) == 2 else ""


def current_properties(store: Store, item: Item) -> dict[str, Any]:
    """Return the properties of an account, with its current quotas."""
    return with_scenario_quotas(store, item.doc["properties"])


def with_scenario_quotas(store: Store, properties: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of a Batch account with the quotas of the current scenario."""
    most = scenarios.current(store).account_quotas
    if not most:
        return properties
    small: dict[str, Any] = {
        name: min(properties[name], most[name])
        for name in ("dedicatedCoreQuota", "lowPriorityCoreQuota")
        if name in properties
    }
    families = properties.get("dedicatedCoreQuotaPerVMFamily")
    if families:
        cores = most["dedicatedCoreQuotaPerVMFamily"]
        small["dedicatedCoreQuotaPerVMFamily"] = [
            family | {"coreQuota": min(family["coreQuota"], cores)} for family in families
        ]
    return properties | small


@functools.cache
def _family_quotas() -> list[dict[str, Any]]:
    text = (
        importlib.resources.files("batchimg_magics.emulator.catalog")
        .joinpath("data/new_account_quotas.json")
        .read_bytes()
    )
    quotas: dict[str, int] = msgspec.json.decode(text)
    return [{"name": name, "coreQuota": cores} for name, cores in quotas.items()]


def new_account(store: Store, now: float, key: str, body: dict[str, Any]) -> Item:
    """Return a new account for the body of a request."""
    name, region, asked = key.rpartition("/")[2], body["location"].replace(" ", "").lower(), body.get("properties", {})
    mode = asked.get("poolAllocationMode", "BatchService")
    inner: dict[str, Any] = {
        "accountEndpoint": f"{name}.{region}.batch.azure.com",
        "nodeManagementEndpoint": f"{store.new_guid(key)}.{region}.service.batch.azure.com",
        "provisioningState": "Succeeded",
        "poolQuota": 100,
        "activeJobAndJobScheduleQuota": 300,
        "poolAllocationMode": mode,
        "publicNetworkAccess": asked.get("publicNetworkAccess", "Enabled"),
        "privateEndpointConnections": [],
        "encryption": asked.get("encryption", {"keySource": "Microsoft.Batch"}),
        "allowedAuthenticationModes": asked.get(
            "allowedAuthenticationModes", ["SharedKey", "AAD", "TaskAuthenticationToken"]
        ),
    }
    if mode == "BatchService":
        inner |= {
            "dedicatedCoreQuota": 500,
            "dedicatedCoreQuotaPerVMFamily": _family_quotas(),
            "dedicatedCoreQuotaPerVMFamilyEnforced": True,
            "lowPriorityCoreQuota": 500,
        }
    inner |= {same: asked[same] for same in ("keyVaultReference", "networkProfile") if same in asked}
    if storage := asked.get("autoStorage"):
        inner["autoStorage"] = storage_properties(storage, now)
    document = {"id": key, "name": name, "type": TYPE, "location": region, "properties": inner}
    document["identity"] = resources.with_identity_ids(store, key, body.get("identity", {}))
    if "tags" in body:
        document["tags"] = body["tags"]
    return Item(key.lower(), KIND, document, {"modified": ticks(now)})


def storage_properties(asked: dict[str, Any], now: float) -> dict[str, Any]:
    """Return the auto-storage of an account as it is shown; its keys are synchronized when it is set."""
    if "storageAccountId" not in asked:
        raise refusal("MissingRequiredProperty", ("PropertyName", "storageAccountId"))
    return {"authenticationMode": "StorageKeys", **asked, "lastKeySync": batch_timestamp(now)}


def account_keys(item: Item) -> dict[str, str]:
    """Return an account's name and keys."""
    rounds = item.hidden.get("keys", {})
    both = {
        name: base64.b64encode(f"{item.key}/{name}/{rounds.get(name, 0)}".encode()).decode()
        for name in ("primary", "secondary")
    }
    return {"accountName": item.doc["name"], **both}
