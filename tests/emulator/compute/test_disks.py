"""Disks and snapshots of the emulator: create, copy, expand, read by SAS, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from batchimg_magics.emulator.world.store import Item
from tests.support.compute_bodies import VM
from tests.support.compute_emulator import LONG_S, ComputeEmulator, body, copy_of, resource, through_sdk

if TYPE_CHECKING:
    from azure.mgmt.compute.aio import ComputeManagementClient

EMPTY = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 64}


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def test_a_snapshot_through_the_sdk() -> None:
    async def work(client: ComputeManagementClient) -> list[Any]:
        source = {"createOption": "Copy", "sourceResourceId": resource("disks/prep-vm_OsDisk_1")}
        poller = await client.snapshots.begin_create_or_update("research", "os", body({"creationData": source}))
        made = await poller.result()
        listed = [one.name async for one in client.snapshots.list_by_resource_group("research")]
        await (await client.snapshots.begin_delete("research", "os")).result()
        left = [one.name async for one in client.snapshots.list()]
        return [made, listed, left]

    made, listed, left = through_sdk(work)
    assert (made.provisioning_state, made.disk_size_gb, made.hyper_v_generation) == ("Succeeded", 64, "V2")
    assert made.security_profile.security_type == "TrustedLaunch"
    assert made.supported_capabilities.architecture == "x64"
    assert made.creation_data.source_unique_id
    assert (listed, left) == (["os"], [])


def test_a_disk_has_what_its_sku_and_size_give(compute: ComputeEmulator) -> None:
    first = compute.make("disks/d", EMPTY, sku={"name": "Premium_LRS"})
    assert first.body["sku"] == {"name": "Premium_LRS", "tier": "Premium"}
    assert (first.properties["tier"], first.properties["diskIOPSReadWrite"]) == ("P6", 240)
    assert first.properties["diskSizeBytes"] == 64 * 1024**3
    cheaper = compute.make("disks/d", {**EMPTY, "diskSizeGB": 128}, sku={"name": "Standard_LRS"})
    assert "tier" not in cheaper.properties
    assert (cheaper.properties["diskIOPSReadWrite"], cheaper.properties["diskSizeGB"]) == (500, 128)
    assert cheaper.properties["uniqueId"] == first.properties["uniqueId"]
    assert cheaper.properties["timeCreated"] == first.properties["timeCreated"]


def test_a_premium_disk_may_have_a_higher_tier_than_its_size_gives(compute: ComputeEmulator) -> None:
    premium = {"name": "Premium_LRS"}
    higher = compute.make("disks/d", {**EMPTY, "tier": "P10"}, sku=premium).properties
    assert (higher["tier"], higher["diskIOPSReadWrite"]) == ("P10", 500)
    assert compute.refused("disks/e", {**EMPTY, "tier": "P1"}, sku=premium)[:2] == (400, "InvalidParameter")
    grown = compute.make("disks/d", {**EMPTY, "diskSizeGB": 512}, sku=premium).properties
    assert (grown["tier"], grown["diskIOPSReadWrite"]) == ("P20", 2300)


def test_the_owner_of_the_key_is_read_from_the_encryption_set(compute: ComputeEmulator) -> None:
    assert compute.make("disks/d", EMPTY).properties["encryption"] == {"type": "EncryptionAtRestWithPlatformKey"}
    key = resource("diskEncryptionSets/s")
    own = {"diskEncryptionSetId": key}
    assert compute.refused("disks/e", {**EMPTY, "encryption": own})[:2] == (404, "NotFound")
    compute.store.put(Item(key.lower(), "microsoft.compute/diskencryptionsets", {"id": key, "properties": {}}, {}))
    made = compute.make("disks/e", {**EMPTY, "encryption": own}).properties["encryption"]
    assert made == {"type": "EncryptionAtRestWithCustomerKey", **own}
    both = {"type": "EncryptionAtRestWithPlatformAndCustomerKeys", **own}
    assert compute.make("disks/f", {**EMPTY, "encryption": both}).properties["encryption"] == both


def test_a_snapshot_of_an_ultra_disk_is_incremental_and_copied_in_the_background(compute: ComputeEmulator) -> None:
    compute.make("disks/d", EMPTY, sku={"name": "UltraSSD_LRS"})
    full = {"creationData": copy_of("disks/d")}
    assert compute.refused("snapshots/s", full)[:2] == (400, "BadRequest")
    compute.ask("PUT", "snapshots/s", {"location": "eastus", "properties": full | {"incremental": True}})
    compute.clock.advance(32)
    half = compute.ask("GET", "snapshots/s").properties
    assert (half["completionPercent"], half["creationData"]["logicalSectorSize"]) == (50.0, 4096)
    compute.clock.advance(32)
    assert compute.ask("GET", "snapshots/s").properties["completionPercent"] == 100.0


def test_a_number_may_come_as_a_string(compute: ComputeEmulator) -> None:
    assert compute.make("disks/d", {**EMPTY, "diskSizeGB": "64"}).properties["diskSizeGB"] == 64


def test_while_it_is_made_a_disk_shows_what_was_asked_for(compute: ComputeEmulator) -> None:
    response = compute.ask("PUT", "disks/d", {"location": "eastus", "properties": EMPTY, "tags": {"a": "b"}})
    assert (response.status, response.headers["Retry-After"]) == (202, "2")
    assert response.properties == {**EMPTY, "provisioningState": "Updating"}
    assert response.body["tags"] == {"a": "b"}


def test_a_patch_leaves_what_it_does_not_name(compute: ComputeEmulator) -> None:
    compute.make("disks/d", EMPTY, tags={"owner": "me"})
    response = compute.ask("PATCH", "disks/d", {"properties": {"diskSizeGB": 100}})
    assert response.status in (200, 202)
    compute.clock.advance(10)
    after = compute.ask("GET", "disks/d")
    assert (after.properties["diskSizeGB"], after.body["tags"]) == (100, {"owner": "me"})
    compute.ask("PATCH", "disks/d", {"tags": {"owner": "you"}})
    compute.clock.advance(10)
    after = compute.ask("GET", "disks/d")
    assert (after.properties["diskSizeGB"], after.body["tags"]) == (100, {"owner": "you"})


def test_a_copy_may_grow_and_nothing_shrinks(compute: ComputeEmulator) -> None:
    bigger = compute.make("disks/d", {"creationData": copy_of("disks/desk-vm_OsDisk_1"), "diskSizeGB": 200})
    assert bigger.properties["diskSizeGB"] == 200
    status, _, message = compute.refused(
        "disks/d", {"creationData": bigger.properties["creationData"], "diskSizeGB": 9}
    )
    assert status == 400
    assert "200" in message


@pytest.mark.parametrize(
    ("path", "properties", "beside", "status", "code"),
    [
        ("disks/d", {}, {}, 400, "InvalidParameter"),
        ("disks/d", {"creationData": {"createOption": "Guess"}}, {}, 400, "InvalidParameter"),
        ("disks/d", {"creationData": {"createOption": "Empty"}}, {}, 400, "InvalidParameter"),
        ("disks/d", {**EMPTY, "diskSizeGB": "many"}, {}, 400, "InvalidParameter"),
        ("disks/d", {**EMPTY, "diskSizeGB": 70_000}, {}, 400, "InvalidParameter"),
        ("disks/d", EMPTY, {"sku": {"name": "Golden_LRS"}}, 400, "InvalidParameter"),
        ("disks/d", EMPTY, {"tags": {"a": 5}}, 400, "InvalidTags"),
        ("disks/-d", EMPTY, {}, 400, "InvalidParameter"),
        ("disks/d", {**EMPTY, "creationData": copy_of("virtualMachines/desk-vm")}, {}, 400, "InvalidParameter"),
        ("disks/d", {"creationData": copy_of("disks/none")}, {}, 404, "NotFound"),
        ("snapshots/s", {"creationData": copy_of("disks/none")}, {}, 404, "NotFound"),
        ("snapshots/s", {"creationData": copy_of("disks/desk-vm_OsDisk_1")}, {"location": "westus"}, 404, "NotFound"),
        ("snapshots/s", EMPTY, {"location": ""}, 400, "LocationRequired"),
    ],
)
def test_refusals(
    compute: ComputeEmulator, path: str, properties: dict[str, Any], beside: dict[str, Any], status: int, code: str
) -> None:
    assert compute.refused(path, properties, **beside)[:2] == (status, code)


def test_what_is_not_found_is_named_as_azure_names_it(compute: ComputeEmulator) -> None:
    status, _, message = compute.refused("snapshots/s", {"creationData": copy_of("disks/gone")})
    assert (status, message) == (404, "Resource gone is not found.")
    missing = compute.ask("GET", "snapshots/none")
    assert missing.message.startswith("The Resource 'Microsoft.Compute/snapshots/none' under resource group 'research'")
    assert missing.headers["x-ms-failure-cause"] == "gateway"


def test_incremental_snapshots_know_their_family(compute: ComputeEmulator) -> None:
    compute.make("disks/d", EMPTY)
    first = compute.snapshot("s1", "d", incremental=True)
    assert first.properties["incremental"] is True
    assert first.properties["incrementalSnapshotFamilyId"]
    plain = compute.snapshot("s2", "d")
    assert plain.properties["incremental"] is False
    assert "incrementalSnapshotFamilyId" not in plain.properties


def test_a_copy_into_another_region_takes_time_and_reports_its_progress(compute: ComputeEmulator) -> None:
    compute.make("disks/d", {**EMPTY, "diskSizeGB": 1000})
    compute.snapshot("s", "d", incremental=True)
    start = {"creationData": {"createOption": "CopyStart", "sourceResourceId": resource("snapshots/s")}}
    response = compute.ask("PUT", "snapshots/far", {"location": "westus2", "properties": start | {"incremental": True}})
    assert response.status == 202
    compute.clock.advance(60)
    half = compute.ask("GET", "snapshots/far").properties["completionPercent"]
    assert 0 < half < 100
    compute.clock.advance(7200)
    assert compute.ask("GET", "snapshots/far").properties["completionPercent"] == 100


def test_a_link_to_read_a_disk_is_given_and_taken_back(compute: ComputeEmulator) -> None:
    compute.make("disks/d", EMPTY)
    response = compute.ask("POST", "disks/d/beginGetAccess", {"access": "Read", "durationInSeconds": 3600})
    assert response.status == 202
    compute.clock.advance(10)
    done = compute.ask("GET", response.headers["Azure-AsyncOperation"]).body
    link = done["properties"]["output"]["accessSAS"]
    assert link.startswith("https://")
    assert compute.ask("GET", response.headers["Location"]).body == {"accessSAS": link}
    assert compute.ask("GET", "disks/d").properties["diskState"] == "ActiveSAS"
    blocked = compute.ask("DELETE", "disks/d")
    assert (blocked.status, blocked.code) == (409, "OperationNotAllowed")
    assert compute.ask("POST", "disks/d/endGetAccess").status == 202
    compute.clock.advance(10)
    assert compute.ask("GET", "disks/d").properties["diskState"] == "Unattached"
    assert compute.ask("DELETE", "disks/d").status == 202


def test_a_disk_of_a_vm_is_not_deleted_and_gives_no_link_while_the_vm_runs(compute: ComputeEmulator) -> None:
    attached = compute.ask("DELETE", "disks/desk-vm_OsDisk_1")
    assert (attached.status, attached.code) == (409, "OperationNotAllowed")
    assert "desk-vm" in attached.message
    grant = {"access": "Read", "durationInSeconds": 60}
    assert compute.ask("POST", "disks/desk-vm_OsDisk_1/beginGetAccess", grant).status == 409
    assert compute.ask("POST", "disks/prep-vm_OsDisk_1/beginGetAccess", grant).status == 202


def test_a_deleted_resource_is_removed_after_a_moment_and_its_name_is_free(compute: ComputeEmulator) -> None:
    compute.make("disks/d", EMPTY)
    response = compute.ask("DELETE", "disks/d")
    assert (response.status, response.body) == (202, None)
    compute.clock.advance(60)
    assert compute.ask("GET", response.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"
    assert compute.ask("GET", "disks/d").status == 404
    assert compute.ask("DELETE", "disks/d").status == 204
    assert compute.make("disks/d", EMPTY).status == 200


def test_the_sdk_raises_what_azure_refuses() -> None:
    async def work(client: ComputeManagementClient) -> None:
        with pytest.raises(HttpResponseError) as caught:
            await client.disks.begin_delete("research", "prep-vm_OsDisk_1")
        assert caught.value.error is not None
        assert caught.value.error.code == "OperationNotAllowed"

    through_sdk(work)


def test_a_disk_that_is_copied_is_waited_for(compute: ComputeEmulator) -> None:
    compute.ask("PUT", "disks/d", {"location": "eastus", "properties": EMPTY})
    busy = compute.refused("snapshots/s", {"creationData": copy_of("disks/d")})
    assert busy[:2] == (409, "OperationNotAllowed")
    again = compute.ask("PUT", "disks/d", {"location": "eastus", "properties": EMPTY})
    assert (again.status, again.code) == (409, "OperationNotAllowed")


def test_only_incremental_snapshots_are_copied_into_another_region(compute: ComputeEmulator) -> None:
    compute.make("disks/d", EMPTY)
    compute.snapshot("whole", "d")
    compute.snapshot("part", "d", incremental=True)

    def start(source: str, *, incremental: bool = True) -> tuple[int, str]:
        creation = {"createOption": "CopyStart", "sourceResourceId": resource(source)}
        asked = {"creationData": creation, "incremental": incremental}
        return compute.refused("snapshots/far", asked, location="westus2")[:2]

    assert start("disks/d") == (404, "NotFound")
    assert start("snapshots/whole") == (400, "InvalidParameter")
    assert start("snapshots/part", incremental=False) == (400, "InvalidParameter")


def test_what_is_there_does_not_move(compute: ComputeEmulator) -> None:
    compute.make("disks/d", EMPTY)
    assert compute.refused("disks/d", EMPTY, location="westus")[:2] == (409, "InvalidResourceLocation")


def test_a_disk_that_changes_stays_with_its_vm(compute: ComputeEmulator) -> None:
    compute.ask("PATCH", "disks/prep-vm_OsDisk_1", {"properties": {"diskSizeGB": 80}})
    compute.clock.advance(10)
    after = compute.ask("GET", "disks/prep-vm_OsDisk_1")
    assert after.properties["diskSizeGB"] == 80
    response = compute.ask("PUT", "disks/prep-vm_OsDisk_1", {"location": "eastus", "properties": after.properties})
    assert response.status == 202
    compute.clock.advance(10)
    assert compute.ask("GET", "disks/prep-vm_OsDisk_1").body["managedBy"].endswith("/prep-vm")


def test_a_second_deletion_ends_with_the_first(compute: ComputeEmulator) -> None:
    compute.make("disks/d", EMPTY)
    compute.ask("DELETE", "disks/d")
    compute.clock.advance(0.8)
    second = compute.ask("DELETE", "disks/d")
    compute.clock.advance(0.4)
    assert compute.ask("GET", second.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"
    assert compute.ask("GET", "disks/d").status == 404


def test_a_disk_shows_when_its_vm_was_started_or_deallocated(compute: ComputeEmulator) -> None:
    def since() -> str:
        found: str = compute.ask("GET", "disks/desk-vm_OsDisk_1").properties["LastOwnershipUpdateTime"]
        return found

    first = since()
    compute.ask("POST", "virtualMachines/desk-vm/powerOff")
    compute.clock.advance(LONG_S)
    assert since() == first  # a VM that is only stopped holds on to its disks
    compute.ask("POST", "virtualMachines/desk-vm/deallocate")
    assert since() == first
    compute.clock.advance(LONG_S)
    deallocated = since()
    assert deallocated > first
    compute.ask("POST", "virtualMachines/desk-vm/start")
    compute.clock.advance(LONG_S)
    assert since() > deallocated


@pytest.mark.parametrize("kind", ["disks", "snapshots"])
def test_the_network_access_policy_is_kept_and_not_copied(compute: ComputeEmulator, kind: str) -> None:
    policy = {"networkAccessPolicy": "denyall", "publicNetworkAccess": "Disabled"}
    made = compute.make(f"{kind}/a", {"creationData": copy_of("disks/gen1-vm_OsDisk_1"), **policy}).properties
    assert (made["networkAccessPolicy"], made["publicNetworkAccess"]) == ("DenyAll", "Disabled")
    copied = compute.make("disks/b", {"creationData": copy_of(f"{kind}/a")}).properties
    assert (copied["networkAccessPolicy"], copied["publicNetworkAccess"]) == ("AllowAll", "Enabled")
    grant = {"access": "Read", "durationInSeconds": 60}
    refused = compute.ask("POST", f"{kind}/a/beginGetAccess", grant)
    assert (refused.status, refused.code) == (409, "OperationNotAllowed")
    assert "DenyAll" in refused.message
    compute.ask("PATCH", f"{kind}/a", {"properties": {"networkAccessPolicy": "AllowAll"}})
    compute.clock.advance(60)
    assert compute.ask("POST", f"{kind}/a/beginGetAccess", grant).status == 202


@pytest.mark.parametrize(
    "policy",
    [
        {"networkAccessPolicy": "Some"},
        {"publicNetworkAccess": "Maybe"},
        {"networkAccessPolicy": "AllowPrivate"},
        {"networkAccessPolicy": "DenyAll", "diskAccessId": "/x"},
    ],
)
def test_network_access_policies_are_checked(compute: ComputeEmulator, policy: dict[str, str]) -> None:
    asked = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4, **policy}
    assert compute.refused("disks/a", asked)[:2] == (400, "InvalidParameter")


@pytest.mark.parametrize("kind", ["disks", "snapshots"])
def test_the_source_of_a_disk_stays(compute: ComputeEmulator, kind: str) -> None:
    first, other = copy_of("disks/gen1-vm_OsDisk_1"), copy_of("disks/win-vm_OsDisk_1")
    compute.make(f"{kind}/a", {"creationData": first})
    assert compute.make(f"{kind}/a", {"creationData": first}).status == 200
    status, _, message = compute.refused(f"{kind}/a", {"creationData": other})
    assert (status, message) == (400, "Changing property 'sourceResourceId' is not allowed for existing disk 'a'.")
    status, _, message = compute.refused(f"{kind}/a", {"creationData": {"createOption": "Empty"}})
    assert (status, message) == (400, "Changing property 'createOption' is not allowed for existing disk 'a'.")


def test_a_source_may_be_named_by_an_id_in_source_uri(compute: ComputeEmulator) -> None:
    source = resource("disks/gen1-vm_OsDisk_1")
    body = {"location": "eastus", "properties": {"creationData": {"createOption": "Copy", "sourceUri": source}}}
    begun = compute.ask("PUT", "snapshots/a", body)
    assert (begun.status, begun.properties["creationData"]["sourceUri"]) == (202, source)
    compute.clock.advance(60)
    made = compute.ask("GET", "snapshots/a").properties["creationData"]
    assert (made["sourceResourceId"], made.get("sourceUri")) == (source, None)
    assert compute.ask("PUT", "snapshots/a", body).status == 202


def test_disks_that_are_made_with_a_vm_have_its_tags_of_that_moment(compute: ComputeEmulator) -> None:
    compute.nic()
    made = compute.make("virtualMachines/new", VM["properties"], tags={"cost-centre": "42"})
    storage = made.properties["storageProfile"]
    for disk in (storage["osDisk"], *storage["dataDisks"]):
        assert compute.ask("GET", disk["managedDisk"]["id"]).body["tags"] == {"cost-centre": "42"}
    compute.ask("PATCH", "virtualMachines/new", {"tags": {"cost-centre": "43"}})
    assert compute.ask("GET", storage["osDisk"]["managedDisk"]["id"]).body["tags"] == {"cost-centre": "42"}
