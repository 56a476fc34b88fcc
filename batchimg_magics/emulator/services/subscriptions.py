"""What stands around Compute and Batch: subscriptions, network resources, permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import assumed_resources, resource_types, resources
from batchimg_magics.emulator.catalog.regions import DISPLAY_NAMES
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.http.planes import unknown_route
from batchimg_magics.emulator.services import roles
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

SUBSCRIPTIONS = "microsoft.resources/subscriptions"
#: The network resources that can be read: whoever made them put them there.
NETWORK_KINDS = (
    "Microsoft.Network/loadBalancers",
    "Microsoft.Network/loadBalancers/frontendIPConfigurations",
    "Microsoft.Network/loadBalancers/inboundNatRules",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/virtualNetworks/subnets",
)
_PERMISSIONS = "/providers/Microsoft.Authorization/permissions"
evidence = Evidence("Permissions on resources")
evidence.rule("The permissions on a resource that is not there are refused as the resource is.", "no recording has it")

routes = Routes("arm")


@routes.on("GET", "/subscriptions")
def list_subscriptions(call: Call) -> Reply:
    """Answer with every subscription of the world."""
    return Reply(200, {"value": [item.doc for item in call.store.items(SUBSCRIPTIONS, "/subscriptions")]})


@routes.on("GET", "/subscriptions/{subscription}")
def get_subscription(call: Call) -> Reply:
    """Answer with one subscription."""
    item = call.store.get(f"/subscriptions/{call.params['subscription']}")
    if item is None:
        message = f"The subscription '{call.params['subscription']}' could not be found."
        raise Refusal(404, "SubscriptionNotFound", message)
    return Reply(200, item.doc)


@routes.on("GET", "/subscriptions/{subscription}/locations")
def list_locations(call: Call) -> Reply:
    """Answer with Azure's regions."""
    under = f"/subscriptions/{call.params['subscription']}/locations"
    rows = [
        {
            "id": f"{under}/{name}",
            "name": name,
            "type": "Region",
            "displayName": words,
            "regionalDisplayName": words,
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
        }
        for name, words in DISPLAY_NAMES.items()
    ]
    return Reply(200, {"value": rows})


@routes.on("GET", f"/subscriptions/{{subscription}}/resourcegroups/{{group}}{_PERMISSIONS}")
def list_permissions(call: Call) -> Reply:
    """Answer with what the caller may do in a resource group."""
    resources.need_group(call)
    return Reply(200, {"value": roles.permissions(call.store, _scope_of(call))})


def list_resource_permissions(call: Call) -> Reply:
    """Answer with what the caller may do with a resource."""
    key = _scope_of(call)
    if assumed_resources.find_or_assume(call, key) is None:
        _document(call, key)
    return Reply(200, {"value": roles.permissions(call.store, key)})


def _scope_of(call: Call) -> str:
    return call.path.rstrip("/")[: -len(_PERMISSIONS)]


def _document(call: Call, key: str) -> dict[str, Any]:
    """Return a resource's document, or refuse: its own, or as the resource that it lies in has it."""
    item = resources.find(call.store, call.now, key)
    if item is not None:
        return resources.document_at(item, call.now) or item.doc
    above, word, _ = key.rsplit("/", 2)
    found = next(
        (one for one in _nested_resources(call, above, word) if str(one.get("id")).lower() == key.lower()), None
    )
    if found is None:
        raise resources.not_found(call, key)
    return found


def _nested_resources(call: Call, key: str, word: str) -> list[dict[str, Any]]:
    """Return the resources of a type that another one's document has in it: the subnets of a network."""
    outer = resources.find(call.store, call.now, key)
    properties = outer.doc["properties"] if outer is not None else {}
    listed = next((value for name, value in properties.items() if name.lower() == word.lower()), None)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _reader(kind: str) -> Callable[[Call], Reply]:
    return lambda call: Reply(200, _document(call, resources.resource_id(call, kind)))


def _lister(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        rows = resources.list_documents(call, kind)
        above, _, word = kind.rpartition("/")
        if "/" in above:
            known = {str(row["id"]).lower() for row in rows}
            inside = _nested_resources(call, resources.resource_id(call, above), word)
            rows += [one for one in inside if str(one.get("id")).lower() not in known]
        return Reply(200, {"value": rows})

    return answer


for _kind in NETWORK_KINDS:
    routes.on("GET", resources.path_of(_kind))(_reader(_kind))
    for _path in resource_types.list_paths(_kind, by_subscription=_kind.count("/") == 1):
        routes.on("GET", _path)(_lister(_kind))


def _read_imported(call: Call) -> Reply:
    """Answer with a resource of a type that has no rules here, where a document of it was imported."""
    item = resources.find(call.store, call.now, call.path.rstrip("/"))
    if item is None:
        raise unknown_route(call.method, call.path, call.api_version)
    return Reply(200, resources.document_at(item, call.now))


for _depth in (1, 2, 3):
    _tail = "".join(f"/{{kind{number}}}/{{name{number}}}" for number in range(1, _depth + 1))
    _path = f"/subscriptions/{{subscription}}/resourcegroups/{{group}}/providers/{{namespace}}{_tail}"
    routes.on("GET", _path)(_read_imported)
    routes.on("GET", f"{_path}{_PERMISSIONS}")(list_resource_permissions)
