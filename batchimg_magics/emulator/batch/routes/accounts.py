"""Batch accounts in Azure Resource Manager: create, read, change, delete, keys, quotas, supported VM sizes.

Source: recorded accounts (2024-02-01, 2024-07-01, 2025-06-01), the recorded quotas of a new account
(``data/new_account_quotas.json``), and Microsoft's OpenAPI for what no recording has.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.batch.model import account_rules
from batchimg_magics.emulator.batch.model.accounts import (
    ACCOUNT_QUOTA,
    CREATE_S,
    DELETE_S,
    KIND,
    RETRY_AFTER_S,
    TYPE,
    account_id,
    account_keys,
    need,
    new_account,
    storage_properties,
    with_scenario_quotas,
)
from batchimg_magics.emulator.batch.rest.bodies import checked_body
from batchimg_magics.emulator.batch.rest.errors import refusal, with_request_info
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.catalog.vm_sizes import VmSize, all_sizes, capabilities
from batchimg_magics.emulator.compute.model.size_offers import is_offered
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.http.dates import change_ticks, etag, header_date, ticks
from batchimg_magics.emulator.http.messages import Refusal, Reply, Routes
from batchimg_magics.emulator.http.planes import is_local
from batchimg_magics.emulator.world.clock import SPEED_HEADER, stored_speed

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

_NAME = re.compile(r"[a-z0-9]{3,24}")
_UPDATABLE = ("allowedAuthenticationModes", "autoStorage", "encryption", "networkProfile", "publicNetworkAccess")

_PROVIDER = "/subscriptions/{subscription}/providers/Microsoft.Batch"
routes = Routes("arm", "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Batch/batchAccounts")
subscription_routes = Routes("arm", _PROVIDER)


def _document(call: Call, document: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return how a response shows an account: with its current quotas and its endpoint.

    Clients put ``https://`` before the endpoint and use it (``az batch account login``). A client that uses a host of
    this machine must not be directed to Azure's.
    """
    if document is None:
        return None
    inner = with_scenario_quotas(call.store, document["properties"])
    if is_local(call.host):
        inner = inner | {"accountEndpoint": f"{call.base.partition('://')[2]}/{document['name']}"}
    return document | {"properties": inner}


def _list_accounts(call: Call) -> Reply:
    return Reply(200, {"value": [_document(call, document) for document in resources.list_documents(call, TYPE)]})


def _show(call: Call, item: Item) -> Reply:
    modified = item.hidden.get("modified") or ticks(float(call.store.meta("start")))
    headers = {
        "ETag": f'"{etag(modified)}"',
        "Last-Modified": header_date(modified),
        scenarios.HEADER: scenarios.current_name(call.store),
    }
    if (speed := stored_speed(call.store)) is not None:
        headers[SPEED_HEADER] = f"{speed:g}"
    return Reply(200, _document(call, resources.document_at(item, call.now)), headers)


def _begin(call: Call, item: Item, kind: str, seconds: float) -> Reply:
    """Begin an operation on an account, and answer with the URL of its result."""
    operation = call.store.new_guid(kind + item.key)
    item.hidden["work"] = {"kind": kind, "begin": call.now, "end": call.now + seconds, "doc": None}
    item.hidden["operations"] = {**item.hidden.get("operations", {}), operation: [kind, call.now, call.now + seconds]}
    call.store.put(item)
    return _wait(call, operation, ticks(call.now))


def _wait(call: Call, operation: str, asked: int) -> Reply:
    query = urlencode({"api-version": call.api_version, "t": asked})
    where = f"{call.base}{account_id(call)}/operationResults/{operation}?{query}"
    return Reply(202, None, {"Location": where, "Retry-After": str(RETRY_AFTER_S)})


@routes.on("PUT", "/{account}")
@with_request_info
def create(call: Call) -> Reply:
    """Create an account, or replace the properties that can change."""
    body = checked_body(call.body)
    resources.need_group(call)
    key = account_id(call)
    found = resources.find(call.store, call.now, key)
    if not body.get("location", "").strip():
        raise Refusal(400, "LocationRequired", "The location property is required for this definition.")
    resources.refuse_other_region(found, body["location"])
    if found is not None:
        account_rules.check_change(call, found, body, whole=True)
        return _change(call, found, body)
    _check(call, body)
    return _begin(call, new_account(call.store, call.now, key, body), "Creating", CREATE_S)


def _check(call: Call, body: dict[str, Any]) -> None:
    """Refuse an account that cannot be created."""
    name, region = call.params["account"], regions.region_name(body["location"])
    if not _NAME.fullmatch(name):
        raise Refusal(
            400,
            "InvalidAccountName",
            "The specified account name is invalid. It must be 3 to 24 characters of lower case letters and numbers.",
            target="BatchAccount",
        )
    account_rules.check_new(call, body)
    under = f"/subscriptions/{call.params['subscription']}"
    existing = [item for item in call.store.items(KIND, under) if resources.document_at(item, call.now) is not None]
    if sum(item.doc["location"] == region for item in existing) >= ACCOUNT_QUOTA:
        message = "The regional Account quota for the specified subscription has been reached."
        raise Refusal(409, "SubscriptionQuotaExceeded", message, target="BatchAccount")


def _change(call: Call, item: Item, body: dict[str, Any]) -> Reply:
    asked = body.get("properties", {})
    given = {name: asked[name] for name in _UPDATABLE if name in asked}
    if storage := given.pop("autoStorage", None):
        given["autoStorage"] = storage_properties(storage, call.now)
    item.doc["properties"].update(given)
    if "tags" in body:
        item.doc["tags"] = body["tags"]
    if "identity" in body:
        item.doc["identity"] = resources.with_identity_ids(call.store, item.key, body["identity"])
    item.hidden["modified"] = change_ticks(call.now, item.hidden.get("modified", 0))
    call.store.put(item)
    return _show(call, item)


@routes.on("PATCH", "/{account}")
@with_request_info
def update(call: Call) -> Reply:
    """Update an account."""
    body, item = checked_body(call.body), need(call)
    account_rules.check_change(call, item, body, whole=False)
    return _change(call, item, body)


@routes.on("GET", "/{account}")
@with_request_info
def get(call: Call) -> Reply:
    """Answer with an account; the first api-versions refuse a missing one by the service, not by ARM's gateway."""
    if call.api_version < "2015" and resources.find(call.store, call.now, account_id(call)) is None:
        raise refusal("AccountNotFound")
    return _show(call, need(call))


@routes.on("DELETE", "/{account}")
def delete(call: Call) -> Reply:
    """Delete an account with all its resources; 204 if it does not exist."""
    resources.need_group(call)
    item = resources.find(call.store, call.now, account_id(call))
    if item is None:
        return Reply(204)
    for kind in ("pools", "pools/users", "jobs", "jobs/tasks", "jobschedules", "deletedfiles"):
        for inner in call.store.items(f"{KIND}/{kind}", item.key):
            call.store.delete(inner.key)
    return _begin(call, item, "Deleting", DELETE_S)


@routes.on("GET", "/{account}/operationResults/{operation}")
def operation_result(call: Call) -> Reply:
    """Answer with the state of an operation on an account; for a deleted account the oldest api-versions answer 404."""
    operation = call.params["operation"]
    item = call.store.get(account_id(call))
    kind, began, end = (item.hidden.get("operations", {}) if item else {}).get(operation, ("", 0.0, 0.0))
    if item is None or not kind:
        raise resources.not_found(call, account_id(call))
    first = call.query.get("t") == str(ticks(began))
    if call.now < (max(end, began + RETRY_AFTER_S) if first else end):
        return _wait(call, operation, change_ticks(call.now, ticks(began)))
    if kind == "Deleting":
        if call.api_version <= "2015-12-01":
            raise resources.not_found(call, account_id(call))
        return Reply(200)
    return _show(call, need(call))


@routes.on("GET", "")
def list_in_group(call: Call) -> Reply:
    """List the accounts of a resource group."""
    return _list_accounts(call)


@subscription_routes.on("GET", "/batchAccounts")
def list_all(call: Call) -> Reply:
    """List the accounts of a subscription."""
    return _list_accounts(call)


@routes.on("POST", "/{account}/listKeys")
def list_keys(call: Call) -> Reply:
    """Answer with the keys of an account; requests for custom images need Entra ID instead."""
    item = need(call)
    return Reply(200, account_keys(item))


@routes.on("POST", "/{account}/regenerateKeys")
@with_request_info
def regenerate_key(call: Call) -> Reply:
    """Regenerate one of the keys of an account."""
    item = need(call)
    name = str(checked_body(call.body or {}).get("keyName", "")).lower()
    if name not in ("primary", "secondary"):
        raise refusal("InvalidRequestBody", ("Reason", "keyName must be Primary or Secondary"))
    rounds = item.hidden.setdefault("keys", {})
    rounds[name] = rounds.get(name, 0) + 1
    call.store.put(item)
    return Reply(200, account_keys(item))


@subscription_routes.on("GET", "/locations/{location}/quotas")
def location_quotas(_: Call) -> Reply:
    """Answer with the maximum number of accounts in a region."""
    return Reply(200, {"accountQuota": ACCOUNT_QUOTA})


@subscription_routes.on("POST", "/locations/{location}/checkNameAvailability")
def check_name(call: Call) -> Reply:
    """Answer whether the name of an account is available in a region."""
    name, region = str(checked_body(call.body or {}).get("name", "")), call.params["location"].lower()
    if not _NAME.fullmatch(name):
        message = "The account name must be 3 to 24 characters of lower case letters and numbers."
        return Reply(200, {"nameAvailable": False, "reason": "Invalid", "message": message})
    taken = any(
        item.key.endswith(f"/{name}") and item.doc["location"] == region and resources.document_at(item, call.now)
        for item in call.store.items(KIND)
    )
    if taken:
        message = f"An account named '{name}' is already in use."
        return Reply(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": message})
    return Reply(200, {"nameAvailable": True})


@subscription_routes.on("GET", "/locations/{location}/virtualMachineSkus")
def list_sizes(call: Call) -> Reply:
    """List the VM sizes that Batch supports in a region: those that Compute offers there."""
    region = regions.region_name(call.params["location"])
    return Reply(200, {"value": [_sku(size) for size in all_sizes().values() if is_offered(size, region)]})


def _sku(size: VmSize) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": size.name,
        "familyName": size.family,
        "capabilities": [{"name": name, "value": value} for name, value in capabilities(size)],
    }
    return row | (
        {"batchSupportEndOfLife": f"{size.batch_end_of_life}T00:00:00Z"} if size.batch_end_of_life is not None else {}
    )
