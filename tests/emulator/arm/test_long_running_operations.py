"""Long-running operations of Microsoft.Compute as a client follows them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from batchimg_magics.emulator import create_app
from tests.support.compute_emulator import ComputeEmulator, definition

EMPTY = {"location": "eastus", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def test_an_operation_is_in_progress_until_its_moment_and_then_shows_the_resource(compute: ComputeEmulator) -> None:
    response = compute.ask("PUT", "disks/d", EMPTY)
    busy = compute.ask("GET", response.headers["Azure-AsyncOperation"])
    assert busy.headers["Retry-After"] == "10"
    assert set(busy.body) == {"startTime", "status", "name"}
    assert busy.body["status"] == "InProgress"
    compute.clock.advance(5)
    done = compute.ask("GET", response.headers["Azure-AsyncOperation"])
    assert "Retry-After" not in done.headers
    assert done.body["status"] == "Succeeded"
    assert done.body["startTime"] < done.body["endTime"]
    assert done.body["properties"]["output"] == compute.ask("GET", "disks/d").body
    assert done.body["name"] == urlsplit(response.headers["Azure-AsyncOperation"]).path.rpartition("/")[2]


def test_the_other_address_answers_202_and_then_the_result(compute: ComputeEmulator) -> None:
    response = compute.ask("PUT", "disks/d", EMPTY)
    location = response.headers["Location"]
    assert parse_qs(urlsplit(location).query)["monitor"] == ["true"]
    busy = compute.ask("GET", location)
    assert (busy.status, busy.body) == (202, None)
    assert busy.headers["Location"]
    compute.clock.advance(5)
    assert compute.ask("GET", location).body == compute.ask("GET", "disks/d").body


def test_each_kind_is_followed_where_azure_has_it(compute: ComputeEmulator) -> None:
    found = {}
    for path, body in {
        "disks/d": EMPTY,
        "galleries/lab": {"location": "eastus"},
        "images/i": {
            "location": "eastus",
            "properties": {
                "hyperVGeneration": "V1",
                "sourceVirtualMachine": {"id": compute.ask("GET", "virtualMachines/gen1-vm").body["id"]},
            },
        },
    }.items():
        response = compute.ask("PUT", path, body)
        address = urlsplit(response.headers["Azure-AsyncOperation"])
        found[path] = (
            response.status,
            address.path.split("/")[-2],
            "Location" in response.headers,
            "p=" in address.query,
        )
    assert found == {
        "disks/d": (202, "DiskOperations", True, True),
        "galleries/lab": (201, "capsOperations", False, False),
        "images/i": (201, "operations", False, True),
    }


def test_a_deletion_gives_both_addresses(compute: ComputeEmulator) -> None:
    compute.make("galleries/lab", {})
    response = compute.ask("DELETE", "galleries/lab")
    assert response.status == 202
    assert {"Azure-AsyncOperation", "Location"} <= set(response.headers)


def test_times_are_near_the_recorded_ones_and_the_same_for_the_same_seed() -> None:
    def version_seconds(seed: int) -> float:
        compute = ComputeEmulator(seed)
        compute.make("galleries/lab", {})
        compute.make("galleries/lab/images/tools", definition(security="TrustedLaunch"))
        compute.snapshot("os", "prep-vm_OsDisk_1")
        source = {"osDiskImage": {"source": {"id": compute.ask("GET", "snapshots/os").body["id"]}}}
        body = {"publishingProfile": {"targetRegions": [{"name": "eastus"}]}, "storageProfile": source}
        begin = compute.clock.now()
        compute.ask("PUT", "galleries/lab/images/tools/versions/1.0.0", {"location": "eastus", "properties": body})
        while compute.ask("GET", "galleries/lab/images/tools/versions/1.0.0").properties["provisioningState"] != (
            "Succeeded"
        ):
            compute.clock.advance(1)
        return compute.clock.now() - begin

    times = [version_seconds(seed) for seed in (1, 1, 2)]
    assert times[0] == times[1]
    assert times[0] != times[2]
    assert all(300 < seconds < 600 for seconds in times)


def test_an_unknown_operation_is_not_found_without_open_mode(compute: ComputeEmulator) -> None:
    address = told_address(compute)
    missing = compute.ask("GET", address.replace(address.split("/")[-1].split("?")[0], "0" * 8))
    assert (missing.status, missing.code) == (404, "NotFound")


def test_an_unknown_operation_completes_in_open_mode() -> None:
    app = create_app()
    url = (
        "https://management.azure.com/subscriptions/s/providers/Microsoft.Compute/locations/westus/DiskOperations/"
        "00000000-0000-4000-8000-000000000001?api-version=2023-10-02"
    )

    def status() -> Any:
        return app.answer("GET", url, {"authorization": "Bearer any"}).body

    assert b"InProgress" in status()
    app.clock.advance(600)  # type: ignore[attr-defined] # the manual clock of create_app
    assert b"Succeeded" in status()


def told_address(compute: ComputeEmulator) -> str:
    return compute.ask("PUT", "disks/d", EMPTY).headers["Azure-AsyncOperation"]
