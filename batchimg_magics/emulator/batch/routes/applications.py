"""Applications of a Batch account and their packages, in Azure Resource Manager.

Source: Microsoft's OpenAPI (2024-02-01); the texts of refusals are assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.model import accounts
from batchimg_magics.emulator.batch.rest.bodies import checked_body
from batchimg_magics.emulator.batch.rest.errors import refusal, with_request_info
from batchimg_magics.emulator.http.dates import batch_timestamp, etag, ticks
from batchimg_magics.emulator.http.messages import Refusal, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call

TYPE = f"{accounts.TYPE}/applications"
VERSIONS = f"{TYPE}/versions"
evidence = Evidence("Applications")
_URL_S = evidence.assumed(4 * 3600.0, "s", "that the upload URL of a new package is valid", "no recording shows one")
evidence.rule(
    "The emulator has no storage: a package can be activated without an upload.",
    "the contents of a package matter only when nodes run tasks",
)
_SETTABLE = ("displayName", "allowUpdates", "defaultVersion")

routes = Routes(
    "arm",
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Batch/batchAccounts/{account}/applications",
)


def _key(call: Call) -> str:
    tail = "".join(
        f"/{word}/{call.params[name]}"
        for word, name in (("applications", "name"), ("versions", "version"))
        if name in call.params
    )
    return accounts.account_id(call) + tail


def _need(call: Call) -> Item:
    accounts.need(call)
    item = call.store.get(_key(call))
    if item is None:
        raise Refusal(404, "ApplicationNotFound", "The specified application or its package does not exist.")
    return item


def _keep(call: Call, kind: str, properties: dict[str, Any]) -> Reply:
    key = _key(call)
    tag = f'W/"{etag(ticks(call.now))}"'
    document = {"id": key, "name": key.rpartition("/")[2], "type": kind, "etag": tag, "properties": properties}
    call.store.put(Item(key.lower(), kind.lower(), document))
    return Reply(200, document, {"ETag": tag})


@routes.on("GET", "")
def list_applications(call: Call) -> Reply:
    """List an account's applications."""
    account = accounts.need(call)
    return Reply(200, {"value": [item.doc for item in call.store.items(TYPE.lower(), account.key)]})


@routes.on("GET", "/{name}")
@routes.on("GET", "/{name}/versions/{version}")
@with_request_info
def get(call: Call) -> Reply:
    """Answer with an application, or one of its packages."""
    item = _need(call)
    return Reply(200, item.doc, {"ETag": item.doc["etag"]} if "etag" in item.doc else {})


@routes.on("PUT", "/{name}")
@with_request_info
def put(call: Call) -> Reply:
    """Create or update an application."""
    accounts.need(call)
    return _set(call, {"allowUpdates": True})


@routes.on("PATCH", "/{name}")
@with_request_info
def patch(call: Call) -> Reply:
    """Update an application."""
    return _set(call, _need(call).doc["properties"])


def _set(call: Call, before: dict[str, Any]) -> Reply:
    asked = checked_body(call.body or {}).get("properties", {})
    properties = before | {name: asked[name] for name in _SETTABLE if name in asked}
    default = properties.get("defaultVersion")
    if default and call.store.get(f"{_key(call)}/versions/{default}") is None:
        raise refusal("InvalidPropertyValue", ("PropertyName", "defaultVersion"), ("PropertyValue", str(default)))
    return _keep(call, TYPE, properties)


@routes.on("DELETE", "/{name}")
@routes.on("DELETE", "/{name}/versions/{version}")
@with_request_info
def delete(call: Call) -> Reply:
    """Delete an application without packages, or a package."""
    accounts.need(call)
    item = call.store.get(_key(call))
    if item is None:
        return Reply(204)
    if any(call.store.items(VERSIONS.lower(), item.key)) and item.kind == TYPE.lower():
        raise Refusal(409, "ApplicationContainsPackages", "The application has packages: delete them first.")
    call.store.delete(item.key)
    return Reply(200)


@routes.on("GET", "/{name}/versions")
@with_request_info
def list_packages(call: Call) -> Reply:
    """List an application's packages."""
    application = _need(call)
    return Reply(200, {"value": [item.doc for item in call.store.items(VERSIONS.lower(), application.key)]})


@routes.on("PUT", "/{name}/versions/{version}")
@with_request_info
def put_package(call: Call) -> Reply:
    """Create a package, with an upload URL until it is activated."""
    accounts.need(call)
    if call.store.get(_key(call).rpartition("/versions/")[0]) is None:
        raise Refusal(404, "ApplicationNotFound", "The specified application does not exist.")
    url = f"https://localazure.blob.core.windows.net/app-{call.params['name']}/{call.params['version']}.zip"
    pending = {"state": "Pending", "storageUrl": url, "storageUrlExpiry": batch_timestamp(call.now + _URL_S)}
    return _keep(call, VERSIONS, pending)


@routes.on("POST", "/{name}/versions/{version}/activate")
@with_request_info
def activate(call: Call) -> Reply:
    """Activate a package, so that pools can use it."""
    package = _need(call).doc["properties"]
    asked = checked_body(call.body or {})
    done = {"state": "Active", "format": asked.get("format", "zip"), "lastActivationTime": batch_timestamp(call.now)}
    return _keep(call, VERSIONS, package | done)
