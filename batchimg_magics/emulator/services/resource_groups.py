"""Resource groups: create, list, delete with all their resources; and lists of resources of any type."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm import bodies, resources
from batchimg_magics.emulator.batch.model import accounts
from batchimg_magics.emulator.catalog.regions import region_name
from batchimg_magics.emulator.http import odata_filter
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from collections.abc import Callable

GROUPS = "microsoft.resources/resourcegroups"
_DELETION = "microsoft.resources/operationresults"
evidence = Evidence("Resource groups")
DELETE_S = evidence.assumed(
    180.0,
    "s",
    "deletion of a resource group",
    "no recording shows its end; not less than the deletion of a VM or an image version in it",
)
#: Characters in the name of a group, at most.
NAME_LENGTH = 90
#: Source: recorded deletions of groups in the tests of Azure's SDKs: 202, Location, Retry-After 15 until it is done.
RETRY_AFTER_S = 15
#: The properties in a list of resources. Source: GenericResourceExpanded of Microsoft.Resources.
_LISTED_PROPERTIES = ("id", "name", "type", "location", "sku", "tags", "identity", "kind", "managedBy", "plan", "zones")

_GROUP = "/subscriptions/{subscription}/resourcegroups/{group}"
routes = Routes("arm")


@routes.on("GET", "/subscriptions/{subscription}/resourcegroups")
def list_groups(call: Call) -> Reply:
    """Answer with the resource groups of a subscription."""
    resources.need_subscription(call)
    wanted = _row_filter(call)
    groups = call.store.items(GROUPS, f"/subscriptions/{call.params['subscription']}/resourcegroups")
    shown = [document for item in groups if (document := resources.document_at(item, call.now)) is not None]
    return Reply(200, {"value": _top(call, [document for document in shown if wanted(document)])})


def _top(call: Call, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first rows, if the request asks for a number of them."""
    text = call.query.get("$top", "")
    if not text:
        return rows
    if not text.isdecimal() or not int(text):
        raise Refusal(400, "InvalidTopInQueryString", f"Invalid $top '{text}' specified in the query string.")
    return rows[: int(text)]


@routes.on("GET", _GROUP)
def get_group(call: Call) -> Reply:
    """Answer with one resource group, 204 to a HEAD."""
    try:
        document = resources.need_group(call)
    except Refusal:
        if call.method == "HEAD":
            return Reply(404)
        raise
    return Reply(204) if call.method == "HEAD" else Reply(200, document or _new_group(call, {}))


@routes.on("PUT", _GROUP)
def put_group(call: Call) -> Reply:
    """Create a resource group, or change its tags; its region cannot change."""
    resources.need_subscription(call)
    call.body = bodies.body_of(call)
    bodies.location_of(call)
    document = _new_group(call, call.body)
    old = resources.find(call.store, call.now, document["id"])
    if old is None:
        _check_name(call.params["group"])
    else:
        resources.need_group(call)  # not one that is being deleted
    if old is not None and old.doc["location"].lower() != document["location"].lower():
        message = (
            f"Invalid resource group location '{document['location']}'. The Resource group already exists in location "
            f"'{old.doc['location']}'."
        )
        raise Refusal(409, "InvalidResourceGroupLocation", message)
    top = f"/subscriptions/{call.params['subscription']}".lower()
    if call.store.get(top) is None:  # from now on it is listed
        known = resources.new_subscription(call.params["subscription"])
        call.store.put(Item(top, resources.SUBSCRIPTIONS, known))
    call.store.put(Item(document["id"].lower(), GROUPS, document))
    return Reply(201 if old is None else 200, document)


def _check_name(name: str) -> None:
    """Refuse a name that no group can have.

    Source: "Naming rules and restrictions for Azure resources"; the texts, but for the last one, in issue threads.
    """
    wrong = "".join(dict.fromkeys(sign for sign in name if not (sign.isalnum() or sign in "-.()_")))
    if len(name) > NAME_LENGTH:
        problem = f"has a length of '{len(name)}' which exceeds the maximum length of '{NAME_LENGTH}'."
    elif wrong:
        allowed = "The name can only be a letter, digit, '-', '.', '(', ')' or '_'."
        problem = f"has these invalid characters: '{wrong}'. {allowed}"
    elif name.endswith("."):
        problem = "must not end with '.'."
    else:
        return
    raise Refusal(400, "InvalidResourceGroup", f"The provided resource group name '{name}' {problem}")


@routes.on("PATCH", _GROUP)
def patch_group(call: Call) -> Reply:
    """Change the tags of a resource group; nothing else of it can change."""
    resources.need_group(call)
    body = bodies.body_of(call)
    key = f"/subscriptions/{call.params['subscription']}/resourcegroups/{call.params['group']}"
    group = call.store.get(key)
    document = _new_group(call, {}) if group is None else group.doc
    if "name" in body and str(body["name"]).lower() != document["name"].lower():
        message = f"The resource group name '{body['name']}' does not match that of the URL, '{document['name']}'."
        raise Refusal(400, "ResourceGroupNameMismatch", message)
    if body.get("tags") is not None:
        document["tags"] = body["tags"]
    call.store.put(Item(key.lower(), GROUPS, document) if group is None else group)
    return Reply(200, document)


def _new_group(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    group = call.params["group"]
    document: dict[str, Any] = {
        "id": f"/subscriptions/{call.params['subscription']}/resourceGroups/{group}",
        "name": group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": region_name(body.get("location", "")),
        "properties": {"provisioningState": "Succeeded"},
    }
    return document | ({"tags": body["tags"]} if "tags" in body else {})


# -- deletion ----------------------------------------------------------------------------------------------------


@routes.on("DELETE", _GROUP)
def delete_group(call: Call) -> Reply:
    """Begin to delete a resource group with all its resources, even if they are in use."""
    document = resources.need_group(call) or _new_group(call, {})
    group = call.store.get(document["id"])
    path = _deletion_of(call, document)
    if group is None or resources.current_operation(group, call.now):
        return _wait(call, path)
    ends = call.now + DELETE_S
    for item in [group, *call.store.items_below(group.key)]:
        if item.kind.startswith(f"{accounts.KIND}/"):  # deleted at once, as with its account
            call.store.delete(item.key)
        elif resources.document_at(item, call.now) is not None:
            resources.delete_until(call.store, item, call.now, ends)
    call.store.put(Item(path.lower(), _DELETION, {"id": path}, {"end": ends}))
    return _wait(call, path)


def _deletion_of(call: Call, group: dict[str, Any]) -> str:
    """Return the URL of the deletion of a group; it contains the name of the group (recorded)."""
    region = group["location"].lower()
    job = {"jobId": f"RESOURCEGROUPDELETIONJOB-{group['name'].upper()}-{region.upper()}", "jobLocation": region}
    name = base64.urlsafe_b64encode(msgspec.json.encode(job)).rstrip(b"=").decode()
    return f"/subscriptions/{call.params['subscription']}/operationresults/{name}"


def _wait(call: Call, path: str) -> Reply:
    where = f"{call.base}{path}?api-version={call.api_version}"
    return Reply(202, None, {"Location": where, "Retry-After": str(RETRY_AFTER_S)})


@routes.on("GET", "/subscriptions/{subscription}/operationresults/{job}")
def get_deletion(call: Call) -> Reply:
    """Answer whether the deletion of a group is done."""
    item = call.store.get(call.path)
    if item is None:
        raise Refusal(404, "NotFound", "The operation was not found.")
    return _wait(call, item.doc["id"]) if call.now < item.hidden["end"] else Reply(200)


# -- resources ---------------------------------------------------------------------------------------------------


def _list(call: Call) -> Reply:
    """Answer with the resources with a location in a group or a subscription, of any type."""
    resources.need_subscription(call)
    under = f"/subscriptions/{call.params['subscription']}/resourcegroups"
    if "group" in call.params:
        resources.need_group(call)
        under += f"/{call.params['group']}"
    wanted, expand = _row_filter(call), call.query.get("$expand", "").lower()
    rows = []
    for item in call.store.items_below(under):
        document = resources.document_at(item, call.now) if item.kind != GROUPS else None
        if document is None or "location" not in document or not wanted(document):
            continue
        row = {name: document[name] for name in _LISTED_PROPERTIES if name in document}
        if "provisioningstate" in expand:
            row["provisioningState"] = document["properties"].get("provisioningState")
        if "createdtime" in expand:
            row["createdTime"] = _created(call, item, document)
        rows.append(row)
    return Reply(200, {"value": _top(call, rows)})


def _created(call: Call, item: Item, document: dict[str, Any]) -> str:
    """Return when a resource was created; one that was there from the start, when the emulator state was."""
    inner = document["properties"]
    known = inner.get("timeCreated") or (inner.get("publishingProfile") or {}).get("publishedDate")
    return str(known or timestamp(item.hidden.get("created", call.store.meta("start"))))


for _path in ("/subscriptions/{subscription}/resources", f"{_GROUP}/resources"):
    routes.on("GET", _path)(_list)


def _row_filter(call: Call) -> Callable[[dict[str, Any]], bool]:
    """Return the test for the ``$filter`` of a request."""
    text = call.query.get("$filter", "")
    if not text.strip():
        return lambda _: True
    try:
        test = odata_filter.parse(text)
    except ValueError as error:
        message = f"Invalid $filter '{text}' specified in the query string: {error}."
        raise Refusal(400, "InvalidFilterInQueryString", message) from error

    def holds(document: dict[str, Any]) -> bool:
        row = {
            "name": document["name"],
            "location": document["location"],
            "resourceType": document["type"],
            "resourceGroup": document["id"].split("/")[4],
        }
        tags = (document.get("tags") or {}).items()
        return any(test(row | {"tagname": name, "tagvalue": value}) for name, value in tags) or test(row)

    return holds
