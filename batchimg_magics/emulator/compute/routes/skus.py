"""VM sizes that Compute offers in a region: resource SKUs and VM sizes."""

from __future__ import annotations

import re
from typing import Any

from batchimg_magics.emulator.catalog.regions import DISPLAY_NAMES, REGIONS_WITH_ZONES, region_name
from batchimg_magics.emulator.catalog.vm_sizes import MIB_PER_GIB, VmSize, all_sizes, capabilities
from batchimg_magics.emulator.compute.model.core_quotas import known_region
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence

#: The regions of sizes that few regions have, by family. Source: Azure's page of products by region, in part.
_LIMITED_REGIONS = {
    "Standard NCASv3_T4 Family": ("eastus", "eastus2", "southcentralus", "westeurope", "westus2", "northeurope"),
    "standardHBv3Family": ("eastus", "southcentralus", "westeurope", "westus2", "westus3", "northeurope"),
    "standardDCasv5Family": ("eastus", "westus", "northeurope", "westeurope"),
}
evidence = Evidence("VM sizes of the subscription")
evidence.rule(
    "A size is offered in every region, except for a few families with known regions.",
    "from Azure's page of products by region, in part; likewise the regions with availability zones",
)
#: Region and family of sizes that exist but that the subscription may not use.
_RESTRICTED = evidence.assumed(
    ("northeurope", "standardHBv3Family"),
    "",
    "region and family that the subscription may not use",
    "most subscriptions have such restrictions, so clients should be tested with one",
)

routes = Routes("arm")


@routes.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/skus")
def list_skus(call: Call) -> Reply:
    """Answer with the VM sizes of every region, or of the one in the filter."""
    wanted = _wanted_region(call)
    regions = [wanted] if wanted else list(DISPLAY_NAMES)
    rows = [_sku(size, region) for region in regions for size in all_sizes().values() if _is_offered(size, region)]
    return Reply(200, {"value": rows})


@routes.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/vmSizes")
def list_sizes(call: Call) -> Reply:
    """Answer with the VM sizes of a region, for older clients."""
    region = known_region(call.params["location"])
    rows = [
        {
            "name": size.name,
            "numberOfCores": size.vcpus,
            "osDiskSizeInMB": 1_047_552,
            "resourceDiskSizeInMB": size.temp_gib * MIB_PER_GIB,
            "memoryInMB": int(size.memory_gib * MIB_PER_GIB),
            "maxDataDiskCount": size.max_data_disks,
        }
        for size in all_sizes().values()
        if _is_offered(size, region)
    ]
    return Reply(200, {"value": rows})


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


def _is_offered(size: VmSize, region: str) -> bool:
    return region in DISPLAY_NAMES and region in _LIMITED_REGIONS.get(size.family, DISPLAY_NAMES)


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
        "restrictions": _restrictions(size, region),
    }


def _restrictions(size: VmSize, region: str) -> list[dict[str, Any]]:
    if (region, size.family) != _RESTRICTED:
        return []
    where = {"locations": [region], "zones": []}
    reason = "NotAvailableForSubscription"
    return [{"type": "Location", "values": [region], "restrictionInfo": where, "reasonCode": reason}]
