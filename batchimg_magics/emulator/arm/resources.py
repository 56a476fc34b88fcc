"""What all resource providers of Azure Resource Manager have in common: ids, documents over time, lists, ETags.

`Item.doc` is the document of a resource without an operation in progress. An operation in progress is
``hidden["work"]``: its kind (``Creating``, ``Updating``, ``Deleting``), its beginning and end, and the document that
Azure shows until then. So a state is computed from the time of a request, and nothing has to run at its end.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import open_world
from batchimg_magics.emulator.catalog.regions import region_name
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.http.planes import bad_json
from batchimg_magics.emulator.http.tokens import TENANT

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item, Store


SUBSCRIPTIONS = "microsoft.resources/subscriptions"


def resource_id(call: Call, kind: str) -> str:
    """Return the id in the path of a request, with the segments of the type in Azure's spelling.

    Parameters
    ----------
    call
        Its params are ``subscription``, ``group`` and ``name1``, ``name2``..., from the outermost resource on.
    kind
        The resource type, e.g. ``Microsoft.Compute/galleries/images``.
    """
    namespace, *words = kind.split("/")
    params = call.params
    tail = "".join(f"/{word}/{params[f'name{depth}']}" for depth, word in enumerate(words, 1))
    return f"/subscriptions/{params['subscription']}/resourceGroups/{params['group']}/providers/{namespace}{tail}"


def path_of(kind: str, *, collection: bool = False) -> str:
    """Return the route path of a resource type, or of the list of its resources in their parent."""
    namespace, *words = kind.split("/")
    tail = "".join(f"/{word}/{{name{depth}}}" for depth, word in enumerate(words, 1))
    if collection:
        tail = tail.rpartition("/")[0]
    return f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{namespace}{tail}"


def split_id(text: str) -> tuple[str, str, list[tuple[str, str]], str]:
    """Return subscription, resource group, (type segment, name) pairs and namespace of a resource id.

    Raises
    ------
    ValueError
        It is not the id of a resource in a resource group.
    """
    parts = text.strip("/").split("/")
    heads = [part.lower() for part in parts[:5:2]]
    if heads != ["subscriptions", "resourcegroups", "providers"] or len(parts) < 8 or len(parts) % 2 or "" in parts:
        raise ValueError(f"{text!r} is not a resource id")
    return parts[1], parts[3], list(zip(parts[6::2], parts[7::2], strict=True)), parts[5]


def type_of(key: str) -> str:
    """Return the type of a resource by its id; ValueError as `split_id`."""
    _, _, path, namespace = split_id(key)
    return "/".join([namespace, *(word for word, _ in path)])


#: The fact when a scenario withdraws a resource: it is then answered as deleted, until the scenario ends.
WITHDRAWN = "withdrawn"


def document_at(item: Item, now: float) -> dict[str, Any] | None:
    """Return the document of a resource at a time; None if it has been deleted by then, or withdrawn by a scenario."""
    if now >= item.hidden.get(WITHDRAWN, now + 1):
        return None
    work = item.hidden.get("work")
    if work is None or (now >= work["end"] and work["kind"] != "Deleting"):
        return item.doc
    if now >= work["end"]:
        return None
    if now < work["begin"] and work["kind"] == "Creating":
        return None  # its turn in a deployment has not come
    if work["doc"] is not None:
        interim: dict[str, Any] = work["doc"]
        return interim
    return item.doc | {"properties": item.doc["properties"] | {"provisioningState": work["kind"]}}


def delete_until(store: Store, item: Item, now: float, end: float) -> None:
    """Begin to delete a resource, which exists until the end."""
    item.hidden["work"] = {"kind": "Deleting", "begin": now, "end": end, "doc": None}
    store.put(item)


def current_operation(item: Item, now: float) -> str:
    """Return the operation in progress on a resource at a time, e.g. ``Updating``; empty for none."""
    work = item.hidden.get("work")
    return work["kind"] if work is not None and now < work["end"] else ""


#: Name of the setting with the ids of resources that imported documents refer to, and that do not exist.
NOT_IMPORTED = "not_imported"


def find(store: Store, now: float, key: str) -> Item | None:
    """Return the resource with that id, unless it has been deleted by now."""
    item = store.get(key)
    return item if item is not None and document_at(item, now) is not None else None


def need(call: Call, key: str) -> Item:
    """Return the resource with that id, or refuse like ARM's gateway."""
    item = find(call.store, call.now, key)
    if item is None:
        raise not_found(call, key)
    return item


def not_found(call: Call, key: str) -> Refusal:
    """Return the refusal for a missing resource: that for its resource group if the group is missing as well."""
    _, group, path, namespace = split_id(key)
    need_group(call)
    name = "/".join(part for pair in path for part in pair)
    imported = key.lower() in (call.store.meta(NOT_IMPORTED) or ())
    return Refusal(
        404,
        "ResourceNotFound",
        f"The Resource '{namespace}/{name}' under resource group '{group}' was not found. "
        + (
            "An imported document refers to it: import that document too."
            if imported
            else "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        ),
        headers={"x-ms-failure-cause": "gateway"},
    )


def need_subscription(call: Call) -> None:
    """Refuse a request for an empty subscription; in open mode every subscription exists."""
    name = call.params["subscription"]
    if not open_world.has_subscription(call.store, name):
        raise Refusal(404, "SubscriptionNotFound", f"The subscription '{name}' could not be found.")


def new_subscription(name: str) -> dict[str, Any]:
    """Return the document of a subscription of which only the id is known."""
    return {
        "id": f"/subscriptions/{name}",
        "subscriptionId": name,
        "displayName": name,
        "state": "Enabled",
        "tenantId": TENANT,
    }


def need_group(call: Call, *, named: bool = True) -> dict[str, Any] | None:
    """Return the document of the resource group of a request, or refuse.

    Nothing can be created or changed in a group that is being deleted. In open mode a group exists as soon as a request
    names it. A request for a resource names its group; one that only lists the resources of a group (`named` is False)
    does not.
    """
    store, group = call.store, call.params["group"]
    need_subscription(call)
    key = f"/subscriptions/{call.params['subscription']}/resourcegroups/{group}"
    item = store.get(key)
    document = None if item is None else document_at(item, call.now)
    opened = item is None and open_world.has_group(store, key, named=named)
    if document is None and not opened:
        message = f"Resource group '{group}' could not be found."
        raise Refusal(404, "ResourceGroupNotFound", message, headers={"x-ms-failure-cause": "gateway"})
    if item is not None and call.method in ("PUT", "PATCH", "POST") and current_operation(item, call.now):
        message = f"The resource group '{group}' is in deprovisioning state and cannot perform this operation."
        raise Refusal(409, "ResourceGroupBeingDeleted", message)
    return document


def list_items(call: Call, kind: str) -> list[Item]:
    """Return the resources of a type below the path of a request, in order of their ids."""
    params = call.params
    under = f"/subscriptions/{params['subscription']}"
    need_subscription(call)
    if "group" in params:
        need_group(call, named=False)
        under += f"/resourcegroups/{params['group']}"
    if "name1" in params:
        namespace, *words = kind.split("/")
        names = [params[f"name{depth}"] for depth in range(1, len(words)) if f"name{depth}" in params]
        under += f"/providers/{namespace}" + "".join(f"/{w}/{n}" for w, n in zip(words, names, strict=False))
    return [item for item in call.store.items(kind, under) if document_at(item, call.now) is not None]


def list_documents(call: Call, kind: str) -> list[dict[str, Any]]:
    """Return the documents of the resources of a type below the path of a request, in order of their ids."""
    documents = (document_at(item, call.now) for item in list_items(call, kind))
    return [document for document in documents if document is not None]


def note_creation(call: Call, before: Item | None) -> None:
    """Keep when a resource was first put, for the list of resources; not every document has the time."""
    item = call.store.get(call.path.rstrip("/"))
    if item is not None and "created" not in item.hidden:
        item.hidden["created"] = call.now if before is None else before.hidden.get("created", call.store.meta("start"))
        call.store.put(item)


def refuse_other_region(old: Item | None, location: str) -> None:
    """Refuse to create a resource in another region if it exists already."""
    if old is not None and region_name(old.doc["location"]) != region_name(location):
        message = (
            f"The resource '{old.doc['name']}' already exists in location '{old.doc['location']}' in resource group "
            f"'{old.doc['id'].split('/')[4]}'. A resource with the same name cannot be created in location "
            f"'{location}'. Please select a new resource name."
        )
        raise Refusal(409, "InvalidResourceLocation", message)


def with_identity_ids(store: Store, key: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the managed identities of a resource with the ids that Microsoft Entra ID gives them.

    Parameters
    ----------
    store, key
        The emulator state, and the id of the resource.
    asked
        The identities of the body.

    Raises
    ------
    Refusal
        They are not of the right JSON type.
    """

    def guid(about: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{store.meta('seed')}/{about.lower()}"))

    known = {"type": asked.get("type", "None")}
    if "systemassigned" in str(known["type"]).lower():
        known |= {"principalId": guid(f"{key}/principal"), "tenantId": guid("tenant")}
    if listed := asked.get("userAssignedIdentities"):
        if not isinstance(listed, dict):
            raise bad_json("arm", "identity.userAssignedIdentities is not an object")
        known["userAssignedIdentities"] = {
            one: {"principalId": guid(f"{one}/principal"), "clientId": guid(f"{one}/client")} for one in listed
        }
    return known


def check_conditions(call: Call, item: Item | None, etag: str) -> None:
    """Refuse a request if its If-Match or If-None-Match does not hold for a resource."""
    if not conditions_hold(call, etag if item is not None else None):
        raise Refusal(412, "PreconditionFailed", "The condition specified by the request's headers is not met.")


def conditions_hold(call: Call, etag: str | None) -> bool:
    """Tell whether If-Match and If-None-Match of a request hold for an ETag, None for no resource."""
    wanted, unwanted = call.headers.get("if-match"), call.headers.get("if-none-match")
    if etag is None:
        return wanted is None
    return (wanted is None or lists_etag(wanted, etag)) and (unwanted is None or not lists_etag(unwanted, etag))


def lists_etag(header: str, tag: str) -> bool:
    """Tell whether a header's list of ETags contains this one, weak or strong; ``*`` contains any.

    The SDKs send ETags in quotes, as HTTP has them, although those in the responses of Batch have none.
    """
    listed = {_bare(one) for one in header.split(",")}
    return "*" in listed or _bare(tag) in listed


def _bare(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')
