"""The core quotas of a subscription in a region, and the regions of Microsoft.Compute."""

from __future__ import annotations

from batchimg_magics.emulator.catalog.regions import DISPLAY_NAMES, region_name
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Quotas of the subscription")
QUOTAS = evidence.assumed(
    {"in all": 1000, "of one family": 350, "spot": 100},
    "vCPUs",
    "that the subscription may use in a region",
    "the quotas differ by subscription",
)


def known_region(location: str) -> str:
    """Return the programmatic name of the region in a path, or refuse a region that does not exist."""
    name = region_name(location)
    if name not in DISPLAY_NAMES:
        message = f"The provided location '{location}' is not available for resource type 'locations'."
        raise Refusal(400, "NoRegisteredProviderFound", message)
    return name
