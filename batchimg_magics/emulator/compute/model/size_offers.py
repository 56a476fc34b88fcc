"""Which VM sizes a subscription may use in a region and its availability zones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.catalog.regions import DISPLAY_NAMES, region_name
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.catalog.vm_sizes import VmSize

#: The regions of sizes that few regions have, by family. Source: Azure's page of products by region, in part.
_LIMITED_REGIONS = {
    "Standard NCASv3_T4 Family": ("eastus", "eastus2", "southcentralus", "westeurope", "westus2", "northeurope"),
    "StandardNCADSA100v4Family": ("eastus", "eastus2", "southcentralus", "westeurope", "westus2", "westus3"),
    "standardHBv3Family": ("eastus", "southcentralus", "westeurope", "westus2", "westus3", "northeurope"),
    "standardDCasv5Family": ("eastus", "westus", "northeurope", "westeurope"),
}
evidence = Evidence("VM sizes of the subscription")
evidence.rule(
    "A size is offered in every region, except for a few families with known regions.",
    "from Azure's page of products by region, in part; likewise the regions with availability zones",
)
evidence.rule(
    "Compute's resource SKUs have DiskControllerTypes only for sizes with NVMe, and Batch lists the sizes that Compute "
    "offers in the region.",
    "the recorded list of Batch has no such row for sizes with SCSI; both lists are of the same sizes",
)
#: Region and family of sizes that exist but that the subscription may not use.
_RESTRICTED = evidence.assumed(
    ("northeurope", "standardHBv3Family"),
    "",
    "region and family that the subscription may not use",
    "most subscriptions have such restrictions, so clients should be tested with one",
)
_RESTRICTED_ZONES = evidence.assumed(
    {
        "eastus/standardDSv3Family": ("3",),
        "eastus/standardESv5Family": ("1", "2"),
        "eastus/StandardNCADSA100v4Family": ("2",),
    },
    "",
    "zones in which the subscription may not use a family",
    "most subscriptions have such restrictions, which do not matter for VMs without a zone",
)


def is_offered(size: VmSize, region: str) -> bool:
    """Tell whether a region has a size."""
    return region in DISPLAY_NAMES and region in _LIMITED_REGIONS.get(size.family, DISPLAY_NAMES)


def restrictions(size: VmSize, region: str) -> list[dict[str, Any]]:
    """Return why a subscription may not use a size in a region or in some of its zones."""
    reason = "NotAvailableForSubscription"
    found: list[dict[str, Any]] = []
    if (region, size.family) == _RESTRICTED:
        where: dict[str, Any] = {"locations": [region]}
        found.append({"type": "Location", "values": [region], "restrictionInfo": where, "reasonCode": reason})
    if zones := _RESTRICTED_ZONES.get(f"{region}/{size.family}"):
        where = {"locations": [region], "zones": list(zones)}
        found.append({"type": "Zone", "values": [region], "restrictionInfo": where, "reasonCode": reason})
    return found


def refuse_unavailable(size: VmSize, location: str, zones: object) -> None:
    """Refuse a VM of a size that the subscription may not use there. Source: Azure's own text."""
    region = region_name(location)
    if region not in DISPLAY_NAMES:
        return
    asked = {str(one) for one in zones} if isinstance(zones, list) else set()
    denied = [
        one
        for one in restrictions(size, region)
        if one["type"] == "Location" or asked & set(one["restrictionInfo"]["zones"])
    ]
    if denied or not is_offered(size, region):
        message = (
            "The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: "
            f"{size.name}' is currently not available in location '{region}'. Please try another size or deploy to a "
            "different location or different zone. See https://aka.ms/azureskunotavailable for details."
        )
        raise Refusal(409, "SkuNotAvailable", message)
