"""Usage of the quotas of a subscription in a region, an operation of Microsoft.Compute.

It is in this package because nodes of Batch accounts that allocate pools in the subscription count as well.
"""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.batch.fleet.nodes import KINDS
from batchimg_magics.emulator.catalog.regions import region_name
from batchimg_magics.emulator.catalog.vm_sizes import all_sizes
from batchimg_magics.emulator.compute.model import core_quotas
from batchimg_magics.emulator.compute.model.core_quotas import REGIONAL, SPOT, known_region
from batchimg_magics.emulator.http.messages import Call, Reply, Routes

routes = Routes("arm")


@routes.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/usages")
def list_usages(call: Call) -> Reply:
    """Answer with the usage of the subscription's quotas in a region."""
    region = known_region(call.params["location"])
    store, subscription = call.store, call.params["subscription"]
    count = sum(region_name(vm.doc["location"]) == region for vm in resources.list_items(call, core_quotas.VMS))
    used = core_quotas.cores_in_region(store, call.now, subscription, region)
    cores, spot = ({family: n for (kind, family), n in used.items() if kind == one} for one in KINDS)
    families = {family: cores.get(family, 0) for family in sorted({size.family for size in all_sizes().values()})}
    named = {REGIONAL: ("Total Regional vCPUs", sum(cores.values()))}
    named |= {SPOT: ("Total Regional Spot vCPUs", sum(spot.values()))}
    named |= {family: (f"{family} vCPUs", most) for family, most in families.items()}
    rows = [
        _usage(name, words, most, core_quotas.limit_of(store, subscription, region, name, most))
        for name, (words, most) in named.items()
    ]
    return Reply(200, {"value": [_usage("virtualMachines", "Virtual Machines", count, 25_000), *rows]})


def _usage(name: str, words: str, used: int, limit: int) -> dict[str, Any]:
    return {
        "limit": limit,
        "unit": "Count",
        "currentValue": used,
        "name": {"value": name, "localizedValue": words},
    }
