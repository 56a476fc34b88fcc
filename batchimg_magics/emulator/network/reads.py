"""Reads of network resources, including those that are nested in the document of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resource_types, resources
from batchimg_magics.emulator.http.messages import Call, Reply, Routes
from batchimg_magics.emulator.network import views
from batchimg_magics.emulator.network.outbound import shown_network

if TYPE_CHECKING:
    from collections.abc import Callable

#: The network resources that can be read: they are created with VMs, by default, or by an import.
NETWORK_KINDS = (
    "Microsoft.Network/loadBalancers",
    "Microsoft.Network/loadBalancers/frontendIPConfigurations",
    "Microsoft.Network/loadBalancers/inboundNatRules",
    "Microsoft.Network/natGateways",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/networkInterfaces/ipConfigurations",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/networkSecurityGroups/defaultSecurityRules",
    "Microsoft.Network/networkSecurityGroups/securityRules",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/routeTables",
    "Microsoft.Network/routeTables/routes",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/virtualNetworks/subnets",
)
routes = Routes("arm")


def document_of(call: Call, key: str) -> dict[str, Any]:
    """Return the document of a resource, or the part of its parent's document that describes it, or refuse."""
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
    """Return the nested resources of a type in the document of their parent, e.g. the subnets of a virtual network."""
    outer = resources.find(call.store, call.now, key)
    properties = outer.doc["properties"] if outer is not None else {}
    listed = next((value for name, value in properties.items() if name.lower() == word.lower()), None)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _reader(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        found = shown_network(call.store, document_of(call, resources.resource_id(call, kind)))
        (shown,) = views.shown(call, kind, [found])
        return Reply(200, shown, {"ETag": str(shown["etag"])} if "etag" in shown else {})

    return answer


def _lister(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        rows = resources.list_documents(call, kind)
        above, _, word = kind.rpartition("/")
        if "/" in above:
            known = {str(row["id"]).lower() for row in rows}
            inside = _nested_resources(call, resources.resource_id(call, above), word)
            rows += [one for one in inside if str(one.get("id")).lower() not in known]
        return Reply(200, {"value": views.shown(call, kind, [shown_network(call.store, row) for row in rows])})

    return answer


for _kind in NETWORK_KINDS:
    routes.on("GET", resources.path_of(_kind))(_reader(_kind))
    for _path in resource_types.list_paths(_kind, by_subscription=_kind.count("/") == 1):
        routes.on("GET", _path)(_lister(_kind))
