"""Resource providers: whether a subscription is registered, and requests that need it."""

from __future__ import annotations

from types import SimpleNamespace

from batchimg_magics.emulator.batch.model import pool_denials
from batchimg_magics.emulator.furnish import SUBSCRIPTION
from batchimg_magics.emulator.world.store import Item
from tests.support.compute_emulator import ComputeEmulator, copy_of

TOP = f"/subscriptions/{SUBSCRIPTION}"
VERSION = "2021-04-01"
DISK = "disks/prep-vm_OsDisk_1"
COPY = {"location": "eastus", "properties": {"creationData": copy_of(DISK)}}


def state(emulator: ComputeEmulator, name: str, subscription: str = TOP) -> str:
    found = emulator.ask("GET", f"{subscription}/providers/{name}", version=VERSION)
    return str(found.body["registrationState"])


def test_a_registration_is_needed_shown_and_made() -> None:
    emulator = ComputeEmulator()
    assert state(emulator, "microsoft.batch") == state(emulator, "Microsoft.Compute") == "Registered"
    assert emulator.ask("POST", f"{TOP}/providers/Microsoft.Compute/unregister", version=VERSION).status == 200
    refused = emulator.ask("PUT", "snapshots/s", COPY)
    assert (refused.status, refused.code) == (409, "MissingSubscriptionRegistration")
    assert "not registered to use namespace 'Microsoft.Compute'" in refused.message
    assert emulator.ask("GET", DISK).status == 200
    made = emulator.ask("POST", f"{TOP}/providers/Microsoft.Compute/register", version=VERSION)
    assert made.body["registrationState"] == "Registered"
    assert emulator.ask("PUT", "snapshots/s", COPY).status == 202
    listed = emulator.ask("GET", f"{TOP}/providers", version=VERSION).body["value"]
    assert {"Microsoft.Batch", "Microsoft.Compute"} <= {one["namespace"] for one in listed}
    assert emulator.ask("GET", f"{TOP}/providers/Some.Other", version=VERSION).code == "InvalidResourceNamespace"


def test_an_imported_subscription_is_not_registered_for_batch() -> None:
    emulator = ComputeEmulator()
    other = "/subscriptions/11111111-2222-4333-8444-555555555555"
    gallery = {"id": f"{other}/resourceGroups/g/providers/Microsoft.Compute/galleries/lab", "location": "eastus"}
    asked = {"resources": [gallery | {"properties": {}}]}
    assert emulator.ask("POST", "https://management.azure.com/_sim/import", asked).status == 200
    assert state(emulator, "Microsoft.Batch", other) == "NotRegistered"
    assert state(emulator, "Microsoft.Compute", other) == "Registered"


def test_the_scenario() -> None:
    emulator = ComputeEmulator()
    emulator.store.set_meta("scenario", "not-registered")
    assert emulator.ask("PUT", "snapshots/s", COPY).code == "MissingSubscriptionRegistration"
    assert emulator.ask("POST", f"{TOP}/providers/Microsoft.Compute/register", version=VERSION).status == 200
    assert emulator.ask("PUT", "snapshots/s", COPY).status == 202


def test_a_gallery_in_a_subscription_without_batch_makes_no_nodes() -> None:
    emulator = ComputeEmulator()
    other = "/subscriptions/11111111-2222-4333-8444-555555555555"
    store, account = emulator.store, Item("/subscriptions/s/x", "x", {"location": "eastus", "properties": {}})
    image = f"{other}/resourceGroups/g/providers/Microsoft.Compute/galleries/lab/images/i/versions/1.0.0"
    machine = {"imageReference": {"virtualMachineImageId": image}}
    pool = SimpleNamespace(doc={"virtualMachineConfiguration": machine})
    denied = pool_denials.denial(store, account, pool)  # type: ignore[arg-type] - what is read of a pool
    assert denied is not None
    assert "does not have the desired permissions" in denied[0][1]
    store.put(Item(f"{other}/providers/microsoft.batch", "x", {"registrationState": "Registered"}))
    assert pool_denials.denial(store, account, pool) is None  # type: ignore[arg-type] - the same
