"""Resource providers: which of them a subscription is registered for.

Source: "Azure resource providers and types" and "Resolve errors for resource provider registration" in the documents of
Azure Resource Manager.
"""

from __future__ import annotations

import functools
from typing import Any

from batchimg_magics.emulator.arm import open_world, resources
from batchimg_magics.emulator.arm.registrations import PROVIDERS, is_registered, registration_id
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.catalog.api_versions import OWN_NAMESPACE, all_namespaces, types_of
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.store import Item, Store

#: The providers that the emulator implements, in Azure's spelling.
NAMES = ("Microsoft.Authorization", "Microsoft.Batch", "Microsoft.Compute", "Microsoft.Network", "Microsoft.Storage")
#: Every subscription is registered for it.
_ALWAYS = "microsoft.authorization"
#: The providers that need no registration.
_FREE = frozenset({"Microsoft.Authorization", OWN_NAMESPACE, "Microsoft.Features", "Microsoft.MarketplaceOrdering"})
#: The types at the top of a provider that are no resources in a region.
_UNTRACKED = frozenset({"locations", "operations", "skus", "usages", "checknameavailability"})
_TRACKED_CAPABILITIES = "CrossResourceGroupResourceMove, CrossSubscriptionResourceMove, SupportsTags, SupportsLocation"
_WRITES = frozenset({"PUT", "PATCH", "POST"})

routes = Routes("arm")


def check(call: Call) -> None:
    """Refuse a request that changes a resource of a provider that its subscription is not registered for."""
    parts = call.path.strip("/").split("/")
    if call.method not in _WRITES or parts[0].lower() != "subscriptions" or len(parts) < 3:
        return
    places = [at for at, part in enumerate(parts) if part.lower() == "providers"]
    at = places[0] + 1 if places else len(parts)
    if at + 1 >= len(parts) or (len(parts) == at + 2 and parts[-1].lower() in ("register", "unregister")):
        return
    name = next((one for one in NAMES if one.lower() == parts[at].lower()), "")
    if name.lower() in ("", _ALWAYS) or is_registered(call.store, parts[1], name):
        return
    known = call.store.get(registration_id(parts[1], name)) is not None
    if known or name != "Microsoft.Batch" or not open_world.has_every_subscription(call.store):
        raise not_registered(name)


def not_registered(name: str) -> Refusal:
    """Return the refusal of a request to a provider without a registration."""
    message = (
        f"The subscription is not registered to use namespace '{name}'. See https://aka.ms/rps-not-found for how to "
        "register subscriptions."
    )
    return Refusal(
        409, "MissingSubscriptionRegistration", message, details=[("MissingSubscriptionRegistration", message)]
    )


@functools.cache
def _resource_types(name: str) -> list[dict[str, Any]]:
    """Return the resource types of a provider, with their regions and api-versions."""
    places = [regions.DISPLAY_NAMES[one] for one in regions.offered_regions(name)]
    rows = []
    for kind, versions in types_of(name).items():
        tracked = "/" not in kind and kind.lower() not in _UNTRACKED and name not in _FREE
        rows.append(
            {
                "resourceType": kind,
                "locations": [] if name in _FREE else places,
                "apiVersions": list(versions),
                "capabilities": _TRACKED_CAPABILITIES if tracked else "None",
            }
        )
    return rows


def _tenant_document(name: str) -> dict[str, Any]:
    return {"id": f"/providers/{name}", "namespace": name, "resourceTypes": _resource_types(name)}


def _document(store: Store, subscription: str, name: str) -> dict[str, Any]:
    item = store.get(registration_id(subscription, name))
    if name in _FREE:
        state = "Registered"
    elif name in NAMES:
        state = "Registered" if is_registered(store, subscription, name) else "NotRegistered"
    else:
        state = "NotRegistered" if item is None else str(item.doc["registrationState"])
    return {
        "id": registration_id(subscription, name),
        "namespace": name,
        "registrationState": state,
        "registrationPolicy": "RegistrationFree" if name in _FREE else "RegistrationRequired",
        "resourceTypes": _resource_types(name),
    }


@routes.on("GET", "/providers")
def list_tenant_providers(_: Call) -> Reply:
    """Answer with the providers of Azure."""
    return Reply(200, {"value": [_tenant_document(name) for name in all_namespaces().values()]})


@routes.on("GET", "/providers/{provider}")
def get_tenant_provider(call: Call) -> Reply:
    """Answer with one provider of Azure."""
    return Reply(200, _tenant_document(_name(call)))


@routes.on("GET", "/subscriptions/{subscription}/providers")
def list_providers(call: Call) -> Reply:
    """Answer with the providers and whether the subscription is registered for each."""
    resources.need_subscription(call)
    subscription = call.params["subscription"]
    return Reply(200, {"value": [_document(call.store, subscription, name) for name in all_namespaces().values()]})


@routes.on("GET", "/subscriptions/{subscription}/providers/{provider}")
def get_provider(call: Call) -> Reply:
    """Answer whether the subscription is registered for a provider, and with its resource types."""
    resources.need_subscription(call)
    return Reply(200, _document(call.store, call.params["subscription"], _name(call)))


def _name(call: Call) -> str:
    asked = call.params["provider"]
    name = all_namespaces().get(asked.lower())
    if name is None:
        raise Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{asked}' is invalid.")
    return name


def _set_state(call: Call, state: str) -> Reply:
    resources.need_subscription(call)
    name, subscription = _name(call), call.params["subscription"]
    if name in _FREE:
        return Reply(200, _document(call.store, subscription, name))
    key = registration_id(subscription, name)
    registration = {"id": key, "namespace": name, "registrationState": state}
    call.store.put(Item(key.lower(), PROVIDERS, registration))
    return Reply(200, _document(call.store, subscription, name))


@routes.on("POST", "/subscriptions/{subscription}/providers/{provider}/register")
def register(call: Call) -> Reply:
    """Register a subscription for a provider."""
    return _set_state(call, "Registered")


@routes.on("POST", "/subscriptions/{subscription}/providers/{provider}/unregister")
def unregister(call: Call) -> Reply:
    """Remove the registration of a subscription for a provider."""
    return _set_state(call, "NotRegistered")
