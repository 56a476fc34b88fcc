"""The network of a Batch account in Azure Resource Manager: private links, perimeters, the endpoints that nodes need.

The emulator has no private endpoints and no network security perimeters. An account has connections only if it was
imported with them.

Source: Microsoft's OpenAPI (2024-02-01); its example for the endpoints that nodes need; "Use private endpoints with
Azure Batch accounts" for the resources of private links.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.model import accounts
from batchimg_magics.emulator.batch.rest.bodies import checked_body
from batchimg_magics.emulator.batch.rest.errors import missing_property, refusal, with_request_info
from batchimg_magics.emulator.http.dates import batch_timestamp
from batchimg_magics.emulator.http.messages import Refusal, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

routes = Routes(
    "arm", "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Batch/batchAccounts/{account}"
)
evidence = Evidence("Network of Batch accounts")
evidence.rule(
    "An account without auto-storage, or with auto-storage that it accesses with an identity, refuses to synchronize "
    "its keys with OperationInvalidForCurrentState.",
    "OpenAPI says only that keys are synchronized if they are used",
)
evidence.rule(
    "No private endpoint can be created, and no network security perimeter; the lists of an account are empty.",
    "the emulator has no resources of these types",
)
#: The resources of an account for private endpoints, and the zone in which both have their names.
_LINKS = ("batchAccount", "nodeManagement")
_ZONE = "privatelink.batch.azure.com"
_CONNECTIONS = "privateEndpointConnections"
_ALL_POOLS = "Applicable to all Azure Batch pools."


def _link(call: Call, name: str) -> dict[str, Any]:
    return {
        "id": f"{accounts.account_id(call)}/privateLinkResources/{name}",
        "name": name,
        "type": f"{accounts.TYPE}/privateLinkResources",
        "properties": {"groupId": name, "requiredMembers": [name], "requiredZoneNames": [_ZONE]},
    }


@routes.on("GET", "/privateLinkResources")
def list_links(call: Call) -> Reply:
    """List the resources of an account that private endpoints can connect to."""
    accounts.need(call)
    return Reply(200, {"value": [_link(call, name) for name in _LINKS]})


@routes.on("GET", "/privateLinkResources/{link}")
@with_request_info
def get_link(call: Call) -> Reply:
    """Answer with a resource that private endpoints can connect to."""
    accounts.need(call)
    name = next((name for name in _LINKS if name.lower() == call.params["link"].lower()), None)
    if name is None:
        raise refusal("ResourceNotFound")
    return Reply(200, _link(call, name))


def _connections(account: Item) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = account.doc["properties"].get(_CONNECTIONS, [])
    return found


def _connection(call: Call) -> tuple[Item, dict[str, Any] | None]:
    """Return the account of a request and its connection, None if there is none with the name."""
    account, name = accounts.need(call), call.params["connection"].lower()
    return account, next((one for one in _connections(account) if one["name"].lower() == name), None)


@routes.on("GET", "/privateEndpointConnections")
def list_connections(call: Call) -> Reply:
    """List an account's private endpoint connections."""
    return Reply(200, {"value": _connections(accounts.need(call))})


@routes.on("GET", "/privateEndpointConnections/{connection}")
@with_request_info
def get_connection(call: Call) -> Reply:
    """Answer with a private endpoint connection."""
    _, found = _connection(call)
    if found is None:
        raise refusal("ResourceNotFound")
    return Reply(200, found)


@routes.on("PATCH", "/privateEndpointConnections/{connection}")
@with_request_info
def update_connection(call: Call) -> Reply:
    """Approve or reject a private endpoint connection."""
    body = checked_body(call.body).get("properties", {})
    account, found = _connection(call)
    if found is None:
        raise refusal("ResourceNotFound")
    state = body.get("privateLinkServiceConnectionState")
    if state is None:
        raise missing_property("privateLinkServiceConnectionState")
    found["properties"]["privateLinkServiceConnectionState"] = state
    call.store.put(account)
    return Reply(200, found)


@routes.on("DELETE", "/privateEndpointConnections/{connection}")
def delete_connection(call: Call) -> Reply:
    """Delete a private endpoint connection; 204 also if there is none."""
    account, found = _connection(call)
    if found is not None:
        _connections(account).remove(found)
        call.store.put(account)
    return Reply(204)


@routes.on("GET", "/networkSecurityPerimeterConfigurations")
def list_perimeters(call: Call) -> Reply:
    """List the network security perimeters of an account: there are none."""
    accounts.need(call)
    return Reply(200, {"value": []})


@routes.on("GET", "/networkSecurityPerimeterConfigurations/{configuration}")
@routes.on("POST", "/networkSecurityPerimeterConfigurations/{configuration}/reconcile")
@with_request_info
def get_perimeter(call: Call) -> Reply:
    """Refuse to read or reconcile a network security perimeter: there are none."""
    accounts.need(call)
    name = f"{call.params['account']}/networkSecurityPerimeterConfigurations/{call.params['configuration']}"
    raise Refusal(404, "ResourceNotFound", f"The Resource '{accounts.TYPE}/{name}' was not found.")


@routes.on("GET", "/outboundNetworkDependenciesEndpoints")
def outbound_endpoints(call: Call) -> Reply:
    """List the endpoints that nodes of an account need."""
    account = accounts.need(call)
    inner, region = account.doc["properties"], account.doc["location"]
    own = "Applicable to job manager tasks, tasks that use job scoped authentication, or any task that calls Batch."
    batch = [(inner["accountEndpoint"], own), (f"{region}.service.batch.azure.com", _ALL_POOLS)]
    storage = [(f"*.{kind}.core.windows.net", _ALL_POOLS) for kind in ("blob", "table", "queue")]
    if automatic := inner.get("autoStorage"):
        name = automatic["storageAccountId"].rpartition("/")[2]
        storage.insert(0, (f"{name}.blob.core.windows.net", "The auto-storage of this Batch account."))
    groups = {
        "Azure Batch": batch,
        "Azure Storage": storage,
        "Microsoft Package Repository": [("packages.microsoft.com", "Only for pools with a mount configuration.")],
        "Azure Key Vault": [("*.vault.azure.net", "Only for pools with disk encryption.")],
    }
    rows = [{"category": name, "endpoints": [_endpoint(*one) for one in group]} for name, group in groups.items()]
    return Reply(200, {"value": rows})


def _endpoint(domain: str, description: str) -> dict[str, Any]:
    return {"domainName": domain, "description": description, "endpointDetails": [{"port": 443}]}


@routes.on("POST", "/syncAutoStorageKeys")
@with_request_info
def synchronize_keys(call: Call) -> Reply:
    """Synchronize the keys of the auto-storage of an account."""
    account = accounts.need(call)
    storage = account.doc["properties"].get("autoStorage")
    if storage is None or storage.get("authenticationMode", "StorageKeys") != "StorageKeys":
        raise refusal("OperationInvalidForCurrentState", ("Reason", "The account uses no keys of an auto-storage"))
    storage["lastKeySync"] = batch_timestamp(call.now)
    call.store.put(account)
    return Reply(204)
