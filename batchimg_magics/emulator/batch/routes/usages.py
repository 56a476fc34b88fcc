"""Usage of the quotas of a subscription in a region, an operation of Microsoft.Compute.

It is in this package because nodes of Batch accounts that allocate pools in the subscription count as well.
"""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.batch.fleet.nodes import KINDS
from batchimg_magics.emulator.batch.model import subscription_cores
from batchimg_magics.emulator.catalog.regions import region_name
from batchimg_magics.emulator.catalog.vm_sizes import all_sizes
from batchimg_magics.emulator.compute.model.core_quotas import QUOTAS, known_region
from batchimg_magics.emulator.http.messages import Call, Reply, Routes

routes = Routes("arm")


@routes.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/usages")
def list_usages(call: Call) -> Reply:
    """Answer with the usage of the subscription's quotas in a region."""
    region = known_region(call.params["location"])
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


def _usage(name: str, words: str, used: int, limit: int) -> dict[str, Any]:
    return {
        "limit": limit,
        "unit": "Count",
        "currentValue": used,
        "name": {"value": name, "localizedValue": words},
    }
