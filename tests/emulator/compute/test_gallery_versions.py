"""Image versions of the emulator: their sources, their replicas, and their use by pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.emulator.compute.model import bootable_images
from batchimg_magics.emulator.compute.model.bootable_images import BootableImage, ImageProblem
from batchimg_magics.emulator.http import scenarios
from tests.support.compute_emulator import LONG_S, ComputeEmulator, body, definition, resource, through_sdk, version

if TYPE_CHECKING:
    from azure.mgmt.compute.aio import ComputeManagementClient

PATH = "galleries/lab/images/tools/versions/1.0.0"
EXPANDED = f"{PATH}?$expand=ReplicationStatus"


@pytest.fixture
def compute() -> ComputeEmulator:
    """Return an emulator with a definition and snapshots of the disks of desk-vm, which was not deprovisioned."""
    made = ComputeEmulator()
    made.definition()
    for name, disk in {"os": "OsDisk_1", "data0": "DataDisk_0", "data3": "DataDisk_3"}.items():
        made.snapshot(name, f"desk-vm_{disk}")
    return made


def what_it_is(compute: ComputeEmulator, path: str = PATH, region: str = "eastus") -> BootableImage | ImageProblem:
    return bootable_images.resolve_image(compute.store, compute.clock.now(), resource(path), region)


def usable(compute: ComputeEmulator, path: str = PATH, region: str = "eastus") -> BootableImage:
    found = what_it_is(compute, path, region)
    assert isinstance(found, BootableImage), found
    return found


def test_a_version_through_the_sdk() -> None:
    async def work(client: ComputeManagementClient) -> list[Any]:
        await (await client.galleries.begin_create_or_update("research", "lab", body())).result()
        kind = body(definition(security="TrustedLaunch"))
        await (await client.gallery_images.begin_create_or_update("research", "lab", "tools", kind)).result()
        for name, disk in {"os": "prep-vm_OsDisk_1", "data": "prep-vm_DataDisk_0"}.items():
            source = {"createOption": "Copy", "sourceResourceId": resource(f"disks/{disk}")}
            made = body({"creationData": source})
            await (await client.snapshots.begin_create_or_update("research", name, made)).result()
        versions = client.gallery_image_versions
        where = ("research", "lab", "tools", "1.0.0")
        asked = body(version(data={0: "snapshots/data"}, replicaCount=3))
        poller = await versions.begin_create_or_update(*where, asked)
        going = await versions.get(*where, expand="ReplicationStatus")
        done = await poller.result()
        whole = await versions.get(*where, expand="ReplicationStatus")
        await (await versions.begin_delete(*where)).result()
        left = [one.name async for one in versions.list_by_gallery_image("research", "lab", "tools")]
        return [going, done, whole, left]

    going, done, whole, left = through_sdk(work)
    assert going.provisioning_state == "Creating"
    assert going.replication_status.aggregated_state == "InProgress"
    assert done.provisioning_state == "Succeeded"
    disks = done.storage_profile
    assert (disks.os_disk_image.size_in_gb, disks.os_disk_image.host_caching) == (64, "ReadWrite")
    found = [(disk.lun, disk.size_in_gb, disk.host_caching) for disk in disks.data_disk_images]
    assert found == [(0, 256, "ReadOnly")]
    row = whole.replication_status.summary[0]
    assert (row.region, row.state, row.progress) == ("East US", "Completed", 100)
    assert done.publishing_profile.target_regions[0].regional_replica_count == 3
    assert left == []


def test_the_first_answer_shows_no_sizes_yet(compute: ComputeEmulator) -> None:
    response = compute.ask("PUT", PATH, {"location": "eastus", "properties": version()})
    assert (response.status, response.headers["Retry-After"]) == (201, "60")
    assert response.properties["provisioningState"] == "Creating"
    assert "sizeInGB" not in response.properties["storageProfile"]["osDiskImage"]
    profile = response.properties["publishingProfile"]
    assert profile["targetRegions"] == [
        {"name": "East US", "regionalReplicaCount": 1, "storageAccountType": "Standard_LRS"}
    ]
    assert profile["excludeFromLatest"] is False
    assert response.properties["safetyProfile"] == {
        "reportedForPolicyViolation": False,
        "allowDeletionOfReplicatedLocations": False,
    }


def test_a_version_is_of_use_where_its_region_is_done_before_all_are(compute: ComputeEmulator) -> None:
    regions = ["eastus", "westus2", "northeurope", "japaneast"]
    compute.ask("PUT", PATH, {"location": "eastus", "properties": version(regions=regions)})
    moments: dict[str, float] = {}
    begin = compute.clock.now()
    while len(moments) < len(regions) + 1:
        compute.clock.advance(10)
        for region in regions:
            if isinstance(what_it_is(compute, region=region), BootableImage):
                moments.setdefault(region, compute.clock.now() - begin)
        if compute.ask("GET", PATH).properties["provisioningState"] == "Succeeded":
            moments.setdefault("all", compute.clock.now() - begin)
        summary = compute.ask("GET", EXPANDED).properties["replicationStatus"]["summary"]
        done = {row["region"].replace(" ", "").lower() for row in summary if row["state"] == "Completed"}
        assert done == set(moments) - {"all"}
    assert moments["eastus"] < moments["all"]
    assert moments["all"] == max(moments.values())


def test_replicas_are_counted_region_by_region(compute: ComputeEmulator) -> None:
    regions = [{"name": "eastus", "regionalReplicaCount": 7}, "westus2"]
    compute.version(regions=regions, replicaCount=2)
    assert usable(compute).replicas == 7
    assert usable(compute, region="West US 2").replicas == 2
    missing = what_it_is(compute, region="northeurope")
    assert isinstance(missing, ImageProblem)
    assert (missing.code, "northeurope" in missing.message) == ("GalleryImageNotFound", True)


def test_hidden_properties_are_copied_from_the_disk_to_the_version(compute: ComputeEmulator) -> None:
    compute.version(data={0: "snapshots/data0", 3: "snapshots/data3"})
    source = usable(compute)
    assert source.deprovisioned is False
    assert (source.os_type, source.generation, source.architecture) == ("Linux", "V2", "x64")
    compute.make("galleries/lab/images/first", definition("first", generation="V1"))
    compute.snapshot("gen1", "gen1-vm_OsDisk_1")
    compute.version(of="first", source="snapshots/gen1")
    assert usable(compute, "galleries/lab/images/first/versions/1.0.0").deprovisioned is True


def test_a_full_version_does_not_need_its_source_and_a_shallow_one_does(compute: ComputeEmulator) -> None:
    compute.version("1.0.0")
    compute.version("1.0.1", replicationMode="Shallow")
    assert usable(compute, PATH.replace("1.0.0", "1.0.1"))
    compute.ask("DELETE", "snapshots/os")
    compute.clock.advance(LONG_S)
    assert usable(compute)
    gone = what_it_is(compute, PATH.replace("1.0.0", "1.0.1"))
    assert isinstance(gone, ImageProblem)
    assert "snapshots/os" in gone.message


def test_a_definition_stands_for_its_highest_version_that_is_not_left_out(compute: ComputeEmulator) -> None:
    compute.version("1.0.2")
    compute.version("1.0.10")
    compute.version("2.0.0", excludeFromLatest=True)
    assert any(key.endswith("/1.0.10") for key in usable(compute, "galleries/lab/images/tools").source_keys)
    compute.version("1.1.0", regions=({"name": "East US", "excludeFromLatest": True}, "westus"))
    assert any(key.endswith("/1.0.10") for key in usable(compute, "galleries/lab/images/tools").source_keys)
    assert any(key.endswith("/2.0.0") for key in usable(compute, PATH.replace("1.0.0", "2.0.0")).source_keys)
    assert any(key.endswith("/1.0.10") for key in usable(compute, PATH.replace("1.0.0", "latest")).source_keys)
    assert isinstance(what_it_is(compute, "galleries/lab/images/none"), ImageProblem)


def test_a_deleted_version_is_of_no_use(compute: ComputeEmulator) -> None:
    compute.version()
    response = compute.ask("DELETE", PATH)
    assert (response.status, response.headers["Retry-After"]) == (202, "60")
    compute.clock.advance(600)
    assert isinstance(what_it_is(compute), ImageProblem)


@pytest.mark.parametrize(
    ("name", "asked", "status", "code"),
    [
        ("one", {}, 400, "InvalidParameter"),
        ("1.0", {}, 400, "InvalidParameter"),
        ("1.0.9999999999", {}, 400, "InvalidParameter"),
        ("1.0.0", {"source": "snapshots/none"}, 404, "NotFound"),
        ("1.0.0", {"regions": ("westus",)}, 400, "InvalidParameter"),
        ("1.0.0", {"regions": ("eastus", "East US")}, 400, "InvalidParameter"),
        ("1.0.0", {"replicaCount": 101}, 400, "InvalidParameter"),
        ("1.0.0", {"regions": ({"name": "eastus", "regionalReplicaCount": "many"},)}, 400, "InvalidParameter"),
        ("1.0.0", {"data": {0: "snapshots/data0", 1: "snapshots/none"}}, 404, "NotFound"),
        ("1.0.0", {"data": {0: "galleries/lab"}}, 400, "InvalidParameter"),
        ("1.0.0", {"regions": ("eastus", "westus"), "replicationMode": "Shallow"}, 400, "InvalidParameter"),
        ("1.0.0", {"endOfLifeDate": "some day"}, 400, "InvalidParameter"),
    ],
)
def test_refusals(compute: ComputeEmulator, name: str, asked: dict[str, Any], status: int, code: str) -> None:
    found = compute.refused(PATH.replace("1.0.0", name), version(**asked))
    assert found[:2] == (status, code), found


def test_a_version_needs_its_definition(compute: ComputeEmulator) -> None:
    assert compute.refused("galleries/lab/images/none/versions/1.0.0", version())[:2] == (404, "ParentResourceNotFound")


def test_a_source_has_to_be_what_the_definition_says(compute: ComputeEmulator) -> None:
    compute.snapshot("gen1", "gen1-vm_OsDisk_1")
    assert compute.refused(PATH, version("snapshots/gen1"))[0] == 400
    compute.snapshot("windows", "win-vm_OsDisk_1")
    assert compute.refused(PATH, version("snapshots/windows"))[0] == 400
    compute.snapshot("trusted", "prep-vm_OsDisk_1")
    assert compute.refused(PATH, version("snapshots/trusted"))[0] == 400


def test_a_vm_that_is_not_generalized_is_a_specialized_source(compute: ComputeEmulator) -> None:
    status, code, message = compute.refused(PATH, version("virtualMachines/desk-vm"))
    assert (status, code) == (400, "BadRequest")
    assert "has a different OS state ['Specialized'] than the parent gallery image OS state ['Generalized']" in message


def test_a_disk_is_no_source_as_a_whole_and_each_data_disk_has_a_lun(compute: ComputeEmulator) -> None:
    whole = {"storageProfile": {"source": {"id": resource("snapshots/os")}}}
    assert compute.refused(PATH, version() | whole)[:2] == (400, "InvalidParameter")
    disks = [{"lun": 0, "source": {"id": resource(f"snapshots/data{number}")}} for number in (0, 3)]
    storage = version()["storageProfile"] | {"dataDiskImages": disks}
    assert compute.refused(PATH, version() | {"storageProfile": storage})[:2] == (400, "InvalidParameter")


@pytest.mark.parametrize(
    ("security", "disk", "status"),
    [
        ("TrustedLaunch", "prep-vm", 201),
        ("TrustedLaunch", "desk-vm", 400),
        ("ConfidentialVM", "prep-vm", 400),
        (None, "prep-vm", 400),
        (None, "desk-vm", 201),
    ],
)
def test_the_security_type_of_a_disk_is_that_of_the_definition(
    compute: ComputeEmulator, security: str | None, disk: str, status: int
) -> None:
    compute.make("galleries/lab/images/kind", definition("kind", security=security))
    asked = {"location": "eastus", "properties": version(f"disks/{disk}_OsDisk_1")}
    response = compute.ask("PUT", "galleries/lab/images/kind/versions/1.0.0", asked)
    assert response.status == status
    assert status == 201 or "different security type" in response.message


def test_a_vm_is_of_the_generation_of_its_disk_and_no_source_where_trust_is_optional(compute: ComputeEmulator) -> None:
    status, _, message = compute.refused(PATH, version("virtualMachines/gen1-vm"))
    assert (status, "Hypervisor generation ['V1']" in message) == (400, True)
    compute.make("galleries/lab/images/either", definition("either", security="TrustedLaunchSupported"))
    path = "galleries/lab/images/either/versions/1.0.0"
    status, code, message = compute.refused(path, version("virtualMachines/prep-vm"))
    assert (status, code) == (400, "InvalidParameter")
    assert "Currently only Vhd Blob, User Image and Gallery Image Version sources are supported" in message
    compute.snapshot("trusted", "prep-vm_OsDisk_1")
    status, code, message = compute.refused(path, version("snapshots/trusted"))
    assert (status, code) == (400, "InvalidParameter")
    assert "'TrustedLaunchSupported' images" in message


def test_a_snapshot_that_is_still_being_copied_is_no_source(compute: ComputeEmulator) -> None:
    compute.make("disks/big", {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1000})
    compute.snapshot("near", "big", incremental=True)
    start = {"createOption": "CopyStart", "sourceResourceId": resource("snapshots/near")}
    asked = {"location": "westus2", "properties": {"creationData": start, "incremental": True}}
    assert compute.ask("PUT", "snapshots/far", asked).status == 202
    compute.clock.advance(60)
    far = {"location": "westus2", "properties": version("snapshots/far", regions=("westus2",))}
    assert compute.ask("PUT", PATH, far).status == 409
    compute.clock.advance(LONG_S)
    assert compute.ask("PUT", PATH, far).status == 201


def test_a_vm_and_a_managed_image_are_sources_too(compute: ComputeEmulator) -> None:
    compute.make("galleries/lab/images/first", definition("first", generation="V1"))
    vm = {"sourceVirtualMachine": {"id": resource("virtualMachines/gen1-vm")}, "hyperVGeneration": "V1"}
    compute.make("images/i", vm)
    for number, source in enumerate(("virtualMachines/gen1-vm", "images/i")):
        made = compute.version(f"1.0.{number}", of="first", source=source)
        assert made.properties["storageProfile"]["osDiskImage"]["sizeInGB"] == 30
        assert usable(compute, f"galleries/lab/images/first/versions/1.0.{number}").deprovisioned is True


def test_a_version_of_a_version(compute: ComputeEmulator) -> None:
    compute.version()
    compute.make("galleries/lab/images/second", definition("second"))
    made = compute.version(of="second", source=PATH)
    assert made.properties["storageProfile"]["osDiskImage"]["sizeInGB"] == 30
    assert usable(compute, "galleries/lab/images/second/versions/1.0.0").deprovisioned is False


def test_a_source_that_is_being_changed_is_refused(compute: ComputeEmulator) -> None:
    source = {"creationData": {"createOption": "Copy", "sourceResourceId": resource("disks/desk-vm_OsDisk_1")}}
    compute.ask("PUT", "snapshots/new", {"location": "eastus", "properties": source})
    assert compute.refused(PATH, version("snapshots/new"))[0] == 409
    compute.clock.advance(10)
    assert compute.ask("PUT", PATH, {"location": "eastus", "properties": version("snapshots/new")}).status == 201


def test_a_source_is_in_the_region_of_the_version(compute: ComputeEmulator) -> None:
    asked = {"location": "westus", "properties": version(regions=("westus", "eastus"))}
    assert compute.ask("PUT", PATH, asked).status == 400


def test_a_version_keeps_its_source_and_takes_more_regions(compute: ComputeEmulator) -> None:
    compute.version()
    assert compute.refused(PATH, version("snapshots/data0"))[:2] == (409, "PropertyChangeNotAllowed")
    response = compute.ask("PUT", PATH, {"location": "eastus", "properties": version(regions=("eastus", "westus2"))})
    assert (response.status, response.properties["provisioningState"]) == (200, "Updating")
    assert usable(compute), "a version that gets another region stays usable where it is"
    assert isinstance(what_it_is(compute, region="westus2"), ImageProblem)
    busy = compute.ask("PUT", PATH, {"location": "eastus", "properties": version()})
    assert busy.status == 409
    compute.clock.advance(LONG_S)
    assert usable(compute, region="westus2")


def test_an_update_that_names_no_source_keeps_it(compute: ComputeEmulator) -> None:
    compute.version()
    profile = {"publishingProfile": {"targetRegions": [{"name": "eastus", "regionalReplicaCount": 4}]}}
    response = compute.ask("PUT", PATH, {"location": "eastus", "properties": profile | {"storageProfile": {}}})
    assert response.status == 200
    assert response.properties["storageProfile"]["osDiskImage"]["source"]["id"] == resource("snapshots/os")
    compute.clock.advance(LONG_S)
    patched = compute.ask("PATCH", PATH, {"tags": {"a": "b"}})
    assert (patched.status, patched.body["tags"]) == (200, {"a": "b"})
    compute.clock.advance(LONG_S)
    assert usable(compute).replicas == 4


def test_a_region_is_removed_only_when_allowed_and_the_home_region_never(compute: ComputeEmulator) -> None:
    compute.version(regions=("eastus", "westus2"))
    status, _, message = compute.refused(PATH, version())
    assert status == 400
    assert "Complete set of target locations not specified" in message
    allowed = version() | {"safetyProfile": {"allowDeletionOfReplicatedLocations": True}}
    assert compute.ask("PUT", PATH, {"location": "eastus", "properties": allowed}).status == 200
    compute.clock.advance(LONG_S)
    assert isinstance(what_it_is(compute, region="westus2"), ImageProblem)
    away = version(regions=("westus2",)) | {"safetyProfile": {"allowDeletionOfReplicatedLocations": True}}
    assert compute.refused(PATH, away)[0] == 400


def test_no_region_gets_a_replica_in_the_scenario_without(compute: ComputeEmulator) -> None:
    scenarios.set_scenario(compute.store, "no-replica")
    compute.version(regions=("eastus", "westus2"))
    assert compute.ask("GET", PATH).properties["provisioningState"] == "Failed"
    assert isinstance(what_it_is(compute), ImageProblem)
    summary = compute.ask("GET", EXPANDED).properties["replicationStatus"]["summary"]
    assert {row["region"]: row["state"] for row in summary}["East US"] == "Failed"


def test_replication_that_is_stuck_never_ends_in_one_region(compute: ComputeEmulator) -> None:
    scenarios.set_scenario(compute.store, "stuck-replication")
    response = compute.ask("PUT", PATH, {"location": "eastus", "properties": version(regions=("eastus", "westus2"))})
    compute.clock.advance(7 * 86_400)
    status = compute.ask("GET", EXPANDED).properties
    assert status["provisioningState"] == "Creating"
    assert sorted(row["state"] for row in status["replicationStatus"]["summary"]) == ["Completed", "Replicating"]
    assert compute.ask("GET", response.headers["Azure-AsyncOperation"]).body["status"] == "InProgress"


def test_more_copies_come_beside_those_that_are_there(compute: ComputeEmulator) -> None:
    compute.version(replicaCount=2)
    asked = {"location": "eastus", "properties": version(replicaCount=5)}
    assert compute.ask("PUT", PATH, asked).status == 200
    assert usable(compute).replicas == 2
    compute.clock.advance(LONG_S)
    assert usable(compute).replicas == 5


def test_a_failed_replication_is_reported_by_its_operation(compute: ComputeEmulator) -> None:
    scenarios.set_scenario(compute.store, "no-replica")
    response = compute.ask("PUT", PATH, {"location": "eastus", "properties": version()})
    compute.clock.advance(LONG_S)
    operation = compute.ask("GET", response.headers["Azure-AsyncOperation"]).body
    assert (operation["status"], operation["error"]["code"]) == ("Failed", "ReplicationJobsNotCompleted")
    assert "East US" in operation["error"]["message"]
    monitored = compute.ask("GET", f"{response.headers['Azure-AsyncOperation']}&monitor=true")
    assert (monitored.status, monitored.code) == (409, "ReplicationJobsNotCompleted")


def test_a_version_may_be_kept_until_its_end_of_life(compute: ComputeEmulator) -> None:
    kept = {"safetyProfile": {"blockDeletionBeforeEndOfLife": True, "reportedForPolicyViolation": True}}
    asked = version(endOfLifeDate="2026-08-01T00:00:00Z") | kept
    compute.make(PATH, asked)
    assert compute.ask("GET", PATH).properties["safetyProfile"]["reportedForPolicyViolation"] is False
    assert compute.ask("DELETE", PATH).status == 409
    compute.clock.advance(40 * 86_400)
    assert compute.ask("DELETE", PATH).status == 202
