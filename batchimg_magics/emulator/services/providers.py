"""Resource providers: which of them a subscription is registered for.

Source: "Azure resource providers and types" and "Resolve errors for resource provider registration" in the documents of
Azure Resource Manager.
"""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.arm import open_world, resources
from batchimg_magics.emulator.arm.registrations import PROVIDERS, is_registered, registration_id
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.store import Item, Store

#: The providers that the emulator implements, in Azure's spelling.
NAMES = ("Microsoft.Authorization", "Microsoft.Batch", "Microsoft.Compute", "Microsoft.Network", "Microsoft.Storage")
#: Every subscription is registered for it.
_ALWAYS = "microsoft.authorization"
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


def _document(store: Store, subscription: str, name: str) -> dict[str, Any]:
    state = "Registered" if is_registered(store, subscription, name) else "NotRegistered"
    policy = "RegistrationFree" if name.lower() == _ALWAYS else "RegistrationRequired"
    return {
        "id": registration_id(subscription, name),
        "namespace": name,
        "registrationState": state,
        "registrationPolicy": policy,
        "resourceTypes": [],
    }


@routes.on("GET", "/subscriptions/{subscription}/providers")
def list_providers(call: Call) -> Reply:
    """Answer with the providers and whether the subscription is registered for each."""
    resources.need_subscription(call)
    rows = [_document(call.store, call.params["subscription"], name) for name in NAMES]
    return Reply(200, {"value": rows})


@routes.on("GET", "/subscriptions/{subscription}/providers/{provider}")
def get_provider(call: Call) -> Reply:
    """Answer whether the subscription is registered for a provider."""
    resources.need_subscription(call)
    return Reply(200, _document(call.store, call.params["subscription"], _name(call)))


def _name(call: Call) -> str:
    asked = call.params["provider"]
    name = next((one for one in NAMES if one.lower() == asked.lower()), None)
    if name is None:
        raise Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{asked}' is invalid.")
    return name


def _set_state(call: Call, state: str) -> Reply:
    resources.need_subscription(call)
    name, subscription = _name(call), call.params["subscription"]
    document = _document(call.store, subscription, name) | {"registrationState": state}
    call.store.put(Item(registration_id(subscription, name).lower(), PROVIDERS, document))
    return Reply(200, document)


@routes.on("POST", "/subscriptions/{subscription}/providers/{provider}/register")
def register(call: Call) -> Reply:
    """Register a subscription for a provider."""
    return _set_state(call, "Registered")


@routes.on("POST", "/subscriptions/{subscription}/providers/{provider}/unregister")
def unregister(call: Call) -> Reply:
    """Remove the registration of a subscription for a provider."""
    return _set_state(call, "NotRegistered")
