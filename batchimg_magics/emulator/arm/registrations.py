"""The resource providers that subscriptions are registered for.

Source: "Azure resource providers and types" in the documents of Azure Resource Manager.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.arm import open_world
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store

PROVIDERS = "microsoft.resources/providers"
evidence = Evidence("Registrations of resource providers")
evidence.rule("A registration is done at once.", "no recording shows it; Azure takes minutes")
evidence.rule(
    "A subscription is registered for Microsoft.Batch only if it has a Batch account or was registered, and for the "
    "other providers unless the registration was removed.",
    "an imported subscription that only holds a VM or a gallery is usually not registered for Microsoft.Batch",
)


def registration_id(subscription: str, namespace: str) -> str:
    """Return the id of the registration of a subscription for a provider."""
    return f"/subscriptions/{subscription}/providers/{namespace}"


def is_registered(store: Store, subscription: str, namespace: str) -> bool:
    """Tell whether a subscription is registered for a provider; in open mode it is unless that was removed."""
    item = store.get(registration_id(subscription, namespace))
    if item is not None:
        return str(item.doc["registrationState"]) == "Registered"
    if namespace in scenarios.current(store).unregistered:
        return False
    if namespace.lower() != "microsoft.batch" or open_world.is_open(store):
        return True
    return bool(store.items("microsoft.batch/batchaccounts", f"/subscriptions/{subscription}"))
