"""What Compute offers in a region and how much of it is in use: resource SKUs, VM sizes, usages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.batch.fleet.nodes import KINDS
from batchimg_magics.emulator.batch.model import subscription_cores
from batchimg_magics.emulator.catalog.regions import DISPLAY_NAMES, region_name
from batchimg_magics.emulator.catalog.vm_sizes import VmSize, all_sizes
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIB_PER_GIB = 1024
#: Where sizes are that few regions have, by their family. Source: Azure's page of products by region, in part.
_LIMITED_REGIONS = {
    "Standard NCASv3_T4 Family": ("eastus", "eastus2", "southcentralus", "westeurope", "westus2", "northeurope"),
    "standardHBv3Family": ("eastus", "southcentralus", "westeurope", "westus2", "westus3", "northeurope"),
    "standardDCasv5Family": ("eastus", "westus", "northeurope", "westeurope"),
}
#: Regions whose zones a subscription sees. Source: Azure's page of availability zones, in part.
_REGIONS_WITH_ZONES = frozenset(
    {"eastus", "eastus2", "centralus", "southcentralus", "westus2", "westus3", "northeurope", "westeurope", "uksouth"}
)
evidence = Evidence("Sizes and quotas of the subscription")
QUOTAS = evidence.assumed(
    {"in all": 1000, "of one family": 350, "spot": 100},
    "vCPUs",
    "that the subscription may use in a region",
    "every subscription has its own",
)
evidence.rule(
    "A size is offered in every region, unless it is one of the few that are known to be rare.",
    "Azure's page of products by region, read in part; the same goes for regions with zones",
)
#: Region and family of sizes that are there, but not for this subscription.
_RESTRICTED = evidence.assumed(
    ("northeurope", "standardHBv3Family"),
    "",
    "region and family that the subscription may not use",
    "most subscriptions may not use some; so that a client meets one",
)

routes = Routes("arm")


@routes.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/skus")
def list_skus(call: Call) -> Reply:
    """Answer with the VM sizes of every region, or of the one that the filter names."""
    wanted = _wanted_region(call)
    regions = [wanted] if wanted else list(DISPLAY_NAMES)
    rows = [_sku(size, region) for region in regions for size in all_sizes().values() if _is_offered(size, region)]
    return Reply(200, {"value": rows})


@routes.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/vmSizes")
def list_sizes(call: Call) -> Reply:
    """Answer with a region's VM sizes, as older clients ask for them."""
    region = _known_region(call.params["location"])
    rows = [
        {
            "name": size.name,
            "numberOfCores": size.vcpus,
            "osDiskSizeInMB": 1_047_552,
            "resourceDiskSizeInMB": size.temp_gib * _MIB_PER_GIB,
            "memoryInMB": int(size.memory_gib * _MIB_PER_GIB),
            "maxDataDiskCount": size.max_data_disks,
        }
        for size in all_sizes().values()
        if _is_offered(size, region)
    ]
    return Reply(200, {"value": rows})


@routes.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/usages")
def list_usages(call: Call) -> Reply:
    """Answer with what is in use of the subscription's quotas in a region."""
    region = _known_region(call.params["location"])
    count = sum(region_name(vm.doc["location"]) == region for vm in resources.list_items(call, subscription_cores.VMS))
    used = subscription_cores.cores_in_region(call.store, call.now, call.params["subscription"], region)
    cores, spot = ({family: n for (kind, family), n in used.items() if kind == one} for one in KINDS)
    families = sorted({size.family for size in all_sizes().values()})
    rows = [
        _usage("virtualMachines", "Virtual Machines", count, 25_000),
        _usage("cores", "Total Regional vCPUs", sum(cores.values()), QUOTAS["in all"]),
        _usage("lowPriorityCores", "Total Regional Spot vCPUs", sum(spot.values()), QUOTAS["spot"]),
        *(_usage(family, f"{family} vCPUs", cores.get(family, 0), QUOTAS["of one family"]) for family in families),
    ]
    return Reply(200, {"value": rows})


def _known_region(location: str) -> str:
    name = region_name(location)
    if name not in DISPLAY_NAMES:
        message = f"The provided location '{location}' is not available for resource type 'locations'."
        raise Refusal(400, "NoRegisteredProviderFound", message)
    return name


def _wanted_region(call: Call) -> str:
    """Return the region that ``$filter`` names; ``location eq 'x'`` is all that Azure takes there."""
    text = call.query.get("$filter", "").strip()
    if not text:
        return ""
    match = re.fullmatch(r"location\s+eq\s+'([^']+)'", text, re.IGNORECASE)
    if match is None:
        message = f"The filter '{text}' is not supported: only location eq 'NAME' is."
        raise Refusal(400, "InvalidParameter", message, target="$filter")
    return region_name(match[1])


def _usage(name: str, words: str, used: int, limit: int) -> dict[str, Any]:
    return {
        "limit": limit,
        "unit": "Count",
        "currentValue": used,
        "name": {"value": name, "localizedValue": words},
    }


def _is_offered(size: VmSize, region: str) -> bool:
    return region in DISPLAY_NAMES and region in _LIMITED_REGIONS.get(size.family, DISPLAY_NAMES)


def _sku(size: VmSize, region: str) -> dict[str, Any]:
    zones = ["1", "2", "3"] if region in _REGIONS_WITH_ZONES else []
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


def capabilities(size: VmSize) -> Iterator[tuple[str, str]]:
    """Yield what a size can, as resource SKUs say it."""
    yield "MaxResourceVolumeMB", str(size.temp_gib * _MIB_PER_GIB)
    yield "OSVhdSizeMB", "1047552"
    yield "vCPUs", str(size.vcpus)
    yield "MemoryPreservingMaintenanceSupported", str(not size.gpus)
    yield "HyperVGenerations", ",".join(size.generations)
    yield "DiskControllerTypes", ",".join(size.controllers)
    yield "MemoryGB", f"{size.memory_gib:g}"
    yield "MaxDataDiskCount", str(size.max_data_disks)
    yield "CpuArchitectureType", size.architecture
    yield "LowPriorityCapable", str(size.spot)
    yield "PremiumIO", str(size.premium_io)
    yield "VMDeploymentTypes", "IaaS"
    yield "vCPUsAvailable", str(size.vcpus)
    if size.gpus:
        yield "GPUs", str(size.gpus)
    yield "vCPUsPerCore", "1" if size.gpus or size.architecture == "Arm64" else "2"
    yield "EphemeralOSDiskSupported", str(size.premium_io and size.temp_gib > 0)
    yield "EncryptionAtHostSupported", str(size.premium_io)
    yield "CapacityReservationSupported", str(size.premium_io)
    yield "AcceleratedNetworkingEnabled", str(size.accelerated_networking)
    yield "RdmaEnabled", str(size.rdma)
    yield "MaxNetworkInterfaces", str(size.max_nics)
    if size.family == "standardDCasv5Family":
        yield "ConfidentialComputingType", "SNP"
    if "V2" in size.generations and not size.trusted_launch:
        yield "TrustedLaunchDisabled", "True"
