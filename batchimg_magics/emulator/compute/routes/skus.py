"""VM sizes that Compute offers in a region: resource SKUs and VM sizes."""

from __future__ import annotations

import re
from typing import Any

from batchimg_magics.emulator.arm import assumed_resources, resources
from batchimg_magics.emulator.catalog.regions import DISPLAY_NAMES, REGIONS_WITH_ZONES, region_name
from batchimg_magics.emulator.catalog.vm_sizes import MIB_PER_GIB, VmSize, all_sizes, capabilities
from batchimg_magics.emulator.compute.model import size_offers, vm_resize
from batchimg_magics.emulator.compute.model.core_quotas import VMS, known_region
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes

routes = Routes("arm")


@routes.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/skus")
def list_skus(call: Call) -> Reply:
    """Answer with the VM sizes of every region, or of the one in the filter."""
    wanted = _wanted_region(call)
    regions = [wanted] if wanted else list(DISPLAY_NAMES)
    rows = [
        _sku(size, region)
        for region in regions
        for size in all_sizes().values()
        if size_offers.is_offered(size, region)
    ]
    return Reply(200, {"value": rows})


@routes.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/vmSizes")
def list_sizes(call: Call) -> Reply:
    """Answer with the VM sizes of a region, for older clients."""
    region = known_region(call.params["location"])
    return Reply(200, {"value": [_row(size) for size in all_sizes().values() if size_offers.is_offered(size, region)]})


@routes.on("GET", f"{resources.path_of(VMS)}/vmSizes")
def list_sizes_to_resize_to(call: Call) -> Reply:
    """Answer with the VM sizes that a VM can be resized to: a running one only within the hardware it is on."""
    vm = assumed_resources.get_requested(call, VMS)
    region = known_region(vm.doc["location"])
    rows = [
        _row(size)
        for size in all_sizes().values()
        if size_offers.is_offered(size, region)
        and not any(one["type"] == "Location" for one in size_offers.restrictions(size, region))
        and vm_resize.problem(call.store, vm, size, call.now) is None
    ]
    return Reply(200, {"value": rows})


def _row(size: VmSize) -> dict[str, Any]:
    return {
        "name": size.name,
        "numberOfCores": size.vcpus,
        "osDiskSizeInMB": 1_047_552,
        "resourceDiskSizeInMB": size.temp_gib * MIB_PER_GIB,
        "memoryInMB": int(size.memory_gib * MIB_PER_GIB),
        "maxDataDiskCount": size.max_data_disks,
    }


def _wanted_region(call: Call) -> str:
    """Return the region in ``$filter``; Azure supports only ``location eq 'NAME'``."""
    text = call.query.get("$filter", "").strip()
    if not text:
        return ""
    match = re.fullmatch(r"location\s+eq\s+'([^']+)'", text, re.IGNORECASE)
    if match is None:
        message = f"The filter '{text}' is not supported: only location eq 'NAME' is."
        raise Refusal(400, "InvalidParameter", message, target="$filter")
    return region_name(match[1])


def _sku(size: VmSize, region: str) -> dict[str, Any]:
    zones = ["1", "2", "3"] if region in REGIONS_WITH_ZONES else []
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": size.name.partition("_")[0],
        "size": size.name.partition("_")[2],
        "family": size.family,
        "locations": [region],
        "locationInfo": [{"location": region, "zones": zones, "zoneDetails": []}],
        "capabilities": [{"name": name, "value": value} for name, value in capabilities(size)],
        "restrictions": size_offers.restrictions(size, region),
    }
