"""Locks, policies and registrations that prevent the allocation of a pool's nodes.

Source: the documents of Batch on virtual networks, on the pool allocation mode, and on pools of gallery images in
another subscription.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm import locks, policies, registrations
from batchimg_magics.emulator.batch.model import pool_images, subscription_cores
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pool_images import ErrorValues
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.world.store import Item, Store

_SCALE_SETS = "Microsoft.Compute/virtualMachineScaleSets"
evidence = Evidence("Pools that are denied")
evidence.rule(
    "A lock ReadOnly on the virtual network of a pool or above it fails every allocation with ScopeLocked.",
    "Microsoft's page on node errors names the code; no recording shows it",
)
evidence.rule(
    "In an account that allocates pools in the user's subscription, the scale set of a pool is subject to its locks "
    "and policies, with the pool's resourceTags as its tags.",
    "the documents say that the resources are created there and that resourceTags are for them",
)
evidence.rule(
    "A gallery in a subscription that is not registered for Microsoft.Batch fails every allocation for missing "
    "permissions.",
    "the gallery documents demand the registration; no public report shows the error",
)


def denial(store: Store, account: Item, pool: Pool) -> ErrorValues | None:
    """Return why a pool gets no nodes, as the values of the resize error; None if nothing denies them."""
    found = (rule(store, account, pool) for rule in (_locked_network, _denied_scale_set, _unregistered_gallery))
    return next((values for values in found if values is not None), None)


def _locked_network(store: Store, _: Item, pool: Pool) -> ErrorValues | None:
    subnet = str((pool.doc.get("networkConfiguration") or {}).get("subnetId") or "")
    text = locks.refusal_text(store, subnet, "write") if subnet else ""
    return pool_images.provider_error("ScopeLocked", text) if text else None


def _denied_scale_set(store: Store, account: Item, pool: Pool) -> ErrorValues | None:
    if not subscription_cores.allocates_in_subscription(store, account):
        return None
    subscription = account.key.split("/")[2]
    name = f"{pool.doc['id']}-vmss"
    # Batch creates the group of the scale set.
    key = f"/subscriptions/{subscription}/resourceGroups/azurebatch-{name}/providers/{_SCALE_SETS}/{name}"
    if text := locks.refusal_text(store, key, "write"):
        return pool_images.provider_error("ScopeLocked", text)
    resource: dict[str, Any] = {
        "id": key,
        "name": name,
        "type": _SCALE_SETS,
        "location": account.doc["location"],
        "tags": pool.doc.get("resourceTags") or {},
        "sku": {"name": pool.doc["vmSize"]},
        "properties": {},
    }
    if (violation := policies.find_violation(store, resource)) is None:
        return None
    error = {
        "code": "RequestDisallowedByPolicy",
        "message": violation.message,
        "additionalInfo": violation.additional_info,
    }
    return (("Provider Error Json", msgspec.json.encode({"error": error}).decode()),)


def _unregistered_gallery(store: Store, account: Item, pool: Pool) -> ErrorValues | None:
    image_id = str(pool_images.image_id_of(pool) or "")
    parts = image_id.strip("/").split("/")
    if len(parts) < 2 or parts[1].lower() == account.key.split("/")[2]:
        return None
    if registrations.is_registered(store, parts[1], "Microsoft.Batch"):
        return None
    return (("Reason", "Azure Batch Service does not have the desired permissions to perform a pool operation."),)
