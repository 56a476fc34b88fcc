"""Subscriptions, regions, and the permissions of the caller."""

from __future__ import annotations

from batchimg_magics.emulator.arm import assumed_resources, resources
from batchimg_magics.emulator.arm.permissions import permissions
from batchimg_magics.emulator.catalog.regions import DISPLAY_NAMES, RESTRICTED_NAMES
from batchimg_magics.emulator.http.messages import Call, Reply, Routes
from batchimg_magics.emulator.http.tokens import tenant_id
from batchimg_magics.emulator.network.reads import document_of
from batchimg_magics.emulator.services import tenants
from batchimg_magics.emulator.world.evidence import Evidence

SUBSCRIPTIONS = resources.SUBSCRIPTIONS
_PERMISSIONS = "/providers/Microsoft.Authorization/permissions"
evidence = Evidence("Permissions on resources")
evidence.rule("The permissions on a missing resource are refused like the resource itself.", "no recording shows it")

routes = Routes("arm")


@routes.on("GET", "/subscriptions")
def list_subscriptions(call: Call) -> Reply:
    """Answer with every subscription of the tenant of the caller."""
    own = tenants.tenant_of(call)
    found = [item.doc for item in call.store.items(SUBSCRIPTIONS, "/subscriptions")]
    return Reply(200, {"value": [one for one in found if own in (None, tenant_id(str(one.get("tenantId") or "")))]})


@routes.on("GET", "/subscriptions/{subscription}")
def get_subscription(call: Call) -> Reply:
    """Answer with one subscription."""
    name = call.params["subscription"]
    resources.need_subscription(call)
    item = call.store.get(f"/subscriptions/{name}")
    return Reply(200, resources.new_subscription(name) if item is None else item.doc)


@routes.on("GET", "/subscriptions/{subscription}/locations")
def list_locations(call: Call) -> Reply:
    """Answer with Azure's regions."""
    resources.need_subscription(call)
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
        for name, words in (DISPLAY_NAMES | RESTRICTED_NAMES).items()
    ]
    return Reply(200, {"value": rows})


@routes.on("GET", f"/subscriptions/{{subscription}}/resourcegroups/{{group}}{_PERMISSIONS}")
def list_permissions(call: Call) -> Reply:
    """Answer with the permissions of the caller in a resource group."""
    resources.need_group(call)
    return Reply(200, {"value": permissions(call.store, _scope_of(call))})


def list_resource_permissions(call: Call) -> Reply:
    """Answer with the permissions of the caller on a resource."""
    key = _scope_of(call)
    if assumed_resources.find_or_assume(call, key) is None:
        document_of(call, key)
    return Reply(200, {"value": permissions(call.store, key)})


def _scope_of(call: Call) -> str:
    return call.path.rstrip("/")[: -len(_PERMISSIONS)]


for _depth in (1, 2, 3):
    _tail = "".join(f"/{{kind{number}}}/{{name{number}}}" for number in range(1, _depth + 1))
    _path = f"/subscriptions/{{subscription}}/resourcegroups/{{group}}/providers/{{namespace}}{_tail}"
    routes.on("GET", f"{_path}{_PERMISSIONS}")(list_resource_permissions)
