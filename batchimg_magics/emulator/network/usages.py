"""How much of the quotas of Microsoft.Network a subscription uses in a region.

Source: "Azure subscription limits, quotas, and constraints": networking limits.
"""

from __future__ import annotations

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.catalog.regions import region_name
from batchimg_magics.emulator.http.messages import Call, Reply, Routes
from batchimg_magics.emulator.network.references import ADDRESSES, GATEWAYS, GROUPS, NETWORKS, NICS, TABLES
from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Quotas of networks")
_LIMITS = evidence.documented(
    {
        "VirtualNetworks": 1000,
        "NetworkInterfaces": 65_536,
        "NetworkSecurityGroups": 5000,
        "PublicIPAddresses": 1000,
        "RouteTables": 200,
        "NatGateways": 100,
    },
    "resources",
    "of a subscription in a region",
    "networking limits; the emulator does not refuse what is above them",
)
_KINDS = {
    "VirtualNetworks": (NETWORKS, "Virtual Networks"),
    "NetworkInterfaces": (NICS, "Network Interfaces"),
    "NetworkSecurityGroups": (GROUPS, "Network Security Groups"),
    "PublicIPAddresses": (ADDRESSES, "Public IP Addresses"),
    "RouteTables": (TABLES, "Route Tables"),
    "NatGateways": (GATEWAYS, "Nat Gateways"),
}
routes = Routes("arm")


@routes.on("GET", "/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/usages")
def list_usages(call: Call) -> Reply:
    """Answer with the quotas of network resources in a region, and how many exist."""
    resources.need_subscription(call)
    region, top = region_name(call.params["location"]), f"/subscriptions/{call.params['subscription']}"
    rows = []
    for name, (kind, words) in _KINDS.items():
        found = [
            one
            for one in call.store.items(kind, top)
            if resources.document_at(one, call.now) is not None and region_name(one.doc.get("location")) == region
        ]
        rows.append(
            {
                "id": f"{top}/providers/Microsoft.Network/locations/{region}/usages/{name}",
                "currentValue": len(found),
                "limit": _LIMITS[name],
                "name": {"localizedValue": words, "value": name},
                "unit": "Count",
            }
        )
    return Reply(200, {"value": rows})
