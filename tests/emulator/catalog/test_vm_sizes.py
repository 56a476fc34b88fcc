"""Batch's list of VM sizes and Compute's resource SKUs say the same of every size."""

from __future__ import annotations

import pytest

from batchimg_magics.emulator.furnish import SUBSCRIPTION
from tests.support.compute_emulator import ComputeEmulator

TOP = f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/providers"


@pytest.mark.parametrize("region", ["eastus", "uksouth"])
def test_both_lists_say_the_same_of_every_size(region: str) -> None:
    compute = ComputeEmulator()
    listed = compute.ask("GET", f"{TOP}/Microsoft.Batch/locations/{region}/virtualMachineSkus", version="2024-07-01")
    found = compute.ask("GET", f"{TOP}/Microsoft.Compute/skus?$filter=location eq '{region}'", version="2021-07-01")
    skus = {one["name"]: one for one in found.body["value"] if one["resourceType"] == "virtualMachines"}
    sizes = {one["name"]: one for one in listed.body["value"]}
    assert sizes
    assert sizes.keys() <= skus.keys()
    for name, size in sizes.items():
        assert (size["familyName"], size["capabilities"]) == (skus[name]["family"], skus[name]["capabilities"])


def test_cores_and_families_are_those_of_the_quotas() -> None:
    compute = ComputeEmulator()
    usages = compute.ask("GET", f"{TOP}/Microsoft.Compute/locations/eastus/usages", version="2024-07-01").body["value"]
    families = {one["name"]["value"].lower() for one in usages}
    found = compute.ask("GET", f"{TOP}/Microsoft.Compute/skus?$filter=location eq 'eastus'", version="2021-07-01")
    of_vms = [one for one in found.body["value"] if one["resourceType"] == "virtualMachines"]
    assert {one["family"].lower() for one in of_vms} <= families
